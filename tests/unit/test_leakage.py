"""The leakage guard: golden rows planted by id, by another spelling, by group and by look, however they come."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec import api, labels
from clspec.data import perceptual, table
from clspec.data.exclusion import exclude
from clspec.data.leakage import Near, Protected, counted, folded, without_leaks
from clspec.data.queue import Queue
from clspec.data.queue_state import State
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Shape
from clspec.diagnostic import Refused
from clspec.stored import storage_of

COLUMNS = {"id": "string", "ride": "string", "frame": "binary"}
SHAPE = Shape(columns=COLUMNS, key="id", group="ride")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
NEAR = Near(media="frame", distance=4)


def scene(seed):
    draws = np.random.default_rng(seed)
    image = np.full((64, 64), 110.0)
    for _ in range(12):
        top, left = draws.integers(0, 64 - 8, 2)
        image[top : top + draws.integers(6, 40), left : left + draws.integers(6, 40)] += draws.uniform(-50, 50)
    return np.clip(image, 40, 210).astype(np.uint8)


def row(name, ride=None, frame=None):
    return {"id": name, "ride": ride, "frame": frame}


def rows(*found):
    return table.from_rows(found, COLUMNS, "test")


def golden(*found, name="golden"):
    return Protected(name=name, rows=rows(*found), key="id", group="ride")


def guarded(mine, *against, near=None):
    kept, dropped = without_leaks(rows(*mine), SHAPE, against, near)
    assert len(kept) + len(dropped) == len(mine)
    return kept.column("id").to_pylist(), [tuple(hit.values()) for hit in dropped.to_pylist()]


def test_by_key_by_group_and_by_look():
    image = scene(1)
    noisy = np.clip(image + np.random.default_rng(2).normal(0, 2, image.shape).round(), 0, 255).astype(np.uint8)
    gold = golden(row("g1", "r1", image.tobytes()), row("g2", "r2", scene(2).tobytes()), row("g3"))
    mine = [
        row("g1", "r2"),
        row("a", "r2"),
        row("brighter", "x", (image + 20).tobytes()),
        row("noisy", "x", noisy.tobytes()),
        row("fine", "x", scene(9).tobytes()),
        row("blind", None, None),
    ]
    kept, dropped = guarded(mine, gold, near=NEAR)
    assert kept == ["fine", "blind"]
    assert dropped == [
        ("g1", "key", "golden", "g1"),
        ("a", "group", "golden", "r2"),
        ("brighter", "near", "golden", "g1"),
        ("noisy", "near", "golden", "g1"),
    ]
    assert guarded(mine, gold)[0] == ["brighter", "noisy", "fine", "blind"], "by look only where it is asked for"


@pytest.mark.parametrize(
    ("golden_id", "spelt"),
    [
        ("g1", " G1\n"),
        ("G-ÄPFEL", "g-a\u0308pfel"),
        ("straße", "STRASSE"),
        ("frame 7", "frame\u00a07"),
        ("frame7", "fra\u200bme\ufeff7"),
        ("g1", "\uff27\uff11"),
        ("ΣΑΣ", "σας"),
        ("ß ", "ss"),
        ("5 \u3385", "5 kb"),
        ("g1", "g1\x00"),
        ("g\x7f1", "g1"),
        ("g1", "g1\ufe0f"),
        ("g1", "\u034fg1\u3164"),
        ("g-1", "g\u20101"),
        ("g-1", "g\u22121"),
    ],
)
def test_another_spelling_of_an_id_is_the_same_id(golden_id, spelt):
    assert guarded([row(spelt), row("ok")], golden(row(golden_id))) == (["ok"], [(spelt, "key", "golden", golden_id)])
    found = guarded([row("a", spelt), row("ok")], golden(row("g", golden_id)))
    assert found == (["ok"], [("a", "group", "golden", golden_id)])


@given(st.text(max_size=12), st.text(max_size=12))
@settings(deadline=None)
def test_what_a_text_means_is_the_same_whatever_stands_beside_it(text, other):
    """A column of ASCII alone takes a shorter way; it must lead to the same place."""
    alone = folded(pa.chunked_array([pa.array([text], pa.large_string())]))
    beside = folded(pa.chunked_array([pa.array([None, text, other, "é"], pa.large_string())]))
    assert beside.to_pylist()[:2] == [None, *alone.to_pylist()]
    assert folded(alone).to_pylist() == alone.to_pylist()


ids = st.sampled_from(["a", "A ", "b", "c", "d", "e"])
found_rows = st.lists(st.builds(row, ids, st.sampled_from([None, "r", "R", "s", "t"])), max_size=8)


@given(found_rows, found_rows, st.randoms())
@settings(deadline=None)
def test_nothing_golden_stays_nothing_else_goes_and_the_order_never_matters(mine, gold, chance):
    names = {one["id"].strip().lower() for one in gold}
    rides = {one["ride"].lower() for one in gold if one["ride"]}

    def is_golden(one):
        return one["id"].strip().lower() in names or (one["ride"] or "").lower() in rides

    kept, dropped = guarded(mine, golden(*gold))
    assert kept == [one["id"] for one in mine if not is_golden(one)]
    assert [hit[0] for hit in dropped] == [one["id"] for one in mine if is_golden(one)]
    shuffled, regold = [*mine], [*gold]
    chance.shuffle(shuffled)
    chance.shuffle(regold)
    kept_again, dropped_again = guarded(shuffled, golden(*regold))
    assert (sorted(kept), sorted(hit[:2] for hit in dropped)) == (
        sorted(kept_again),
        sorted(hit[:2] for hit in dropped_again),
    )


def test_every_protected_dataset_counts_and_a_row_is_named_once():
    both = golden(row("g"), name="first"), golden(row("g", "r"), row("h"), name="second")
    kept, dropped = guarded([row("g", "r"), row("h", "r"), row("i", "r")], *both)
    assert kept == []
    assert [hit[:3] for hit in dropped] == [("g", "key", "first"), ("h", "key", "second"), ("i", "group", "second")]


def test_no_group_is_no_golden_group():
    assert guarded([row("a", None)], golden(row("g", None)))[0] == ["a"]
    ungrouped = Protected(name="golden", rows=rows(row("g", "r")), key="id", group=None)
    assert guarded([row("a", "r")], ungrouped)[0] == ["a"]


def test_what_cannot_be_compared_is_no_pass():
    numbers = Protected(name="n", rows=table.from_rows([{"id": 1}], {"id": "integer"}, "test"), key="id", group=None)
    with pytest.raises(DataError, match="`id` is large_string and `id` of dataset `n` is int64: they cannot be"):
        guarded([row("1")], numbers)
    with pytest.raises(DataError, match="dataset `golden` has no image in `frame`"):
        guarded([row("a", None, bytes(64))], golden(row("g")), near=NEAR)
    with pytest.raises(
        DataError, match="dataset `golden`: near-duplicates are looked for in `ride`, which is no column of type"
    ):
        guarded([row("a")], golden(row("g", None, bytes(64))), near=Near(media="ride", distance=4))
    with pytest.raises(DataError, match="row 'a' of the rows to guard: 3 bytes are no image"):
        guarded([row("a", None, b"abc")], golden(row("g", None, bytes(64))), near=NEAR)


@pytest.mark.parametrize("kind", ["integer", "double", "date", "timestamp", "binary", "boolean"])
def test_keys_of_every_type(kind):
    values = {
        "integer": [1, 2],
        "double": [0.5, 2.0],
        "date": ["2026-01-01", "2026-01-02"],
        "timestamp": ["2026-01-01T00:00:00", "2026-01-02"],
        "binary": [b"\xff", b"x"],
        "boolean": [True, False],
    }[kind]
    shape = Shape(columns={"k": kind}, key="k", group=None)
    mine, gold = (table.from_rows([{"k": v} for v in some], shape.columns, "t") for some in (values, values[:1]))
    kept, dropped = without_leaks(mine, shape, [Protected(name="g", rows=gold, key="k", group=None)], None)
    assert kept.to_pylist() == mine.to_pylist()[1:]
    assert dropped.column("key").to_pylist() == dropped.column("value").to_pylist() != [None]


def test_the_distance_is_the_largest_that_counts():
    image, other = scene(1), scene(2)
    apart = None
    for distance in range(65):
        kept, _ = guarded(
            [row("a", None, other.tobytes())],
            golden(row("g", None, image.tobytes())),
            near=Near(media="frame", distance=distance),
        )
        apart = distance if apart is None and not kept else apart
        assert kept == ([] if apart is not None else ["a"])
    both = pa.chunked_array([pa.array([image.tobytes(), other.tobytes()], pa.large_binary())])
    first, second = perceptual.hashes(both, both, "test").tolist()
    assert apart == (first ^ second).bit_count() > NEAR.distance


def test_counts_name_the_first():
    kept, dropped = without_leaks(
        rows(*(row(f"g{n}") for n in range(30)), row("a")), SHAPE, [golden(*(row(f"g{n}") for n in range(30)))], None
    )
    found = counted(kept, dropped)
    assert (found["kept"], found["dropped"], len(found["examples"])) == (1, {"key": 30}, 20)
    assert found["examples"][0] == {"key": "g0", "cause": "key", "dataset": "golden", "value": "g0"}
    assert counted(kept, dropped.slice(0, 0)) == {"kept": 1, "dropped": {}, "examples": []}


# -- the step ----------------------------------------------------------------------------------------------------------

DATASET = {"name": "canonical", "columns": COLUMNS, "key": "id", "group": "ride"}


class Folder:
    """A folder in which the step runs as every target runs it."""

    def __init__(self, path):
        self.path = path

    def put(self, name, found):
        pq.write_table(found, self.path / name)

    def guard(self, *inputs, **changes):
        config = {"spec": "s", "dataset": DATASET, "against": [{**DATASET, "name": "golden"}], "near": None, **changes}
        command = [
            sys.executable,
            "-m",
            "clspec.step",
            "guard",
            "--config",
            json.dumps(config),
            "--store",
            str(self.path),
        ]
        for name in inputs:
            command += ["--in", f"{name}={self.path / name}"]
        for name in ("kept", "dropped", "counts"):
            command += ["--out", f"{'rows' if name == 'kept' else name}={self.path / name}"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def json(self, name):
        return json.loads((self.path / name).read_text())


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def candidates(*found):
    plain = rows(*found)
    for name, kind in (("clspec.id", pa.string()), ("clspec.audit", pa.bool_()), ("clspec.by.pred", pa.string())):
        plain = plain.append_column(name, pa.array([None] * len(found), kind))
    return plain


def test_the_step_keeps_reserved_columns_and_tells_what_it_dropped(folder):
    folder.put("against-golden", rows(row("g", "r", scene(1).tobytes())))
    mine = candidates(row("G"), row("a", "r"), row("b", None, (scene(1) + 9).tobytes()), row("c"))
    folder.put("rows", mine)
    ended = folder.guard("rows", "against-golden", near={"method": "phash", "distance": 4, "media": "frame"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert pq.read_table(folder.path / "kept").equals(mine.slice(3))
    assert pq.read_table(folder.path / "dropped").column("cause").to_pylist() == ["key", "group", "near"]
    counts = folder.json("counts")
    assert (counts["kept"], counts["dropped"]) == (1, {"group": 1, "key": 1, "near": 1})
    assert (counts["examples"][2]["value"], counts["without_image"]) == ("g", 1)


def test_what_was_added_to_golden_data_and_is_not_pinned_yet_is_golden(folder):
    dataset = Dataset(storage_at(str(folder.path)), "s", "golden")
    pinned = rows(row("g", "r", scene(1).tobytes()))
    dataset.append(pinned, SHAPE, "first")
    dataset.append(rows(row("new", "q", scene(2).tobytes())), SHAPE, "added")
    folder.put("against-golden", pinned)
    folder.put("rows", candidates(row("New"), row("a", "Q"), row("b", None, (scene(2) + 9).tobytes()), row("c")))
    ended = folder.guard("rows", "against-golden", near={"method": "phash", "distance": 4, "media": "frame"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert pq.read_table(folder.path / "kept").column("id").to_pylist() == ["c"]
    assert folder.json("counts")["dropped"] == {"group": 1, "key": 1, "near": 1}


def test_the_step_with_no_rows_still_writes_its_outputs(folder):
    folder.put("against-golden", rows(row("g", "r", scene(1).tobytes())))
    folder.put("rows", candidates())
    assert (
        folder.guard("rows", "against-golden", near={"method": "phash", "distance": 4, "media": "frame"}).returncode
        == 0
    )
    assert pq.read_table(folder.path / "kept").schema == candidates().schema
    assert pq.read_table(folder.path / "dropped").column_names == ["key", "cause", "dataset", "value"]


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"against": []}, 2, "a guard against no dataset guards nothing"),
        ({"against": [{**DATASET, "name": "other"}]}, 2, "this step needs --in against-other=PATH"),
        ({"near": {"method": "phash", "distance": 4, "media": None}}, 2, "give the source `roles: {media: COLUMN}`"),
        ({"near": {"method": "phash", "distance": 4, "media": "frame"}}, 3, "has no image in `frame`"),
    ],
)
def test_the_step_refuses_to_guard_nothing(folder, changes, code, text):
    folder.put("against-golden", rows(row("g")))
    folder.put("rows", candidates(row("a")))
    ended = folder.guard("rows", "against-golden", **changes)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert text in ended.stderr
    assert not (folder.path / "kept").exists()


# -- `clspec data add` -------------------------------------------------------------------------------------------------

SPEC = """
apiVersion: clspec.dev/v1alpha1
kind: ContinuousLearning
metadata: {name: rides, owners: [you@example.com]}
store: store
code: {root: code}
task: {type: classification, label: label, classes: [cat, dog], prediction: pred, score: conf}
sources:
  fleet:
    type: parquet
    uri: fleet.parquet
    columns: {id: string, ride: string, frame: binary, label: string, pred: string, conf: double}
    roles: {id: id, group: ride, media: frame, prediction: pred, confidence: conf}
  first: {type: parquet, uri: first.parquet, columns: &rows {id: string, ride: string, frame: binary, label: string}}
  gold: {type: parquet, uri: gold.parquet, columns: *rows}
datasets:
  canonical: {columns: *rows, key: id, group: ride, from: first}
  golden: {like: canonical, from: gold, pinned: true}
training: {entrypoint: "model:train", dataset: canonical, split: {validation: 0.2}, seeds: [1]}
inference: {entrypoint: "model:predict"}
golden:
  dataset: golden
  scenarios:
    - {id: all, must_pass: true, select: "label = 'cat'", checks: [{metric: accuracy, min: 0.1}]}
feedback:
  source: fleet
  rules: [{id: audit, type: random, rate: 0.1}]
  leakage_guard: {against: [golden], near: {method: phash, distance: 4}}
  append_to: canonical
"""
MODEL = "def train(data, validation, model_dir, seed): ...\n\n\ndef predict(data, model_dir): ...\n"


class Rides:
    """A project whose guard looks at images, too."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "code").mkdir()
        (folder / "code/model.py").write_text(MODEL)
        (folder / "rides.yaml").write_text(SPEC)
        self.write("first.parquet", *(row(f"f{n}", f"first {n}", scene(n + 900).tobytes()) for n in range(3)))
        self.write("gold.parquet", *(row(f"g{n}", f"gold {n}", scene(n + 50).tobytes()) for n in range(200)))
        api.lock(str(folder / "rides.yaml"), (), None)

    def write(self, name, *found):
        columns = COLUMNS | {"label": "string"}
        pq.write_table(table.from_rows([{**one, "label": "cat"} for one in found], columns, "t"), self.folder / name)
        return str(self.folder / name)

    def add(self, name, *found):
        return api.add(str(self.folder / "rides.yaml"), name, self.write("more.parquet", *found))


@pytest.fixture
def rides(tmp_path):
    return Rides(tmp_path)


def test_data_that_is_added_passes_the_guard(rides):
    added = rides.add(
        "canonical",
        row(" G1", "x", scene(700).tobytes()),
        row("a", "GOLD 2", scene(701).tobytes()),
        row("b", "y", (scene(52) + 25).tobytes()),
        row("c", "y", scene(702).tobytes()),
    )
    assert (added.appended.new, added.dropped) == (1, {"group": 1, "key": 1, "near": 1})
    assert [tuple(hit.values()) for hit in added.examples] == [
        (" G1", "key", "golden", "g1"),
        ("a", "group", "golden", "gold 2"),
        ("b", "near", "golden", "g2"),
    ]


@pytest.mark.parametrize(
    ("leak", "text"),
    [
        (row("F1", "x", scene(700).tobytes()), r"\(F1 by key f1 of `canonical`\)"),
        (row("x", "First 2", scene(700).tobytes()), r"\(x by group first 2 of `canonical`\)"),
        (row("x", "x", (scene(902) + 9).tobytes()), r"\(x by near f2 of `canonical`\)"),
    ],
)
def test_what_was_learned_from_cannot_become_golden(rides, leak, text):
    with pytest.raises(Refused, match=f"1 of 2 rows are in training data already {text}: what was learned"):
        rides.add("golden", leak, row("fine", "fine", scene(800).tobytes()))
    assert rides.add("golden", row("fine", "fine", scene(800).tobytes())).appended.new == 1


@pytest.mark.parametrize(
    ("leak", "text"),
    [
        (row("\u200bG1", "x", scene(700).tobytes()), "by key g1 of `golden`"),
        (row("x", "Gold 2", scene(700).tobytes()), "by group gold 2 of `golden`"),
    ],
)
def test_nothing_is_learned_from_that_begins_with_golden_rows(rides, leak, text):
    shutil.rmtree(rides.folder / "store")
    (rides.folder / "rides.lock").unlink()
    rides.write("first.parquet", row("f", "first", scene(900).tobytes()), leak)
    with pytest.raises(Refused, match=rf"1 of 2 rows of source `first` are golden \(.*{text}\).*take them out"):
        api.lock(str(rides.folder / "rides.yaml"), (), None)
    with pytest.raises(Refused, match="take them out of the source"):
        rides.add("canonical", row("fine", "fine", scene(800).tobytes()))
    assert not list((rides.folder / "store").rglob("canonical/**/*.parquet"))


def test_what_becomes_golden_while_it_waits_is_put_before_nobody(rides):
    facts = api.check(str(rides.folder / "rides.yaml")).facts
    queue = Queue(storage_of(facts), "rides")
    waiting = candidates(row("q1", "r1"), row("q2", "r2"), row("q3", "r3"))
    waiting = waiting.append_column("clspec.rule", pa.array(["audit"] * 3, pa.large_string()))
    queue.enqueue(waiting, "id", votes_needed=1, gold=0, at=NOW)
    rides.add("golden", row("Q1", "else", scene(800).tobytes()), row("h", "R2 ", scene(801).tobytes()))
    made = labels.export(facts, rides.folder / "asked.jsonl", form=None, media=None, limit=None, by="ann")
    lines = (rides.folder / "asked.jsonl").read_text().splitlines()
    assert (made.questions, [json.loads(line)["key"] for line in lines]) == (1, ["q3"])
    items = queue.contents().items
    assert [items[key].state for key in ("q1", "q2", "q3")] == [State.REJECTED, State.REJECTED, State.OPEN]


def test_rows_that_became_golden_are_excluded_however_they_are_spelt(tmp_path):
    dataset = Dataset(storage_at(str(tmp_path)), "s", "d")
    dataset.append(rows(row("a", "Ride-1"), row("b", " ride\u20101"), row("c", "ride-2")), SHAPE, "first")
    left = exclude(dataset, "ride", pa.array(["ride-1"], pa.large_string()), "why")
    assert dataset.rows(left).column("id").to_pylist() == ["c"]
