"""Where a step runs: its container, what it may use of the machine, and how often it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import trainjob
from clspec_argo.memo import WORD
from clspec_argo.text import cores, escaped, quantity

if TYPE_CHECKING:
    from clspec.plan import Plan, Resources, Secret, Step
    from clspec_argo.options import Options

SCRATCH = "scratch"
"""The one writable volume. It is mounted on /tmp because Python, DuckDB and torch spill there."""
STORE = "{{workflow.parameters.store}}"
ALLOW_BOTH = "{{workflow.parameters.allow-both}}"
"""Who lets code and data move at once, as the step program reads it; nobody where it is empty."""
BEGAN = "{{workflow.creationTimestamp.RFC3339}}"
RUN = "{{workflow.uid}}"

HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""What a container may not do."""

_SHARED = "shared-memory"
_TMP = "/tmp"  # noqa: S108  # a volume of the pod's own
_COMMAND = ["python", "-m", "clspec.step"]
_BARE: list[dict[str, Any]] = [{"name": "HOME", "value": _TMP}, {"name": "USER", "value": "clspec"}]
_OWN_NAME: list[dict[str, Any]] = [
    {"name": trainjob.POD_NAMES[0], "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
]
"""A launcher looks up whose its pod is, so that its job is theirs too."""
_MOUNTS = [{"name": SCRATCH, "mountPath": _TMP}]
_WITH_SHARED = [*_MOUNTS, {"name": _SHARED, "mountPath": "/dev/shm"}]  # noqa: S108
_INFRASTRUCTURE = (
    "lastRetry.status == 'Error' || "
    "((asInt(lastRetry.exitCode) in [-1, 0, 75] || asInt(lastRetry.exitCode) > 128)"
    " && !(lastRetry.message contains 'deadline'))"
)
"""Whether an attempt died of its surroundings.

Error: Argo's own containers failed or the pod was deleted. Exit codes: none known (evicted), 0 of a pod that failed
nevertheless, 75, and signals with 137 and 143 among them. A timeout is killed by the same signals and not tried again
(argo-workflows issue 3244); only its message tells it apart.
"""


def read_path(name: str) -> str:
    """Where an input lies in the container."""
    return f"{_TMP}/clspec/in/{name}"


def write_path(name: str) -> str:
    """Where an output is written in the container."""
    return f"{_TMP}/clspec/out/{name}"


def parameter_path(name: str) -> str:
    """Where a one-word parameter is written; apart from the outputs, which may have the same names."""
    return f"{_TMP}/clspec/parameters/{name}"


def container(plan: Plan, step: Step, options: Options, *, digested: bool) -> dict[str, Any]:
    """The container that runs the step program; of a step on several machines, the one that launches it.

    `digested` if it says in one word what it made.
    """
    more = ["--digest", parameter_path(WORD)] if digested else []
    own: list[dict[str, Any]] = []
    if trainjob.is_launched(step):
        said = trainjob.argument(step, _machines(plan, step, options))
        more += ["--run", RUN, "--trainjob", escaped(said)]
        step = trainjob.launcher(step)
        own = _OWN_NAME
    made: dict[str, Any] = {
        "image": step.image,
        "command": _COMMAND,
        "args": _arguments(plan, step) + more,
        "env": [*_variables(step, options), *own] if own else _variables(step, options),
    }
    if resources := _resources(step.resources):
        made["resources"] = resources
    made["volumeMounts"] = _WITH_SHARED if step.resources.shared_memory else _MOUNTS
    made["securityContext"] = HARDENED
    return made


def _machines(plan: Plan, step: Step, options: Options) -> trainjob.Machines:
    """Each machine of a step on several, as hardened as a step's own pod."""
    return trainjob.Machines(
        runtime=options.trainer_runtime,
        version=options.trainer_version,
        account=options.service_account or plan.name,
        resources=_resources(step.resources),
        secrets=step.secrets,
        selector=_selector(step.resources, options),
        pod_security=security(options),
        security=HARDENED,
    )


def security(options: Options) -> dict[str, Any]:
    """As whom the containers of a pod run."""
    user = {"runAsUser": options.run_as_user} if options.run_as_user else {}
    return {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}}


def placement(step: Step, options: Options) -> dict[str, Any]:
    """What a template says beside its container: node, time limit, attempts, volumes; nothing that was not asked."""
    made: dict[str, Any] = {}
    step = trainjob.launcher(step) if trainjob.is_launched(step) else step
    if selector := _selector(step.resources, options):
        made["nodeSelector"] = selector
    if step.resources.tolerations:
        made["tolerations"] = [
            {key: value for key in ("key", "operator", "value", "effect") if (value := getattr(toleration, key))}
            for toleration in step.resources.tolerations
        ]
    if step.timeout is not None:
        made["activeDeadlineSeconds"] = str(step.timeout)
    if step.retry.times:
        made["retryStrategy"] = _attempts(step.retry.times)
    if size := step.resources.shared_memory:
        memory = {"medium": "Memory", "sizeLimit": quantity(size)}
        made["volumes"] = [{"name": _SHARED, "emptyDir": memory}]
    return made


def _arguments(plan: Plan, step: Step) -> list[str]:
    arguments = [step.kind.value, "--config", escaped(step.config), "--code", plan.workdir, "--store", STORE]
    if not step.pure:  # what follows from its inputs alone may know nothing of the run
        arguments += ["--as-of", BEGAN, "--allow-both", ALLOW_BOTH]
    for source in step.inputs:
        flag = "--in-optional" if source.optional else "--in"
        arguments += [flag, f"{source.name}={read_path(source.name)}"]
    for output in step.outputs:
        arguments += ["--out", f"{output.name}={write_path(output.name)}"]
    for parameter in step.parameters:
        arguments += ["--out-param", f"{parameter}={parameter_path(parameter)}"]
    return arguments


def _variables(step: Step, options: Options) -> list[dict[str, Any]]:
    """The secrets; and a home and a user, which libraries look up and a bare user id does not have."""
    if not step.secrets:
        return _BARE
    named = {secret.env for secret in step.secrets}
    plain = [variable for variable in _BARE if variable["name"] not in named]
    return plain + [
        {"name": secret.env, "valueFrom": {"secretKeyRef": _secret(secret, step, options)}} for secret in step.secrets
    ]


def _secret(secret: Secret, step: Step, options: Options) -> dict[str, Any]:
    """Where a secret lies; one of a step that always runs may have no place in the spec, and may not be there."""
    placed = bool(secret.name and secret.key)
    found = {"name": secret.name, "key": secret.key} if placed else {"name": options.secrets, "key": secret.env}
    return {**found, "optional": True} if step.always else found


def _resources(asked: Resources) -> dict[str, dict[str, str]]:
    shared = {"cpu": cores(asked.cpu) if asked.cpu else ""}
    shared["memory"] = quantity(asked.memory) if asked.memory else ""
    shared["ephemeral-storage"] = quantity(asked.ephemeral_storage) if asked.ephemeral_storage else ""
    requests = {key: value for key, value in shared.items() if value}
    limits = dict(requests)
    if asked.gpu is not None and asked.gpu.count:
        limits[asked.gpu.resource] = str(asked.gpu.count)  # a device has no request of its own: the limit is both
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def _selector(asked: Resources, options: Options) -> dict[str, str]:
    model = {options.gpu_model_label: asked.gpu.model} if asked.gpu is not None and asked.gpu.model else {}
    return {**model, **dict(asked.node_selector)}


def _attempts(times: int) -> dict[str, Any]:
    """The retries. No `maxDuration`: it also ends the attempt that is under way (argo-workflows issue 13044)."""
    return {
        "limit": str(times),
        "retryPolicy": "Always",
        "expression": _INFRASTRUCTURE,
        "backoff": {"duration": "30s", "factor": "2", "cap": "10m"},
    }
