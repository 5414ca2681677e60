"""A step as a component of its own: what goes in, what comes out, and the command that a pod runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import trainjob
from clspec.plan import ArtifactType
from clspec_kfp import pod
from clspec_kfp.text import argument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clspec.plan import Plan, Step
    from clspec_kfp.options import Options

# Kubeflow's other types promise what these files are not: system.Metrics holds its numbers in the artifact's
# metadata, system.HTML is one file. Which of our types meet was checked edge by edge when the plan was made.
SCHEMA_TITLES = {
    ArtifactType.DATASET: "system.Dataset",
    ArtifactType.MODEL: "system.Model",
    ArtifactType.PREDICTIONS: "system.Artifact",
    ArtifactType.METRICS: "system.Artifact",
    ArtifactType.VERDICT: "system.Artifact",
    ArtifactType.REPORT: "system.Artifact",
}
RUN_PARAMETERS = ("allow-both", "as-of", "store")
"""What a run is given; every graph passes it on to its steps."""
OF_THE_RUN = {
    "began": "{{$.pipeline_job_create_time_utc}}",
    "run": "{{$.pipeline_job_uuid}}",
}
"""What the cluster knows of a run. It replaces these only where they are the whole value of a task's parameter."""
STRING = {"parameterType": "STRING"}
STATUS = {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}

_COMMAND = ("python", "-m", "clspec.step.kubeflow")
_BACKOFF = {"backoffDuration": "10s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}


_TYPES = {
    kind: {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}} for kind, title in SCHEMA_TITLES.items()
}
# What is the same for thousands of steps is one value, which nothing changes.
FROM_THE_RUN = {key: {"componentInputParameter": key} for key in RUN_PARAMETERS}
_KNOWN = {key: {"runtimeValue": {"constant": placeholder}} for key, placeholder in OF_THE_RUN.items()}


def artifact_type(kind: ArtifactType) -> dict[str, Any]:
    """How an artifact is declared."""
    return _TYPES[kind]


def name(step: Step) -> str:
    """The component that only this step uses: kfp.local keeps the outputs of each in one folder."""
    return f"comp-{step.id}"


def executor(step: Step) -> str:
    """The label under which the step's container stands."""
    return f"exec-{step.id}"


def parameters(step: Step, *, knows_run: bool) -> dict[str, Any]:
    """What the step's own component is bound to, whatever graph it stands in.

    A pure step learns nothing of the run: it would never be found in the cache again. It must, though, if it hands
    something over in the store, or launches a job that is named after the run.
    """
    given = ("store",) if step.pure else RUN_PARAMETERS
    bound: dict[str, Any] = {key: FROM_THE_RUN[key] for key in given}
    known = (*(() if step.pure else ("began",)), *(("run",) if knows_run else ()))
    return bound | {key: _KNOWN[key] for key in known}


def definition(step: Step, read: dict[str, ArtifactType], bound: Iterable[str]) -> dict[str, Any]:
    """The step's component; `read` are the artifacts that an edge carries, `bound` its parameters."""
    inputs: dict[str, Any] = {"parameters": {key: STATUS if key == "status" else STRING for key in bound}}
    if read:
        inputs["artifacts"] = {key: artifact_type(kind) for key, kind in read.items()}
    outputs: dict[str, Any] = {}
    if step.outputs:
        outputs["artifacts"] = {output.name: artifact_type(output.type) for output in step.outputs}
    if step.parameters:
        outputs["parameters"] = dict.fromkeys(step.parameters, STRING)
    own = {"executorLabel": executor(step), "inputDefinitions": inputs}
    return own | ({"outputDefinitions": outputs} if outputs else {})


def container(plan: Plan, step: Step, give: Iterable[str], take: dict[str, str], options: Options) -> dict[str, Any]:
    """The step's container; of a step on several machines, the one that launches it.

    The outputs `give` are laid down in the store, where a step finds as `take` (input -> STEP/OUTPUT) what no edge of
    Kubeflow's can carry: an artifact that may never have been made.
    """
    arguments = [
        step.kind.value,
        "--config",
        argument(step.config),
        "--code",
        plan.workdir,
        "--executor-input",
        "{{$}}",
    ]
    for output in give:
        arguments += ["--give", f"{output}={step.id}/{output}"]
    for given, key in take.items():
        arguments += ["--take", f"{given}={key}"]
    if step.always:
        arguments.append("--always")
    if trainjob.is_launched(step):
        arguments += ["--trainjob", argument(trainjob.argument(step, pod.machines(step, options)))]
        step = trainjob.launcher(step)
    # An image's own entry point is never used: the launcher runs command and arguments.
    found: dict[str, Any] = {"image": step.image, "command": list(_COMMAND), "args": arguments}
    if variables := pod.threads(step.resources.cpu):
        found["env"] = variables
    need = pod.resources(step.resources)
    return found | ({"resources": need} if need else {})


def policy(step: Step, *, knows_run: bool) -> dict[str, Any]:
    """How its task runs: what may stand in for it, and how often it is tried.

    A result from the cache is handed over to nobody, and says nothing of what would have been taken from the store.
    """
    found: dict[str, Any] = {
        "componentRef": {"name": name(step)},
        "cachingOptions": {"enableCache": True} if step.pure and not knows_run else {},
    }
    if step.retry.times:
        found["retryPolicy"] = {"maxRetryCount": step.retry.times} | _BACKOFF
    return found
