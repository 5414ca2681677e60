"""What few clusters cost beside their design effect, and the error rate at which a bound just holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.optimize import brentq
from scipy.special import stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable

_RAREST, _COMMONEST = 1e-12, 0.4
"""The error rates between which degrees of freedom matter; at 0.5 every quantile is zero and they mean nothing."""


def shrunk(effective: float, rows: int, clusters: int, alpha: float) -> float:
    """An effective sample size that was estimated from clusters, for a bound that errs in a share `alpha` of cases.

    Korn and Graubard 1998: times (t_{n-1} / t_{m-1})^2, the quantiles at which the bound stands, because m >= 2
    clusters show the variance with m - 1 degrees of freedom only.
    """
    level = min(alpha, _COMMONEST)
    return float(effective * (stdtrit(rows - 1, level) / stdtrit(clusters - 1, level)) ** 2)


def smallest_error_rate(tail: Callable[[float], float]) -> float:
    """The smallest error rate at which a bound holds; `tail` gives the doubt on as many rows as are worth there."""
    rarest, commonest = tail(_RAREST), tail(_COMMONEST)
    if commonest >= _COMMONEST:
        return commonest
    if rarest <= _RAREST or rarest == commonest:
        return rarest
    return float(brentq(lambda alpha: tail(alpha) - alpha, _RAREST, _COMMONEST))
