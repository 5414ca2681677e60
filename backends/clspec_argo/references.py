"""Everything that an emitted workflow names is there, in scope, and has happened before."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from clspec_argo.text import MAX_LIST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec_argo.emit import Document

RESULTS = frozenset({"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"})

_OPERAND = re.compile(r"([a-zA-Z][-a-zA-Z0-9_]*)(?:\.([A-Za-z]+))?")
_WHEN = re.compile(r"'\{\{tasks\.([-a-z0-9]+)\.outputs\.parameters\.([-A-Za-z0-9_]+)\}\}' == '[A-Za-z][-A-Za-z0-9_]*'")
_FROM = re.compile(r"\{\{tasks\.([-a-z0-9]+)\.outputs\.artifacts\.([-A-Za-z0-9_]+)\}\}")
_GLOBAL = re.compile(r"\{\{workflow\.parameters\.([-A-Za-z0-9_]+)\}\}")


def references(spec: Document) -> Iterator[str]:
    """What the workflow names and does not have."""
    templates = {template["name"]: template for template in spec["templates"]}
    for key in ("entrypoint", "onExit"):
        if key in spec and spec[key] not in templates:
            yield f"{key}: no template {spec[key]}"
    if "entrypoint" not in spec:
        yield "no entrypoint"
    declared = {parameter["name"] for parameter in spec.get("arguments", {}).get("parameters", ())}
    used = [spec.get("entrypoint"), spec.get("onExit")]
    for template in spec["templates"]:
        if "dag" in template:
            used += (task.get("template") for task in template["dag"]["tasks"])
            yield from (f"dag {template['name']}: {text}" for text in _dag(template["dag"], templates))
        yield from (f"template {template['name']}: {text}" for text in _tags(template, declared))
    yield from (f"{key}: `{{{{` in it" for key in spec if key != "templates" and "{{" in str(spec[key]))
    yield from (f"no task runs template {name}" for name in templates if name not in used)


def _dag(dag: Document, templates: Mapping[str, Document]) -> Iterator[str]:
    tasks = {task["name"]: task for task in dag["tasks"]}
    if not tasks:
        yield "no tasks"
    if len(dag["tasks"]) > MAX_LIST:
        yield f"{len(dag['tasks'])} tasks"
    if len(tasks) != len(dag["tasks"]):
        yield "two tasks of one name"
    edges = {name: {operand for operand, _ in _operands(task)} for name, task in tasks.items()}
    before = _ancestors(edges)
    for name, task in tasks.items():
        yield from (f"task {name}: {text}" for text in _depends(task, tasks))
        if name in before[name]:
            yield f"task {name}: waits for itself"
        if task.get("template") not in templates:
            yield f"task {name}: no template {task.get('template')}"
        else:
            yield from (f"task {name}: {text}" for text in _task(task, before[name], tasks, templates))


def _operands(task: Document) -> list[tuple[str, str]]:
    return _OPERAND.findall(task.get("depends", ""))


def _depends(task: Document, tasks: Mapping[str, Document]) -> Iterator[str]:
    if set(task) & {"dependencies", "continueOn"}:
        yield "dependencies and continueOn are the old language"
    for operand, result in _operands(task):
        if operand not in tasks:
            yield f"depends on unknown {operand}"
        elif result not in RESULTS:
            yield f"depends on {operand}, whose result {result!r} does not exist"
        elif "when" in tasks[operand] and f"{operand}.Skipped" not in task["depends"]:
            yield f"is lost when {operand} is skipped"
    if "depends" in task:
        python = _OPERAND.sub("x", task["depends"]).replace("&&", " and ").replace("||", " or ").replace("!", " not ")
        try:
            ast.parse(python.strip(), mode="eval")
        except SyntaxError:
            yield f"depends {task['depends']!r} cannot be read"


def _ancestors(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What lies before each task, itself included if it is on a cycle."""
    found: dict[str, set[str]] = {}
    for start in edges:
        seen: set[str] = set()
        open_ = list(edges[start])
        while open_:
            if (name := open_.pop()) not in seen:
                seen.add(name)
                open_ += edges.get(name, ())
        found[start] = seen
    return found


def _task(
    task: Document, before: set[str], tasks: Mapping[str, Document], templates: Mapping[str, Document]
) -> Iterator[str]:
    if "when" in task:
        yield from _when(task, before, tasks, templates)
    given = {artifact["name"]: artifact for artifact in task.get("arguments", {}).get("artifacts", ())}
    taken = {artifact["name"]: artifact for artifact in _all(templates[task["template"]], "inputs", "artifacts")}
    yield from (f"is not given {name}" for name in taken if name not in given)
    yield from (f"is given {name}, which it does not take" for name in given if name not in taken)
    yield from (f"input {name} says where it comes from" for name, a in taken.items() if set(a) & {"from", "s3"})
    for name, artifact in given.items():
        match = _FROM.fullmatch(artifact.get("from", ""))
        if match is None:
            yield f"artifact {name} is from {artifact.get('from')!r}"
            continue
        yield from _reference(match[1], match[2], "artifacts", before, tasks, templates)
        lacks = "when" in tasks.get(match[1], {}) and tasks[match[1]].get("when") != task.get("when")
        if lacks and not (artifact.get("optional") and taken.get(name, {}).get("optional")):
            yield f"artifact {name} may not be there and is not optional"


def _when(
    task: Document, before: set[str], tasks: Mapping[str, Document], templates: Mapping[str, Document]
) -> Iterator[str]:
    match = _WHEN.fullmatch(task["when"])
    if match is None:
        yield f"when {task['when']!r} is not one quoted parameter and one quoted word"
        return
    yield from _reference(match[1], match[2], "parameters", before, tasks, templates)
    producer = tasks.get(match[1], {})
    for parameter in _all(templates.get(producer.get("template", ""), {}), "outputs", "parameters"):
        if parameter["name"] == match[2] and "when" in producer and "default" not in parameter["valueFrom"]:
            yield f"parameter {match[2]} of {match[1]} has no default for when that is skipped"


def _reference(  # noqa: PLR0913, PLR0917  # one reference and all that it is looked up in
    producer: str,
    output: str,
    kind: str,
    before: set[str],
    tasks: Mapping[str, Document],
    templates: Mapping[str, Document],
) -> Iterator[str]:
    if producer not in tasks:
        yield f"no task {producer}"
    elif producer not in before:
        yield f"{producer} need not be over yet"
    elif output not in {o["name"] for o in _all(templates.get(tasks[producer]["template"], {}), "outputs", kind)}:
        yield f"{producer} has none of {kind} {output}"


def _all(template: Document, side: str, kind: str) -> list[Any]:
    found: list[Any] = template.get(side, {}).get(kind, [])
    return found


def _tags(template: Document, declared: set[str]) -> Iterator[str]:
    """Tags stand in four places only, so that no text of a user's can be one."""
    rest = {key: value for key, value in template.items() if key not in ("dag", "outputs", "container")}
    rest["tasks"] = [{k: v for k, v in t.items() if k not in ("when", "arguments")} for t in _tasks(template)]
    rest["outputs"] = [
        {**artifact, "s3": artifact.get("s3", {}).get("key", "").replace("{{workflow.uid}}", "", 1)}
        for artifact in _all(template, "outputs", "artifacts")
    ] + _all(template, "outputs", "parameters")
    container = template.get("container", {})
    rest["container"] = {key: value for key, value in container.items() if key != "args"}
    if "{{" in str(rest):
        yield "`{{` where no tag belongs"
    arguments = container.get("args", [])
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        match = _GLOBAL.fullmatch(argument)
        if match is not None and match[1] not in declared:
            yield f"no parameter {match[1]}"
        if "{{" in argument and (previous != "--store" or match is None):
            yield f"`{{{{` in the argument {argument!a}"


def _tasks(template: Document) -> list[Any]:
    found: list[Any] = template.get("dag", {}).get("tasks", [])
    return found
