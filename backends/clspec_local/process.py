"""A step in a process of its own: started, watched, and ended with all its descendants."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clspec.plan import Isolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME"),
)
_PREFIXES_PASSED_ON = ("LC_", "OPENBLAS_", "MKL_", "NVIDIA_", "R_")


def environment(own: Mapping[str, str], secrets: Sequence[str], threads: int, *uris: str) -> dict[str, str]:
    """The variables of a step: what programs need to run, its secrets by name, its threads, and nothing else.

    The cloud's credentials are passed on only where one of the URIs leads into that cloud.
    """
    found = {name: own[name] for name in _PASSED_ON if name in own}
    found |= {name: value for name, value in own.items() if name.startswith(_PREFIXES_PASSED_ON)}
    if any("s3://" in uri for uri in uris):
        found |= {name: value for name, value in own.items() if name.startswith("AWS_")}
    found |= {name: own[name] for name in secrets}
    found |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    # Threads that wait by spinning take the cores from whoever else works: measured 16 s against 6 on a busy machine.
    return {**found, "OMP_WAIT_POLICY": "passive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended, in words and as an exit code (128 + n for signal n)."""

    exit_code: int
    how: str
    infrastructure: bool
    """Whether it died of its surroundings, so that trying again may help."""


class Process:
    """A running step; its process leads a group of its own, which ends with it."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], log: Path, isolation: Isolation) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        log.touch()
        self.started = time.monotonic()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _become_step(arguments, variables, log, isolation, parent)
        with suppress(OSError):  # both set it, so that neither has to wait for the other
            os.setpgid(self.pid, self.pid)

    @property
    def seconds(self) -> float:
        """For how long it has been running."""
        return time.monotonic() - self.started

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.end(signal.SIGKILL)  # what it started and left behind
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return Ended(exit_code=code, how=f"exit code {code}", infrastructure=code in {75, 137, 143})
        name = signal.Signals(-code).name
        return Ended(exit_code=128 - code, how=f"signal {name}", infrastructure=True)

    def end(self, number: signal.Signals) -> None:
        """Send a signal to it and all its descendants in its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def memory(self) -> int:
        """Bytes of memory that its group occupies now."""
        return sum(_resident(pid) for pid in _group(self.pid))


def _group(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found


def _resident(pid: int) -> int:
    """Bytes of a process that are in memory and its own: pages shared with the engine are not counted."""
    with suppress(OSError, ValueError, IndexError):
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _become_step(
    arguments: Sequence[str], variables: Mapping[str, str], log: Path, isolation: Isolation, parent: int
) -> NoReturn:
    """Turn this forked process into the step; never return to the engine's code."""
    code = 2
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with(parent)
        _redirect(log)
        os.environ.clear()
        os.environ.update(variables)
        if isolation is Isolation.SPAWN:
            os.execve(sys.executable, [sys.executable, "-m", "clspec.step", *arguments], dict(variables))  # noqa: S606
        from clspec.step.program import main  # noqa: PLC0415  # loaded in the step's process, never in the engine's

        code = main(arguments)
    except BaseException:  # noqa: BLE001  # nothing may unwind into the engine's frames
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when the engine does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(143)


def _redirect(log: Path) -> None:
    """Send what the step prints to its log, and give it nothing to read."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
