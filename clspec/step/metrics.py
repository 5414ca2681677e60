"""What each metric counts on golden rows; the formulas stand in the catalog, and nothing is judged here.

A share of rows is a tally. A share that is compared on the same rows is a pair of gained and lost. Anything else is a
value with its spread over groups of rows. Differences are turned so that more is better for the challenger.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clspec.catalog import LATENCY_SHARE
from clspec.diagnostic import StepFailed
from clspec.stats.quantile import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BINS = 15
"""Of the calibration error, as in Guo et al. 2017."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one model said of the golden rows, in their order."""

    said: list[Any]
    scores: list[float] | None
    """Its confidence in what it said."""
    class_scores: dict[str, list[float]]
    """Its score of each class, where it gives them."""
    seconds: list[float] | None
    """How long each answer took to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The golden rows' labels, and which classes there are."""

    labels: list[Any]
    classes: tuple[str, ...]


def is_about(metric: str, name: str | None, label: Any, said: Any) -> bool:
    """Whether a row is in a share's denominator."""
    if metric in {"recall", "false_negative_rate"}:
        return bool(label == name)
    if metric == "false_positive_rate":
        return bool(label != name)
    if metric == "precision":
        return bool(said == name)
    if metric == "f1":
        return bool(name in (label, said))
    return True  # accuracy, negative_flip_rate


def is_success(metric: str, name: str | None, label: Any, said: Any) -> bool:
    """Whether a row of a share's denominator is in its numerator."""
    if metric in {"recall", "false_positive_rate"}:
        return bool(said == name)
    if metric == "false_negative_rate":
        return bool(said != name)
    if metric == "precision":
        return bool(label == name)
    if metric == "f1":
        return bool(label == said)
    return bool(said == label)  # accuracy


def value(metric: str, name: str | None, truth: Truth, answers: Answers, rows: Sequence[int]) -> float:
    """A built-in metric of one model on some rows; NaN where they do not define it.

    Raises:
        StepFailed: the model's answers lack what the metric needs.
    """
    if metric in _OF_ALL:
        return _OF_ALL[metric](truth, answers, rows)
    if metric == "auroc":
        return _auroc([truth.labels[i] == name for i in rows], _class_score(truth, answers, name, rows))
    labels, said = truth.labels, answers.said
    about = [i for i in rows if is_about(metric, name, labels[i], said[i])]
    share = _ratio(sum(is_success(metric, name, labels[i], said[i]) for i in about), len(about))
    return 2 * share / (1 + share) if metric == "f1" else share


def flips(truth: Truth, challenger: Answers, champion: Answers, rows: Sequence[int]) -> list[int]:
    """The rows that the champion has right and the challenger has wrong."""
    label = truth.labels
    return [i for i in rows if champion.said[i] == label[i] != challenger.said[i]]


def seconds(answers: Answers) -> list[float]:
    """How long each answer took.

    Raises:
        StepFailed: it was not measured.
    """
    if answers.seconds is None:
        message = "the predictions do not say how long each row took, which `latency_p99` needs"
        raise StepFailed(message)
    return answers.seconds


def scores(answers: Answers) -> list[float]:
    """How sure the model was of each of its answers, from 0 to 1.

    Raises:
        StepFailed: it does not say, or one is no probability.
    """
    if answers.scores is None:
        message = "the predictions have no score, which `auroc` and `expected_calibration_error` need: set `task.score`"
        raise StepFailed(message)
    strange = [score for score in answers.scores if not 0 <= score <= 1]
    if strange:
        message = f"{len(strange)} scores are not from 0 to 1, like {strange[0]:g}: the score is a probability here"
        raise StepFailed(message)
    return answers.scores


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _mae(truth: Truth, answers: Answers, rows: Sequence[int]) -> float:
    return _ratio(math.fsum(abs(answers.said[i] - truth.labels[i]) for i in rows), len(rows))


def _rmse(truth: Truth, answers: Answers, rows: Sequence[int]) -> float:
    return math.sqrt(_ratio(math.fsum((answers.said[i] - truth.labels[i]) ** 2 for i in rows), len(rows)))


def _calibration(truth: Truth, answers: Answers, rows: Sequence[int]) -> float:
    """Bins are open below and closed above, but the first, which holds 0."""
    sure = scores(answers)
    gaps = [0.0] * BINS
    for i in rows:
        bin_ = max(0, bisect_left(_EDGES, sure[i]) - 1)
        gaps[bin_] += (answers.said[i] == truth.labels[i]) - sure[i]
    return _ratio(math.fsum(map(abs, gaps)), len(rows))


_EDGES = [number / BINS for number in range(BINS)]


def _latency(_: Truth, answers: Answers, rows: Sequence[int]) -> float:
    """The smallest latency that at least 99 % of the rows do not exceed."""
    took = seconds(answers)
    return quantile([took[i] for i in rows], LATENCY_SHARE) if rows else math.nan


_OF_ALL: dict[str, Callable[[Truth, Answers, Sequence[int]], float]] = {
    "mae": _mae,
    "rmse": _rmse,
    "expected_calibration_error": _calibration,
    "latency_p99": _latency,
}


def _class_score(truth: Truth, answers: Answers, name: str | None, rows: Sequence[int]) -> list[float]:
    """How much a model takes each row for one of the class.

    Of two classes the score of one is one minus that of the other. Of more, the confidence in what was answered does
    not tell that in another class, so the model must give each class's own.
    """
    if name in answers.class_scores:
        return [answers.class_scores[name][i] for i in rows]
    if len(truth.classes) > 2:  # noqa: PLR2004  # of two, one is the other's complement
        message = (
            f"`auroc` of `{name}` needs that class's own score, for there are more than two classes: let predict "
            f"answer it too, as `SCORE.{name}` where SCORE is the name in `task.score`"
        )
        raise StepFailed(message)
    sure = scores(answers)
    return [sure[i] if answers.said[i] == name else 1 - sure[i] for i in rows]


def _auroc(of_class: Sequence[bool], score: Sequence[float]) -> float:
    """Hanley and McNeil 1982: the rank sum of the class's rows, ties sharing their ranks; of a NaN nothing is known."""
    mine = sum(of_class)
    others = len(of_class) - mine
    if not mine or not others or np.isnan(score).any():
        return math.nan
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    total = math.fsum(rank for rank, is_mine in zip(ranks, of_class, strict=True) if is_mine)
    return (total - mine * (mine + 1) / 2) / (mine * others)
