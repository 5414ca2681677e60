"""Specs beside what they were at a revision of their repository. No user code runs, and of git only blobs are read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import revisions
from clspec.comparing import Version, concerns, needed, review, unread, whole
from clspec.diagnostic import ClspecError, UsageError
from clspec.lock import path_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clspec.diff import Failure, Review
    from clspec.revisions import Revision


def one(path: str, against: str, day: date | None) -> Review | Failure:
    """A spec beside what it was: at a revision, or in a `.yaml` file.

    Raises:
        UsageError: it is in no repository, or git knows no such revision.
    """
    if Path(against).suffix in revisions.SUFFIXES:
        return review(Version(path=against, name=against), Version(path=path, name=path), day)
    top = revisions.root(Path(path).parent)
    base = revisions.revision(top, against)
    return _compared(base, _from_root(top, path), path, day, alone=True)


def branch(folder: Path, against: str, specs: Sequence[str], day: date | None) -> tuple[Review | Failure, ...]:
    """Every spec that a branch changes, or those named, beside what it was where the branch began.

    Raises:
        UsageError: the folder is in no repository, git finds no such point, or a spec that is named is nowhere.
    """
    top = revisions.root(folder)
    base = revisions.fork_point(top, against)
    paths = _affected(base, {_from_root(top, path) for path in specs})
    return tuple(_compared(base, path, os.path.relpath(top / path), day, alone=False) for path in paths)


def _from_root(top: Path, path: str) -> str:
    """A path as git says it."""
    place = Path(os.path.abspath(path))  # noqa: PTH100  # a link is itself a file of the repository
    for root in (top, top.resolve()):
        if place.is_relative_to(root):
            return place.relative_to(root).as_posix()
    resolved = place.parent.resolve() / place.name
    if resolved.is_relative_to(top.resolve()):
        return resolved.relative_to(top.resolve()).as_posix()
    message = f"{path} is not in the repository {top}"
    raise UsageError(message)


def _affected(base: Revision, named: set[str]) -> tuple[str, ...]:
    """The specs whose text, lock or code a branch changes, in order; those that only one side has included."""
    top = base.root
    changes = revisions.changed(base)
    here = {
        path
        for path in revisions.present(top)
        if path.endswith(revisions.SUFFIXES) and (top / path).is_file() and revisions.is_spec((top / path).read_bytes())
    }
    before = set(base.specs())
    unknown = sorted(named - here - before)
    if unknown:
        message = f"{unknown[0]} is a spec neither here nor at {base.word}"
        raise UsageError(message)
    found = []
    for path in sorted(named or here | before):
        texts = [(top / path).read_bytes()] if path in here else []
        texts += [base.text(path)] if path in before else []
        if concerns(path, texts, changes):
            found.append(path)
    return tuple(found)


def _compared(base: Revision, path: str, shown: str, day: date | None, *, alone: bool) -> Review | Failure:
    """A spec of the working tree beside what it was at a revision; `alone` where a side without it says nothing."""
    name = f"{base.word}:{path}"
    here = Path(shown).is_file()
    if path not in base.entries or not here:
        if alone:
            place = shown if not here else name
            return unread(shown, name, f"there is no {place}, so that there is nothing to compare")
        return whole(shown, name, day, here=here)
    links = [one for one in (path, path_for(path)) if base.is_link(one) or (base.root / one).is_symlink()]
    if links:
        return unread(shown, name, f"{links[0]} is a link: a spec and its lock are files of the repository")
    with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
        folder = Path(scratch)
        try:
            base.write(needed(path, base.text(path)), folder)
        except ClspecError as error:
            return unread(shown, name, str(error))
        return review(Version(path=str(folder / path), name=name), Version(path=shown, name=shown), day)
