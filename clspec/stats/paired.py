"""What the same rows, answered by champion and challenger, let one claim about the difference of their shares.

Tango 1998, Equivalence test and confidence interval for the difference in proportions for the paired-sample design:
the limit is where the score statistic, with the unknown share of lost rows at its most likely value for that
difference, stands at the normal quantile. Where no row was gained, a score interval promises too much (with none lost
either it passes 6.7 % of the time at a nominal 5 %); the difference is then at least minus the share of lost rows,
and the exact bound on that share holds (Clopper and Pearson 1934). The lower of the two counts. Rows in clusters enter
with their effective number (Obuchowski 1998 for the variance, Korn and Graubard 1998 for the way).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb, copysign, inf, sqrt
from typing import TYPE_CHECKING

from scipy.optimize import brentq
from scipy.special import betainc, betaincinv, ndtr, ndtri

from clspec.catalog import error_rate
from clspec.stats.cluster import effective_difference
from clspec.stats.freedom import shrunk, smallest_error_rate

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_ROOT = 1e-14
"""How close a limit is sought: far under any margin that a person writes."""


@dataclass(frozen=True, slots=True)
class Paired:
    """How champion and challenger differ on the same rows, and how many independent rows these are worth.

    Raises:
        ValueError: these counts cannot be.
    """

    rows: int
    gained: int
    """Rows that the challenger has right and the champion wrong."""
    lost: int
    """Rows that the champion has right and the challenger wrong."""
    clusters: int | None
    """None where every row is independent."""
    effective: float
    """The effective number of rows, before the few clusters' own doubt is taken off: see `worth`."""

    def __post_init__(self) -> None:
        possible = min(self.gained, self.lost) >= 0 and self.gained + self.lost <= self.rows
        if not possible or not 0 <= self.effective <= self.rows or not 0 <= (self.clusters or 0) <= self.rows:
            message = f"no such pairs: {self}"
            raise ValueError(message)

    @property
    def difference(self) -> float:
        """The challenger's share of right rows minus the champion's.

        Raises:
            ValueError: there are no rows.
        """
        _some(self)
        return (self.gained - self.lost) / self.rows

    @property
    def alike(self) -> bool:
        """Whether all rows differ in the same way, so that they cannot show how alike those of a cluster are."""
        return self.rows * (self.gained + self.lost) == (self.gained - self.lost) ** 2


def paired(gained: Sequence[bool], lost: Sequence[bool], cluster_ids: Sequence[Hashable] | None) -> Paired:
    """The pairs of single rows; `cluster_ids` names each row's cluster, or is None where rows are independent.

    Raises:
        ValueError: the three are not of one length, or a row is both gained and lost.
    """
    if any(more and less for more, less in zip(gained, lost, strict=True)):
        message = "a row cannot be both gained and lost"
        raise ValueError(message)
    rows, more, less = len(gained), sum(map(bool, gained)), sum(map(bool, lost))
    if cluster_ids is None:
        return Paired(rows, more, less, None, float(rows))
    sizes = Counter(cluster_ids)
    gains = Counter(name for name, is_one in zip(cluster_ids, gained, strict=True) if is_one)
    losses = Counter(name for name, is_one in zip(cluster_ids, lost, strict=True) if is_one)
    effective = effective_difference(
        list(sizes.values()), [gains[name] for name in sizes], [losses[name] for name in sizes]
    )
    return Paired(rows, more, less, len(sizes), effective)


def worth(pairs: Paired, alpha: float) -> float:
    """The effective number of rows for a bound that errs in a share `alpha` of cases.

    Few clusters cost degrees of freedom, but not where all rows are alike: there each cluster is one row.
    """
    if pairs.clusters is None or pairs.clusters <= 1 or pairs.alike:
        return pairs.effective
    return shrunk(pairs.effective, pairs.rows, pairs.clusters, alpha)


def difference_lower_bound(pairs: Paired, confidence: float) -> float:
    """A value that the challenger's share of right rows minus the champion's is not under, with this confidence.

    Raises:
        ValueError: there are no rows, or the confidence is not strictly between 0 and 1.
    """
    _some(pairs)
    alpha = error_rate(confidence)
    rows = worth(pairs, alpha)
    gained, lost = (rows * (count / pairs.rows) for count in (pairs.gained, pairs.lost))
    score = _score_limit(rows, gained, lost, -float(ndtri(alpha)))
    return score if pairs.gained else min(score, -_most_lost(rows, lost, alpha))


def p_value_non_inferior(pairs: Paired, margin: float) -> float:
    """The smallest error rate at which the lower bound is over -margin: the doubt left that the challenger is worse.

    Raises:
        ValueError: there are no rows.
    """
    _some(pairs)
    if margin >= 1:
        return 0.0 if margin > 1 or pairs.lost < pairs.rows else 1.0
    if margin <= -1:
        return 1.0
    return smallest_error_rate(lambda alpha: _tail(pairs, margin, alpha))


def mcnemar(pairs: Paired) -> float:
    """The exact two-sided p-value that rows are gained as often as lost; it knows no margin and no clusters.

    McNemar 1947, Note on the sampling error of the difference between correlated proportions, by the binomial
    distribution of the gained among the rows that differ. It is reported and never a gate: "not significant" is
    what few rows always give.
    """
    differing, fewer = pairs.gained + pairs.lost, min(pairs.gained, pairs.lost)
    tail: int = sum(comb(differing, k) for k in range(fewer + 1))
    return min(1.0, tail / (1 << differing) * 2)


def score(rows: float, gained: float, lost: float, difference: float) -> float:
    """Tango's statistic for a true difference strictly between -1 and 1: standard normal where it is true."""
    excess = gained - lost - rows * difference
    spread = _deviation(rows, gained, lost, difference)
    return excess / spread if spread else copysign(inf, excess) if excess else 0.0


def _deviation(rows: float, gained: float, lost: float, difference: float) -> float:
    """The standard deviation of gained - lost, at the most likely share of lost rows for that difference."""
    b = (2 * rows - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    root = sqrt(max(0.0, b * b - 8 * rows * c))
    # The same root of 2 n x^2 + b x + c, in the form in which nothing cancels.
    share = (root - b) / (4 * rows) if b <= 0 else -2 * c / (root + b)
    return sqrt(max(0.0, rows * (2 * share + difference * (1 - difference))))


def _score_limit(rows: float, gained: float, lost: float, quantile: float) -> float:
    """The difference at which the score statistic equals the quantile."""
    estimate = (gained - lost) / rows
    square = quantile * quantile
    if gained + lost == 0:  # here, and where all are gained, the statistic has a closed form and a root that is none
        return copysign(square / (rows + square), -quantile)
    if gained == rows:
        return (rows - square) / (rows + square) if quantile > 0 else 1.0

    def over(difference: float) -> float:
        return gained - lost - rows * difference - quantile * _deviation(rows, gained, lost, difference)

    low, high = (-1.0, estimate) if quantile > 0 else (estimate, 1.0)
    if over(low) <= 0:
        return low
    if over(high) >= 0 and quantile <= 0:
        return high
    return float(brentq(over, low, high, xtol=_ROOT))


def _most_lost(rows: float, lost: float, alpha: float) -> float:
    """The exact upper bound on the share of lost rows."""
    if lost >= rows:
        return 1.0
    if lost == 0:
        return float(1 - alpha ** (1 / rows))
    return float(betaincinv(lost + 1, rows - lost, 1 - alpha))


def _tail(pairs: Paired, margin: float, alpha: float) -> float:
    """The doubt at a margin strictly between -1 and 1, for as many rows as these are worth at `alpha`."""
    rows = worth(pairs, alpha)
    gained, lost = (rows * (count / pairs.rows) for count in (pairs.gained, pairs.lost))
    doubt = float(ndtr(-score(rows, gained, lost, -margin)))
    if pairs.gained:
        return doubt
    # P(X <= lost) of a binomial: the chance of so few lost rows where the true share is the margin.
    exact = 1.0 if margin <= 0 or lost >= rows else float(betainc(rows - lost, lost + 1, 1 - margin))
    return max(doubt, exact)


def _some(pairs: Paired) -> None:
    if pairs.rows == 0:
        message = "no rows: nothing can be said about their difference"
        raise ValueError(message)
