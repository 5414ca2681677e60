"""The processes that make one model together: begun as torchrun begins them, and ended together.

Each has the variables that `torch.distributed` (and whatever else keeps to them) reads: RANK, WORLD_SIZE, LOCAL_RANK,
LOCAL_WORLD_SIZE, GROUP_RANK, MASTER_ADDR, MASTER_PORT. None of it needs torch.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data.usercode import UserCodeFailed
from clspec.diagnostic import Refused, SurroundingsFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.step.job import Job

_LOOK_EVERY = 0.05
_GRACE = 2.0
"""Seconds in which the others may fail too, before the one that failed first is told of and all are ended."""
_PATIENCE = 5.0
"""Seconds between the polite signal to end and the other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All processes of a training, and which of them are this machine's: `here` of them from rank `first` on."""

    machines: int
    processes: int
    """On each machine."""
    first: int
    here: int
    address: str
    port: int

    @property
    def size(self) -> int:
        """How many there are in all."""
        return self.machines * self.processes

    def variables(self, rank: int) -> dict[str, str]:
        """What a process is told of its place."""
        return {
            "RANK": str(rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(rank % self.processes),
            "LOCAL_WORLD_SIZE": str(self.processes),
            "GROUP_RANK": str(rank // self.processes),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def here(wanted: Mapping[str, int]) -> World:
    """The whole world on this machine: as many processes as the machines would have had, sharing what there is."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    machines, processes = wanted["machines"], wanted["processes"]
    return World(
        machines=machines, processes=processes, first=0, here=machines * processes, address="127.0.0.1", port=port
    )


def told(variables: Mapping[str, str]) -> World:
    """The world as Kubeflow's Trainer tells each machine of it, in torchrun's own variables.

    Raises:
        UsageError: one is missing, or no number.
    """
    try:
        machines, processes = int(variables["PET_NNODES"]), int(variables["PET_NPROC_PER_NODE"])
        number, port = int(variables["PET_NODE_RANK"]), int(variables["PET_MASTER_PORT"])
        address = variables["PET_MASTER_ADDR"]
    except (LookupError, ValueError) as error:
        message = f"the training runtime does not say what torchrun needs to know ({error}): is it one for torch?"
        raise UsageError(message) from error
    return World(
        machines=machines, processes=processes, first=number * processes, here=processes, address=address, port=port
    )


def trained(job: Job, directory: Path, world: World) -> dict[str, float]:
    """Have this machine's processes run the user's code, and return what rank 0 says of it, if it is among them.

    Raises:
        ClspecError: one of them failed; the others have been ended.
    """
    with tempfile.TemporaryDirectory(prefix="clspec-world-") as scratch:
        begun = [_Rank(job, directory, world, world.first + number, Path(scratch)) for number in range(world.here)]
        try:
            _wait(begun)
        finally:
            _end(begun)
        returned = [rank.numbers() for rank in begun]
        return returned[0] if world.first == 0 else {}


class _Rank:
    """One process at work."""

    def __init__(self, job: Job, directory: Path, world: World, rank: int, scratch: Path) -> None:
        self.rank = rank
        self._result = scratch / f"result-{rank}.json"
        place = scratch / f"rank-{rank}" / directory.name
        if rank == 0:
            place = directory  # rank 0 alone writes the model
        else:
            place.mkdir(parents=True)
        asked = {
            "rank": rank,
            "code": str(job.code_root()),
            "config": {key: job.config[key] for key in ("call", "params", "seed")},
            "data": str(job.inputs["data"]),
            "validation": str(job.inputs["validation"]),
            "model_dir": str(place),
            "result": str(self._result),
        }
        file = scratch / f"asked-{rank}.json"
        file.write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-P", "-X", "faulthandler", "-m", "clspec.step.rank", str(file)]
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **world.variables(rank)}
        self.process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL)  # noqa: S603  # our own program

    def result(self) -> dict[str, Any] | None:
        """What it wrote of its end; None if it was ended before."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self._result.read_text(encoding="utf-8"))
            return found
        return None

    def failed_at(self) -> tuple[bool, int]:
        """When it failed, as far as it says so itself."""
        with suppress(OSError):
            return (False, self._result.stat().st_mtime_ns)
        return (True, 0)

    def numbers(self) -> dict[str, float]:
        """What its code returned.

        Raises:
            UserCodeFailed: it ended well before the code returned.
        """
        found = self.result()
        if found is None:
            message = f"rank {self.rank} ended the process before the training returned"
            raise UserCodeFailed(message)
        numbers: dict[str, float] = found["metrics"]
        return numbers

    def failure(self) -> Exception:
        """Why it failed, as what the step fails with."""
        found, code = self.result(), self.process.returncode
        if found is not None:
            kind = Refused if found["exit_code"] == Refused.exit_code else UserCodeFailed
            return kind(f"rank {self.rank}: {found['text']}")
        if code < 0:
            return SurroundingsFailed(f"rank {self.rank} was ended by signal {_name(-code)}")
        return UserCodeFailed(f"rank {self.rank} ended the process with {code}")


def _wait(ranks: list[_Rank]) -> None:
    """Until all have ended well.

    Whoever fails takes the others down with it, sooner or later and in words of their own, so the first is told of.
    """
    failed: list[_Rank] = []
    deadline = float("inf")
    while True:
        running = [rank for rank in ranks if rank.process.poll() is None]
        seen = [rank for rank in ranks if rank not in failed and rank.process.returncode]
        failed += sorted(seen, key=_Rank.failed_at)
        if failed and deadline == float("inf"):
            deadline = time.monotonic() + _GRACE
        if not running or time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY)
    if failed:
        raise failed[0].failure()


def _end(ranks: list[_Rank]) -> None:
    for rank in ranks:
        with suppress(OSError):
            rank.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for rank in ranks:
        with suppress(subprocess.TimeoutExpired):
            rank.process.wait(max(0.0, deadline - time.monotonic()))
        rank.process.kill()
        rank.process.wait()


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals but two
        return str(number)
