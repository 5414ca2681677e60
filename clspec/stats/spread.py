"""What golden rows let one claim about a value that is no share of them: an error that leaves out some rows at a time.

The delete-a-group jackknife: rows fall into G groups, the value is worked out again without each, and its variance is
(G - 1)/G times the sum of the squared changes (Kott 2001, The delete-a-group jackknife; Wolter 2007, Introduction to
Variance Estimation, chapter 4). The bound is Student's, with as many degrees of freedom as groups that bear on the
value, less one: where two rows alone make a difference, the other groups tell nothing about its error. Near an end of
the metric's range it is sought on a stretched scale (`clspec.stats.limits`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, copysign, fsum, inf, isfinite, sqrt
from typing import TYPE_CHECKING

from scipy.special import stdtr, stdtrit

from clspec.catalog import error_rate
from clspec.stats.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

_COCHRAN = 25
MOST_GROUPS = 100
"""More groups would cost time and tell little: the error of the error is a fourteenth of it with a hundred."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A value, its standard error, and what the error rests on.

    Raises:
        ValueError: these numbers cannot be.
    """

    value: float
    error: float
    groups: int
    """How many groups of rows were left out, one after the other."""
    freedom: float
    """Degrees of freedom: one less than the groups that bear on the value, counted by how evenly they do."""
    rows: int
    clusters: int | None
    """None where every row is independent."""
    skew: float = 0.0
    """The skewness of what the groups add to the value: positive where a few of them add much."""

    def __post_init__(self) -> None:
        numbers = all(map(isfinite, (self.value, self.error, self.skew))) and self.error >= 0
        counts = 0 <= self.groups <= self.rows and 0 <= (self.clusters or 0) <= self.rows
        if not numbers or not counts or not 0 <= self.freedom <= max(0, self.groups - 1):
            message = f"no such value and error: {self}"
            raise ValueError(message)


def spread(statistic: Callable[[Sequence[int]], float], rows: int, cluster_ids: Sequence[Hashable] | None) -> Spread:
    """The value of a statistic over rows 0 to `rows` - 1, and its standard error.

    The statistic takes the indices of rows, ascending, and is asked once for all of them and once without each group.
    A group is one cluster or several neighbouring ones, and neighbouring rows where these are independent.

    Raises:
        ValueError: there are no rows, the clusters are not one for each row, or a value is not a finite number.
    """
    if rows == 0:
        message = "no rows: they have no value"
        raise ValueError(message)
    value = _finite(statistic(range(rows)), "on all rows")
    groups = _groups(rows, cluster_ids)
    count = max(groups) + 1
    clusters = None if cluster_ids is None else len(set(cluster_ids))
    if count == 1:
        return Spread(value, 0.0, 1, 0.0, rows, clusters)
    return jackknife(value, [_without(statistic, groups, group) for group in range(count)], rows, clusters)


def jackknife(value: float, without: Sequence[float], rows: int, clusters: int | None) -> Spread:
    """The standard error of a value from what it is without each of two or more groups of rows."""
    count = len(without)
    changes = [other - value for other in without]
    squares, fourths = fsum(c**2 for c in changes), fsum(c**4 for c in changes)
    # Where the squares are all of one size this is G - 1; where one group alone changes the value it is 0.
    freedom = min(count - 1.0, max(0.0, squares * squares / fourths - 1)) if fourths else 0.0
    error = sqrt((count - 1) / count * squares)
    # What a group adds is what leaving it out takes away.
    skew = -fsum(c**3 for c in changes) / count / (squares / count) ** 1.5 if fourths else 0.0
    return Spread(value, error, count, freedom, rows, clusters, skew)


def groups_needed(seen: Spread) -> int:
    """How many groups it takes until a mean of such skewed ones is near enough to normal: 25 times the square.

    Cochran 1977, Sampling Techniques, section 2.15. A sample whose few largest values make its mean has not seen the
    larger ones, and its bound promises too much.
    """
    return ceil(_COCHRAN * seen.skew**2)


def spread_lower_bound(seen: Spread, confidence: float, limits: Limits = UNLIMITED) -> float:
    """A value that the true one is not under, with this confidence; the value itself where its error is zero.

    An error of zero is no bound: `clspec.stats.verdict` judges it inconclusive.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    return _bound(seen, stdtrit(max(seen.freedom, _LEAST), error_rate(confidence)), limits)


def spread_upper_bound(seen: Spread, confidence: float, limits: Limits = UNLIMITED) -> float:
    """A value that the true one is not over, with this confidence; the value itself where its error is zero.

    Raises:
        ValueError: the confidence is not strictly between 0 and 1.
    """
    return _bound(seen, -stdtrit(max(seen.freedom, _LEAST), error_rate(confidence)), limits)


def p_value_over(seen: Spread, threshold: float, limits: Limits = UNLIMITED) -> float:
    """The smallest error rate at which the lower bound is the threshold: the doubt left that the value is under it."""
    return float(stdtr(max(seen.freedom, _LEAST), _errors_to(seen, threshold, limits)))


def p_value_under(seen: Spread, threshold: float, limits: Limits = UNLIMITED) -> float:
    """The smallest error rate at which the upper bound is the threshold: the doubt left that the value is over it."""
    return float(stdtr(max(seen.freedom, _LEAST), -_errors_to(seen, threshold, limits)))


def _bound(seen: Spread, errors: float, limits: Limits) -> float:
    """The value so many standard errors away."""
    if seen.error == 0 or not limits.low < seen.value < limits.high:
        return seen.value + errors * seen.error
    return limits.value(limits.stretched(seen.value) + errors * limits.slope(seen.value) * seen.error)


def _errors_to(seen: Spread, threshold: float, limits: Limits) -> float:
    """How many standard errors away a threshold is."""
    if seen.error == 0:
        return 0.0 if threshold == seen.value else copysign(inf, threshold - seen.value)
    if not limits.low < seen.value < limits.high:
        return (threshold - seen.value) / seen.error
    return (limits.stretched(threshold) - limits.stretched(seen.value)) / (limits.slope(seen.value) * seen.error)


_LEAST = 0.5
"""Degrees of freedom under which Student's quantiles leave the range of floats; one group alone has none."""


def _groups(rows: int, cluster_ids: Sequence[Hashable] | None) -> list[int]:
    """The number of each row's group: blocks of neighbours, whose likeness, if there is any, then shows."""
    if cluster_ids is None:
        count = min(rows, MOST_GROUPS)
        return [index * count // rows for index in range(rows)]
    if len(cluster_ids) != rows:
        message = f"{len(cluster_ids)} clusters for {rows} rows"
        raise ValueError(message)
    numbers = {name: number for number, name in enumerate(Counter(cluster_ids))}
    count = min(len(numbers), MOST_GROUPS)
    return [numbers[name] * count // len(numbers) for name in cluster_ids]


def _without(statistic: Callable[[Sequence[int]], float], groups: Sequence[int], left_out: int) -> float:
    kept = [index for index, group in enumerate(groups) if group != left_out]
    return _finite(statistic(kept), "without some of the rows")


def _finite(value: float, when: str) -> float:
    if not isfinite(value):
        message = f"the value {when} is {value}, not a finite number"
        raise ValueError(message)
    return float(value)
