"""What many questions cost: who asks twenty at 5 % gets one wrong yes by luck."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values adjusted so that the chance of any wrong yes stays under the error rate, in the order given.

    Holm 1979, A simple sequentially rejective multiple test procedure: the i-th smallest of m times m - i + 1, never
    under an earlier one, never over 1. It holds however the questions depend on each other.
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for passed, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - passed) * p_values[index]))
        adjusted[index] = highest
    return tuple(adjusted)
