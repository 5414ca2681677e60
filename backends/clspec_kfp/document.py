"""A pipeline as Kubeflow reads it: a PipelineSpec, and a platform document where pods need something special."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.plan import ArtifactType
from clspec_kfp import pod
from clspec_kfp.text import argument

if TYPE_CHECKING:
    from clspec.plan import Condition, Pipeline, Plan, Step
    from clspec_kfp.options import Options

SCHEMA_VERSION = "2.1.0"
SDK_VERSION = "clspec-1"
"""Names the form of what is emitted, not clspec's version, so that an upgrade changes no bytes."""

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

_STRING = {"parameterType": "STRING"}
_BACKOFF = {"backoffDuration": "10s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}

_Types = dict[tuple[str, str], ArtifactType]


def name(plan: Plan, pipeline: Pipeline) -> str:
    """What the pipeline is called on the cluster."""
    return f"{plan.name}-{pipeline.name}"


def default_store(plan: Plan) -> str:
    """The store's URI if a pod can reach it, else nothing: a path, or `file://`, is of this machine alone."""
    scheme, found, _ = plan.store.partition("://")
    return plan.store if found and scheme != "file" else ""


def documents(plan: Plan, pipeline: Pipeline, options: Options) -> list[dict[str, Any]]:
    """The one or two documents of a pipeline, as plain values."""
    pods = {executor(step): pod.kubernetes(step, options) for step in pipeline.steps}
    special = {label: config for label, config in pods.items() if config}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": special}}}}
    return [_spec(plan, pipeline, options), *([platform] if special else [])]


def executor(step: Step) -> str:
    """The label under which the step's container stands."""
    return f"exec-{step.id}"


def _spec(plan: Plan, pipeline: Pipeline, options: Options) -> dict[str, Any]:
    types: _Types = {(step.id, output.name): output.type for step in pipeline.steps for output in step.outputs}
    components: dict[str, Any] = {}
    for step in pipeline.steps:
        components |= _components(step, types)
    spec: dict[str, Any] = {
        "components": components,
        "deploymentSpec": {"executors": {executor(s): {"container": _container(plan, s)} for s in pipeline.steps}},
        "pipelineInfo": {"name": name(plan, pipeline)},
        "root": {
            "dag": {"tasks": {step.id: _root_task(step) for step in pipeline.steps}},
            "inputDefinitions": {"parameters": {"store": _store(plan)}},
        },
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": SDK_VERSION,
    }
    if options.pipeline_root:
        spec["defaultPipelineRoot"] = options.pipeline_root
    return spec


def _store(plan: Plan) -> dict[str, Any]:
    parameter: dict[str, Any] = _STRING | {"description": "The URI of the store, which outlives every run."}
    default = default_store(plan)
    return parameter | ({"defaultValue": default, "isOptional": True} if default else {})


def _container(plan: Plan, step: Step) -> dict[str, Any]:
    container: dict[str, Any] = {
        "image": step.image,
        # The image's own entry point is never used: the launcher runs command and arguments.
        "command": ["python", "-m", "clspec.step"],
        "args": [
            step.kind.value,
            "--config",
            argument(step.config),
            "--code",
            plan.workdir,
            "--store",
            "{{$.inputs.parameters['store']}}",
            "--executor-input",
            "{{$}}",
        ],
    }
    need = pod.resources(step.resources)
    return container | ({"resources": need} if need else {})


def _components(step: Step, types: _Types) -> dict[str, Any]:
    """The step's own component, which nothing else uses: kfp.local keeps the outputs of each in one folder."""
    inputs = _input_definitions(step, types)
    own: dict[str, Any] = {"executorLabel": executor(step), "inputDefinitions": inputs}
    outputs: dict[str, Any] = {}
    if step.outputs:
        outputs["artifacts"] = {output.name: {"artifactType": _artifact_type(output.type)} for output in step.outputs}
    if step.parameters:
        outputs["parameters"] = {parameter: dict(_STRING) for parameter in step.parameters}
    if outputs:
        own["outputDefinitions"] = outputs
    if step.when is None:
        return {_component(step): own}
    group = {"dag": {"tasks": {step.id: _conditional_task(step, step.when)}}, "inputDefinitions": inputs}
    return {_component(step): own, _group(step): group}


def _component(step: Step) -> str:
    return f"comp-{step.id}"


def _group(step: Step) -> str:
    return f"dag-{step.id}"


def _input_definitions(step: Step, types: _Types) -> dict[str, Any]:
    definitions: dict[str, Any] = {"parameters": {parameter: dict(_STRING) for parameter in _parameters(step)}}
    if step.inputs:
        definitions["artifacts"] = {
            given.name: {"artifactType": _artifact_type(types[given.step, given.output])} for given in step.inputs
        }
    return definitions


def _artifact_type(kind: ArtifactType) -> dict[str, str]:
    return {"schemaTitle": SCHEMA_TITLES[kind], "schemaVersion": "0.0.1"}


def _parameters(step: Step) -> dict[str, Any]:
    """The step's parameters, each with what it is bound to in the root."""
    bound: dict[str, Any] = {"store": {"componentInputParameter": "store"}}
    if step.when:
        producer = {"producerTask": step.when.step, "outputParameterKey": step.when.parameter}
        bound["when"] = {"taskOutputParameter": producer}
    return bound


def _root_task(step: Step) -> dict[str, Any]:
    """The step in the root: its container, or the group around it if it is conditional."""
    inputs: dict[str, Any] = {"parameters": _parameters(step)}
    if step.inputs:
        inputs["artifacts"] = {
            given.name: {"taskOutputArtifact": {"producerTask": given.step, "outputArtifactKey": given.output}}
            for given in step.inputs
        }
    task: dict[str, Any] = {"taskInfo": {"name": step.id}, "inputs": inputs}
    waits_for = sorted({*step.needs, *(given.step for given in step.inputs), *([step.when.step] if step.when else [])})
    if waits_for:
        task["dependentTasks"] = waits_for
    if step.when:
        return task | {"componentRef": {"name": _group(step)}}
    return task | _runs(step)


def _runs(step: Step) -> dict[str, Any]:
    policy: dict[str, Any] = {
        "componentRef": {"name": _component(step)},
        "cachingOptions": {"enableCache": True} if step.pure else {},
    }
    if step.retry.times:
        policy["retryPolicy"] = {"maxRetryCount": step.retry.times} | _BACKOFF
    return policy


def _conditional_task(step: Step, when: Condition) -> dict[str, Any]:
    """The container of a conditional step, alone in a group that itself always runs.

    Kubeflow lets a task run only if all that it depends on *succeeded* (`depends: "a.Succeeded"`), and skipped is
    not succeeded: with the condition on the task in the root, a failed verdict would skip `register` and with it
    everything after it, `conclude` too, and the run would end green. A group whose one task was skipped succeeds.
    kfp.local sees the condition in both places, but looks its parameter up among the inputs of the enclosing graph,
    so that only here does it find it under a plain name.
    """
    artifacts = {given.name: {"componentInputArtifact": given.name} for given in step.inputs}
    parameters = {parameter: {"componentInputParameter": parameter} for parameter in _parameters(step)}
    return {
        "taskInfo": {"name": step.id},
        "inputs": {"parameters": parameters} | ({"artifacts": artifacts} if artifacts else {}),
        "triggerPolicy": {"condition": f"inputs.parameter_values['when'] == '{when.equals}'"},
    } | _runs(step)
