"""How much less rows tell when they come in clusters: frames of one ride are not independent witnesses.

The design effect is the factor by which the variance of a proportion grows (Kish 1965, Survey Sampling): rows divided
by it are the effective sample size. Two estimates of it exist, and each is fooled by what the other sees. The ratio
estimator's knows only the clusters that hold an error: where these happen to be the short ones it cannot know what a
long one would have cost. The intraclass correlation's knows the sizes of all clusters, but supposes the correlation to
be the same in each. We take the larger of the two; `bench/clustered_bounds.py` shows what that buys, and what neither
sees: clusters that are worse the larger they are. As many golden rows of each ride as of any other rule that out.
"""

from __future__ import annotations

from math import fsum
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def ratio_design_effect(rows: Sequence[int], successes: Sequence[int]) -> float:
    """The linearised variance of the ratio estimator over clusters, over p(1-p)/n of independent rows.

    Korn and Graubard 1998, Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data; the variance m/(m-1) * sum (y_i - p n_i)^2 / n^2 is Cochran 1977, section 9A.

    Takes the rows and the successes of each of m >= 2 clusters, not all alike.
    """
    return _ratio(rows, successes, sum(successes))


def intraclass_design_effect(rows: Sequence[int], successes: Sequence[int]) -> float:
    """1 + (sum n_i^2 / n - 1) * r, where r is the intraclass correlation by analysis of variance, at least 0.

    Kish 1965 for the design effect; Ridout, Demetrio and Firth 1999, Estimating intraclass correlation for binary
    data, for r = (between - within) / (between + (n_0 - 1) within) of the mean squares.

    Takes the rows and the successes of each of m >= 2 clusters, not all alike.
    """
    return _intraclass(rows, successes, sum(successes))


def effective_size(rows: Sequence[int], successes: Sequence[int]) -> float:
    """How many independent rows would tell as much about a share, at most all of them.

    Where every row or none is a success the rows say nothing about how alike those of a cluster are, and one cluster
    cannot show it either: each cluster then counts as one row.
    """
    return _effective(rows, successes, sum(successes))


def effective_difference(rows: Sequence[int], gained: Sequence[int], lost: Sequence[int]) -> float:
    """How many independent rows would tell as much about the difference of two shares of the same rows.

    Each row's own difference is 1 where it was gained, -1 where it was lost, else 0. The ratio estimator's variance of
    their mean is that of Obuchowski 1998, On the comparison of correlated proportions for clustered data. Where gains
    come one by one and losses by the ride, the gains hide how alike the lost rows are: so these count for themselves
    too, and the smaller number holds.
    """
    differences = [more - less for more, less in zip(gained, lost, strict=True)]
    whole = _effective(rows, differences, sum(gained) + sum(lost))
    return min(whole, effective_size(rows, lost)) if any(lost) else whole


def _effective(rows: Sequence[int], sums: Sequence[int], squares: int) -> float:
    m, n, k = len(rows), sum(rows), sum(sums)
    if m <= 1 or n * squares == k * k:
        return float(m)
    return n / max(_ratio(rows, sums, squares), _intraclass(rows, sums, squares))


def _ratio(rows: Sequence[int], sums: Sequence[int], squares: int) -> float:
    """From each cluster's rows and sum of values, and the sum of all their squares; all of them whole."""
    m, n, k = len(rows), sum(rows), sum(sums)
    # In whole numbers, so that the order of the clusters cannot matter: n^2 times the sum of squares.
    spread = n * n * _dot(sums, sums) - 2 * n * k * _dot(sums, rows) + k * k * _dot(rows, rows)
    return m / (m - 1) * spread / (n * (n * squares - k * k))


def _intraclass(rows: Sequence[int], sums: Sequence[int], squares: int) -> float:
    m, n, k = len(rows), sum(rows), sum(sums)
    if m == n:
        return 1.0
    size = _dot(rows, rows) / n
    explained = fsum(total * total / of for total, of in zip(sums, rows, strict=True))
    between = (explained - k * k / n) / (m - 1)
    within = (squares - explained) / (n - m)
    spread = between + ((n - size) / (m - 1) - 1) * within
    return 1 + (size - 1) * max(0.0, (between - within) / spread)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(map(mul, left, right))
