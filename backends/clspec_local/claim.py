"""A run's claim on its folder, which ends when its process does, and tidying up after runs that were killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clspec_local import account
from clspec_local.turns import holder
from clspec_local.using import StateError
from clspec_local.variables import RUN

if TYPE_CHECKING:
    from clspec_local.history import History

RUNS = "runs"
"""The folder, in the state folder, of the runs' own folders."""
WORK = "work"
"""The folder, below a run's, of what steps have not finished."""
KILLED = 137
"""What the history says of a run whose engine was killed: 128 + SIGKILL, whatever it was."""


def claim(folder: Path) -> int | None:
    """Claim a run's folder, as a descriptor to close in the end; None if a living process has it.

    The lock is POSIX' kind, which a fork does not inherit: no step can hold it when the engine is gone.
    """
    descriptor = os.open(folder / "claim", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def run_of(process: int, runs: Path, history: History, asking: str) -> str:
    """The run that a process has claimed, as far as that can be seen from here; nothing if none is found.

    The run that asks is not looked at: to close its claim's file anywhere in its process would end the claim.
    """
    if process > 0:
        for run in history.unended():
            with suppress(OSError):
                if run != asking and held_by(runs / run) == process:
                    return run
    return ""


def held_by(folder: Path) -> int:
    """The process that has claimed a run's folder, asked without claiming it; see `turns.holder`.

    Raises:
        OSError: there is no claim on it, and was none.
    """
    descriptor = os.open(folder / "claim", os.O_RDONLY)
    try:
        return holder(descriptor)
    finally:
        os.close(descriptor)


def tidy(runs: Path, history: History) -> None:
    """Remove what killed runs have left unfinished, and record their end."""
    for run in history.unended():
        folder = runs / run
        descriptor = claim(folder) if folder.is_dir() else None
        if descriptor is None and folder.is_dir():
            continue
        _end_processes(folder)
        shutil.rmtree(folder / WORK, ignore_errors=True)
        history.end(run, KILLED)
        if descriptor is not None:
            with suppress(OSError, StateError):  # a run that was is no reason why another one cannot be
                close_account(folder, history)
            os.close(descriptor)


def close_account(folder: Path, history: History, why: str = "") -> None:
    """Write into the folder of a run that the engine did not end itself how it ended, and its page, if it can have one.

    Raises:
        OSError, StateError: it cannot be written.
    """
    from clspec_local import page  # noqa: PLC0415  # few runs come upon one that was killed

    row, steps = history.run(folder.name), history.steps(folder.name)
    account.end(folder, row, steps)
    page.write_afterwards(folder, row, steps, why)


def _end_processes(folder: Path) -> None:
    """Kill what a run has left behind that was killed together with all that watched over its steps."""
    mark = f"{RUN}={folder}".encode()
    for entry in os.listdir("/proc"):  # noqa: PTH208  # the names are enough
        if entry.isdigit():
            with suppress(OSError):
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    os.kill(int(entry), signal.SIGKILL)
