"""Every check must name a metric that there is for this task, and a threshold that can refuse a worse model."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from clspec import catalog
from clspec.check.groups import groups
from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Check

OWN = "python:"
"""What the name of a metric of the user's own begins with."""
OWN_METRIC = re.compile(r"python:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")


def _checks(facts: Facts) -> Iterator[tuple[Check, Pointer]]:
    for group in groups(facts):
        yield from group.places()


def metrics_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every metric is built in or says where it is to be found."""
    for group, check, at in ((one, *place) for one in groups(facts) for place in one.places()):
        if check.metric.startswith(OWN):
            if not OWN_METRIC.fullmatch(check.metric):
                message = f"`{check.metric}` does not say which function is meant"
                yield facts.problem("CLS205", (*at, "metric"), message, "`python:module:function`, under `code.root`")
        elif check.metric not in catalog.METRICS:
            message = f"there is no metric `{check.metric}`"
            hint = did_you_mean(check.metric, catalog.METRICS) or "one of your own is `python:module:function`"
            given = {other.metric for other in group.checks if other.class_ == check.class_}
            fix = facts.meant((*at, "metric"), check.metric, catalog.METRICS, given)
            yield facts.problem("CLS304", (*at, "metric"), message, hint, fix=fix)


def metrics_fit_the_task(facts: Facts) -> Iterator[Diagnostic]:
    """Right and wrong answers are counted, distances are measured; what else there is, only the user can judge."""
    task = facts.spec.task
    for check, at in _checks(facts):
        metric = catalog.METRICS.get(check.metric)
        if metric is None:
            continue
        if task.type not in metric.tasks:
            fitting = ", ".join(f"`{known.name}`" for known in catalog.METRICS.values() if task.type in known.tasks)
            hint = f"for it there are {fitting}, and metrics of your own: `python:module:function`"
            yield facts.problem("CLS411", (*at, "metric"), f"`{check.metric}` does not judge a {task.type}", hint)
        if metric.needs_score and task.score is None and facts.intact("task", "score"):
            hint = "name the column under which `predict` yields it: `score: conf` in `task`"
            yield facts.problem("CLS209", (*at, "metric"), f"`{check.metric}` needs `task.score`", hint)
        if metric.needs_latency and facts.spec.inference.entrypoint is None and facts.intact("inference"):
            message = f"`{check.metric}` needs `inference.entrypoint`"
            hint = "a command answers for all rows at once, so that no single answer can be timed"
            yield facts.problem("CLS209", (*at, "metric"), message, hint)


def classes_are_given(facts: Facts) -> Iterator[Diagnostic]:
    """A classification says which classes there are, and a regression has none."""
    task = facts.spec.task
    if task.type == "classification" and not task.classes and facts.intact("task", "classes"):
        hint = "every class there is: `classes: [cat, dog]`"
        yield facts.key_problem("CLS202", ("task",), "`task` needs `classes`: a classification has them", hint)
    if task.type == "regression" and task.classes:
        yield facts.key_problem("CLS411", ("task", "classes"), "a regression has no classes", "remove `classes`")


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


def own_metrics_are_described(facts: Facts) -> Iterator[Diagnostic]:
    """Of a metric of the user's own it is said which way is better and between what it lies; of a built-in one not."""
    for group in groups(facts):
        for check, at in group.places():
            given = {"higher_is_better": check.higher_is_better, "range": check.range}
            if check.metric in catalog.METRICS:
                for key in (key for key, value in given.items() if value is not None):
                    message = f"`{key}` of `{check.metric}` is known"
                    yield facts.key_problem("CLS413", (*at, key), message, f"remove `{key}`")
            elif check.metric.startswith(OWN) and group.intact:
                for key in (key for key, value in given.items() if value is None):
                    hint = {"range": "`range: [0, 1]`", "higher_is_better": "`higher_is_better: true`, or `false`"}[key]
                    yield facts.problem("CLS413", (*at, "metric"), f"`{check.metric}` needs `{key}`", hint)
            if check.range is not None and not check.range[0] < check.range[1]:
                message = f"nothing lies between {check.range[0]:g} and {check.range[1]:g}"
                yield facts.problem("CLS206", (*at, "range"), message, "the smallest value comes first")


def direction(check: Check) -> bool | None:
    """Whether a higher value is better, if that is known."""
    metric = catalog.METRICS.get(check.metric)
    return check.higher_is_better if metric is None else metric.higher_is_better


def limits(check: Check) -> tuple[float, float] | None:
    """The smallest and the largest value that a check's metric can take, if that is known."""
    metric = catalog.METRICS.get(check.metric)
    ends = check.range if metric is None else metric.range
    return ends if ends is not None and ends[0] < ends[1] else None


def thresholds_bite(facts: Facts) -> Iterator[Diagnostic]:
    """A threshold lies in the metric's range, on the side that can refuse a worse model."""
    for check, at in _checks(facts):
        kind = "min" if check.min is not None else "max"
        threshold = check.min if check.min is not None else check.max
        higher, ends = direction(check), limits(check)
        if threshold is None or higher is None or ends is None:
            continue
        low, high = ends
        better = "higher" if higher else "lower"
        if (kind == "min") is not higher:
            yield facts.key_problem(
                "CLS407",
                (*at, kind),
                f"`{check.metric}` is better when {better}; `{kind}` would refuse the better models",
                f"write `{'max' if kind == 'min' else 'min'}`",
            )
        elif not low <= threshold <= high or threshold == (low if higher else high):
            yield facts.problem(
                "CLS206",
                (*at, kind),
                f"`{check.metric}` {_lies(low, high)}: a {kind} of {threshold:g} says nothing",
                "a share, not a percentage: 95 % is `0.95`" if high == 1 < threshold <= 100 else "",  # noqa: PLR2004
            )


def margins_bite(facts: Facts) -> Iterator[Diagnostic]:
    """A margin, or a gap, is smaller than all that can be."""
    for check, at in _checks(facts):
        ends = limits(check)
        for key in ("margin", "max_gap"):
            value = getattr(check, key)
            if value is not None and ends is not None and value >= ends[1] - ends[0]:
                message = f"`{check.metric}` {_lies(*ends)}: a {key} of {value:g} says nothing"
                hint = "a share, not a percentage: 2 % is `0.02`" if ends == (0, 1) else ""
                yield facts.problem("CLS206", (*at, key), message, hint)


def _lies(low: float, high: float) -> str:
    return f"lies between {low:g} and {high:g}" if math.isfinite(high) else f"is at least {low:g}"


RULES = (
    metrics_exist,
    metrics_fit_the_task,
    classes_are_given,
    metrics_have_their_class,
    own_metrics_are_described,
    thresholds_bite,
    margins_bite,
)
