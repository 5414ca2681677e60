"""robotaxi-perception: pipeline regression, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python regression.py --code DIR --folder DIR [--store URI] [--work DIR]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", type=Path, required=True, help="the folder with the user's code")
parser.add_argument("--folder", type=Path, required=True, help="the folder of the spec, where its paths count from")
parser.add_argument("--store", default="s3://perception/cl", help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())


def out(step, name):
    """Where a step leaves an output or a parameter."""
    return given.work / step / name


def run(step, kind, config, inputs=(), outputs=(), parameters=(), when=None):
    """Run the step program; end this program with its exit code if it does not end well."""
    if when and out(when[0], when[1]).read_text() != when[2]:
        print(f"{step}: skipped, {when[1]} of {when[0]} is not {when[2]}", flush=True)
        return
    print(f"{step}: runs", flush=True)
    command = [sys.executable, "-m", "clspec.step", kind, "--config", json.dumps(config)]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    for name, (producer, output) in dict(inputs).items():
        command += ["--in", f"{name}={out(producer, output)}"]
    for name in outputs:
        command += ["--out", f"{name}={out(step, name)}"]
    for name in parameters:
        command += ["--out-param", f"{name}={out(step, name)}"]
    ended = subprocess.run(command).returncode
    if ended:
        sys.exit(ended if ended > 0 else 128 - ended)


# steps.pin
run(
    "pin",
    "pin",
    config={
        "spec": "contract",
    },
    outputs=["pins"],
)


# steps.snapshot-golden
run(
    "snapshot-golden",
    "snapshot",
    config={
        "dataset": "snapshot-golden",
        "large": 1180591620717411303424,
        "list": [],
        "none": None,
        "spec": "contract",
        "split": {
            "validation": 0.1,
        },
        "yes": True,
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data", "validation"],
)


# steps.snapshot-training
run(
    "snapshot-training",
    "snapshot",
    config={
        "dataset": "snapshot-training",
        "large": 1180591620717411303424,
        "list": [],
        "none": None,
        "spec": "contract",
        "split": {
            "validation": 0.1,
        },
        "yes": True,
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data", "validation"],
)


# steps.train-seed-1
run(
    "train-seed-1",
    "train",
    config={
        "params": {
            "empty": {},
            "epochs": 8,
            "layers": [
                [1, 2],
                {
                    "a": 1.0,
                },
            ],
            "lr": 0.0003,
        },
        "seed": 1,
        "spec": "contract",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation")},
    outputs=["model", "metrics"],
)


# steps.predict-seed-1-shard-1
run(
    "predict-seed-1-shard-1",
    "predict",
    config={
        "shard": 1,
        "shards": 2,
        "spec": "contract",
    },
    inputs={"model": ("train-seed-1", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
)


# steps.predict-seed-1-shard-2
run(
    "predict-seed-1-shard-2",
    "predict",
    config={
        "shard": 2,
        "shards": 2,
        "spec": "contract",
    },
    inputs={"model": ("train-seed-1", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
)


# steps.evaluate-seed-1
run(
    "evaluate-seed-1",
    "evaluate",
    config={
        "scenarios": [
            {
                "id": "night",
                "select": "label = 'pedestrian' and lighting = 'night'",
            },
        ],
        "spec": "contract",
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-1-shard-1", "predictions"), "predictions-2": ("predict-seed-1-shard-2", "predictions")},
    outputs=["metrics"],
)


# steps.train-seed-2
run(
    "train-seed-2",
    "train",
    config={
        "params": {
            "empty": {},
            "epochs": 8,
            "layers": [
                [1, 2],
                {
                    "a": 1.0,
                },
            ],
            "lr": 0.0003,
        },
        "seed": 2,
        "spec": "contract",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation")},
    outputs=["model", "metrics"],
)


# steps.predict-seed-2-shard-1
run(
    "predict-seed-2-shard-1",
    "predict",
    config={
        "shard": 1,
        "shards": 2,
        "spec": "contract",
    },
    inputs={"model": ("train-seed-2", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
)


# steps.predict-seed-2-shard-2
run(
    "predict-seed-2-shard-2",
    "predict",
    config={
        "shard": 2,
        "shards": 2,
        "spec": "contract",
    },
    inputs={"model": ("train-seed-2", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
)


# steps.evaluate-seed-2
run(
    "evaluate-seed-2",
    "evaluate",
    config={
        "scenarios": [
            {
                "id": "night",
                "select": "label = 'pedestrian' and lighting = 'night'",
            },
        ],
        "spec": "contract",
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-2-shard-1", "predictions"), "predictions-2": ("predict-seed-2-shard-2", "predictions")},
    outputs=["metrics"],
)


# steps.gate
run(
    "gate",
    "gate",
    config={
        "spec": "contract",
    },
    inputs={"metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics")},
    outputs=["verdict"],
    parameters=["outcome"],
)


# steps.register
run(
    "register",
    "register",
    config={
        "spec": "contract",
    },
    inputs={"model": ("train-seed-1", "model"), "verdict": ("gate", "verdict")},
    when=("gate", "outcome", "pass"),
)


# steps.report
run(
    "report",
    "report",
    config={
        "spec": "contract",
    },
    inputs={"verdict": ("gate", "verdict")},
    outputs=["report"],
)


# steps.conclude
run(
    "conclude",
    "conclude",
    config={
        "spec": "contract",
    },
    inputs={"verdict": ("gate", "verdict")},
)
