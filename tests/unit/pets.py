"""The valid spec of the diagnostics' cases, as it is or changed, and what is said of it."""

import copy
import json
from datetime import date
from pathlib import Path

from clspec import compile as pipe
from clspec import lock
from clspec.load import load

DIAGNOSTICS = Path(__file__).parents[1] / "diagnostics"
GONE = "(gone)"
DAY = date(2026, 11, 25)


def spec(**changes):
    """The valid base with changes: a path with `__` for its dots, and what stands there instead."""
    document, _ = load((DIAGNOSTICS / "valid.yaml").read_text(), "valid.yaml")
    value = copy.deepcopy(document.value)
    for path, new in copy.deepcopy(changes).items():
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("__"))
        target = value
        for step in steps:
            target = target.setdefault(step, {}) if isinstance(target, dict) else target[step]
        if new == GONE and isinstance(target, dict):
            target.pop(last, None)
        elif new == GONE:
            del target[last]
        elif isinstance(target, list) and last == len(target):
            target.append(new)
        else:
            target[last] = new
    return value


SCENARIO = "golden__scenarios__0"
CHECK = f"{SCENARIO}__checks__0"


def in_check(**keys):
    return {f"{CHECK}__{key}": value for key, value in keys.items()}


PHOTOS = {"id": "string", "owner": "string", "label": "string", "photo": "binary"}
FLEET = {
    "type": "parquet",
    "uri": "fleet/*.parquet",
    "columns": {
        "inference_id": "string",
        "ts": "timestamp",
        "owner": "string",
        "id": "string",
        "pred": "string",
        "conf": "double",
        "speed": "double",
        "photo": "binary",
    },
    "roles": {
        "id": "inference_id",
        "time": "ts",
        "group": "owner",
        "prediction": "pred",
        "confidence": "conf",
        "media": "photo",
    },
}
REPORTS = {
    "type": "postgres",
    "dsn_env": "REPORTS_DSN",
    "query": "select inference_id, said from reports",
    "columns": {"inference_id": "string", "said": "string"},
}
MINING = [
    {"id": "flip", "type": "prediction_flip", "window": 3},
    {"id": "jolt", "type": "event_after", "when": "conf < 0.5", "event": "speed > 20", "within": "1s"},
    {"id": "odd", "type": "heuristic", "when": "speed < 0"},
    {"id": "told", "type": "human_feedback", "source": "reports", "join": "inference_id", "label": "said"},
    {"id": "unsure", "type": "low_confidence", "below": 0.4},
    {"id": "audit", "type": "random", "rate": 0.01, "alarm": {"error_rate": 0.1}},
]
TEACHER = {"entrypoint": "model:teacher", "columns": {"sure": "boolean"}, "accept_if": "sure", "audit_rate": 0.1}
FEEDBACK = {
    "source": "fleet",
    "rules": MINING,
    "sampling": {
        "budget": 100,
        "stratify_by": ["rule", "pred"],
        "max_per_group": 3,
        "dedupe": {"method": "phash", "distance": 4},
    },
    "leakage_guard": {"against": ["golden"], "near": {"method": "phash", "distance": 4}},
    "auto_label": {**TEACHER, "max_disagreement": 0.1, "never_for": ["dog"]},
    "labelling": {"queue": "files", "votes": 2, "on_disagreement": "adjudicate", "gold_rate": 0.1},
    "append_to": "canonical",
    "retrain_when": {"min_new_samples": 100, "min_per_class": {"dog": 10}, "max_wait": "14d"},
}
LOOP = {
    "datasets__canonical__columns": PHOTOS,
    "datasets__canonical__group": "owner",
    "golden__cluster_by": "owner",
    "sources__photos__columns": PHOTOS,
    "sources__fleet": FLEET,
    "sources__reports": REPORTS,
    "feedback": FEEDBACK,
}
"""What makes a spec of the base that has all of `feedback`."""


def loop(**changes):
    """The base with all of `feedback`, and changes."""
    return spec(**{**LOOP, **changes})


def own_golden(**columns):
    """A golden dataset that is not like the one learned from."""
    return {"datasets__golden": {"columns": {**columns, "label": "string"}, "key": "id", "pinned": True}}


def pins(value, rows=3000, clusters=1000):
    """A lock that fits a spec, as far as the spec makes sense."""

    def shape(name, seen=()):
        dataset = value["datasets"].get(name, value["datasets"]["canonical"])
        return (
            dataset if "like" not in dataset or name in seen else {**shape(dataset["like"], (*seen, name)), **dataset}
        )

    by = value["golden"].get("cluster_by", "")

    def count(select):
        return lock.Count(select=select, rows=rows, clusters=clusters if by else None, cluster_by=by)

    datasets = {
        name: lock.DatasetPin(
            digest=f"sha256:{number:064}",
            rows=rows,
            columns=shape(name).get("columns", {}),
            key=shape(name).get("key", ""),
            group=shape(name).get("group", ""),
        )
        for number, name in enumerate(value["datasets"])
    }
    scenarios = {
        scenario["id"]: lock.ScenarioPin(
            scenario=count(scenario["select"]),
            guard=count(scenario["guard"]["select"]) if "guard" in scenario else None,
            slices={
                name: count(lock.both(scenario["select"], value["golden"]["slices"][name]))
                for name in scenario.get("slices", ())
                if name in value["golden"].get("slices", {})
            },
        )
        for scenario in reversed(value["golden"]["scenarios"])
    }
    sources = {name: lock.SourcePin(columns=source["columns"]) for name, source in value["sources"].items()}
    return lock.Lock(datasets=datasets, scenarios=scenarios, sources=sources)


def judged(value, pinned=None):
    """All that is said of a spec, pinned fittingly unless a lock is given."""
    Path("spec.yaml").write_text(json.dumps(value, indent=1))
    Path("spec.lock").write_text(lock.render(pinned or pins(value)))
    return pipe.read("spec.yaml", as_of=DAY).diagnostics


def said(value, pinned=None):
    return [(d.code, d.where) for d in judged(value, pinned)]
