"""A spec and its surroundings as they were found: its text, lock and environments, of the right shape, unjudged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import codes, load, lock, parse, shape
from clspec.check import Facts, environments
from clspec.diagnostic import has_errors
from clspec.rejoining import in_conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.diagnostic import Diagnostic
    from clspec.load import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """The facts of a document, and what is wrong with its shape."""

    facts: Facts
    problems: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was found at the path of a spec."""

    path: str
    text: str
    document: Document | None
    """As it is written; None where nothing sensible can be read."""
    unread: tuple[Diagnostic, ...]
    """Why it cannot be read, or not well. An unknown version of the language is told alone."""
    plain: Shaped | None
    """As it is without an environment; None where it cannot be read or is of another language."""
    elsewhere: Mapping[str, Shaped] = field(default_factory=dict)
    """As it is in each environment that has the right shape."""
    locked: Document | None = None
    """The lock's text, for its places."""
    unlocked: tuple[Diagnostic, ...] = ()
    """Why the lock cannot be read."""


def opened(path: str, name: str | None = None, text: str | None = None) -> Opened:
    """What is found at a path, which is called by its `name` in all problems, if it has another.

    With a `text` the spec is that, and only what is beside it is looked for.

    Raises:
        UsageError: the path cannot be read.
    """
    called = name or path
    unread: tuple[Diagnostic, ...] = ()
    if text is None:
        text, unread = load.read(path)
    document, found = (None, ()) if text is None else load.load(text, called)
    unread = (*unread, *found)
    version = shape.version(document) if document is not None else None
    if document is None or version is not None:
        told = (version,) if version is not None else unread
        return Opened(path=path, text=text or "", document=document, unread=told, plain=None)
    pins, locked, unlocked = _lock(lock.path_for(path), lock.path_for(called))
    folder = Path(path).parent
    plain = _shaped(document, folder, pins)
    elsewhere = {
        one: _shaped(environments.there(document, one), folder, pins)
        for one in environments.names(plain.facts.document)
        if plain.facts.intact("environments", one)
    }
    return Opened(
        path=path,
        text=text or "",
        document=document,
        unread=_without_followers(unread, plain.problems),
        plain=plain,
        elsewhere=elsewhere,
        locked=locked,
        unlocked=unlocked,
    )


_ODD = "CLS211"
"""What is wrong anyway need not be told apart from how other tools read it."""


def _without_followers(unread: tuple[Diagnostic, ...], problems: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    wrong = {problem.span for problem in problems if problem.is_error}
    return tuple(problem for problem in unread if problem.code != _ODD or problem.span not in wrong)


def _shaped(document: Document, folder: Path, pins: lock.Lock | None) -> Shaped:
    found, rest = shape.check(document)
    spec, unread = parse.parse(rest)
    facts = Facts(
        spec=spec,
        document=rest,
        written=document,
        folder=folder,
        lock=pins,
        lock_path=lock.path_for(document.path),
    )
    return Shaped(facts=facts, problems=(*found, *unread))


def _lock(path: str, called: str) -> tuple[lock.Lock | None, Document | None, tuple[Diagnostic, ...]]:
    """The lock, its text, and why it cannot be read; a lock that is not there is no problem of its own."""
    if not Path(path).exists():
        return None, None, ()
    text, problems = load.read(path)
    document, found = (None, ()) if text is None else load.load(text, called)
    problems = (*problems, *found)
    if document is not None and (newer := lock.newer(document.value)):
        place = document.span(("version",))
        message = f"the lock is of version {newer}, and this clspec knows version {lock.VERSION}"
        hint = "install the clspec that wrote it, or a newer one"
        return None, document, (codes.problem("CLS605", message, path=called, span=place, hint=hint, where="version"),)
    if document is None or has_errors(problems):
        told = problems[0] if problems else None
        why, hint = told.message if told else "it is not YAML", ""
        if in_conflict(text or ""):
            why = "git could not merge it, and left its marks in it"
            hint = "`clspec lock SPEC` puts both sides together"
        at, message = told.span if told else None, f"the lock cannot be read: {why}"
        return None, document, (codes.problem("CLS603", message, path=called, span=at, hint=hint),)
    try:
        return lock.parse(document.value), document, ()
    except lock.LockError as error:
        return None, document, (codes.problem("CLS603", f"the lock cannot be read: {error}", path=called),)
