"""card-fraud: pipeline regression, one step after the other.

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
parser.add_argument("--store", default="../.clspec/store", help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--as-of", default=None, help="when the run began, ISO 8601; now where it is not given")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
begun = given.as_of or datetime.now(tz=UTC).isoformat(timespec="seconds")
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(128 + number))  # not without ending the step


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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": {
            "golden": {
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "label": "string",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "times_usual": "double",
                },
                "digest": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "payments:golden",
                    },
                    "columns": {
                        "abroad": "boolean",
                        "account_id": "string",
                        "cents": "integer",
                        "channel": "string",
                        "hour": "integer",
                        "in_last_hour": "integer",
                        "label": "string",
                        "new_device": "boolean",
                        "paid_at": "timestamp",
                        "payment_id": "string",
                        "region": "string",
                        "times_usual": "double",
                    },
                    "name": "golden_payments",
                    "type": "python",
                },
                "group": "account_id",
                "key": "payment_id",
            },
            "payments": {
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "label": "string",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "times_usual": "double",
                },
                "digest": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "payments:learned",
                    },
                    "columns": {
                        "abroad": "boolean",
                        "account_id": "string",
                        "cents": "integer",
                        "channel": "string",
                        "hour": "integer",
                        "in_last_hour": "integer",
                        "label": "string",
                        "new_device": "boolean",
                        "paid_at": "timestamp",
                        "payment_id": "string",
                        "region": "string",
                        "times_usual": "double",
                    },
                    "name": "learned_payments",
                    "type": "python",
                },
                "group": "account_id",
                "key": "payment_id",
            },
        },
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "pipeline": "regression",
        "record": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "datasets": {
                "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
                "payments": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
            },
            "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
            "params": {
                "blocked_from": 0.3,
                "passes": 10,
                "penalty": 1.0,
                "views": ["amount", "pace", "device", "place", "time"],
            },
            "pipeline": "regression",
            "roles": {
                "golden": "golden",
                "training": "payments",
            },
            "scenarios": [
                {
                    "guard": "label = 'legit'",
                    "id": "fraud-is-stopped",
                    "select": "label = 'fraud'",
                },
                {
                    "guard": None,
                    "id": "blocked-for-a-reason",
                    "select": "label in ('legit', 'fraud')",
                },
                {
                    "guard": "label = 'legit' and in_last_hour >= 2",
                    "id": "cards-are-tried",
                    "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
                },
                {
                    "guard": None,
                    "id": "belief-means-something",
                    "select": "label in ('legit', 'fraud')",
                },
                {
                    "guard": None,
                    "id": "every-channel",
                    "select": "label = 'legit'",
                },
                {
                    "guard": None,
                    "id": "every-region",
                    "select": "label = 'fraud'",
                },
            ],
            "seeds": [1, 2, 3],
        },
        "reuse": {
            "max_decisions": 50,
        },
        "spec": "card-fraud",
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
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "dataset": "golden",
        "digest": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "group": "account_id",
        "key": "payment_id",
        "spec": "card-fraud",
        "split": None,
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data"],
)


# golden
run(
    "baseline",
    "baseline",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:predict",
        },
        "columns": {
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "key": "payment_id",
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"standing": ("pin", "standing"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    impure=True,
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# datasets.payments
run(
    "snapshot-training",
    "snapshot",
    config={
        "columns": {
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "dataset": "payments",
        "digest": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
        "group": "account_id",
        "key": "payment_id",
        "spec": "card-fraud",
        "split": {
            "by": "account_id",
            "validation": 0.1,
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
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:train",
        },
        "group": "account_id",
        "key": "payment_id",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "protected": [
            {
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "label": "string",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "times_usual": "double",
                },
                "group": "account_id",
                "key": "payment_id",
                "name": "golden",
            },
        ],
        "seed": 1,
        "spec": "card-fraud",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# inference
run(
    "predict-seed-1",
    "predict",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:predict",
        },
        "key": "payment_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-1", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# golden
run(
    "evaluate-seed-1",
    "evaluate",
    config={
        "cluster_by": "account_id",
        "code": None,
        "columns": {
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "key": "payment_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": True,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit'",
                },
                "id": "fraud-is-stopped",
                "select": "label = 'fraud'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "precision",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "blocked-for-a-reason",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
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
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit' and in_last_hour >= 2",
                },
                "id": "cards-are-tried",
                "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "expected_calibration_error",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "belief-means-something",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "false_positive_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "every-channel",
                "select": "label = 'legit'",
                "slices": ["by-card", "online", "by-transfer"],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": "region",
                "guard": None,
                "id": "every-region",
                "select": "label = 'fraud'",
                "slices": [],
            },
        ],
        "slices": {
            "by-card": "channel = 'card'",
            "by-transfer": "channel = 'transfer'",
            "online": "channel = 'online'",
        },
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-1", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
)


# training
run(
    "train-seed-2",
    "train",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:train",
        },
        "group": "account_id",
        "key": "payment_id",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "protected": [
            {
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "label": "string",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "times_usual": "double",
                },
                "group": "account_id",
                "key": "payment_id",
                "name": "golden",
            },
        ],
        "seed": 2,
        "spec": "card-fraud",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# inference
run(
    "predict-seed-2",
    "predict",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:predict",
        },
        "key": "payment_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-2", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# golden
run(
    "evaluate-seed-2",
    "evaluate",
    config={
        "cluster_by": "account_id",
        "code": None,
        "columns": {
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "key": "payment_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": True,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit'",
                },
                "id": "fraud-is-stopped",
                "select": "label = 'fraud'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "precision",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "blocked-for-a-reason",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
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
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit' and in_last_hour >= 2",
                },
                "id": "cards-are-tried",
                "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "expected_calibration_error",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "belief-means-something",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "false_positive_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "every-channel",
                "select": "label = 'legit'",
                "slices": ["by-card", "online", "by-transfer"],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": "region",
                "guard": None,
                "id": "every-region",
                "select": "label = 'fraud'",
                "slices": [],
            },
        ],
        "slices": {
            "by-card": "channel = 'card'",
            "by-transfer": "channel = 'transfer'",
            "online": "channel = 'online'",
        },
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-2", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
)


# training
run(
    "train-seed-3",
    "train",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:train",
        },
        "group": "account_id",
        "key": "payment_id",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "protected": [
            {
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "label": "string",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "times_usual": "double",
                },
                "group": "account_id",
                "key": "payment_id",
                "name": "golden",
            },
        ],
        "seed": 3,
        "spec": "card-fraud",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# inference
run(
    "predict-seed-3",
    "predict",
    config={
        "call": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "command": None,
            "entrypoint": "detector:predict",
        },
        "key": "payment_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-3", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    cpu=1.0,
    memory=1073741824,
    timeout=600,
)


# golden
run(
    "evaluate-seed-3",
    "evaluate",
    config={
        "cluster_by": "account_id",
        "code": None,
        "columns": {
            "abroad": "boolean",
            "account_id": "string",
            "cents": "integer",
            "channel": "string",
            "hour": "integer",
            "in_last_hour": "integer",
            "label": "string",
            "new_device": "boolean",
            "paid_at": "timestamp",
            "payment_id": "string",
            "region": "string",
            "times_usual": "double",
        },
        "key": "payment_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": True,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit'",
                },
                "id": "fraud-is-stopped",
                "select": "label = 'fraud'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "precision",
                    },
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "blocked-for-a-reason",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
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
                            "class": "fraud",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'legit' and in_last_hour >= 2",
                },
                "id": "cards-are-tried",
                "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "expected_calibration_error",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "belief-means-something",
                "select": "label in ('legit', 'fraud')",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "false_positive_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "every-channel",
                "select": "label = 'legit'",
                "slices": ["by-card", "online", "by-transfer"],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                ],
                "for_each": "region",
                "guard": None,
                "id": "every-region",
                "select": "label = 'fraud'",
                "slices": [],
            },
        ],
        "slices": {
            "by-card": "channel = 'card'",
            "by-transfer": "channel = 'transfer'",
            "online": "channel = 'online'",
        },
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-3", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
)


# golden
run(
    "gate",
    "gate",
    config={
        "baseline": {
            "compare": "champion",
            "when_missing": "absolute_only",
        },
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "pipeline": "regression",
        "reuse": {
            "max_decisions": 50,
        },
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.85,
                    },
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "margin",
                        "limit": None,
                        "margin": True,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.05,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "false_positive_rate",
                        "range": None,
                        "threshold": 0.002,
                    },
                ],
                "id": "fraud-is-stopped",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "precision",
                        "range": None,
                        "threshold": 0.85,
                    },
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.85,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "blocked-for-a-reason",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.9,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [
                    {
                        "class": "fraud",
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
                "id": "cards-are-tried",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "auroc",
                        "range": None,
                        "threshold": 0.98,
                    },
                    {
                        "class": None,
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "expected_calibration_error",
                        "range": None,
                        "threshold": 0.02,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "belief-means-something",
                "min_samples": 100,
                "must_pass": False,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "false_positive_rate",
                        "range": None,
                        "threshold": 0.01,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "every-channel",
                "min_samples": 100,
                "must_pass": False,
                "slices": ["by-card", "online", "by-transfer"],
            },
            {
                "checks": [
                    {
                        "class": "fraud",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": 0.25,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.75,
                    },
                ],
                "confidence": 0.95,
                "for_each": "region",
                "guard": [],
                "id": "every-region",
                "min_samples": 100,
                "must_pass": False,
                "slices": [],
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "card-fraud",
        "training": "payments",
    },
    inputs={"metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics"), "metrics-seed-3": ("evaluate-seed-3", "metrics"), "pins": ("pin", "pins"), "standing": ("pin", "standing")},
    outputs=["verdict"],
    parameters=["outcome"],
    impure=True,
)


# golden
run(
    "register",
    "register",
    config={
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": {
            "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
            "payments": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
        },
        "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
        "key": "payment_id",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "pipeline": "regression",
        "roles": {
            "golden": "golden",
            "training": "payments",
        },
        "scenarios": [
            {
                "guard": "label = 'legit'",
                "id": "fraud-is-stopped",
                "select": "label = 'fraud'",
            },
            {
                "guard": None,
                "id": "blocked-for-a-reason",
                "select": "label in ('legit', 'fraud')",
            },
            {
                "guard": "label = 'legit' and in_last_hour >= 2",
                "id": "cards-are-tried",
                "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
            },
            {
                "guard": None,
                "id": "belief-means-something",
                "select": "label in ('legit', 'fraud')",
            },
            {
                "guard": None,
                "id": "every-channel",
                "select": "label = 'legit'",
            },
            {
                "guard": None,
                "id": "every-region",
                "select": "label = 'fraud'",
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "card-fraud",
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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": {
            "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
            "payments": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
        },
        "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "pipeline": "regression",
        "roles": {
            "golden": "golden",
            "training": "payments",
        },
        "scenarios": [
            {
                "guard": "label = 'legit'",
                "id": "fraud-is-stopped",
                "select": "label = 'fraud'",
            },
            {
                "guard": None,
                "id": "blocked-for-a-reason",
                "select": "label in ('legit', 'fraud')",
            },
            {
                "guard": "label = 'legit' and in_last_hour >= 2",
                "id": "cards-are-tried",
                "select": "label = 'fraud' and in_last_hour >= 5 and times_usual < 0.5",
            },
            {
                "guard": None,
                "id": "belief-means-something",
                "select": "label in ('legit', 'fraud')",
            },
            {
                "guard": None,
                "id": "every-channel",
                "select": "label = 'legit'",
            },
            {
                "guard": None,
                "id": "every-region",
                "select": "label = 'fraud'",
            },
        ],
        "seeds": [1, 2, 3],
        "shown": {
            "key": "payment_id",
            "media": None,
        },
        "spec": "card-fraud",
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
                "id": "train-seed-2",
                "kind": "train",
                "needs": ["snapshot-golden", "snapshot-training"],
            },
            {
                "id": "train-seed-3",
                "kind": "train",
                "needs": ["snapshot-golden", "snapshot-training"],
            },
            {
                "id": "predict-seed-1",
                "kind": "predict",
                "needs": ["snapshot-golden", "train-seed-1"],
            },
            {
                "id": "predict-seed-2",
                "kind": "predict",
                "needs": ["snapshot-golden", "train-seed-2"],
            },
            {
                "id": "predict-seed-3",
                "kind": "predict",
                "needs": ["snapshot-golden", "train-seed-3"],
            },
            {
                "id": "baseline",
                "kind": "baseline",
                "needs": ["pin", "snapshot-golden"],
            },
            {
                "id": "evaluate-seed-1",
                "kind": "evaluate",
                "needs": ["baseline", "predict-seed-1", "snapshot-golden"],
            },
            {
                "id": "evaluate-seed-2",
                "kind": "evaluate",
                "needs": ["baseline", "predict-seed-2", "snapshot-golden"],
            },
            {
                "id": "evaluate-seed-3",
                "kind": "evaluate",
                "needs": ["baseline", "predict-seed-3", "snapshot-golden"],
            },
            {
                "id": "gate",
                "kind": "gate",
                "needs": ["evaluate-seed-1", "evaluate-seed-2", "evaluate-seed-3", "pin"],
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
                "needs": ["evaluate-seed-1", "evaluate-seed-2", "evaluate-seed-3", "gate", "pin", "snapshot-golden", "train-seed-1", "train-seed-2", "train-seed-3"],
            },
            {
                "id": "conclude",
                "kind": "conclude",
                "needs": ["gate", "report"],
            },
            {
                "id": "notify",
                "kind": "notify",
                "needs": ["gate", "report"],
            },
        ],
        "waivers": [],
    },
    inputs={"verdict": ("gate", "verdict"), "training-seed-1": ("train-seed-1", "metrics"), "training-seed-2": ("train-seed-2", "metrics"), "training-seed-3": ("train-seed-3", "metrics"), "metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics"), "metrics-seed-3": ("evaluate-seed-3", "metrics"), "standing": ("pin", "standing"), "golden": ("snapshot-golden", "data")},
    outputs=["report"],
)


# golden
run(
    "conclude",
    "conclude",
    config={
        "pipeline": "regression",
        "spec": "card-fraud",
    },
    inputs={"verdict": ("gate", "verdict")},
    impure=True,
)


# notify
run(
    "notify",
    "notify",
    config={
        "notify": [
            {
                "format": "json",
                "on_event": ["gate_failed", "run_failed", "awaiting_approval"],
                "webhook_env": "RISK_WEBHOOK_URL",
            },
        ],
        "pipeline": "regression",
        "spec": "card-fraud",
    },
    inputs={"verdict": ("gate", "verdict")},
    optional=["verdict"],
    impure=True,
    always=True,
)

finish(0)
