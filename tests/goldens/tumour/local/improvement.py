"""tumour-screening: pipeline improvement, one step after the other.

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
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "datasets": {
            "cases": {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "digest": None,
                "first": "sha256:6b87808a268abcb7a0c068d16972fd09b3155410e013100467dd92e6217d61c1",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "biopsies:learned",
                    },
                    "columns": {
                        "case_id": "string",
                        "error_area": "double",
                        "error_compactness": "double",
                        "error_concave_points": "double",
                        "error_concavity": "double",
                        "error_fractal_dimension": "double",
                        "error_perimeter": "double",
                        "error_radius": "double",
                        "error_smoothness": "double",
                        "error_symmetry": "double",
                        "error_texture": "double",
                        "label": "string",
                        "mean_area": "double",
                        "mean_compactness": "double",
                        "mean_concave_points": "double",
                        "mean_concavity": "double",
                        "mean_fractal_dimension": "double",
                        "mean_perimeter": "double",
                        "mean_radius": "double",
                        "mean_smoothness": "double",
                        "mean_symmetry": "double",
                        "mean_texture": "double",
                        "patient_id": "string",
                        "worst_area": "double",
                        "worst_compactness": "double",
                        "worst_concave_points": "double",
                        "worst_concavity": "double",
                        "worst_fractal_dimension": "double",
                        "worst_perimeter": "double",
                        "worst_radius": "double",
                        "worst_smoothness": "double",
                        "worst_symmetry": "double",
                        "worst_texture": "double",
                    },
                    "name": "learned_cases",
                    "type": "python",
                },
                "group": "patient_id",
                "key": "case_id",
            },
            "golden": {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "digest": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
                "from": {
                    "call": {
                        "command": None,
                        "entrypoint": "biopsies:golden",
                    },
                    "columns": {
                        "case_id": "string",
                        "error_area": "double",
                        "error_compactness": "double",
                        "error_concave_points": "double",
                        "error_concavity": "double",
                        "error_fractal_dimension": "double",
                        "error_perimeter": "double",
                        "error_radius": "double",
                        "error_smoothness": "double",
                        "error_symmetry": "double",
                        "error_texture": "double",
                        "label": "string",
                        "mean_area": "double",
                        "mean_compactness": "double",
                        "mean_concave_points": "double",
                        "mean_concavity": "double",
                        "mean_fractal_dimension": "double",
                        "mean_perimeter": "double",
                        "mean_radius": "double",
                        "mean_smoothness": "double",
                        "mean_symmetry": "double",
                        "mean_texture": "double",
                        "patient_id": "string",
                        "worst_area": "double",
                        "worst_compactness": "double",
                        "worst_concave_points": "double",
                        "worst_concavity": "double",
                        "worst_fractal_dimension": "double",
                        "worst_perimeter": "double",
                        "worst_radius": "double",
                        "worst_smoothness": "double",
                        "worst_symmetry": "double",
                        "worst_texture": "double",
                    },
                    "name": "golden_cases",
                    "type": "python",
                },
                "group": "patient_id",
                "key": "case_id",
            },
        },
        "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "pipeline": "improvement",
        "record": {
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "datasets": {
                "cases": None,
                "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
            },
            "image": "registry.example.com/tumour@sha256:6d1c0a7e4b92f35806c4d2e7a1b9f3085e6c7d4a2b1f09e8d7c6b5a493827160",
            "params": {
                "families": ["mean", "error", "worst"],
                "strength": 1.0,
                "suspicion": 0.3,
            },
            "pipeline": "improvement",
            "roles": {
                "golden": "golden",
                "training": "cases",
            },
            "scenarios": [
                {
                    "guard": "label = 'benign'",
                    "id": "malignant-is-found",
                    "select": "label = 'malignant'",
                },
                {
                    "guard": None,
                    "id": "nothing-is-unlearned",
                    "select": "label in ('benign', 'malignant')",
                },
                {
                    "guard": None,
                    "id": "by-size",
                    "select": "label in ('benign', 'malignant')",
                },
                {
                    "guard": None,
                    "id": "ranks-well",
                    "select": "label in ('benign', 'malignant')",
                },
            ],
            "seeds": [1, 2, 3],
        },
        "reuse": {
            "max_decisions": 50,
        },
        "spec": "tumour-screening",
    },
    outputs=["pins", "standing"],
    impure=True,
)


# sources.clinic
run(
    "expect",
    "expect",
    config={
        "against": [
            {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "cases",
            },
        ],
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "datasets": [],
        "sources": [
            {
                "columns": {
                    "belief": "double",
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "inference_id": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "said": "string",
                    "ts": "timestamp",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "expect": {
                    "drift": {
                        "against": "cases",
                        "columns": ["mean_texture", "worst_smoothness"],
                        "max_psi": 0.5,
                    },
                    "nulls": {
                        "belief": 0.0,
                        "mean_radius": 0.0,
                    },
                    "ranges": {
                        "mean_radius": {
                            "max": 35.0,
                            "min": 5.0,
                        },
                        "mean_smoothness": {
                            "max": 0.25,
                            "min": 0.03,
                        },
                    },
                    "rows": {
                        "max": None,
                        "min": 50.0,
                    },
                },
                "freshness": None,
                "name": "clinic",
                "roles": {
                    "confidence": "belief",
                    "group": "patient_id",
                    "id": "inference_id",
                    "media": None,
                    "prediction": "said",
                    "time": "ts",
                },
                "type": "csv",
                "uri": "data/tumour/inferences/*.csv",
            },
        ],
        "spec": "tumour-screening",
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
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "labelling": {
            "gold_rate": 0.0,
            "on_disagreement": "adjudicate",
            "queue": "files",
            "votes": 2,
        },
        "max_disagreement": None,
        "rules": [
            {
                "alarm": None,
                "id": "biopsy",
                "type": "human_feedback",
            },
            {
                "alarm": None,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": 0.15,
                "id": "audit",
                "type": "random",
            },
        ],
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "label": "label",
        "rules": [
            {
                "feedback": {
                    "columns": {
                        "finding": "string",
                        "inference_id": "string",
                        "reported": "timestamp",
                    },
                    "expect": None,
                    "freshness": None,
                    "name": "pathology",
                    "roles": {
                        "confidence": None,
                        "group": None,
                        "id": "inference_id",
                        "media": None,
                        "prediction": None,
                        "time": "reported",
                    },
                    "type": "csv",
                    "uri": "data/tumour/reports/*.csv",
                },
                "id": "biopsy",
                "join": "inference_id",
                "label": "finding",
                "matures_after": 15552000,
                "source": "pathology",
                "type": "human_feedback",
                "when_absent": "benign",
            },
            {
                "below": 0.75,
                "id": "unsure",
                "type": "low_confidence",
            },
            {
                "alarm": {
                    "error_rate": 0.15,
                },
                "id": "audit",
                "rate": 0.1,
                "type": "random",
            },
        ],
        "source": {
            "columns": {
                "belief": "double",
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "inference_id": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "said": "string",
                "ts": "timestamp",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "expect": {
                "drift": {
                    "against": "cases",
                    "columns": ["mean_texture", "worst_smoothness"],
                    "max_psi": 0.5,
                },
                "nulls": {
                    "belief": 0.0,
                    "mean_radius": 0.0,
                },
                "ranges": {
                    "mean_radius": {
                        "max": 35.0,
                        "min": 5.0,
                    },
                    "mean_smoothness": {
                        "max": 0.25,
                        "min": 0.03,
                    },
                },
                "rows": {
                    "max": None,
                    "min": 50.0,
                },
            },
            "freshness": None,
            "name": "clinic",
            "roles": {
                "confidence": "belief",
                "group": "patient_id",
                "id": "inference_id",
                "media": None,
                "prediction": "said",
                "time": "ts",
            },
            "type": "csv",
            "uri": "data/tumour/inferences/*.csv",
        },
        "spec": "tumour-screening",
        "stratify_by": ["rule", "said"],
        "task": {
            "classes": ["benign", "malignant"],
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
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "dataset": "golden",
        "digest": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "group": "patient_id",
        "key": "case_id",
        "spec": "tumour-screening",
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
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "golden",
            },
        ],
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "near": None,
        "spec": "tumour-screening",
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
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "from": {
                "call": {
                    "command": None,
                    "entrypoint": "biopsies:learned",
                },
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "name": "learned_cases",
                "type": "python",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "label": "label",
        "pinned": "sha256:6b87808a268abcb7a0c068d16972fd09b3155410e013100467dd92e6217d61c1",
        "retrain_when": {
            "max_wait": 7776000,
            "min_new_samples": 40,
            "min_per_class": {
                "malignant": 10,
            },
        },
        "spec": "tumour-screening",
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
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:predict",
        },
        "columns": {
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "key": "case_id",
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
    timeout=300,
)


# feedback.leakage_guard
run(
    "guard-mined",
    "guard",
    config={
        "against": [
            {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "golden",
            },
        ],
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "near": None,
        "spec": "tumour-screening",
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
        "budget": 60,
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "dedupe": None,
        "max_per_group": 2,
        "spec": "tumour-screening",
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
        "classes": ["benign", "malignant"],
        "dataset": {
            "columns": {
                "case_id": "string",
                "error_area": "double",
                "error_compactness": "double",
                "error_concave_points": "double",
                "error_concavity": "double",
                "error_fractal_dimension": "double",
                "error_perimeter": "double",
                "error_radius": "double",
                "error_smoothness": "double",
                "error_symmetry": "double",
                "error_texture": "double",
                "label": "string",
                "mean_area": "double",
                "mean_compactness": "double",
                "mean_concave_points": "double",
                "mean_concavity": "double",
                "mean_fractal_dimension": "double",
                "mean_perimeter": "double",
                "mean_radius": "double",
                "mean_smoothness": "double",
                "mean_symmetry": "double",
                "mean_texture": "double",
                "patient_id": "string",
                "worst_area": "double",
                "worst_compactness": "double",
                "worst_concave_points": "double",
                "worst_concavity": "double",
                "worst_fractal_dimension": "double",
                "worst_perimeter": "double",
                "worst_radius": "double",
                "worst_smoothness": "double",
                "worst_symmetry": "double",
                "worst_texture": "double",
            },
            "group": "patient_id",
            "key": "case_id",
            "name": "cases",
        },
        "labelling": {
            "gold_rate": 0.0,
            "on_disagreement": "adjudicate",
            "queue": "files",
            "votes": 2,
        },
        "rules": ["biopsy", "unsure", "audit"],
        "spec": "tumour-screening",
    },
    inputs={"rows": ("sample", "rows"), "dropped": ("guard-mined", "dropped")},
    outputs=["queued"],
    impure=True,
)


# datasets.cases
run(
    "snapshot-training",
    "snapshot",
    config={
        "columns": {
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "dataset": "cases",
        "digest": None,
        "group": "patient_id",
        "key": "case_id",
        "spec": "tumour-screening",
        "split": {
            "by": "patient_id",
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
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:train",
        },
        "group": "patient_id",
        "key": "case_id",
        "params": {
            "families": ["mean", "error", "worst"],
            "strength": 1.0,
            "suspicion": 0.3,
        },
        "protected": [
            {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "golden",
            },
        ],
        "seed": 1,
        "spec": "tumour-screening",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=1.0,
    memory=1073741824,
    timeout=300,
)


# inference
run(
    "predict-seed-1",
    "predict",
    config={
        "call": {
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:predict",
        },
        "key": "case_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
    timeout=300,
)


# golden
run(
    "evaluate-seed-1",
    "evaluate",
    config={
        "cluster_by": "patient_id",
        "code": None,
        "columns": {
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "key": "case_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "malignant",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": True,
                        "metric": "false_negative_rate",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "malignant",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'benign'",
                },
                "id": "malignant-is-found",
                "select": "label = 'malignant'",
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
                "id": "nothing-is-unlearned",
                "select": "label in ('benign', 'malignant')",
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
                ],
                "for_each": None,
                "guard": None,
                "id": "by-size",
                "select": "label in ('benign', 'malignant')",
                "slices": ["small", "large"],
            },
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "ranks-well",
                "select": "label in ('benign', 'malignant')",
                "slices": [],
            },
        ],
        "slices": {
            "large": "worst_radius >= 16",
            "small": "worst_radius < 16",
        },
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:train",
        },
        "group": "patient_id",
        "key": "case_id",
        "params": {
            "families": ["mean", "error", "worst"],
            "strength": 1.0,
            "suspicion": 0.3,
        },
        "protected": [
            {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "golden",
            },
        ],
        "seed": 2,
        "spec": "tumour-screening",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=1.0,
    memory=1073741824,
    timeout=300,
)


# inference
run(
    "predict-seed-2",
    "predict",
    config={
        "call": {
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:predict",
        },
        "key": "case_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
    timeout=300,
)


# golden
run(
    "evaluate-seed-2",
    "evaluate",
    config={
        "cluster_by": "patient_id",
        "code": None,
        "columns": {
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "key": "case_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "malignant",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": True,
                        "metric": "false_negative_rate",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "malignant",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'benign'",
                },
                "id": "malignant-is-found",
                "select": "label = 'malignant'",
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
                "id": "nothing-is-unlearned",
                "select": "label in ('benign', 'malignant')",
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
                ],
                "for_each": None,
                "guard": None,
                "id": "by-size",
                "select": "label in ('benign', 'malignant')",
                "slices": ["small", "large"],
            },
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "ranks-well",
                "select": "label in ('benign', 'malignant')",
                "slices": [],
            },
        ],
        "slices": {
            "large": "worst_radius >= 16",
            "small": "worst_radius < 16",
        },
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:train",
        },
        "group": "patient_id",
        "key": "case_id",
        "params": {
            "families": ["mean", "error", "worst"],
            "strength": 1.0,
            "suspicion": 0.3,
        },
        "protected": [
            {
                "columns": {
                    "case_id": "string",
                    "error_area": "double",
                    "error_compactness": "double",
                    "error_concave_points": "double",
                    "error_concavity": "double",
                    "error_fractal_dimension": "double",
                    "error_perimeter": "double",
                    "error_radius": "double",
                    "error_smoothness": "double",
                    "error_symmetry": "double",
                    "error_texture": "double",
                    "label": "string",
                    "mean_area": "double",
                    "mean_compactness": "double",
                    "mean_concave_points": "double",
                    "mean_concavity": "double",
                    "mean_fractal_dimension": "double",
                    "mean_perimeter": "double",
                    "mean_radius": "double",
                    "mean_smoothness": "double",
                    "mean_symmetry": "double",
                    "mean_texture": "double",
                    "patient_id": "string",
                    "worst_area": "double",
                    "worst_compactness": "double",
                    "worst_concave_points": "double",
                    "worst_concavity": "double",
                    "worst_fractal_dimension": "double",
                    "worst_perimeter": "double",
                    "worst_radius": "double",
                    "worst_smoothness": "double",
                    "worst_symmetry": "double",
                    "worst_texture": "double",
                },
                "group": "patient_id",
                "key": "case_id",
                "name": "golden",
            },
        ],
        "seed": 3,
        "spec": "tumour-screening",
    },
    inputs={"data": ("snapshot-training", "data"), "validation": ("snapshot-training", "validation"), "golden-golden": ("snapshot-golden", "data")},
    outputs=["model", "metrics"],
    when=("decide", "retrain", "yes"),
    cpu=1.0,
    memory=1073741824,
    timeout=300,
)


# inference
run(
    "predict-seed-3",
    "predict",
    config={
        "call": {
            "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
            "command": None,
            "entrypoint": "classifier:predict",
        },
        "key": "case_id",
        "latency": False,
        "shard": 1,
        "shards": 1,
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
    timeout=300,
)


# golden
run(
    "evaluate-seed-3",
    "evaluate",
    config={
        "cluster_by": "patient_id",
        "code": None,
        "columns": {
            "case_id": "string",
            "error_area": "double",
            "error_compactness": "double",
            "error_concave_points": "double",
            "error_concavity": "double",
            "error_fractal_dimension": "double",
            "error_perimeter": "double",
            "error_radius": "double",
            "error_smoothness": "double",
            "error_symmetry": "double",
            "error_texture": "double",
            "label": "string",
            "mean_area": "double",
            "mean_compactness": "double",
            "mean_concave_points": "double",
            "mean_concavity": "double",
            "mean_fractal_dimension": "double",
            "mean_perimeter": "double",
            "mean_radius": "double",
            "mean_smoothness": "double",
            "mean_symmetry": "double",
            "mean_texture": "double",
            "patient_id": "string",
            "worst_area": "double",
            "worst_compactness": "double",
            "worst_concave_points": "double",
            "worst_concavity": "double",
            "worst_fractal_dimension": "double",
            "worst_perimeter": "double",
            "worst_radius": "double",
            "worst_smoothness": "double",
            "worst_symmetry": "double",
            "worst_texture": "double",
        },
        "key": "case_id",
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "recall",
                    },
                    {
                        "class": "malignant",
                        "higher_is_better": False,
                        "limit": None,
                        "margin": True,
                        "metric": "false_negative_rate",
                    },
                ],
                "for_each": None,
                "guard": {
                    "checks": [
                        {
                            "class": "malignant",
                            "higher_is_better": False,
                            "limit": None,
                            "margin": False,
                            "metric": "false_positive_rate",
                        },
                    ],
                    "select": "label = 'benign'",
                },
                "id": "malignant-is-found",
                "select": "label = 'malignant'",
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
                "id": "nothing-is-unlearned",
                "select": "label in ('benign', 'malignant')",
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
                ],
                "for_each": None,
                "guard": None,
                "id": "by-size",
                "select": "label in ('benign', 'malignant')",
                "slices": ["small", "large"],
            },
            {
                "checks": [
                    {
                        "class": "malignant",
                        "higher_is_better": True,
                        "limit": None,
                        "margin": False,
                        "metric": "auroc",
                    },
                ],
                "for_each": None,
                "guard": None,
                "id": "ranks-well",
                "select": "label in ('benign', 'malignant')",
                "slices": [],
            },
        ],
        "slices": {
            "large": "worst_radius >= 16",
            "small": "worst_radius < 16",
        },
        "spec": "tumour-screening",
        "task": {
            "classes": ["benign", "malignant"],
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
        "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "pipeline": "improvement",
        "reuse": {
            "max_decisions": 50,
        },
        "scenarios": [
            {
                "checks": [
                    {
                        "class": "malignant",
                        "gate": "bound",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "recall",
                        "range": None,
                        "threshold": 0.88,
                    },
                    {
                        "class": "malignant",
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "margin",
                        "limit": None,
                        "margin": True,
                        "max_gap": None,
                        "metric": "false_negative_rate",
                        "range": None,
                        "threshold": 0.08,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [
                    {
                        "class": "malignant",
                        "gate": "bound",
                        "higher_is_better": False,
                        "kind": "max",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "false_positive_rate",
                        "range": None,
                        "threshold": 0.15,
                    },
                ],
                "id": "malignant-is-found",
                "min_samples": 60,
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
                        "threshold": 0.88,
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
                "id": "nothing-is-unlearned",
                "min_samples": 60,
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
                        "threshold": 0.85,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "by-size",
                "min_samples": 60,
                "must_pass": False,
                "slices": ["small", "large"],
            },
            {
                "checks": [
                    {
                        "class": "malignant",
                        "gate": "point",
                        "higher_is_better": True,
                        "kind": "min",
                        "limit": None,
                        "margin": False,
                        "max_gap": None,
                        "metric": "auroc",
                        "range": None,
                        "threshold": 0.95,
                    },
                ],
                "confidence": 0.95,
                "for_each": None,
                "guard": [],
                "id": "ranks-well",
                "min_samples": 60,
                "must_pass": False,
                "slices": [],
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "tumour-screening",
        "training": "cases",
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
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "datasets": {
            "cases": None,
            "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        },
        "image": "registry.example.com/tumour@sha256:6d1c0a7e4b92f35806c4d2e7a1b9f3085e6c7d4a2b1f09e8d7c6b5a493827160",
        "key": "case_id",
        "params": {
            "families": ["mean", "error", "worst"],
            "strength": 1.0,
            "suspicion": 0.3,
        },
        "pipeline": "improvement",
        "roles": {
            "golden": "golden",
            "training": "cases",
        },
        "scenarios": [
            {
                "guard": "label = 'benign'",
                "id": "malignant-is-found",
                "select": "label = 'malignant'",
            },
            {
                "guard": None,
                "id": "nothing-is-unlearned",
                "select": "label in ('benign', 'malignant')",
            },
            {
                "guard": None,
                "id": "by-size",
                "select": "label in ('benign', 'malignant')",
            },
            {
                "guard": None,
                "id": "ranks-well",
                "select": "label in ('benign', 'malignant')",
            },
        ],
        "seeds": [1, 2, 3],
        "spec": "tumour-screening",
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
        "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        "spec": "tumour-screening",
        "stages": [
            {
                "alias": "shadow",
                "approval": None,
            },
            {
                "alias": "champion",
                "approval": "tumour-board",
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
        "code": "sha256:d88d874daa6f382aea4e3552bdfbcad4362d20bebb784edd6d4ebdecf11118cb",
        "datasets": {
            "cases": None,
            "golden": "sha256:bf59038a3be8013821cc9613d8fb8b75159d33c7c3b0061aa5f44259b9ca6d5a",
        },
        "image": "registry.example.com/tumour@sha256:6d1c0a7e4b92f35806c4d2e7a1b9f3085e6c7d4a2b1f09e8d7c6b5a493827160",
        "params": {
            "families": ["mean", "error", "worst"],
            "strength": 1.0,
            "suspicion": 0.3,
        },
        "pipeline": "improvement",
        "roles": {
            "golden": "golden",
            "training": "cases",
        },
        "scenarios": [
            {
                "guard": "label = 'benign'",
                "id": "malignant-is-found",
                "select": "label = 'malignant'",
            },
            {
                "guard": None,
                "id": "nothing-is-unlearned",
                "select": "label in ('benign', 'malignant')",
            },
            {
                "guard": None,
                "id": "by-size",
                "select": "label in ('benign', 'malignant')",
            },
            {
                "guard": None,
                "id": "ranks-well",
                "select": "label in ('benign', 'malignant')",
            },
        ],
        "seeds": [1, 2, 3],
        "shown": {
            "key": "case_id",
            "media": None,
        },
        "spec": "tumour-screening",
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
        "spec": "tumour-screening",
    },
    inputs={"verdict": ("gate", "verdict"), "loop-labels": ("ingest", "labels"), "loop-decision": ("decide", "decision"), "loop-promoted": ("promote", "promoted")},
    optional=["verdict", "loop-promoted"],
    impure=True,
)

finish(0)
