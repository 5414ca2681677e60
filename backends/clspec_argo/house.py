"""What we ask of a manifest beyond what Argo does: what bit others, and what keeps a cluster safe.

A finding here is a warning on manifests from elsewhere; on our own it is a mistake of this backend.
"""

from __future__ import annotations

import re
from itertools import pairwise
from operator import itemgetter
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
_NO_ARCHIVE: Object = {"none": {}}
_HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
_WHEN = re.compile(r"'(\{\{(tasks|steps|inputs)\.[-.\w]+\}\})' == '[A-Za-z][-A-Za-z0-9_]*'")
_ARTIFACT = re.compile(r"\{\{tasks\.([^.}]+)\.outputs\.artifacts\.([^.}]+)\}\}")
_HANDED_ON = re.compile(r"\{\{inputs\.artifacts\.[^.}]+\}\}")
_PARAMETER = re.compile(r"\{\{(?:tasks|steps)\.([^.}]+)\.outputs\.parameters\.([^.}]+)\}\}")
_KEYS = re.compile(r"(access|secret)Key(Secret)?|.*[cC]redential.*|.*[pP]assword.*")


def judge(document: Object) -> Iterator[Finding]:
    """Everything in an object that is no mistake to Argo and yet asks for trouble."""
    whole = compact(document)
    if len(whole) > MAX_OBJECT:
        yield (), f"{len(whole)} bytes of JSON leave no room for a run's status"
    for place, text in texts(document) if _is_suspicious(whole) else ():
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


def _is_suspicious(whole: bytes) -> bool:
    """Whether an object's JSON has something that is worth a look at every text: most have nothing of it."""
    if not whole.isascii() or b"$" in whole or b"\x7f" in whole or b"podSpecPatch" in whole:
        return True
    return whole.count(b"\\") != whole.count(b'\\"')  # JSON spells with one what cannot be seen, and quotes


def _workflow(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if "entrypoint" in spec and not mapping(spec.get("podGC")).get("strategy"):
        yield (), "no podGC.strategy: ended pods stay"
    security = mapping(spec.get("securityContext"))
    if not (security.get("runAsNonRoot") is True and security.get("runAsUser") != 0):
        yield ("securityContext",), "pods may run as root"
    if set(mapping(spec.get("artifactRepositoryRef"))) - {"configMap", "key"}:
        yield ("artifactRepositoryRef",), "artifactRepositoryRef has more than a configMap and a key"
    templates = {str(template.get("name")): template for _, template in items(spec, "templates")}
    keys: list[Finding] = []
    used = {str(spec.get("entrypoint")), str(spec.get("onExit"))}
    for place, template in items(spec, "templates"):
        if "dag" in template:
            used.update(str(task.get("template")) for _, task in items(template, "dag", "tasks"))
        else:
            written = items(template, "outputs", "artifacts")
            keys += [((*place, *p), key) for p, a in written if (key := mapping(a.get("s3")).get("key"))]
        for below, text in _template(template, templates):
            yield (*place, *below), f"template {template.get('name')}: {text}"
    yield from doubles("artifacts under the key", keys)
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
    yield from _tagged({key: template[key] for key in template if key in _PLAIN}, ())
    if "container" in template:
        yield from _container(mapping(template["container"]))
        if "--trainjob" in listed(mapping(template["container"]).get("args")):
            yield from _launcher(template, mapping(template["container"]))
    elif "script" in template:
        yield from ((("script",), f"`{{{{{tag}}}}}` in a script") for tag in tags(template["script"]))
    if "retryStrategy" in template:
        yield from _attempts(template)
    if "memoize" in template:
        yield from _memo(template)
    yield from _files(template)


_PLAIN = {"nodeSelector", "tolerations", "volumes", "metadata", "retryStrategy", "activeDeadlineSeconds"}


def _tagged(part: Any, place: Place) -> Iterator[Finding]:
    """Tags where our own manifests have none."""
    if b"{{" in compact(part):
        found = ((below, text) for below, text in texts(part, place) if "{{" in text)
        yield from ((below, f"`{{{{` where no tag belongs: {text!a}") for below, text in found)


def _container(container: Mapping[str, Any]) -> Iterator[Finding]:
    image = str(container.get("image", ""))
    if "@sha256:" not in image or "{{" in image:
        yield ("container", "image"), "image without a digest"
    if not container.get("command"):
        yield ("container",), "no command: Argo has to look it up in the registry"
    security = mapping(container.get("securityContext"))
    if {key: security.get(key) for key in _HARDENED} != _HARDENED:
        yield ("container",), "container is not locked down"
    yield from doubles("variable", ((("container", *p), v.get("name")) for p, v in items(container, "env")))
    yield from _tagged(container.get("env", []), ("container", "env"))
    if "resources" in container:
        yield from ((("container", "resources"), text) for text in _machine(mapping(container["resources"])))


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


def _files(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Every file has a place of its own on a volume that can be written."""
    if "dag" in template or "steps" in template:
        return
    paths: list[tuple[str, Place]] = []
    for side in ("inputs", "outputs"):
        for place, artifact in items(template, side, "artifacts"):
            paths.append((str(artifact.get("path", "")), place))
            yield from _kept(artifact, place, written=side == "outputs")
    for place, parameter in items(template, "outputs", "parameters"):
        if path := mapping(parameter.get("valueFrom")).get("path"):
            paths.append((str(path), place))
    if "container" in template:
        mounts = tuple(f"{m.get('mountPath')}/" for _, m in items(template, "container", "volumeMounts"))
        yield from ((p, f"{path!r} is on the read-only root") for path, p in paths if not path.startswith(mounts))
    paths.sort(key=itemgetter(0))
    for (one, _), (other, place) in pairwise(paths):
        if one == other:
            yield place, f"two files at {one}"
        elif other.startswith(f"{one}/"):
            yield place, f"another file lies in {one}"


def _kept(artifact: Mapping[str, Any], place: Place, *, written: bool) -> Iterator[Finding]:
    """An artifact lies as it is under a key, and whose repository that is and who may read it is said elsewhere."""
    found = mapping(artifact.get("s3"))
    if not written and "s3" not in artifact:
        return
    if found.keys() != {"key"}:
        yield place, f"artifact {artifact.get('name')} has no key, or more than a key"
    if artifact.get("archive") != _NO_ARCHIVE:
        yield place, f"artifact {artifact.get('name')} would be a tar archive"
    for key in found if len(found) > 1 else ():
        if _KEYS.fullmatch(key):
            yield (*place, "s3", key), f"{key}: a key of the repository's"


def _memo(template: Mapping[str, Any]) -> Iterator[Finding]:
    """An earlier result stands in only for one of the same inputs, and can only be kept of what is not tried again."""
    memo, place = mapping(template["memoize"]), ("memoize",)
    if "retryStrategy" in template:
        yield place, "memoize beside retryStrategy: Argo keeps nothing of such a template"
    if not memo.get("maxAge"):
        yield place, "memoize without maxAge: what it stands for may long be gone"
    key = str(memo.get("key", ""))
    for _, parameter in items(template, "inputs", "parameters"):
        if f"{{{{inputs.parameters.{parameter.get('name')}}}}}" not in key:
            yield place, f"memoize: the key does not hang on the parameter {parameter.get('name')}"
    if items(template, "inputs", "artifacts") and not items(template, "inputs", "parameters"):
        yield place, "memoize: nothing says what the input artifacts hold"


def _attempts(template: Mapping[str, Any]) -> Iterator[Finding]:
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
    depends = str(task.get("depends") or "")
    if depends:
        yield from _lost(depends, tasks)
    if "when" in task:
        yield from _when(str(task["when"]), tasks, templates)
    given = {str(a.get("name")): a for _, a in items(task, "arguments", "artifacts")}
    if not given:
        return
    taken = {str(a.get("name")): a for _, a in items(templates.get(str(task.get("template"))), "inputs", "artifacts")}
    if "template" in task:
        yield from (f"is given {name}, which it does not take" for name in given if name not in taken)
    conditions = _conditions(task)
    for name, artifact in given.items():
        source = str(artifact.get("from", ""))
        match = _ARTIFACT.fullmatch(source)
        if match is None:
            if not _HANDED_ON.fullmatch(source):
                yield f"artifact {name} is from {source!r}"
        elif not _conditions(mapping(tasks.get(match[1]))) <= conditions and not (
            artifact.get("optional") and mapping(taken.get(name)).get("optional")
        ):
            yield f"artifact {name} may not be there and is not optional"


def _lost(depends: str, tasks: Mapping[str, Any]) -> Iterator[str]:
    """What waits for another says how that must have ended, and counts with its being skipped."""
    for operand, result in operands(depends):
        if not result or result in OF_ITEMS:
            yield f"depends on {operand}, whose result {result!r} may be any of several"
        elif "when" in mapping(tasks.get(operand)) and f"{operand}.Skipped" not in depends:
            yield f"is lost when {operand} is skipped"


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
