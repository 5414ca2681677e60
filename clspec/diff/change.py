"""One change to a spec, and all of them: plain values that a report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.diff.levels import LEVELS, Level

if TYPE_CHECKING:
    from clspec.diagnostic import Diagnostic, Span


class Absent:
    """What stands where one side has nothing."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one side says it, or would say it: the file as the user named it, and a stretch of its text."""

    path: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `row` names the entry of `LEVELS` that says how much it weighs."""

    row: str
    where: str
    """The dotted place in the spec, ids instead of positions; the same for both sides."""
    detail: str
    old: Any = ABSENT
    new: Any = ABSENT
    base: Place | None = None
    head: Place | None = None
    environment: str = ""
    """The environment in which alone it is so."""

    @property
    def level(self) -> Level:
        """How much it weighs."""
        return LEVELS[self.row].level

    @property
    def sentence(self) -> str:
        """What it is, in words."""
        there = f" in environment `{self.environment}`" if self.environment else ""
        return f"{LEVELS[self.row].title}{there}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """What one pipeline may use at most: cores and GPUs asked for, over the time that steps are given."""

    pipeline: str
    steps: int
    gpu_hours: float
    core_hours: float
    unlimited: int
    """Steps that ask for cores or GPUs and have no timeout; they are not in the hours."""
    seen: int = 0
    """Steps of which the history of runs knows how long they took."""
    seen_gpu_hours: float = 0.0
    """GPU-hours that those took."""
    seen_core_hours: float = 0.0
    """Core-hours that those took, of the cores asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A pipeline before and after in one chart in mermaid's language, and the steps that differ."""

    pipeline: str
    chart: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the pipelines cost before and after, and how their steps differ."""

    before: tuple[Expense, ...]
    after: tuple[Expense, ...]
    pictures: tuple[Picture, ...]
    note: str = ""
    """Why the history of runs says nothing, where there is one that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that differs between two readings of one spec, the heaviest first."""

    spec: str
    against: str
    changes: tuple[Change, ...]
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the new reading, and the warnings that only its own new waivers silence."""
    costs: Costs | None = None
    no_costs: str = ""
    """Why there are no costs."""

    @property
    def blocks(self) -> bool:
        """Whether something must not go in as it is."""
        return any(d.is_error for d in self.problems) or any(c.level is Level.BLOCK for c in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A spec that could not be compared, and why: never to be taken for one without changes."""

    spec: str
    against: str
    reason: str
    problems: tuple[Diagnostic, ...] = ()
