"""Simulated golden sets, one for each kind of gate: rows in clusters, and what a model says of them, by chance.

A world draws the sums of each cluster (trials x clusters x numbers), from which its value follows. Everything the
gates see is made of these sums, the naive ones' too. An independent row is a cluster of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, tuple[int, int], int, float, float], np.ndarray]
    Value = Callable[[np.ndarray], np.ndarray]

_HALF_NORMAL = sqrt(2 / pi)
_BINS = 15


@dataclass(frozen=True, kw_only=True)
class World:
    """How a gate's golden rows come about, when the true value is given."""

    name: str
    kind: Literal["min", "max", "margin"]
    evidence: Literal["tally", "paired", "spread"]
    threshold: float
    good: float
    """A true value that the gate should pass: its power is told for it."""
    draw: Draw
    """From a generator, trials and clusters, rows in each, the intracluster correlation and the true value."""
    value: Value
    """From sums over clusters, the value that the metric shows; the last axis holds the numbers."""
    judged: Literal["proportion", "jaccard", "spread"] = "proportion"
    limits: tuple[float, float] = field(default=(-np.inf, np.inf))

    @property
    def boundary(self) -> float:
        """The true value that must not pass more often than the error rate."""
        return -self.threshold if self.kind == "margin" else self.threshold


def _shares(rng: np.random.Generator, shape: tuple[int, int], icc: float, mean: float) -> np.ndarray:
    """Each cluster's own share, from a beta distribution with this intracluster correlation."""
    if icc == 0 or mean == 0:
        return np.full(shape, mean)
    return rng.beta(mean * (1 - icc) / icc, (1 - mean) * (1 - icc) / icc, shape)


def _proportion(rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, share: float) -> np.ndarray:
    counted = rng.binomial(size, _shares(rng, shape, icc, share))
    return np.stack([np.full(shape, size), counted], axis=-1)


def _f1(rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, f1: float) -> np.ndarray:
    """Three of five rows are or are called of the class; those that are both are a share J of them."""
    union = rng.binomial(size, 0.6, shape)
    return np.stack([union, rng.binomial(union, _shares(rng, shape, icc, f1 / (2 - f1)))], axis=-1)


def _paired(gained: float) -> Draw:
    """Gains come row by row, losses by the cluster: where an error of paired gates shows least in the rows."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, difference: float) -> np.ndarray:
        share = _shares(rng, shape, icc, gained - difference)
        lost = rng.binomial(size, share)
        won = rng.binomial(size - lost, gained / (1 - gained + difference))
        return np.stack([np.full(shape, size), won, lost], axis=-1)

    return draw


def _mean_error(rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, mean: float) -> np.ndarray:
    """Half-normal errors times a lognormal factor of each cluster."""
    growth = (1 - icc) / (1 - icc * pi / 2)  # so that the correlation within clusters is as given
    deviation = sqrt(log(growth))
    factor = np.exp(deviation * rng.normal(size=shape) - deviation**2 / 2)
    errors = np.abs(rng.normal(size=(*shape, size))).sum(axis=-1) / _HALF_NORMAL
    return np.stack([np.full(shape, size), mean * factor * errors], axis=-1)


def _heavy_error(deviation: float) -> Draw:
    """Lognormal errors: with a log deviation of 1 the largest are some twenty times the mean, with 1.5 some fifty."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], size: int, _: float, mean: float) -> np.ndarray:
        errors = np.exp(deviation * rng.normal(size=(*shape, size))).sum(axis=-1) / exp(deviation**2 / 2)
        return np.stack([np.full(shape, size), mean * errors], axis=-1)

    return draw


def _error_difference(
    rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, difference: float
) -> np.ndarray:
    """Champion's minus challenger's absolute error, where both err alike: correlated normals, of mean error 1."""
    rows = (*shape, size)
    whole = rng.normal(size=(*shape, 1))
    alike = sqrt(icc) * whole + sqrt(1 - icc) * rng.normal(size=rows)
    own = 0.8 * alike + 0.6 * rng.normal(size=rows)
    gap = (np.abs(alike) - (1 - difference) * np.abs(own)) / _HALF_NORMAL
    return np.stack([np.full(shape, size), gap.sum(axis=-1)], axis=-1)


def _f1_difference(
    rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, difference: float
) -> np.ndarray:
    """Half the rows are of the class, and the champion has nine of ten of either half right.

    Its f1 is then its share of right rows. Gains are 2 % of all rows, and losses come by the cluster.
    """
    gained, right = 0.02, 0.9
    lost_share = _shares(rng, shape, icc, (gained - difference) / right)[..., None]
    rows = (*shape, size)
    of_class, champion = rng.random(rows) < 0.5, rng.random(rows) < right
    draw = rng.random(rows)
    challenger = np.where(champion, draw >= lost_share, draw < gained / (1 - right))
    counts = [
        count for said in (challenger, champion) for count in ((of_class & said).sum(axis=-1), (~said).sum(axis=-1))
    ]
    return np.stack([np.full(shape, size), *counts], axis=-1)


def _calibration(rng: np.random.Generator, shape: tuple[int, int], size: int, icc: float, gap: float) -> np.ndarray:
    """Scores evenly from 0.5 to 0.95, and right answers rarer than they say by the gap: rows, scores, right by bin."""
    rows = (*shape, size)
    score = rng.uniform(0.5, 0.95, rows)
    threshold = sqrt(icc) * rng.normal(size=(*shape, 1)) + sqrt(1 - icc) * rng.normal(size=rows)
    right = ndtr(threshold) < score - gap
    number = (score * _BINS).astype(int)
    sums = [np.where(number == each, what, 0).sum(axis=-1) for what in (1, score, right) for each in range(_BINS)]
    return np.stack(sums, axis=-1).astype(np.float32)


def _ratio(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 1] / sums[..., 0])


def _f1_of(both: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    return np.asarray(2 * both / (2 * both + wrong))


def _calibration_error(sums: np.ndarray) -> np.ndarray:
    rows, score, right = np.split(sums, 3, axis=-1)
    return np.asarray(np.abs(right - score).sum(axis=-1) / rows.sum(axis=-1))


def separation(auroc: float) -> float:
    """How far apart two normal distributions of variance 1 stand at this area under the curve."""
    return float(ndtri(auroc)) * sqrt(2)


PAIRED = World(
    name="accuracy, margin",
    kind="margin",
    evidence="paired",
    threshold=0.02,
    good=0.0,
    draw=_paired(0.02),
    value=lambda sums: (sums[..., 1] - sums[..., 2]) / sums[..., 0],
)
NOTHING_GAINED = replace(PAIRED, name="accuracy, margin, nothing gained", draw=_paired(0.0))
AT_LEAST = World(
    name="recall, min", kind="min", evidence="tally", threshold=0.95, good=0.98, draw=_proportion, value=_ratio
)
AT_MOST = World(
    name="false_positive_rate, max",
    kind="max",
    evidence="tally",
    threshold=0.05,
    good=0.02,
    draw=_proportion,
    value=_ratio,
)
F1 = World(
    name="f1, min",
    kind="min",
    evidence="tally",
    threshold=0.9,
    good=0.95,
    draw=_f1,
    judged="jaccard",
    value=lambda sums: _f1_of(sums[..., 1], sums[..., 0] - sums[..., 1]),
)
F1_DIFFERENCE = World(
    name="f1, margin",
    kind="margin",
    evidence="spread",
    threshold=0.03,
    good=0.0,
    draw=_f1_difference,
    judged="spread",
    value=lambda sums: _f1_of(sums[..., 1], sums[..., 2]) - _f1_of(sums[..., 3], sums[..., 4]),
)
MAE = World(
    name="mae, max",
    kind="max",
    evidence="spread",
    threshold=1.0,
    good=0.8,
    draw=_mean_error,
    value=_ratio,
    judged="spread",
    limits=(0.0, np.inf),
)
HEAVY_MAE = World(
    name="mae, max, lognormal errors",
    kind="max",
    evidence="spread",
    threshold=1.0,
    good=0.8,
    draw=_heavy_error(1.0),
    value=_ratio,
    judged="spread",
    limits=(0.0, np.inf),
)
HEAVIER_MAE = replace(HEAVY_MAE, name="mae, max, still heavier tails", draw=_heavy_error(1.5))
MAE_DIFFERENCE = World(
    name="mae, margin",
    kind="margin",
    evidence="spread",
    threshold=0.1,
    good=0.0,
    draw=_error_difference,
    value=_ratio,
    judged="spread",
)
CALIBRATION = World(
    name="expected_calibration_error, max",
    kind="max",
    evidence="spread",
    threshold=0.1,
    good=0.02,
    draw=_calibration,
    value=_calibration_error,
    judged="spread",
    limits=(0.0, 1.0),
)
