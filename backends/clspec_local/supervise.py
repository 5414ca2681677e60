"""The inside of a warm process while a step runs below it: it outlives the engine, and ends what the step began.

The engine holds the other end of a channel. When it asks for the end, or is itself gone in whatever way, the step is
ended with every process that it began. The warm process is their subreaper: those in sessions of their own do not
escape it either.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from clspec_local import wire
from clspec_local.interruption import ASKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Container, Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_OWN_FAULT = 2
_LIBC = ctypes.CDLL(None)
_PRCTL, _FFLUSH = _LIBC.prctl, _LIBC.fflush
"""Looked up here, once and not in each fork."""
_GRACE = 3.0
"""Seconds between the polite signal to end and the other one."""
_PATIENCE = 10.0
"""Seconds to wait for killed processes, which a hanging file system may hold."""
_had: dict[str, str] = {}
"""The variables of the last step that was forked from this process."""


def supervise(work: dict[str, Any], scratch: str, channel: socket.socket) -> bool:
    """Run a step and tell the engine its process and how it ended; whether the engine is still there.

    `scratch` is the folder for its temporary files, empty before and after.
    """
    supervisor = os.getpid()
    step = _cold(work, scratch) if work["spawn"] else _warm(work, scratch)
    worker = os.fork()
    if worker == 0:
        _work(work, step, supervisor, channel)
    with suppress(OSError):  # both set it, so that neither has to wait for the other
        os.setpgid(worker, worker)
    there = _tell(channel, {"pid": worker})
    status, peak, there = _watch(worker, channel if there else None)
    end_orphans()
    _empty(scratch)
    return there and _tell(channel, {"status": status, "peak": peak})


def _empty(scratch: str) -> None:
    with suppress(OSError):
        if not os.listdir(scratch):  # noqa: PTH208  # looked at after every step
            return
    shutil.rmtree(scratch, ignore_errors=True)
    with suppress(OSError):
        os.mkdir(scratch, 0o700)  # noqa: PTH102


def become_subreaper() -> None:
    """Have the kernel hand over whatever loses its parent below this process."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


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


def end_orphans(known: Container[int] = ()) -> None:
    """Kill every child but the known ones, and all below it; whose parent ends becomes ours, until none is left."""
    deadline, me = time.monotonic() + _PATIENCE, os.getpid()
    while time.monotonic() < deadline:
        if not known:
            try:
                if os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:  # the usual case, without a look at all processes
                return
        orphans = [pid for pid, parent in _parents() if parent == me and pid not in known]
        if not orphans:
            return
        for orphan in orphans:
            for pid in (orphan, *descendants(orphan)):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(orphan, os.WNOHANG)
        time.sleep(0.002)


def _tell(channel: socket.socket, message: dict[str, Any]) -> bool:
    try:
        wire.send(channel, message)
    except OSError:
        return False
    return True


def _watch(worker: int, channel: socket.socket | None) -> tuple[int, int, bool]:
    """The step's status and the most KiB of memory that it held, and whether the engine is still there.

    It is ended when the engine wants it, or is no longer there.
    """
    ended = os.pidfd_open(worker)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    deadline: float | None = None
    if channel is None:
        deadline = _ask_to_end(worker)
    else:
        poll.register(channel, select.POLLIN)
    there = channel is not None
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(None if deadline is None else 100)]
            if ended in ready:
                _, status, usage = os.wait4(worker, 0)
                return status, usage.ru_maxrss, there
            if channel is not None and channel.fileno() in ready:
                there = wire.receive(channel) is not None
                deadline = deadline or _ask_to_end(worker)
                if not there:
                    poll.unregister(channel)
                    channel = None
            if deadline is not None and time.monotonic() > deadline:
                with suppress(OSError):
                    os.kill(worker, signal.SIGKILL)
    finally:
        os.close(ended)


def _ask_to_end(worker: int) -> float:
    """Ask a step's process group to end; when it is made to."""
    with suppress(OSError):
        os.killpg(worker, signal.SIGTERM)
    return time.monotonic() + _GRACE


# -- the step --------------------------------------------------------------------------------------------------------


def _cold(work: dict[str, Any], scratch: str) -> Callable[[], int]:
    """The step as a Python of its own, in which this process will be replaced."""
    program = [sys.executable, "-P", "-X", "faulthandler", "-m", "clspec.step", *work["said"]]
    variables = {**work["variables"], **work["secrets"], "TMPDIR": scratch}
    return lambda: os.execve(program[0], program, variables)  # noqa: S606


def _warm(work: dict[str, Any], scratch: str) -> Callable[[], int]:
    """The step in what is loaded here, made ready as far as may be: after the fork it copies each page it touches."""
    from clspec.step import program  # noqa: PLC0415  # a warm process has it loaded, a cold one never

    given = program.told(work["said"])
    _have({**work["variables"], "TMPDIR": scratch})  # so that nothing is left where all programs write
    secrets, threads = work["secrets"], int(work["threads"])

    def step() -> int:
        if secrets:  # of this step alone, so that no warm process has them
            os.environ.update(secrets)
        _diverge(threads)
        return program.carry_out(given)

    return step


def _have(variables: dict[str, str]) -> None:
    """Have these variables and no others; most often they are those of the step before."""
    global _had  # noqa: PLW0603  # what this process has is known nowhere else without reading all of it
    if variables == _had:
        return
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
    tempfile.tempdir = None
    _had = variables


def _work(work: dict[str, Any], step: Callable[[], int], supervisor: int, channel: socket.socket) -> NoReturn:
    """Turn this forked process into the step; never return to the warm process' code."""
    code = _OWN_FAULT
    try:
        os.setpgid(0, 0)
        _redirect(work["log"])
        channel.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _die_with(supervisor)
        code = step()
    except BaseException:  # noqa: BLE001  # nothing may unwind into the frames above
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            _FFLUSH(None)  # what libraries have printed
        os._exit(code)


def _diverge(threads: int) -> None:
    """Become what a process of its own would be: random numbers of its own, and as many threads as the step asked for.

    A library that was loaded before the fork has read its variables already.
    """
    if (numbers := sys.modules.get("numpy.random")) is not None:
        numbers.seed()
    if threads == 1:
        return
    for path in {line.split()[-1] for line in _maps() if "openblas" in line}:
        library = ctypes.CDLL(path)
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if (function := getattr(library, name, None)) is not None:
                function(threads)
                break


def _maps() -> list[str]:
    with suppress(OSError):
        return Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return []


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when the one above does."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(143)


def _be_the_first_to_go() -> None:
    """If memory runs out, let the kernel take what is below the engine, of which a step is the largest."""
    with suppress(OSError):
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(descriptor, b"500")
        finally:
            os.close(descriptor)


def prctl(option: int, value: int) -> None:
    """The system call of that name."""
    _PRCTL(option, value, 0, 0, 0)


def _redirect(log: str) -> None:
    """Send what the step prints to its log; to read it has what its warm process has, which is nothing."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def set_the_scene() -> None:
    """Be, once and for all that are forked from here, what a step wants that changes nothing for a warm process.

    What asks a program to end is the step's business, which is asked and waited for: a warm process blocks it, and a
    step lets it through again. SIGPIPE stays as in every Python program.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, (*ASKING, signal.SIGQUIT))
    _be_the_first_to_go()
    faulthandler.enable(2)  # the lines at which a fatal signal struck
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
