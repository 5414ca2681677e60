"""What this machine has for a run, cores, memory and GPUs, and what the steps at work hold of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.plan import Resources, Step

_NVIDIA = "nvidia.com/gpu"
_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is: cores, bytes of memory, and the GPUs by the words that CUDA knows them by."""

    cores: float
    memory: int
    gpus: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a step holds while it is at work."""

    cores: float
    memory: int
    gpus: tuple[str, ...]

    @property
    def threads(self) -> int:
        """How many threads its libraries are told to use."""
        return max(1, int(self.cores))


def machine(own: Mapping[str, str]) -> Machine:
    """This machine, as far as this process may use it."""
    cores = float(len(os.sched_getaffinity(0)))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder in _groups():
        cores = min(cores, _quota(folder))
        memory = int(min(memory, _limit(folder)))
    return Machine(cores=cores, memory=memory, gpus=_gpus(own))


def _groups() -> Iterator[Path]:
    """The folders of the control groups that this process is in, version 2, the innermost first."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            if line.startswith("0::"):
                inner = Path("/sys/fs/cgroup", line[3:].lstrip("/"))
                yield from (each for each in (inner, *inner.parents) if each.is_relative_to("/sys/fs/cgroup"))


def _quota(folder: Path) -> float:
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return max(1.0, int(quota) / int(period))  # the word `max` is no number, and no limit
    return float("inf")


def _limit(folder: Path) -> float | int:
    with suppress(OSError, ValueError):
        return int((folder / "memory.max").read_text(encoding="ascii"))
    return float("inf")


def _gpus(own: Mapping[str, str]) -> tuple[str, ...]:
    """The GPUs that CUDA would see: those of the variable if it is set, up to the first that is none; else all."""
    if (visible := own.get("CUDA_VISIBLE_DEVICES")) is not None:
        found: list[str] = []
        for word in (part.strip() for part in visible.split(",")):
            if not word or word.startswith("-"):
                break
            found.append(word)
        return tuple(found)
    with suppress(OSError):
        return tuple(str(number) for number in range(len(list(Path("/proc/driver/nvidia/gpus").iterdir()))))
    if (program := shutil.which("nvidia-smi")) is not None:
        import subprocess  # noqa: PLC0415  # few machines need it

        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
            return tuple(str(n) for n, _ in enumerate(x for x in told.stdout.splitlines() if x.startswith("GPU ")))
    return ()


class Budget:
    """What is left while steps hold some. A step that wants more than there is gets all there is, alone."""

    def __init__(self, there: Machine, jobs: int) -> None:
        self._there = there
        self._jobs = jobs
        self._held: dict[str, Share] = {}
        self._gpus = list(there.gpus)

    def full(self) -> bool:
        """Whether no step at all may be begun now."""
        return len(self._held) >= self._jobs

    def wanted(self, resources: Resources) -> Share:
        """What a step would hold; of the GPUs only how many."""
        count = resources.gpu.count if resources.gpu and resources.gpu.resource == _NVIDIA else 0
        return Share(
            cores=min(resources.cpu or 1.0, self._there.cores),
            memory=min(resources.memory, self._there.memory),
            gpus=self._there.gpus[:count],
        )

    def take(self, step: Step) -> Share | None:
        """Hand a step its share, or nothing if it does not fit beside the others."""
        wanted = self.wanted(step.resources)
        if self._held:
            cores = sum(share.cores for share in self._held.values()) + wanted.cores
            memory = sum(share.memory for share in self._held.values()) + wanted.memory
            if self.full() or cores > self._there.cores or memory > self._there.memory:
                return None
            if len(wanted.gpus) > len(self._gpus):
                return None
        share = Share(cores=wanted.cores, memory=wanted.memory, gpus=tuple(self._gpus[: len(wanted.gpus)]))
        del self._gpus[: len(share.gpus)]
        self._held[step.id] = share
        return share

    def give_back(self, step: Step) -> None:
        """Take a step's share back."""
        self._gpus = [*self._held.pop(step.id).gpus, *self._gpus]


def lacking(steps: Sequence[Step], there: Machine) -> Iterator[tuple[Step, str]]:
    """The steps that ask for more than this machine has, each with what it asks for."""
    for step in steps:
        wanted = step.resources
        if wanted.cpu > there.cores:
            yield step, f"{wanted.cpu:g} cores, and this machine has {there.cores:g}"
        if wanted.memory > there.memory:
            yield step, f"{wanted.memory / _GIB:.1f} GiB of memory, and this machine has {there.memory / _GIB:.1f}"
        if wanted.gpu and wanted.gpu.resource != _NVIDIA:
            yield step, f"{wanted.gpu.count} `{wanted.gpu.resource}`, and only NVIDIA's GPUs are handed out here"
        elif wanted.gpu and wanted.gpu.count > len(there.gpus):
            yield step, f"{_count(wanted.gpu.count)}, and this machine has {_count(len(there.gpus))}"


def _count(gpus: int) -> str:
    return {0: "no GPU", 1: "1 GPU"}.get(gpus, f"{gpus} GPUs")
