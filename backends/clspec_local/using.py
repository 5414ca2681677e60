"""Who uses what is kept: runs side by side, or a collection alone, never both.

Both hold a POSIX lock, which ends with the process that has it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clspec.diagnostic import ClspecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_USE, _COLLECTION = "use.lock", "gc.lock"


class StateError(ClspecError):
    """The folder of what is local cannot be used."""


@contextmanager
def used(state: Path) -> Iterator[None]:
    """Use what is kept; a collection that is at work is waited for, and none begins.

    Raises:
        StateError: the folder cannot be used.
    """
    descriptor = _opened(state, _USE)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def collected(state: Path) -> Iterator[bool]:
    """Collect, after any other collection has ended; whether no run uses what is kept, and none can begin to.

    Raises:
        StateError: the folder cannot be used.
    """
    other, use = _opened(state, _COLLECTION), _opened(state, _USE)
    try:
        fcntl.lockf(other, fcntl.LOCK_EX)
        yield _alone(use)
    finally:
        os.close(use)
        os.close(other)


def _alone(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _opened(state: Path, name: str) -> int:
    try:
        state.mkdir(parents=True, exist_ok=True)
        return os.open(state / name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"the folder {state} cannot be used: {error.strerror or error}"
        raise StateError(message) from error
