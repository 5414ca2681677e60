"""Apples and melons: two sources, a training function and a prediction function."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq

GRAMS = {"apple": 150.0, "melon": 900.0}


def orchard():
    """What is learned from."""
    return _fruit("orchard", 200)


def market():
    """What is judged on: other fruit than the orchard's."""
    return _fruit("market", 240)


def _fruit(place, count):
    chance = random.Random(place)
    for number in range(count):
        label = "apple" if number % 2 else "melon"
        yield {"id": f"{place}-{number:04}", "grams": GRAMS[label] * chance.uniform(0.7, 1.3), "label": label}


def train(data, validation, model_dir, seed, trim):
    """Learn the weight between the heaviest apples and the lightest melons, a share `trim` of each left out."""
    random.seed(seed)  # nothing here is left to chance; a real training would use it
    rows = pq.read_table(data).to_pylist()
    apples = sorted(row["grams"] for row in rows if row["label"] == "apple")
    melons = sorted(row["grams"] for row in rows if row["label"] == "melon")
    border = (apples[-1 - int(trim * len(apples))] + melons[int(trim * len(melons))]) / 2
    Path(model_dir, "model.json").write_text(json.dumps({"border": border}))
    held = pq.read_table(validation).to_pylist()
    right = sum((row["grams"] > border) == (row["label"] == "melon") for row in held)
    return {"border": border, "validation_accuracy": right / len(held)} if held else {"border": border}


def predict(data, model_dir):
    """Say of every row what it is and how sure that is."""
    border = json.loads(Path(model_dir, "model.json").read_text())["border"]
    for row in pq.read_table(data).to_pylist():
        said = "melon" if row["grams"] > border else "apple"
        yield {"id": row["id"], "said": said, "belief": min(1.0, abs(row["grams"] - border) / border)}
