"""Whether a pipeline holds together: nothing before the cluster's driver checks most of this, some of it nothing does.

Of 17 slips made by hand (an unknown producer, a cycle, a selector for no executor, ...) the SDK's loader and every
protobuf parser together refused 5.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec_kfp.document import SCHEMA_VERSION
from clspec_kfp.shape import misfits
from clspec_kfp.text import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAX_NAME = 128
_CONDITION = re.compile(r"inputs\.parameter_values\['([^']+)'\] == '[A-Za-z0-9_.-]+'")
# All that the launcher replaces in arguments. `.metadata`, `pipeline_root` and such compile in the SDK and stay.
_PLACEHOLDER = re.compile(
    r"\{\{\$(?:|\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)"
    r"\['(?P<name>[^']+)'\](?P<part>|\.uri|\.path|\.output_file))\}\}"
)
_PARTS = {
    ("inputs", "parameters"): ("",),
    ("inputs", "artifacts"): (".uri", ".path"),
    ("outputs", "parameters"): (".output_file",),
    ("outputs", "artifacts"): (".uri", ".path"),
}


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
    executors = spec["deploymentSpec"]["executors"]
    return (
        *_header(spec),
        *_components(spec["components"], executors),
        *_use(spec, executors),
        *_graph("root", spec["root"], spec["components"]),
        *(line for key, item in _groups(spec["components"]) for line in _graph(key, item, spec["components"])),
        *_pods(documents[1:], executors),
    )


def _groups(components: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, item) for key, item in components.items() if "dag" in item)


def _header(spec: Mapping[str, Any]) -> Iterator[str]:
    name = spec["pipelineInfo"]["name"]
    if spec["schemaVersion"] != SCHEMA_VERSION:
        yield f"schemaVersion {spec['schemaVersion']!r}: the backend reads {SCHEMA_VERSION} alone"
    if not NAME.fullmatch(name) or len(name) > _MAX_NAME:
        yield f"pipelineInfo.name {name!r} is not a DNS-1123 label of at most {_MAX_NAME} characters"


def _components(components: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    for key, component in components.items():
        if ("dag" in component) == ("executorLabel" in component):
            yield f"component `{key}` needs either an executor or tasks"
        elif "executorLabel" in component:
            label = component["executorLabel"]
            if label not in executors:
                yield f"component `{key}` refers to the unknown executor `{label}`"
            else:
                yield from _container(label, executors[label]["container"], component)


def _container(label: str, container: Mapping[str, Any], component: Mapping[str, Any]) -> Iterator[str]:
    if not container["image"]:
        yield f"executor `{label}` has no image"
    if not container["command"]:
        yield f"executor `{label}` has no command, and an image's own entry point is never used"
    for argument in (*container["command"], *container["args"]):
        yield from _argument(label, argument, component)
    resources = container.get("resources", {})
    for name in ("Cpu", "Memory"):
        if (f"{name.lower()}Limit" in resources) != (f"resource{name}Limit" in resources):
            yield f"executor `{label}` says {name.lower()} in one form only"
    gpu = resources.get("accelerator")
    if gpu and (gpu["type"], gpu["count"]) != (gpu["resourceType"], gpu["resourceCount"]):
        yield f"executor `{label}` says two different accelerators"


def _argument(label: str, argument: str, component: Mapping[str, Any]) -> Iterator[str]:
    for found in _PLACEHOLDER.finditer(argument):
        side, kind, name, part = found.group("side", "kind", "name", "part")
        if not side:
            continue
        declared = component.get("inputDefinitions" if side == "inputs" else "outputDefinitions", {}).get(kind, {})
        if name not in declared or part not in _PARTS[side, kind]:
            yield f"executor `{label}` has the placeholder {found.group()}, for which nothing is declared"
    rest = _PLACEHOLDER.sub("", argument)
    for sign in ("{{", "$(", "$$"):
        if sign in rest:
            yield f"executor `{label}` has an argument with `{sign}`, which would be expanded: {argument[:80]!r}"


def _use(spec: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    """Each executor belongs to one component and each component to one task, or kfp.local mixes up their outputs."""
    components = spec["components"]
    graphs = [spec["root"]["dag"], *(group["dag"] for _, group in _groups(components))]
    tasks = Counter(task["componentRef"]["name"] for graph in graphs for task in graph["tasks"].values())
    labels = Counter(component.get("executorLabel") for component in components.values())
    for key in components:
        if tasks[key] != 1:
            yield f"component `{key}` is used by {tasks[key]} tasks"
    for label in executors:
        if labels[label] != 1:
            yield f"executor `{label}` is used by {labels[label]} components"


def _graph(name: str, owner: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    tasks = owner["dag"]["tasks"]
    if not tasks:
        yield f"`{name}` has no tasks"
    unknown = [key for key, task in tasks.items() if task["componentRef"]["name"] not in components]
    for key in unknown:
        yield f"task `{key}` refers to the unknown component `{tasks[key]['componentRef']['name']}`"
    if unknown:
        return
    for key, task in tasks.items():
        yield from _task(key, task, owner, components)
    for key in _on_a_cycle(tasks):
        yield f"task `{key}` waits for itself"


def _task(key: str, task: Mapping[str, Any], owner: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    if task["taskInfo"]["name"] != key:
        yield f"task `{key}` calls itself `{task['taskInfo']['name']}`"
    tasks = owner["dag"]["tasks"]
    waits_for = task.get("dependentTasks", [])
    for other in waits_for:
        if other not in tasks:
            yield f"task `{key}` waits for the unknown task `{other}`"
    for kind in ("parameters", "artifacts"):
        yield from _bindings(key, task, owner, components, kind)
    if "triggerPolicy" in task:
        condition = task["triggerPolicy"]["condition"]
        read = _CONDITION.fullmatch(condition)
        if read is None or read.group(1) not in task["inputs"].get("parameters", {}):
            yield f"task `{key}` has a condition that cannot be read: {condition!r}"


def _bindings(
    key: str, task: Mapping[str, Any], owner: Mapping[str, Any], components: Mapping[str, Any], kind: str
) -> Iterator[str]:
    """Each input of the component is bound, once, to something that exists and is of its type."""
    declared = components[task["componentRef"]["name"]]["inputDefinitions"].get(kind, {})
    bound = task["inputs"].get(kind, {})
    for name, definition in declared.items():
        if name not in bound and "defaultValue" not in definition:
            yield f"task `{key}` lacks its input `{name}`"
    for name, binding in bound.items():
        if name not in declared:
            yield f"task `{key}` has the input `{name}`, which its component does not declare"
        elif len(binding) != 1:
            yield f"task `{key}` binds its input `{name}` {len(binding)} times"
        else:
            source, definition = _source(task, binding, owner, components, kind)
            if definition is None:
                yield f"task `{key}` takes its input `{name}` from {source}, which is unknown or not waited for"
            elif _type(definition) != _type(declared[name]):
                yield f"task `{key}` takes its input `{name}` from {source}, which is of another type"


def _source(
    task: Mapping[str, Any],
    binding: Mapping[str, Any],
    owner: Mapping[str, Any],
    components: Mapping[str, Any],
    kind: str,
) -> tuple[str, Any]:
    """What a binding refers to, and its definition if there is one that the task also waits for."""
    (given,) = binding.values()
    if isinstance(given, str):
        return f"`{given}` of its graph", owner["inputDefinitions"].get(kind, {}).get(given)
    producer = given["producerTask"]
    output = given["outputParameterKey" if kind == "parameters" else "outputArtifactKey"]
    source = f"`{output}` of task `{producer}`"
    tasks = owner["dag"]["tasks"]
    if producer not in tasks or producer not in task.get("dependentTasks", []):
        return source, None
    outputs = components[tasks[producer]["componentRef"]["name"]].get("outputDefinitions", {})
    return source, outputs.get(kind, {}).get(output)


def _type(definition: Mapping[str, Any]) -> Any:
    return definition.get("artifactType") or definition.get("parameterType")


def _on_a_cycle(tasks: Mapping[str, Any]) -> list[str]:
    """The tasks that are left when those that wait for nothing are taken away, again and again."""
    waiting = {
        key: {other for other in task.get("dependentTasks", []) if other in tasks} for key, task in tasks.items()
    }
    while free := {key for key, others in waiting.items() if not others}:
        waiting = {key: others - free for key, others in waiting.items() if key not in free}
    return sorted(waiting)


def _pods(documents: Sequence[Mapping[str, Any]], executors: Mapping[str, Any]) -> Iterator[str]:
    for document in documents:
        pods = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        if not pods:
            yield "the platform document says nothing"
        for label, pod in pods.items():
            if label not in executors:
                yield f"the platform document is about the unknown executor `{label}`"
            if not pod:
                yield f"the platform document says nothing about executor `{label}`"
            for secret in pod.get("secretAsEnv", []):
                if secret["secretName"] != secret["secretNameParameter"]["runtimeValue"]["constant"]:
                    yield f"executor `{label}` names two secrets in one place"
