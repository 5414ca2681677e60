"""Mining: every rule against a slow reading of docs/mining.md in plain Python, and what a step makes of it."""

import hashlib
import json
import math
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import combinations, groupby

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clspec.data import mining, query, table
from clspec.data.queue import Queue
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Shape
from clspec.diagnostic import StepFailed, UsageError

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

    def mined(rows, rules, *, feedback=(), keys=(), files=1, **changes):
        erased = changes.pop("erased", ())
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        size = -(-len(rows) // files) or 1
        parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [[]]
        source = changes.get("source", {"columns": COLUMNS})
        reports = written(folder / "reports", list(feedback), changes.pop("reports", REPORTS["columns"]))
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


def hits_of_heuristic(_rule, rows, _):
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
        if unsure is None or event is None or ((unsure or event) and placeless) or (unsure and row["id"] is None):
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
        heard = report["when"] is None or report["when"] <= AS_OF
        if report["id"] is not None and report["said"] is not None and heard:
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
        elif (
            n not in unjudged
            and "when_absent" in rule
            and AS_OF - row["at"] >= timedelta(seconds=rule["matures_after"])
        ):
            hits[n] = (rule["when_absent"], True)
    return hits, unjudged


def oracle(rows, rules, feedback, known):
    """The candidates by their key, and for each rule how many rows it matched and could not judge."""
    told, by_row = {}, {}
    for rule in rules:
        hits, unjudged = globals()[f"hits_of_{rule['type']}"](rule, rows, feedback)
        nameless = {n for n in hits if rows[n]["id"] is None}
        hits = {n: label for n, label in hits.items() if n not in nameless}
        undrawn = {n for n, row in enumerate(rows) if row["id"] is None} if rule["type"] == "random" else set()
        told[rule["id"]] = (len(hits), len(unjudged | nameless | undrawn))
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
            "when": st.one_of(TIMES, st.just(AS_OF), st.just(AS_OF + timedelta(microseconds=1))),
        }
    ),
    max_size=12,
)


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=ROWS,
    feedback=REPORTED,
    rules=st.lists(SOME(RULES), min_size=1, max_size=8, unique_by=lambda rule: rule["id"]),
    there=st.tuples(st.sets(IDS, max_size=3), st.integers(1, 3)),
)
def test_the_rules_mean_what_the_page_says(mined, rows, feedback, rules, there):
    known, files = there
    candidates, told = mined(rows, rules, feedback=feedback, keys=known, files=files)
    agree(candidates, told, rows, rules, feedback, known)


@pytest.mark.parametrize("seed", range(40))
def test_long_sequences_mean_what_the_page_says(mined, seed):
    chance = random.Random(seed)

    def some(values, missing=0.04):
        return None if chance.random() < missing else chance.choice(values)

    seconds = chance.choice([6, 20, 60])
    rows = [
        {
            "id": some([f"i{n}", f"i{n}", f"i{chance.randrange(50)}"]),
            "hash": some([f"h{n}", f"h{n}", f"h{chance.randrange(50)}"]),
            "at": some([EPOCH + timedelta(seconds=chance.randrange(seconds) / 4)]),
            "ride": some(["r", "s"]),
            "pred": some("AB" if seed % 2 else "ABCD"),
            "conf": some([0.1, 0.3, 0.7, 0.9, math.nan]),
            "x": some([0.0, 1.0, 1.5, 2.0, 3.0]),
            "note": None,
            "frame": None,
            "label": None,
        }
        for n in range(50)
    ]
    feedback = [
        {"id": f"i{chance.randrange(50)}", "said": some(["dog", "cat", "zebra"]), "when": some([EPOCH, AS_OF])}
        for _ in range(20)
    ]
    candidates, told = mined(rows, RULES, feedback=feedback, files=1 + seed % 3)
    agree(candidates, told, rows, RULES, feedback, ())


def agree(candidates, told, rows, rules, feedback, known):  # noqa: PLR0913, PLR0917  # two sides and what both were told
    """Whether the step and the oracle say the same."""
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


# -- what a candidate is -----------------------------------------------------------------------------------------------


def test_what_rules_ask_for_and_how_it_is_told(mined):
    rows = [
        row("a", x=9.0),
        row("b", conf=0.1),
        row("c", conf=0.1, x=9.0),
        row("d"),
        row(None, x=9.0),
        row("e", x=None),
    ]
    candidates, told = mined(rows, [HEURISTIC, UNSURE], keys=["h-b"])
    assert found(candidates) == {"a": "hard", "c": "hard,unsure"}
    assert candidates["clspec.rule"].to_pylist() == ["hard", "hard"]
    assert candidates.schema.names == [
        *sorted(DATASET["columns"]),
        *(f"clspec.{name}" for name in ("id", "time", "rule", "rules", "audit", "prediction", "confidence")),
        *("clspec.label", "clspec.origin", "clspec.by.pred"),
    ]
    assert candidates.schema.field("frame").type == pa.large_binary()
    assert told == {
        "source": "fleet",
        "rows": 6,
        "time": {"min": "2026-03-01 00:00:00", "max": "2026-03-01 00:00:00"},
        "without_id": 1,
        "rules": {
            "hard": {"type": "heuristic", "matched": 2, "new": 2, "unjudged": 2},
            "unsure": {"type": "low_confidence", "matched": 2, "new": 1, "unjudged": 0},
        },
        "repeated": 0,
        "without_key": 0,
        "same_key": 0,
        "known": 1,
        "conflicting": 0,
        "candidates": 2,
    }


def test_no_row_and_no_hit_are_still_a_file(mined):
    for rows in ([], [row("a")]):
        candidates, told = mined(rows, [HEURISTIC, FLIP, AFTER, TOLD])
        assert (len(candidates), told["candidates"], told["rows"]) == (0, 0, len(rows))
        assert "clspec.rule" in candidates.schema.names


def test_the_first_by_time_stands_for_an_id_and_for_a_key(mined):
    rows = [row("a", 2, x=9.0), row("a", 1), row("b", 1, x=9.0), row("b", 2, x=8.0), row("c", 5, x=9.0, hash="h-b")]
    candidates, told = mined(rows, [HEURISTIC])
    assert found(candidates) == {"b": "hard"}
    assert candidates["clspec.time"].to_pylist() == [EPOCH + timedelta(seconds=1)]
    assert (told["repeated"], told["same_key"]) == (2, 1)


def test_a_key_that_was_erased_is_not_mined_again(mined):
    digest = hashlib.sha256(b"h-a").hexdigest()
    candidates, told = mined([row("a", x=9.0), row("b", x=9.0)], [HEURISTIC], erased=[digest])
    assert (found(candidates), told["known"]) == ({"b": "hard"}, 1)


def test_the_same_rows_are_the_same_bytes_however_they_lie(mined, tmp_path):
    rows = [row(f"{n:03}", n, x=9.0 if n % 3 else 0.0, conf=n / 300, frame=bytes([n % 256]) * 9) for n in range(300)]
    for files in (1, 3):
        mined(rows, RULES, files=files)
    mined(rows[::-1], RULES)
    outs = [path.read_bytes() for path in sorted(tmp_path.glob("*/out"))]
    assert len(outs) == 3
    assert outs[0] == outs[1] == outs[2]


def test_a_sample_is_stable_and_its_share_is_the_rate(mined):
    rows = [row(f"{n}") for n in range(4_000)]
    some, _ = mined(rows, [{**AUDIT, "rate": 0.1}])
    more_, _ = mined(rows[::-1], [{**AUDIT, "id": "other", "rate": 0.3}])
    every, _ = mined(rows, [{**AUDIT, "rate": 1}])
    assert 330 < len(some) < 470
    assert set(some["clspec.id"].to_pylist()) < set(more_["clspec.id"].to_pylist())
    assert len(every) == 4_000
    assert all(some["clspec.audit"].to_pylist())


def test_a_score_that_is_no_number_is_neither_high_nor_low(mined):
    rows = [row("a", conf=math.nan), row("b", conf=0.2), row("c", conf=0.9)]
    sure = {"id": "sure", "type": "heuristic", "when": "conf >= 0.1"}
    candidates, told = mined(rows, [sure, UNSURE])
    assert found(candidates) == {"b": "sure,unsure", "c": "sure"}
    assert [told["rules"][name]["unjudged"] for name in ("sure", "unsure")] == [1, 1]


def test_a_sequence_is_sorted_in_several_passes(mined, monkeypatch):
    rows = [row(f"{n:04}", n, ride=f"r{n % 37}", pred="AB"[n % 5 == 0]) for n in range(2_000)]
    once, _ = mined(rows, [FLIP])
    monkeypatch.setattr(mining, "_ROWS_AT_ONCE", 300)
    assert mined(rows, [FLIP])[0].equals(once)
    assert len(once) > 100


def test_more_memory_is_taken_only_where_little_does_not_suffice(mined, monkeypatch):
    rows = [row(f"{n:05}", n, x=9.0, frame=bytes(500)) for n in range(20_000)]
    once, _ = mined(rows, [HEURISTIC])
    monkeypatch.setattr(query, "MEMORY", (4, 192))
    assert mined(rows, [HEURISTIC])[0].equals(once)
    monkeypatch.setattr(query, "MEMORY", (4,))
    with pytest.raises(StepFailed, match=r"^source `fleet`: its rows need more memory, or more room in the scratch"):
        mined(rows, [HEURISTIC])


def test_people_contradict_each_other_or_say_what_is_no_class(mined):
    reports = [("a", "dog", 1), ("a", "cat", 2), ("b", "dog", 1), ("b", "cat", 1), ("c", "zebra", 1), ("d", None, 1)]
    feedback = [{"id": i, "said": said, "when": EPOCH + timedelta(seconds=s)} for i, said, s in reports]
    candidates, told = mined([row(name) for name in "abcde"], [TOLD, SILENT], feedback=feedback)
    assert dict(zip(candidates["clspec.id"].to_pylist(), candidates["label"].to_pylist(), strict=True)) == {
        "a": "cat",
        "d": "fine",
        "e": "fine",
    }
    assert candidates["clspec.origin"].to_pylist() == ["feedback:told", "feedback:silent", "feedback:silent"]
    counts = {"matched": 3, "labelled": 1, "contradictory": 1, "unknown": 1, "assumed": 2}
    assert {name: told["rules"]["silent"][name] for name in counts} == counts


def test_what_people_say_after_the_start_of_the_run_is_not_heard(mined):
    moment = timedelta(microseconds=1)
    reports = [("a", "dog", AS_OF), ("b", "dog", AS_OF + moment), ("c", "cat", EPOCH), ("c", "dog", AS_OF + moment)]
    feedback = [{"id": name, "said": said, "when": when} for name, said, when in reports]
    candidates, _ = mined([row(name) for name in "abc"], [TOLD, SILENT], feedback=feedback)
    labels = dict(zip(candidates["clspec.id"].to_pylist(), candidates["label"].to_pylist(), strict=True))
    assert labels == {"a": "dog", "b": "fine", "c": "cat"}


def test_rules_whose_people_differ_give_no_label(mined):
    other = {**TOLD, "id": "other", "feedback": {**REPORTS, "columns": {**REPORTS["columns"], "note": "string"}}}
    other |= {"label": "note"}
    columns = {**REPORTS["columns"], "note": "string"}
    first = {**TOLD, "feedback": {**REPORTS, "columns": columns}}
    candidates, told = mined(
        [row("a"), row("b")],
        [first, other],
        feedback=[
            {"id": "a", "said": "dog", "note": "cat", "when": None},
            {"id": "b", "said": "dog", "note": "dog", "when": None},
        ],
        reports=columns,
    )
    assert candidates["clspec.label"].to_pylist() == [None, "dog"]
    assert candidates["clspec.origin"].to_pylist() == [None, "feedback:told"]
    assert told["conflicting"] == 1


def test_columns_may_be_called_as_ours_are(mined):
    names = {"id": "text", "hash": "time", "at": "t", "ride": "g", "pred": "p", "conf": "place", "x": "key"}
    names |= {"note": "bits", "frame": "j", "label": "id"}
    chance = [
        row(f"{n % 50}", n % 7, ride="rs"[n % 2], pred="AAB"[n % 3], conf=n % 10 / 10, x=n % 4) for n in range(90)
    ]
    feedback = [{"id": f"{n}", "said": "dog", "when": EPOCH} for n in range(0, 60, 5)]
    plain, told = mined(chance, RULES, feedback=feedback)
    renamed = [{names[name]: value for name, value in one.items()} for one in chance]
    rules = json.loads(
        json.dumps(RULES).replace("conf <", "place <").replace("x >", "key >").replace('"join": "id"', '"join": "text"')
    )
    for rule in rules:
        if "feedback" in rule:
            rule["feedback"]["columns"] = {"text": "string", "said": "string", "when": "timestamp"}
    source = {
        "name": "fleet",
        "columns": {names[name]: kind for name, kind in COLUMNS.items()},
        "roles": {role: names[column] for role, column in ROLES.items()},
    }
    dataset = {
        **DATASET,
        "columns": {names.get(name, name): kind for name, kind in DATASET["columns"].items()},
        "key": names["hash"],
    }
    other, again = mined(
        renamed,
        rules,
        feedback=[{"text": one["id"], "said": one["said"], "when": one["when"]} for one in feedback],
        reports={"text": "string", "said": "string", "when": "timestamp"},
        source=source,
        dataset=dataset,
        label=names["label"],
        stratify_by=["rule", names["pred"]],
    )
    assert len(plain) > 20
    assert again == told
    for name in ("clspec.id", "clspec.rules", "clspec.time", "clspec.label", "clspec.prediction"):
        assert other[name].equals(plain[name])
    assert other["g"].equals(plain["ride"])


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "changes", "text"),
    [
        ([{**FLIP, "window": 33}], {}, "rule `flip`: a `window` has at most 32 rows, not 33"),
        (
            [UNSURE],
            {"source": {"name": "fleet", "columns": COLUMNS, "roles": {}}},
            "rule `unsure` needs source `fleet` to have `roles: {confidence: COLUMN}`",
        ),
        (
            [HEURISTIC],
            {"dataset": {**DATASET, "key": "nowhere"}},
            "source `fleet` has no column `nowhere`, so that no candidate could be told by it",
        ),
        (
            [HEURISTIC],
            {"dataset": {**DATASET, "columns": {**DATASET["columns"], "x": "string"}}},
            "`x` of source `fleet` is not string, as dataset `canonical` has it",
        ),
        (
            [HEURISTIC],
            {"dataset": {**DATASET, "key": "x"}},
            "`x` is double: as an id, a key or a stratum a column must be of another type",
        ),
        (
            [{**SILENT, "when_absent": "zebra"}],
            {},
            "rule `silent`: `when_absent` is `zebra`, which is none of `task.classes`",
        ),
        (
            [{**HEURISTIC, "when": "x > (select 1)"}],
            {},
            "the plan holds a predicate that cannot be read: x > (select 1)",
        ),
    ],
)
def test_what_cannot_be_mined(mined, rules, changes, text):
    with pytest.raises((DataError, UsageError)) as raised:
        mined([row("a")], rules, **changes)
    assert str(raised.value) == text


# -- the step ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def step(tmp_path):
    """Run the step in a process of its own, as every target does."""

    def step(rules, *, source=None, code=None):
        told = config(rules)
        told["source"] = {"name": "fleet", "type": "parquet", "uri": f"{tmp_path}/fleet/*.parquet", "columns": COLUMNS}
        told["source"] |= {"roles": ROLES, **(source or {})}
        told["code"] = code or ""
        (tmp_path / "config").write_text(json.dumps(told))
        command = [sys.executable, "-P", "-m", "clspec.step", "mine", "--config", f"@{tmp_path / 'config'}"]
        command += ["--store", str(tmp_path / "store"), "--as-of", AS_OF.isoformat(), "--code", str(tmp_path / "code")]
        command += ["--out", f"candidates={tmp_path / 'candidates'}", "--out", f"mined={tmp_path / 'mined'}"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    (tmp_path / "fleet").mkdir()
    (tmp_path / "code").mkdir()
    return step


def test_what_the_queue_or_the_dataset_knows_is_not_mined_again(step, tmp_path):
    rows = [row(name, x=9.0) for name in "abcdef"]
    written(tmp_path / "fleet/1.parquet", rows, COLUMNS)
    storage = storage_at(str(tmp_path / "store"))
    queue = Queue(storage, "s")
    queue.reject(pa.array(["h-a", "h-b"], pa.large_string()), "leak")
    queue.erase(pa.array(["h-b", "h-c"], pa.large_string()))
    shape = Shape.of(DATASET)
    known = table.from_rows(
        [{"hash": "h-d", "ride": "r", "frame": b"", "label": "dog", "extra": 1.0}], shape.columns, "x"
    )
    Dataset(storage, "s", "canonical").append(known, shape, "x")
    done = step([HEURISTIC])
    assert (done.returncode, done.stderr) == (0, "")
    candidates = pq.read_table(tmp_path / "candidates")
    assert candidates["hash"].to_pylist() == ["h-e", "h-f"]
    again = (tmp_path / "candidates").read_bytes()
    assert step([HEURISTIC]).returncode == 0
    assert (tmp_path / "candidates").read_bytes() == again
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".clspec-")]


@pytest.mark.parametrize("kind", ["cut", "flipped", "text", "empty"])
def test_a_damaged_file_is_named_and_ends_nothing_else(step, tmp_path, kind):
    place = tmp_path / "fleet/1.parquet"
    written(place, [row(f"{n}", x=n % 7) for n in range(3_000)], COLUMNS)
    content = bytearray(place.read_bytes())
    if kind == "flipped":
        content[200:4_000:7] = bytes(255 - byte for byte in content[200:4_000:7])
    damaged = {"cut": content[: len(content) // 2], "flipped": content, "text": b"not parquet", "empty": b""}[kind]
    place.write_bytes(bytes(damaged))
    done = step(RULES[:3])
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("clspec: ")
    assert "source `fleet`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "candidates").exists()


def test_a_source_that_is_code_must_be_the_code_of_the_plan(step, tmp_path):
    body = "import datetime\n\ndef rows():\n    for n in range(3):\n        yield {row!r} | {'id': str(n)}\n"
    one = row("a", x=9.0)
    (tmp_path / "code/fleet_code.py").write_text(body.replace("{row!r}", repr(one)))
    source = {"type": "python", "call": {"entrypoint": "fleet_code:rows", "command": None}}
    done = step([HEURISTIC], source=source, code="sha256:other")
    assert (done.returncode, "the plan was made for sha256:other" in done.stderr) == (1, True)
    digest = done.stderr.split(" is ")[1].split(",")[0]
    done = step([HEURISTIC], source=source, code=digest)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "mined").read_text())["rows"] == 3
