"""A pipeline as Kubeflow reads it: a PipelineSpec, and a platform document where pods need something special."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clspec.graph import GraphError
from clspec.trainjob import is_launched
from clspec_kfp import component, pod
from clspec_kfp.component import FROM_THE_RUN, RUN_PARAMETERS, STRING, artifact_type, executor
from clspec_kfp.nest import Group, nested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clspec.plan import ArtifactType, Condition, Pipeline, Plan, Step
    from clspec_kfp.options import Options

SCHEMA_VERSION = "2.1.0"
SDK_VERSION = "clspec-2"
"""Names the form of what is emitted, not clspec's version, so that an upgrade changes no bytes."""
LAST = "ALL_UPSTREAM_TASKS_COMPLETED"
"""The strategy of a task that runs once what it depends on is over, however that ended."""

_OPTIONAL = {
    "allow-both": 'Who lets code and data move at once, and why: {"by": ..., "why": ...}.',
    "as-of": "When the run began, ISO 8601, where that is not when it was created.",
}

_Source = tuple[str, str]
"""A step and what it writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """The tasks of one graph, and what they need from outside of it."""

    tasks: dict[str, Any]
    artifacts: frozenset[_Source]
    parameters: frozenset[_Source]


def name(plan: Plan, pipeline: Pipeline) -> str:
    """What the pipeline is called on the cluster."""
    return f"{plan.name}-{pipeline.name}"


def default_store(plan: Plan) -> str:
    """The store's URI if a pod can reach it, else nothing: a path, or `file://`, is of this machine alone."""
    scheme, found, _ = plan.store.partition("://")
    return plan.store if found and scheme != "file" else ""


def placed(plan: Plan, options: Options) -> Plan:
    """The plan with the store that the options give it, if they do."""
    return replace(plan, store=options.store) if options.store else plan


def documents(plan: Plan, pipeline: Pipeline, options: Options) -> list[dict[str, Any]]:
    """The one or two documents of a pipeline, as plain values."""
    pods = {executor(step): pod.kubernetes(step, options) for step in pipeline.steps}
    special = {label: config for label, config in pods.items() if config}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": special}}}}
    return [_Writer(plan, pipeline, options).spec(), *([platform] if special else [])]


class _Writer:
    """Writes one pipeline: its graphs from the inside out, each component as it is met."""

    def __init__(self, plan: Plan, pipeline: Pipeline, options: Options) -> None:
        self._plan = plan
        self._options = options
        self._pipeline = pipeline
        self._nested = nested(pipeline)
        self._types: dict[_Source, ArtifactType] = {
            (step.id, output.name): output.type for step in pipeline.steps for output in step.outputs
        }
        asked = {(step.id, parameter) for step in pipeline.steps for parameter in step.parameters}
        for sources in (self._types.keys(), asked):
            if len(set(map(_label, sources))) < len(sources):
                message = f"two outputs of `{pipeline.name}` would have one name within a graph"
                raise GraphError(message)
        self._taken = {
            step.id: {
                given.name: f"{given.step}/{given.output}"
                for given in step.inputs
                if self._nested.is_handed_over(step, given)
            }
            for step in pipeline.steps
        }
        handed_over = {key for taken in self._taken.values() for key in taken.values()}
        self._given = {
            step.id: tuple(output.name for output in step.outputs if f"{step.id}/{output.name}" in handed_over)
            for step in pipeline.steps
        }
        self._components: dict[str, Any] = {}

    def spec(self) -> dict[str, Any]:
        tasks = self._root()
        containers = {executor(step): {"container": self._container(step)} for step in self._pipeline.steps}
        spec: dict[str, Any] = {
            "components": self._components,
            "deploymentSpec": {"executors": containers},
            "pipelineInfo": {"name": name(self._plan, self._pipeline)},
            "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": _run_parameters(self._plan)}},
            "schemaVersion": SCHEMA_VERSION,
            "sdkVersion": SDK_VERSION,
        }
        root = self._options.pipeline_root
        return spec | ({"defaultPipelineRoot": root} if root else {})

    def _root(self) -> dict[str, Any]:
        """The tasks of the root: the run itself, or the last of the steps that run after it, around all the others.

        Kubeflow hangs one such step on a task; for each further one there is a graph around what is there already.
        """
        tasks = self._graph(self._nested.members).tasks
        for number, step in enumerate(self._nested.last, start=1):
            around = f"run-{number}"
            self._components[f"dag-{around}"] = {"dag": {"tasks": tasks}, "inputDefinitions": _definitions({}, ())}
            inner = {
                "taskInfo": {"name": around},
                "componentRef": {"name": f"dag-{around}"},
                "inputs": _bindings({}, {}),
            }
            last = self._task(step, {}) | {"dependentTasks": [around]}
            last["inputs"]["parameters"]["status"] = {"taskFinalStatus": {"producerTask": around}}
            last["triggerPolicy"] = {"strategy": LAST}
            tasks = {around: inner, step.id: last}
        return tasks

    def _container(self, step: Step) -> dict[str, Any]:
        return component.container(self._plan, step, self._given[step.id], self._taken[step.id], self._options)

    def _graph(self, members: Iterable[Step | Group]) -> _Graph:
        members = tuple(members)
        owners = {inside.id: _called(member) for member in members for inside in _inside(member)}
        direct = {member.id for member in members if not isinstance(member, Group)}
        tasks: dict[str, Any] = {}
        artifacts: set[_Source] = set()
        parameters: set[_Source] = set()
        for member in members:
            if isinstance(member, Group):
                inner = self._group(member)
                own = _called(member)
                task = self._group_task(member, inner, direct)
                artifacts |= {source for source in inner.artifacts if source[0] not in direct}
                parameters |= {source for source in inner.parameters if source[0] not in direct}
            else:
                own = member.id
                read = {given.name: (given.step, given.output) for given in self._carried(member)}
                task = self._task(member, {key: _artifact(source, direct) for key, source in read.items()})
                artifacts |= {source for source in read.values() if source[0] not in direct}
            waits_for = {owners[need] for inside in _inside(member) for need in _needs(inside) if need in owners}
            if waits_for - {own}:
                task["dependentTasks"] = sorted(waits_for - {own})
            tasks[own] = task
        return _Graph(tasks=tasks, artifacts=frozenset(artifacts), parameters=frozenset(parameters))

    def _carried(self, step: Step) -> Iterator[Any]:
        return (given for given in step.inputs if given.name not in self._taken[step.id])

    def _task(self, step: Step, artifacts: dict[str, Any]) -> dict[str, Any]:
        """A step's own task, and its component beside it."""
        knows_run = bool(self._given[step.id] or self._taken[step.id]) or is_launched(step)
        parameters = component.parameters(step, knows_run=knows_run)
        read = {given.name: self._types[given.step, given.output] for given in self._carried(step)}
        declared = (*parameters, *(("status",) if step.always else ()))
        self._components[component.name(step)] = component.definition(step, read, declared)
        inputs = {"parameters": parameters} | ({"artifacts": artifacts} if artifacts else {})
        return {"taskInfo": {"name": step.id}, "inputs": inputs} | component.policy(step, knows_run=knows_run)

    # -- conditions --------------------------------------------------------------------------------------------------

    def _group(self, group: Group) -> _Graph:
        """The graph around what a condition decides about, and what it needs; it runs whatever the condition says."""
        inner = self._graph(group.members)
        artifacts = {_label(source): self._types[source] for source in sorted(inner.artifacts)}
        passed_on = tuple(_label(source) for source in sorted(inner.parameters))
        if len(group.members) == 1 and not isinstance(group.members[0], Group):
            ((key, task),) = inner.tasks.items()
            task["inputs"]["parameters"]["when"] = {"componentInputParameter": "when"}
            self._components[component.name(group.members[0])]["inputDefinitions"]["parameters"]["when"] = STRING
        else:
            key = "then"
            self._components[f"then-{group.name}"] = {
                "dag": {"tasks": inner.tasks},
                "inputDefinitions": _definitions(artifacts, ("when", *passed_on)),
            }
            same = {label: {"componentInputArtifact": label} for label in artifacts}
            given = {label: {"componentInputParameter": label} for label in ("when", *passed_on)}
            task = {
                "taskInfo": {"name": key},
                "componentRef": {"name": f"then-{group.name}"},
                "inputs": _bindings(same, given),
            }
        task["triggerPolicy"] = {"condition": f"inputs.parameter_values['when'] == '{group.when.equals}'"}
        self._components[f"dag-{group.name}"] = {
            "dag": {"tasks": {key: task}},
            "inputDefinitions": _definitions(artifacts, ("when", *passed_on)),
        }
        return _Graph(tasks={}, artifacts=inner.artifacts, parameters=inner.parameters | {_asked(group.when)})

    def _group_task(self, group: Group, inner: _Graph, direct: set[str]) -> dict[str, Any]:
        asked = _asked(group.when)
        artifacts = {_label(source): _artifact(source, direct) for source in sorted(inner.artifacts)}
        # what is passed on further in and what this group asks may be one and the same
        parameters = {_label(source): _parameter(source, direct) for source in sorted(inner.parameters)}
        declared = self._components[f"dag-{group.name}"]["inputDefinitions"]["parameters"]
        parameters = {key: value for key, value in parameters.items() if key in declared}
        parameters["when"] = _parameter(asked, direct)
        return {
            "taskInfo": {"name": group.name},
            "componentRef": {"name": f"dag-{group.name}"},
            "inputs": _bindings(artifacts, parameters),
        }


def _called(member: Step | Group) -> str:
    return member.name if isinstance(member, Group) else member.id


def _inside(member: Step | Group) -> Iterator[Step]:
    """The steps of a member, at whatever depth."""
    if isinstance(member, Group):
        for inner in member.members:
            yield from _inside(inner)
    else:
        yield member


def _needs(step: Step) -> set[str]:
    return {*step.needs, *(given.step for given in step.inputs), *((step.when.step,) if step.when else ())}


def _asked(when: Condition) -> _Source:
    return when.step, when.parameter


def _label(source: _Source) -> str:
    """What another graph's output is called within a graph."""
    return "--".join(source)


def _artifact(source: _Source, direct: set[str]) -> dict[str, Any]:
    step, output = source
    if step in direct:
        return {"taskOutputArtifact": {"producerTask": step, "outputArtifactKey": output}}
    return {"componentInputArtifact": _label(source)}


def _parameter(source: _Source, direct: set[str]) -> dict[str, Any]:
    step, parameter = source
    if step in direct:
        return {"taskOutputParameter": {"producerTask": step, "outputParameterKey": parameter}}
    return {"componentInputParameter": _label(source)}


def _bindings(artifacts: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """What a graph is given: what every graph is, and these."""
    return {"parameters": FROM_THE_RUN | parameters} | ({"artifacts": artifacts} if artifacts else {})


def _definitions(artifacts: dict[str, ArtifactType], parameters: Sequence[str]) -> dict[str, Any]:
    """What a graph takes in."""
    found: dict[str, Any] = {"parameters": dict.fromkeys((*RUN_PARAMETERS, *parameters), STRING)}
    return found | ({"artifacts": {k: artifact_type(kind) for k, kind in artifacts.items()}} if artifacts else {})


def _run_parameters(plan: Plan) -> dict[str, Any]:
    """What a run may be given, and must be where it has no default."""
    optional = {"defaultValue": "", "isOptional": True}
    found: dict[str, Any] = {key: STRING | optional | {"description": said} for key, said in _OPTIONAL.items()}
    store: dict[str, Any] = STRING | {"description": "The URI of the store, which outlives every run."}
    default = default_store(plan)
    found["store"] = store | ({"defaultValue": default, "isOptional": True} if default else {})
    return found
