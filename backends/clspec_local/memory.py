"""Whether the kernel has killed something for lack of memory, here or in the control group that this run is in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class OutOfMemory:
    """Counts the kernel's kills for lack of memory; a kill that came since the last look is somebody's of this run."""

    def __init__(self) -> None:
        self._known = _kills()

    def struck(self) -> bool:
        """Whether there was one since the last look."""
        before, self._known = self._known, _kills()
        return self._known > before


def _kills() -> int:
    """Kills that the kernel has counted: those of the own control group where it says, else those of the machine."""
    with suppress(OSError):
        group = Path("/proc/self/cgroup").read_text(encoding="ascii").rpartition("0::")[2].strip()
        found = _number(Path("/sys/fs/cgroup", group.lstrip("/"), "memory.events"), "oom_kill")
        if found is not None:
            return found
    return _number(Path("/proc/vmstat"), "oom_kill") or 0


def _number(path: Path, name: str) -> int | None:
    with suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            word, _, value = line.partition(" ")
            if word == name:
                return int(value)
    return None
