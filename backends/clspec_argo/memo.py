"""Which steps an earlier result may stand in for, and the key that it is found by.

Argo knows nothing of what an artifact holds, so that a key made at compile time would be wrong: it would name where the
inputs come from, not what they are. Here every step whose outputs such a key depends on writes one word, the digest of
all of them, and hands it on as a parameter. A key is the digest of all that a template says, image and configuration
among it, followed by the word of each step that it reads from.

What judges is never among them. A verdict is made anew in every run, from metrics that were made from just these
predictions of just this model; and what reads or writes the store sees it as it is (rows may have been erased there).
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import TYPE_CHECKING, Any

from clspec.plan import Kind, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Pipeline, Step

Document = dict[str, Any]

KINDS = (Kind.TRAIN, Kind.PREDICT, Kind.EVALUATE)
"""What follows from its configuration and inputs alone, and gives no answer of its own."""
WORD = "_digest"
"""The output parameter that says what a step's outputs hold; no plan's parameter begins so."""
MOST = 6
"""So many words of 32 letters and a key's own fit into the 253 letters of a ConfigMap's key."""

_BYTES = 20
_LABEL = {"workflows.argoproj.io/configmap-type": "Cache"}
"""Argo uses no other ConfigMap as a cache."""


def obstacles(pipeline: Pipeline) -> Mapping[str, str]:
    """The steps that an earlier result could stand in for, each with what keeps it from that; nothing where it may."""
    told = {source.step for step in pipeline.steps if step.always for source in step.inputs}
    return {step.id: _obstacle(step, told) for step in pipeline.steps if step.kind in KINDS and step.pure}


def _obstacle(step: Step, told: set[str]) -> str:
    if not step.inputs:
        return "it reads nothing that a key could be made of"
    if any(source.optional for source in step.inputs):
        return "an input may be missing"
    if (count := len(sources(step))) > MOST:
        return f"it reads from {count} steps, and a key has room for {MOST}"
    if step.id in told:
        return "a step that always runs looks for its outputs under this run's keys"
    if step.resources.nodes > 1:
        return "it runs on several machines"
    return ""


def sources(step: Step) -> tuple[str, ...]:
    """The steps that one reads from, in a fixed order."""
    return tuple(dict.fromkeys(source.step for source in step.inputs))


def taken(name: str) -> str:
    """The input parameter for the word of the step of that name; no name of a step holds an underscore."""
    return f"digest_{name}"


def memoize(step: Step, template: Document, called: Mapping[str, str], cache: str, options: Any) -> Document:
    """How Argo finds an earlier result of a template: its key, how old it may be, and the ConfigMap that holds it."""
    said = {key: template[key] for key in ("container", "nodeSelector", "tolerations", "volumes") if key in template}
    wired = [[source.name, called[source.step], source.output] for source in step.inputs]
    own = hashlib.sha256(canonical({"template": said, "inputs": wired}).encode()).digest()[:_BYTES]
    words = (f"{{{{inputs.parameters.{taken(called[name])}}}}}" for name in sources(step))
    held = {"name": cache}
    if options.argo_version == "3.7":  # whose schema wants one, and which does not look at it
        held["key"] = "results"
    return {
        "key": "-".join((b32encode(own).decode("ascii").lower(), *words)),
        "maxAge": f"{options.memoize_seconds}s",
        "cache": {"configMap": held},
    }


def caches(names: list[str], labels: dict[str, str]) -> Document:
    """The ConfigMaps that results are found in, one for each step: one holds about a thousand of them (1 MB).

    They say nothing of what is in them, so that `kubectl replace` empties them; when one is full or gone, Argo ends the
    step whose result it cannot keep (configmap_cache.go, `Save`).
    """
    metadata = ({"name": name, "labels": {**labels, **_LABEL}} for name in names)
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": found} for found in metadata]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def is_cache(config_map: Document) -> bool:
    """Whether Argo uses a ConfigMap as a cache."""
    labels: Document = config_map["metadata"].get("labels", {})
    return _LABEL.items() <= labels.items()


def granted(role: Document) -> list[str]:
    """The ConfigMaps that a Role lets somebody change."""
    changing = (rule for rule in role["rules"] if {"get", "update"} <= set(rule["verbs"]))
    return [name for rule in changing for name in rule.get("resourceNames", ())]


def rights(names: list[str]) -> list[Document]:
    """What Argo's controller must be allowed: these ConfigMaps and no others."""
    return [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": names, "verbs": ["get", "update"]}]
