"""The evaluation's metrics as the gate reads them: counts that cannot be are no measurement."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

import msgspec

from clspec.diagnostic import StepFailed
from clspec.stats.paired import Paired  # noqa: TC001  # msgspec reads the annotations
from clspec.stats.proportion import Tally  # noqa: TC001
from clspec.stats.spread import Spread  # noqa: TC001

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What one check counted on one selection.

    Raises:
        ValueError: a number is not finite, or the evidence is on other rows than were selected.
    """

    metric: str
    class_: str | None = msgspec.field(name="class")
    margin: bool
    limit: float | None
    higher_is_better: bool
    rows: _Count
    clusters: _Count | None
    value: float | None
    """The challenger's."""
    champion: float | None
    """The champion's value."""
    tally: Tally | None
    paired: Paired | None
    spread: Spread | None
    problem: str | None
    """Why there is none of the three."""

    def __post_init__(self) -> None:
        if any(number is not None and not isfinite(number) for number in (self.value, self.champion, self.limit)):
            message = f"`{self.metric}` is not a finite number"
            raise ValueError(message)
        for evidence in (self.tally, self.paired, self.spread):
            if evidence is None:
                continue
            if evidence.rows > self.rows or (evidence.clusters is None) is not (self.clusters is None):
                message = f"`{self.metric}` is counted on other rows than were selected"
                raise ValueError(message)

    @property
    def asks(self) -> tuple[object, ...]:
        """What it is that was counted."""
        return self.metric, self.class_, self.margin, self.limit, self.higher_is_better

    @property
    def sample(self) -> tuple[int, int | None]:
        """The rows and clusters that the value rests on: those of the denominator, where there is one."""
        evidence = self.tally or self.paired or self.spread
        return (self.rows, self.clusters) if evidence is None else (evidence.rows, evidence.clusters)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted on one selection.

    Raises:
        ValueError: a check was counted on other rows.
    """

    selected: _Count
    nulls: _Count
    checks: tuple[Counted, ...]

    def __post_init__(self) -> None:
        if any(check.rows != self.selected for check in self.checks):
            message = f"checks were not counted on the {self.selected} rows that were selected"
            raise ValueError(message)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the `for_each` column, as text."""

    value: str | None


class Case(Part, frozen=True, kw_only=True):
    """A slice or a group of a scenario, or all of it."""

    slice: str | None
    group: Group | None
    of: _Count
    """How many rows all groups have together."""


class Flipped(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows the champion had right and the challenger wrong, and the first of them."""

    count: _Count
    rows: tuple[dict[str, Any], ...]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A value on a named slice, which is told and not judged."""

    metric: str
    class_: str | None = msgspec.field(name="class")
    value: float | None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario holds of a named slice."""

    name: str
    rows: _Count
    nulls: _Count
    checks: tuple[Told, ...]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted for one scenario."""

    id: str
    cases: tuple[Case, ...]
    guard: Part | None
    slices: tuple[Slice, ...] = ()
    flipped: Flipped | None = None

    def of(self, name: str | None, *, grouped: bool) -> tuple[Case, ...] | None:
        """The cases of a slice: the one, or a group each, which together are all of it; None if they are not that."""
        found = tuple(case for case in self.cases if case.slice == name)
        values = [case.group.value for case in found if case.group is not None]
        if not values:  # the selection as a whole, which `for_each` has only where it is empty
            whole = len(found) == 1 and found[0].selected == found[0].of
            return found if whole and not (grouped and found[0].selected) else None
        complete = len(values) == len(found) == len(set(values)) and {sum(c.selected for c in found)} == {
            c.of for c in found
        }
        return found if grouped and complete and all(case.selected for case in found) else None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted for one model.

    Raises:
        ValueError: a scenario is there twice, or there is a champion that nobody was compared with.
    """

    model: Annotated[str, msgspec.Meta(min_length=1)]
    compared: bool
    champion: str | None
    rows: _Count
    scenarios: tuple[Scenario, ...]

    def __post_init__(self) -> None:
        if len({scenario.id for scenario in self.scenarios}) < len(self.scenarios):
            message = "they hold a scenario twice"
            raise ValueError(message)
        if self.champion is not None and not self.compared:
            message = "they name a champion and compare with none"
            raise ValueError(message)

    def scenario(self, name: str) -> Scenario | None:
        """A scenario by its id, or None if it was not measured."""
        return next((scenario for scenario in self.scenarios if scenario.id == name), None)


def read(metrics: dict[str, Any], seed: int) -> Metrics:
    """The metrics of one seed.

    Raises:
        StepFailed: they do not have their form, or one of them is impossible.
    """
    try:
        return msgspec.convert(metrics, Metrics)
    except ValueError as error:  # msgspec's errors are such, and what impossible counts raise
        message = f"the metrics of seed {seed} cannot be judged: {error}"
        raise StepFailed(message) from error
