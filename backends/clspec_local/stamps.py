"""Digests of files that are not read again while they are what they were: by size, times and inode.

A stamp is trusted as git trusts its index: only if the file was last changed well before it was read. A file that was
changed in the same tick of the clock in which it was read could be changed once more without a trace.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clspec.plan import canonical
from clspec_local.reading import read_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FINE = 50_000_000
"""Nanoseconds that must lie between a change and the reading, where the file system tells times finely."""
_COARSE = 2_500_000_000
"""The same where its times are whole seconds or so."""
_STAMPS = "CREATE TABLE IF NOT EXISTS stamp (path TEXT PRIMARY KEY, seen TEXT NOT NULL, digest TEXT NOT NULL)"
_TREES = """
CREATE TABLE IF NOT EXISTS tree (path TEXT PRIMARY KEY, names TEXT NOT NULL, seen TEXT NOT NULL, digest TEXT NOT NULL)
"""
_APART = "\0"
"""What stands between two names: no name can hold it."""


class Stamps:
    """The digests of files and folders, remembered from one run to the next in a file that may be thrown away.

    Of a folder the names in it are remembered too, and the stamps of the folders themselves: those change with each
    name that comes or goes, so that nobody has to list them again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, str]] = {}
        """By path: the stamp of a file, and its digest."""
        self._trees: dict[str, tuple[str, str, str]] = {}
        """By path: the names in a folder, their stamps, and its digest."""
        self._fresh: dict[str, tuple[str, str]] = {}
        self._fresh_trees: dict[str, tuple[str, str, str]] = {}
        with suppress(sqlite3.Error, OSError), closing(_opened(path)) as connection:
            self._recall(connection)  # a memory that is lost costs time, nothing else
        self._behind = _clock_behind(path.parent)

    def _recall(self, connection: sqlite3.Connection) -> None:
        for path, seen, digest in connection.execute("SELECT * FROM stamp"):
            self._known[path] = seen, digest
        for path, names, seen, digest in connection.execute("SELECT * FROM tree"):
            self._trees[path] = names, seen, digest

    def of_file(self, path: str) -> str:
        """sha256 over a file's bytes.

        Raises:
            OSError: it cannot be read.
        """
        found = os.stat(path)  # noqa: PTH116  # asked of every output of every step
        seen = _seen(found)
        known = self._known.get(path)
        if known is not None and known[0] == seen:
            return known[1]
        before = time.time_ns() - self._behind
        with open(path, "rb") as stream:  # noqa: PTH123  # the same
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
            after = os.fstat(stream.fileno())
        if _seen(after) == seen and _is_settled(found, before):
            self._known[path] = self._fresh[path] = (seen, digest)
        return digest

    def of(self, path: str, skip: str = "") -> str:
        """sha256 over a file's bytes, or over the names and digests of a folder's files.

        Folders called `skip` are left out, wherever they lie.

        Raises:
            OSError: something cannot be read.
        """
        known = self._trees.get(path)
        if known is not None and _all_seen(path, known[0].split(_APART)) == known[1]:
            return known[2]
        if not stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116  # asked of every output of every step
            return self.of_file(path)
        before = time.time_ns() - self._behind
        listed = _listed(path, skip)
        digests = {name[1:]: self.of_file(path + name) for name in listed.files}
        digest = f"sha256:{hashlib.sha256(canonical(digests).encode()).hexdigest()}"
        if listed.is_all and all(_is_settled(found, before) for found in listed.folders.values()):
            self._remember(path, listed, digest)
        return digest

    def _remember(self, path: str, listed: _Listed, digest: str) -> None:
        """Remember a folder whose files are all remembered, in their place, if nothing in it has changed meanwhile."""
        stamps = {name: _seen(found) for name, found in listed.folders.items()}
        for name in listed.files:
            if (known := self._known.get(path + name)) is None:
                return
            stamps[name] = known[0]
        seen = "\n".join(stamps.values())
        if _all_seen(path, stamps) == seen:
            self._trees[path] = self._fresh_trees[path] = (_APART.join(stamps), seen, digest)
            for name in listed.files:
                self._fresh.pop(path + name, None)

    def save(self) -> None:
        """Remember what was read, and forget what is gone once it is the most."""
        if not (self._fresh or self._fresh_trees):
            return
        with suppress(sqlite3.Error, OSError), closing(_opened(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            _write(connection, "stamp", self._fresh, self._known)
            _write(connection, "tree", self._fresh_trees, self._trees)
            connection.execute("COMMIT")
        self._fresh.clear()
        self._fresh_trees.clear()


class ReadStamps(Stamps):
    """The same for whoever may write nothing; what is remembered is used, and nothing is added to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {}
        self._trees = {}
        self._fresh = {}
        self._fresh_trees = {}
        self._behind = 1 << 62  # nothing is old enough to be trusted that was not trusted before
        with suppress(sqlite3.Error, OSError), closing(read_only(path)) as connection:
            self._recall(connection)

    def save(self) -> None:
        """Nothing is remembered."""


_MOST_FORGOTTEN = 50_000


def _write(
    connection: sqlite3.Connection,
    table: str,
    fresh: Mapping[str, tuple[str, ...]],
    known: Mapping[str, tuple[str, ...]],
) -> None:
    rows = [(path, *more) for path, more in fresh.items() if _is_text(path) and _is_text(more[0])]
    if rows:
        holes = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({holes})", rows)  # noqa: S608  # our own names
    if len(known) > 2 * _MOST_FORGOTTEN:
        gone = [(path,) for path in known if not os.path.lexists(path)]
        connection.executemany(f"DELETE FROM {table} WHERE path = ?", gone)  # noqa: S608  # the same


def _is_text(name: str) -> bool:
    """Whether a name can be written down: Linux lets names hold what is no text in any encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(_STAMPS)
    connection.execute(_TREES)
    return connection


def _seen(found: os.stat_result) -> str:
    """Size, time of change of the content, of the inode, inode and device."""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def _all_seen(path: str, names: Iterable[str]) -> str:
    """The stamps of all that has these names below a folder; nothing if one is gone."""
    try:
        return "\n".join([_seen(os.stat(path + name)) for name in names])  # noqa: PTH116  # asked of every output
    except OSError:
        return ""


def _is_settled(found: os.stat_result, before: int) -> bool:
    """Whether something had last changed well before a moment, by the clock of its file system."""
    coarse = found.st_mtime_ns % 1_000_000 == 0 and found.st_ctime_ns % 1_000_000 == 0
    return before - max(found.st_mtime_ns, found.st_ctime_ns) > (_COARSE if coarse else _FINE)


@dataclass(slots=True)
class _Listed:
    """What is in a folder, by names that begin with a slash; the folder's own name is empty."""

    folders: dict[str, os.stat_result] = field(default_factory=dict)
    """Each as it was before it was listed."""
    files: list[str] = field(default_factory=list)
    """Those behind links among them."""
    is_all: bool = True
    """Whether there is nothing else, such as links to folders, which count for nothing until they lead to files."""


def _listed(path: str, skip: str) -> _Listed:
    found = _Listed()
    waiting = [""]
    while waiting:
        below = waiting.pop()
        found.folders[below] = os.stat(path + below)  # noqa: PTH116  # as above
        with os.scandir(path + below) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting += [name] if entry.name != skip else []
                elif entry.is_file():
                    found.files.append(name)
                else:
                    found.is_all = False
    return found


def _clock_behind(folder: Path) -> int:
    """By how many nanoseconds the clock of a folder's file system is behind this machine's; not less than none."""
    probe = folder / f".clock-{os.getpid()}"
    try:
        now = time.time_ns()
        probe.touch()
        behind = now - probe.stat().st_mtime_ns
        probe.unlink()
    except OSError:
        return _COARSE
    return max(0, behind)
