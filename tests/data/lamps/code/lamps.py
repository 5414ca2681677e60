"""Lamps in pictures of 8 x 8 grey bytes, and a model that looks at how bright they are."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq


def workshop():
    """What is learned from."""
    return _lamps("workshop", 60)


def street():
    """What is judged on."""
    return _lamps("street", 240)


def _lamps(place, count):
    chance = random.Random(place)
    for number in range(count):
        label = "lit" if number % 2 else "dark"
        bright = chance.randrange(180, 240) if label == "lit" else chance.randrange(10, 60)
        picture = bytes(max(0, bright - 20 * (abs(x - 3) + abs(y - 3)) // 3) for y in range(8) for x in range(8))
        yield {"id": f"{place}-{number:04}", "picture": picture, "label": label}


def train(data, validation, model_dir, seed, cut):  # noqa: ARG001  # what every training is given
    """A lamp is lit where its brightest pixel is at least `cut`; nothing is learned, and the epochs are counted."""
    Path(model_dir, "model.json").write_text(json.dumps({"cut": cut}))
    history = [{"epoch": epoch, "loss": 1 / (epoch + seed)} for epoch in range(1, 6)]
    return {"loss": history[-1]["loss"], "history": history}


def predict(data, model_dir):
    """Say of every picture what it shows."""
    cut = json.loads(Path(model_dir, "model.json").read_text())["cut"]
    for row in pq.read_table(data).to_pylist():
        yield {"id": row["id"], "said": "lit" if max(row["picture"]) >= cut else "dark"}
