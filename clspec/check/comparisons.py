"""A comparison needs something to compare with, and says nothing alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog
from clspec.check.groups import groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.spec import Check


def compares(check: Check) -> bool:
    """Whether a check sets the new model against the champion."""
    metric = catalog.METRICS.get(check.metric)
    return check.margin is not None or (metric is not None and metric.comparison)


def something_absolute(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario has a threshold of its own, not only comparisons with the champion."""
    for group in groups(facts):
        must = group.intact and group.scenario.must_pass and not group.guard
        if must and all(compares(check) for check in group.checks):
            yield facts.key_problem(
                "CLS402",
                (*group.at, "checks"),
                f"must-pass scenario `{group.scenario.id}` only compares with the champion",
                "add a check with `min` or `max`",
            )


def there_is_a_baseline(facts: Facts) -> Iterator[Diagnostic]:
    """What is compared is compared with what `golden.baseline` names."""
    if facts.spec.golden.baseline is not None or not facts.intact("golden", "baseline"):
        return
    for group in groups(facts):
        for check, at in group.places():
            if compares(check):
                key = "margin" if check.margin is not None else "metric"
                hint = "add `baseline: {compare: champion, when_missing: absolute_only}` to `golden`"
                message = "this compares, and `golden.baseline` does not say with what"
                yield facts.key_problem("CLS408", (*at, key), message, hint)


def margins_are_offered(facts: Facts) -> Iterator[Diagnostic]:
    """A margin stands where the difference of two models can be bounded."""
    for group in groups(facts):
        for check, at in group.places():
            metric = catalog.METRICS.get(check.metric)
            if check.margin is None or metric is None or metric.compared is not None:
                continue
            message = f"there is no `margin` for `{check.metric}`"
            hint = "it is a comparison by itself: write `max`" if metric.comparison else "write `max`"
            yield facts.key_problem("CLS410", (*at, "margin"), message, hint)


def gaps_have_groups(facts: Facts) -> Iterator[Diagnostic]:
    """`max_gap` is about the groups of a `for_each`, and where nothing depends on it."""
    for group in groups(facts):
        for check, at in group.places():
            if check.max_gap is None or not group.intact:
                continue
            if group.scenario.for_each is None:
                message = "`max_gap` is the distance between groups, and there are none"
                hint = "add `for_each: COLUMN` to the scenario"
                yield facts.key_problem("CLS410", (*at, "max_gap"), message, hint)
            if group.scenario.must_pass:
                message = f"`{group.scenario.id}` must pass, and `max_gap` is judged without its uncertainty"
                hint = "put it into a scenario with `must_pass: false`"
                yield facts.key_problem("CLS410", (*at, "max_gap"), message, hint)


def points_are_not_safe(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario is judged at its bound."""
    for group in groups(facts):
        for check, at in group.places():
            if group.scenario.must_pass and group.intact and check.gate == "point":
                message = f"`{group.scenario.id}` must pass and is judged without its uncertainty"
                hint = "remove `gate: point`; it is possible where `must_pass: false`"
                yield facts.problem("CLS406", (*at, "gate"), message, hint)


RULES = (something_absolute, there_is_a_baseline, margins_are_offered, gaps_have_groups, points_are_not_safe)
