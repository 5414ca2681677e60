"""Data gates must be about columns that are there, and must be asked by a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.spec import HumanFeedback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Bounds, Expect

_NUMBERS = ("integer", "double")


def _expectations(facts: Facts) -> Iterator[tuple[str, str, Expect]]:
    """Every data gate with the section and the name of what it is about."""
    for name, source in facts.spec.sources.items():
        if source.expect is not None:
            yield "sources", name, source.expect
    for name, dataset in facts.spec.datasets.items():
        if dataset.expect is not None:
            yield "datasets", name, dataset.expect


def expected_columns_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every column that something is expected of is there."""
    for section, name, expect in _expectations(facts):
        at: Pointer = (section, name, "expect")
        for key in ("nulls", "ranges"):
            for column in getattr(expect, key):
                if found := facts.column_unknown(section, name, column, (*at, key, column)):
                    yield found
        for number, column in enumerate(expect.drift.columns if expect.drift else ()):
            if found := facts.column_unknown(section, name, column, (*at, "drift", "columns", number)):
                yield found


def ranges_are_of_numbers(facts: Facts) -> Iterator[Diagnostic]:
    """A range is one of numbers, and something lies in it."""
    for section, name, expect in _expectations(facts):
        at: Pointer = (section, name, "expect")
        for column, bounds in expect.ranges.items():
            kind = _columns(facts, section, name).get(column)
            if kind is not None and kind not in _NUMBERS:
                message = f"`{column}` is of type {kind}: a range is one of numbers"
                yield facts.key_problem("CLS313", (*at, "ranges", column), message, "remove it")
            yield from _empty(facts, (*at, "ranges", column), bounds)
        if expect.rows is not None:
            yield from _empty(facts, (*at, "rows"), expect.rows)


def _empty(facts: Facts, at: Pointer, bounds: Bounds) -> Iterator[Diagnostic]:
    if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        message = f"nothing lies between {bounds.min:g} and {bounds.max:g}"
        yield facts.problem("CLS206", (*at, "max"), message, "`min` is the smaller one")


def _columns(facts: Facts, section: str, name: str) -> dict[str, str]:
    if section == "datasets":
        return facts.columns(name)
    source = facts.spec.sources.get(name)
    return source.columns if source else {}


def drift_can_be_measured(facts: Facts) -> Iterator[Diagnostic]:
    """Drift is measured in columns that both sides have, of one type and with values that can be counted."""
    for section, name, expect in _expectations(facts):
        if expect.drift is None:
            continue
        at: Pointer = (section, name, "expect", "drift")
        against = expect.drift.against
        if found := facts.unknown("datasets", against, (*at, "against")):
            yield found
            continue
        theirs = facts.columns(against) if against in facts.spec.datasets else {}
        for number, column in enumerate(expect.drift.columns):
            place = (*at, "columns", number)
            if found := facts.column_unknown("datasets", against, column, place):
                yield found
            ours = _columns(facts, section, name).get(column)
            if ours == "binary":
                yield facts.problem("CLS313", place, f"`{column}` is binary: its values cannot be counted", "remove it")
            elif column in theirs and ours is not None and theirs[column] != ours:
                message = f"`{column}` is {ours} here and {theirs[column]} in dataset `{against}`"
                yield facts.problem("CLS313", place, message, "give both the same type")


def somebody_asks(facts: Facts) -> Iterator[Diagnostic]:
    """A data gate is about something that a run reads."""
    feedback = facts.spec.feedback
    if not facts.intact("feedback") or not facts.intact("training"):
        return
    asked = {("datasets", facts.spec.training.dataset)}
    if feedback is not None:
        asked.add(("sources", feedback.source))
        asked |= {("sources", rule.source) for rule in feedback.rules if isinstance(rule, HumanFeedback)}
    gates = [((section, name), "expect") for section, name, _ in _expectations(facts)]
    gates += [(("sources", name), "freshness") for name, source in facts.spec.sources.items() if source.freshness]
    for place, key in gates:
        if place not in asked:
            message = f"no run reads {place[0].removesuffix('s')} `{place[1]}` itself, so that nothing asks this"
            hint = "it is asked of the sources in `feedback` and of the dataset in `training`"
            yield facts.key_problem("CLS415", (*place, key), message, hint)


RULES = (expected_columns_exist, ranges_are_of_numbers, drift_can_be_measured, somebody_asks)
