"""Facts that the compiler and the steps must agree on: the built-in metrics, and how many samples a bound needs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache
from math import floor, inf
from statistics import NormalDist
from typing import Literal

BoundKind = Literal["min", "max"]
"""The direction of a threshold: the true value is at least it, or at most it."""

CheckKind = Literal["min", "max", "margin"]
"""What a check may ask: a threshold's two directions, or that the challenger is worse than the champion by less."""

Judged = Literal["proportion", "jaccard", "quantile", "spread"]
"""By which bound a `min` or `max` is judged: Clopper-Pearson on the rows counted; the same on the rows that are or are
called of the class, shown as f1; the same on the rows within the threshold, which must be 99 %; Student's with a
jackknife's error."""

Compared = Literal["paired", "spread"]
"""By which bound a `margin` is judged: Tango's on rows gained and lost; Student's on the difference of the values."""

MIN_CLUSTERS = 50
"""Under so many clusters no interval that we simulated keeps its promise, so a verdict is inconclusive."""

DEFAULT_CONFIDENCE = 0.95
DEFAULT_MIN_SAMPLES = 100

_FAWCETT = "Fawcett 2006, An introduction to ROC analysis, section 2"
_WILLMOTT = "Willmott and Matsuura 2005, Advantages of the mean absolute error over the root mean square error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A built-in metric: what it says, which way is better, and what may be inferred from it."""

    name: str
    formula: str
    source: str
    higher_is_better: bool
    needs_class: bool = False
    """Whether a check must name the class that counts as positive."""
    range: tuple[float, float] = (0.0, 1.0)
    """The smallest and the largest value that it can take."""
    tasks: tuple[str, ...] = ("classification",)
    """The task types that it is for."""
    judged: Judged = "proportion"
    compared: Compared | None = None
    """None where a `margin` is not offered."""
    needs_score: bool = False
    """Whether it needs `task.score`."""
    needs_latency: bool = False
    """Whether it needs the time that each answer took."""
    comparison: bool = False
    """Whether it sets the challenger against the champion, and so says nothing without one."""

    @property
    def proportion(self) -> bool:
        """Whether it is a plain share of one model's rows."""
        return self.judged == "proportion" and not self.comparison


_BUILT_IN = (
    Metric(
        name="accuracy",
        formula="rows predicted as labelled / rows",
        source=_FAWCETT,
        higher_is_better=True,
        compared="paired",
    ),
    Metric(
        name="precision",
        formula="rows of the class predicted as the class / rows predicted as the class",
        source=_FAWCETT,
        higher_is_better=True,
        needs_class=True,
        compared="spread",
    ),
    Metric(
        name="recall",
        formula="rows of the class predicted as the class / rows of the class",
        source=_FAWCETT,
        higher_is_better=True,
        needs_class=True,
        compared="paired",
    ),
    Metric(
        name="f1",
        formula="2 * precision * recall / (precision + recall)",
        source="van Rijsbergen 1979, Information Retrieval, chapter 7",
        higher_is_better=True,
        needs_class=True,
        judged="jaccard",
        compared="spread",
    ),
    Metric(
        name="false_positive_rate",
        formula="rows of other classes predicted as the class / rows of other classes",
        source=_FAWCETT,
        higher_is_better=False,
        needs_class=True,
        compared="paired",
    ),
    Metric(
        name="false_negative_rate",
        formula="rows of the class predicted as another / rows of the class",
        source=_FAWCETT,
        higher_is_better=False,
        needs_class=True,
        compared="paired",
    ),
    Metric(
        name="negative_flip_rate",
        formula="rows that the champion has right and the challenger has wrong / rows",
        source="Yan et al. 2021, Positive-Congruent Training",
        higher_is_better=False,
        comparison=True,
    ),
    Metric(
        name="mae",
        formula="sum of |prediction - label| / rows",
        source=_WILLMOTT,
        higher_is_better=False,
        range=(0.0, inf),
        tasks=("regression",),
        judged="spread",
        compared="spread",
    ),
    Metric(
        name="rmse",
        formula="square root of (sum of (prediction - label)^2 / rows)",
        source=_WILLMOTT,
        higher_is_better=False,
        range=(0.0, inf),
        tasks=("regression",),
        judged="spread",
        compared="spread",
    ),
    Metric(
        name="auroc",
        formula="share of pairs (row of the class, row of another) in which the first scores higher; ties count half",
        source="Hanley and McNeil 1982, The meaning and use of the area under a ROC curve",
        higher_is_better=True,
        needs_class=True,
        needs_score=True,
        judged="spread",
        compared="spread",
    ),
    Metric(
        name="expected_calibration_error",
        formula="sum over 15 equal bins of the score of rows in the bin / rows * |accuracy - mean score|",
        source="Guo et al. 2017, On Calibration of Modern Neural Networks",
        higher_is_better=False,
        needs_score=True,
        judged="spread",
        compared="spread",
    ),
    Metric(
        name="latency_p99",
        formula="the smallest latency in seconds that at least 99 % of the rows do not exceed",
        source="Hyndman and Fan 1996, Sample Quantiles in Statistical Packages, definition 1",
        higher_is_better=False,
        range=(0.0, inf),
        tasks=("classification", "regression", "custom"),
        needs_latency=True,
        judged="quantile",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _BUILT_IN}
"""The built-in metrics by name."""


def error_rate(confidence: float) -> float:
    """One minus the confidence as it was written: 0.9 leaves 0.1, not 0.09999999999999998.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    if not 0 < confidence < 1:
        message = f"a confidence lies strictly between 0 and 1, not at {confidence}"
        raise ValueError(message)
    return float(1 - Decimal(repr(confidence)))


@lru_cache(maxsize=4096)
def smallest_sufficient(kind: BoundKind, threshold: float, confidence: float) -> int | None:
    """How many samples without an error let the one-sided bound meet the threshold; None if no number can.

    Zero errors in n samples bound the share of good ones from below by a^(1/n), where a = 1 - confidence
    (Clopper and Pearson 1934, with the binomial sum down to its last term); so n = ceil(log a / log threshold), with
    1 - threshold in its place for a `max`. It is worked out in decimals as they were written: no float decides a tie.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    alpha = Decimal(repr(error_rate(confidence)))
    with localcontext(prec=100):
        written = Decimal(repr(threshold))
        good = written if kind == "min" else 1 - written
        if good >= 1:
            return None
        if good <= alpha:
            return 1
        # The quotient is whole only where alpha = good^n, and then its digits are off by rounding alone.
        exact = (alpha.ln() / good.ln()).quantize(Decimal("1e-50"))
        return int(exact.to_integral_value(rounding=ROUND_CEILING))


def smallest_sufficient_margin(margin: float, confidence: float) -> int | None:
    """How many rows let a challenger that agrees with the champion on every one show that it is worse by less.

    The bound is the lower of two (see `clspec.stats.paired`) and must be over -margin, not only at it. With no row lost
    and none gained the exact one is a^(1/n) - 1, so that (1 - margin)^n must be under a; the score interval's is
    -z^2 / (n + z^2), so that n must be over z^2 (1 - margin) / margin.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    exact = smallest_sufficient("max", margin, confidence)
    if exact is None or margin <= 0:
        return None
    if margin >= 1:
        return 1
    with localcontext(prec=100):
        if (1 - Decimal(repr(margin))) ** exact >= Decimal(repr(error_rate(confidence))):
            exact += 1
    quantile = max(0.0, NormalDist().inv_cdf(confidence))
    return max(exact, floor(quantile**2 * (1 - margin) / margin) + 1)


def jaccard_of_f1(f1: float) -> float:
    """The share of rows of the class among those that are or are called of it, at this f1: f1 = 2 J / (1 + J)."""
    return f1 / (2 - f1)


def f1_of_jaccard(share: float) -> float:
    """The f1 at this share of rows of the class among those that are or are called of it."""
    return 2 * share / (1 + share)


LATENCY_SHARE = 0.99
"""The share of rows that must answer within the threshold of `latency_p99`."""


def rows_needed(metric: Metric, kind: CheckKind, threshold: float, confidence: float) -> int | None:
    """How many rows, faultless or alike, a check needs to be met at all; None where no number is enough.

    Rows are those that the metric counts; of f1, those that are or are called of the class. Where only the values
    themselves can tell, it is two.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    if kind == "margin":
        return smallest_sufficient_margin(threshold, confidence) if metric.compared == "paired" else 2
    if metric.judged == "proportion":
        return smallest_sufficient(kind, threshold, confidence)
    if metric.judged == "jaccard":
        return smallest_sufficient(kind, jaccard_of_f1(threshold), confidence)
    return smallest_sufficient("min", LATENCY_SHARE, confidence) if metric.judged == "quantile" else 2
