"""pair: pipeline regression, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python regression.py --code DIR --folder DIR [--store URI] [--work DIR]
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", type=Path, required=True, help="the folder with the user's code")
parser.add_argument("--folder", type=Path, required=True, help="the folder of the spec, where its paths count from")
parser.add_argument("--store", default=".clspec/store", help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--as-of", default=None, help="when the run began, ISO 8601; now where it is not given")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
begun = given.as_of or datetime.now(tz=UTC).isoformat(timespec="seconds")
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(128 + number))  # not without ending the step
missing = [name for name in ("HUB_TOKEN",) if name not in os.environ]
if missing:
    parser.error("secrets are read from variables that are not set: " + ", ".join(missing))


done, skipped = set(), set()
last = []
"""Steps that run at the end, however the others ended."""


def out(step, name):
    """Where a step leaves an output or a parameter."""
    return given.work / step / name


def skip(inputs, when, optional):
    """Why a step has nothing to do, if so."""
    reads = [producer for name, (producer, _) in dict(inputs).items() if name not in optional]
    for producer in (*reads, *([when[0]] if when else [])):
        if producer in skipped:
            return f"{producer} was skipped"
    if when and out(when[0], when[1]).read_text() != when[2]:
        return f"{when[1]} of {when[0]} is not {when[2]}"
    return ""


def run(step, kind, config, always=False, **rest):
    """Run the step program; end this program with its exit code if it does not end well."""
    if always:
        last.append(lambda: perform(step, kind, config, **rest))
    elif ended := perform(step, kind, config, **rest):
        finish(ended)


def finish(code):
    """Run what always runs, whose own end changes nothing, and leave."""
    for step in last:
        step()
    sys.exit(code)


def perform(
    step, kind, config, inputs=(), outputs=(), parameters=(), when=None, optional=(), impure=False,
    cpu=1.0, memory=None, timeout=None, retries=0,
):
    """Run the step program, again where the machine failed it; give its exit code."""
    if reason := skip(inputs, when, optional):
        print(f"{step}: skipped, {reason}", flush=True)
        skipped.add(step)
        return 0
    settings = out(step, ".config.json")  # a file, since an argument has a longest length
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(config))
    command = [sys.executable, "-m", "clspec.step", kind, "--config", f"@{settings}"]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    command += ["--as-of", begun] if impure else []
    for name, (producer, output) in dict(inputs).items():
        if producer in done or name not in optional:  # what an earlier run left there is none of this run's
            command += ["--in", f"{name}={out(producer, output)}"]
    for name in outputs:
        command += ["--out", f"{name}={out(step, name)}"]
    for name in parameters:
        command += ["--out-param", f"{name}={out(step, name)}"]
    for left in range(retries, -1, -1):
        print(f"{step}: runs", flush=True)
        ended, broken = attempt(command, cpu, memory, timeout)
        if ended == 0 and not broken:
            done.add(step)
            return 0
        print(f"{step}: {broken or f'ended with {ended}'}", file=sys.stderr, flush=True)
        infrastructure = ended < 0 or ended in (75, 137, 143)
        if broken or not infrastructure or not left:
            break
    return 3 if broken else ended if ended > 0 else 128 - ended


def attempt(command, cpu, memory, timeout):
    """Run a command once; give its exit code (negative for a signal) and the limit that it broke, if it did."""
    threads = str(max(1, int(min(cpu, os.cpu_count() or 1))))
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    started, broken = time.monotonic(), ""
    process = subprocess.Popen(command, env={**os.environ, **variables}, start_new_session=True)
    try:
        while not broken:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(0.2), broken
            if timeout is not None and time.monotonic() - started > timeout:
                broken = f"it ran longer than its timeout of {timeout} s"
            elif memory is not None and occupied(process.pid) > memory:
                broken = f"it used more than its memory of {memory} bytes"
    finally:  # whatever it started ends with it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait(), broken


def occupied(session):
    """Bytes of memory that the processes of a session hold."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/statm"):
        with contextlib.suppress(OSError):
            if os.getsid(int(file.parent.name)) == session:
                total += int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


# datasets
run(
    "pin",
    "pin",
    config={
        "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
        "datasets": {
            "drives": {
                "columns": {
                    "gap": "integer",
                    "id": "string",
                    "label": "string",
                    "light": "string",
                    "ride": "string",
                },
                "digest": "sha256:48a496b20f989e7f405cd13b9e0dace005484840bf70e9de70d30ae4e90fda18",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "rows:drives",
                    },
                    "columns": {
                        "gap": "integer",
                        "id": "string",
                        "label": "string",
                        "light": "string",
                        "ride": "string",
                    },
                    "name": "drives",
                    "type": "python",
                },
                "group": "ride",
                "key": "id",
            },
            "golden": {
                "columns": {
                    "gap": "integer",
                    "id": "string",
                    "label": "string",
                    "light": "string",
                    "ride": "string",
                },
                "digest": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "rows:golden_drives",
                    },
                    "columns": {
                        "gap": "integer",
                        "id": "string",
                        "label": "string",
                        "light": "string",
                        "ride": "string",
                    },
                    "name": "golden_drives",
                    "type": "python",
                },
                "group": "ride",
                "key": "id",
            },
        },
        "golden": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
        "pipeline": "regression",
        "record": {
            "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
            "datasets": {
                "drives": "sha256:48a496b20f989e7f405cd13b9e0dace005484840bf70e9de70d30ae4e90fda18",
                "golden": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
            },
            "image": "registry.example.com/pair@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "params": {
                "steps": 60,
            },
            "pipeline": "regression",
            "roles": {
                "golden": "golden",
                "training": "drives",
            },
            "scenarios": [
                {
                    "guard": "light = 'green' and gap >= 25",
                    "id": "brake-at-red",
                    "select": "light = 'red'",
                },
            ],
            "seeds": [1],
        },
        "reuse": None,
        "spec": "pair",
    },
    outputs=["pins", "standing"],
    impure=True,
)


# datasets.golden
run(
    "snapshot-golden",
    "snapshot",
    config={
        "columns": {
            "gap": "integer",
            "id": "string",
            "label": "string",
            "light": "string",
            "ride": "string",
        },
        "dataset": "golden",
        "digest": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
        "group": "ride",
        "key": "id",
        "spec": "pair",
        "split": None,
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data"],
)


# datasets.drives
run(
    "snapshot-training",
    "snapshot",
    config={
        "columns": {
            "gap": "integer",
            "id": "string",
            "label": "string",
            "light": "string",
            "ride": "string",
        },
        "dataset": "drives",
        "digest": "sha256:48a496b20f989e7f405cd13b9e0dace005484840bf70e9de70d30ae4e90fda18",
        "group": "ride",
        "key": "id",
        "spec": "pair",
        "split": {
            "by": "ride",
            "validation": 0.2,
        },
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data", "validation"],
)


# training
run(
    "train-seed-1",
    "train",
    config={
        "call": {
            "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
            "command": None,
            "entrypoint": "model:train",
        },
        "group": "ride",
        "key": "id",
        "params": {
            "steps": 60,
        },
        "protected": [
            {
                "columns": {
                    "gap": "integer",
                    "id": "string",
                    "label": "string",
                    "light": "string",
                    "ride": "string",
                },
                "group": "ride",
                "key": "id",
                "name": "golden",
            },
        ],
        "seed": 1,
        "spec": "pair",
        "world": {
            "machines": 2,
            "processes": 1,
        },
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    cpu=1.0,
    memory=8589934592,
    timeout=300,
    retries=2,
)


# inference
run(
    "predict-seed-1",
    "predict",
    config={
        "call": {
            "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
            "command": None,
            "entrypoint": "model:predict",
        },
        "key": "id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "pair",
        "task": {
            "classes": ["go", "brake"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-1", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    timeout=120,
)


# golden
run(
    "evaluate-seed-1",
    "evaluate",
    config={
        "cluster_by": "ride",
        "code": None,
        "columns": {
            "gap": "integer",
            "id": "string",
            "label": "string",
            "light": "string",
            "ride": "string",
        },
        "key": "id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "brake",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "brake",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "light = 'green' and gap >= 25",
                },
                "id": "brake-at-red",
                "select": "light = 'red'",
                "slices": [],
            },
        ],
        "slices": {},
        "spec": "pair",
        "task": {
            "classes": ["go", "brake"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-1", "predictions")},
    outputs=["metrics"],
)


# golden
run(
    "gate",
    "gate",
    config={
        "baseline": None,
        "golden": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
        "pipeline": "regression",
        "reuse": None,
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "brake",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.95,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [
                    {
                        "class": "brake",
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "false_positive_rate",
                        "range": None,
                        "threshold": 0.05,
                    },
                ],
                "id": "brake-at-red",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
        ],
        "seeds": [1],
        "spec": "pair",
        "training": "drives",
    },
    inputs={"metrics-seed-1": ("evaluate-seed-1", "metrics"), "pins": ("pin", "pins"), "standing": ("pin", "standing")},
    outputs=["verdict"],
    parameters=["outcome"],
    impure=True,
)


# golden
run(
    "register",
    "register",
    config={
        "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
        "datasets": {
            "drives": "sha256:48a496b20f989e7f405cd13b9e0dace005484840bf70e9de70d30ae4e90fda18",
            "golden": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
        },
        "image": "registry.example.com/pair@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "key": "id",
        "params": {
            "steps": 60,
        },
        "pipeline": "regression",
        "roles": {
            "golden": "golden",
            "training": "drives",
        },
        "scenarios": [
            {
                "guard": "light = 'green' and gap >= 25",
                "id": "brake-at-red",
                "select": "light = 'red'",
            },
        ],
        "seeds": [1],
        "spec": "pair",
    },
    inputs={"model": ("train-seed-1", "model"), "training": ("train-seed-1", "metrics"), "metrics": ("evaluate-seed-1", "metrics"), "predictions-1": ("predict-seed-1", "predictions"), "pins": ("pin", "pins"), "standing": ("pin", "standing"), "verdict": ("gate", "verdict")},
    outputs=["registered"],
    when=("gate", "outcome", "pass"),
    impure=True,
)


# metadata
run(
    "report",
    "report",
    config={
        "code": "sha256:19054e0ac6cc4081e709a08944297d03f12249ea3285da497b9b1bd8bbe73ddc",
        "datasets": {
            "drives": "sha256:48a496b20f989e7f405cd13b9e0dace005484840bf70e9de70d30ae4e90fda18",
            "golden": "sha256:d247d344ff00d4f859b6abe93e9aae747cd54c4ee0e311e777760bd0a1194b18",
        },
        "image": "registry.example.com/pair@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "params": {
            "steps": 60,
        },
        "pipeline": "regression",
        "roles": {
            "golden": "golden",
            "training": "drives",
        },
        "scenarios": [
            {
                "guard": "light = 'green' and gap >= 25",
                "id": "brake-at-red",
                "select": "light = 'red'",
            },
        ],
        "seeds": [1],
        "shown": {
            "key": "id",
            "media": None,
        },
        "spec": "pair",
        "steps": [
            {
                "id": "pin",
                "kind": "pin",
                "needs": [],
            },
            {
                "id": "snapshot-golden",
                "kind": "snapshot",
                "needs": ["pin"],
            },
            {
                "id": "snapshot-training",
                "kind": "snapshot",
                "needs": ["pin"],
            },
            {
                "id": "train-seed-1",
                "kind": "train",
                "needs": ["snapshot-golden", "snapshot-training"],
            },
            {
                "id": "predict-seed-1",
                "kind": "predict",
                "needs": ["snapshot-golden", "train-seed-1"],
            },
            {
                "id": "evaluate-seed-1",
                "kind": "evaluate",
                "needs": ["predict-seed-1", "snapshot-golden"],
            },
            {
                "id": "gate",
                "kind": "gate",
                "needs": ["evaluate-seed-1", "pin"],
            },
            {
                "id": "register",
                "kind": "register",
                "needs": ["evaluate-seed-1", "gate", "pin", "predict-seed-1", "train-seed-1"],
                "when": "outcome of gate is pass",
            },
            {
                "id": "report",
                "kind": "report",
                "needs": ["evaluate-seed-1", "gate", "pin", "snapshot-golden", "train-seed-1"],
            },
            {
                "id": "conclude",
                "kind": "conclude",
                "needs": ["gate", "report"],
            },
        ],
        "waivers": [],
    },
    inputs={"verdict": ("gate", "verdict"), "training-seed-1": ("train-seed-1", "metrics"), "metrics-seed-1": ("evaluate-seed-1", "metrics"), "standing": ("pin", "standing"), "golden": ("snapshot-golden", "data")},
    outputs=["report"],
)


# golden
run(
    "conclude",
    "conclude",
    config={
        "pipeline": "regression",
        "spec": "pair",
    },
    inputs={"verdict": ("gate", "verdict")},
    impure=True,
)

finish(0)
