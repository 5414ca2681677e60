"""Digests of files that are not read again while they are what they were: by size, times and inode.

A stamp is trusted as git trusts its index: only if the file was last changed well before it was read. A file that was
changed in the same tick of the clock in which it was read could be changed once more without a trace.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from clspec.plan import canonical
from clspec_local.reading import read_only

if TYPE_CHECKING:
    from pathlib import Path

_FINE = 50_000_000
"""Nanoseconds that must lie between a change and the reading, where the file system tells times finely."""
_COARSE = 2_500_000_000
"""The same where its times are whole seconds or so."""
_TABLE = "CREATE TABLE IF NOT EXISTS stamp (path TEXT PRIMARY KEY, seen TEXT NOT NULL, digest TEXT NOT NULL)"


class Stamps:
    """The digests of files, remembered from one run to the next in a file that may be thrown away at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, str]] = {}
        self._fresh: dict[str, tuple[str, str]] = {}
        with suppress(sqlite3.Error, OSError):  # a memory that is lost costs time, nothing else
            connection = _opened(path)
            self._known = {path: (seen, digest) for path, seen, digest in connection.execute("SELECT * FROM stamp")}
            connection.close()
        self._behind = _clock_behind(path.parent)

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
        again = _seen(after)
        changed = max(found.st_mtime_ns, found.st_ctime_ns)
        coarse = found.st_mtime_ns % 1_000_000 == 0 and found.st_ctime_ns % 1_000_000 == 0
        if again == seen and before - changed > (_COARSE if coarse else _FINE):
            self._known[path] = self._fresh[path] = (seen, digest)
        return digest

    def of(self, path: str) -> str:
        """sha256 over a file's bytes, or over the names and digests of a folder's files.

        Raises:
            OSError: something cannot be read.
        """
        try:
            cut = len(path) + 1
            names = {whole[cut:]: self.of_file(whole) for whole in files(path)}
        except NotADirectoryError:
            return self.of_file(path)
        return f"sha256:{hashlib.sha256(canonical(names).encode()).hexdigest()}"

    def save(self) -> None:
        """Remember what was read, and forget files that are gone once they are the most."""
        if not self._fresh:
            return
        with suppress(sqlite3.Error, OSError):
            connection = _opened(self._path)
            rows = [(path, seen, digest) for path, (seen, digest) in self._fresh.items()]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO stamp VALUES (?, ?, ?)", rows)
            if len(self._known) > 2 * _MOST_FORGOTTEN:
                gone = [(path,) for path in self._known if not os.path.lexists(path)]
                connection.executemany("DELETE FROM stamp WHERE path = ?", gone)
            connection.execute("COMMIT")
            connection.close()
        self._fresh.clear()


class ReadStamps(Stamps):
    """The same for whoever may write nothing: what is remembered is used, and nothing is added to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {}
        self._fresh = {}
        self._behind = 1 << 62  # nothing is old enough to be trusted that was not trusted before
        with suppress(sqlite3.Error, OSError), closing(read_only(path)) as connection:
            self._known = {path: (seen, digest) for path, seen, digest in connection.execute("SELECT * FROM stamp")}

    def save(self) -> None:
        """Nothing is remembered."""


_MOST_FORGOTTEN = 50_000


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(_TABLE)
    return connection


def _seen(found: os.stat_result) -> str:
    """Size, time of change of the content, of the inode, inode and device."""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def files(folder: str) -> list[str]:
    """The files below a folder, those behind links among them, folders behind links not."""
    found: list[str] = []
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    found.append(entry.path)
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
