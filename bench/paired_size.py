"""How often a paired margin passes a challenger that is worse by just the margin: exactly, over all outcomes.

    python bench/paired_size.py

Rows are independent, so that the rows gained and lost follow a trinomial distribution; its chances are summed where
clspec's bound passes, and beside it where Tango's score interval alone would. Times nominal, at the worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from clspec.stats.paired import Paired, difference_lower_bound, score

if TYPE_CHECKING:
    from collections.abc import Callable

_ROWS = (60, 100, 133, 149, 200, 300, 500, 1000, 3000)
_MARGINS = (0.005, 0.01, 0.02, 0.05, 0.1)
_GAINED = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
_UNSEEN = 1e-9


def _fewest(passes: Callable[[int], bool], most: int) -> int:
    """The smallest number that passes; one more than the most where none does."""
    low, high = 0, most + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle + 1, high)
    return low


def _needed(rows: int, margin: float, confidence: float, lost: int, most: int) -> tuple[int, int]:
    """The fewest gained rows with which clspec, and with which the score interval, passes so many lost ones."""

    def ours(gained: int) -> bool:
        return difference_lower_bound(Paired(rows, gained, lost, None, float(rows)), confidence) > -margin

    def scores(gained: int) -> bool:
        return score(rows, gained, lost, -margin) > ndtri(confidence)

    return _fewest(ours, min(most, rows - lost)), _fewest(scores, min(most, rows - lost))


def sizes(rows: int, margin: float, confidence: float) -> np.ndarray:
    """The largest chance of a pass over all shares of gained rows: clspec's and the score interval's."""
    most_lost = int(binom.isf(_UNSEEN, rows, max(_GAINED) + margin)) + 1
    most_gained = int(binom.isf(_UNSEEN, rows, max(_GAINED) + margin)) + 1
    lost = np.arange(min(most_lost, rows) + 1)
    needed = np.array([_needed(rows, margin, confidence, int(each), most_gained) for each in lost])
    chances = []
    for gained in _GAINED:
        share = gained + margin
        passing = binom.sf(needed - 1, (rows - lost)[:, None], gained / (1 - share))
        chances.append((binom.pmf(lost, rows, share)[:, None] * passing).sum(axis=0))
    return np.asarray(np.max(chances, axis=0))


def main() -> None:
    print(f"{'confidence':>10} {'clspec':>7} {'score':>7}")
    for confidence in (0.9, 0.95, 0.99):
        worst = np.max([sizes(rows, margin, confidence) for rows in _ROWS for margin in _MARGINS], axis=0)
        ours, scores = worst / (1 - confidence)
        print(f"{confidence:10} {ours:7.2f} {scores:7.2f}", flush=True)


if __name__ == "__main__":
    main()
