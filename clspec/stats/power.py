"""How good a model must be to pass a gate, and with what chance: what the bound costs those who are good enough.

Rows in clusters count as the independent rows that they are worth.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from scipy.special import bdtr, bdtrc, bdtrik, betaincinv, stdtr, stdtrit

from clspec.catalog import LATENCY_SHARE, error_rate, f1_of_jaccard, jaccard_of_f1
from clspec.stats.limits import UNLIMITED
from clspec.stats.paired import Paired, difference_lower_bound
from clspec.stats.proportion import independent, lower_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.stats.demand import Demand
    from clspec.stats.limits import Limits
    from clspec.stats.spread import Spread

CHANCE = 0.8
"""The chance of a pass that a gate's power is told for."""

_UNSEEN = 1e-9
"""Counts of differing rows rarer than this are left out of a sum over all of them."""


def power(demand: Demand, rows: float, true_value: float) -> float:
    """The chance that a model with this true value passes a `min` or `max` on as many independent rows.

    Of `latency_p99` the value is the true share of rows within the threshold.
    """
    share, value = _good(demand, demand.threshold), _good(demand, true_value)
    if demand.judged == "quantile":
        share, value = LATENCY_SHARE, true_value
    needed = _fewest_right(share, demand.confidence, floor(rows))
    return 0.0 if needed is None else _at_least(needed, floor(rows), value)


def passes_with(rows: float, demand: Demand, chance: float = CHANCE) -> float | None:
    """The smallest true value (of a `max` the largest) at which a gate on so many rows passes with this chance.

    Of `latency_p99` it is the true share of rows within the threshold. None where not even a faultless result passes.
    """
    share = LATENCY_SHARE if demand.judged == "quantile" else _good(demand, demand.threshold)
    count = floor(rows)
    needed = _fewest_right(share, demand.confidence, count)
    if needed is None:
        return None
    value = float(betaincinv(needed, count - needed + 1, chance)) if needed else 0.0
    if demand.judged == "quantile":
        return value
    return f1_of_jaccard(value) if demand.judged == "jaccard" else 1 - value if demand.kind == "max" else value


def power_when_equal(demand: Demand, rows: float, differing: float) -> float:
    """The chance that a challenger as good as the champion passes a `margin`, where this share of rows differs.

    Every count of differing rows by its binomial chance, and of gained rows among them likewise, each as often.
    """
    count = floor(rows)
    if count == 0:
        return 0.0
    return sum(
        chance * _at_least(needed, differ, 0.5)
        for differ, chance in _chances(count, min(max(differing, 0.0), 1.0))
        if (needed := _fewest_gained(demand, count, differ)) is not None
    )


def _chances(count: int, share: float) -> Iterator[tuple[int, float]]:
    """Each number of differing rows and its binomial chance, without the rarest on either side.

    From `scipy.special` alone: `scipy.stats` takes longer to load than a gate takes to judge.
    """
    if count * min(share, 1 - share) < _UNSEEN:  # all or none of them
        yield round(count * share), 1.0
        return
    low, high = (bdtrik(chance, count, share) for chance in (_UNSEEN, 1 - _UNSEEN))
    first = max(floor(low), 0)
    below = float(bdtr(first - 1, count, share)) if first else 0.0
    for differ in range(first, min(ceil(high), count) + 1):
        upto = float(bdtr(differ, count, share))
        yield differ, upto - below
        below = upto


def spread_power(demand: Demand, seen: Spread, true_value: float) -> float:
    """The chance that a model with this true value passes, were the error the one seen; for a margin, a difference."""
    limits, threshold = _scale(demand)
    error = _stretched_error(seen, limits)
    if error is None:
        return 0.0
    excess = limits.stretched(true_value) - limits.stretched(threshold)
    errors = (-excess if demand.kind == "max" else excess) / error
    return float(stdtr(seen.freedom, errors + stdtrit(seen.freedom, error_rate(demand.confidence))))


def spread_passes_with(demand: Demand, seen: Spread, chance: float = CHANCE) -> float | None:
    """The value (for a margin, the difference) that passes with this chance, were the error the one seen."""
    limits, threshold = _scale(demand)
    error = _stretched_error(seen, limits)
    if error is None:
        return None
    errors = stdtrit(seen.freedom, chance) - stdtrit(seen.freedom, error_rate(demand.confidence))
    return limits.value(limits.stretched(threshold) + float(-errors if demand.kind == "max" else errors) * error)


def all_seeds(chance: float, seeds: int) -> float:
    """The chance that every seed passes, where each does for itself: seeds are ANDed, never the best of them taken."""
    return chance**seeds


def _scale(demand: Demand) -> tuple[Limits, float]:
    """The range that a demand's values have, and the value that a bound must meet."""
    return (UNLIMITED, -demand.threshold) if demand.kind == "margin" else (demand.limits, demand.threshold)


def _stretched_error(seen: Spread, limits: Limits) -> float | None:
    """The error on the stretched scale; None where it is unknown."""
    if seen.error == 0 or seen.freedom == 0 or not limits.low < seen.value < limits.high:
        return None
    return limits.slope(seen.value) * seen.error


def _good(demand: Demand, value: float) -> float:
    """A true value as a share of good rows."""
    if demand.judged == "jaccard":
        value = jaccard_of_f1(value)
    return 1 - value if demand.kind == "max" else value


def _fewest_right(share: float, confidence: float, rows: int) -> int | None:
    """The smallest count of good rows whose lower bound meets the share; None where all of them would not."""
    low, high = 0, rows
    if rows == 0 or lower_bound(independent(rows, rows), confidence) < share:
        return None
    while low < high:
        middle = (low + high) // 2
        if lower_bound(independent(rows, middle), confidence) >= share:
            high = middle
        else:
            low = middle + 1
    return low


def _fewest_gained(demand: Demand, rows: int, differing: int) -> int | None:
    """The smallest count of gained rows among those that differ with which the margin holds."""

    def holds(gained: int) -> bool:
        pairs = Paired(rows, gained, differing - gained, None, float(rows))
        return difference_lower_bound(pairs, demand.confidence) > -demand.threshold

    if not holds(differing):
        return None
    low, high = 0, differing
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(needed: int, rows: int, share: float) -> float:
    return 1.0 if needed <= 0 else float(bdtrc(needed - 1, rows, share))
