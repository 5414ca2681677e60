"""Plain objects of Kubernetes that stand beside a target's own: accounts, their rights, and settings; lightly judged.

What the API server refuses of them is an error. Everything else of theirs is left to whoever applies them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Object, Part, Place

RBAC = "rbac.authorization.k8s.io"
KINDS = {
    "ClusterRole": f"{RBAC}/v1",
    "ClusterRoleBinding": f"{RBAC}/v1",
    "ConfigMap": "v1",
    "List": "v1",
    "Role": f"{RBAC}/v1",
    "RoleBinding": f"{RBAC}/v1",
    "Secret": "v1",
    "ServiceAccount": "v1",
}
"""The kinds that are known here, each with its version."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LONGEST = 253
_SUBJECTS = ("Group", "ServiceAccount", "User")


def is_one(document: Object) -> bool:
    """Whether an object is of a kind that is judged here; a List is, where all that it holds are."""
    if document.get("kind") == "List":
        held = listed(document.get("items"))
        return bool(held) and all(isinstance(item, dict) and is_one(item) for item in held)
    return document.get("kind") in KINDS


def judge(document: Object) -> Iterator[Finding]:
    """What the API server would refuse of an object."""
    kind = str(document.get("kind"))
    if document.get("apiVersion") != KINDS[kind]:
        yield ("apiVersion",), f"apiVersion is {document.get('apiVersion')!r}, and a {kind} is of {KINDS[kind]}"
    if kind == "List":
        for place, item in items(document, "items"):
            yield from (((*place, *below), message) for below, message in judge(dict(item)))
        return
    yield from _named(mapping(document.get("metadata")), by_path=kind.startswith(("Role", "ClusterRole")))
    if kind in {"Role", "ClusterRole"}:
        yield from _rules(document, is_of_cluster=kind == "ClusterRole")
    elif kind in {"RoleBinding", "ClusterRoleBinding"}:
        yield from _binding(document, is_of_cluster=kind == "ClusterRoleBinding")
    elif kind in {"ConfigMap", "Secret"}:
        yield from _data(document)


def doubts(document: Object) -> Iterator[Finding]:
    """What the API server takes, and lets somebody do more than they should."""
    for place, item in items(document, "items") if document.get("kind") == "List" else ():
        yield from (((*place, *below), message) for below, message in doubts(dict(item)))
    for place, rule in items(document, "rules"):
        for word in ("verbs", "resources", "apiGroups"):
            if "*" in listed(rule.get(word)):
                yield (*place, word), f"`*` in `{word}` is whatever there will ever be: name what is needed"


def _named(metadata: Part, *, by_path: bool) -> Iterator[Finding]:
    name = metadata.get("name")
    if not name and not metadata.get("generateName"):
        yield ("metadata",), "an object has a name"
    elif name and by_path and (str(name) in {".", ".."} or set(str(name)) & set("/%")):
        yield ("metadata", "name"), f"{name!a} can be no part of a path"
    elif name and not by_path and not (_NAME.fullmatch(str(name)) and len(str(name)) <= _LONGEST):
        yield ("metadata", "name"), f"{name!a} is not a Kubernetes name"


def _rules(document: Object, *, is_of_cluster: bool) -> Iterator[Finding]:
    rules = document.get("rules")
    if rules is not None and not isinstance(rules, list):
        yield ("rules",), "rules are a list"
    for place, rule in items(document, "rules"):
        if not listed(rule.get("verbs")):
            yield place, "a rule has verbs"
        if "nonResourceURLs" in rule:
            if not is_of_cluster:
                yield (*place, "nonResourceURLs"), "only a ClusterRole is about URLs"
            continue
        missing = (word for word in ("apiGroups", "resources") if not listed(rule.get(word)))
        yield from ((place, f"a rule has {word}") for word in missing)


def _binding(document: Object, *, is_of_cluster: bool) -> Iterator[Finding]:
    role = mapping(document.get("roleRef"))
    if role.get("apiGroup", RBAC) != RBAC:
        yield ("roleRef", "apiGroup"), f"apiGroup is {role['apiGroup']!r}, not {RBAC}"
    kinds = ("ClusterRole",) if is_of_cluster else ("ClusterRole", "Role")
    if role.get("kind") not in kinds or not role.get("name"):
        yield ("roleRef",), f"a binding names one {' or '.join(kinds)}"
    for place, subject in items(document, "subjects"):
        yield from _subject(place, subject, is_of_cluster=is_of_cluster)


def _subject(place: Place, subject: Part, *, is_of_cluster: bool) -> Iterator[Finding]:
    kind = subject.get("kind")
    if kind not in _SUBJECTS or not subject.get("name"):
        yield place, f"a subject is a named {', '.join(_SUBJECTS[:-1])} or {_SUBJECTS[-1]}"
    elif kind == "ServiceAccount" and subject.get("apiGroup"):
        yield (*place, "apiGroup"), "a ServiceAccount is of no apiGroup"
    elif kind == "ServiceAccount" and is_of_cluster and not subject.get("namespace"):
        yield place, "a ServiceAccount is of a namespace, which is said here"


def _data(document: Object) -> Iterator[Finding]:
    for word in ("data", "binaryData", "stringData"):
        held: Any = document.get(word)
        if held is not None and not isinstance(held, dict):
            yield (word,), f"{word} is a mapping"
        for key, value in mapping(held).items():
            if not _KEY.fullmatch(str(key)) or len(str(key)) > _LONGEST:
                yield (word, key), f"{key!a} can be no key: letters, digits, `-`, `_` and `.`"
            elif not isinstance(value, str):
                yield (word, key), f"a {type(value).__name__} where a text must stand: put it in quotes"
