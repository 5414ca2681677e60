"""A logistic regression whose model is a page of numbers: what it measures, how it scales it, what each is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from biopsies import FAMILIES
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_MODEL = "model.json"
_BATCH = 1024


def train(  # noqa: PLR0913, PLR0917 (four that every `train` is given, three of this model's own)
    data: str,
    validation: str,
    model_dir: str,
    seed: int,
    families: Sequence[str] = FAMILIES,
    strength: float = 1.0,
    suspicion: float = 0.3,
) -> dict[str, float]:
    """Learn from a bootstrap of the cases, so that seeds differ as if other patients had come.

    A case is called malignant from a probability of `suspicion` on: a missed tumour costs more than a second look.
    `strength` is the inverse of the penalty on large weights.

    Raises:
        ValueError: `data` lacks one of the classes, or has no columns of a family.
    """
    rows = pq.read_table(data).to_pydict()
    names = sorted(name for name in rows if name.split("_")[0] in families)
    if {name.split("_")[0] for name in names} != set(families):
        message = f"{data}: there are no columns for each of {list(families)}"
        raise ValueError(message)
    drawn = np.random.default_rng(seed).integers(len(rows["label"]), size=len(rows["label"]))
    measured = np.array([rows[name] for name in names]).T[drawn]
    malignant = np.array([label == "malignant" for label in rows["label"]])[drawn]
    if malignant.all() or not malignant.any():
        message = f"{data}: cases of both classes are needed"
        raise ValueError(message)
    mean, deviation = measured.mean(axis=0), measured.std(axis=0)
    fitted = LogisticRegression(C=strength, max_iter=1000).fit((measured - mean) / deviation, malignant)
    model = {
        "names": names,
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "weights": fitted.coef_[0].tolist(),
        "intercept": float(fitted.intercept_[0]),
        "suspicion": suspicion,
    }
    Path(model_dir, _MODEL).write_text(json.dumps(model, indent=2) + "\n", encoding="utf-8")
    return _judged(validation, model)


def predict(data: str, model_dir: str) -> Iterator[dict[str, str | float]]:
    """Yield for each case what it is taken for, and how probable that is; numpy is enough for it."""
    model = json.loads(Path(model_dir, _MODEL).read_text(encoding="utf-8"))
    with pq.ParquetFile(data) as rows:
        for batch in rows.iter_batches(_BATCH, columns=["case_id", *model["names"]]):
            given = batch.to_pydict()
            for key, malignant in zip(given["case_id"], _probabilities(given, model).tolist(), strict=True):
                yield {"case_id": key, **_answer(malignant, model["suspicion"])}


def _probabilities(rows: dict[str, list[Any]], model: dict[str, Any]) -> Numbers:
    measured = np.array([rows[name] for name in model["names"]], dtype=np.float64).T
    scaled = (measured - np.array(model["mean"])) / np.array(model["deviation"])
    return np.asarray(1 / (1 + np.exp(-(scaled @ np.array(model["weights"]) + model["intercept"]))))


def _answer(malignant: float, suspicion: float) -> dict[str, str | float]:
    said = "malignant" if malignant >= suspicion else "benign"
    return {"said": said, "belief": malignant if said == "malignant" else 1 - malignant}


def _judged(validation: str, model: dict[str, Any]) -> dict[str, float]:
    rows = pq.read_table(validation).to_pydict()
    if not rows["label"]:
        return {}
    said = [_answer(p, model["suspicion"])["said"] for p in _probabilities(rows, model).tolist()]
    right = sum(a == b for a, b in zip(said, rows["label"], strict=True))
    return {"validation_accuracy": right / len(said)}
