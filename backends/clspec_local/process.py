"""A step in a process of its own, as the engine sees it: begun, heard of, and ended with all that it began."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.plan import Kind
from clspec_local import wire
from clspec_local.call import arguments

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

Levels = tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...]
"""What a warm process has loaded, level by level: modules, and variables that were set before them."""

_PROGRAM: Levels = ((("clspec.step.program",), ()),)
_DATA = (("pyarrow", "pyarrow.parquet", "pyarrow.compute", "pyarrow.dataset", "clspec.step.job"), ())
_STATISTICS = (("scipy.special", "scipy.optimize"), ())
_JUDGING = frozenset((Kind.EVALUATE, Kind.GATE, Kind.INGEST))
"""The kinds that need statistics, which are loaded once for all of them."""
_LIGHT = frozenset((Kind.CONCLUDE, Kind.NOTIFY, Kind.REPORT))
"""The kinds that do without the data libraries."""
_LATE = {Kind.REPORT: ("jinja2",)}
"""What the kinds load only when they are at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a step's process is given: what the step program is told, variables, secrets, its log, how it is begun."""

    kind: Kind
    said: Mapping[str, Any]
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    log: Path
    cold: bool
    """Whether it gets a Python of its own instead of a fork: it uses CUDA, or its spec says so."""
    threads: int
    torch: bool
    """Whether its code imports torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended, in words and as an exit code (128 + n for signal n)."""

    exit_code: int
    how: str
    infrastructure: bool
    """Whether it died of its surroundings, so that trying again may help."""


class Warmth:
    """The warm processes of a run, begun as they are needed; see `clspec_local.warm`."""

    def __init__(self, log: Path, variables: Mapping[str, str]) -> None:
        self._log = log
        self._variables = dict(variables)
        self._roots: list[subprocess.Popen[bytes]] = []
        self._nodes: dict[Levels, socket.socket] = {}
        self._idle: dict[Levels, list[socket.socket]] = {}

    def begin(self, work: Work) -> Process:
        """Have a step run.

        Raises:
            OSError: no process can be begun.
        """
        return Process(self, work, levels(work))

    def slot(self, wanted: Levels) -> socket.socket:
        """The channel to a warm process that runs no step.

        Raises:
            OSError: none can be begun.
        """
        if idle := self._idle.get(wanted):
            return idle.pop()
        try:
            return self._forked(wanted, ((), ()))
        except OSError:  # something above it has been killed
            self._forget()
            return self._forked(wanted, ((), ()))

    def give_back(self, held: Levels, channel: socket.socket) -> None:
        """Take a warm process back that has run its step."""
        self._idle.setdefault(held, []).append(channel)

    def close(self) -> None:
        """Let all go, and wait until they are gone."""
        for each in [*self._nodes.values(), *(channel for idle in self._idle.values() for channel in idle)]:
            each.close()
        self._nodes.clear()
        self._idle.clear()
        for root in self._roots:
            root.wait()
        self._roots.clear()

    def _node(self, wanted: Levels) -> socket.socket:
        """The channel to the warm process that has loaded so much, and from which others are forked."""
        if wanted not in self._nodes:
            self._nodes[wanted] = self._forked(wanted[:-1], wanted[-1]) if wanted else self._begun()
        return self._nodes[wanted]

    def _forked(self, below: Levels, level: tuple[tuple[str, ...], tuple[tuple[str, str], ...]]) -> socket.socket:
        load, variables = level
        node = self._node(below)
        ours, theirs = socket.socketpair()
        try:
            wire.send(node, {"load": list(load), "variables": dict(variables)}, theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _begun(self) -> socket.socket:
        """The first one: a Python of its own, which has nothing of the engine's process but these variables."""
        import subprocess  # noqa: PLC0415  # where all is up to date, none is begun

        ours, theirs = socket.socketpair()
        program = [sys.executable, "-P", "-m", "clspec_local.warm", str(theirs.fileno())]
        with self._log.open("ab") as log:
            begun = subprocess.Popen(  # noqa: S603  # our own program
                program,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._variables,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._roots.append(begun)
        theirs.close()
        return ours

    def _forget(self) -> None:
        """Let go of those that others are forked from; those that run a step are not among them."""
        for each in self._nodes.values():
            each.close()
        self._nodes.clear()


def levels(work: Work) -> Levels:
    """What a warm process has loaded from which a step can be forked; nothing where the step is begun cold."""
    if work.cold:
        return ()
    found = _PROGRAM
    if work.kind not in _LIGHT:
        found = (*found, _DATA)
    if work.kind in _JUDGING:
        found = (*found, _STATISTICS)
    if work.torch:  # it reads its number of threads when it is loaded
        threads = str(work.threads)
        found = (*found, (("torch",), (("MKL_NUM_THREADS", threads), ("OMP_NUM_THREADS", threads))))
    return (*found, ((f"clspec.step.{work.kind.value}", *_LATE.get(work.kind, ())), ()))


class Process:
    """A running step, below a warm process that outlives the engine just long enough to end it."""

    def __init__(self, warmth: Warmth, work: Work, wanted: Levels) -> None:
        self._warmth = warmth
        self._work = work
        self._to_end = False
        self.pid: int | None = None
        self.started = time.monotonic()
        self.peak = 0
        """The most KiB of memory that the step's process held; known when it has ended."""
        os.close(os.open(work.log, os.O_WRONLY | os.O_CREAT, 0o666))
        self._begin(wanted)

    def _begin(self, wanted: Levels) -> None:
        self._levels = wanted
        self._channel = self._warmth.slot(wanted)
        message = {
            "said": dict(self._work.said) if wanted else arguments(self._work.said),
            "variables": dict(self._work.variables),
            "secrets": dict(self._work.secrets),
            "log": str(self._work.log),
            "spawn": not wanted,
            "threads": self._work.threads,
        }
        with suppress(OSError):  # it is gone: that is seen when it is read from
            wire.send(self._channel, message)

    def fileno(self) -> int:
        """The descriptor that has something to read when there is news of the step."""
        return self._channel.fileno()

    @property
    def seconds(self) -> float:
        """For how long it has been running."""
        return time.monotonic() - self.started

    def news(self) -> Ended | None:
        """How it ended, or None if it still runs; to be asked when there is something to read."""
        try:
            found = wire.receive(self._channel)
        except OSError:
            found = None
        if found is None:
            return self._lost()
        message, _ = found
        if "pid" in message:
            self.pid = message["pid"]
            return None
        if "unsafe" in message:
            self._channel.close()
            return self._cold(f"its warm process has {message['unsafe']} threads, beside which nothing may be forked")
        self.peak = message["peak"]
        self._warmth.give_back(self._levels, self._channel)
        return _ended(os.waitstatus_to_exitcode(message["status"]))

    def _lost(self) -> Ended | None:
        """The warm process is gone: before the step had begun, or with it."""
        self._channel.close()
        if self.pid is None and self._levels:
            return self._cold("its warm process could not be begun")
        return _ended(-signal.SIGKILL)

    def _cold(self, why: str) -> Ended | None:
        """Begin it once more without a fork, and say so where people look."""
        if self._to_end:
            return _ended(-signal.SIGKILL)
        with self._work.log.open("a", encoding="utf-8") as log:
            log.write(f"clspec: this step is begun cold: {why}\n")
        self._begin(())
        return None

    def end(self) -> None:
        """Have it ended with all that it began: asked first, made to after a while."""
        self._to_end = True
        with suppress(OSError):
            wire.send(self._channel, {"end": True})

    def occupies_more_than(self, limit: int) -> bool:
        """Whether it and all that it began hold more than so many bytes of memory; what they share counts once."""
        from clspec_local.supervise import descendants  # noqa: PLC0415  # few steps have such a limit

        if self.pid is None:
            return False
        pids = [self.pid, *descendants(self.pid)]
        # The cheap number is never the smaller one, so the dear one is needed only near the limit.
        return sum(map(_resident, pids)) > limit and sum(map(_proportional, pids)) > limit


def _ended(code: int) -> Ended:
    if code >= 0:
        return Ended(exit_code=code, how=f"exit code {code}", infrastructure=code in {75, 137, 143})
    return Ended(exit_code=128 - code, how=f"signal {_name(-code)}", infrastructure=True)


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
