"""Dataset versions: appended to by many at once, read back as what they were, never changed."""

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from clspec.data import table
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Shape, fitted

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)


def rows(*pairs):
    return table.from_rows([{"id": name, "n": n} for name, n in pairs], SHAPE.columns, "test")


def dataset(folder):
    return Dataset(storage_at(str(folder)), "spec", "d")


def held(found, version):
    return [(row["id"], row["n"]) for row in found.rows(version).to_pylist()]


# -- appending ---------------------------------------------------------------------------------------------------------


def test_a_version_holds_the_rows_of_the_one_before(tmp_path):
    found = dataset(tmp_path)
    first = found.append(rows(("b", 1), ("a", None)), SHAPE, "one")
    assert (first.version.number, first.version.rows, first.new, first.known) == (1, 2, 2, 0)
    second = found.append(rows(("c", 3)), SHAPE, "two")
    assert (second.version.number, second.version.rows, second.new, second.known) == (2, 3, 1, 0)
    assert held(found, second.version) == [("a", None), ("b", 1), ("c", 3)]
    assert held(found, first.version) == [("a", None), ("b", 1)]
    assert found.versions() == (first.version, second.version)
    assert (first.version.origin, second.version.origin) == ("one", "two")


def test_appending_is_idempotent_on_the_key(tmp_path):
    found = dataset(tmp_path)
    first = found.append(rows(("a", 1), ("b", None), ("a", 1)), SHAPE, "one")
    assert (first.new, first.known) == (2, 1)
    again = found.append(rows(("b", None), ("a", 1), ("b", None)), SHAPE, "one")
    assert (again.version, again.new, again.known) == (first.version, 0, 3)
    assert len(found.versions()) == 1
    more = found.append(rows(("a", 1), ("c", 3)), SHAPE, "two")
    assert (more.new, more.known, more.version.rows) == (1, 1, 3)


def test_how_it_was_cut_into_appends_does_not_show(tmp_path):
    whole = [(f"k{n}", n) for n in range(20)]
    at_once = dataset(tmp_path / "one").append(rows(*whole), SHAPE, "x").version
    pieces = dataset(tmp_path / "many")
    random.Random(3).shuffle(whole)
    for start in range(0, 20, 7):
        last = pieces.append(rows(*whole[start : start + 7]), SHAPE, "x").version
    assert last.digest == at_once.digest
    assert last.parts != at_once.parts


def test_a_conflict_is_named_and_leaves_nothing(tmp_path):
    found = dataset(tmp_path)
    before = found.append(rows(("a", 1), ("b", 2)), SHAPE, "one").version
    with pytest.raises(DataError, match="two rows of file and dataset `d` have `id` 'b' and differ otherwise"):
        found.append(rows(("c", 3), ("b", 99)), SHAPE, "file")
    with pytest.raises(DataError, match="two rows of file have `id` 'c' and differ otherwise"):
        found.append(rows(("c", 3), ("c", 4)), SHAPE, "file")
    assert found.versions() == (before,)


def test_another_shape_is_refused(tmp_path):
    found = dataset(tmp_path)
    found.append(rows(("a", 1)), SHAPE, "one")
    other = Shape(columns={"id": "string", "n": "double"}, key="id", group=None)
    doubles = table.from_rows([{"id": "b", "n": 1.0}], other.columns, "test")
    with pytest.raises(DataError, match="has other columns or another key in"):
        found.append(doubles, other, "two")


def test_a_dataset_does_not_begin_with_nothing(tmp_path):
    found = dataset(tmp_path)
    with pytest.raises(DataError, match="file has no rows to begin dataset `d` with"):
        found.append(rows(), SHAPE, "file")
    first = found.append(rows(("a", 1)), SHAPE, "file").version
    nothing = found.append(rows(), SHAPE, "file")
    assert (nothing.version, nothing.new, nothing.known) == (first, 0, 0)


def test_time_travel(tmp_path):
    found = dataset(tmp_path)
    made = [found.append(rows((f"k{n}", n)), SHAPE, "x").version for n in range(12)]
    for version in made:
        assert found.find(version.digest) == version
        assert len(held(found, version)) == version.number
    assert found.find("sha256:" + "0" * 64) is None
    assert [version.number for version in found.versions()] == list(range(1, 13))


# -- many at once ------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from clspec.data import table
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape
shape = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
storage = storage_at(sys.argv[1])
for line in sys.stdin:
    name, who, count = line.split()
    rows = [{"id": "shared", "n": 0}, *({"id": f"{who}-{n}", "n": n} for n in range(int(count)))]
    made = Dataset(storage, "spec", name).append(table.from_rows(rows, shape.columns, who), shape, who)
    print(made.version.number, made.new, made.known, flush=True)
"""


def writer(folder):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_of_several_writers_each_gets_a_version_of_its_own(tmp_path):
    writers = [writer(tmp_path) for _ in range(4)]
    try:
        for number in range(20):
            for index, process in enumerate(writers):
                process.stdin.write(f"d{number} w{index} 3\n")
                process.stdin.flush()
            said = [tuple(map(int, process.stdout.readline().split())) for process in writers]
            assert sorted(version for version, _, _ in said) == [1, 2, 3, 4]
            assert sorted(new for _, new, _ in said) == [3, 3, 3, 4]  # the shared row is new to one of them
            found = Dataset(storage_at(str(tmp_path)), "spec", f"d{number}")
            *_, last = found.versions()
            expected = {"shared", *(f"w{index}-{n}" for index in range(4) for n in range(3))}
            assert {name for name, _ in held(found, last)} == expected
            for version in found.versions():
                assert len(held(found, version)) == version.rows
    finally:
        for process in writers:
            process.stdin.close()
            assert process.wait() == 0
            process.stdout.close()


def test_a_writer_that_is_killed_leaves_nothing_half_done(tmp_path):
    chance = random.Random(7)
    found = dataset(tmp_path)
    done = set()
    for number in range(12):
        process = writer(tmp_path)
        process.stdin.write(f"d ready{number} 1\n")
        process.stdin.flush()
        assert process.stdout.readline()  # it is up, so that the kill falls into the next append
        process.stdin.write("".join(f"d w{number}-{n} 200\n" for n in range(40)))
        process.stdin.flush()
        time.sleep(chance.random() * 0.15)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done |= {line.split()[0] for line in process.stdout}
        process.stdin.close()
        process.stdout.close()
        versions = found.versions()
        assert [version.number for version in versions] == list(range(1, len(versions) + 1))
        assert done <= {str(version.number) for version in versions}
        assert len(held(found, versions[-1])) == versions[-1].rows
    before = versions[-1]
    after = found.append(rows(("afterwards", 1)), SHAPE, "retry").version
    assert (after.number, after.rows) == (before.number + 1, before.rows + 1)


def test_writers_started_at_the_same_moment_begin_a_dataset_once(tmp_path):
    spawned = multiprocessing.get_context("spawn")
    with spawned.Pool(4) as pool:
        numbers = pool.map(_append_the_same, [str(tmp_path)] * 8, chunksize=1)
    assert set(numbers) == {1}
    assert len(dataset(tmp_path).versions()) == 1


def _append_the_same(folder):
    return dataset(folder).append(rows(("a", 1), ("b", 2)), SHAPE, "x").version.number


# -- what was changed behind its back ----------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path):
    found = dataset(tmp_path)
    version = found.append(rows(("a", 1), ("b", 2)), SHAPE, "x").version
    folder = tmp_path / "spec/datasets/d"
    return found, version, folder / "versions/00000001.json", folder / "parts" / version.parts[0]


def test_a_changed_part_is_refused(stored):
    found, version, _, part = stored
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"part .* was changed in"):
        found.rows(version)


def test_a_part_that_is_gone_is_refused(stored):
    found, version, _, part = stored
    part.unlink()
    with pytest.raises(DataError, match=r"part .* is gone from"):
        found.rows(version)
    with pytest.raises(DataError, match=r"part .* is gone from"):
        found.append(rows(("c", 3)), SHAPE, "y")


def test_a_part_swapped_for_another_is_refused(stored, tmp_path):
    found, _, manifest, part = stored
    other = dataset(tmp_path / "other")
    theirs = other.append(rows(("a", 1), ("b", 99)), SHAPE, "x").version
    content = (tmp_path / "other/spec/datasets/d/parts" / theirs.parts[0]).read_bytes()
    name = f"{hashlib.sha256(content).hexdigest()}.parquet"
    part.with_name(name).write_bytes(content)
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "parts": [name]}))
    with pytest.raises(DataError, match=r"dataset `d` version 1 holds sha256:.*, its manifest says sha256:"):
        found.rows(found.versions()[0])


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:" + "0" * 64},
        {"rows": 3},
        {"parts": []},
        {"columns": {"id": "string", "n": "double"}},
        {"columns": {"id": "string"}},
        {"key": "n"},
    ],
)
def test_a_manifest_that_says_something_else_is_refused(stored, change):
    found, _, manifest, _ = stored
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    with pytest.raises(DataError):
        found.rows(found.versions()[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        *((text, "entry of a sequence") for text in ("", "{", "[]", '"x"', "null", "\xff")),
        *((text, "manifest of a dataset version") for text in ("{}", '{"number": "one"}')),
    ],
)
def test_a_manifest_that_is_none_is_refused(stored, text, what):
    found, _, manifest, _ = stored
    manifest.write_bytes(text.encode("latin-1"))
    for read in (found.versions, found.newest):
        with pytest.raises(DataError, match=rf"00000001.json is no {what}"):
            read()


def test_a_manifest_under_another_number_is_refused(stored):
    found, _, manifest, _ = stored
    manifest.rename(manifest.with_name("00000002.json"))
    with pytest.raises(DataError, match=r"versions has gaps: entry 1 was removed"):
        found.versions()
    shutil.copy(manifest.with_name("00000002.json"), manifest)
    with pytest.raises(DataError, match=r"00000002.json says that it is version 1"):
        found.versions()


# -- rows of a source, and rows in common ------------------------------------------------------------------------------


def test_columns_that_a_source_lacks_are_null():
    some = table.from_rows([{"id": "a", "more": True}], {"id": "string", "more": "boolean"}, "s")
    assert fitted(some, SHAPE, "source `s`").to_pylist() == [{"id": "a", "n": None}]


def test_a_column_of_another_type_is_refused():
    some = table.from_rows([{"id": "a", "n": "1"}], {"id": "string", "n": "string"}, "s")
    with pytest.raises(DataError, match="`n` of source `s` is not integer, as the dataset has it"):
        fitted(some, SHAPE, "source `s`")
