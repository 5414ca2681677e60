"""What git knows of a repository's files at a revision. Only blobs are read: no hook, filter or attribute has a say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError
from clspec.repository import git as _git
from clspec.repository import root

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SUFFIXES", "Entry", "Revision", "changed", "fork_point", "is_spec", "present", "revision", "root"]

_FILE, _PROGRAM, _LINK = "100644", "100755", "120000"
_SPEC = re.compile(rb"""apiVersion["']?\s*:\s*["']?clspec\.dev/""")
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at a revision: its mode and the id of its content."""

    mode: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit, by the word that named it, and all files that it has, by their path from the repository's root."""

    root: Path
    word: str
    commit: str
    entries: dict[str, Entry]

    def specs(self) -> tuple[str, ...]:
        """The files that say that they are specs."""
        named = [path for path in self.entries if path.endswith(SUFFIXES)]
        contents = _contents(self.root, [self.entries[path].blob for path in named])
        return tuple(path for path, content in zip(named, contents, strict=True) if is_spec(content))

    def text(self, path: str) -> bytes:
        """The content of a file."""
        return _contents(self.root, [self.entries[path].blob])[0]

    def is_link(self, path: str) -> bool:
        """Whether it leads elsewhere."""
        return path in self.entries and self.entries[path].mode == _LINK

    def write(self, paths: Iterable[str], folder: Path) -> None:
        """Put files, and all that is below folders, into a folder, each at its path from the root.

        Raises:
            UsageError: something there is neither a file nor a link, such as another repository.
        """
        wanted = tuple(paths)
        found = [(path, entry) for path, entry in self.entries.items() if _among(path, wanted)]
        for (path, entry), content in zip(found, _contents(self.root, [one.blob for _, one in found]), strict=True):
            _put(folder / path, entry, content)


def _among(path: str, wanted: tuple[str, ...]) -> bool:
    return any(one in ("", ".", path) or path.startswith(f"{one.rstrip('/')}/") for one in wanted)


def _put(place: Path, entry: Entry, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if entry.mode == _LINK:
        place.symlink_to(os.fsdecode(content))
    elif entry.mode in (_FILE, _PROGRAM):
        place.write_bytes(content)
    else:
        message = f"{place.name} is another repository inside this one, whose files git does not know"
        raise UsageError(message)


def is_spec(content: bytes) -> bool:
    """Whether a file says that it is a spec."""
    return _SPEC.search(content) is not None


def revision(top: Path, word: str) -> Revision:
    """The commit that a word names.

    Raises:
        UsageError: it names none here.
    """
    try:
        found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    except UsageError:
        message = (
            f"git knows no commit `{word}` here: name another with --against, or fetch it "
            f"(in a workflow: `fetch-depth: 0`)"
        )
        raise UsageError(message) from None
    commit = found.decode().strip()
    listed = _git(top, "ls-tree", "-r", "-z", "--full-tree", commit)
    return Revision(root=top, word=word, commit=commit, entries=dict(map(_entry, _split(listed))))


def _entry(line: str) -> tuple[str, Entry]:
    known, _, path = line.partition("\t")
    mode, _, blob = known.split(" ")
    _inside(path)
    return path, Entry(mode, blob)


def _inside(path: str) -> None:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts:
        message = f"git names a file outside of the repository: {path}"
        raise UsageError(message)


def fork_point(top: Path, word: str) -> Revision:
    """The commit from which the present one and the one that a word names went apart.

    Raises:
        UsageError: there is none, or it was not fetched.
    """
    other = revision(top, word)
    try:
        found = _git(top, "merge-base", other.commit, "HEAD").decode().strip()
    except UsageError:
        message = f"git finds no commit that `{word}` and this branch both have; fetch the history (`fetch-depth: 0`)"
        raise UsageError(message) from None
    return revision(top, found)


def present(top: Path) -> tuple[str, ...]:
    """The files of the working tree that git has or would take, by their path from the root."""
    listed = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name")
    return tuple(path for path in dict.fromkeys(_split(listed)) if os.path.lexists(top / path))


def changed(base: Revision) -> frozenset[str]:
    """The files that differ between a revision and the working tree, by their path from the root."""
    here = present(base.root)
    gone = base.entries.keys() - set(here)
    listed = _git(base.root, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", base.commit)
    return frozenset((*gone, *_split(listed), *(path for path in here if path not in base.entries)))


def _split(listed: bytes) -> list[str]:
    return [os.fsdecode(one) for one in listed.split(b"\0") if one]


def _contents(top: Path, blobs: list[str]) -> list[bytes]:
    """The contents of blobs, in one go."""
    if not blobs:
        return []
    told = _git(top, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode())
    found, at = [], 0
    for blob in blobs:
        end = told.index(b"\n", at)
        words = told[at:end].split()
        if len(words) != 3:  # noqa: PLR2004  # id, kind and size; else git says that it is missing
            message = f"git lacks the object {blob}; fetch the whole history"
            raise UsageError(message)
        size = int(words[2])
        found.append(told[end + 1 : end + 1 + size])
        at = end + size + 2
    return found
