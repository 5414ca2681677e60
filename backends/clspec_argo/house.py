"""What we ask of a manifest beyond what Argo does: what bit others, and what keeps a cluster safe.

A finding here is a warning on manifests from elsewhere; on our own it is a mistake of this backend.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping, texts
from clspec_argo.parts import doubles
from clspec_argo.scopes import OF_ITEMS, operands, tags
from clspec_argo.text import MAX_NAME, MAX_OBJECT, compact, fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Finding, Object, Place

_FLOW_HAS_NOT = ("retryStrategy", "nodeSelector", "tolerations", "volumes")
_NATIVE = ("cpu", "memory", "ephemeral-storage")
_HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
_WHEN = re.compile(r"'(\{\{(tasks|steps|inputs)\.[-.\w]+\}\})' == '[A-Za-z][-A-Za-z0-9_]*'")
_PARAMETER = re.compile(r"\{\{(?:tasks|steps)\.([^.}]+)\.outputs\.parameters\.([^.}]+)\}\}")
_SUSPICIOUS = re.compile(r"\$[($]|podSpecPatch|\\[^\"\\/]|\x7f")
"""What in an object's JSON makes it worth a look at every text: most have nothing of it."""
_KEYS = re.compile(r"(access|secret)Key(Secret)?|.*[cC]redential.*|.*[pP]assword.*")


def judge(document: Object) -> Iterator[Finding]:
    """Everything in an object that is no mistake to Argo and yet asks for trouble."""
    whole = compact(document)
    if len(whole) > MAX_OBJECT:
        yield (), f"{len(whole)} bytes of JSON leave no room for a run's status"
    for place, text in texts(document) if _SUSPICIOUS.search(whole) else ():
        if not text.isprintable():
            yield place, "unprintable character"
        if "$(" in text or "$$" in text:
            yield place, f"Kubernetes would expand {text!a}"
        if place and place[-1] == "podSpecPatch":
            yield place, "podSpecPatch can change what a pod may do"
    spec = mapping(document.get("spec"))
    if document.get("kind") == "CronWorkflow":
        if not spec.get("timezone"):
            yield ("spec",), "no timezone: the controller's own is meant"
        if spec.get("concurrencyPolicy") != "Forbid":
            yield ("spec",), "concurrencyPolicy lets two runs work on the same"
        return
    yield from ((("spec", *place), text) for place, text in _workflow(spec))


def _workflow(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if "entrypoint" in spec and not mapping(spec.get("podGC")).get("strategy"):
        yield (), "no podGC.strategy: ended pods stay"
    security = mapping(spec.get("securityContext"))
    if not (security.get("runAsNonRoot") is True and security.get("runAsUser") != 0):
        yield ("securityContext",), "pods may run as root"
    if set(mapping(spec.get("artifactRepositoryRef"))) - {"configMap", "key"}:
        yield ("artifactRepositoryRef",), "artifactRepositoryRef has more than a configMap and a key"
    templates = {str(template.get("name")): template for _, template in items(spec, "templates")}
    keys = [
        ((*place, *below), key)
        for place, template in items(spec, "templates")
        for below, artifact in items(template, "outputs", "artifacts")
        if (key := mapping(artifact.get("s3")).get("key"))
    ]
    yield from doubles("artifacts under the key", keys)
    used = {str(spec.get("entrypoint")), str(spec.get("onExit"))}
    for place, template in items(spec, "templates"):
        used |= {str(task.get("template")) for _, task in items(template, "dag", "tasks")}
        for below, text in _template(template, templates):
            yield (*place, *below), f"template {template.get('name')}: {text}"
    if "entrypoint" in spec and not any("steps" in template for template in templates.values()):
        yield from ((("templates",), f"no task runs template {name}") for name in templates if name not in used)
    rest = {key: value for key, value in spec.items() if key not in ("templates", "workflowSpec")}
    for tag in tags(rest):
        yield (), f"`{{{{{tag}}}}}` outside a template"


def _template(template: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(template.get("name", ""))
    if not fits("name", name) or len(name) > MAX_NAME:
        yield ("name",), f"a pod's name is made of the name, at most {MAX_NAME} lower-case characters"
    if "dag" in template:
        yield from (((key,), f"{key} on a dag") for key in _FLOW_HAS_NOT if key in template)
        yield from _dag(template, templates)
    for place, text in texts({key: value for key, value in template.items() if key in _PLAIN}):
        if "{{" in text:
            yield place, f"`{{{{` where no tag belongs: {text!a}"
    if "container" in template:
        yield from _container(template, mapping(template["container"]))
    elif "script" in template:
        yield from ((("script",), f"`{{{{{tag}}}}}` in a script") for tag in tags(template["script"]))
    yield from _attempts(template)
    yield from _files(template)


_PLAIN = ("nodeSelector", "tolerations", "volumes", "metadata", "retryStrategy", "activeDeadlineSeconds")


def _container(template: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    if "@sha256:" not in image or "{{" in image:
        yield ("container", "image"), "image without a digest"
    if not container.get("command"):
        yield ("container",), "no command: Argo has to look it up in the registry"
    if "--trainjob" in listed(container.get("args")):
        yield from _launcher(template, container)
    security = mapping(container.get("securityContext"))
    if {key: security.get(key) for key in _HARDENED} != _HARDENED:
        yield ("container",), "container is not locked down"
    env = (((("container", *p)), v.get("name")) for p, v in items(container, "env"))
    yield from doubles("variable", env)
    for place, text in texts(container.get("env", []), ("container", "env")):
        if "{{" in text:
            yield place, f"`{{{{` where no tag belongs: {text!a}"
    yield from ((("container", "resources"), text) for text in _machine(mapping(container.get("resources"))))
    mounts = [str(m.get("mountPath")) for _, m in items(container, "volumeMounts")]
    for place, path in (*_paths(template, "inputs"), *_paths(template, "outputs")):
        if not any(path.startswith(f"{mount}/") for mount in mounts):
            yield place, f"{path!r} is on the read-only root"


def _launcher(template: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[Finding]:
    """What waits for other machines needs no GPU, and no machine that has one."""
    limits = mapping(mapping(container.get("resources")).get("limits"))
    held = [key for key in limits if key not in _NATIVE]
    yield from ((("container", "resources"), f"a launcher of a TrainJob holds {key} while it waits") for key in held)
    chosen = [key for key in ("nodeSelector", "tolerations", "affinity") if key in template]
    yield from (((key,), f"{key} of a launcher: its TrainJob's machines are what is chosen") for key in chosen)


def _machine(resources: Mapping[str, Any]) -> Iterator[str]:
    requests, limits = mapping(resources.get("requests")), mapping(resources.get("limits"))
    yield from (f"device {key} in requests" for key in requests if key not in _NATIVE)
    yield from (f"{key} of requests and limits differ" for key in _NATIVE if requests.get(key) != limits.get(key))
    amounts = (item for sort in (requests, limits) for item in sort.items())
    yield from (
        f"{key} {amount!r} is not a quantity in quotes" for key, amount in amounts if not isinstance(amount, str)
    )


def _paths(template: Mapping[str, Any], side: str) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    for place, artifact in items(template, side, "artifacts"):
        found.append((place, str(artifact.get("path", ""))))
    for place, parameter in items(template, side, "parameters"):
        if path := mapping(parameter.get("valueFrom")).get("path"):
            found.append((place, str(path)))
    return found


def _files(template: Mapping[str, Any]) -> Iterator[Finding]:
    paths = [*_paths(template, "inputs"), *_paths(template, "outputs")]
    yield from doubles("file", [(place, f"at {path}") for place, path in paths])
    taken = sorted({path for _, path in paths})
    for one, other in pairwise(taken):
        if other.startswith(f"{one}/"):
            yield (), f"another file lies in {one}"
    for place, artifact in items(template, "outputs", "artifacts"):
        if set(mapping(artifact.get("s3"))) != {"key"}:
            yield place, f"artifact {artifact.get('name')} has no key, or more than a key"
        if artifact.get("archive") != {"none": {}}:
            yield place, f"artifact {artifact.get('name')} would be a tar archive"
    for place, text in texts(template.get("outputs", {})):
        if place and _KEYS.fullmatch(str(place[-1])):
            yield place, f"a key of the repository's: {text!a}"


def _attempts(template: Mapping[str, Any]) -> Iterator[Finding]:
    if "retryStrategy" not in template:
        return
    retry, place = mapping(template["retryStrategy"]), ("retryStrategy",)
    if "retryPolicy" not in retry:
        yield place, "no retryPolicy: what it is then depends on the expression"
    if "limit" not in retry:
        yield place, "retry without a limit"
    if "lastRetry" not in str(retry.get("expression", "")):
        yield place, "retry of everything"
    backoff = mapping(retry.get("backoff"))
    if not backoff.get("duration") or "maxDuration" in backoff:
        yield place, "backoff needs duration, and maxDuration ends the attempt under way"


def _dag(template: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[Finding]:
    tasks = {str(task.get("name")): task for _, task in items(template, "dag", "tasks")}
    for below, task in items(template, "dag", "tasks"):
        place = below
        yield from ((place, f"task {task.get('name')}: {text}") for text in _task(task, tasks, templates))
        if "dependencies" in task or "continueOn" in task:
            yield place, f"task {task.get('name')}: dependencies and continueOn are the old language"


def _task(task: Mapping[str, Any], tasks: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[str]:
    for operand, result in operands(str(task.get("depends") or "")):
        if not result or result in OF_ITEMS:
            yield f"depends on {operand}, whose result {result!r} may be any of several"
        elif "when" in mapping(tasks.get(operand)) and f"{operand}.Skipped" not in task["depends"]:
            yield f"is lost when {operand} is skipped"
    if "when" in task:
        yield from _when(str(task["when"]), tasks, templates)
    given = {str(a.get("name")): a for _, a in items(task, "arguments", "artifacts")}
    taken = {str(a.get("name")): a for _, a in items(templates.get(str(task.get("template"))), "inputs", "artifacts")}
    if "template" in task:
        yield from (f"is given {name}, which it does not take" for name in given if name not in taken)
    conditions = _conditions(task)
    for name, artifact in given.items():
        source = str(artifact.get("from", ""))
        match = re.fullmatch(r"\{\{tasks\.([^.}]+)\.outputs\.artifacts\.([^.}]+)\}\}", source)
        if match is None:
            yield f"artifact {name} is from {source!r}"
        elif not _conditions(mapping(tasks.get(match[1]))) <= conditions and not (
            artifact.get("optional") and mapping(taken.get(name)).get("optional")
        ):
            yield f"artifact {name} may not be there and is not optional"


def _conditions(task: Mapping[str, Any]) -> set[str]:
    return {part.strip() for part in str(task["when"]).split("&&")} if "when" in task else set()


def _when(when: str, tasks: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[str]:
    for part in when.split(" && "):
        if _WHEN.fullmatch(part) is None:
            yield f"when {part!r} is not one quoted parameter and one quoted word"
        for name, parameter in _PARAMETER.findall(part):
            producer = mapping(tasks.get(name))
            for _, output in items(templates.get(str(producer.get("template"))), "outputs", "parameters"):
                lacks = "default" not in mapping(output.get("valueFrom"))
                if output.get("name") == parameter and "when" in producer and lacks:
                    yield f"parameter {parameter} of {name} has no default for when that is skipped"
