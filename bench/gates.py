"""How often each kind of gate passes a model that just is not good enough, and one that is; and what naive gates do.

    python bench/gates.py             prints the table, in about six minutes of one core
    python bench/gates.py --write     writes it and its plot into docs/

The true value stands exactly at the threshold (for a margin, the challenger is worse by just the margin), so a 95 %
bound may pass it in 5 % of the trials. Three naive gates see the same rows: the value as it stands (point), the 5 %
quantile of 200 resamples of the clusters (bootstrap), and McNemar's test that finds no significant loss (McNemar).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from golden import chart, ranking, worlds

from clspec.catalog import DEFAULT_CONFIDENCE, DEFAULT_MIN_SAMPLES
from clspec.stats.cluster import effective_difference
from clspec.stats.limits import Limits
from clspec.stats.paired import Paired, mcnemar
from clspec.stats.proportion import clustered, independent
from clspec.stats.spread import MOST_GROUPS, jackknife
from clspec.stats.verdict import Case, Demand, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golden.worlds import World

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_START, _END = "<!-- bench/gates.py writes from here -->", "<!-- to here -->"
_RESAMPLES = 200
_AT_ONCE = 50
_ALPHA = 1 - DEFAULT_CONFIDENCE


@dataclass(frozen=True)
class Cell:
    """A world, and how its golden set is made up: clusters of so many rows, one where rows are independent."""

    world: World
    clusters: int
    size: int = 1
    icc: float = 0.0

    @property
    def demand(self) -> Demand:
        """What the gate demands."""
        return Demand(
            kind=self.world.kind,
            threshold=self.world.threshold,
            confidence=DEFAULT_CONFIDENCE,
            min_samples=min(DEFAULT_MIN_SAMPLES, self.clusters * self.size // 2),
            judged=self.world.judged,
            limits=Limits(*self.world.limits),
        )


@dataclass(frozen=True)
class Rates:
    """The share of trials that pass each gate."""

    ours: float
    point: float
    bootstrap: float
    mcnemar: float | None


def _case(cell: Cell, sums: np.ndarray) -> Case:
    """What clspec is given of one golden set, from the sums of each cluster."""
    alone = cell.size == 1
    if cell.world.evidence == "tally":
        rows, counted = sums.T.tolist()
        tally = independent(sum(rows), sum(counted)) if alone else clustered(rows, counted)
        return Case(demand=cell.demand, tally=tally, nulls=0)
    if cell.world.evidence == "paired":
        return Case(demand=cell.demand, paired=_pairs(cell, sums), nulls=0)
    count = min(MOST_GROUPS, cell.clusters)
    starts = np.unique(np.arange(cell.clusters) * count // cell.clusters, return_index=True)[1]
    rest = sums.sum(axis=0) - np.add.reduceat(sums, starts, axis=0)
    seen = jackknife(
        float(cell.world.value(sums.sum(axis=0))),
        cell.world.value(rest).tolist(),
        cell.clusters * cell.size,
        None if alone else cell.clusters,
    )
    return Case(demand=cell.demand, spread=seen, nulls=0)


def _pairs(cell: Cell, sums: np.ndarray) -> Paired:
    rows, gained, lost = sums.T.tolist()
    total = sum(rows)
    if cell.size == 1:
        return Paired(total, sum(gained), sum(lost), None, float(total))
    return Paired(total, sum(gained), sum(lost), len(rows), effective_difference(rows, gained, lost))


def _passes(case: Case) -> bool:
    return judge(case).verdict is Verdict.PASS


def _meets(cell: Cell, values: np.ndarray) -> np.ndarray:
    world = cell.world
    return np.asarray(values <= world.boundary if world.kind == "max" else values >= world.boundary)


def _weights(rng: np.random.Generator, clusters: int) -> np.ndarray:
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), _RESAMPLES).astype(np.float32)


def _resampled_bound(cell: Cell, resampled: np.ndarray) -> np.ndarray:
    """The percentile bound of each trial's resamples, along the last axis."""
    return np.asarray(np.quantile(resampled, _ALPHA if cell.world.kind != "max" else 1 - _ALPHA, axis=-1))


def _ranked(cell: Cell, rng: np.random.Generator, trials: int, value: float) -> Rates:
    ours = point = boot = 0
    for _ in range(trials):
        seen = ranking.draw(rng, (cell.clusters, cell.size), cell.icc, value, _OF_CLASS[cell.world.name])
        spread = jackknife(
            seen.value,
            seen.without_groups(),
            len(seen.positive) + len(seen.negative),
            None if cell.size == 1 else cell.clusters,
        )
        ours += _passes(Case(demand=cell.demand, spread=spread, nulls=0))
        point += seen.value >= cell.world.threshold
        resampled = seen.resampled(_weights(rng, cell.clusters))
        boot += bool(_meets(cell, _resampled_bound(cell, resampled)))
    return Rates(ours / trials, point / trials, boot / trials, None)


def rates(cell: Cell, trials: int, value: float) -> Rates:
    """How often each gate passes a model with this true value."""
    rng = np.random.default_rng(20_240)
    if cell.world.name in _OF_CLASS:
        return _ranked(cell, rng, trials // 2, value)
    total = np.zeros(4)
    for _ in range(trials // _AT_ONCE):
        sums = cell.world.draw(rng, (_AT_ONCE, cell.clusters), cell.size, cell.icc, value)
        resampled = cell.world.value(np.einsum("bm,tmk->tbk", _weights(rng, cell.clusters), sums, optimize=True))
        total += (
            sum(_passes(_case(cell, each)) for each in sums),
            _meets(cell, cell.world.value(sums.sum(axis=1))).sum(),
            _meets(cell, _resampled_bound(cell, resampled)).sum(),
            sum(_no_loss(cell, each) for each in sums),
        )
    ours, point, boot, test = (total / (trials // _AT_ONCE * _AT_ONCE)).tolist()
    return Rates(ours, point, boot, test if cell.world.evidence == "paired" else None)


def _no_loss(cell: Cell, sums: np.ndarray) -> bool:
    """Whether McNemar's test finds no significant loss; of other evidence it says nothing."""
    if cell.world.evidence != "paired":
        return False
    pairs = _pairs(cell, sums)
    return pairs.gained >= pairs.lost or mcnemar(pairs) > _ALPHA


AUROC = worlds.World(
    name="auroc, min",
    kind="min",
    evidence="spread",
    threshold=0.9,
    good=0.95,
    draw=lambda *_: np.zeros(0),
    value=lambda sums: sums,
    judged="spread",
    limits=(0.0, 1.0),
)
RARE_AUROC = replace(AUROC, name="auroc, min, 5 % of the class", threshold=0.99, good=0.999)
_OF_CLASS = {AUROC.name: 0.3, RARE_AUROC.name: 0.05}


def cells() -> Iterator[Cell]:
    """Every gate at few rows and at more, alone and in clusters of little and much correlation."""
    for world in (worlds.AT_LEAST, worlds.AT_MOST):
        yield from (Cell(world, rows) for rows in (100, 300, 1000))
        yield from (Cell(world, m, s, icc) for m, s in ((60, 4), (60, 10), (150, 10)) for icc in (0.1, 0.3, 0.6))
    yield from (Cell(worlds.F1, rows) for rows in (200, 500))
    yield from (Cell(worlds.F1, m, 10, icc) for m in (60, 150) for icc in (0.1, 0.3, 0.6))
    yield from (Cell(worlds.PAIRED, rows) for rows in (150, 300, 1000, 3000))
    yield from (Cell(worlds.PAIRED, m, s, icc) for m, s in ((150, 4), (150, 10), (400, 10)) for icc in (0.1, 0.3, 0.6))
    for world, iccs in (
        (worlds.F1_DIFFERENCE, (0.1, 0.3)),
        (worlds.MAE, (0.1, 0.3)),
        (worlds.MAE_DIFFERENCE, (0.1, 0.6)),
        (worlds.CALIBRATION, (0.1, 0.6)),
        (AUROC, (0.1, 0.5)),
    ):
        yield from (Cell(world, rows) for rows in (200, 500))
        yield from (Cell(world, m, s, icc) for m, s in ((60, 5), (200, 5)) for icc in iccs)
    yield from (Cell(worlds.HEAVY_MAE, rows) for rows in (200, 1000))
    yield from stressed()


def stressed() -> Iterator[Cell]:
    """Where a gate has it hardest: as few clusters as the rules allow, hardly a row of the class, heavy tails."""
    yield from (Cell(worlds.NOTHING_GAINED, 149, s, icc) for s, icc in ((4, 0.3), (4, 0.6), (10, 0.3)))
    yield from (Cell(RARE_AUROC, rows) for rows in (500, 1000))
    yield from (Cell(worlds.HEAVIER_MAE, rows) for rows in (200, 500))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _line(cell: Cell, bad: Rates, good: Rates) -> str:
    made_up = f"{cell.clusters}" if cell.size == 1 else f"{cell.clusters} x {cell.size}"
    columns = (
        cell.world.name,
        f"{cell.world.threshold:g}",
        made_up,
        "" if cell.size == 1 else f"{cell.icc:g}",
        *map(_percent, (bad.ours, bad.point, bad.bootstrap, bad.mcnemar)),
        f"{cell.world.good:g}",
        _percent(good.ours),
    )
    return f"| {' | '.join(columns)} |"


_HEADER = (
    "| gate | threshold | rows, or clusters x rows | icc | **clspec** | point | bootstrap | McNemar | good value "
    "| clspec passes it |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def _written(lines: list[str]) -> None:
    page = _DOCS / "statistics.md"
    before, rest = page.read_text().split(_START)
    after = rest.split(_END)[1]
    page.write_text("\n".join([before + _START, *lines, _END + after]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--write", action="store_true", help="write docs/statistics.md and docs/gates.svg")
    given = parser.parse_args()
    start = time.perf_counter()
    measured = []
    print(_HEADER, flush=True)
    for cell in cells():
        bad, good = (rates(cell, given.trials, value) for value in (cell.world.boundary, cell.world.good))
        measured.append((cell, bad, good))
        print(_line(cell, bad, good), flush=True)
    worst = max(bad.ours for _, bad, _ in measured)
    noise = 2 * sqrt(_ALPHA * (1 - _ALPHA) / given.trials)
    closing = (
        f"False passes and passes in percent, of {given.trials} trials a cell (auroc: half as many): plus or minus "
        f"{100 * noise:.1f} at 5. The worst cell of clspec is {100 * worst:.1f} %, {worst / _ALPHA:.2f} times nominal."
    )
    print(f"\n{closing}\n{time.perf_counter() - start:.0f} s")
    if given.write:
        _written([closing, "", _HEADER, *(_line(*each) for each in measured)])
        chart.write(_DOCS / "gates.svg", [(cell.world.name, bad) for cell, bad, _ in measured])


if __name__ == "__main__":
    main()
