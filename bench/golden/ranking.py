"""The area under the ROC curve on simulated golden sets: the one value that no sums of clusters give.

Rows of the class score a normal deviate higher than others; a cluster's difficulty draws its rows of the class down
and its others up, so that clusters rank worse or better as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from golden.worlds import separation

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = 100


@dataclass(frozen=True)
class Ranking:
    """Which rows of the class (down) score over which others (across), and each one's cluster."""

    over: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    clusters: int

    @property
    def value(self) -> float:
        """The area under the curve."""
        return float(self.over.mean())

    def without_groups(self) -> Sequence[float]:
        """The area without each group of neighbouring clusters."""
        count = min(GROUPS, self.clusters)
        down, across = self.positive * count // self.clusters, self.negative * count // self.clusters
        won, lost = np.nonzero(self.over)
        total, per_down = self.over.sum(), np.bincount(down[won], minlength=count)
        per_across = np.bincount(across[lost], minlength=count)
        inside = np.bincount(down[won][down[won] == across[lost]], minlength=count)
        pairs = (len(down) - np.bincount(down, minlength=count)) * (len(across) - np.bincount(across, minlength=count))
        return list(map(float, (total - per_down - per_across + inside) / pairs))

    def resampled(self, weights: np.ndarray) -> np.ndarray:
        """The area with each cluster taken so often, for each row of weights."""
        down, across = weights[:, self.positive], weights[:, self.negative]
        return np.asarray(((down @ self.over) * across).sum(axis=1) / (down.sum(axis=1) * across.sum(axis=1)))


def draw(rng: np.random.Generator, shape: tuple[int, int], icc: float, auroc: float, of_class_share: float) -> Ranking:
    """One golden set of so many clusters and rows in each, and what a model with this area scores on it."""
    clusters, size = shape
    cluster = np.repeat(np.arange(clusters), size)
    of_class = rng.permutation(len(cluster)) < of_class_share * len(cluster)
    hardness = np.sqrt(icc) * rng.normal(size=clusters)[cluster]
    score = np.where(of_class, separation(auroc) - hardness, hardness) + sqrt(1 - icc) * rng.normal(size=len(cluster))
    over = score[of_class][:, None] > score[~of_class][None, :]
    return Ranking(over.astype(np.float32), cluster[of_class], cluster[~of_class], clusters)
