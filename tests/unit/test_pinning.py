"""`clspec lock` and `clspec data add`: what they do to the store and to the lock, and the way out they name."""

import json
import re
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec import api
from clspec.compile import InvalidSpec
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.usercode import UserCodeFailed
from clspec.data.versions import Dataset
from clspec.diagnostic import Refused, UsageError

HELLO = Path(__file__).parents[1] / "data/hello"
DIGEST = "sha256:" + "1" * 64


class Project:
    """The hello project in a folder of its own, its source made of plain lists that a test may change."""

    def __init__(self, folder):
        shutil.copytree(HELLO, folder, dirs_exist_ok=True)
        self.folder, self.spec, self.lock_file = folder, str(folder / "hello.yaml"), folder / "hello.lock"
        self.change("key: id,", "key: id, group: tree,", "{id: string, ", "{id: string, tree: string, ")
        self.fruit = {
            "orchard": [fruit(f"o{n:03}", grams=n, tree=f"t{n // 4}") for n in range(20)],
            "market": [
                fruit(f"m{n:03}", grams=n, tree=f"u{n}", label="melon" if n % 2 else "apple") for n in range(240)
            ],
        }
        self.write_code()

    def change(self, *pairs):
        text = (self.folder / "hello.yaml").read_text()
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        (self.folder / "hello.yaml").write_text(text)

    def write_code(self):
        sys.modules.pop("fruit", None)
        code = (HELLO / "code/fruit.py").read_text()
        lists = [f"\n\ndef {name}():\n    return {rows!r}\n" for name, rows in self.fruit.items()]
        (self.folder / "code/fruit.py").write_text(code + "".join(lists))

    def dataset(self, name):
        return Dataset(storage_at(str(self.folder / "store")), "hello", name)

    def numbers(self, name):
        return [(version.number, version.rows) for version in self.dataset(name).versions()]

    def forget_store(self):
        shutil.rmtree(self.folder / "store")

    def lock(self, *update, image=None):
        return api.lock(self.spec, update, image)

    def add(self, name, origin):
        return api.add(self.spec, name, str(origin))

    def file(self, name, *rows):
        path = self.folder / name
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(list(rows)), path)
        elif path.suffix.lower() == ".csv":
            lines = [",".join(str(value) for value in row.values()) for row in rows]
            path.write_text("\n".join([",".join(rows[0]), *lines, ""]))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path


def fruit(name, grams=1.0, label="apple", tree="t"):
    return {"id": name, "tree": tree, "grams": float(grams), "label": label}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield Project(tmp_path / "project")
    sys.modules.pop("fruit", None)


@pytest.fixture
def locked(project):
    project.lock()
    return project


def codes(project):
    return [found.code for found in api.check(project.spec).diagnostics]


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_what_has_no_pin_is_pinned(project):
    assert set(codes(project)) == {"CLS601", "CLS414"}
    made = project.lock()
    assert [line.partition(":")[0] for line in made.changes] == ["fruit", "golden", "scenarios", "sources"]
    assert project.numbers("fruit") == [(1, 20)]
    assert project.numbers("golden") == [(1, 240)]
    pins = made.lock.datasets
    assert pins["fruit"].digest == project.dataset("fruit").versions()[0].digest
    counts = made.lock.scenarios["melons"]
    assert (counts.scenario.rows, counts.guard.rows, counts.scenario.clusters) == (120, 120, None)
    assert "CLS601" not in codes(project)


def test_a_lock_is_the_same_bytes_again(locked):
    before = locked.lock_file.read_bytes()
    assert locked.lock().changes == ()
    assert locked.lock_file.read_bytes() == before
    locked.forget_store()
    assert locked.lock().changes == ()
    assert locked.lock_file.read_bytes() == before


def test_every_other_pin_is_kept(locked):
    before = locked.lock_file.read_bytes()
    locked.add("fruit", locked.file("more.jsonl", fruit("x")))
    locked.add("golden", locked.file("gold.jsonl", fruit("g", tree="g")))
    assert locked.lock().changes == ()
    assert locked.lock_file.read_bytes() == before
    made = locked.lock("fruit")
    assert len(made.changes) == 1
    assert re.fullmatch(r"fruit: moved from sha256:\w+ to version 2, 21 rows, sha256:\w+", made.changes[0])
    assert made.lock.datasets["golden"].rows == 240
    made = locked.lock("golden")
    assert [line.partition(":")[0] for line in made.changes] == ["golden", "scenarios"]
    assert made.lock.scenarios["melons"].guard.rows == 121
    assert locked.lock("fruit", "golden").changes == ()


def test_a_name_that_is_no_dataset(locked):
    with pytest.raises(UsageError, match=r"there is no dataset `fruits` to update: did you mean `fruit`"):
        locked.lock("fruits")


def test_a_stale_lock_is_seen_and_mended(locked):
    pins = {name: pin.digest for name, pin in locked.lock().lock.datasets.items()}
    locked.change("label = 'melon'", "label = 'melon' and grams > 0")
    assert "CLS602" in codes(locked)
    with pytest.raises(InvalidSpec):
        api.plan(locked.spec)
    made = locked.lock()
    assert made.changes == ("scenarios: brought up to date",)
    assert {name: pin.digest for name, pin in made.lock.datasets.items()} == pins
    assert "CLS602" not in codes(locked)
    assert api.plan(locked.spec).name == "hello"


def test_a_dataset_that_is_gone_loses_its_pin(locked):
    locked.change("  golden: {like", "  spare: {like: fruit, from: orchard}\n  golden: {like")
    locked.lock()
    locked.change("  spare: {like: fruit, from: orchard}\n", "")
    assert "CLS604" in codes(locked)
    made = locked.lock()
    assert made.changes == ("spare: no longer in the spec, its pin is gone",)
    assert "spare" not in made.lock.datasets


def test_what_an_image_tag_means(locked):
    with pytest.raises(UsageError, match=r"`code\.image` is no tag"):
        locked.lock(image=DIGEST)
    locked.change("code: {root: code}", 'code: {root: code, image: "example.com/x:1", workdir: /app}')
    for wrong in ("latest", "sha256:12", DIGEST.upper(), f"example.com/x@{DIGEST}"):
        with pytest.raises(UsageError, match="`--image` takes a digest"):
            locked.lock(image=wrong)
    assert locked.lock(image=DIGEST).lock.images == {"example.com/x:1": DIGEST}
    assert locked.lock().lock.images == {"example.com/x:1": DIGEST}, "kept"
    assert api.plan(locked.spec).pipelines[0].steps[0].image == f"example.com/x:1@{DIGEST}"
    locked.change("x:1", "x:2")
    assert locked.lock().lock.images == {}


def test_a_spec_with_other_errors_is_not_locked(project):
    project.change('entrypoint: "fruit:train"', 'entrypoint: "fruit:trian"')
    with pytest.raises(InvalidSpec) as raised:
        project.lock()
    assert [found.code for found in raised.value.diagnostics if found.is_error] == ["CLS309"]
    assert not project.lock_file.exists()
    assert not (project.folder / "store").exists()


def test_a_source_that_fails_leaves_no_lock(project):
    project.fruit["market"][3]["grams"] = "heavy"
    project.write_code()
    with pytest.raises(DataError, match="row 4 of source `market`: `grams` is 'heavy', which is no double"):
        project.lock()
    assert not project.lock_file.exists()
    with (project.folder / "code/fruit.py").open("a") as file:
        file.write("def market():\n    raise OSError('the market is closed')\n")
    sys.modules.pop("fruit", None)
    with pytest.raises(UserCodeFailed, match="the market is closed"):
        project.lock()


def test_a_dataset_in_the_store_with_other_columns(locked):
    locked.change("tree: string, grams: double", "tree: string, grams: integer")
    assert "CLS602" in codes(locked)
    with pytest.raises(
        Refused, match=r"dataset `fruit` has other columns or another key in .*; give the dataset another"
    ):
        locked.lock("fruit")


# -- a fresh clone: the lock is there, the store is not ----------------------------------------------------------------


def test_a_fresh_clone_makes_what_the_sources_still_yield(locked):
    locked.forget_store()
    assert locked.lock().changes == ()
    assert locked.numbers("golden") == [(1, 240)]
    assert locked.numbers("fruit") == [], "its pin needs no look"


def test_a_fresh_clone_whose_golden_source_has_changed(locked):
    locked.forget_store()
    locked.fruit["market"].append(fruit("new", tree="new"))
    locked.write_code()
    with pytest.raises(Refused, match=r"does not hold golden dataset `golden` at sha256:.*--update golden"):
        locked.lock()
    assert locked.numbers("golden") == [], "nothing that nobody pinned is left in the way"
    made = locked.lock("golden")
    assert made.changes[0].startswith("golden: moved from sha256:")
    assert locked.numbers("golden") == [(1, 241)]


def test_a_fresh_clone_of_a_golden_set_that_was_added_to(locked):
    more = locked.file("gold.jsonl", fruit("g", tree="g"))
    locked.add("golden", more)
    pinned = locked.lock("golden").lock.datasets["golden"].digest
    locked.forget_store()
    with pytest.raises(Refused, match=r"clspec data add golden FILE"):
        locked.lock()
    locked.add("golden", more)  # what the message says
    assert locked.numbers("golden") == [(1, 240), (2, 241)]
    made = locked.lock()
    assert made.changes == ()
    assert made.lock.datasets["golden"].digest == pinned


def test_a_fresh_clone_that_adds_makes_the_first_version_first(locked):
    digest = locked.add("fruit", locked.file("more.jsonl", fruit("x"))).appended.version.digest
    locked.forget_store()
    added = locked.add("fruit", locked.folder / "more.jsonl")
    assert (added.appended.new, added.appended.version.digest) == (1, digest)
    assert locked.numbers("fruit") == [(1, 20), (2, 21)]


def test_a_fresh_clone_keeps_golden_rows_out_of_training(locked):
    locked.forget_store()
    added = locked.add("fruit", locked.file("more.jsonl", fruit("m001", tree="z"), fruit("x", tree="u7"), fruit("y")))
    assert added.dropped == {"group": 1, "key": 1}
    assert added.appended.new == 1


def test_a_dataset_without_a_source(project):
    project.change(", from: orchard", "")
    with pytest.raises(UsageError, match="no `from` to make one: add rows with `clspec data add fruit FILE`"):
        project.lock()
    project.add("fruit", project.file("first.csv", fruit("a"), fruit("b")))
    assert project.lock().lock.datasets["fruit"].rows == 2


# -- adding rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["more.parquet", "more.csv", "more.CSV", "more.jsonl", "more.ndjson", "more [1]*.csv"])
def test_rows_of_a_file_are_added(locked, name):
    added = locked.add("fruit", locked.file(name, fruit("x"), fruit("y"), fruit("o000", grams=0, tree="t0")))
    assert (added.appended.new, added.appended.known, added.dropped) == (2, 1, {})
    assert (added.appended.version.number, added.appended.version.rows) == (2, 22)
    again = locked.add("fruit", locked.folder / name)
    assert (again.appended.new, again.appended.known) == (0, 3)
    assert again.appended.version == added.appended.version
    assert locked.numbers("fruit") == [(1, 20), (2, 22)]


def test_a_file_counts_from_where_one_stands(locked, monkeypatch):
    locked.file("more.csv", fruit("x"))
    monkeypatch.chdir(locked.folder)
    assert api.add("hello.yaml", "fruit", "more.csv").appended.new == 1


def test_rows_of_a_source_are_added(locked):
    locked.change(
        "  market:", "  garden: {type: jsonl, uri: garden.jsonl, columns: {id: string, grams: double}}\n  market:"
    )
    locked.file("garden.jsonl", {"id": "x", "grams": 1.0})
    added = locked.add("fruit", "garden")
    assert (added.appended.new, added.appended.version.origin) == (1, "garden")
    held = locked.dataset("fruit").rows(added.appended.version).to_pylist()
    assert held[-1] == {"grams": 1.0, "id": "x", "label": None, "tree": None}


def test_a_source_of_other_types_is_refused(locked):
    locked.change(
        "  market:", "  garden: {type: jsonl, uri: garden.jsonl, columns: {id: string, grams: integer}}\n  market:"
    )
    locked.file("garden.jsonl", {"id": "x", "grams": 1})
    with pytest.raises(DataError, match="`grams` of source `garden` is not double, as the dataset has it"):
        locked.add("fruit", "garden")
    assert locked.numbers("fruit") == [(1, 20)]


def test_golden_rows_are_dropped_by_key_and_by_group_and_counted(locked):
    rows = [fruit("m001", tree="z"), fruit("m002", tree="u5"), fruit("x", tree="u9"), fruit("y", tree="u9"), fruit("z")]
    added = locked.add("fruit", locked.file("more.csv", *rows))
    assert added.dropped == {"group": 2, "key": 2}
    assert added.examples[0] == {"key": "m001", "cause": "key", "dataset": "golden", "value": "m001"}
    assert added.appended.new == 1
    assert locked.dataset("fruit").rows(added.appended.version).column("id").to_pylist()[-1] == "z"


def test_only_golden_rows_are_refused(locked):
    with pytest.raises(Refused, match=r"all 240 rows of market are golden .*; none was added to `fruit`"):
        locked.add("fruit", "market")
    assert locked.numbers("fruit") == [(1, 20)]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (fruit("o003", tree="new"), r"1 of 2 rows are in training data already \(o003 by key o003 of `fruit`\)"),
        (fruit("new", tree="t2"), r"1 of 2 rows are in training data already \(new by group t2 of `fruit`\)"),
    ],
)
def test_what_was_learned_from_cannot_become_golden(locked, row, text):
    with pytest.raises(Refused, match=text):
        locked.add("golden", locked.file("gold.csv", fruit("fine", tree="fine"), row))
    assert locked.numbers("golden") == [(1, 240)]
    locked.forget_store()
    with pytest.raises(Refused, match=text):
        locked.add("golden", locked.folder / "gold.csv")


def test_a_row_that_is_there_with_other_content(locked):
    with pytest.raises(DataError, match="have `id` 'o001' and differ otherwise"):
        locked.add("fruit", locked.file("more.csv", fruit("o001", grams=99, tree="t0")))
    assert locked.numbers("fruit") == [(1, 20)]


def test_names_that_there_are_not(locked):
    with pytest.raises(UsageError, match="there is no dataset `friut`: did you mean `fruit`"):
        locked.add("friut", "market")
    with pytest.raises(UsageError, match="`markt` is neither a source of the spec nor a file: did you mean `market`"):
        locked.add("fruit", "markt")
    (locked.folder / "more.xlsx").write_text("")
    with pytest.raises(UsageError, match=r"has none of the endings \.parquet, \.csv, \.jsonl, \.ndjson"):
        locked.add("fruit", locked.folder / "more.xlsx")
    with pytest.raises(UsageError, match="is neither a source of the spec nor a file"):
        locked.add("fruit", locked.folder)


def test_a_file_without_rows(locked):
    (locked.folder / "none.csv").write_text("id,tree,grams,label\n")
    added = locked.add("fruit", locked.folder / "none.csv")
    assert (added.appended.new, added.appended.known, added.appended.version.number) == (0, 0, 1)


def test_a_file_that_does_not_fit(locked):
    (locked.folder / "more.csv").write_text("id,tree,label\nx,t,apple\n")
    with pytest.raises(DataError, match=r"more\.csv .* has no column `grams`"):
        locked.add("fruit", locked.folder / "more.csv")
    (locked.folder / "more.csv").write_text("id,tree,grams,label\nx,t,1,apple\n,t,1,apple\n")
    with pytest.raises(DataError, match=r"1 rows of .*more\.csv have no `id`"):
        locked.add("fruit", locked.folder / "more.csv")
