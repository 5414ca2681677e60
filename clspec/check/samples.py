"""The pinned golden set must hold enough for what is demanded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog
from clspec.check.comparisons import compares
from clspec.check.groups import groups
from clspec.lock import both

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.check.groups import Group
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.lock import Count
    from clspec.spec import Check


def bounds_can_be_met(facts: Facts) -> Iterator[Diagnostic]:
    """A faultless model could meet every bound with the rows that the pinned golden set has."""
    for group in _judged(facts):
        confidence = group.scenario.confidence or facts.spec.golden.defaults.confidence
        counts = [count for _, count in judged_on(facts, group)]
        fewest = min((count for count in counts if count is not None), key=_samples, default=None)
        for check, at in group.places():
            if found := _unmet(facts, check, confidence, fewest, at):
                yield found


def _judged(facts: Facts) -> Iterator[Group]:
    """The selections whose demands are known; what is broken in `defaults` would count as not given."""
    if facts.intact("golden", "defaults"):
        yield from (group for group in groups(facts) if group.intact)


def _unmet(facts: Facts, check: Check, confidence: float, count: Count | None, at: Pointer) -> Diagnostic | None:
    metric = catalog.METRICS.get(check.metric)
    if metric is None or check.gate == "point" or not _sensible(metric, check):
        return None
    kind: catalog.CheckKind = "min" if check.min is not None else "max" if check.max is not None else "margin"
    threshold = getattr(check, kind)
    needed = catalog.rows_needed(metric, kind, threshold, confidence)
    if needed is None:
        message = f"no number of samples proves a {kind} of {threshold:g}"
        hint = "no finite test set proves perfection: set a threshold that one can meet"
        return facts.problem("CLS403", (*at, kind), message, hint)
    there, what = _independent(count)
    if there is not None and there < needed:
        rows = f"{what} on which both models agree" if compares(check) else f"faultless {what}"
        message = f"{threshold:g} at {confidence:g} takes {needed} {rows}; the golden set has {there}"
        return facts.problem("CLS403", (*at, kind), message, "add golden data for it, or lower the demand")
    return None


def _sensible(metric: catalog.Metric, check: Check) -> bool:
    """Whether the demand is one that could be met or missed; what is not is told elsewhere."""
    low, high = metric.range
    if check.margin is not None:
        return metric.compared is not None and check.margin < high - low
    threshold = check.min if check.min is not None else check.max
    return threshold is not None and low <= threshold <= high and (check.min is not None) is metric.higher_is_better


def _independent(count: Count | None) -> tuple[int | None, str]:
    """How many independent samples there are at most, if that is known, and what they are."""
    if count is None:
        return None, ""
    return (count.rows, "rows") if count.clusters is None else (count.clusters, "clusters")


def _samples(count: Count) -> int:
    return _independent(count)[0] or 0


def enough_is_there(facts: Facts) -> Iterator[Diagnostic]:
    """The pinned golden set has as many rows as `min_samples` asks, and enough clusters to say anything."""
    for group in _judged(facts):
        for name, count in judged_on(facts, group):
            if count is not None and (found := _too_few(facts, group, name, count)):
                yield found


def _too_few(facts: Facts, group: Group, name: str | None, count: Count) -> Diagnostic | None:
    least = group.scenario.min_samples or facts.spec.golden.defaults.min_samples
    at = (*group.at, "select") if name is None else (*group.at, "slices", group.scenario.slices.index(name))
    within = "" if name is None else f" in slice `{name}`"
    if count.rows < least:
        message = f"it selects {count.rows} rows{within} of the pinned golden set, under `min_samples` {least}"
        return facts.problem("CLS403", at, message, "add golden data for it, or widen the selection")
    if count.clusters is not None and count.clusters < catalog.MIN_CLUSTERS:
        by, most = facts.spec.golden.cluster_by, catalog.MIN_CLUSTERS
        message = f"it selects rows of {count.clusters} `{by}` only{within}; under {most} nothing is said"
        return facts.problem("CLS403", at, message, f"add golden data from more than these `{by}`")
    return None


def judged_on(facts: Facts, group: Group) -> Iterator[tuple[str | None, Count | None]]:
    """What the lock counts for each part of a selection that is judged by itself: its slices, or all of it."""
    if group.guard or not group.scenario.slices:
        yield None, pinned(facts, group)
        return
    pin = facts.lock.scenarios.get(group.scenario.id) if facts.lock else None
    for name in group.scenario.slices:
        narrower = facts.spec.golden.slices.get(name)
        if narrower is not None:  # else it is told that there is no such slice
            count = pin.slices.get(name) if pin else None
            yield name, _as_it_stands(facts, count, both(group.select, narrower))


def pinned(facts: Facts, group: Group) -> Count | None:
    """What the lock counts for this very selection, if it does."""
    pin = facts.lock.scenarios.get(group.scenario.id) if facts.lock else None
    count = (pin.guard if group.guard else pin.scenario) if pin else None
    return _as_it_stands(facts, count, group.select)


def _as_it_stands(facts: Facts, count: Count | None, select: str) -> Count | None:
    """A count, if it is of this selection."""
    same = count is not None and (count.select, count.cluster_by) == (select, facts.spec.golden.cluster_by or "")
    return count if same else None


RULES = (bounds_can_be_met, enough_is_there)
