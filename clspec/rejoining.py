"""A lock that git left with conflict marks, put together item by item: two people rarely touch the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec import lock
from clspec.diagnostic import has_errors
from clspec.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clspec.lock import Lock

_OURS, _BASE, _BETWEEN, _THEIRS = "<<<<<<< ", "|||||||", "=======", ">>>>>>> "


def in_conflict(text: str) -> bool:
    """Whether git left marks in a lock."""
    return any(line.startswith(_OURS) for line in text.splitlines())


def rejoined(text: str, path: str) -> Lock:
    """The lock of both sides.

    Raises:
        LockError: a side cannot be read, or both have an item and differ in it.
    """
    ours, theirs = (_side(lines, path) for lines in _sides(text))
    found: dict[str, Any] = {}
    for section, mine in ours.items():
        if section != "version":
            found[section] = _joined(section, mine, theirs[section])
    return lock.parse({"version": lock.VERSION, **found})


def _joined(section: str, mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    differing = sorted(name for name in mine.keys() & other.keys() if mine[name] != other[name])
    if differing:
        named = ", ".join(f"`{name}`" for name in differing[:5])
        message = f"both sides of the merge changed {named} of `{section}`: keep one side of it in the file"
        raise lock.LockError(message)
    return {**mine, **other}


def _sides(text: str) -> tuple[list[str], list[str]]:
    """The lines of either side; what stands outside of marks belongs to both."""
    ours: list[str] = []
    theirs: list[str] = []
    into: Iterable[list[str]] = (ours, theirs)
    for line in text.splitlines():
        if line.startswith(_OURS):
            into = (ours,)
        elif line.startswith(_BASE):
            into = ()
        elif line == _BETWEEN:
            into = (theirs,)
        elif line.startswith(_THEIRS):
            into = (ours, theirs)
        else:
            for side in into:
                side.append(line)
    return ours, theirs


def _side(lines: list[str], path: str) -> dict[str, Any]:
    document, problems = load("\n".join(lines) + "\n", path)
    if document is None or has_errors(problems):
        message = "a side of the merge is no lock: take the lock of either branch, and run `clspec lock` again"
        raise lock.LockError(message)
    found: dict[str, Any] = {field.encode_name: {} for field in msgspec.structs.fields(lock.Lock)}
    return {**found, **msgspec.to_builtins(lock.parse(document.value))}
