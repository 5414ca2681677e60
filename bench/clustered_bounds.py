"""How often a gate passes a model that is no better than its threshold, when the golden rows come in clusters.

    python bench/clustered_bounds.py

The true share stands exactly at the threshold, so a 95 % bound may pass it in 5 % of the trials. Clusters' own shares
follow a beta distribution with the given intraclass correlation (icc). Four answers to the same rows: Clopper-Pearson
that does not know of clusters (naive); Korn and Graubard's effective size by the ratio estimator's variance alone (kg);
clspec's bound, which takes the larger of two design effects (bound); and clspec's verdict, which is also inconclusive
where faultless clusters would be too few (verdict). The last table asks for what no column promises: larger clusters
that are worse than small ones.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from clspec.catalog import DEFAULT_CONFIDENCE, DEFAULT_MIN_SAMPLES, smallest_sufficient
from clspec.stats.cluster import ratio_design_effect
from clspec.stats.proportion import Tally, clustered, independent, lower_bound
from clspec.stats.verdict import Case, Demand, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Sizes = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]

_ICC = (0.0, 0.1, 0.3, 0.6)
_HEADER = (
    f"{'threshold':>9} {'clusters':>8} {'size':>9} {'icc':>4} | {'naive':>6} {'kg':>6} {'bound':>6} {'verdict':>7}"
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of a table: how the golden set is made up, at a threshold that the model just does not better."""

    threshold: float
    clusters: int
    size: str
    icc: float
    draw: Sizes
    worse_when_larger: bool = False


def _of(size: int) -> Sizes:
    return lambda _, shape: np.full(shape, size)


def _geometric(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.geometric(0.1, shape)


def _lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.ceil(np.exp(rng.normal(1.5, 1.2, shape))).clip(max=200).astype(int)


def _shares(rng: np.random.Generator, cell: Cell, sizes: np.ndarray) -> np.ndarray:
    """Each cluster's chance of a right row, so that over all rows it is the threshold."""
    mean = np.full(sizes.shape, cell.threshold)
    if cell.worse_when_larger:
        many = cell.draw(rng, (1, 100_000)).astype(float)
        slope = (1 - cell.threshold) * many.sum() / (many**2).sum()
        mean = 1 - np.minimum(slope * sizes, 0.999)
    if cell.icc == 0:
        return mean
    spread = (1 - cell.icc) / cell.icc
    return rng.beta(mean * spread, (1 - mean) * spread)


def _golden_sets(cell: Cell, trials: int) -> Iterator[tuple[list[int], list[int]]]:
    rng = np.random.default_rng(1)
    sizes = cell.draw(rng, (trials, cell.clusters))
    successes = rng.binomial(sizes, _shares(rng, cell, sizes))
    return zip(sizes.tolist(), successes.tolist(), strict=True)


def _korn_graubard(sizes: list[int], successes: list[int], ours: Tally) -> Tally:
    if ours.successes in (0, ours.rows):
        return ours
    effect = ratio_design_effect(sizes, successes)
    return Tally(ours.rows, ours.successes, ours.clusters, min(ours.rows, ours.rows / effect))


def _meets(tally: Tally, threshold: float) -> bool:
    return lower_bound(tally, DEFAULT_CONFIDENCE) >= threshold


def _passes(tally: Tally, threshold: float) -> bool:
    demand = Demand(
        kind="min", threshold=threshold, confidence=DEFAULT_CONFIDENCE, min_samples=min(tally.rows, DEFAULT_MIN_SAMPLES)
    )
    return judge(Case(demand=demand, tally=tally, nulls=0)).verdict is Verdict.PASS


def rates(cell: Cell, trials: int) -> np.ndarray:
    """The share of trials that pass: naive, kg, bound, verdict."""
    passed = np.zeros(4)
    for sizes, successes in _golden_sets(cell, trials):
        ours = clustered(sizes, successes)
        if not _meets(independent(ours.rows, ours.successes), cell.threshold):
            continue  # each of the others takes the same rows for no more than these
        bound = _meets(ours, cell.threshold)
        kg = _meets(_korn_graubard(sizes, successes, ours), cell.threshold)
        passed += (1, kg, bound, bound and _passes(ours, cell.threshold))
    return passed / trials


def _table(title: str, cells: list[Cell], trials: int) -> None:
    print(f"\n{title}\n{_HEADER}")
    measured = []
    for cell in cells:
        naive, kg, bound, verdict = rates(cell, trials)
        measured.append((verdict, cell))
        print(
            f"{cell.threshold:9} {cell.clusters:8} {cell.size:>9} {cell.icc:4} | "
            f"{naive:6.3f} {kg:6.3f} {bound:6.3f} {verdict:7.3f}"
        )
    highest, where = max(measured, key=lambda pair: pair[0])
    print(
        f"highest verdict {highest:.3f}, {highest / (1 - DEFAULT_CONFIDENCE):.2f} times nominal: "
        f"{where.clusters} clusters of {where.size}, icc {where.icc}, threshold {where.threshold}"
    )


def _equal() -> list[Cell]:
    return [
        Cell(threshold=threshold, clusters=clusters, size=str(size), icc=icc, draw=_of(size))
        for threshold in (0.95, 0.9)
        for clusters in (50, 100, 300)
        for size in (1, 4, 10)
        for icc in (_ICC if size > 1 else (0.0,))
    ]


def _unequal(*, worse_when_larger: bool, times: tuple[int, ...]) -> list[Cell]:
    """As few clusters as the rules allow, times these: where a bound has it hardest."""
    return [
        Cell(
            threshold=threshold,
            clusters=factor * max(50, smallest_sufficient("min", threshold, DEFAULT_CONFIDENCE) or 0),
            size=draw.__name__.strip("_"),
            icc=icc,
            draw=draw,
            worse_when_larger=worse_when_larger,
        )
        for threshold in (0.95, 0.9)
        for factor in times
        for draw in (_geometric, _lognormal)
        for icc in _ICC
    ]


def _fewest() -> list[Cell]:
    return [
        Cell(threshold=threshold, clusters=clusters, size=str(size), icc=icc, draw=_of(size))
        for threshold, clusters in ((0.95, 59), (0.9, 50))
        for size in (4, 10)
        for icc in _ICC
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000)
    trials = parser.parse_args().trials
    start = time.perf_counter()
    _table("Clusters of one size", _equal(), trials)
    _table("As few clusters as the rules allow", _fewest(), trials)
    _table("Clusters of many sizes", _unequal(worse_when_larger=False, times=(1, 2)), trials)
    _table("Larger clusters are worse: promised by none", _unequal(worse_when_larger=True, times=(1,)), trials)
    print(
        f"\n{trials} trials a row: plus or minus {2 * sqrt(0.05 * 0.95 / trials):.3f} at 0.05; "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
