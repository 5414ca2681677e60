"""What the tasks and steps of a flow refer to: each thing is there, in scope, and has happened before."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec_argo.parts import called, doubles, hooks, required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Finding, Place

RESULTS = frozenset({"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"})
OF_ITEMS = frozenset({"AnySucceeded", "AllFailed"})
"""Results of a task that runs once for each of several items."""

_LOOPS = ("withItems", "withParam", "withSequence")
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
    whole = json.dumps(value, default=str)
    return list(dict.fromkeys(_TAG.findall(whole))) if "{{" in whole else []


def operands(depends: str) -> list[tuple[str, str]]:
    """The tasks that a `depends` names, each with the result that it asks for."""
    return [(name, result) for name, result in _OPERAND.findall(depends) if name not in ("true", "false")]


def ancestors(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What lies before each task, itself included if it is on a cycle."""
    found: dict[str, set[str]] = {}
    done: dict[str, bool] = {}
    for start in edges:
        waiting = [start]
        while waiting:
            name = waiting[-1]
            if done.get(name):
                waiting.pop()
                continue
            open_ = [] if name in done else [e for e in edges.get(name, ()) if e not in done]
            done.setdefault(name, False)
            if open_:
                waiting += open_
                continue
            direct = edges.get(name, set())
            found[name] = direct.union(*(found.get(e, set()) for e in direct))
            done[name] = True
            waiting.pop()
    for name, direct in edges.items():
        if any(name in found.get(e, {e}) or e == name for e in direct):
            found[name] = found[name] | {name}
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
    edges = {name: _needs(task) & set(tasks) for name, task in tasks.items()}
    before = ancestors(edges)
    for place, task in found:
        name = str(task.get("name"))
        yield from called("task", task.get("name"), place)
        if name in before[name]:
            yield place, f"task {name}: waits for itself"
        yield from ((place, f"task {name}: {text}") for text in _depends(task, tasks))
        earlier = {b: tasks[b] for b in before[name] if b != name}
        yield from ((place, f"task {name}: {text}") for text in _call(task, known))
        yield from ((place, f"task {name}: {text}") for text in _scope(task, "tasks", earlier, template, known))
        yield from hooks(mapping(task.get("hooks")), known, place, elsewhere=False)
    for text in _given_on(template, "tasks", tasks, known):
        yield (), text


def _one_language(found: list[tuple[Place, Mapping[str, Any]]]) -> Iterator[Finding]:
    for place, task in found:
        if set(task) & {"dependencies", "continueOn"}:
            yield place, f"task {task.get('name')}: dependencies and continueOn do not go with depends"
        if str(task.get("name", ""))[:1].isdigit():
            yield place, f"task {task.get('name')}: beside depends, a name begins with a letter"


def _needs(task: Mapping[str, Any]) -> set[str]:
    old = set(map(str, listed(task.get("dependencies"))))
    return {name for name, _ in operands(str(task.get("depends") or ""))} | old


def _depends(task: Mapping[str, Any], tasks: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"depends on unknown {name}" for name in sorted(_needs(task)) if name not in tasks)
    depends = str(task.get("depends") or "")
    for operand, result in operands(depends):
        if result and result not in RESULTS:
            yield f"depends on {operand}, whose result {result!r} does not exist"
        elif result in OF_ITEMS and operand in tasks and not any(key in tasks[operand] for key in _LOOPS):
            yield f"depends on {result} of {operand}, which has no items"
    if depends:
        python = _OPERAND.sub("x", depends).replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        try:
            ast.parse(python.strip(), mode="eval")
        except SyntaxError:
            yield f"depends {depends!r} cannot be read"


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
    ways = [key for key in ("template", "templateRef", "inline") if key in task]
    if len(ways) != 1:
        yield f"runs {ways or 'nothing'}, and a task runs one template"
    if "templateRef" in task:
        reference = mapping(task["templateRef"])
        yield from (f"templateRef has no {key}" for key in ("name", "template") if not reference.get(key))
    if sum(key in task for key in _LOOPS) > 1:
        yield "has two lists of items"
    sequence = mapping(task.get("withSequence"))
    if "withSequence" in task and ("count" in sequence) == ("end" in sequence):
        yield "withSequence has either count or end"
    yield from _arguments(task)
    name = str(task.get("template", ""))
    if "template" in task and name not in known and "{{" not in name:
        yield f"no template {name}"
    target = known.get(name) if "template" in task else task.get("inline")
    for sort in ("parameters", "artifacts"):
        has = {item.get("name") for _, item in items(task, "arguments", sort)}
        yield from (f"is not given {need}" for need in required(mapping(target), sort) if need not in has)


def _arguments(task: Mapping[str, Any]) -> Iterator[str]:
    for _, parameter in items(task, "arguments", "parameters"):
        if "value" not in parameter and "valueFrom" not in parameter:
            yield f"argument {parameter.get('name')} has no value"
    for sort in ("parameters", "artifacts"):
        names = [item.get("name") for _, item in items(task, "arguments", sort)]
        yield from (f"two arguments {name}" for name in dict.fromkeys(names) if names.count(name) > 1)
    for _, artifact in items(task, "arguments", "artifacts"):
        if not set(artifact) - {"name", "path", "mode", "archive", "optional"}:
            yield f"artifact {artifact.get('name')} comes from nowhere"


def _scope(
    task: Mapping[str, Any],
    flow: str,
    earlier: Mapping[str, Mapping[str, Any]],
    template: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Iterator[str]:
    """Tags of a task, and what they stand for."""
    rest = {key: value for key, value in task.items() if key not in ("inline", "hooks", "onExit")}
    has = [*tags(rest), *(str(a.get("from", "")) for _, a in items(rest, "arguments", "artifacts"))]
    for tag in dict.fromkeys(tag.strip("{} ") for tag in has if tag and not tag.startswith("{{=")):
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
    earlier: Mapping[str, Mapping[str, Any]],
    template: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Iterator[str]:
    other = "steps" if flow == "tasks" else "tasks"
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
        if match and target is not None:
            has = {str(o.get("name")) for _, o in items(mapping(target), "outputs", match[3])}
            if match[4] not in has:
                yield f"`{{{{{tag}}}}}`: {name} has none of {match[3]} {match[4]}"
    elif (match := _INPUT.match(tag)) and match[2] not in _names(template, "inputs", match[1]):
        yield f"`{{{{{tag}}}}}`: no input {match[2]}"


def _names(template: Mapping[str, Any], side: str, sort: str) -> set[str]:
    return {str(item.get("name")) for _, item in items(template, side, sort)}


def outside(template: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Tags of the workflow itself, and those of a template that is no flow."""
    declared = {str(p.get("name")) for _, p in items(spec, "arguments", "parameters")}
    flow = "dag" in template or "steps" in template
    later = ("inline",) if flow else ("hooks", "metrics")
    for tag in tags({key: value for key, value in template.items() if key not in later}):
        match = _GLOBAL.match(tag)
        if match and match[1] not in declared and "entrypoint" in spec:
            yield (), f"`{{{{{tag}}}}}`: no parameter {match[1]}"
        elif tag.startswith("workflow.") and tag.split(".")[1] not in _WORKFLOW:
            yield (), f"`{{{{{tag}}}}}`: a workflow has no {tag.split('.')[1]}"
        elif not flow:
            yield from (((), text) for text in _resolves(tag, "tasks", {}, template, {}))
