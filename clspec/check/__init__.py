"""What a spec means: one rule for each law of the language, one module for each family of laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check import (
    comparisons,
    entrypoints,
    environments,
    expectations,
    feedback,
    ids,
    labels,
    machines,
    metrics,
    paths,
    pins,
    predicates,
    promotion,
    references,
    roles,
    samples,
    scenarios,
    schedules,
    waivers,
    webhooks,
)
from clspec.check.facts import Facts
from clspec.diagnostic import Diagnostic, in_order
from clspec.parse import Absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_HERE = (
    *ids.RULES,
    *scenarios.RULES,
    *predicates.OF_GOLDEN,
    *metrics.RULES,
    *comparisons.RULES,
    *samples.RULES,
    *promotion.RULES,
    *schedules.RULES,
    *environments.RULES,
    *waivers.RULES,
    *webhooks.RULES,
    *pins.RULES,
)
"""What an environment cannot change: gates, golden data, columns, stages, triggers and waivers are the spec's alone."""

_ELSEWHERE = (
    *paths.RULES,
    *references.RULES,
    *predicates.OF_LOOP,
    *roles.RULES,
    *feedback.RULES,
    *labels.RULES,
    *expectations.RULES,
    *entrypoints.RULES,
    *machines.RULES,
)

RULES = (*_HERE, *_ELSEWHERE)


_STALE = "CLS602"
"""A pin of something that is itself wrong is stale as a matter of course; once it is right, we shall see."""


def check(facts: Facts) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the meaning of a spec, in the order of the places."""
    return _found(RULES, facts)


def check_elsewhere(facts: Facts) -> tuple[Diagnostic, ...]:
    """The same of a spec as it is in one of its environments, but for what no environment can change."""
    return _found(_ELSEWHERE, facts)


def _found(rules: Iterable[Callable[[Facts], Iterator[Diagnostic]]], facts: Facts) -> tuple[Diagnostic, ...]:
    found = in_order(found for rule in rules for found in _applied(rule, facts))
    wrong = {problem.where for problem in found if problem.is_error and problem.code != _STALE}
    return tuple(problem for problem in found if problem.code != _STALE or problem.where not in wrong)


def _applied(rule: Callable[[Facts], Iterator[Diagnostic]], facts: Facts) -> Iterator[Diagnostic]:
    """What a rule finds; it ends where it needs something whose absence is reported already."""
    try:
        yield from rule(facts)
    except Absent:
        return


__all__ = ["Facts", "check", "check_elsewhere"]
