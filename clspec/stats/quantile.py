"""The value that a given share of rows does not exceed: latencies are judged by it and shown as it."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed.

    Hyndman and Fan 1996, Sample Quantiles in Statistical Packages, definition 1: one of the values itself, so that it
    is at most a threshold just where the share of rows within the threshold is at least `share`.

    Raises:
        ValueError: there are no values, one is not a number, or the share is not over 0 and at most 1.
    """
    if not values or any(map(isnan, values)) or not 0 < share <= 1:
        message = f"no {share} quantile of {len(values)} values, all of them numbers"
        raise ValueError(message)
    return sorted(values)[ceil(Fraction(repr(share)) * len(values)) - 1]
