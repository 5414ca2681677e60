"""What parts of a workflow have in common wherever they stand: names, arguments, hooks, attempts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.manifest import Finding, Place

RETRY_POLICIES = ("Always", "OnFailure", "OnError", "OnTransientError")
MAX_PARAMETERS = 500

_OWN = {"name", "path", "mode", "recurseMode", "archive", "optional", "description", "subPath", "globalName"}
_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_LONGEST = 128
_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")


def required(template: Mapping[str, Any], sort: str) -> Iterator[str]:
    """The inputs that a template must be given."""
    if sort == "parameters":
        without = ("value", "default", "valueFrom")
        yield from (str(p.get("name")) for _, p in items(template, "inputs", sort) if not any(k in p for k in without))
        return
    for _, artifact in items(template, "inputs", sort):
        if not artifact.get("optional") and artifact.keys() <= _OWN:
            yield str(artifact.get("name"))


def hooks(found: Mapping[str, Any], known: Mapping[str, Any], place: Place, *, elsewhere: bool) -> Iterator[Finding]:
    """Hooks call something, and say when unless it is at the exit."""
    for name, hook in found.items():
        called = str(mapping(hook).get("template") or "")
        if called and "templateRef" not in hook and called not in known and not elsewhere and "{{" not in called:
            yield (*place, name), f"hook {name}: no template {called}"
        if not called and "templateRef" not in mapping(hook):
            yield (*place, name), f"hook {name} calls no template"
        if name != "exit" and not mapping(hook).get("expression"):
            yield (*place, name), f"hook {name} has no expression"


def retries(holder: Mapping[str, Any]) -> Iterator[Finding]:
    """How often something is tried again."""
    retry = mapping(holder.get("retryStrategy"))
    policy = retry.get("retryPolicy")
    if policy is not None and policy not in RETRY_POLICIES and "{{" not in str(policy):
        yield ("retryStrategy", "retryPolicy"), f"retryPolicy {policy!r} is none of {', '.join(RETRY_POLICIES)}"
    limit = retry.get("limit")
    if limit is not None and "{{" not in str(limit) and not str(limit).isdigit():
        yield ("retryStrategy", "limit"), f"limit {limit!r} is not a number"


def doubles(what: str, named: Iterable[tuple[Place, Any]]) -> Iterator[Finding]:
    """Two of one name, told once."""
    seen: dict[str, int] = {}
    for place, name in named:
        text = str(name)
        seen[text] = seen.get(text, 0) + 1
        if name is not None and seen[text] == 2:  # noqa: PLR2004  # the second one
            yield place, f"two {what}s {name}"


def given(arguments: Mapping[str, Any], place: Place, *, complete: bool) -> Iterator[Finding]:
    """Arguments have names, and values where a run is complete."""
    for sort in ("parameters", "artifacts"):
        yield from named(arguments, sort, place)
    for below, parameter in items(arguments, "parameters"):
        name = parameter.get("name")
        if complete and "value" not in parameter and "valueFrom" not in parameter:
            yield (*place, *below), f"argument {name} has no value"
        choices = parameter.get("enum")
        if choices is not None and not listed(choices):
            yield (*place, *below), f"argument {name} has an empty enum"
        elif choices and "value" in parameter and parameter["value"] not in choices:
            yield (*place, *below), f"argument {name} is none of its enum"


def named(side: Mapping[str, Any], sort: str, place: Place) -> Iterator[Finding]:
    """Parameters or artifacts, each with a name of its own."""
    found = items(side, sort)
    if not found:
        return
    if len(found) > MAX_PARAMETERS:
        yield place, f"{len(found)} {sort}, at most {MAX_PARAMETERS}"
    for below, item in found:
        if not _PARAMETER.fullmatch(str(item.get("name", ""))):
            yield (*place, *below), f"{sort[:-1]} {item.get('name')!r}: a name has letters, digits, `-` and `_`"
    if len(found) > 1:
        yield from doubles(sort[:-1], (((*place, *below), item.get("name")) for below, item in found))


def called(what: str, name: Any, place: Place) -> Iterator[Finding]:
    """The name of a template, task or step."""
    text = str(name or "")
    if not _NAME.fullmatch(text):
        yield place, f"{what} {name!r}: a name has letters, digits and `-`"
    elif len(text) > _LONGEST:
        yield place, f"{what} {text}: longer than {_LONGEST}"
