"""card-fraud: pipeline improvement, one step after the other.

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
                "digest": None,
                "first": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
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
        "pipeline": "improvement",
        "record": {
            "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
            "datasets": {
                "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
                "payments": None,
            },
            "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
            "params": {
                "blocked_from": 0.3,
                "passes": 10,
                "penalty": 1.0,
                "views": ["amount", "pace", "device", "place", "time"],
            },
            "pipeline": "improvement",
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


# sources.authorised
run(
    "expect",
    "expect",
    config={
        "against": [
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
                "name": "payments",
            },
        ],
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": [],
        "sources": [
            {
                "call": {
                    "command": None,
                    "entrypoint": "payments:authorised",
                },
                "columns": {
                    "abroad": "boolean",
                    "account_id": "string",
                    "belief": "double",
                    "cents": "integer",
                    "channel": "string",
                    "hour": "integer",
                    "in_last_hour": "integer",
                    "new_device": "boolean",
                    "paid_at": "timestamp",
                    "payment_id": "string",
                    "region": "string",
                    "said": "string",
                    "times_usual": "double",
                },
                "expect": {
                    "drift": {
                        "against": "payments",
                        "columns": ["channel", "region", "times_usual"],
                        "max_psi": 0.1,
                    },
                    "nulls": {
                        "belief": 0.0,
                        "times_usual": 0.0,
                    },
                    "ranges": {
                        "hour": {
                            "max": 23.0,
                            "min": 0.0,
                        },
                        "times_usual": {
                            "max": 100.0,
                            "min": 0.0,
                        },
                    },
                    "rows": {
                        "max": None,
                        "min": 10000.0,
                    },
                },
                "freshness": None,
                "name": "authorised",
                "roles": {
                    "confidence": "belief",
                    "group": "account_id",
                    "id": "payment_id",
                    "media": None,
                    "prediction": "said",
                    "time": "paid_at",
                },
                "type": "python",
            },
        ],
        "spec": "card-fraud",
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
            "name": "payments",
        },
        "labelling": {
            "gold_rate": 0.02,
            "on_disagreement": None,
            "queue": "files",
            "votes": 1,
        },
        "max_disagreement": None,
        "rules": [
            {
                "alarm": None,
                "id": "chargeback",
                "type": "human_feedback",
            },
            {
                "alarm": None,
                "id": "trying-cards",
                "type": "heuristic",
            },
            {
                "alarm": None,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": 0.05,
                "id": "audit",
                "type": "random",
            },
            {
                "alarm": None,
                "id": "settled",
                "type": "human_feedback",
            },
        ],
        "spec": "card-fraud",
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "dataset": {
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
            "name": "payments",
        },
        "label": "label",
        "rules": [
            {
                "feedback": {
                    "call": {
                        "command": None,
                        "entrypoint": "payments:chargebacks",
                    },
                    "columns": {
                        "filed_at": "timestamp",
                        "finding": "string",
                        "payment_id": "string",
                    },
                    "expect": None,
                    "freshness": None,
                    "name": "chargebacks",
                    "roles": {
                        "confidence": None,
                        "group": None,
                        "id": "payment_id",
                        "media": None,
                        "prediction": None,
                        "time": "filed_at",
                    },
                    "type": "python",
                },
                "id": "chargeback",
                "join": "payment_id",
                "label": "finding",
                "matures_after": None,
                "source": "chargebacks",
                "type": "human_feedback",
                "when_absent": None,
            },
            {
                "id": "trying-cards",
                "type": "heuristic",
                "when": "in_last_hour >= 5 and cents < 500",
            },
            {
                "below": 0.55,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": {
                    "error_rate": 0.05,
                },
                "id": "audit",
                "rate": 0.003,
                "type": "random",
            },
            {
                "feedback": {
                    "call": {
                        "command": None,
                        "entrypoint": "payments:chargebacks",
                    },
                    "columns": {
                        "filed_at": "timestamp",
                        "finding": "string",
                        "payment_id": "string",
                    },
                    "expect": None,
                    "freshness": None,
                    "name": "chargebacks",
                    "roles": {
                        "confidence": None,
                        "group": None,
                        "id": "payment_id",
                        "media": None,
                        "prediction": None,
                        "time": "filed_at",
                    },
                    "type": "python",
                },
                "id": "settled",
                "join": "payment_id",
                "label": "finding",
                "matures_after": 7776000,
                "source": "chargebacks",
                "type": "human_feedback",
                "when_absent": "legit",
            },
        ],
        "source": {
            "call": {
                "command": None,
                "entrypoint": "payments:authorised",
            },
            "columns": {
                "abroad": "boolean",
                "account_id": "string",
                "belief": "double",
                "cents": "integer",
                "channel": "string",
                "hour": "integer",
                "in_last_hour": "integer",
                "new_device": "boolean",
                "paid_at": "timestamp",
                "payment_id": "string",
                "region": "string",
                "said": "string",
                "times_usual": "double",
            },
            "expect": {
                "drift": {
                    "against": "payments",
                    "columns": ["channel", "region", "times_usual"],
                    "max_psi": 0.1,
                },
                "nulls": {
                    "belief": 0.0,
                    "times_usual": 0.0,
                },
                "ranges": {
                    "hour": {
                        "max": 23.0,
                        "min": 0.0,
                    },
                    "times_usual": {
                        "max": 100.0,
                        "min": 0.0,
                    },
                },
                "rows": {
                    "max": None,
                    "min": 10000.0,
                },
            },
            "freshness": None,
            "name": "authorised",
            "roles": {
                "confidence": "belief",
                "group": "account_id",
                "id": "payment_id",
                "media": None,
                "prediction": "said",
                "time": "paid_at",
            },
            "type": "python",
        },
        "spec": "card-fraud",
        "stratify_by": ["rule", "said"],
        "task": {
            "classes": ["legit", "fraud"],
            "label": "label",
            "prediction": "said",
            "score": "belief",
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


# feedback.leakage_guard
run(
    "guard-labels",
    "guard",
    config={
        "against": [
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
        "dataset": {
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
            "name": "payments",
        },
        "near": None,
        "spec": "card-fraud",
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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "dataset": {
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
            "name": "payments",
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
            "name": "payments",
        },
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "label": "label",
        "pinned": "sha256:fefaeafd9f35367ab6138d598b79b1e546ebcb9e69452e2e660f246d014b6247",
        "retrain_when": {
            "max_wait": 2592000,
            "min_new_samples": 300,
            "min_per_class": {
                "fraud": 50,
            },
        },
        "spec": "card-fraud",
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
    when=("decide", "retrain", "yes"),
    impure=True,
    cpu=1.0,
    memory=1073741824,
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
        "dataset": {
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
            "name": "payments",
        },
        "near": None,
        "spec": "card-fraud",
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
        "budget": 800,
        "dataset": {
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
            "name": "payments",
        },
        "dedupe": None,
        "max_per_group": 5,
        "spec": "card-fraud",
        "stratify_by": ["rule", "said"],
    },
    inputs={"rows": ("guard-mined", "rows")},
    outputs=["rows", "sampled"],
)


# feedback.labelling
run(
    "enqueue",
    "enqueue",
    config={
        "classes": ["legit", "fraud"],
        "dataset": {
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
            "name": "payments",
        },
        "labelling": {
            "gold_rate": 0.02,
            "on_disagreement": None,
            "queue": "files",
            "votes": 1,
        },
        "rules": ["chargeback", "trying-cards", "unsure", "audit", "settled"],
        "spec": "card-fraud",
    },
    inputs={"rows": ("sample", "rows"), "dropped": ("guard-mined", "dropped")},
    outputs=["queued"],
    impure=True,
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
        "digest": None,
        "group": "account_id",
        "key": "payment_id",
        "spec": "card-fraud",
        "split": {
            "by": "account_id",
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
    when=("decide", "retrain", "yes"),
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
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "pipeline": "improvement",
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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": {
            "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
            "payments": None,
        },
        "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
        "key": "payment_id",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "pipeline": "improvement",
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
        "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
        "spec": "card-fraud",
        "stages": [
            {
                "alias": "shadow",
                "approval": None,
            },
            {
                "alias": "champion",
                "approval": "risk-committee",
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
        "code": "sha256:959dbde20bd1712e5821e9ef9d5cabc0cc803835188303f682c926a8fb58d33c",
        "datasets": {
            "golden": "sha256:bbf0e769b3aaf7b94c5d064b28338313de150b68e5cbfd97fa1879e0e985ab64",
            "payments": None,
        },
        "image": "registry.example.com/fraud@sha256:2b7f90c1d4e863a5f07c29b8e1d4a6350f9c8e7b6a5d4c3b2a190f8e7d6c5b4a",
        "params": {
            "blocked_from": 0.3,
            "passes": 10,
            "penalty": 1.0,
            "views": ["amount", "pace", "device", "place", "time"],
        },
        "pipeline": "improvement",
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
                "id": "enqueue",
                "kind": "enqueue",
                "needs": ["append", "guard-mined", "sample"],
            },
            {
                "id": "report",
                "kind": "report",
                "needs": ["append", "decide", "enqueue", "evaluate-seed-1", "evaluate-seed-2", "evaluate-seed-3", "expect", "gate", "guard-labels", "guard-mined", "ingest", "mine", "pin", "promote", "sample", "snapshot-golden", "train-seed-1", "train-seed-2", "train-seed-3"],
            },
            {
                "id": "conclude",
                "kind": "conclude",
                "needs": ["decide", "gate", "ingest", "promote", "report"],
            },
            {
                "id": "notify",
                "kind": "notify",
                "needs": ["append", "decide", "enqueue", "expect", "gate", "guard-labels", "guard-mined", "ingest", "mine", "promote", "report", "sample"],
            },
        ],
        "waivers": [],
    },
    inputs={"verdict": ("gate", "verdict"), "training-seed-1": ("train-seed-1", "metrics"), "training-seed-2": ("train-seed-2", "metrics"), "training-seed-3": ("train-seed-3", "metrics"), "metrics-seed-1": ("evaluate-seed-1", "metrics"), "metrics-seed-2": ("evaluate-seed-2", "metrics"), "metrics-seed-3": ("evaluate-seed-3", "metrics"), "loop-expectations": ("expect", "expectations"), "loop-labels": ("ingest", "labels"), "loop-dropped-labels": ("guard-labels", "counts"), "loop-appended": ("append", "appended"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted"), "loop-mined": ("mine", "mined"), "loop-dropped-mined": ("guard-mined", "counts"), "loop-sampled": ("sample", "sampled"), "loop-queued": ("enqueue", "queued"), "standing": ("pin", "standing"), "golden": ("snapshot-golden", "data")},
    outputs=["report"],
    optional=["verdict", "training-seed-1", "training-seed-2", "training-seed-3", "metrics-seed-1", "metrics-seed-2", "metrics-seed-3", "loop-promoted"],
)


# golden
run(
    "conclude",
    "conclude",
    config={
        "pipeline": "improvement",
        "spec": "card-fraud",
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
                "format": "json",
                "on_event": ["gate_failed", "run_failed", "awaiting_approval"],
                "webhook_env": "RISK_WEBHOOK_URL",
            },
        ],
        "pipeline": "improvement",
        "spec": "card-fraud",
    },
    inputs={"verdict": ("gate", "verdict"), "loop-expectations": ("expect", "expectations"), "loop-labels": ("ingest", "labels"), "loop-dropped-labels": ("guard-labels", "counts"), "loop-appended": ("append", "appended"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted"), "loop-mined": ("mine", "mined"), "loop-dropped-mined": ("guard-mined", "counts"), "loop-sampled": ("sample", "sampled"), "loop-queued": ("enqueue", "queued")},
    optional=["verdict", "loop-expectations", "loop-labels", "loop-dropped-labels", "loop-appended", "loop-decision", "loop-promoted", "loop-mined", "loop-dropped-mined", "loop-sampled", "loop-queued"],
    impure=True,
    always=True,
)

finish(0)
