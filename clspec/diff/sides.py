"""One of two specs to be compared: read with its lock, its environments and the digest of its code; nothing runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import code, lock, parse
from clspec.check import secrets
from clspec.diagnostic import ClspecError, has_errors, in_order
from clspec.diff.view import View, view, view_elsewhere
from clspec.opening import opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clspec.check import Facts
    from clspec.diagnostic import Diagnostic, Span
    from clspec.load import Document
    from clspec.opening import Opened, Shaped


class NotCompared(ClspecError):
    """A side cannot be read, so that nothing is known of what changed; `diagnostics` says why where the spec does."""

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A spec that was read whole. Its paths are `name`s: what a person calls the file, wherever it lies."""

    name: str
    lock_name: str
    plain: View
    """As it is without an environment."""
    environments: Mapping[str, View]
    lock: lock.Lock | None
    locked: Document | None
    """The lock's text, for its places."""
    code: str
    """The digest of the code, or nothing where there is no code root."""
    secret: tuple[Span, ...]
    """Where literal secrets stand, which are repeated nowhere."""


def read(path: str, name: str | None = None) -> Side:
    """A spec from its file, called by a name if it has another.

    Raises:
        NotCompared: it, its lock or its code cannot be read, or it does not have the shape of a spec.
        UsageError: there is no such file.
    """
    return side(opened(path, name), name or path)


def side(found: Opened, name: str) -> Side:
    """A spec that was opened, called by a name.

    Raises:
        NotCompared: it, its lock or its code cannot be read, or it does not have the shape of a spec.
    """
    if found.plain is None or has_errors(found.unread):
        why = found.unread[0].message if found.document is not None and found.plain is None else "it cannot be read"
        message = f"{name} cannot be compared: {why}"
        raise NotCompared(message, in_order(found.unread))
    if found.unlocked:
        message = f"{lock.path_for(name)} cannot be compared: {found.unlocked[0].message}"
        raise NotCompared(message, found.unlocked)
    facts, plain = found.plain.facts, view(_whole(found.plain, name))
    return Side(
        name=name,
        lock_name=lock.path_for(name),
        plain=plain,
        environments={one: view_elsewhere(plain, _whole(there, name)) for one, there in found.elsewhere.items()},
        lock=facts.lock,
        locked=found.locked,
        code=_code(facts.root) if facts.has_root else "",
        secret=tuple(p.span for p in secrets.told(found.text, name, facts.written, ()) if p.span),
    )


def _whole(shaped: Shaped, name: str) -> Facts:
    """The facts of a document, every part of which has the right shape."""
    if has_errors(shaped.problems) or not parse.whole(shaped.facts.document):
        message = f"{name} cannot be compared: it does not have the shape of a spec"
        raise NotCompared(message, in_order(shaped.problems))
    return shaped.facts


def _code(root: Path) -> str:
    try:
        return code.digest(root)
    except (ClspecError, OSError) as error:
        message = f"the code cannot be compared: {error}"
        raise NotCompared(message) from error
