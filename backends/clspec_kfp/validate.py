"""Whether a pipeline holds together: nothing before the cluster's driver checks most of this, some of it nothing does.

Of 17 slips made by hand (an unknown producer, a cycle, a selector for no executor, ...) the SDK's loader and every
protobuf parser together refused 5.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec_kfp.document import SCHEMA_VERSION
from clspec_kfp.judge_containers import in_container, in_handovers
from clspec_kfp.judge_graphs import in_graph
from clspec_kfp.judge_pods import in_platform
from clspec_kfp.shape import misfits
from clspec_kfp.text import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAX_NAME = 128
_ROOTS = ("gs://", "minio://", "s3://")
_PARAMETER_TYPES = frozenset({"STRING", "TASK_FINAL_STATUS"})
_ARTIFACT_TYPES = frozenset({"system.Artifact", "system.Dataset", "system.Model"})


class SelfCheckError(ClspecError):
    """clspec made a pipeline that Kubeflow would refuse or misread: a bug of clspec, never of a spec."""

    def __init__(self, pipeline: str, found: Sequence[str]) -> None:
        """`found` says what is wrong, one line each."""
        super().__init__(pipeline, tuple(found))
        self.pipeline = pipeline
        self.found = tuple(found)

    def __str__(self) -> str:
        listed = "".join(f"\n  {line}" for line in self.found)
        return f"clspec made a wrong pipeline `{self.pipeline}`; this is a bug of clspec, please report it:{listed}"


def faults(documents: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What is wrong with a pipeline's documents, one line each; nothing if Kubeflow will read them as meant."""
    found = tuple(misfits(documents))
    if found:
        return found
    spec = documents[0]
    components, executors = spec["components"], spec["deploymentSpec"]["executors"]
    found = (*_header(spec), *_components(components, executors), *_names(components, executors))
    if found:
        return found
    return (
        *_use(spec, executors),
        *_root(spec["root"]),
        *in_graph("root", spec["root"], components),
        *(line for key, item in _graphs(components) for line in in_graph(key, item, components)),
        *_containers(components, executors),
        *in_handovers(components, executors),
        *in_platform(documents[1:], executors),
    )


def _graphs(components: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, item) for key, item in components.items() if "dag" in item)


def _header(spec: Mapping[str, Any]) -> Iterator[str]:
    name = spec["pipelineInfo"]["name"]
    if spec["schemaVersion"] != SCHEMA_VERSION:
        yield f"schemaVersion {spec['schemaVersion']!r}: the backend reads {SCHEMA_VERSION} alone"
    if not spec["sdkVersion"]:
        yield "sdkVersion is empty: nothing says who wrote this"
    if not NAME.fullmatch(name) or len(name) > _MAX_NAME:
        yield f"pipelineInfo.name {name!r} is not a DNS-1123 label of at most {_MAX_NAME} characters"
    root = spec.get("defaultPipelineRoot")
    if root is not None and not root.startswith(_ROOTS):
        yield f"defaultPipelineRoot {root!r} is nowhere that the launcher can write"


def _components(components: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    """Each is either a graph or a container, and refers to what there is."""
    for key, component in components.items():
        if ("dag" in component) == ("executorLabel" in component):
            yield f"component `{key}` needs either an executor or tasks"
        elif "executorLabel" in component and component["executorLabel"] not in executors:
            yield f"component `{key}` refers to the unknown executor `{component['executorLabel']}`"
        for task in component.get("dag", {}).get("tasks", {}).values():
            if task["componentRef"]["name"] == key:
                yield f"component `{key}` contains itself"
        if "dag" in component and "outputDefinitions" in component:
            yield f"component `{key}` promises outputs of its tasks, which may have been skipped"
        yield from _declared(key, component)


def _declared(key: str, component: Mapping[str, Any]) -> Iterator[str]:
    """What goes in and out is of a known type, and no two are of one name: kfp.local keeps them in one mapping."""
    for side in ("inputDefinitions", "outputDefinitions"):
        said = component.get(side, {})
        parameters, artifacts = said.get("parameters", {}), said.get("artifacts", {})
        for name in parameters.keys() & artifacts.keys():
            yield f"component `{key}` has a parameter and an artifact `{name}` on one side"
        for name, definition in parameters.items():
            if definition["parameterType"] not in _PARAMETER_TYPES:
                yield f"component `{key}` has the parameter `{name}` of an unknown type {definition['parameterType']!r}"
        for name, definition in artifacts.items():
            if definition["artifactType"]["schemaTitle"] not in _ARTIFACT_TYPES:
                yield f"component `{key}` has the artifact `{name}` of an unknown type"


def _names(components: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    """Names become those of templates and pods, for which nobody checks them in full."""
    for what, names in (("component", components), ("executor", executors)):
        for name in names:
            if not NAME.fullmatch(name):
                yield f"{what} `{name}` is not a DNS-1123 label"


def _use(spec: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    """Each executor belongs to one component and each component to one task, or kfp.local mixes up their outputs."""
    components = spec["components"]
    graphs = [spec["root"]["dag"], *(group["dag"] for _, group in _graphs(components))]
    tasks = Counter(task["componentRef"]["name"] for graph in graphs for task in graph["tasks"].values())
    labels = Counter(component.get("executorLabel") for component in components.values())
    for key in components:
        if tasks[key] != 1:
            yield f"component `{key}` is used by {tasks[key]} tasks"
    for label in executors:
        if labels[label] != 1:
            yield f"executor `{label}` is used by {labels[label]} components"
    for key in sorted(components.keys() - _reached(spec["root"], components)):
        yield f"component `{key}` is in no graph that the root leads to"


def _reached(root: Mapping[str, Any], components: Mapping[str, Any]) -> set[str]:
    """The components that a run can come to."""
    reached: set[str] = set()
    waiting = [root]
    while waiting:
        tasks = waiting.pop().get("dag", {}).get("tasks", {})
        new = {task["componentRef"]["name"] for task in tasks.values()} - reached
        reached |= new
        waiting += [components[key] for key in new if key in components]
    return reached


def _root(root: Mapping[str, Any]) -> Iterator[str]:
    """A run can be given texts, each with a default where it may be left out."""
    if root["inputDefinitions"].get("artifacts"):
        yield "the root wants artifacts, which nobody can give to a run"
    for name, definition in root["inputDefinitions"].get("parameters", {}).items():
        if definition["parameterType"] != "STRING":
            yield f"the run's parameter `{name}` is no text"
        if ("defaultValue" in definition) != definition.get("isOptional", False):
            yield f"the run's parameter `{name}` may be left out exactly if it has a default"


def _containers(components: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    for component in components.values():
        label = component.get("executorLabel")
        if label is not None:
            yield from in_container(label, executors[label]["container"], component)
