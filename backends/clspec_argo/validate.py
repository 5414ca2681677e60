"""What must hold of the objects that this backend has made: Argo's rules, the house's, and what only we can know.

A finding here is a mistake of this backend, never of the user: what a user can cause, `check` has told already.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec.manifest import items
from clspec.trainjob import faults
from clspec_argo import events, house, rules
from clspec_argo.pod import ALLOW_BOTH, BEGAN, RUN, STORE
from clspec_argo.text import MAX_LIST
from clspec_argo.together import Together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.manifest import Object

_TAGGED = (STORE, ALLOW_BOTH, BEGAN, RUN)
"""The arguments that are tags; no other holds one."""
_OTHERS = ("List", "EventSource", "Role", "RoleBinding", "Sensor", "ServiceAccount")


class EmitError(ClspecError):
    """The Argo backend made objects that would not run: a bug in clspec. `found` says what is wrong."""

    def __init__(self, found: tuple[str, ...]) -> None:
        self.found = found
        super().__init__("the Argo backend made objects that would not run, please report this: " + "; ".join(found))


def findings(bundle: Mapping[str, Object], longest: int = MAX_LIST) -> tuple[str, ...]:
    """Everything wrong with the objects of a bundle, each naming its file and place."""
    review = Review(longest)
    for file, document in bundle.items():
        review.look(file, document)
    return review.findings()


class Review:
    """The objects of a bundle, looked at one after another."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._found: list[str] = []
        self._together = Together()

    def look(self, file: str, document: Object) -> None:
        """Judge an object by itself, and keep what it says of others."""
        self._found += (f"{file}: {text}" for text in _document(document, self._longest))
        self._together.look(file, document)

    def findings(self) -> tuple[str, ...]:
        """Everything wrong with what was looked at."""
        return (*self._found, *self._together.findings())


def _document(document: Object, longest: int) -> Iterator[str]:
    kind = document["kind"]
    if kind not in (*rules.KINDS, *_OTHERS):
        yield f"kind {kind}"
    if kind in rules.KINDS:
        for place, text in (*rules.judge(document, longest), *house.judge(document)):
            yield f"{'.'.join(map(str, place))}: {text}"
    if kind == "WorkflowTemplate":
        for _, template in items(document["spec"], "templates"):
            yield from (f"template {template.get('name')}: {text}" for text in _leaf(template))
    elif kind in events.KINDS:
        yield from (text for _, text in events.judge(document))


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
