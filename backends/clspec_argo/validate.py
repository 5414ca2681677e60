"""What must hold of the objects that this backend has made: Argo's rules, the house's, and what only we can know.

A finding here is a mistake of this backend, never of the user: what a user can cause, `check` has told already.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec.manifest import items, mapping
from clspec.trainjob import TRAINJOBS, faults
from clspec_argo import events, house, rules
from clspec_argo.parts import doubles, required
from clspec_argo.pod import ALLOW_BOTH, BEGAN, RUN, STORE
from clspec_argo.text import MAX_LIST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Object

_TAGGED = (STORE, ALLOW_BOTH, BEGAN, RUN)
"""The arguments that are tags; no other holds one."""
_OTHERS = ("ConfigMap", "EventSource", "Role", "RoleBinding", "Sensor", "ServiceAccount")


class EmitError(ClspecError):
    """The Argo backend made objects that would not run: a bug in clspec. `found` says what is wrong."""

    def __init__(self, found: tuple[str, ...]) -> None:
        self.found = found
        super().__init__("the Argo backend made objects that would not run, please report this: " + "; ".join(found))


def findings(bundle: Mapping[str, Object], longest: int = MAX_LIST) -> tuple[str, ...]:
    """Everything wrong with the objects of a bundle, each naming its file and place."""
    templates = {d["metadata"]["name"]: d for d in bundle.values() if d["kind"] == "WorkflowTemplate"}
    found: list[str] = []
    for file, document in bundle.items():
        found += (f"{file}: {text}" for text in _document(document, templates, longest))
    found += _parts(bundle)
    found += _rights(bundle)
    named = [((), f"{d['kind']} {d['metadata']['name']}") for d in bundle.values()]
    return (*found, *(text for _, text in doubles("object", named)))


def _parts(bundle: Mapping[str, Object]) -> Iterator[str]:
    """Whatever no other object calls begins by itself, and what is fetched by its key is kept under it."""
    called: set[str] = set()
    kept: set[str] = set()
    fetched: dict[str, str] = {}
    for document in bundle.values():
        for _, template in items(document.get("spec"), "templates"):
            tasks = (task for _, task in items(template, "dag", "tasks"))
            called |= {str(mapping(task.get("templateRef")).get("name")) for task in tasks}
            kept |= {_key(artifact) for _, artifact in items(template, "outputs", "artifacts")}
            inputs = (artifact for _, artifact in items(template, "inputs", "artifacts"))
            fetched |= {_key(a): f"input {a.get('name')} of {template.get('name')}" for a in inputs if "s3" in a}
    for file, document in bundle.items():
        if document["kind"] == "WorkflowTemplate" and document["metadata"]["name"] not in called:
            yield from [f"{file}: no entrypoint"] * ("entrypoint" not in document["spec"])
    yield from (f"{what} is kept nowhere" for key, what in fetched.items() if key not in kept)


def _rights(bundle: Mapping[str, Object]) -> Iterator[str]:
    """Whoever launches a job on several machines may do so; where nobody does, nobody may."""
    launches = any(
        "--trainjob" in mapping(template.get("container")).get("args", [])
        for document in bundle.values()
        for _, template in items(document.get("spec"), "templates")
    )
    roles = [document for document in bundle.values() if document["kind"] == "Role"]
    granted = [role for role in roles if all(rule in role["rules"] for rule in TRAINJOBS)]
    if len(granted) != (1 if launches else 0):
        yield f"{len(granted)} roles let a launcher make its job"


def _key(artifact: Mapping[str, Any]) -> str:
    return str(mapping(artifact.get("s3")).get("key"))


def _document(document: Object, templates: Mapping[str, Object], longest: int) -> Iterator[str]:
    kind = document["kind"]
    if kind not in (*rules.KINDS, *_OTHERS):
        yield f"kind {kind}"
    if kind in rules.KINDS:
        for place, text in (*rules.judge(document, longest), *house.judge(document)):
            yield f"{'.'.join(map(str, place))}: {text}"
    if kind == "WorkflowTemplate":
        yield from _tasks(document["spec"], templates)
        for _, template in items(document["spec"], "templates"):
            yield from (f"template {template.get('name')}: {text}" for text in _leaf(template))
    elif kind in events.KINDS:
        yield from (text for _, text in events.judge(document))
    elif kind == "CronWorkflow":
        yield from _cron(document["spec"], templates)


def _tasks(spec: Object, templates: Mapping[str, Object]) -> Iterator[str]:
    """What a template of another object is given."""
    for _, template in items(spec, "templates"):
        for _, task in items(template, "dag", "tasks"):
            if reference := mapping(task.get("templateRef")):
                there = mapping(mapping(templates.get(reference.get("name", ""))).get("spec"))
                target = {t.get("name"): t for _, t in items(there, "templates")}.get(reference.get("template"))
                if target is None:
                    yield f"task {task['name']}: no template {reference.get('template')} of {reference.get('name')}"
                has = {p.get("name") for _, p in items(task, "arguments", "parameters")}
                missing = [name for name in required(mapping(target), "parameters") if name not in has]
                yield from (f"task {task['name']}: is not given {name}" for name in missing)


def _leaf(template: Mapping[str, Any]) -> Iterator[str]:
    if "container" not in template:
        yield from (f"is of type {key}" for key in ("script", "resource", "http", "data", "plugin") if key in template)
        return
    arguments = template["container"].get("args", [])
    following = dict(pairwise(arguments))
    try:
        json.loads(following.get("--config", ""))
    except ValueError:
        yield "--config is not JSON"
    yield from (f"{key} is missing" for key in ("--code", "--store") if not following.get(key))
    if "--trainjob" in following:
        yield from _launcher(following, str(template["container"].get("image")))
    for argument in arguments:
        if "{{" in argument and argument not in _TAGGED:
            yield f"`{{{{` in the argument {argument!a}"


def _launcher(following: Mapping[str, str], image: str) -> Iterator[str]:
    if following.get("--run") != RUN:
        yield "a launcher does not know the run that its job is named after"
    try:
        yield from (f"--trainjob: {text}" for text in faults(json.loads(following["--trainjob"]), image))
    except ValueError:
        yield "--trainjob is not JSON"


def _cron(spec: Object, templates: Mapping[str, Object]) -> Iterator[str]:
    workflow = mapping(spec.get("workflowSpec"))
    named = str(mapping(workflow.get("workflowTemplateRef")).get("name"))
    if named not in templates:
        yield f"no WorkflowTemplate {named}"
        return
    given = {p.get("name") for _, p in items(workflow, "arguments", "parameters")}
    for _, parameter in items(templates[named], "spec", "arguments", "parameters"):
        if "value" not in parameter and parameter["name"] not in given:
            yield f"never given {parameter['name']}"
