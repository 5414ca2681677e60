"""One of two specs to be compared: read with its lock, its environments and the digest of its code; nothing runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import code, load, lock, parse, shape
from clspec.check import Facts, environments, secrets
from clspec.diagnostic import ClspecError, has_errors, in_order
from clspec.diff.view import View, view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.diagnostic import Diagnostic, Span
    from clspec.load import Document


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
    called = name or path
    document = _document(path, called)
    version = shape.version(document)
    if version is not None:
        message = f"{called} cannot be compared: {version.message}"
        raise NotCompared(message, (version,))
    pins, locked = _lock(path, called)
    plain = _view(document, path, pins)
    there = {
        one: _view(environments.there(document, one), path, pins) for one in environments.names(plain.facts.document)
    }
    root = plain.facts.root
    return Side(
        name=called,
        lock_name=lock.path_for(called),
        plain=plain,
        environments=there,
        lock=pins,
        locked=locked,
        code=_code(root) if plain.facts.has_root else "",
        secret=tuple(found.span for found in secrets.told(document.text, called, document, ()) if found.span),
    )


def _document(path: str, called: str) -> Document:
    text, problems = load.read(path)
    document, found = (None, ()) if text is None else load.load(text, called)
    problems = (*problems, *found)
    if document is None or has_errors(problems):
        message = f"{called} cannot be compared: it cannot be read"
        raise NotCompared(message, problems)
    return document


def _lock(path: str, called: str) -> tuple[lock.Lock | None, Document | None]:
    place = lock.path_for(path)
    if not Path(place).exists():
        return None, None
    document = _document(place, lock.path_for(called))
    try:
        return lock.parse(document.value), document
    except lock.LockError as error:
        message = f"{lock.path_for(called)} cannot be compared: {error}"
        raise NotCompared(message) from error


def _view(document: Document, path: str, pins: lock.Lock | None) -> View:
    """The view of a document, every part of which has the right shape."""
    found, rest = shape.check(document)
    spec, unread = parse.parse(rest)
    problems = (*found, *unread)
    if has_errors(problems) or not parse.whole(rest):
        message = f"{document.path} cannot be compared: it does not have the shape of a spec"
        raise NotCompared(message, in_order(problems))
    facts = Facts(
        spec=spec,
        document=rest,
        written=document,
        folder=Path(path).parent,
        lock=pins,
        lock_path=lock.path_for(path),
    )
    return view(facts)


def _code(root: Path) -> str:
    try:
        return code.digest(root)
    except (ClspecError, OSError) as error:
        message = f"the code cannot be compared: {error}"
        raise NotCompared(message) from error
