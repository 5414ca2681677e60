"""What the model must never get wrong: scenarios, their checks and guards."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from clspec.spec.record import Record


class Check(Record, frozen=True, kw_only=True):
    """What must hold of a metric: exactly one of min, max and margin."""

    metric: str
    class_: str | None = field(default=None, name="class")
    min: float | None = None
    max: float | None = None
    margin: float | None = None
    max_gap: float | None = None
    gate: Literal["bound", "point"] = "bound"
    higher_is_better: bool | None = None
    range: tuple[float, float] | None = None


class Guard(Record, frozen=True, kw_only=True):
    """The paired negative of a scenario."""

    select: str
    checks: tuple[Check, ...]


class Scenario(Record, frozen=True, kw_only=True):
    """A situation that the model is judged on."""

    id: str
    select: str
    checks: tuple[Check, ...]
    must_pass: bool = True
    slices: tuple[str, ...] = ()
    for_each: str | None = None
    min_samples: int | None = None
    confidence: float | None = None
    guard: Guard | None = None


class Baseline(Record, frozen=True, kw_only=True):
    """What comparisons are against."""

    compare: str
    when_missing: str


class Defaults(Record, frozen=True, kw_only=True):
    """What holds for every scenario that says nothing else."""

    min_samples: int = 100
    confidence: float = 0.95


class Reuse(Record, frozen=True, kw_only=True):
    """How often the golden set may decide."""

    max_decisions: int


class Golden(Record, frozen=True, kw_only=True):
    """What the model must never get wrong."""

    dataset: str
    scenarios: tuple[Scenario, ...]
    baseline: Baseline | None = None
    cluster_by: str | None = None
    defaults: Defaults = Defaults()
    reuse: Reuse | None = None
    slices: dict[str, str] = {}
