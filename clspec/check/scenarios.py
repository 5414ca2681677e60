"""A gate must be able to say no, and must not say yes to a model that takes the easy way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog, predicate
from clspec.diagnostic import did_you_mean
from clspec.parse import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Check, Scenario


def groups(facts: Facts) -> Iterator[tuple[Scenario, str, tuple[Check, ...], Pointer]]:
    """Every selection that is judged: its scenario, its predicate, its checks and its place; guards included."""
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        at: Pointer = ("golden", "scenarios", index)
        yield scenario, scenario.select, scenario.checks, at
        if scenario.guard is not None:
            yield scenario, scenario.guard.select, scenario.guard.checks, (*at, "guard")


def _checks(facts: Facts) -> Iterator[tuple[Scenario, Check, Pointer]]:
    for scenario, _, checks, at in groups(facts):
        for number, check in enumerate(checks):
            yield scenario, check, (*at, "checks", number)


def ids_are_unique(facts: Facts) -> Iterator[Diagnostic]:
    """Every scenario has a name of its own."""
    seen: dict[str, int] = {}
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if scenario.id in seen:
            line = facts.document.span(("golden", "scenarios", seen[scenario.id], "id")).line
            yield facts.problem(
                "CLS305", ("golden", "scenarios", index, "id"), f"`{scenario.id}` is already the id in line {line}"
            )
        seen.setdefault(scenario.id, index)


def something_must_pass(facts: Facts) -> Iterator[Diagnostic]:
    """At least one scenario can refuse a model."""
    written = facts.written.value.get("golden", {}).get("scenarios", [])
    if len(written) != len(facts.spec.golden.scenarios):
        return  # one that is broken may be the one
    if not any(scenario.must_pass for scenario in facts.spec.golden.scenarios):
        yield facts.key_problem(
            "CLS401", ("golden", "scenarios"), "no scenario is `must_pass: true`: every model would pass"
        )


def something_absolute(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario has a threshold of its own, not only comparisons with the champion."""
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if scenario.must_pass and all(_compares(check) for check in scenario.checks):
            yield facts.key_problem(
                "CLS402",
                ("golden", "scenarios", index, "checks"),
                f"must-pass scenario `{scenario.id}` only compares with the champion",
                "add a check with `min` or `max`",
            )


def _compares(check: Check) -> bool:
    metric = catalog.METRICS.get(check.metric)
    return check.margin is not None or (metric is not None and metric.comparison)


def metrics_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every metric is built in or says where it is to be found."""
    for _, check, at in _checks(facts):
        if check.metric.startswith("python:"):
            continue  # refused as not built yet
        if check.metric not in catalog.METRICS:
            yield facts.problem(
                "CLS304",
                (*at, "metric"),
                f"there is no metric `{check.metric}`",
                did_you_mean(check.metric, catalog.METRICS),
            )


def metrics_have_their_class(facts: Facts) -> Iterator[Diagnostic]:
    """A metric about one class names it, one over all classes does not, and the class exists."""
    for _, check, at in _checks(facts):
        metric = catalog.METRICS.get(check.metric)
        if metric is not None and metric.needs_class and check.class_ is None:
            yield facts.problem(
                "CLS307", (*at, "metric"), f"`{check.metric}` needs `class`", "say which class it is about"
            )
        if metric is not None and not metric.needs_class and check.class_ is not None:
            yield facts.key_problem("CLS307", (*at, "class"), f"`{check.metric}` is over all classes", "remove `class`")
        elif check.class_ is not None and check.class_ not in facts.spec.task.classes:
            yield facts.problem(
                "CLS303",
                (*at, "class"),
                f"there is no class `{check.class_}`",
                did_you_mean(check.class_, facts.spec.task.classes),
            )


def classes_are_given(facts: Facts) -> Iterator[Diagnostic]:
    """A classification says which classes there are."""
    given = "classes" in facts.written.value["task"]
    if facts.spec.task.type == "classification" and not facts.spec.task.classes and not given:
        yield facts.key_problem("CLS202", ("task",), "`task` needs `classes`: a classification has them")


def thresholds_bite(facts: Facts) -> Iterator[Diagnostic]:
    """A threshold lies in the metric's range, on the side that can refuse a worse model."""
    for _, check, at in _checks(facts):
        metric = catalog.METRICS.get(check.metric)
        kind = "min" if check.min is not None else "max"
        threshold = check.min if check.min is not None else check.max
        if metric is None or threshold is None:
            continue
        low, high = metric.range
        better = "higher" if metric.higher_is_better else "lower"
        if (kind == "min") is not metric.higher_is_better:
            yield facts.key_problem(
                "CLS407",
                (*at, kind),
                f"`{check.metric}` is better when {better}; `{kind}` would refuse the better models",
                f"write `{'max' if kind == 'min' else 'min'}`",
            )
        elif not low <= threshold <= high or threshold == (low if metric.higher_is_better else high):
            yield facts.problem(
                "CLS206",
                (*at, kind),
                f"`{check.metric}` lies between {low:g} and {high:g}: a {kind} of {threshold:g} says nothing",
            )


def points_are_not_safe(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario is judged at its bound."""
    for scenario, check, at in _checks(facts):
        if scenario.must_pass and check.gate == "point":
            yield facts.problem(
                "CLS406", (*at, "gate"), f"`{scenario.id}` must pass and is judged without its uncertainty"
            )


def bounds_can_be_met(facts: Facts) -> Iterator[Diagnostic]:
    """A faultless model could meet every bound with the rows that the pinned golden set has."""
    for scenario, select, checks, at in groups(facts):
        confidence = scenario.confidence or facts.spec.golden.defaults.confidence
        count = _count(facts, scenario.id, select, guarded=at[-1] == "guard")
        for number, check in enumerate(checks):
            place = (*at, "checks", number)
            if found := _unmet(facts, check, confidence, count, place):
                yield found


def _unmet(
    facts: Facts, check: Check, confidence: float, count: tuple[int, str] | None, at: Pointer
) -> Diagnostic | None:
    metric = catalog.METRICS.get(check.metric)
    kind: catalog.BoundKind = "min" if check.min is not None else "max"
    threshold = check.min if check.min is not None else check.max
    if metric is None or threshold is None or not metric.proportion or check.gate == "point":
        return None
    if not 0 <= threshold <= 1 or (kind == "min") is not metric.higher_is_better:
        return None  # said already
    needed = catalog.smallest_sufficient(kind, threshold, confidence)
    if needed is None:
        return facts.problem(
            "CLS403",
            (*at, kind),
            f"no number of samples proves a {kind} of {threshold:g}",
            "no finite test set proves perfection: set a threshold that one can meet",
        )
    if count is not None and count[0] < needed:
        return facts.problem(
            "CLS403",
            (*at, kind),
            f"{threshold:g} at {confidence:g} takes {needed} faultless {count[1]}; the golden set has {count[0]}",
            "add golden data for it, or lower the demand",
        )
    return None


def enough_is_there(facts: Facts) -> Iterator[Diagnostic]:
    """The pinned golden set has as many rows as `min_samples` asks, and enough clusters to say anything."""
    for scenario, select, _, at in groups(facts):
        pinned = _pinned(facts, scenario.id, select, guarded=at[-1] == "guard")
        if pinned is None:
            continue
        rows, clusters = pinned
        least = scenario.min_samples or facts.spec.golden.defaults.min_samples
        place = (*at, "select")
        if rows < least:
            yield facts.problem(
                "CLS403", place, f"it selects {rows} rows of the pinned golden set, under `min_samples` {least}"
            )
        if clusters is not None and clusters < catalog.MIN_CLUSTERS:
            message = (
                f"it selects {clusters} clusters of the pinned golden set; under {catalog.MIN_CLUSTERS} nothing is said"
            )
            yield facts.problem("CLS403", place, message)


def _pinned(facts: Facts, scenario: str, select: str, *, guarded: bool) -> tuple[int, int | None] | None:
    """Rows and clusters in the lock, if it speaks of this very predicate."""
    if facts.lock is None or scenario not in facts.lock.scenarios:
        return None
    pin = facts.lock.scenarios[scenario]
    count = pin.guard if guarded else pin.scenario
    if count is None or count.select != select or count.cluster_by != (facts.spec.golden.cluster_by or ""):
        return None
    return count.rows, count.clusters


def _count(facts: Facts, scenario: str, select: str, *, guarded: bool) -> tuple[int, str] | None:
    """How many independent samples there are at most, and what they are."""
    pinned = _pinned(facts, scenario, select, guarded=guarded)
    if pinned is None:
        return None
    rows, clusters = pinned
    return (rows, "rows") if clusters is None else (clusters, "clusters")


def one_class_has_a_guard(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass that always answering one class would satisfy has a guard that it would not."""
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if not scenario.must_pass:
            continue
        favoured = _always_right(facts, scenario.select, scenario.checks)
        guard = scenario.guard
        guarded = guard is not None and _always_right(facts, guard.select, guard.checks) != favoured
        if favoured is not None and not guarded:
            yield facts.problem(
                "CLS412",
                ("golden", "scenarios", index, "id"),
                f"a model that always answers `{favoured}` passes `{scenario.id}`",
                "add a `guard` with rows of other classes and a `max` false_positive_rate",
            )


def _always_right(facts: Facts, select: str, checks: tuple[Check, ...]) -> str | None:
    """The class that a model may answer to every row and still meet all of these checks, if there is one."""
    favoured = {_favours(facts, select, check) for check in checks}
    return favoured.pop() if len(favoured) == 1 else None


def _favours(facts: Facts, select: str, check: Check) -> str | None:
    """The class that a check wants to hear of all the rows it looks at."""
    if check.metric in {"recall", "false_negative_rate"}:
        return check.class_
    if check.metric == "precision":
        return None  # on rows of one class it is; elsewhere answering it always is punished
    expression, problems = predicate.understand(select, _typed_columns(facts))
    if expression is None or problems or check.metric != "accuracy":
        return None
    labels = predicate.allowed_values(expression, facts.spec.task.label)
    return str(next(iter(labels))) if labels is not None and len(labels) == 1 else None


def _typed_columns(facts: Facts) -> dict[str, predicate.ColumnType]:
    return {name: predicate.ColumnType(kind) for name, kind in facts.columns(facts.spec.golden.dataset).items()}


def rows_come_in_groups(facts: Facts) -> Iterator[Diagnostic]:
    """Where golden rows have a group, the bounds know of it."""
    golden = facts.spec.golden
    group = facts.dataset(golden.dataset).group
    if group is not None and golden.cluster_by is None:
        yield facts.problem(
            "CLS414",
            ("golden", "dataset"),
            f"rows of one `{group}` are judged as if they were independent",
            f"add `cluster_by: {group}` to `golden`",
        )


def golden_is_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing may append to the golden dataset unseen, and nothing is learned from it."""
    spec = facts.spec
    name = spec.golden.dataset
    if name not in spec.datasets:
        raise Absent(name)
    if not spec.datasets[name].pinned:
        yield facts.key_problem("CLS404", ("datasets", name), f"golden dataset `{name}` needs `pinned: true`")
    if name == spec.training.dataset:
        yield facts.problem("CLS405", ("golden", "dataset"), f"`{name}` is also what the model learns from")


def predicates_are_understood(facts: Facts) -> Iterator[Diagnostic]:
    """Every selection can be read, is true or false, and looks at columns of the golden dataset."""
    columns = _typed_columns(facts)
    for _, select, _, at in groups(facts):
        place = (*at, "select")
        _, problems = predicate.understand(select, columns)
        for found in problems:
            span = facts.document.inside(place, found.start, found.end)
            yield facts.problem(found.code, place, found.message, found.hint, span)


RULES = (
    ids_are_unique,
    something_must_pass,
    something_absolute,
    metrics_exist,
    classes_are_given,
    metrics_have_their_class,
    thresholds_bite,
    points_are_not_safe,
    bounds_can_be_met,
    enough_is_there,
    one_class_has_a_guard,
    rows_come_in_groups,
    golden_is_pinned,
    predicates_are_understood,
)
