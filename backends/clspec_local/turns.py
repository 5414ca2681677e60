"""Whose turn a step is where several runs need the same: one does it, and the others use what it has made.

A key is one byte of one file, held by a POSIX lock from when its step is begun until its result is recorded. The lock
ends with the process that has it, however that ends, and a fork does not inherit it. Nobody waits inside of a call, and
whoever holds a key has its step at work, so that no two runs can wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.plan import Step

NAME = "steps.lock"
_DIGITS = 15
"""So many hexadecimal digits of a key say which byte it is: two keys that share one would only wait for each other."""
_EVERY = 0.25
"""Seconds between two looks at the keys that steps wait for."""
_LOCK = "hhqqi4x"
"""`struct flock` as Linux has it: kind, whence, start, length, process."""


class Turns:
    """The keys whose steps this run has at work, and its steps that wait for keys which are not free."""

    def __init__(self, state: Path) -> None:
        self._place = state / NAME
        self._opened: int | None = None
        self._mine: set[str] = set()
        self._waiting: dict[str, list[Step]] = {}
        self._known: set[str] = set()
        """The steps that have waited."""
        self._next = 0.0

    def __bool__(self) -> bool:
        """Whether a step waits."""
        return bool(self._waiting)

    def take(self, key: str) -> bool:
        """Have a key for this run's step; no if another step has it at work, of this run or of another.

        Raises:
            OSError: the file system has no locks, or the file cannot be opened.
        """
        if key in self._mine:
            return False
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            raise
        self._mine.add(key)
        return True

    def give_back(self, key: str | None) -> list[Step]:
        """Let others have a key, if it is this run's; the own steps that have waited for it."""
        if key is None or key not in self._mine:
            return []
        self._mine.remove(key)
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _byte(key))
        return self._waiting.pop(key, [])

    def wait(self, step: Step, key: str) -> bool:
        """Have a step wait for a key; whether it has never waited before."""
        self._waiting.setdefault(key, []).append(step)
        is_first = step.id not in self._known
        self._known.add(step.id)
        return is_first

    def until_next_look(self, now: float) -> float:
        """Seconds until those that wait should ask again."""
        return max(0.0, self._next - now)

    def asking(self, now: float) -> list[tuple[Step, str]]:
        """The steps that are to ask again now, each with its key."""
        if not self._waiting or now < self._next:
            return []
        self._next = now + _EVERY
        asking = [(step, key) for key, steps in self._waiting.items() for step in steps]
        self._waiting.clear()
        return asking

    def holder(self, key: str) -> int:
        """The other process that has a key; see `holder`."""
        return holder(self._descriptor, _byte(key), 1)

    def close(self) -> None:
        """Let others have all that is still held."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None

    @property
    def _descriptor(self) -> int:
        """The file's, opened once: whoever closes any descriptor of it gives up all locks on it."""
        if self._opened is None:
            self._opened = os.open(self._place, os.O_RDWR | os.O_CREAT, 0o644)
        return self._opened


def holder(descriptor: int, start: int = 0, length: int = 0) -> int:
    """The other process that has locked a part of a file, asked without locking it; 0 where there is none.

    One that cannot be seen from here, as in another container, is -1.
    """
    asked = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    kind, _, _, _, process = struct.unpack(_LOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else int(process) or -1


def _byte(key: str) -> int:
    return int(key[:_DIGITS], 16)
