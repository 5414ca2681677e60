"""The inside of a step's process group: the step, and above it a supervisor that outlives the engine.

The engine holds the writing end of a pipe. When it lets go of it, or ends in whatever way, the supervisor ends the step
and every process that the step began. It is their subreaper: those in sessions of their own do not escape it either.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clspec.plan import Isolation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_OWN_FAULT = 2
_GRACE = 3.0
"""Seconds between the polite signal to end and the other one."""
_PATIENCE = 10.0
"""Seconds to wait for killed processes, which a hanging file system may hold."""

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a step's process is given: the step program's arguments, its variables, its log, and how it is begun."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    log: Path
    isolation: Isolation
    code: Path
    """The root of the user's code."""


def supervise(work: Work, alive: int) -> NoReturn:
    """Turn this forked process into the supervisor of a step; never return to the engine's code."""
    status = _OWN_FAULT << 8
    try:
        os.setpgid(0, 0)
        _redirect(work.log)
        for number in (*ASKING, signal.SIGQUIT):  # the step's business: it is asked, and the supervisor waits for it
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        scratch = tempfile.mkdtemp(prefix="clspec-")
        supervisor = os.getpid()
        worker = os.fork()
        if worker == 0:
            _work(work, scratch, supervisor)
        status = _watch(worker, alive)
        _end_all()
        shutil.rmtree(scratch, ignore_errors=True)
    except BaseException:  # noqa: BLE001  # nothing may unwind into the engine's frames
        traceback.print_exc()
    finally:
        _end_as(status)


def descendants(pid: int) -> list[int]:
    """The processes below a process, as they are now."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.listdir("/proc"):  # noqa: PTH208  # looked at often; paths cost four times as much
        if entry.isdigit():
            with suppress(OSError):  # it has ended
                content = Path(f"/proc/{entry}/stat").read_bytes()
                yield int(entry), int(content.rpartition(b")")[2].split()[1])


# -- the supervisor --------------------------------------------------------------------------------------------------


def _watch(worker: int, alive: int) -> int:
    """The status with which the step ended; it is ended when the engine wants it, or is no longer there."""
    poll = select.poll()
    poll.register(os.pidfd_open(worker), select.POLLIN)
    poll.register(alive, select.POLLIN)
    deadline: float | None = None
    while (status := _reaped(worker)) is None:
        ready = [descriptor for descriptor, _ in poll.poll(500)]
        if alive in ready:
            poll.unregister(alive)
            os.killpg(0, signal.SIGTERM)
            deadline = time.monotonic() + _GRACE
        elif deadline is not None and time.monotonic() > deadline:
            os.kill(worker, signal.SIGKILL)
    return status


def _reaped(worker: int) -> int | None:
    """Take leave of the children that have ended; the worker's status, if it is among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == worker:
            return status
        if pid == 0:
            return None


def _end_all() -> None:
    """Kill every descendant; one whose parent ends becomes the supervisor's own child, until there is none."""
    deadline = time.monotonic() + _PATIENCE
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for pid in descendants(os.getpid()):
                    with suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)


def _end_as(status: int) -> NoReturn:
    """End as the step ended, signal for signal, so that the engine sees no difference."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the step has left its own, if any
            if -code != signal.SIGKILL:
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


# -- the step --------------------------------------------------------------------------------------------------------


def _work(work: Work, scratch: str, supervisor: int) -> NoReturn:
    """Turn this forked process into the step; never return to the supervisor's code."""
    code = _OWN_FAULT
    try:
        _default_signals()
        _die_with(supervisor)
        variables = {**work.variables, "TMPDIR": scratch}  # so that nothing is left where all programs write
        if work.isolation is Isolation.SPAWN:
            program = [sys.executable, "-P", "-X", "faulthandler", "-m", "clspec.step"]
            os.execve(program[0], [*program, *work.arguments], variables)  # noqa: S606
        os.environ.clear()
        os.environ.update(variables)
        tempfile.tempdir = None
        faulthandler.enable(2)  # the lines at which a fatal signal struck
        _default_warnings()
        gc.freeze()  # the engine's garbage is not ours: a finalizer would remove what it still uses
        _forget(work.code)
        from clspec.step.program import main  # noqa: PLC0415  # loaded in the step's process, never in the engine's

        code = main(work.arguments)
    except BaseException:  # noqa: BLE001  # nothing may unwind into the engine's frames
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            ctypes.CDLL(None).fflush(None)  # what libraries have printed
        os._exit(code)  # none of the engine's `finally` and exit functions


def _default_signals() -> None:
    """Undo what the engine and the supervisor do with signals; SIGPIPE stays as in every Python program."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) or number in {*ASKING, signal.SIGQUIT, signal.SIGCHLD}:
            signal.signal(number, signal.SIG_DFL)


def _default_warnings() -> None:
    """Warn as Python does by itself, not as the engine's process was told to."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when the one above does."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(143)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _forget(root: Path) -> None:
    """Drop the user's modules that the engine's process (a notebook) has imported: the files may be newer."""
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__dict__", {}).get("__file__")
        top = name.partition(".")[0]
        if origin and name != "__main__" and {root / top, root / f"{top}.py"} & {Path(origin), *Path(origin).parents}:
            del sys.modules[name]


def _redirect(log: Path) -> None:
    """Send what the step prints to its log, and give it nothing to read."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
