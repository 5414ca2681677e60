"""Mining: every rule against a slow reading of docs/mining.md in plain Python, and what a step makes of it."""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from itertools import combinations, groupby

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clspec.data import mining, table

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
AS_OF = EPOCH + timedelta(seconds=10)
COLUMNS = {
    "id": "string",
    "hash": "string",
    "at": "timestamp",
    "ride": "string",
    "pred": "string",
    "conf": "double",
    "x": "double",
    "note": "string",
    "frame": "binary",
    "label": "string",
}
ROLES = {"id": "id", "time": "at", "group": "ride", "prediction": "pred", "confidence": "conf", "media": "frame"}
DATASET = {
    "name": "canonical",
    "columns": {"hash": "string", "ride": "string", "frame": "binary", "label": "string", "extra": "double"},
    "key": "hash",
    "group": "ride",
}
REPORTS = {
    "name": "reports",
    "type": "parquet",
    "columns": {"id": "string", "said": "string", "when": "timestamp"},
    "roles": {"time": "when"},
}
HEURISTIC = {"id": "hard", "type": "heuristic", "when": "x > 2.0"}
UNSURE = {"id": "unsure", "type": "low_confidence", "below": 0.5}
AFTER = {"id": "after", "type": "event_after", "when": "conf < 0.5", "event": "x > 2.0", "within": 2}
FLIP = {"id": "flip", "type": "prediction_flip", "window": 3}
WIDE = {"id": "wide", "type": "prediction_flip", "window": 5}
TOLD = {"id": "told", "type": "human_feedback", "join": "id", "label": "said", "feedback": REPORTS}
SILENT = {**TOLD, "id": "silent", "matures_after": 5, "when_absent": "fine"}
AUDIT = {"id": "audit", "type": "random", "rate": 0.5}
RULES = [FLIP, AFTER, HEURISTIC, TOLD, SILENT, WIDE, UNSURE, AUDIT]
HOSTILE = ['\'; DROP TABLE "clspec hits"; --', '"', "\\", "%", "a\nb", "\u00e4\U0001f40d", ""]


def config(rules, **changes):
    """What the step is told."""
    return {
        "spec": "s",
        "source": {"name": "fleet", "type": "parquet", "columns": COLUMNS, "roles": ROLES},
        "dataset": DATASET,
        "label": "label",
        "task": {"type": "classification", "label": "label", "classes": ["fine", "dog", "cat"]},
        "rules": rules,
        "stratify_by": ["rule", "pred"],
        "code": "",
        **changes,
    }


def written(path, rows, columns):
    pq.write_table(table.from_rows(rows, columns, "x"), path)
    return str(path)


@pytest.fixture
def mined(tmp_path):
    """Mine in this process: the candidates, and what is told of them."""
    numbers = iter(range(1_000_000))

    def mined(rows, rules, *, feedback=(), keys=(), erased=(), files=1, **changes):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        size = -(-len(rows) // files) or 1
        parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [[]]
        source = changes.get("source", {"columns": COLUMNS})
        reports = written(folder / "reports", list(feedback), REPORTS["columns"])
        known = {
            "keys": written(folder / "keys", [{"key": key} for key in keys], {"key": "string"}),
            "erased": written(folder / "erased", [{"digest": digest} for digest in erased], {"digest": "string"}),
        }
        told = mining.mine(
            config=config(rules, **changes),
            files=[written(folder / f"{n}", part, source["columns"]) for n, part in enumerate(parts)],
            feedback={rule["id"]: [reports] for rule in rules if rule["type"] == "human_feedback"},
            known=known,
            as_of=round(AS_OF.timestamp() * 1_000_000),
            out=str(folder / "out"),
            scratch=str(folder / "scratch"),
        )
        return pq.read_table(folder / "out"), told

    return mined


def row(identity, second=0, **values):
    """A row of production that no rule asks for, unless told otherwise."""
    plain = {"id": identity, "hash": f"h-{identity}", "at": EPOCH + timedelta(seconds=second), "ride": "r", "pred": "A"}
    return {**plain, "conf": 0.9, "x": 0.0, "note": None, "frame": b"", "label": None, **values}


def found(candidates):
    """Which rules mined which rows."""
    return dict(zip(candidates["clspec.id"].to_pylist(), candidates["clspec.rules"].to_pylist(), strict=True))


# -- an oracle ---------------------------------------------------------------------------------------------------------


def less(value, limit):
    return None if value is None or math.isnan(value) else value < limit


def more(value, limit):
    return None if value is None or math.isnan(value) else value > limit


def when(rows, n):
    return less(rows[n]["conf"], 0.5)


def hits_of_heuristic(rule, rows, _):
    answers = {n: more(row["x"], 2.0) for n, row in enumerate(rows)}
    return {n: None for n, holds in answers.items() if holds}, {n for n, holds in answers.items() if holds is None}


def hits_of_low_confidence(rule, rows, _):
    answers = {n: less(row["conf"], rule["below"]) for n, row in enumerate(rows)}
    return {n: None for n, holds in answers.items() if holds}, {n for n, holds in answers.items() if holds is None}


def hits_of_random(rule, rows, _):
    hits = {}
    for n, row in enumerate(rows):
        if row["id"] is not None:
            digits = hashlib.md5(f"clspec.mine:{row['id']}".encode()).hexdigest()[:13]
            if int(digits, 16) < rule["rate"] * 16**13:
                hits[n] = None
    return hits, set()


def hits_of_event_after(rule, rows, _):
    hits, unjudged = {}, set()
    for n, row in enumerate(rows):
        unsure, event = less(row["conf"], 0.5), more(row["x"], 2.0)
        placeless = row["ride"] is None or row["at"] is None
        if unsure is None or event is None or ((unsure or event) and placeless):
            unjudged.add(n)
        if unsure and not placeless:
            for other in rows:
                if more(other["x"], 2.0) and other["ride"] == row["ride"] and other["at"] is not None:
                    passed = (other["at"] - row["at"]).total_seconds()
                    if 0 <= passed <= rule["within"]:
                        hits[n] = None
    return hits, unjudged


def hits_of_prediction_flip(rule, rows, _):
    needed = ("id", "at", "ride", "pred")
    unjudged = {n for n, row in enumerate(rows) if any(row[name] is None for name in needed)}
    hits = {}
    judged = [n for n in range(len(rows)) if n not in unjudged]
    for ride in {rows[n]["ride"] for n in judged}:
        order = sorted((rows[n]["at"], rows[n]["id"], n) for n in judged if rows[n]["ride"] == ride)
        places = [next(same)[2] for _, same in groupby(order, key=lambda one: one[:2])]
        for first, last in combinations(range(len(places)), 2):
            if last - first < rule["window"] and rows[places[first]]["pred"] == rows[places[last]]["pred"]:
                for between in places[first + 1 : last]:
                    if rows[between]["pred"] != rows[places[first]]["pred"]:
                        hits[between] = None
    return hits, unjudged


def hits_of_human_feedback(rule, rows, feedback):
    said = {}
    for report in feedback:
        if report["id"] is not None and report["said"] is not None:
            said.setdefault(report["id"], []).append(
                (report["when"] or datetime.min.replace(tzinfo=UTC), report["said"])
            )
    hits, unjudged = {}, set()
    for n, row in enumerate(rows):
        if row["id"] is None or ("when_absent" in rule and row["at"] is None):
            unjudged.add(n)
        if row["id"] in said:
            newest = max(time for time, _ in said[row["id"]])
            labels = {label for time, label in said[row["id"]] if time == newest}
            if len(labels) == 1 and labels < {"fine", "dog", "cat"}:
                hits[n] = (labels.pop(), False)
        elif row["id"] is not None and "when_absent" in rule and row["at"] is not None:
            if AS_OF - row["at"] >= timedelta(seconds=rule["matures_after"]):
                hits[n] = (rule["when_absent"], True)
    return hits, unjudged


def oracle(rows, rules, feedback, known):
    """The candidates by their key, and for each rule how many rows it matched and could not judge."""
    told, by_row = {}, {}
    for rule in rules:
        hits, unjudged = globals()[f"hits_of_{rule['type']}"](rule, rows, feedback)
        nameless = {n for n in hits if rows[n]["id"] is None}
        hits = {n: label for n, label in hits.items() if n not in nameless}
        random = {n for n, row in enumerate(rows) if row["id"] is None} if rule["type"] == "random" else set()
        told[rule["id"]] = (len(hits), len(unjudged | nameless | random))
        for n, label in hits.items():
            by_row.setdefault(n, {})[rule["id"]] = label

    def first(name, among):
        order = sorted(among, key=lambda n: (rows[n]["at"] is None, rows[n]["at"] or EPOCH, n))
        return {rows[n][name]: n for n in reversed(order)}

    standing = first("id", [n for n, row in enumerate(rows) if row["id"] is not None]).values()
    keyed = first("hash", [n for n in by_row if n in standing and rows[n]["hash"] is not None])
    candidates = {}
    for key, n in keyed.items():
        if key not in known:
            given = {label[0] for label in by_row[n].values() if label and not label[1]}
            assumed = {label[0] for label in by_row[n].values() if label and label[1]}
            labels = given or assumed
            label = next(iter(labels)) if len(labels) == 1 else None
            names = [rule["id"] for rule in rules if rule["id"] in by_row[n]]
            origins = [name for name in names if by_row[n][name] == (label, not given)] if label else []
            candidates[key] = (rows[n]["id"], ",".join(names), label, f"feedback:{origins[0]}" if origins else None)
    return candidates, told


SOME = st.sampled_from
IDS = SOME(["a", "b", "c", "d", "e", "f", *HOSTILE])
TIMES = st.one_of(st.none(), st.integers(0, 8).map(lambda second: EPOCH + timedelta(seconds=second)))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.one_of(st.none(), IDS, st.uuids().map(str)),
            "hash": st.one_of(st.none(), IDS, st.uuids().map(str), st.uuids().map(str)),
            "at": TIMES,
            "ride": SOME(["r", "r", "'s\"", None]),
            "pred": SOME(["A", "B", "A", "'", None]),
            "conf": SOME([0.1, 0.5, 0.9, None, math.nan]),
            "x": SOME([0.0, 3.0, None, math.nan, math.inf]),
            "note": st.none(),
            "frame": SOME([None, b"", b"\x00\xff"]),
            "label": SOME([None, "dog"]),
        }
    ),
    max_size=30,
)
REPORTED = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.one_of(st.none(), IDS),
            "said": SOME(["dog", "cat", "fine", "zebra", None]),
            "when": TIMES,
        }
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=ROWS,
    feedback=REPORTED,
    rules=st.lists(SOME(RULES), min_size=1, max_size=8, unique_by=lambda rule: rule["id"]),
    known=st.sets(IDS, max_size=3),
    files=st.integers(1, 3),
)
def test_the_rules_mean_what_the_page_says(mined, rows, feedback, rules, known, files):
    candidates, told = mined(rows, rules, feedback=feedback, keys=known, files=files)
    expected, counts = oracle(rows, rules, feedback, known)
    got = {
        one["hash"]: (one["clspec.id"], one["clspec.rules"], one["clspec.label"], one["clspec.origin"])
        for one in candidates.to_pylist()
    }
    assert got == expected
    assert {name: (one["matched"], one["unjudged"]) for name, one in told["rules"].items()} == counts
    assert candidates["hash"].to_pylist() == sorted(expected, key=str.encode)
    by_id = {one["clspec.id"]: one for one in candidates.to_pylist()}
    for one in rows:
        if one["id"] in by_id and [other["id"] for other in rows].count(one["id"]) == 1:
            mine = by_id[one["id"]]
            assert (mine["frame"], mine["ride"], mine["extra"]) == (one["frame"], one["ride"], None)
            assert (mine["clspec.time"], mine["clspec.prediction"], mine["clspec.by.pred"]) == (
                one["at"],
                one["pred"],
                one["pred"],
            )
            assert mine["label"] == mine["clspec.label"]
            assert mine["clspec.rule"] == mine["clspec.rules"].split(",")[0]
            assert mine["clspec.audit"] == ("audit" in mine["clspec.rules"].split(","))
    assert told["rows"] == len(rows)
    assert told["candidates"] == len(candidates)
    assert told["without_id"] == sum(one["id"] is None for one in rows)
