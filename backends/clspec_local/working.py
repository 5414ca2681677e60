"""A step at work: what it holds, how far it is, the limits that it is kept to, and how its end is judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec_local.call import progress

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.plan import Step
    from clspec_local.budget import Share
    from clspec_local.memory import OutOfMemory
    from clspec_local.process import Ended, Process

LOOK_EVERY = 0.25
"""Seconds between two looks at a step at work."""
_LONGEST_PAUSE = 30.0
"""Seconds before a step is tried again, at most."""
_SPARE = 4.0
"""How much longer the pause is after the machine ran out of memory: what filled it must end first."""


@dataclass(slots=True, kw_only=True)
class Working:
    """A step at work."""

    step: Step
    key: str | None
    process: Process
    made: Path
    log: Path
    share: Share
    looked: float = 0.0
    note: str = ""
    """How far it is."""
    killed: str = ""
    """Why the engine ended it, if it did."""

    def until_next_look(self, now: float) -> float:
        """Seconds until it should be looked at."""
        wait = max(0.0, max(self.looked, self.process.started) + LOOK_EVERY - now)
        if self.step.timeout is not None and not self.killed:
            wait = min(wait, max(0.0, self.process.started + self.step.timeout - now))
        return wait

    def look(self, now: float) -> bool:
        """Keep it to its limits, and read how far it is; whether it was looked at."""
        if self.until_next_look(now) > 0.0:
            return False
        self.looked = now
        self._keep_limits()
        self.note = progress(self.log) or self.note
        return True

    def _keep_limits(self) -> None:
        if self.killed:
            return
        step = self.step
        if step.timeout is not None and self.process.seconds > step.timeout:
            self.killed = f"it ran longer than its timeout of {step.timeout} s"
        elif step.resources.memory and self.process.occupies_more_than(step.resources.memory):
            self.killed = f"it used more than its memory of {step.resources.memory // 2**20} MiB"
        if self.killed:
            self.process.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a step's process ended: the exit code that counts, the words, and the pause before another try would help."""

    exit_code: int
    how: str
    pause: float | None = None
    """Seconds; None where another try would end as this one did."""


def judge(working: Working, ended: Ended, memory: OutOfMemory, tries: int) -> Judged:
    """Say how a step's process ended, and by whose hand."""
    if working.killed:
        return Judged(exit_code=3, how=working.killed)
    if ended.exit_code == 0:
        return Judged(exit_code=0, how=ended.how)
    code = ended.exit_code if ended.exit_code in {1, 2} else 3
    pause = min(2.0 ** (tries - 1), _LONGEST_PAUSE)
    if memory.struck():
        if ended.exit_code == _KILLED:
            how = "the kernel killed it: this machine, or its control group, ran out of memory"
            return Judged(exit_code=3, how=how, pause=min(_SPARE * pause, _LONGEST_PAUSE))
        how = f"{ended.how}, after the kernel had killed a process for lack of memory"
        return Judged(exit_code=code, how=how, pause=min(_SPARE * pause, _LONGEST_PAUSE))
    return Judged(exit_code=code, how=ended.how, pause=pause if ended.infrastructure else None)


_KILLED = 137


def clock() -> float:
    """Seconds that only ever go up."""
    return time.monotonic()
