"""How the model is made and asked: a logistic regression in numpy.

`train` and `predict` are called with keyword arguments and plain values; rows come as Parquet files.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

COLUMNS = ("pressure", "flow")


def train(data, validation, model_dir, seed, rounds, step):
    """Learn from the rows in `data`, write the model into `model_dir`, and return what is worth knowing of it."""
    rows = pq.read_table(data).to_pylist()
    inputs, truth = _inputs(rows), _truth(rows)
    centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scaled = (inputs - centre) / scale
    weights = np.random.default_rng(seed).normal(0.0, 0.1, size=len(COLUMNS) + 1)
    for _ in range(rounds):
        error = _belief(scaled, weights) - truth
        weights -= step * np.append(scaled.T @ error, error.sum()) / len(rows)
    model = {"weights": weights.tolist(), "centre": centre.tolist(), "scale": scale.tolist()}
    Path(model_dir, "model.json").write_text(json.dumps(model))
    held = pq.read_table(validation).to_pylist()
    if not held:
        return {}
    guess = _belief((_inputs(held) - centre) / scale, weights) > 0.5
    return {"validation_accuracy": float((guess == (_truth(held) == 1)).mean())}


def predict(data, model_dir):
    """Answer once for every row: its key, what the model says, and how sure it is."""
    model = {name: np.array(value) for name, value in json.loads(Path(model_dir, "model.json").read_text()).items()}
    rows = pq.read_table(data).to_pylist()
    beliefs = _belief((_inputs(rows) - model["centre"]) / model["scale"], model["weights"])
    for row, belief in zip(rows, beliefs, strict=True):
        yield {
            "id": row["id"],
            "said": "leaking" if belief > 0.5 else "sound",
            "belief": float(max(belief, 1 - belief)),
        }


def _inputs(rows):
    return np.array([[row[name] for name in COLUMNS] for row in rows])


def _truth(rows):
    return np.array([float(row["label"] == "leaking") for row in rows])


def _belief(scaled, weights):
    return 1 / (1 + np.exp(-(scaled @ weights[:-1] + weights[-1])))
