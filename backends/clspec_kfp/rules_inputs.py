"""What Kubeflow's driver cannot resolve of a task's inputs, or resolves to something else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import listed, mapping
from clspec_kfp.document import LAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Part, Place

CHANNEL = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)'\]\}\}")
"""How a constant asks for another input of its task."""
_PLACEHOLDER = re.compile(r"\{\{\$[^{}]*\}\}")
_WHOLE = frozenset(
    f"{{{{$.pipeline_{word}}}}}"
    for word in (
        *("job_name", "job_resource_name", "job_uuid", "job_create_time_utc", "job_schedule_time_utc"),
        *("task_name", "task_uuid"),
    )
)
_ANYWHERE = frozenset({"{{$.workspace_path}}"})
_OF_VERTEX = "{{$.pipeline_google_cloud_"
_NUMBERS = frozenset({"NUMBER_DOUBLE", "NUMBER_INTEGER"})
_GENERIC = "system.Artifact"
_KINDS: dict[Any, Any] = {
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
    "NUMBER_DOUBLE": (int, float),
    "NUMBER_INTEGER": (int, float),
}


def inputs(  # noqa: PLR0913, PLR0917  # an input hangs on all of these
    place: Place, key: str, task: Part, tasks: Part, owner: Part, components: Part
) -> Iterator[Finding]:
    """Each input that the component needs is given, from what there is when the task starts, and of its type."""
    component = mapping(components[mapping(task["componentRef"])["name"]])
    item = mapping(task.get("parameterIterator")).get("itemInput")
    for kind in ("parameters", "artifacts"):
        declared = mapping(mapping(component.get("inputDefinitions")).get(kind))
        given = mapping(mapping(task.get("inputs")).get(kind))
        for name, value in declared.items():
            if name not in given and name != item and not _optional(mapping(value)):
                yield place, f"task `{key}` is not given its input `{name}`"
        for name, value in given.items():
            here = (*place, "inputs", kind, name)
            yield from _bound(
                here, name, mapping(value), mapping(declared.get(name)), (key, task, tasks, owner, components)
            )


def _optional(definition: Part) -> bool:
    return bool(definition.get("isOptional")) or definition.get("parameterType") == "TASK_CONFIG"


_Around = tuple[str, "Part", "Part", "Part", "Part"]
"""A task's name, the task, those of its graph, the graph, all components."""


def _bound(here: Place, name: str, value: Part, declared: Part, around: _Around) -> Iterator[Finding]:
    _, task, _, _, _ = around
    kind = "artifacts" if here[-2] == "artifacts" else "parameters"
    known = [word for word in _HOW[kind] if word in value]
    if len(known) != 1:
        yield here, f"input `{name}` is given {len(known)} times"
        return
    how = known[0]
    if how == "runtimeValue":
        yield from _constant((*here, how), mapping(value[how]), declared, task)
    elif how == "taskFinalStatus":
        yield from _status((*here, how), name, mapping(value[how]).get("producerTask"), declared, around)
    else:
        yield from _from_elsewhere((*here, how), name, value[how], declared, around)


_HOW = {
    "parameters": ("componentInputParameter", "taskOutputParameter", "runtimeValue", "taskFinalStatus"),
    "artifacts": ("componentInputArtifact", "taskOutputArtifact"),
}


def _constant(here: Place, value: Part, declared: Part, task: Part) -> Iterator[Finding]:
    word = next((word for word in ("constant", "constantValue") if word in value), None)
    if word is None:
        yield here, "the backend takes constants alone here"
        return
    constant, here = value[word], (*here, word)
    if isinstance(constant, str) and _PLACEHOLDER.search(constant):
        yield from _replaced(here, constant, task)
    elif word == "constant" and declared and not fits(constant, declared.get("parameterType")):
        yield here, f"{constant!r} is no {declared['parameterType']}"
    literals = listed(declared.get("literals"))
    if literals and not isinstance(constant, dict) and constant not in literals and not _is_placeholder(constant):
        yield here, f"{constant!r} is none of {literals}"


def _is_placeholder(value: Any) -> bool:
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


def _replaced(here: Place, constant: str, task: Part) -> Iterator[Finding]:
    given = mapping(mapping(task.get("inputs")).get("parameters"))
    for found in _PLACEHOLDER.findall(constant):
        channel = CHANNEL.fullmatch(found)
        if channel:
            if channel[1] not in given:
                yield here, f"asks for `{channel[1]}`, which the task is not given"
        elif (
            found not in _ANYWHERE and not (found in _WHOLE and found == constant) and not found.startswith(_OF_VERTEX)
        ):
            why = "only as the whole value" if found in _WHOLE else "by nothing"
            yield here, f"{found} is replaced {why}, and would reach the task as it is"


def _status(here: Place, name: str, of: Any, declared: Part, around: _Around) -> Iterator[Finding]:
    key, task, _, _, _ = around
    if declared and declared.get("parameterType") not in {"TASK_FINAL_STATUS", "STRUCT"}:
        yield here, f"input `{name}` is the end of a task, and declared as {declared.get('parameterType')}"
    if of not in listed(task.get("dependentTasks")):
        yield here, f"task `{key}` is told how `{of}` ended, and does not wait for it"
    if mapping(task.get("triggerPolicy")).get("strategy") != LAST:
        yield here, f"task `{key}` is told how `{of}` ended, and runs only if that ended well"


def _from_elsewhere(here: Place, name: str, said: Any, declared: Part, around: _Around) -> Iterator[Finding]:
    key, task, tasks, owner, components = around
    kind = "artifacts" if "Artifact" in str(here[-1]) else "parameters"
    if isinstance(said, str):
        found = mapping(mapping(owner.get("inputDefinitions")).get(kind)).get(said)
        if found is None:
            yield here, f"the graph has no input `{said}`"
            return
    else:
        producer = mapping(said).get("producerTask")
        output = mapping(said).get("outputParameterKey" if kind == "parameters" else "outputArtifactKey")
        if producer not in tasks:
            yield here, f"there is no task `{producer}` in the graph"
            return
        found = type_of(tasks[producer], output, kind, components)
        if found is None:
            yield here, f"task `{producer}` makes no `{output}`"
            return
        if producer not in listed(task.get("dependentTasks")):
            yield here, f"task `{key}` takes what `{producer}` makes, and does not wait for it"
    if declared and (why := _mismatch(mapping(found), declared, str(said), kind)):
        yield here, f"input `{name}` is {why}"


def type_of(task: Part, output: Any, kind: str, components: Part) -> Part | None:
    """The definition of what a task makes under that name; None if it makes no such thing."""
    component = mapping(components.get(mapping(mapping(task).get("componentRef")).get("name")))
    found = mapping(mapping(component.get("outputDefinitions")).get(kind)).get(output)
    return mapping(found) if found is not None else None


def _mismatch(found: Part, declared: Part, source: str, kind: str) -> str:
    """Why what is found cannot be taken for what is declared; empty if it can."""
    if kind == "artifacts":
        return _other_artifact(found, declared)
    made, wanted = found.get("parameterType"), declared.get("parameterType")
    if None in {made, wanted} or wanted in {made, "STRING"} or {made, wanted} <= _NUMBERS:
        return ""
    if "loop-item" in source or (made in {"LIST", "STRUCT"} and wanted in {"LIST", "STRUCT"}):
        return ""  # the type of an item is a guess of the SDK's
    return f"a {wanted}, and is given a {made}"


def _other_artifact(found: Part, declared: Part) -> str:
    made, wanted = (mapping(one.get("artifactType")).get("schemaTitle") for one in (found, declared))
    if made and wanted and made != wanted and _GENERIC not in {made, wanted}:
        return f"a {wanted}, and is given a {made}"
    if found.get("isArtifactList") and not declared.get("isArtifactList"):
        return "one artifact, and is given a list of them"
    return ""


def fits(value: Any, kind: Any) -> bool:
    """Whether the driver takes a value for a parameter of that type; as a text it takes any."""
    wanted = _KINDS.get(kind)
    if wanted is None:
        return True
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def whole(value: Any) -> int | None:
    """A number of things, as protobuf's JSON may spell it; None if it is none."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\d+", value) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and value >= 0 and value == int(value) else None
