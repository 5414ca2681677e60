"""robotaxi-perception: pipeline improvement, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python improvement.py --code DIR --folder DIR [--store URI] [--work DIR]
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
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "datasets": {
            "canonical": {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "digest": None,
                "first": "sha256:4e78c36423d54bc2f23b0e378b8032aca9cb0d2c8dad8b2996bfc36d2e8c55b8",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "scenes:first_drives",
                    },
                    "columns": {
                        "frame": "binary",
                        "frame_sha256": "string",
                        "label": "string",
                        "lighting": "string",
                        "occlusion": "double",
                        "ride_id": "string",
                        "ts": "timestamp",
                        "weather": "string",
                    },
                    "name": "first_drives",
                    "type": "python",
                },
                "group": "ride_id",
                "key": "frame_sha256",
            },
            "golden": {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "digest": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "scenes:golden_drives",
                    },
                    "columns": {
                        "frame": "binary",
                        "frame_sha256": "string",
                        "label": "string",
                        "lighting": "string",
                        "occlusion": "double",
                        "ride_id": "string",
                        "ts": "timestamp",
                        "weather": "string",
                    },
                    "name": "golden_drives",
                    "type": "python",
                },
                "group": "ride_id",
                "key": "frame_sha256",
            },
        },
        "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "pipeline": "improvement",
        "record": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "datasets": {
                "canonical": None,
                "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
            },
            "image": "registry.example.com/perception@sha256:0f3c8bd7a4e1925c6f0b7a9d3e5c1f8246b0a7d9e3c5f1827364b5a6c7d8e9f0",
            "params": {
                "batch_size": 128,
                "epochs": 10,
                "lr": 0.003,
            },
            "pipeline": "improvement",
            "roles": {
                "golden": "golden",
                "training": "canonical",
            },
            "scenarios": [
                {
                    "guard": "label in ('none', 'vehicle') and lighting = 'night'",
                    "id": "pedestrian-at-night",
                    "select": "label = 'pedestrian' and lighting = 'night'",
                },
                {
                    "guard": "label in ('none', 'vehicle')",
                    "id": "dog-crossing",
                    "select": "label = 'dog'",
                },
                {
                    "guard": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                    "id": "occluded-cyclist",
                    "select": "label = 'cyclist' and occlusion >= 0.3",
                },
                {
                    "guard": None,
                    "id": "rainy-day",
                    "select": "weather = 'rain' and lighting = 'day'",
                },
            ],
            "seeds": [1, 2, 3],
        },
        "reuse": {
            "max_decisions": 50,
        },
        "spec": "robotaxi-perception",
    },
    outputs=["pins", "standing"],
    impure=True,
)


# sources.fleet
run(
    "expect",
    "expect",
    config={
        "against": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "canonical",
            },
        ],
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "datasets": [],
        "sources": [
            {
                "columns": {
                    "accel": "double",
                    "conf": "double",
                    "frame": "binary",
                    "frame_sha256": "string",
                    "inference_id": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "pred": "string",
                    "ride_id": "string",
                    "steer_rate": "double",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "expect": {
                    "drift": {
                        "against": "canonical",
                        "columns": ["lighting", "weather"],
                        "max_psi": 0.25,
                    },
                    "nulls": {
                        "conf": 0.0,
                        "frame": 0.0,
                    },
                    "ranges": {
                        "accel": {
                            "max": 12.0,
                            "min": -12.0,
                        },
                        "conf": {
                            "max": 1.0,
                            "min": 0.0,
                        },
                    },
                    "rows": {
                        "max": None,
                        "min": 1000.0,
                    },
                },
                "freshness": 345600,
                "name": "fleet",
                "roles": {
                    "confidence": "conf",
                    "group": "ride_id",
                    "id": "inference_id",
                    "media": "frame",
                    "prediction": "pred",
                    "time": "ts",
                },
                "type": "parquet",
                "uri": "data/robotaxi/inferences/*.parquet",
            },
        ],
        "spec": "robotaxi-perception",
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["expectations"],
    impure=True,
)


# feedback.labelling
run(
    "ingest",
    "ingest",
    config={
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "labelling": {
            "gold_rate": 0.0,
            "on_disagreement": "adjudicate",
            "queue": "files",
            "votes": 2,
        },
        "max_disagreement": 0.1,
        "rules": [
            {
                "alarm": None,
                "id": "rider-said-wrong",
                "type": "human_feedback",
            },
            {
                "alarm": None,
                "id": "flip-flop",
                "type": "prediction_flip",
            },
            {
                "alarm": None,
                "id": "swerve",
                "type": "event_after",
            },
            {
                "alarm": None,
                "id": "hard-brake",
                "type": "heuristic",
            },
            {
                "alarm": None,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": 0.2,
                "id": "audit",
                "type": "random",
            },
        ],
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["rows", "provenance", "labels"],
    impure=True,
)


# feedback.rules
run(
    "mine",
    "mine",
    config={
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "label": "label",
        "rules": [
            {
                "feedback": {
                    "columns": {
                        "corrected_label": "string",
                        "created_at": "timestamp",
                        "inference_id": "string",
                    },
                    "expect": None,
                    "freshness": None,
                    "name": "rider_reports",
                    "roles": {
                        "confidence": None,
                        "group": None,
                        "id": "inference_id",
                        "media": None,
                        "prediction": None,
                        "time": "created_at",
                    },
                    "type": "jsonl",
                    "uri": "data/robotaxi/rider_reports/*.jsonl",
                },
                "id": "rider-said-wrong",
                "join": "inference_id",
                "label": "corrected_label",
                "matures_after": None,
                "source": "rider_reports",
                "type": "human_feedback",
                "when_absent": None,
            },
            {
                "id": "flip-flop",
                "type": "prediction_flip",
                "window": 3,
            },
            {
                "event": "abs(steer_rate) > 20 or accel < -4",
                "id": "swerve",
                "type": "event_after",
                "when": "conf < 0.9",
                "within": 1,
            },
            {
                "id": "hard-brake",
                "type": "heuristic",
                "when": "accel < -6",
            },
            {
                "below": 0.6,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": {
                    "error_rate": 0.2,
                },
                "id": "audit",
                "rate": 0.005,
                "type": "random",
            },
        ],
        "source": {
            "columns": {
                "accel": "double",
                "conf": "double",
                "frame": "binary",
                "frame_sha256": "string",
                "inference_id": "string",
                "lighting": "string",
                "occlusion": "double",
                "pred": "string",
                "ride_id": "string",
                "steer_rate": "double",
                "ts": "timestamp",
                "weather": "string",
            },
            "expect": {
                "drift": {
                    "against": "canonical",
                    "columns": ["lighting", "weather"],
                    "max_psi": 0.25,
                },
                "nulls": {
                    "conf": 0.0,
                    "frame": 0.0,
                },
                "ranges": {
                    "accel": {
                        "max": 12.0,
                        "min": -12.0,
                    },
                    "conf": {
                        "max": 1.0,
                        "min": 0.0,
                    },
                },
                "rows": {
                    "max": None,
                    "min": 1000.0,
                },
            },
            "freshness": 345600,
            "name": "fleet",
            "roles": {
                "confidence": "conf",
                "group": "ride_id",
                "id": "inference_id",
                "media": "frame",
                "prediction": "pred",
                "time": "ts",
            },
            "type": "parquet",
            "uri": "data/robotaxi/inferences/*.parquet",
        },
        "spec": "robotaxi-perception",
        "stratify_by": ["rule", "pred"],
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["candidates", "mined"],
    impure=True,
)


# datasets.golden
run(
    "snapshot-golden",
    "snapshot",
    config={
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "dataset": "golden",
        "digest": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "group": "ride_id",
        "key": "frame_sha256",
        "spec": "robotaxi-perception",
        "split": None,
    },
    inputs={"pins": ("pin", "pins")},
    outputs=["data"],
)


# feedback.leakage_guard
run(
    "guard-labels",
    "guard",
    config={
        "against": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "golden",
            },
        ],
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "near": {
            "distance": 4,
            "media": "frame",
            "method": "phash",
        },
        "spec": "robotaxi-perception",
    },
    inputs={"rows": ("ingest", "rows"), "against-golden": ("snapshot-golden", "data")},
    outputs=["rows", "dropped", "counts"],
    impure=True,
)


# feedback.append_to
run(
    "append",
    "append",
    config={
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "from": {
                "call": {
                    "command": None,
                    "entrypoint": "scenes:first_drives",
                },
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "name": "first_drives",
                "type": "python",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"rows": ("guard-labels", "rows"), "dropped": ("guard-labels", "dropped"), "provenance": ("ingest", "provenance")},
    outputs=["pins", "appended"],
    impure=True,
)


# feedback.retrain_when
run(
    "decide",
    "decide",
    config={
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "label": "label",
        "pinned": "sha256:4e78c36423d54bc2f23b0e378b8032aca9cb0d2c8dad8b2996bfc36d2e8c55b8",
        "retrain_when": {
            "max_wait": 1209600,
            "min_new_samples": 300,
            "min_per_class": {
                "dog": 150,
            },
        },
        "spec": "robotaxi-perception",
    },
    inputs={"appended": ("append", "appended"), "standing": ("pin", "standing")},
    outputs=["decision"],
    parameters=["retrain"],
    impure=True,
)


# golden
run(
    "baseline",
    "baseline",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:predict",
        },
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "key": "frame_sha256",
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"standing": ("pin", "standing"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    when=("decide", "retrain", "yes"),
    impure=True,
    cpu=2.0,
    memory=2147483648,
    timeout=600,
)


# feedback.leakage_guard
run(
    "guard-mined",
    "guard",
    config={
        "against": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "golden",
            },
        ],
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "near": {
            "distance": 4,
            "media": "frame",
            "method": "phash",
        },
        "spec": "robotaxi-perception",
    },
    inputs={"rows": ("mine", "candidates"), "against-golden": ("snapshot-golden", "data")},
    outputs=["rows", "dropped", "counts"],
    impure=True,
)


# feedback.sampling
run(
    "sample",
    "sample",
    config={
        "budget": 900,
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "dedupe": {
            "distance": 4,
            "media": "frame",
            "method": "phash",
        },
        "max_per_group": 3,
        "spec": "robotaxi-perception",
        "stratify_by": ["rule", "pred"],
    },
    inputs={"rows": ("guard-mined", "rows")},
    outputs=["rows", "sampled"],
)


# feedback.auto_label
run(
    "auto-label",
    "auto_label",
    config={
        "accept_if": "agreement = 1.0 and min_conf >= 0.97",
        "audit_rate": 0.1,
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "teacher:label",
        },
        "columns": {
            "agreement": "double",
            "min_conf": "double",
        },
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "never_for": ["dog", "cyclist"],
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"rows": ("sample", "rows")},
    outputs=["rows", "teacher"],
    cpu=2.0,
    memory=4294967296,
    timeout=900,
)


# feedback.labelling
run(
    "enqueue",
    "enqueue",
    config={
        "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
        "dataset": {
            "columns": {
                "frame": "binary",
                "frame_sha256": "string",
                "label": "string",
                "lighting": "string",
                "occlusion": "double",
                "ride_id": "string",
                "ts": "timestamp",
                "weather": "string",
            },
            "group": "ride_id",
            "key": "frame_sha256",
            "name": "canonical",
        },
        "labelling": {
            "gold_rate": 0.0,
            "on_disagreement": "adjudicate",
            "queue": "files",
            "votes": 2,
        },
        "rules": ["rider-said-wrong", "flip-flop", "swerve", "hard-brake", "unsure", "audit"],
        "spec": "robotaxi-perception",
    },
    inputs={"rows": ("auto-label", "rows"), "dropped": ("guard-mined", "dropped")},
    outputs=["queued"],
    impure=True,
)


# datasets.canonical
run(
    "snapshot-training",
    "snapshot",
    config={
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "dataset": "canonical",
        "digest": None,
        "group": "ride_id",
        "key": "frame_sha256",
        "spec": "robotaxi-perception",
        "split": {
            "by": "ride_id",
            "validation": 0.1,
        },
    },
    inputs={"pins": ("append", "pins")},
    outputs=["data", "validation"],
    when=("decide", "retrain", "yes"),
)


# training
run(
    "train-seed-1",
    "train",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:train",
        },
        "group": "ride_id",
        "key": "frame_sha256",
        "params": {
            "batch_size": 128,
            "epochs": 10,
            "lr": 0.003,
        },
        "protected": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "golden",
            },
        ],
        "seed": 1,
        "spec": "robotaxi-perception",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=4294967296,
    timeout=900,
    retries=2,
)


# inference
run(
    "predict-seed-1",
    "predict",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:predict",
        },
        "key": "frame_sha256",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-1", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=2147483648,
    timeout=600,
)


# golden
run(
    "evaluate-seed-1",
    "evaluate",
    config={
        "cluster_by": "ride_id",
        "code": None,
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "key": "frame_sha256",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "pedestrian",
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
                            "class": "pedestrian",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle') and lighting = 'night'",
                },
                "id": "pedestrian-at-night",
                "select": "label = 'pedestrian' and lighting = 'night'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "dog",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "dog",
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
                            "class": "dog",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle')",
                },
                "id": "dog-crossing",
                "select": "label = 'dog'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "cyclist",
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
                            "class": "cyclist",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                },
                "id": "occluded-cyclist",
                "select": "label = 'cyclist' and occlusion >= 0.3",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": None,
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "accuracy",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "negative_flip_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "rainy-day",
                "select": "weather = 'rain' and lighting = 'day'",
                "slices": [],
            },
        ],
        "slices": {},
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-1", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
    when=("decide", "retrain", "yes"),
)


# training
run(
    "train-seed-2",
    "train",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:train",
        },
        "group": "ride_id",
        "key": "frame_sha256",
        "params": {
            "batch_size": 128,
            "epochs": 10,
            "lr": 0.003,
        },
        "protected": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "golden",
            },
        ],
        "seed": 2,
        "spec": "robotaxi-perception",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=4294967296,
    timeout=900,
    retries=2,
)


# inference
run(
    "predict-seed-2",
    "predict",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:predict",
        },
        "key": "frame_sha256",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-2", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=2147483648,
    timeout=600,
)


# golden
run(
    "evaluate-seed-2",
    "evaluate",
    config={
        "cluster_by": "ride_id",
        "code": None,
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "key": "frame_sha256",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "pedestrian",
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
                            "class": "pedestrian",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle') and lighting = 'night'",
                },
                "id": "pedestrian-at-night",
                "select": "label = 'pedestrian' and lighting = 'night'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "dog",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "dog",
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
                            "class": "dog",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle')",
                },
                "id": "dog-crossing",
                "select": "label = 'dog'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "cyclist",
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
                            "class": "cyclist",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                },
                "id": "occluded-cyclist",
                "select": "label = 'cyclist' and occlusion >= 0.3",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": None,
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "accuracy",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "negative_flip_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "rainy-day",
                "select": "weather = 'rain' and lighting = 'day'",
                "slices": [],
            },
        ],
        "slices": {},
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-2", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
    when=("decide", "retrain", "yes"),
)


# training
run(
    "train-seed-3",
    "train",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:train",
        },
        "group": "ride_id",
        "key": "frame_sha256",
        "params": {
            "batch_size": 128,
            "epochs": 10,
            "lr": 0.003,
        },
        "protected": [
            {
                "columns": {
                    "frame": "binary",
                    "frame_sha256": "string",
                    "label": "string",
                    "lighting": "string",
                    "occlusion": "double",
                    "ride_id": "string",
                    "ts": "timestamp",
                    "weather": "string",
                },
                "group": "ride_id",
                "key": "frame_sha256",
                "name": "golden",
            },
        ],
        "seed": 3,
        "spec": "robotaxi-perception",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=4294967296,
    timeout=900,
    retries=2,
)


# inference
run(
    "predict-seed-3",
    "predict",
    config={
        "call": {
            "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
            "command": None,
            "entrypoint": "train:predict",
        },
        "key": "frame_sha256",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"model": ("train-seed-3", "model"), "data": ("snapshot-golden", "data")},
    outputs=["predictions"],
    when=("decide", "retrain", "yes"),
    cpu=2.0,
    memory=2147483648,
    timeout=600,
)


# golden
run(
    "evaluate-seed-3",
    "evaluate",
    config={
        "cluster_by": "ride_id",
        "code": None,
        "columns": {
            "frame": "binary",
            "frame_sha256": "string",
            "label": "string",
            "lighting": "string",
            "occlusion": "double",
            "ride_id": "string",
            "ts": "timestamp",
            "weather": "string",
        },
        "key": "frame_sha256",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "pedestrian",
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
                            "class": "pedestrian",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle') and lighting = 'night'",
                },
                "id": "pedestrian-at-night",
                "select": "label = 'pedestrian' and lighting = 'night'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "dog",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "dog",
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
                            "class": "dog",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle')",
                },
                "id": "dog-crossing",
                "select": "label = 'dog'",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "cyclist",
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
                            "class": "cyclist",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                },
                "id": "occluded-cyclist",
                "select": "label = 'cyclist' and occlusion >= 0.3",
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": None,
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "accuracy",
                    },
                    {
                        "class": None,
                        "higher_is_better": False,
                        "limit": None,
                        "margin": False,
                        "metric": "negative_flip_rate",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "rainy-day",
                "select": "weather = 'rain' and lighting = 'day'",
                "slices": [],
            },
        ],
        "slices": {},
        "spec": "robotaxi-perception",
        "task": {
            "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"],
            "label": "label",
            "prediction": "pred",
            "score": "conf",
            "type": "classification",
        },
    },
    inputs={"data": ("snapshot-golden", "data"), "predictions-1": ("predict-seed-3", "predictions"), "baseline": ("baseline", "predictions")},
    outputs=["metrics"],
    when=("decide", "retrain", "yes"),
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
        "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "pipeline": "improvement",
        "reuse": {
            "max_decisions": 50,
        },
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "pedestrian",
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
                        "class": "pedestrian",
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
                "id": "pedestrian-at-night",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "dog",
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
                    {
                        "class": "dog",
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
                        "class": "dog",
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
                "id": "dog-crossing",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": "cyclist",
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
                        "class": "cyclist",
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
                "id": "occluded-cyclist",
                "min_samples": 100,
                "must_pass": True,
                "slices": [],
            },
            {
                "checks": [
                    {
                        "class": None,
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "accuracy",
                        "range": None,
                        "threshold": 0.9,
                    },
                    {
                        "class": None,
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "negative_flip_rate",
                        "range": None,
                        "threshold": 0.05,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "rainy-day",
                "min_samples": 100,
                "must_pass": False,
                "slices": [],
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "robotaxi-perception",
        "training": "canonical",
    },
    inputs={"metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics"), "metrics-seed-3": ("evaluate-seed-3", "metrics"), "pins": ("append", "pins"), "standing": ("pin", "standing")},
    outputs=["verdict"],
    parameters=["outcome"],
    when=("decide", "retrain", "yes"),
    impure=True,
)


# golden
run(
    "register",
    "register",
    config={
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "datasets": {
            "canonical": None,
            "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        },
        "image": "registry.example.com/perception@sha256:0f3c8bd7a4e1925c6f0b7a9d3e5c1f8246b0a7d9e3c5f1827364b5a6c7d8e9f0",
        "key": "frame_sha256",
        "params": {
            "batch_size": 128,
            "epochs": 10,
            "lr": 0.003,
        },
        "pipeline": "improvement",
        "roles": {
            "golden": "golden",
            "training": "canonical",
        },
        "scenarios": [
            {
                "guard": "label in ('none', 'vehicle') and lighting = 'night'",
                "id": "pedestrian-at-night",
                "select": "label = 'pedestrian' and lighting = 'night'",
            },
            {
                "guard": "label in ('none', 'vehicle')",
                "id": "dog-crossing",
                "select": "label = 'dog'",
            },
            {
                "guard": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                "id": "occluded-cyclist",
                "select": "label = 'cyclist' and occlusion >= 0.3",
            },
            {
                "guard": None,
                "id": "rainy-day",
                "select": "weather = 'rain' and lighting = 'day'",
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "robotaxi-perception",
    },
    inputs={"model": ("train-seed-1", "model"), "training": ("train-seed-1", "metrics"), "metrics": ("evaluate-seed-1", "metrics"), "predictions-1": ("predict-seed-1", "predictions"), "pins": ("append", "pins"), "standing": ("pin", "standing"), "verdict": ("gate", "verdict")},
    outputs=["registered"],
    when=("gate", "outcome", "pass"),
    impure=True,
)


# promotion
run(
    "promote",
    "promote",
    config={
        "compares": True,
        "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        "spec": "robotaxi-perception",
        "stages": [
            {
                "alias": "shadow",
                "approval": None,
            },
            {
                "alias": "champion",
                "approval": "safety-board",
            },
        ],
    },
    inputs={"registered": ("register", "registered"), "verdict": ("gate", "verdict")},
    outputs=["promoted"],
    when=("gate", "outcome", "pass"),
    impure=True,
)


# metadata
run(
    "report",
    "report",
    config={
        "code": "sha256:928284aeaef36a974b1129bb1d52b96d42cdb6fccd225fbd4700c000e004a139",
        "datasets": {
            "canonical": None,
            "golden": "sha256:41fd1a0bd944b3718cfe77639ec6630d56475c12953a6665d79e3da7d3f4603f",
        },
        "image": "registry.example.com/perception@sha256:0f3c8bd7a4e1925c6f0b7a9d3e5c1f8246b0a7d9e3c5f1827364b5a6c7d8e9f0",
        "params": {
            "batch_size": 128,
            "epochs": 10,
            "lr": 0.003,
        },
        "pipeline": "improvement",
        "roles": {
            "golden": "golden",
            "training": "canonical",
        },
        "scenarios": [
            {
                "guard": "label in ('none', 'vehicle') and lighting = 'night'",
                "id": "pedestrian-at-night",
                "select": "label = 'pedestrian' and lighting = 'night'",
            },
            {
                "guard": "label in ('none', 'vehicle')",
                "id": "dog-crossing",
                "select": "label = 'dog'",
            },
            {
                "guard": "label in ('none', 'vehicle', 'pedestrian') and occlusion >= 0.3",
                "id": "occluded-cyclist",
                "select": "label = 'cyclist' and occlusion >= 0.3",
            },
            {
                "guard": None,
                "id": "rainy-day",
                "select": "weather = 'rain' and lighting = 'day'",
            },
        ],
        "seeds": [1, 2, 3],
        "shown": {
            "key": "frame_sha256",
            "media": "frame",
        },
        "spec": "robotaxi-perception",
        "steps": [
            {
                "id": "pin",
                "kind": "pin",
                "needs": [],
            },
            {
                "id": "expect",
                "kind": "expect",
                "needs": ["pin"],
            },
            {
                "id": "snapshot-golden",
                "kind": "snapshot",
                "needs": ["pin"],
            },
            {
                "id": "ingest",
                "kind": "ingest",
                "needs": ["expect", "pin"],
            },
            {
                "id": "guard-labels",
                "kind": "guard",
                "needs": ["ingest", "snapshot-golden"],
            },
            {
                "id": "append",
                "kind": "append",
                "needs": ["guard-labels", "ingest", "pin"],
            },
            {
                "id": "decide",
                "kind": "decide",
                "needs": ["append", "pin"],
            },
            {
                "id": "snapshot-training",
                "kind": "snapshot",
                "needs": ["append", "decide"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "train-seed-1",
                "kind": "train",
                "needs": ["decide", "snapshot-golden", "snapshot-training"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "train-seed-2",
                "kind": "train",
                "needs": ["decide", "snapshot-golden", "snapshot-training"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "train-seed-3",
                "kind": "train",
                "needs": ["decide", "snapshot-golden", "snapshot-training"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "predict-seed-1",
                "kind": "predict",
                "needs": ["decide", "snapshot-golden", "train-seed-1"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "predict-seed-2",
                "kind": "predict",
                "needs": ["decide", "snapshot-golden", "train-seed-2"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "predict-seed-3",
                "kind": "predict",
                "needs": ["decide", "snapshot-golden", "train-seed-3"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "baseline",
                "kind": "baseline",
                "needs": ["decide", "pin", "snapshot-golden"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "evaluate-seed-1",
                "kind": "evaluate",
                "needs": ["baseline", "decide", "predict-seed-1", "snapshot-golden"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "evaluate-seed-2",
                "kind": "evaluate",
                "needs": ["baseline", "decide", "predict-seed-2", "snapshot-golden"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "evaluate-seed-3",
                "kind": "evaluate",
                "needs": ["baseline", "decide", "predict-seed-3", "snapshot-golden"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "gate",
                "kind": "gate",
                "needs": ["append", "decide", "evaluate-seed-1", "evaluate-seed-2", "evaluate-seed-3", "pin"],
                "when": "retrain of decide is yes",
            },
            {
                "id": "register",
                "kind": "register",
                "needs": ["append", "evaluate-seed-1", "gate", "pin", "predict-seed-1", "train-seed-1"],
                "when": "outcome of gate is pass",
            },
            {
                "id": "promote",
                "kind": "promote",
                "needs": ["gate", "register"],
                "when": "outcome of gate is pass",
            },
            {
                "id": "mine",
                "kind": "mine",
                "needs": ["expect", "pin"],
            },
            {
                "id": "guard-mined",
                "kind": "guard",
                "needs": ["mine", "snapshot-golden"],
            },
            {
                "id": "sample",
                "kind": "sample",
                "needs": ["guard-mined"],
            },
            {
                "id": "auto-label",
                "kind": "auto_label",
                "needs": ["sample"],
            },
            {
                "id": "enqueue",
                "kind": "enqueue",
                "needs": ["append", "auto-label", "guard-mined"],
            },
            {
                "id": "report",
                "kind": "report",
                "needs": ["append", "auto-label", "decide", "enqueue", "evaluate-seed-1", "evaluate-seed-2", "evaluate-seed-3", "expect", "gate", "guard-labels", "guard-mined", "ingest", "mine", "pin", "promote", "sample", "snapshot-golden", "train-seed-1", "train-seed-2", "train-seed-3"],
            },
            {
                "id": "conclude",
                "kind": "conclude",
                "needs": ["decide", "gate", "ingest", "promote", "report"],
            },
            {
                "id": "notify",
                "kind": "notify",
                "needs": ["append", "auto-label", "decide", "enqueue", "expect", "gate", "guard-labels", "guard-mined", "ingest", "mine", "promote", "report", "sample"],
            },
        ],
        "waivers": [],
    },
    inputs={"verdict": ("gate", "verdict"), "training-seed-1": ("train-seed-1", "metrics"), "training-seed-2": ("train-seed-2", "metrics"), "training-seed-3": ("train-seed-3", "metrics"), "metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics"), "metrics-seed-3": ("evaluate-seed-3", "metrics"), "loop-expectations": ("expect", "expectations"), "loop-labels": ("ingest", "labels"), "loop-dropped-labels": ("guard-labels", "counts"), "loop-appended": ("append", "appended"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted"), "loop-mined": ("mine", "mined"), "loop-dropped-mined": ("guard-mined", "counts"), "loop-sampled": ("sample", "sampled"), "loop-teacher": ("auto-label", "teacher"), "loop-queued": ("enqueue", "queued"), "standing": ("pin", "standing"), "golden": ("snapshot-golden", "data")},
    outputs=["report"],
    optional=["verdict", "training-seed-1", "training-seed-2", "training-seed-3", "metrics-seed-1", "metrics-seed-2", "metrics-seed-3", "loop-promoted"],
)


# golden
run(
    "conclude",
    "conclude",
    config={
        "pipeline": "improvement",
        "spec": "robotaxi-perception",
    },
    inputs={"verdict": ("gate", "verdict"), "loop-labels": ("ingest", "labels"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted")},
    optional=["verdict", "loop-promoted"],
    impure=True,
)


# notify
run(
    "notify",
    "notify",
    config={
        "notify": [
            {
                "format": "slack",
                "on_event": ["gate_failed", "run_failed", "awaiting_approval"],
                "webhook_env": "SLACK_WEBHOOK_URL",
            },
        ],
        "pipeline": "improvement",
        "spec": "robotaxi-perception",
    },
    inputs={"verdict": ("gate", "verdict"), "loop-expectations": ("expect", "expectations"), "loop-labels": ("ingest", "labels"), "loop-dropped-labels": ("guard-labels", "counts"), "loop-appended": ("append", "appended"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted"), "loop-mined": ("mine", "mined"), "loop-dropped-mined": ("guard-mined", "counts"), "loop-sampled": ("sample", "sampled"), "loop-teacher": ("auto-label", "teacher"), "loop-queued": ("enqueue", "queued")},
    optional=["verdict", "loop-expectations", "loop-labels", "loop-dropped-labels", "loop-appended", "loop-decision", "loop-promoted", "loop-mined", "loop-dropped-mined", "loop-sampled", "loop-teacher", "loop-queued"],
    impure=True,
    always=True,
)

finish(0)
