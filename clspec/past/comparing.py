"""Two runs side by side: their metrics, their scenarios, and what differs in what they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.outset import runner
from clspec.past.finding import read
from clspec.report.scenarios import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.past.finding import Told
    from clspec.report.scenarios import Row
    from clspec.runs import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One thing in two runs, as texts; None where a run has no such thing."""

    name: str
    one: str | None
    other: str | None

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.one != self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A check of a scenario under a seed, as two runs judged it."""

    scenario: str
    seed: str
    check: str
    one: Row | None
    other: Row | None

    @property
    def differs(self) -> bool:
        """Whether the two judged it differently, or found other numbers."""
        return self.one != self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two runs side by side."""

    one: Told
    other: Told
    metrics: tuple[Pair, ...]
    scenarios: tuple[Scenario, ...]
    made_from: tuple[tuple[Difference, tuple[str, ...]], ...]
    """What differs in configuration, code and programs, each with the steps that it concerns."""
    data: tuple[Pair, ...]
    """The digests of what the snapshots gave, by step and output."""
    files: tuple[Pair, ...]
    """The commit, and the digests of the spec, its lock and the code."""
    unknown: tuple[str, ...]
    """The steps of which it is not recorded, in one of the two, what they were made from."""


def compare(one: Told, other: Told) -> Compared:
    """Lay two runs side by side.

    Raises:
        ClspecError: what is left of them cannot be read.
    """
    found = runner().differences(one.run.folder.parent.parent, one.run.id, other.run.id)
    grouped: dict[Difference, list[str]] = {}
    for step, differences in found.items():
        for each in differences or ():
            if each.part != "input":  # what other steps made: those are compared themselves
                grouped.setdefault(each, []).append(step)
    return Compared(
        one=one,
        other=other,
        metrics=tuple(_metrics(one, other)),
        scenarios=tuple(scenarios(one.verdict, other.verdict)),
        made_from=tuple((each, tuple(steps)) for each, steps in grouped.items()),
        data=tuple(_pairs(dict(_data(one)), dict(_data(other)))),
        files=tuple(_pairs(dict(_files(one)), dict(_files(other)))),
        unknown=tuple(step for step, differences in found.items() if differences is None),
    )


def _pairs(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Pair]:
    for name in dict.fromkeys((*one, *other)):
        yield Pair(name=name, one=one.get(name), other=other.get(name))


def _metrics(one: Told, other: Told) -> Iterator[Pair]:
    return _pairs(dict(_trained(one)), dict(_trained(other)))


def _trained(told: Told) -> Iterator[tuple[str, str]]:
    """Every number that a training told, by its step and its name."""
    for step in told.steps:
        if step.kind == "train":
            for name, value in _numbers(read(step.outputs.get("metrics")) or {}, ""):
                yield f"{step.id} {name}", f"{value:.6g}"


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f"{path}.{name}" if path else name)


def _data(told: Told) -> Iterator[tuple[str, str]]:
    for step in told.steps:
        if step.kind == "snapshot":
            for name, output in step.outputs.items():
                yield f"{step.id} {name}", output.digest


def _files(told: Told) -> Iterator[tuple[str, str]]:
    if (tree := told.run.tree) is not None:
        yield "commit", (tree.commit or "none") + (" (and edits)" if tree.commit and tree.dirty else "")
        yield from (("spec", tree.spec), ("lock", tree.lock), ("code", tree.code))


def scenarios(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Iterator[Scenario]:
    """Each check that one of the two judged; it is the same if its kind and scenario are, whatever its threshold."""
    first, second = _by_check(rows(one) if one else ()), _by_check(rows(other) if other else ())
    for place in dict.fromkeys((*first, *second)):
        scenario, seed, check, _ = place
        yield Scenario(scenario=scenario, seed=seed, check=check, one=first.get(place), other=second.get(place))


def _by_check(found: Iterable[Row]) -> dict[tuple[str, str, str, str], Row]:
    """The rows by what they are about; of two that are about the same the later one has a number."""
    named: dict[tuple[str, str, str, str], Row] = {}
    for row in found:
        sign = row.threshold.split(" ")[0]
        number = 0
        while (place := (row.scenario, row.seed, row.check, f"{sign}{number}")) in named:
            number += 1
        named[place] = row
    return named
