"""A gate must be able to say no, and must not say yes to a model that takes the easy way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog, predicate
from clspec.check.groups import all_there, groups, intact
from clspec.check.predicates import golden_columns
from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Check, Dataset


def something_must_pass(facts: Facts) -> Iterator[Diagnostic]:
    """At least one scenario can refuse a model; one that is broken may be the one."""
    if not any(scenario.must_pass for scenario in facts.spec.golden.scenarios) and all_there(facts):
        yield facts.key_problem(
            "CLS401",
            ("golden", "scenarios"),
            "no scenario is `must_pass: true`: every model would pass",
            "remove `must_pass: false` from what must never go wrong",
        )


def slices_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every slice that a scenario is judged in is named in `golden.slices`."""
    known = facts.spec.golden.slices
    if not facts.intact("golden", "slices"):
        return
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        for number, name in enumerate(scenario.slices):
            if name not in known:
                at = ("golden", "scenarios", index, "slices", number)
                hint = did_you_mean(name, known) or f"name it in `golden`: `slices: {{{name}: ...}}`"
                fix = facts.meant(at, name, known, scenario.slices)
                yield facts.problem("CLS301", at, f"there is no slice `{name}`", hint, fix=fix)


def each_is_a_column(facts: Facts) -> Iterator[Diagnostic]:
    """`for_each` names a column of the golden dataset whose values can be told apart."""
    golden = facts.spec.golden
    for index, scenario in enumerate(golden.scenarios):
        at = ("golden", "scenarios", index, "for_each")
        if scenario.for_each is None:
            continue
        if found := facts.column_unknown("datasets", golden.dataset, scenario.for_each, at):
            yield found
        elif golden_columns(facts).get(scenario.for_each) is predicate.ColumnType.BINARY:
            message = f"`{scenario.for_each}` is binary: its values name no groups"
            yield facts.problem("CLS313", at, message, "judge for each value of a column that people can read")


def classes_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every class that a check names, or that a predicate asks the label for, is one of the task's."""
    classes = facts.spec.task.classes
    if not classes or not facts.intact("task", "classes"):
        return
    for group in groups(facts):
        for check, at in group.places():
            metric = catalog.METRICS.get(check.metric)
            if check.class_ is not None and check.class_ not in classes and (metric is None or metric.needs_class):
                message = f"there is no class `{check.class_}`"
                place = (*at, "class")
                given = {other.class_ for other in group.checks if other.metric == check.metric}
                fix = facts.meant(place, check.class_, classes, filter(None, given))
                yield facts.problem("CLS303", place, message, did_you_mean(check.class_, classes), fix=fix)
    selections: list[tuple[str, Pointer]] = [(group.select, (*group.at, "select")) for group in groups(facts)]
    selections += [(text, ("golden", "slices", name)) for name, text in facts.spec.golden.slices.items()]
    columns = golden_columns(facts)
    for text, at in selections:
        named = predicate.values_left(text, columns, facts.spec.task.label)
        for name in sorted(v for v in named or () if isinstance(v, str) and v not in classes):
            start = text.find(f"'{name}'")
            span = facts.document.inside(at, start, start + len(name) + 2) if start >= 0 else None
            yield facts.problem("CLS303", at, f"there is no class `{name}`", did_you_mean(name, classes), span)


def one_class_has_a_guard(facts: Facts) -> Iterator[Diagnostic]:
    """A must-pass that always answering one class would satisfy has a guard that it would not."""
    whole = intact(facts)
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        if not scenario.must_pass or index not in whole:
            continue
        halves = [(scenario.select, scenario.checks)]
        halves += [(scenario.guard.select, scenario.guard.checks)] if scenario.guard else []
        judging = [(select, check) for select, checks in halves for check in checks if check.metric not in _BLIND]
        for name in facts.spec.task.classes if judging else ():
            if all(_met_by(facts, name, select, check) for select, check in judging):
                at = ("golden", "scenarios", index)
                yield facts.problem(
                    "CLS412",
                    at,
                    f"a model that always answers `{name}` passes `{scenario.id}`",
                    "add a `guard` with rows of other classes and a `max` false_positive_rate, or a recall",
                    facts.document.span((*at, "id")),
                )
                break


_BLIND = {"latency_p99"}
"""Metrics that do not look at what is answered."""


def _met_by(facts: Facts, name: str, select: str, check: Check) -> bool:
    """Whether a model that always answers this class is sure to meet a check."""
    if check.metric in {"recall", "false_negative_rate"}:
        return check.class_ == name
    if check.metric == "false_positive_rate":
        return check.class_ != name and check.class_ in facts.spec.task.classes
    if check.metric not in {"accuracy", "negative_flip_rate"} and (check.metric, check.class_) != ("f1", name):
        return False  # a precision of a class that is always answered is its share; of another, nothing
    labels = predicate.values_left(select, golden_columns(facts), facts.spec.task.label)
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
        related = facts.related(("training", "dataset"), "learned from here")
        message = f"`{name}` is also what the model learns from"
        yield facts.problem("CLS405", ("golden", "dataset"), message, hint, related=related)
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
            related = facts.related(("datasets", other, role), f"it has its {role} here")
            yield facts.key_problem("CLS409", ("datasets", missing), message, hint, related)
        elif (
            mine is not None and None not in (kinds := {_type(golden, mine), _type(learned, theirs)}) and len(kinds) > 1
        ):
            message = f"the {role} of `{name}` is {_type(golden, mine)}, that of `{training}` {_type(learned, theirs)}"
            hint, related = "values of different types are never equal", facts.related(("datasets", training), "here")
            yield facts.key_problem("CLS409", ("datasets", name), message, hint, related)


def _type(dataset: Dataset, column: str | None) -> str | None:
    return (dataset.columns or {}).get(column or "")


RULES = (
    something_must_pass,
    slices_exist,
    each_is_a_column,
    classes_exist,
    one_class_has_a_guard,
    rows_come_in_groups,
    golden_is_pinned,
    golden_is_apart,
)
