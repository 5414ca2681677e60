"""What must hold of the emitted objects and no schema can say, after Argo's own validate.go and what bit others.

A finding here is a mistake of this backend, never of the user: what a user can cause, `check` has told already.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec_argo.references import references
from clspec_argo.text import MAX_CRON_NAME, MAX_LIST, MAX_NAME, MAX_OBJECT, MAX_RUN_NAME, compact, fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec_argo.emit import Document

KINDS = ("container", "containerSet", "dag", "data", "http", "plugin", "resource", "script", "steps", "suspend")
LEAF_ONLY = ("activeDeadlineSeconds", "retryStrategy", "nodeSelector", "tolerations", "volumes")
RETRY_POLICIES = frozenset({"Always", "OnFailure", "OnError", "OnTransientError"})
POD_GC = frozenset({"OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"})
CONCURRENCY = frozenset({"Allow", "Forbid", "Replace"})

_QUANTITY = re.compile(r"(0|[1-9][0-9]*)(m|Ki|Mi|Gi|Ti)?")
_NATIVE = frozenset({"cpu", "memory", "ephemeral-storage"})
_HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}


class EmitError(ClspecError):
    """The Argo backend made objects that would not run: a bug in clspec. `found` says what is wrong."""

    def __init__(self, found: tuple[str, ...]) -> None:
        self.found = found
        super().__init__("the Argo backend made objects that would not run, please report this: " + "; ".join(found))


def findings(bundle: Mapping[str, Document]) -> tuple[str, ...]:
    """Everything wrong with the objects of a bundle, each naming its file and place."""
    templates = {d["metadata"]["name"]: d for d in bundle.values() if d["kind"] == "WorkflowTemplate"}
    found: list[str] = []
    for file, document in bundle.items():
        found += (f"{file}: {text}" for text in _document(document, templates))
    twice = _repeated([f"{d['kind']} {d['metadata']['name']}" for d in bundle.values()])
    return (*found, *(f"two objects {name}" for name in twice))


def _document(document: Document, templates: Mapping[str, Document]) -> Iterator[str]:
    name = document["metadata"]["name"]
    if document["apiVersion"] != "argoproj.io/v1alpha1":
        yield f"apiVersion {document['apiVersion']}"
    if not fits("name", name):
        yield f"name {name} is not a Kubernetes name"
    if (size := len(compact(document))) > MAX_OBJECT:
        yield f"{size} bytes of JSON"
    yield from _texts(document)
    if document["kind"] == "WorkflowTemplate":
        yield from _workflow(name, document["spec"])
    elif document["kind"] == "CronWorkflow":
        yield from _cron(name, document["spec"], templates)
    else:
        yield f"kind {document['kind']}"


def texts(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a document, keys included, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*place, "key"), str(key)
            yield from texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*place, index))


def _texts(document: Document) -> Iterator[str]:
    for place, text in texts(document):
        where = ".".join(map(str, place))
        if not text.isprintable():
            yield f"{where}: unprintable character"
        if "$(" in text or "$$" in text:
            yield f"{where}: Kubernetes would expand {text!a}"


def _workflow(name: str, spec: Document) -> Iterator[str]:
    if len(name) > MAX_RUN_NAME:
        yield f"name {name} is longer than {MAX_RUN_NAME}"
    if "workflowTemplateRef" in spec:
        yield "templates beside workflowTemplateRef"
    templates = spec["templates"]
    if len(templates) > MAX_LIST:
        yield f"{len(templates)} templates"
    for double in _repeated([template["name"] for template in templates]):
        yield f"two templates {double}"
    if spec.get("podGC", {}).get("strategy") not in POD_GC:
        yield "podGC.strategy"
    security = spec.get("securityContext", {})
    if not (security.get("runAsNonRoot") is True and security.get("runAsUser", 1) > 0):
        yield "pods may run as root"
    keys = [a["s3"]["key"] for t in templates for a in t.get("outputs", {}).get("artifacts", ()) if "s3" in a]
    for double in _repeated(keys):
        yield f"two artifacts under the key {double}"
    volumes = {volume["name"] for volume in spec.get("volumes", ())}
    for template in templates:
        yield from (f"template {template['name']}: {text}" for text in _template(template, volumes))
    yield from references(spec)


def _template(template: Document, volumes: set[str]) -> Iterator[str]:
    if not fits("name", template["name"]) or len(template["name"]) > MAX_NAME:
        yield f"a pod's name is made of the name, at most {MAX_NAME} lower-case characters"
    kinds = [kind for kind in KINDS if kind in template]
    if kinds == ["container"]:
        yield from _leaf(template, volumes | {volume["name"] for volume in template.get("volumes", ())})
    elif kinds == ["dag"]:
        yield from (f"{key} on a dag" for key in LEAF_ONLY if key in template)
    else:
        yield f"is of kinds {kinds}"


def _leaf(template: Document, volumes: set[str]) -> Iterator[str]:
    container = template["container"]
    if "@sha256:" not in container.get("image", ""):
        yield "image without a digest"
    if not container.get("command"):
        yield "no command"
    if {key: container.get("securityContext", {}).get(key) for key in _HARDENED} != _HARDENED:
        yield "container is not locked down"
    mounts = container.get("volumeMounts", [])
    yield from (f"no volume {m['name']}" for m in mounts if m["name"] not in volumes)
    yield from (f"two mounts at {path}" for path in _repeated([m["mountPath"] for m in mounts]))
    yield from (f"two variables {name}" for name in _repeated([e["name"] for e in container.get("env", ())]))
    yield from _configuration(container.get("args", []))
    yield from _machine(container.get("resources", {}))
    yield from _attempts(template)
    yield from _outputs(template.get("outputs", {}))
    yield from _files(template, [mount["mountPath"] for mount in mounts])


def _configuration(arguments: list[str]) -> Iterator[str]:
    following = dict(pairwise(arguments))
    try:
        json.loads(following.get("--config", ""))
    except ValueError:
        yield "--config is not JSON"
    for key in ("--code", "--store"):
        if not following.get(key):
            yield f"{key} is missing"


def _machine(resources: Document) -> Iterator[str]:
    for kind, amounts in resources.items():
        for key, amount in amounts.items():
            if not (isinstance(amount, str) and _QUANTITY.fullmatch(amount)):
                yield f"{kind}.{key} {amount!r} is not a quantity"
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    yield from (f"device {key} in requests" for key in requests if key not in _NATIVE)
    yield from (f"{key} of requests and limits differ" for key in _NATIVE if requests.get(key) != limits.get(key))


def _attempts(template: Document) -> Iterator[str]:
    if not str(template.get("activeDeadlineSeconds", "1")).isdigit():
        yield "activeDeadlineSeconds"
    if (retry := template.get("retryStrategy")) is None:
        return
    if retry.get("retryPolicy") not in RETRY_POLICIES:
        yield "retryPolicy"
    if not str(retry.get("limit", "")).isdigit():
        yield "retry without a limit"
    if "lastRetry" not in retry.get("expression", ""):
        yield "retry of everything"
    backoff = retry.get("backoff", {})
    if not backoff.get("duration") or "maxDuration" in backoff:
        yield "backoff needs duration, and maxDuration ends the attempt under way"


def _outputs(outputs: Document) -> Iterator[str]:
    for parameter in outputs.get("parameters", ()):
        if set(parameter.get("valueFrom", {})) - {"default"} != {"path"}:
            yield f"parameter {parameter['name']} does not come from one file"
    for artifact in outputs.get("artifacts", ()):
        if set(artifact.get("s3", {})) != {"key"}:
            yield f"artifact {artifact['name']} has no key, or more than a key"
        if artifact.get("archive") != {"none": {}}:
            yield f"artifact {artifact['name']} would be a tar archive"


def _files(template: Document, mounts: list[str]) -> Iterator[str]:
    inputs, outputs = template.get("inputs", {}), template.get("outputs", {})
    given = {f"{side}.{kind}": s.get(kind, []) for side, s in (("in", inputs), ("out", outputs)) for kind in s}
    for what, items in given.items():
        yield from (f"two {what} {name}" for name in _repeated([item["name"] for item in items]))
        yield from (f"{what} {i['name']}: name" for i in items if not fits("artifact name", i["name"]))
    paths = [
        item.get("path") or item.get("valueFrom", {}).get("path", "") for items in given.values() for item in items
    ]
    yield from (f"two files at {path}" for path in _repeated(paths))
    for path in paths:
        if not any(path.startswith(f"{mount}/") for mount in mounts):
            yield f"{path!r} is on the read-only root"
        elif any(other.startswith(f"{path}/") for other in paths):
            yield f"another file lies in {path}"


def _cron(name: str, spec: Document, templates: Mapping[str, Document]) -> Iterator[str]:
    if len(name) > MAX_CRON_NAME:
        yield f"name {name} is longer than {MAX_CRON_NAME}"
    yield from _times(spec)
    workflow = spec["workflowSpec"]
    if "templates" in workflow:
        yield "templates beside workflowTemplateRef"
    named = workflow.get("workflowTemplateRef", {}).get("name")
    if named not in templates:
        yield f"no WorkflowTemplate {named}"
        return
    given = {p["name"] for p in workflow.get("arguments", {}).get("parameters", ())}
    for parameter in templates[named]["spec"].get("arguments", {}).get("parameters", ()):
        if "value" not in parameter and parameter["name"] not in given:
            yield f"never given {parameter['name']}"


def _times(spec: Document) -> Iterator[str]:
    if not spec.get("schedules"):
        yield "no schedule"
    for schedule in spec.get("schedules", ()):
        fields = schedule.split()
        if len(fields) != 5 or "7" in re.split("[,-]", fields[4].partition("/")[0]):  # noqa: PLR2004
            yield f"schedule {schedule!r}"
    if not spec.get("timezone"):
        yield "no timezone"
    if spec.get("concurrencyPolicy") not in CONCURRENCY:
        yield "concurrencyPolicy"
    if spec.get("startingDeadlineSeconds", 0) < 0:
        yield "startingDeadlineSeconds"


def _repeated(values: list[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)
