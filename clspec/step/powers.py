"""What a gate asks of a model beyond the threshold: how good it must be to pass 8 of 10 times, and with every seed.

`passes_at` is the true value that passes with that chance under one seed, `passes_at_all` under all of them: seeds are
ANDed, so the chance of a model falls from p to p^n. For a margin, `when_equal` is the chance of a challenger just as
good as the champion, `when_equal_all` the same under all seeds. What cannot be said is null.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from clspec.stats.power import CHANCE, all_seeds, passes_with, power_when_equal, spread_passes_with, spread_power

if TYPE_CHECKING:
    from clspec.stats.verdict import Case, Judgement


def power_of(case: Case, seen: Judgement, seeds: int) -> dict[str, Any] | None:
    """The power of one gate on the rows that it had; None where nothing was counted."""
    demand = case.demand
    if case.paired is not None and case.paired.rows and seen.effective:
        differing = (case.paired.gained + case.paired.lost) / case.paired.rows
        return _equal(power_when_equal(demand, seen.effective, differing), seeds)
    if case.spread is not None and demand.kind == "margin":
        return _equal(spread_power(demand, case.spread, 0.0), seeds)
    if case.spread is not None:
        return _at(*(spread_passes_with(demand, case.spread, chance) for chance in _chances(seeds)))
    if case.tally is not None and seen.effective:
        rows = seen.effective
        return _at(*(passes_with(rows, demand, chance) for chance in _chances(seeds)))
    return None


def _chances(seeds: int) -> tuple[float, float]:
    """The chance that one seed must have, for itself and so that all of them together have it."""
    return CHANCE, CHANCE ** (1 / max(1, seeds))


def _at(one: float | None, every: float | None) -> dict[str, Any]:
    one, every = (value if value is not None and isfinite(value) else None for value in (one, every))
    return {"chance": CHANCE, "passes_at": one, "passes_at_all": every, "when_equal": None, "when_equal_all": None}


def _equal(chance: float, seeds: int) -> dict[str, Any]:
    every = all_seeds(chance, seeds)
    return {"chance": CHANCE, "passes_at": None, "passes_at_all": None, "when_equal": chance, "when_equal_all": every}
