"""Erasure and collection: erased rows are gone from everywhere, and nothing else ever is."""

import multiprocessing
import os
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from clspec.data import durable, erasure, parquet, table
from clspec.data.collection import AGE, HANDOVER_AGE, collect, waste
from clspec.data.erasure import erase
from clspec.data.exclusion import exclude
from clspec.data.queue import Queue
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Erased, Shape

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
NUMBERED = Shape(columns={"id": "integer"}, key="id", group=None)
ORIGIN = {
    "event": "string",
    "rules": "string",
    "origin": "string",
    "by": "string",
    "votes": "integer",
    "queued_at": "timestamp",
    "labelled_at": "timestamp",
    "teacher": "string",
}


def rows(*names):
    return table.from_rows([{"id": name, "n": n} for n, name in enumerate(names)], SHAPE.columns, "test")


def origins(*names):
    nothing = dict.fromkeys(ORIGIN)
    told = [{**nothing, "id": name, "event": f"event of {name}", "rules": "r", "origin": "people"} for name in names]
    return table.from_rows(told, {**ORIGIN, "id": "string"}, "test")


@pytest.fixture
def found(tmp_path):
    """A dataset of three versions: a b, then c d, then e."""
    made = Dataset(storage_at(str(tmp_path)), "spec", "d")
    for names in ("ab", "cd", "e"):
        made.append(rows(*names), SHAPE, names, origins(*names))
    return made


def keys(found, version):
    return found.rows(version).column("id").to_pylist()


def test_a_version_without_the_rows(found):
    before = found.versions()
    done = erase(found, ["c"], "asked for")
    assert (done.version.number, done.removed, done.version.erased, done.version.rows) == (4, 1, 1, 4)
    assert done.version.origin == "erasure: asked for"
    assert keys(found, done.version) == ["a", "b", "d", "e"]
    assert found.provenance(done.version).column("id").to_pylist() == ["a", "b", "d", "e"]
    assert [version.number for version in done.held_by] == [2, 3]
    assert found.versions()[:3] == before
    assert keys(found, before[0]) == ["a", "b"]
    for read in (found.rows, found.keys, found.provenance):
        for version in before[1:]:
            with pytest.raises(Erased, match=rf"version {version.number} holds rows that were erased"):
                read(version)
    assert len(set(done.version.parts) & set(before[2].parts)) == 2, "only what held the row is written anew"


def test_rows_that_older_versions_alone_have_are_erased_there(found):
    """Rows that were excluded, since they became golden, take the parts out of the versions to come, and no row."""
    exclude(found, "id", pa.array(["b"]), "golden")
    done = erase(found, ["b", "c"], "")
    assert (done.removed, [version.number for version in done.held_by]) == (1, [1, 2, 3, 4])
    assert keys(found, done.version) == ["a", "d", "e"]
    for version in found.versions()[:4]:
        with pytest.raises(Erased):
            found.rows(version)
    swept(found)
    assert all(b"event of b" not in (found.storage.read(key) or b"") for key in found.storage.keys("spec"))
    left = {word for key in found.storage.keys("spec/datasets/d/parts") for word in read_ids(found.storage, key)}
    assert left == {"a", "d", "e"}
    assert [version.number for version in erase(found, ["b"], "").held_by] == [1, 2, 3, 4]


def read_ids(storage, key):
    return parquet.unpacked(storage.read(key)).column("id").to_pylist()


def test_what_an_erasure_once_left_behind_goes_when_it_is_said_again(found, monkeypatch):
    """Until now, rows of older versions stayed where a later one had left some out."""
    exclude(found, "id", pa.array(["b"]), "golden")
    with monkeypatch.context() as patched:
        patched.setattr(erasure._Gone, "held_before", lambda _: iter(()))
        erase(found, ["b"], "")
    assert "b" in keys(found, found.versions()[0])
    done = erase(found, ["b"], "")
    assert (done.removed, [version.number for version in done.held_by]) == (0, [1, 2, 3])
    with pytest.raises(Erased):
        found.rows(found.versions()[0])
    assert erase(found, ["b"], "").version == done.version


def test_erasing_again_says_the_same_and_makes_no_version(found):
    first = erase(found, ["c", "e"], "")
    again = erase(found, ["e", "c"], "")
    assert (again.version, again.removed, again.held_by) == (first.version, 0, first.held_by)
    erase(found, ["a"], "")
    assert [v.number for v in erase(found, ["e"], "").held_by] == [2, 3], "what was erased with it"
    assert [v.number for v in erase(found, ["a"], "").held_by] == [1, 2, 3, 4]


def test_an_erased_key_never_comes_back(found):
    erase(found, ["c", "never there"], "")
    done = found.append(rows("c", "never there", "f"), SHAPE, "again")
    assert (done.new, done.known, done.blocked) == (1, 0, 2)
    assert keys(found, done.version) == ["a", "b", "d", "e", "f"]
    nothing = found.append(rows("c"), SHAPE, "again")
    assert (nothing.version, nothing.new, nothing.blocked) == (done.version, 0, 1)


def test_the_key_itself_is_kept_nowhere(found, tmp_path):
    erase(found, ["c", "personal@example.com"], "")
    collect(found.storage, waste(found.storage, "spec", datetime.now(UTC)), datetime.now(UTC))
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"personal@example.com" not in path.read_bytes()
        assert path.is_dir() or b"event of c" not in path.read_bytes()


def test_all_rows_may_be_erased_and_others_appended(found):
    empty = erase(found, list("abcde"), "").version
    assert (empty.rows, empty.parts, empty.provenance, keys(found, empty)) == (0, (), (), [])
    assert keys(found, found.append(rows("f"), SHAPE, "x").version) == ["f"]


def test_keys_are_named_by_their_text(tmp_path):
    found = Dataset(storage_at(str(tmp_path)), "spec", "d")
    found.append(table.from_rows([{"id": n} for n in range(12)], NUMBERED.columns, "x"), NUMBERED, "x")
    assert found.rows(erase(found, ["1", "11"], "").version).column("id").to_pylist() == [0, *range(2, 11)]


def test_there_is_nothing_to_erase_from_nothing(tmp_path):
    with pytest.raises(DataError, match="has no version in"):
        erase(Dataset(storage_at(str(tmp_path)), "spec", "d"), ["a"], "")


def test_what_was_added_since_stays_so_when_older_rows_are_erased(found):
    first, second, _ = found.versions()
    for keys_gone, left in (([], "cde"), (["a"], "cde"), (["d"], "ce"), (["c", "b"], "e")):
        if keys_gone:
            erase(found, keys_gone, "")
        assert found.rows_added_after(first.digest, found.newest()).column("id").to_pylist() == list(left)
    assert found.rows_added_after(second.digest, found.newest()).column("id").to_pylist() == ["e"]
    assert len(found.rows_added_after(found.newest().digest, found.newest())) == 0
    with pytest.raises(DataError, match="holds no version of dataset `d` with sha256:none"):
        found.rows_added_after("sha256:none", found.newest())


def test_what_was_added_since_stays_so_when_rows_are_excluded(found):
    first, second, _ = found.versions()
    exclude(found, "id", pa.array(["b", "d"]), "golden")
    for basis, left in ((first, "ce"), (second, "e"), (found.newest(), "")):
        assert found.rows_added_after(basis.digest, found.newest()).column("id").to_pylist() == list(left)
    found.append(rows("f"), SHAPE, "x")
    erase(found, ["c"], "")
    assert found.rows_added_after(first.digest, found.newest()).column("id").to_pylist() == ["e", "f"]


def _append(folder, start):
    found = Dataset(storage_at(folder), "spec", "d")
    for n in range(start, start + 10):
        found.append(rows(f"k{n}", "personal"), SHAPE, "x")


def _erase(folder):
    found = Dataset(storage_at(folder), "spec", "d")
    for n in range(5):
        time.sleep(0.02)
        erase(found, [f"k{n}", "personal"], "")


def test_erasing_while_others_append(tmp_path):
    Dataset(storage_at(str(tmp_path)), "spec", "d").append(rows("first"), SHAPE, "x")
    spawned = multiprocessing.get_context("spawn")
    work = [(_append, (str(tmp_path), 0)), (_append, (str(tmp_path), 10)), (_erase, (str(tmp_path),))]
    processes = [spawned.Process(target=target, args=args) for target, args in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = Dataset(storage_at(str(tmp_path)), "spec", "d")
    assert set(keys(found, found.newest())) == {"first", *(f"k{n}" for n in range(5, 20))}


def test_an_append_that_an_erasure_overtakes_goes_on_from_there(tmp_path, monkeypatch):
    found = Dataset(storage_at(str(tmp_path)), "spec", "d")
    found.append(rows("first", "personal"), SHAPE, "x")
    known, overtaken = Dataset._known, []

    def overtaking(dataset, newest, shape):
        if not overtaken:
            overtaken.append(newest)
            erase(found, ["personal"], "")
        return known(dataset, newest, shape)

    monkeypatch.setattr(Dataset, "_known", overtaking)
    assert found.append(rows("second", "personal"), SHAPE, "x").blocked == 1
    assert overtaken
    assert sorted(keys(found, found.newest())) == ["first", "second"]


# -- collection --------------------------------------------------------------------------------------------------------

NOW = datetime.now(UTC)
LATER = NOW + 2 * AGE


def swept(found, now=NOW):
    wasted = waste(found.storage, "spec", now)
    return [(gone.why, gone.found.key.removeprefix("spec/")) for gone in collect(found.storage, wasted, now)]


def test_nothing_that_is_needed_is_ever_collected(found, tmp_path):
    found.storage.write("spec/models/x/files/m.json", b"{}")
    found.storage.write("spec/stages/champion/00000001.json", b"{}")
    Queue(found.storage, "spec").enqueue(
        rows("q").append_column("clspec.rule", pa.array(["r"], pa.large_string())),
        "id",
        votes_needed=1,
        gold=0.0,
        at=NOW,
    )
    before = sorted(tmp_path.rglob("*"))
    assert swept(found, LATER) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_what_was_erased_goes_at_once_and_nothing_else(found):
    versions = found.versions()
    erase(found, ["c"], "")
    lost = (("parts", versions[1].parts[1]), ("provenance", versions[1].provenance[1]))
    assert swept(found) == [("erased", f"datasets/d/{folder}/{name}") for folder, name in lost]
    assert swept(found, LATER) == []
    assert keys(found, found.newest()) == ["a", "b", "d", "e"]
    assert keys(found, versions[0]) == ["a", "b"]
    assert [version.number for version in erase(found, ["c"], "").held_by] == [2, 3]
    assert found.rows_added_after(versions[1].digest, found.newest()).column("id").to_pylist() == ["e"]


def test_what_a_model_said_of_erased_golden_rows_goes_too(found):
    _, second, third = found.versions()
    for version in (second, third):
        found.storage.write(f"spec/models/m/golden/{version.digest[7:]}.parquet", b"x")
    erase(found, ["e"], "")
    assert ("erased", f"models/m/golden/{third.digest[7:]}.parquet") in swept(found)
    assert list(found.storage.keys("spec/models")) == [f"spec/models/m/golden/{second.digest[7:]}.parquet"]


def test_what_no_version_names_goes_when_it_is_old(found, tmp_path):
    lost = found.parts.put_table("parts", rows("lost")).name
    (tmp_path / f"spec/datasets/d/parts/{durable.UNFINISHED}1").write_bytes(b"half")
    assert swept(found) == []
    assert swept(found, LATER) == [
        ("unfinished", f"datasets/d/parts/{durable.UNFINISHED}1"),
        ("unnamed", f"datasets/d/parts/{lost}"),
    ]


def test_what_steps_handed_to_each_other_goes_once_all_of_its_run_is_old(found, tmp_path):
    handed = [f"spec/handover/{run}/gate/verdict" for run in ("old", "going", "new")]
    handed.append("spec/handover/going/decide/decision")
    for key in handed:
        found.storage.write(key, b"{}")
    for key, age in zip(handed, (2, 2, 0.5, 0.5), strict=True):
        written = (NOW - age * HANDOVER_AGE).timestamp()
        os.utime(tmp_path / key, (written, written))
    assert HANDOVER_AGE > AGE
    assert swept(found, NOW) == [("handed", "handover/old/gate/verdict")]
    wasted = waste(found.storage, "spec", NOW + HANDOVER_AGE)
    assert [entry.why for entry in wasted] == ["handed"] * 3
    assert len(collect(found.storage, wasted, NOW)) == 1, "one that is not old enough after all stays"


def test_who_writes_again_what_is_about_to_go_keeps_it(found):
    """A killed append left a part; another is about to name it while it is being collected."""
    lost = found.parts.put_table("parts", rows("lost")).name
    path = os.path.join(found.storage.uri, f"spec/datasets/d/parts/{lost}")  # noqa: PTH118  # a plain text
    long_ago = (NOW - 2 * AGE).timestamp()
    os.utime(path, (long_ago, long_ago))
    wasted = waste(found.storage, "spec", NOW)
    assert [entry.found.key.rpartition("/")[2] for entry in wasted] == [lost]
    found.append(rows("lost"), SHAPE, "x")
    assert collect(found.storage, wasted, NOW) == ()
    assert "lost" in keys(found, found.newest())


def test_who_appends_notices_that_a_part_went(found, monkeypatch):
    """The part goes after it was written and before its version is made."""
    plain = type(found.storage).create

    def create(storage, key, content):
        for part in list(storage.keys("spec/datasets/d/parts")):
            if part.rpartition("/")[2] not in found.newest().parts:
                storage.delete(part)
        return plain(storage, key, content)

    monkeypatch.setattr(type(found.storage), "create", create)
    version = found.append(rows("f"), SHAPE, "x").version
    assert keys(found, version) == list("abcdef")


def test_the_queue_forgets_what_was_erased(found):
    queue = Queue(found.storage, "spec")
    candidates = rows("p", "q").append_column("clspec.rule", pa.array(["r", "r"], pa.large_string()))
    queue.enqueue(candidates, "id", votes_needed=1, gold=0.0, at=NOW)
    payloads = set(found.storage.keys("spec/queue/payloads"))
    assert queue.erase(pa.array(["p"], pa.large_string())) == 1
    gone = [key for why, key in swept(found) if why == "erased"]
    assert {f"spec/{key}" for key in gone} <= payloads
    assert gone
    assert list(queue.contents().items) == ["q"]
    assert queue.rows(["q"]).num_rows == 1
    assert all(b"event of p" not in (found.storage.read(key) or b"") for key in found.storage.keys("spec/queue"))


def test_a_manifest_that_cannot_be_read_stops_the_collection(found, tmp_path):
    (tmp_path / "spec/datasets/d/versions/00000002.json").write_text("{")
    with pytest.raises(DataError, match="is no entry of a sequence"):
        waste(found.storage, "spec", LATER)
