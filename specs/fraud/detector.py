"""A logistic regression that learns from a stream: batch after batch, never all payments in memory."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Columns = dict[str, Numbers]

_MODEL = "model.json"
_BATCH = 4096
_POISSON = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(9)])
"""The odds of being drawn at most 0, 1, 2 ... times where once is what is expected."""


def _amount(rows: Columns) -> list[Numbers]:
    size = np.log(np.maximum(rows["times_usual"], 0.01))
    return [np.maximum(size, 0), np.maximum(-size, 0)]


def _pace(rows: Columns) -> list[Numbers]:
    return [np.log1p(rows["in_last_hour"]), np.maximum(rows["in_last_hour"] - 4, 0)]


def _device(rows: Columns) -> list[Numbers]:
    return [rows["new_device"], rows["new_device"] * rows["in_last_hour"], rows["new_device"] * _amount(rows)[0]]


def _place(rows: Columns) -> list[Numbers]:
    return [rows["abroad"], rows["online"], rows["transfer"]]


def _time(rows: Columns) -> list[Numbers]:
    return [(rows["hour"] < 7).astype(np.float64)]  # noqa: PLR2004  # before anyone is up


_VIEWS: dict[str, Callable[[Columns], list[Numbers]]] = {
    "amount": _amount,
    "pace": _pace,
    "device": _device,
    "place": _place,
    "time": _time,
}
_READ = ("times_usual", "in_last_hour", "new_device", "abroad", "channel", "hour")


def train(  # noqa: PLR0913, PLR0917 (four that every `train` is given, four of this model's own)
    data: str,
    validation: str,
    model_dir: str,
    seed: int,
    views: Sequence[str] = tuple(_VIEWS),
    passes: int = 12,
    penalty: float = 1.0,
    blocked_from: float = 0.3,
) -> dict[str, float]:
    """Learn in `passes` over the payments, and call a payment fraud from a probability of `blocked_from` on.

    Each seed learns from a bootstrap of the accounts, so that seeds differ as if other customers had come.

    Raises:
        ValueError: `data` has no rows, or a view is not known.
    """
    unknown = sorted(set(views) - set(_VIEWS))
    if unknown:
        message = f"there are no views {unknown}; there are {list(_VIEWS)}"
        raise ValueError(message)
    weights, loss = _fitted(data, views, seed, passes, penalty)
    model = {"views": list(views), "weights": weights.tolist(), "blocked_from": blocked_from}
    Path(model_dir, _MODEL).write_text(json.dumps(model, indent=2) + "\n", encoding="utf-8")
    return {"train_loss": loss, **_judged(validation, model)}


def predict(data: str, model_dir: str) -> Iterator[dict[str, str | float]]:
    """Yield for each payment whether it is taken for fraud, and how probable the answer is."""
    model = json.loads(Path(model_dir, _MODEL).read_text(encoding="utf-8"))
    for rows in _batches(data, ("payment_id",)):
        for key, fraud in zip(rows["payment_id"], _probabilities(rows, model).tolist(), strict=True):
            said = "fraud" if fraud >= model["blocked_from"] else "legit"
            yield {"payment_id": key, "said": said, "belief": fraud if said == "fraud" else 1 - fraud}


def _fitted(data: str, views: Sequence[str], seed: int, passes: int, penalty: float) -> tuple[Numbers, float]:
    """Newton's method, each step from sums over one pass of the stream; also the mean loss before the last step."""
    weights, loss = np.zeros(0), 0.0
    for _ in range(passes):
        slope, curve, lost, counted = np.zeros(0), np.zeros(0), 0.0, 0.0
        for rows in _batches(data, ("account_id", "label")):
            inputs, truth = _inputs(rows, views), (rows["label"] == "fraud").astype(np.float64)
            if not len(weights):
                weights = np.zeros(inputs.shape[1])
            drawn, fraud = _drawn(rows["account_id"].tolist(), seed), _squashed(inputs @ weights)
            slope = inputs.T @ (drawn * (fraud - truth)) + (slope if len(slope) else 0)
            curve = (inputs.T * (drawn * fraud * (1 - fraud))) @ inputs + (curve if len(curve) else 0)
            lost -= float(drawn @ np.log(np.where(truth == 1, fraud, 1 - fraud)))
            counted += float(drawn.sum())
        if not counted:
            message = f"{data}: no rows to learn from"
            raise ValueError(message)
        weights = weights - np.linalg.solve(curve + penalty * np.eye(len(weights)), slope + penalty * weights)
        loss = lost / counted
    return weights, loss


def _drawn(accounts: Sequence[str], seed: int) -> Numbers:
    """How often each row counts: a bootstrap of the accounts, none of them held (Poisson's, by a stable hash)."""
    shares = [int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:12], 16) / 16**12 for name in accounts]
    return np.searchsorted(_POISSON, shares).astype(np.float64)


def _batches(path: str, more: Sequence[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=[*_READ, *more]):
            rows = {name: np.array(column) for name, column in batch.to_pydict().items()}
            rows |= {name: (rows["channel"] == name).astype(np.float64) for name in ("online", "transfer")}
            yield rows | {name: rows[name].astype(np.float64) for name in _READ if name != "channel"}


def _inputs(rows: Columns, views: Sequence[str]) -> Numbers:
    seen = [column for view in views for column in _VIEWS[view](rows)]
    return np.stack([np.ones(len(rows["hour"])), *seen], axis=1)


def _squashed(values: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))


def _probabilities(rows: Columns, model: dict[str, Any]) -> Numbers:
    return _squashed(_inputs(rows, model["views"]) @ np.array(model["weights"]))


def _judged(validation: str, model: dict[str, Any]) -> dict[str, float]:
    right = rows_seen = 0
    for rows in _batches(validation, ("label",)):
        said = _probabilities(rows, model) >= model["blocked_from"]
        right += int((said == (rows["label"] == "fraud")).sum())
        rows_seen += len(said)
    return {"validation_accuracy": right / rows_seen} if rows_seen else {}
