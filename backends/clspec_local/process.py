"""A step in a process of its own, as the engine sees it: begun, looked at, and ended with all that it began."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clspec.plan import Isolation
from clspec_local.supervise import ASKING, Work, descendants, supervise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"),
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
    found |= {name: own[name] for name in secrets if name in own}
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
    """A running step, below a supervisor that leads a process group; both end when the engine does.

    To be begun from the main thread: the kernel counts the end of the thread that forked as the end of the parent.
    """

    _held: ClassVar[set[int]] = set()
    """The engine's ends of the pipes of all that run; a fork must not keep those of the others open."""

    def __init__(self, work: Work) -> None:
        for stream in (sys.stdout, sys.stderr):  # else the fork would write once more what is buffered
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        work.log.touch()
        self.started = time.monotonic()
        alive, self._hold = os.pipe()
        self._held.add(self._hold)
        self.pid = self._fork(work, alive)
        os.close(alive)
        with suppress(OSError):  # both set it, so that neither has to wait for the other
            os.setpgid(self.pid, self.pid)

    def _fork(self, work: Work, alive: int) -> int:
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  # a lock held by another thread is held for ever
            work = replace(work, isolation=Isolation.SPAWN)
        with _undisturbed():
            pid = os.fork()
            if pid == 0:
                for descriptor in self._held:
                    os.close(descriptor)
                supervise(work, alive)
        return pid

    @property
    def seconds(self) -> float:
        """For how long it has been running."""
        return time.monotonic() - self.started

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs; not to be asked again once it has ended."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        with suppress(OSError):  # something is left only if the supervisor was killed
            os.killpg(self.pid, signal.SIGKILL)  # before it is reaped: then its number may be another's
        _, status = os.waitpid(self.pid, 0)
        self.end()
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return Ended(exit_code=code, how=f"exit code {code}", infrastructure=code in {75, 137, 143})
        return Ended(exit_code=128 - code, how=f"signal {_name(-code)}", infrastructure=True)

    def end(self) -> None:
        """Have it ended with all that it began: asked first, made to after a while."""
        if self._hold in self._held:
            self._held.remove(self._hold)
            os.close(self._hold)

    def occupies_more_than(self, limit: int) -> bool:
        """Whether it and all that it began hold more than so many bytes of memory; what they share counts once."""
        pids = descendants(self.pid)
        # The cheap number is never the smaller one, so the dear one is needed only near the limit.
        return sum(map(_resident, pids)) > limit and sum(map(_proportional, pids)) > limit


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back signals, so that a fork does not run the engine's answer to one; only Python code runs in the fork."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which here lead to an exec
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals but two
        return str(number)


def _resident(pid: int) -> int:
    """Bytes of a process that are in memory, whoever shares them."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional(pid: int) -> int:
    """Bytes of a process that no file can give back, each divided by the number of those who share it."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return 0
