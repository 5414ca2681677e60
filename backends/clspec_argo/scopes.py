"""What the tasks and steps of a flow refer to: each thing is there, in scope, and has happened before."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec_argo.parts import called, doubles, hooks, required
from clspec_argo.text import compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Finding, Place

RESULTS = frozenset({"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"})
OF_ITEMS = frozenset({"AnySucceeded", "AllFailed"})
"""Results of a task that runs once for each of several items."""

_LOOPS = frozenset({"withItems", "withParam", "withSequence"})
_APART = {"inline", "hooks", "onExit"}
_NO_SOURCE = {"name", "path", "mode", "archive", "optional"}
_WAYS = frozenset({"template", "templateRef", "inline"})
_OPERAND = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9_]*)(?:\.([A-Za-z]+))?")
_TAG = re.compile(r"\{\{\s*([^={}][^{}]*?)\s*\}\}")
_OUTPUT = re.compile(r"(tasks|steps)\.([^.]+)\.outputs\.(parameters|artifacts)\.([^.]+)")
_GLOBAL = re.compile(r"workflow\.parameters\.([^.]+)")
_INPUT = re.compile(r"inputs\.(parameters|artifacts)\.([^.]+)(\.path)?")
_WORKFLOW = (
    *("name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "parameters", "annotations", "labels"),
    *("creationTimestamp", "priority", "duration", "scheduledTime", "cronScheduleTime", "status", "failures"),
    *("outputs", "instanceid", "started"),
)
"""What stands behind `workflow.`."""


def tags(value: Any) -> list[str]:
    """The simple tags in a part of a manifest; expressions (`{{=`) are not among them."""
    whole = compact(value)
    return list(dict.fromkeys(_TAG.findall(whole.decode()))) if b"{{" in whole else []


def operands(depends: str) -> list[tuple[str, str]]:
    """The tasks that a `depends` names, each with the result that it asks for."""
    return [(name, result) for name, result in _OPERAND.findall(depends) if name not in ("true", "false")]


class Earlier:
    """The tasks that lie before one of a DAG. Each set of tasks is the bits of one number: so many sets are small."""

    def __init__(self, tasks: Mapping[str, Mapping[str, Any]], bits: Mapping[str, int], before: int) -> None:
        self._tasks, self._bits, self._before = tasks, bits, before

    def __contains__(self, name: str) -> bool:
        return name in self._bits and self._before & self._bits[name] != 0

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._tasks[name]


def ancestors(edges: Mapping[str, set[str]], bits: Mapping[str, int]) -> dict[str, int]:
    """What lies before each task, as the bits of a number; itself too if it is on a cycle."""
    found: dict[str, int] = {}
    done: dict[str, bool] = {}
    for start in edges:
        waiting = [start]
        while waiting:
            name = waiting[-1]
            if done.get(name):
                waiting.pop()
                continue
            open_ = [] if name in done else [e for e in edges[name] if e not in done]
            done.setdefault(name, False)
            if open_:
                waiting += open_
                continue
            mask = 0
            for before in edges[name]:
                mask |= bits[before] | found.get(before, 0)
            found[name], done[name] = mask, True
            waiting.pop()
    for name, direct in edges.items():
        if any(e == name or found[e] & bits[name] for e in direct):
            found[name] |= bits[name]
    return found


def dag(template: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    """The tasks of a DAG."""
    whole = mapping(template.get("dag"))
    found = list(items(whole, "tasks"))
    tasks = {str(task.get("name")): task for _, task in found}
    if not tasks:
        yield (), "no tasks"
    yield from doubles("task", ((place, task.get("name")) for place, task in found))
    yield from (((), f"target: no task {name}") for name in str(whole.get("target") or "").split() if name not in tasks)
    if any("depends" in t for t in tasks.values()):
        yield from _one_language(found)
    edges = {name: _needs(task) & tasks.keys() for name, task in tasks.items()}
    bits = {name: 1 << number for number, name in enumerate(tasks)}
    before = ancestors(edges, bits)
    for place, task in found:
        name = str(task.get("name"))
        yield from called("task", task.get("name"), place)
        if before[name] & bits[name]:
            yield place, f"task {name}: waits for itself"
        earlier = Earlier(tasks, bits, before[name] & ~bits[name])
        told = (_depends(task, tasks), _call(task, known), _scope(task, "tasks", earlier, template, known))
        yield from ((place, f"task {name}: {text}") for text in chain.from_iterable(told))
        if "hooks" in task:
            yield from hooks(mapping(task["hooks"]), known, place, elsewhere=False)
    if "outputs" in template:
        yield from (((), text) for text in _given_on(template, "tasks", tasks, known))


def _one_language(found: list[tuple[Place, Mapping[str, Any]]]) -> Iterator[Finding]:
    for place, task in found:
        if set(task) & {"dependencies", "continueOn"}:
            yield place, f"task {task.get('name')}: dependencies and continueOn do not go with depends"
        if str(task.get("name", ""))[:1].isdigit():
            yield place, f"task {task.get('name')}: beside depends, a name begins with a letter"


def _needs(task: Mapping[str, Any]) -> set[str]:
    needed = {name for name, _ in operands(str(task["depends"] or ""))} if "depends" in task else set()
    return needed.union(map(str, listed(task["dependencies"]))) if "dependencies" in task else needed


def _depends(task: Mapping[str, Any], tasks: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"depends on unknown {name}" for name in sorted(_needs(task) - tasks.keys()))
    depends = str(task.get("depends") or "")
    if not depends:
        return
    for operand, result in operands(depends):
        if result and result not in RESULTS:
            yield f"depends on {operand}, whose result {result!r} does not exist"
        elif result in OF_ITEMS and operand in tasks and not any(key in tasks[operand] for key in _LOOPS):
            yield f"depends on {result} of {operand}, which has no items"
    if not _reads(_OPERAND.sub("x", depends)):
        yield f"depends {depends!r} cannot be read"


@lru_cache(maxsize=4096)
def _reads(shape: str) -> bool:
    """Whether a `depends` can be read, once its tasks are all called x: most have the shape of many others."""
    python = shape.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    try:
        ast.parse(python.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def steps(template: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    """The steps of a list of lists: each group after the one before it."""
    earlier: dict[str, Mapping[str, Any]] = {}
    rows = listed(template.get("steps"))
    if not rows:
        yield (), "no steps"
    for group, row in enumerate(rows):
        now: dict[str, Mapping[str, Any]] = {}
        for index, step in enumerate(listed(row)):
            place, name = (group, index), str(mapping(step).get("name"))
            yield from called("step", mapping(step).get("name"), place)
            if name in earlier or name in now:
                yield place, f"two steps {name}"
            yield from ((place, f"step {name}: {text}") for text in _call(mapping(step), known))
            scope = _scope(mapping(step), "steps", earlier, template, known)
            yield from ((place, f"step {name}: {text}") for text in scope)
            yield from hooks(mapping(mapping(step).get("hooks")), known, place, elsewhere=False)
            now[name] = mapping(step)
        earlier |= now
    for text in _given_on(template, "steps", earlier, known):
        yield (), text


def _call(task: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    """What a task runs is there, and is given what it needs."""
    ways = _WAYS & task.keys()
    if len(ways) != 1:
        yield f"runs {sorted(ways) or 'nothing'}, and a task runs one template"
    if "templateRef" in task:
        reference = mapping(task["templateRef"])
        yield from (f"templateRef has no {key}" for key in ("name", "template") if not reference.get(key))
    if _LOOPS & task.keys():
        yield from _loops(task)
    if "arguments" in task:
        yield from _arguments(task)
    name = str(task.get("template", ""))
    if "template" in task and name not in known and "{{" not in name:
        yield f"no template {name}"
    target = known.get(name) if "template" in task else task.get("inline")
    taken = mapping(mapping(target).get("inputs"))
    for sort in ("parameters", "artifacts"):
        if sort in taken:
            has = {str(item.get("name")) for _, item in items(task, "arguments", sort)}
            yield from (f"is not given {need}" for need in required(mapping(target), sort) if need not in has)


def _loops(task: Mapping[str, Any]) -> Iterator[str]:
    if len(_LOOPS & task.keys()) > 1:
        yield "has two lists of items"
    sequence = mapping(task.get("withSequence"))
    if "withSequence" in task and ("count" in sequence) == ("end" in sequence):
        yield "withSequence has either count or end"


def _arguments(task: Mapping[str, Any]) -> Iterator[str]:
    for _, parameter in items(task, "arguments", "parameters"):
        if "value" not in parameter and "valueFrom" not in parameter:
            yield f"argument {parameter.get('name')} has no value"
    for sort in ("parameters", "artifacts"):
        names = [str(item.get("name")) for _, item in items(task, "arguments", sort)]
        if len(set(names)) < len(names):
            yield from (f"two arguments {name}" for name in dict.fromkeys(names) if names.count(name) > 1)
    for _, artifact in items(task, "arguments", "artifacts"):
        if artifact.keys() <= _NO_SOURCE:
            yield f"artifact {artifact.get('name')} comes from nowhere"


def _scope(
    task: Mapping[str, Any],
    flow: str,
    earlier: Earlier | Mapping[str, Mapping[str, Any]],
    template: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Iterator[str]:
    """Tags of a task, and what they stand for."""
    apart = task.keys() & _APART
    for tag in tags({key: value for key, value in task.items() if key not in apart} if apart else task):
        yield from _resolves(tag, flow, earlier, template, known)
        if (tag == "item" or tag.startswith("item.")) and not any(key in task for key in _LOOPS):
            yield f"`{{{{{tag}}}}}` without items"


def _given_on(
    template: Mapping[str, Any], flow: str, tasks: Mapping[str, Mapping[str, Any]], known: Mapping[str, Any]
) -> Iterator[str]:
    """What a flow gives, of what its tasks give."""
    for tag in tags(template.get("outputs", {})):
        yield from _resolves(tag, flow, tasks, template, known)


def _resolves(
    tag: str,
    flow: str,
    earlier: Earlier | Mapping[str, Mapping[str, Any]],
    template: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Iterator[str]:
    other = "steps" if flow == "tasks" else "tasks"
    if tag.startswith("workflow."):
        return
    if tag.startswith(f"{other}.") and tag != f"{other}.name":
        yield f"`{{{{{tag}}}}}`: there are no {other} here"
    elif tag.startswith(f"{flow}.") and tag != f"{flow}.name":
        name = tag.split(".")[1]
        if name not in earlier:
            yield f"`{{{{{tag}}}}}`: {name} need not be over yet"
            return
        match = _OUTPUT.match(tag)
        task = earlier[name]
        target = known.get(str(task.get("template"))) if "template" in task else task.get("inline")
        if match and target is not None and match[4] not in _names(mapping(target), "outputs", match[3]):
            yield f"`{{{{{tag}}}}}`: {name} has none of {match[3]} {match[4]}"
    elif (match := _INPUT.match(tag)) and match[2] not in _names(template, "inputs", match[1]):
        yield f"`{{{{{tag}}}}}`: no input {match[2]}"


def _names(holder: Mapping[str, Any], side: str, sort: str) -> list[str]:
    return [str(item.get("name")) for item in listed(mapping(holder.get(side)).get(sort)) if isinstance(item, dict)]


def outside(template: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Tags of the workflow itself, and those of a template that is no flow."""
    flow = "dag" in template or "steps" in template
    later = ("inline",) if flow else ("hooks", "metrics")
    found = tags({k: v for k, v in template.items() if k not in later} if template.keys() & later else template)
    for tag in found:
        if tag.startswith("workflow."):
            match = _GLOBAL.match(tag)
            if match and "entrypoint" in spec and match[1] not in _names(spec, "arguments", "parameters"):
                yield (), f"`{{{{{tag}}}}}`: no parameter {match[1]}"
            elif tag.split(".")[1] not in _WORKFLOW:
                yield (), f"`{{{{{tag}}}}}`: a workflow has no {tag.split('.')[1]}"
        elif not flow:
            yield from (((), text) for text in _resolves(tag, "tasks", {}, template, {}))
