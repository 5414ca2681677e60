"""What starts a run on an event: an EventSource that hears of it, a Sensor that makes the Workflow (Argo Events 1.9).

Nothing of an event's own content reaches the run: it says that something happened, never what is to be done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec.plan import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Finding, Object
    from clspec.plan import Pipeline, Trigger
    from clspec_argo.options import Options

KINDS = ("EventSource", "Sensor", "EventBus")
PORT = "12000"
TOKEN = "webhook-token"  # noqa: S105  # the name of a key
"""The key, in the secret of `--set secrets`, of what a caller of a webhook has to know."""

_SAFE = re.compile(r"[-A-Za-z0-9_./*?@+=, ]+")
_GLOB = re.compile(r"\*\*|\*|\?|[^*?]+")
_WILD = {"**": '[^"]*', "*": '[^"/]*', "?": '[^"/]'}
_CHANGED = "[body.commits.#.modified.#()#,body.commits.#.added.#()#,body.commits.#.removed.#()#]"
"""Every path that a push touches, as one list (gjson)."""
_MADE_BY = ("argoWorkflow", "awsLambda", "azureEventHubs", "azureServiceBus", "custom", "email", "http", "k8s", "kafka")
_MADE_BY_TOO = ("log", "nats", "openWhisk", "pulsar", "slack")


def unsaid(trigger: Trigger, options: Options) -> str:
    """Why an event cannot be heard of, or nothing."""
    if not options.events:
        return "Argo Events is not used"
    if trigger.event is Event.CODE_CHANGE:
        if not options.github:
            return "nothing says which repository"
        if not trigger.paths or not all(_SAFE.fullmatch(path) for path in trigger.paths):
            return "a path has a character that a filter cannot say"
    if trigger.event is Event.DATA_CHANGE and not re.fullmatch(r"[-A-Za-z0-9_]+", trigger.source):
        return "the source's name has a character that a filter cannot say"
    return ""


def heard(pipeline: Pipeline, options: Options) -> tuple[Trigger, ...]:
    """The events that start a pipeline and can be heard of."""
    others = (trigger for trigger in pipeline.triggers if trigger.event is not Event.SCHEDULE)
    return tuple(trigger for trigger in others if not unsaid(trigger, options))


def source(name: str, triggers: tuple[Trigger, ...], options: Options) -> Object:
    """The spec of an EventSource that listens for all of these."""
    made: Object = {"service": {"ports": [{"port": int(PORT), "targetPort": int(PORT)}]}}
    for trigger in triggers:
        sort, event = ("github", _github(name, options)) if trigger.event is Event.CODE_CHANGE else ("webhook", None)
        made.setdefault(sort, {})[_event(trigger)] = event or _webhook(name, trigger, options)
    return made


def _event(trigger: Trigger) -> str:
    return {Event.CODE_CHANGE: "code", Event.DATA_CHANGE: "data", Event.LABELS: "labels"}[trigger.event]


def _github(name: str, options: Options) -> Object:
    owner, _, repository = options.github.partition("/")
    return {
        "repositories": [{"owner": owner, "names": [repository]}],
        "webhook": {"endpoint": f"/{name}/code", "port": PORT, "method": "POST", "url": ""},
        "events": ["push"],
        "contentType": "json",
        "active": True,
        "webhookSecret": {"name": options.secrets, "key": TOKEN},
    }


def _webhook(name: str, trigger: Trigger, options: Options) -> Object:
    endpoint = f"/{name}/{_event(trigger)}"
    secret = {"name": options.secrets, "key": TOKEN}
    return {"endpoint": endpoint, "port": PORT, "method": "POST", "url": "", "authSecret": secret}


def sensor(name: str, triggers: tuple[Trigger, ...], account: str) -> Object:
    """The spec of a Sensor that starts a run on any of these."""
    dependencies = [_dependency(name, number, trigger) for number, trigger in enumerate(triggers, start=1)]
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": f"{name}-"},
        "spec": {"workflowTemplateRef": {"name": name}},
    }
    start = {
        "name": "start",
        "conditions": " || ".join(dependency["name"] for dependency in dependencies),
        "k8s": {"operation": "create", "source": {"resource": run}},
    }
    return {
        "template": {"serviceAccountName": account},
        "dependencies": dependencies,
        "triggers": [{"template": start}],
    }


def _dependency(name: str, number: int, trigger: Trigger) -> Object:
    made: Object = {
        "name": f"{_event(trigger)}-{number}",
        "eventSourceName": name,
        "eventName": _event(trigger),
    }
    if trigger.event is Event.CODE_CHANGE:
        values = [f'"{pattern(path)}"' for path in trigger.paths]
        made["filters"] = {"data": [{"path": _CHANGED, "type": "string", "value": values}]}
    elif trigger.event is Event.DATA_CHANGE:
        made["filters"] = {"data": [{"path": "body.source", "type": "string", "value": [f"^{trigger.source}$"]}]}
    return made


def pattern(path: str) -> str:
    """A path with wildcards as a regular expression over JSON text: `**` is anything, `*` and `?` stay in a folder."""
    return "".join(_WILD.get(part, re.escape(part)) for part in _GLOB.findall(path))


def judge(document: Object) -> Iterator[Finding]:
    """What Argo Events would refuse in one of its objects."""
    if not mapping(document.get("metadata")).get("name"):
        yield ("metadata",), "an object has a name"
    spec = mapping(document.get("spec"))
    if document.get("kind") == "Sensor":
        yield from _sensor(spec)
    elif document.get("kind") == "EventSource":
        settings = ("eventBusName", "replicas", "service", "template")
        if not any(mapping(value) for key, value in spec.items() if key not in settings):
            yield ("spec",), "an EventSource has a source of events"


def _sensor(spec: Mapping[str, Any]) -> Iterator[Finding]:
    names = [str(dependency.get("name")) for _, dependency in items(spec, "dependencies")]
    if not names:
        yield ("spec",), "a Sensor has dependencies"
    for place, dependency in items(spec, "dependencies"):
        missing = [key for key in ("name", "eventSourceName", "eventName") if not dependency.get(key)]
        yield from ((("spec", *place), f"a dependency has {key}") for key in missing)
        if names.count(str(dependency.get("name"))) > 1:
            yield ("spec", *place), f"two dependencies {dependency.get('name')}"
    if not listed(spec.get("triggers")):
        yield ("spec",), "a Sensor has triggers"
    for place, trigger in items(spec, "triggers"):
        yield from ((("spec", *place), text) for text in _trigger(trigger, names))


def _trigger(trigger: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    template = mapping(trigger.get("template"))
    if not template.get("name"):
        yield "a trigger has a name"
    if sum(key in template for key in (*_MADE_BY, *_MADE_BY_TOO)) != 1:
        yield "a trigger does one thing"
    for word in re.findall(r"[-A-Za-z0-9_]+", str(template.get("conditions", ""))):
        if word not in names:
            yield f"conditions: no dependency {word}"
    for holder in (trigger, *(mapping(template.get(key)) for key in _MADE_BY)):
        for _, parameter in items(holder, "parameters"):
            asked = mapping(parameter.get("src")).get("dependencyName")
            if asked not in names:
                yield f"a parameter comes from {asked}, which is no dependency"
            if not parameter.get("dest"):
                yield "a parameter has no dest"
