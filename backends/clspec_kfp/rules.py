"""What Kubeflow's backend refuses in an IR from anywhere, or would read as something else: its own rules, not ours.

Read from its compiler, its driver and its launcher; where it decides only while a run is under way, it is decided here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import mapping
from clspec_kfp import rules_containers, rules_graphs, rules_pods
from clspec_kfp.document import SCHEMA_VERSION
from clspec_kfp.rules_inputs import fits
from clspec_kfp.text import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Part, Place

MAX_NAME = 128
PARAMETER_TYPES = frozenset(
    {"BOOLEAN", "LIST", "NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "STRUCT", "TASK_CONFIG", "TASK_FINAL_STATUS"}
)
# Argo's names of templates and tasks, which Kubeflow makes of the names of components and tasks as they are.
_ARGO_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")


def judge(spec: Part) -> Iterator[Finding]:
    """What is wrong with a PipelineSpec whose parts are of the right kinds."""
    components = mapping(spec.get("components"))
    executors = mapping(mapping(spec.get("deploymentSpec")).get("executors"))
    yield from _header(spec)
    yield from _components(components, executors)
    yield from _contained(components)
    graphs = [(("root",), mapping(spec.get("root"))), *((("components", k), mapping(v)) for k, v in components.items())]
    for place, owner in graphs:
        yield from _declared(place, owner)
        if "dag" in owner or place == ("root",):
            yield from rules_graphs.judge(place, owner, components, executors)
    for label, executor in executors.items():
        using = [mapping(c) for c in components.values() if mapping(c).get("executorLabel") == label]
        place = ("deploymentSpec", "executors", label)
        yield from rules_containers.judge(place, mapping(executor), using, _tasks(spec, using, components))


def judge_platform(platform: Part, spec: Part) -> Iterator[Finding]:
    """What is wrong with a platform document beside that PipelineSpec."""
    for key in platform:
        if key != "platforms":
            yield (key,), f"`{key}` beside `platforms`: the backend skips the whole document without a word"
    executors = mapping(mapping(spec.get("deploymentSpec")).get("executors"))
    components = mapping(spec.get("components"))
    kubernetes = mapping(mapping(platform.get("platforms")).get("kubernetes"))
    place: Place = ("platforms", "kubernetes", "deploymentSpec", "executors")
    for label, pod in mapping(mapping(kubernetes.get("deploymentSpec")).get("executors")).items():
        if label not in executors:
            yield (*place, label), f"there is no executor `{label}`: nothing is done about this pod"
        using = [mapping(c) for c in components.values() if mapping(c).get("executorLabel") == label]
        known = {name for owner, _ in _tasks(spec, using, components) for name in _inputs(owner)}
        yield from rules_pods.judge((*place, label), mapping(pod), known if using else None)
    yield from rules_pods.judge_pipeline(("platforms", "kubernetes", "pipelineConfig"), kubernetes)


def _inputs(owner: Part) -> Iterator[str]:
    yield from mapping(mapping(owner.get("inputDefinitions")).get("parameters"))


def _tasks(spec: Part, using: list[Part], components: Part) -> list[tuple[Part, Part]]:
    """The tasks whose component is one of these, each with the graph that it stands in."""
    owners = [mapping(spec.get("root")), *map(mapping, components.values())]
    return [
        (owner, mapping(task))
        for owner in owners
        for task in mapping(mapping(owner.get("dag")).get("tasks")).values()
        if any(components.get(mapping(mapping(task).get("componentRef")).get("name")) is item for item in using)
    ]


def _header(spec: Part) -> Iterator[Finding]:
    version = spec.get("schemaVersion")
    if version != SCHEMA_VERSION:
        yield ("schemaVersion",), f"schemaVersion is {version!r}; the backend reads {SCHEMA_VERSION} alone"
    name = mapping(spec.get("pipelineInfo")).get("name") or ""
    called = str(name).rpartition("/")[2]
    if not name:
        yield ("pipelineInfo",), "a pipeline needs a name: `pipelineInfo.name`"
    elif not NAME.fullmatch(called):
        message = f"{name!r} is no name for a run's objects: lower-case letters, digits and hyphens"
        yield ("pipelineInfo", "name"), message
    elif len(called) > MAX_NAME:
        yield ("pipelineInfo", "name"), f"the name has {len(called)} characters, Kubeflow takes {MAX_NAME}"
    if not mapping(mapping(mapping(spec.get("root")).get("dag")).get("tasks")):
        yield ("root",), "the root has no tasks"


def _components(components: Part, executors: Part) -> Iterator[Finding]:
    for key, value in components.items():
        place, component = ("components", key), mapping(value)
        label = component.get("executorLabel")
        if key == "root":
            yield place, "`root` is the name of the whole pipeline, and no component's"
        elif not _ARGO_NAME.fullmatch(key):
            yield place, f"{key!r} can be no name of a template: letters, digits and hyphens"
        if ("dag" in component) == bool(label):
            yield place, f"component `{key}` needs either `executorLabel` or `dag`"
        elif label and label not in executors:
            yield (*place, "executorLabel"), f"there is no executor `{label}`"


def _contained(components: Part) -> Iterator[Finding]:
    """A component that contains itself, at whatever depth, would never end."""
    inner = {
        key: {
            name
            for task in mapping(mapping(mapping(component).get("dag")).get("tasks")).values()
            if (name := mapping(mapping(task).get("componentRef")).get("name")) in components
        }
        for key, component in components.items()
    }
    waiting = {key: len(names) for key, names in inner.items()}
    around: dict[Any, list[str]] = {key: [] for key in components}
    for key, names in inner.items():
        for name in names:
            around[name].append(key)
    free = [key for key, count in waiting.items() if not count]
    while free:
        for key in around[free.pop()]:
            waiting[key] -= 1
            if not waiting[key]:
                free.append(key)
    for key, count in waiting.items():
        if count:
            yield ("components", key), f"component `{key}` contains itself"


def _declared(place: Place, owner: Part) -> Iterator[Finding]:
    for side in ("inputDefinitions", "outputDefinitions"):
        said = mapping(owner.get(side))
        for name, value in mapping(said.get("parameters")).items():
            here, definition = (*place, side, "parameters", name), mapping(value)
            kind = definition.get("parameterType")
            if kind is None and "type" not in definition:
                yield here, f"parameter `{name}` has no parameterType"
            elif kind is not None and kind not in PARAMETER_TYPES:
                yield (*here, "parameterType"), f"{kind!r} is no type of a parameter"
            default = definition.get("defaultValue")
            if default is not None and not fits(default, kind):
                yield (*here, "defaultValue"), f"the default {default!r} is no {kind}"
        for name, value in mapping(said.get("artifacts")).items():
            kinds = mapping(mapping(value).get("artifactType"))
            if not any(kinds.get(word) for word in ("schemaTitle", "schemaUri", "instanceSchema")):
                yield (*place, side, "artifacts", name), f"artifact `{name}` has no artifactType"
