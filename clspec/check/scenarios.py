"""A gate must be able to say no, and must not say yes to a model that takes the easy way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog, predicate
from clspec.check.groups import all_there, groups, intact
from clspec.diagnostic import did_you_mean
from clspec.parse import Absent
from clspec.predicate.problem import UNKNOWN_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Check, Dataset


def _checks(facts: Facts) -> Iterator[tuple[Check, Pointer]]:
    for group in groups(facts):
        yield from group.places()


def ids_are_unique(facts: Facts) -> Iterator[Diagnostic]:
    """Every scenario has a name of its own."""
    seen: dict[str, int] = {}
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if scenario.id in seen:
            line = facts.document.span(("golden", "scenarios", seen[scenario.id], "id")).line
            message = f"`{scenario.id}` is already the id in line {line}"
            yield facts.problem("CLS305", ("golden", "scenarios", index, "id"), message, "give it an id of its own")
        seen.setdefault(scenario.id, index)


def something_must_pass(facts: Facts) -> Iterator[Diagnostic]:
    """At least one scenario can refuse a model; one that is broken may be the one."""
    if not any(scenario.must_pass for scenario in facts.spec.golden.scenarios) and all_there(facts):
        yield facts.key_problem(
            "CLS401",
            ("golden", "scenarios"),
            "no scenario is `must_pass: true`: every model would pass",
            "remove `must_pass: false` from what must never go wrong",
        )


def something_absolute(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario has a threshold of its own, not only comparisons with the champion."""
    for group in groups(facts):
        must = group.intact and group.scenario.must_pass and not group.guard
        if must and all(_compares(check) for check in group.checks):
            yield facts.key_problem(
                "CLS402",
                (*group.at, "checks"),
                f"must-pass scenario `{group.scenario.id}` only compares with the champion",
                "add a check with `min` or `max`",
            )


def _compares(check: Check) -> bool:
    metric = catalog.METRICS.get(check.metric)
    return check.margin is not None or (metric is not None and metric.comparison)


def metrics_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every metric is built in or says where it is to be found."""
    for check, at in _checks(facts):
        if check.metric not in catalog.METRICS and not check.metric.startswith("python:"):  # refused as not built yet
            message = f"there is no metric `{check.metric}`"
            yield facts.problem("CLS304", (*at, "metric"), message, did_you_mean(check.metric, catalog.METRICS))


def metrics_have_their_class(facts: Facts) -> Iterator[Diagnostic]:
    """A metric about one class names it, one over all classes does not."""
    for group in groups(facts):
        for check, at in group.places():
            metric = catalog.METRICS.get(check.metric)
            if metric is None:
                continue
            if metric.needs_class and check.class_ is None and group.intact:
                hint = "say which class it is about: `class: NAME`"
                yield facts.problem("CLS307", (*at, "metric"), f"`{check.metric}` needs `class`", hint)
            if not metric.needs_class and check.class_ is not None:
                message = f"`{check.metric}` is over all classes"
                yield facts.key_problem("CLS307", (*at, "class"), message, "remove `class`")


def classes_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every class that a check names, or that a selection asks the label for, is one of the task's."""
    classes, label = facts.spec.task.classes, facts.spec.task.label
    if not classes or not facts.intact("task", "classes"):
        return
    for check, at in _checks(facts):
        metric = catalog.METRICS.get(check.metric)
        if check.class_ is not None and check.class_ not in classes and (metric is None or metric.needs_class):
            message = f"there is no class `{check.class_}`"
            yield facts.problem("CLS303", (*at, "class"), message, did_you_mean(check.class_, classes))
    for group in groups(facts):
        expression, _ = predicate.understand(group.select, _columns(facts))
        named = predicate.allowed_values(expression, label) if expression is not None else None
        for name in sorted(v for v in named or () if isinstance(v, str) and v not in classes):
            at = (*group.at, "select")
            start = group.select.find(f"'{name}'")
            span = facts.document.inside(at, start, start + len(name) + 2) if start >= 0 else None
            yield facts.problem("CLS303", at, f"there is no class `{name}`", did_you_mean(name, classes), span)


def classes_are_given(facts: Facts) -> Iterator[Diagnostic]:
    """A classification says which classes there are, and no other task does."""
    task = facts.spec.task
    if task.type == "classification" and not task.classes and facts.intact("task", "classes"):
        hint = "every class there is: `classes: [cat, dog]`"
        yield facts.key_problem("CLS202", ("task",), "`task` needs `classes`: a classification has them", hint)


def thresholds_bite(facts: Facts) -> Iterator[Diagnostic]:
    """A threshold lies in the metric's range, on the side that can refuse a worse model."""
    for check, at in _checks(facts):
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
                "a share, not a percentage: 95 % is `0.95`" if 1 < threshold <= 100 else "",  # noqa: PLR2004
            )


def points_are_not_safe(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass scenario is judged at its bound."""
    for group in groups(facts):
        for check, at in group.places():
            if group.scenario.must_pass and group.intact and check.gate == "point":
                message = f"`{group.scenario.id}` must pass and is judged without its uncertainty"
                hint = "remove `gate: point`; it is possible where `must_pass: false`"
                yield facts.problem("CLS406", (*at, "gate"), message, hint)


def one_class_has_a_guard(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass that always answering one class would satisfy has a guard that it would not."""
    whole = intact(facts)
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if not scenario.must_pass or index not in whole:
            continue
        groups = [(scenario.select, scenario.checks)]
        groups += [(scenario.guard.select, scenario.guard.checks)] if scenario.guard else []
        for name in facts.spec.task.classes:
            if all(_met_by(facts, name, select, check) for select, checks in groups for check in checks):
                yield facts.problem(
                    "CLS412",
                    ("golden", "scenarios", index, "id"),
                    f"a model that always answers `{name}` passes `{scenario.id}`",
                    "add a `guard` with rows of other classes and a `max` false_positive_rate, or a recall",
                )
                break


def _met_by(facts: Facts, name: str, select: str, check: Check) -> bool:
    """Whether a model that always answers this class is sure to meet a check."""
    if check.metric in {"recall", "false_negative_rate"}:
        return check.class_ == name
    if check.metric == "false_positive_rate":
        return check.class_ != name and check.class_ in facts.spec.task.classes
    if check.metric != "accuracy":
        return False  # a precision of a class that is always answered is its share; of another, nothing
    expression, problems = predicate.understand(select, _columns(facts))
    if expression is None or problems:
        return False
    labels = predicate.allowed_values(expression, facts.spec.task.label)
    return labels is not None and labels == {name}


def rows_come_in_groups(facts: Facts) -> Iterator[Diagnostic]:
    """Where golden rows have a group, the bounds know of it."""
    golden = facts.spec.golden
    group = facts.dataset(golden.dataset).group
    if group not in facts.columns(golden.dataset) or not facts.intact("golden", "cluster_by"):
        return
    if golden.cluster_by == facts.dataset(golden.dataset).key:
        message = f"every row has its own `{golden.cluster_by}`: rows of one `{group}` are judged as independent"
        yield facts.problem("CLS414", ("golden", "cluster_by"), message, f"write `cluster_by: {group}`")
    if golden.cluster_by is None:
        yield facts.problem(
            "CLS414",
            ("golden", "dataset"),
            f"rows of one `{group}` are judged as if they were independent",
            f"add `cluster_by: {group}` to `golden`",
        )


def golden_is_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing may append to the golden dataset unseen."""
    name = facts.spec.golden.dataset
    if name in facts.spec.datasets and not facts.spec.datasets[name].pinned and facts.intact("datasets", name):
        message = f"golden dataset `{name}` needs `pinned: true`"
        yield facts.key_problem("CLS404", ("datasets", name), message, f"add `pinned: true` to `datasets.{name}`")


def golden_is_apart(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing is learned from the golden dataset, and whether a row is golden can be told by its key and its group."""
    name, training = facts.spec.golden.dataset, facts.spec.training.dataset
    if name == training:
        hint = "judge on rows that no model has seen: a dataset of their own"
        yield facts.problem("CLS405", ("golden", "dataset"), f"`{name}` is also what the model learns from", hint)
        return
    golden, learned = facts.dataset(name), facts.dataset(training)
    for role in ("key", "group"):
        mine, theirs = getattr(golden, role), getattr(learned, role)
        if not all(facts.intact("datasets", dataset, role) for dataset in (name, training)):
            continue
        if (mine is None) is not (theirs is None):
            missing, other = (name, training) if mine is None else (training, name)
            hint = f"give it the `{role}`: rows of one {role} in both would be a leak that nobody sees"
            message = f"dataset `{missing}` has no `{role}`, dataset `{other}` has one"
            yield facts.key_problem("CLS409", ("datasets", missing), message, hint)
        elif (
            mine is not None and None not in (kinds := {_type(golden, mine), _type(learned, theirs)}) and len(kinds) > 1
        ):
            message = f"the {role} of `{name}` is {_type(golden, mine)}, that of `{training}` {_type(learned, theirs)}"
            yield facts.key_problem("CLS409", ("datasets", name), message, "values of different types are never equal")


def _type(dataset: Dataset, column: str | None) -> str | None:
    return (dataset.columns or {}).get(column or "")


def predicates_are_understood(facts: Facts) -> Iterator[Diagnostic]:
    """Every selection can be read, is true or false, and looks at columns of the golden dataset."""
    declared = facts.declared_columns("datasets", facts.spec.golden.dataset)
    columns = _columns(facts)
    for group in groups(facts):
        at = (*group.at, "select")
        for found in predicate.understand(group.select, columns)[1]:
            name = group.select[found.start : found.end]
            if found.code == UNKNOWN_COLUMN and (declared is None or name in declared):
                continue  # the column's type, or all of the dataset, is unreadable
            span = facts.document.inside(at, found.start, found.end)
            yield facts.problem(found.code, at, found.message, found.hint, span)


def _columns(facts: Facts) -> dict[str, predicate.ColumnType]:
    """The columns of the golden dataset, as far as they can be read."""
    try:
        typed = facts.columns(facts.spec.golden.dataset)
    except Absent:
        return {}
    return {name: predicate.ColumnType(kind) for name, kind in typed.items()}


RULES = (
    ids_are_unique,
    something_must_pass,
    something_absolute,
    metrics_exist,
    classes_are_given,
    classes_exist,
    metrics_have_their_class,
    thresholds_bite,
    points_are_not_safe,
    one_class_has_a_guard,
    rows_come_in_groups,
    golden_is_pinned,
    golden_is_apart,
    predicates_are_understood,
)
