"""What a count of right rows lets one claim about the true share: exact one-sided bounds and their p-values.

Clopper and Pearson 1934, The use of confidence or fiducial limits illustrated in the case of the binomial, in the form
of beta quantiles, which need no whole numbers: rows in clusters enter with their effective sample size (Korn and
Graubard 1998, Confidence intervals for proportions with small expected number of positive counts estimated from survey
data).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy.special import betainc, betaincinv

from clspec.catalog import error_rate
from clspec.stats.cluster import effective_size
from clspec.stats.freedom import shrunk, smallest_error_rate

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of the selected rows were successes, and how many independent rows they are worth.

    Raises:
        ValueError: these counts cannot be.
    """

    rows: int
    successes: int
    clusters: int | None
    """None where every row is independent."""
    effective: float
    """The effective sample size, before the few clusters' own doubt is taken off: see `worth`."""

    def __post_init__(self) -> None:
        possible = 0 <= self.successes <= self.rows and 0 <= self.effective <= self.rows
        if not possible or not 0 <= (self.clusters or 0) <= self.rows:
            message = f"no such tally: {self}"
            raise ValueError(message)

    @property
    def failures(self) -> Tally:
        """The same rows, counted the other way round."""
        return replace(self, successes=self.rows - self.successes)


def independent(rows: int, successes: int) -> Tally:
    """The tally of rows that have nothing to do with each other."""
    return Tally(rows, successes, None, float(rows))


def clustered(rows: Sequence[int], successes: Sequence[int]) -> Tally:
    """The tally of rows in clusters, from each cluster's rows and successes; a cluster without rows is none.

    Raises:
        ValueError: the two are not of one length, or a cluster has more successes than rows.
    """
    pairs = [(n, k) for n, k in zip(rows, successes, strict=True) if n or k]
    if any(not 0 <= k <= n for n, k in pairs):
        message = "a cluster has from none to all of its rows as successes"
        raise ValueError(message)
    sizes, counts = [n for n, _ in pairs], [k for _, k in pairs]
    return Tally(sum(sizes), sum(counts), len(pairs), effective_size(sizes, counts))


def tally(successes: Sequence[bool], cluster_ids: Sequence[Hashable] | None) -> Tally:
    """The tally of single rows; `cluster_ids` names each row's cluster, or is None where rows are independent.

    Raises:
        ValueError: the two are not of one length.
    """
    if cluster_ids is None:
        return independent(len(successes), sum(map(bool, successes)))
    sizes = Counter(cluster_ids)
    counts = Counter(name for name, success in zip(cluster_ids, successes, strict=True) if success)
    return clustered(list(sizes.values()), [counts[name] for name in sizes])


def worth(counts: Tally, alpha: float) -> float:
    """The effective sample size for a bound that errs in a share `alpha` of cases.

    Few clusters cost degrees of freedom, but not where all rows are alike: there each cluster is one row.
    """
    if counts.clusters is None or counts.clusters <= 1 or counts.successes in (0, counts.rows):
        return counts.effective
    return shrunk(counts.effective, counts.rows, counts.clusters, alpha)


def lower_bound(counts: Tally, confidence: float) -> float:
    """A value that the true share of successes is not under, with this confidence.

    Raises:
        ValueError: there are no rows, or the confidence is not strictly between 0 and 1.
    """
    _some(counts)
    alpha = error_rate(confidence)
    n = worth(counts, alpha)
    if counts.successes == 0:
        return 0.0
    if counts.successes == counts.rows:
        return float(alpha ** (1 / n))
    k = counts.successes * n / counts.rows
    return float(betaincinv(k, n - k + 1, alpha))


def upper_bound(counts: Tally, confidence: float) -> float:
    """A value that the true share of successes is not over, with this confidence.

    Raises:
        ValueError: there are no rows, or the confidence is not strictly between 0 and 1.
    """
    return 1 - lower_bound(counts.failures, confidence)


def p_value_at_least(counts: Tally, threshold: float) -> float:
    """The smallest error rate at which the lower bound meets the threshold: the doubt left that the share is under it.

    For independent rows it is the binomial tail P(X >= successes) at the threshold.

    Raises:
        ValueError: there are no rows.
    """
    _some(counts)
    return smallest_error_rate(lambda alpha: _tail(counts, threshold, alpha))


def p_value_at_most(counts: Tally, threshold: float) -> float:
    """The smallest error rate at which the upper bound meets the threshold: the doubt left that the share is over it.

    Raises:
        ValueError: there are no rows.
    """
    return p_value_at_least(counts.failures, 1 - threshold)


def _tail(counts: Tally, threshold: float, alpha: float) -> float:
    """P(X >= k) where the true share is the threshold, for as many rows as these are worth at `alpha`."""
    if counts.successes == 0 or threshold >= 1:
        return 1.0
    if threshold <= 0:
        return 0.0
    n = worth(counts, alpha)
    k = counts.successes * n / counts.rows
    return float(betainc(k, n - k + 1, threshold))


def _some(counts: Tally) -> None:
    if counts.rows == 0:
        message = "no rows: nothing can be said about their share"
        raise ValueError(message)
