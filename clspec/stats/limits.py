"""The ends of a metric's range, near which its error is lopsided: there bounds are sought on a stretched scale.

Between two ends the scale is the logit, beyond one end the logarithm of the distance from it, and without an end the
value itself; the error goes along by the delta method (Pepe 2003, The Statistical Evaluation of Medical Tests for
Classification and Prediction, for the logit of an area under the curve).
"""

from __future__ import annotations

from math import exp, inf, log
from typing import NamedTuple


class Limits(NamedTuple):
    """The smallest and the largest value that a metric can take; infinite where there is none."""

    low: float = -inf
    high: float = inf

    def holds(self, value: float) -> bool:
        """Whether a metric with these limits can have the value."""
        return self.low <= value <= self.high

    def stretched(self, value: float) -> float:
        """A value on the stretched scale; an end lies at infinity."""
        below = -inf if value <= self.low else log(value - self.low) if self.low > -inf else 0.0
        above = -inf if value >= self.high else log(self.high - value) if self.high < inf else 0.0
        if -inf in (below, above):
            return inf if value >= self.high else -inf
        return value if (self.low, self.high) == (-inf, inf) else below - above

    def slope(self, value: float) -> float:
        """By how much the stretched scale grows with the value, strictly between the ends."""
        if (self.low, self.high) == (-inf, inf):
            return 1.0
        return (1 / (value - self.low) if self.low > -inf else 0.0) + (
            1 / (self.high - value) if self.high < inf else 0.0
        )

    def value(self, stretched: float) -> float:
        """The value at a place of the stretched scale."""
        if self.low > -inf and self.high < inf:
            share = 1 / (1 + exp(-stretched)) if stretched >= 0 else exp(stretched) / (1 + exp(stretched))
            return self.low + share * (self.high - self.low)
        if self.low > -inf:
            return self.low + (exp(stretched) if stretched < _LARGEST else inf)
        return self.high - exp(-stretched) if self.high < inf else stretched


_LARGEST = 700.0
"""Over it an exponential leaves the range of floats."""

UNLIMITED = Limits()
