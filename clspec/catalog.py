"""Facts that the compiler and the steps must agree on: the built-in metrics, and how many samples a bound needs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from math import inf
from typing import Literal

BoundKind = Literal["min", "max"]
"""The direction of a threshold: the true value is at least it, or at most it."""

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
    proportion: bool = False
    """Whether it is a plain share of one model's independent rows, so that Clopper-Pearson bounds it."""
    comparison: bool = False
    """Whether it sets the challenger against the champion, and so says nothing without one."""


_BUILT_IN = (
    Metric(
        name="accuracy",
        formula="rows predicted as labelled / rows",
        source=_FAWCETT,
        higher_is_better=True,
        proportion=True,
    ),
    Metric(
        name="precision",
        formula="rows of the class predicted as the class / rows predicted as the class",
        source=_FAWCETT,
        higher_is_better=True,
        needs_class=True,
        proportion=True,
    ),
    Metric(
        name="recall",
        formula="rows of the class predicted as the class / rows of the class",
        source=_FAWCETT,
        higher_is_better=True,
        needs_class=True,
        proportion=True,
    ),
    Metric(
        name="f1",
        formula="2 * precision * recall / (precision + recall)",
        source="van Rijsbergen 1979, Information Retrieval, chapter 7",
        higher_is_better=True,
        needs_class=True,
    ),
    Metric(
        name="false_positive_rate",
        formula="rows of other classes predicted as the class / rows of other classes",
        source=_FAWCETT,
        higher_is_better=False,
        needs_class=True,
        proportion=True,
    ),
    Metric(
        name="false_negative_rate",
        formula="rows of the class predicted as another / rows of the class",
        source=_FAWCETT,
        higher_is_better=False,
        needs_class=True,
        proportion=True,
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
    ),
    Metric(
        name="rmse",
        formula="square root of (sum of (prediction - label)^2 / rows)",
        source=_WILLMOTT,
        higher_is_better=False,
        range=(0.0, inf),
    ),
    Metric(
        name="auroc",
        formula="share of pairs (row of the class, row of another) in which the first scores higher; ties count half",
        source="Hanley and McNeil 1982, The meaning and use of the area under a ROC curve",
        higher_is_better=True,
        needs_class=True,
    ),
    Metric(
        name="expected_calibration_error",
        formula="sum over 15 equal bins of the score of rows in the bin / rows * |accuracy - mean score|",
        source="Guo et al. 2017, On Calibration of Modern Neural Networks",
        higher_is_better=False,
    ),
    Metric(
        name="latency_p99",
        formula="the smallest latency in seconds that at least 99 % of the rows do not exceed",
        source="Hyndman and Fan 1996, Sample Quantiles in Statistical Packages, definition 1",
        higher_is_better=False,
        range=(0.0, inf),
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
