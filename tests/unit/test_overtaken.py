"""An erasure at every moment of whoever reads or writes at the same time: nobody fails for it, and nothing comes back.

Each case is run again and again: the erasure, with a collection after it, comes before the first thing that the case
looks for, reads or writes in the store, then before the second, and so on until no such moment is left.
"""

import multiprocessing
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec import adding, api, locking, stewarding, stored
from clspec.data import parquet, table
from clspec.data.collection import collect, waste
from clspec.data.erasure import erase
from clspec.data.exclusion import exclude
from clspec.data.manifest import provenance_columns
from clspec.data.queue import Queue
from clspec.data.queue_votes import Answer
from clspec.data.storage import Folder, storage_at
from clspec.data.versions import Dataset, Erased, Shape
from clspec.diagnostic import Refused
from clspec.locking import locked
from clspec.registry import history
from clspec.step import expect, guard, mine, snapshot

COLUMNS = {"id": "string", "ride": "string"}
SHAPE = Shape(columns=COLUMNS, key="id", group="ride")
NOW = datetime.now(UTC)
BEFORE, AFTER = {"a", "personal", "b"}, {"a", "b"}


def rows(*names):
    return table.from_rows([{"id": name, "ride": f"ride of {name}"} for name in names], COLUMNS, "test")


def origins(*names):
    columns = provenance_columns("id", "string")
    told = [{**dict.fromkeys(columns), "id": name, "event": f"event of {name}"} for name in names]
    return table.from_rows(told, columns, "test")


def ids(found):
    return set(found.column("id").to_pylist())


def newest_of(store):
    return Dataset(store, "spec", "d").newest()


def gone(store, *keys):
    """What `clspec data erase` and `clspec data gc` do."""
    erase(Dataset(store, "spec", "d"), keys, "")
    Queue(store, "spec").erase(pa.array(keys, pa.large_string()))
    swept(store)


def swept(store):
    return collect(store, waste(store, "spec", NOW), NOW)


@pytest.fixture
def begun(tmp_path):
    """A dataset of two versions, the first with a row that somebody wants to be gone."""
    made = Dataset(storage_at(str(tmp_path / "begun")), "spec", "d")
    made.append(rows("a", "personal"), SHAPE, "x", origins("a", "personal"))
    made.append(rows("b"), SHAPE, "x", origins("b"))
    return made.storage


@pytest.fixture
def at_every_moment(tmp_path, monkeypatch):
    """Do something with copies of a store, and something else at each moment of it; what came of it, and the copy."""
    plain = {name: getattr(Folder, name) for name in ("read", "create", "write", "find")}

    def meeting(begun, do, meanwhile):
        for moment in range(1, 500):
            store = storage_at(str(tmp_path / f"at-{moment}"))
            shutil.copytree(begun.uri, store.uri, dirs_exist_ok=True)
            before = [moment]

            def met(name, store=store, before=before):
                def call(storage, *given):
                    before[0] -= 1
                    if before[0] == 0:
                        meanwhile(store)
                    return plain[name](storage, *given)

                return call

            with monkeypatch.context() as patched:
                for name in plain:
                    patched.setattr(Folder, name, met(name))
                done = do(store)
            if before[0] > 0:
                assert moment > 2, "it reads more than this"
                return
            yield done, store
        pytest.fail("it never came to an end")

    return meeting


def job(store, **config):
    return SimpleNamespace(
        config={"spec": "spec", **config},
        storage=store,
        dataset=lambda name: Dataset(store, "spec", name),
        read_json=lambda _: {},
    )


# -- who wants the newest version --------------------------------------------------------------------------------------


def protected(store):
    """What a guard protects beyond what the run has pinned."""
    return ids(guard._to_come(job(store), "d", rows("x"), "id"))


def known(store):
    """What is not mined again."""
    folder = Path(store.uri, "scratch")
    folder.mkdir()
    paths = mine._known(job(store, dataset={"name": "d"}), folder)
    return set(pq.read_table(paths["keys"]).column("key").to_pylist())


def reference(store):
    """What drift is measured against where the run pins nothing."""
    version, found = expect._read(job(store), Dataset(store, "spec", "d"))
    assert len(found) == version.rows
    return ids(found)


def looked_at(store, monkeypatch):
    """The rows of which a dataset's expectations are judged."""
    seen = []
    monkeypatch.setattr(expect.apart, "run", lambda _, asked, __: seen.extend(asked["rows"]["paths"]) or [])
    folder = Path(store.uri, "scratch")
    folder.mkdir()
    expect._of_dataset(job(store), {"name": "d", "columns": COLUMNS, "expect": None}, folder)
    return set(pq.read_table(seen[0]).column("id").to_pylist())


def shown(store):
    version, found = history._read(Dataset(store, "spec", "d"), None)
    assert len(found) == version.rows
    return ids(found)


@pytest.mark.parametrize("read", [protected, known, reference, looked_at, shown])
def test_who_wants_the_newest_version_reads_the_one_without_the_rows(begun, at_every_moment, monkeypatch, read):
    def do(store):
        return read(store, monkeypatch) if read is looked_at else read(store)

    found = [done for done, _ in at_every_moment(begun, do, lambda store: gone(store, "personal"))]
    assert BEFORE in found
    assert AFTER in found
    assert all(one in (BEFORE, AFTER) for one in found)


@pytest.mark.parametrize("read", [Dataset.rows, Dataset.keys, Dataset.provenance])
def test_who_was_told_a_version_hears_that_it_was_erased(begun, at_every_moment, read):
    """And never that a part of it is missing, as of a damaged store."""
    version = newest_of(begun)

    def do(store):
        try:
            return len(read(Dataset(store, "spec", "d"), version))
        except Erased as error:
            return str(error)

    found = [done for done, _ in at_every_moment(begun, do, lambda store: gone(store, "personal"))]
    assert set(found) == {3, "dataset `d` version 2 holds rows that were erased: nobody reads it now"}


def test_a_run_that_has_pinned_a_version_ends_where_it_was_erased(begun):
    """It learns from no other rows, and measures against no others, than it has said."""
    pins = {"d": {"digest": newest_of(begun).digest}}
    pinned = SimpleNamespace(**{**vars(job(begun, dataset="d", digest=None)), "read_json": lambda _: pins})
    gone(begun, "personal")
    with pytest.raises(Erased, match="version 2 holds rows that were erased"):
        snapshot.run(pinned)
    with pytest.raises(Erased, match="version 2 holds rows that were erased"):
        expect._read(pinned, Dataset(begun, "spec", "d"))


# -- who writes --------------------------------------------------------------------------------------------------------


NEW = ("c", "personal", "unwanted")


def append(store):
    return Dataset(store, "spec", "d").append(rows(*NEW), SHAPE, "x", origins(*NEW))


def append_agreeing(store):
    return Dataset(store, "spec", "d").append_agreeing(rows(*NEW), SHAPE, "x", origins(*NEW))


def leave_out(store):
    return exclude(Dataset(store, "spec", "d"), "id", pa.array(["a"]), "golden")


def erase_another(store):
    return erase(Dataset(store, "spec", "d"), ["a"], "")


@pytest.mark.parametrize(
    ("write", "left"),
    [(append, {"a", "b", "c"}), (append_agreeing, {"a", "b", "c"}), (leave_out, {"b"}), (erase_another, {"b"})],
)
def test_who_writes_goes_on_from_there_and_brings_nothing_back(begun, at_every_moment, write, left):
    for _, store in at_every_moment(begun, write, lambda store: gone(store, "personal", "unwanted")):
        dataset = Dataset(store, "spec", "d")
        assert ids(dataset.rows(newest := dataset.newest())) == left
        assert ids(dataset.provenance(newest)) == left
        swept(store)
        assert held_anywhere(store).isdisjoint({"personal", "unwanted"}), "nor in what the overtaken writer left behind"
        assert dataset.append(rows("personal", "d"), SHAPE, "x").blocked == 1
        assert ids(dataset.rows(dataset.newest())) == {*left, "d"}


def held_anywhere(store):
    """The keys in all tables that lie in the store, whether anything names them or not."""
    found = set()
    for key in store.keys("spec"):
        if key.endswith(".parquet"):
            rows_ = parquet.unpacked(store.read(key))
            found |= {word for name in {"id", "key"} & {*rows_.column_names} for word in rows_.column(name).to_pylist()}
    return found


def test_what_a_writer_at_work_has_written_stays(begun):
    """A part that no version names yet goes at once only if an erased key is in it."""
    dataset = Dataset(begun, "spec", "d")
    mine, theirs = (dataset.parts.put_table("parts", rows(*names)).name for names in (("c", "personal"), ("c", "e")))
    gone(begun, "personal")
    there = {key.rpartition("/")[2] for key in begun.keys("spec/datasets/d/parts")}
    assert theirs in there
    assert mine not in there


# -- the label queue ---------------------------------------------------------------------------------------------------


def candidates(*names):
    return rows(*names).append_column("clspec.rule", pa.array(["r"] * len(names), pa.large_string()))


def enqueue(store):
    Queue(store, "spec").enqueue(candidates("q", "personal"), "id", votes_needed=1, gold=0.0, at=NOW)


def vote(store):
    answers = [
        Answer(place=f"line {n}", given=None, key=key, label="cat", by="ann", at=NOW, note=None)
        for n, key in enumerate(("personal", "waits"))
    ]
    Queue(store, "spec").vote(answers, ["cat"], "file", NOW)


def forget(store):
    assert Queue(store, "spec").erase(pa.array(["waits"], pa.large_string())) == 1


@pytest.mark.parametrize(("write", "left"), [(enqueue, {"waits", "q"}), (vote, {"waits"}), (forget, set())])
def test_the_queue_brings_nothing_back(begun, at_every_moment, write, left):
    Queue(begun, "spec").enqueue(candidates("waits", "personal"), "id", votes_needed=1, gold=0.0, at=NOW)
    for _, store in at_every_moment(begun, write, lambda store: gone(store, "personal")):
        queue = Queue(store, "spec")
        assert set(queue.contents().items) == left
        assert queue.rows(["personal", "waits", "q"]).num_rows == len(left)
        queue.reject(pa.array(["personal"], pa.large_string()), "leak")
        assert set(queue.contents().items) == left


# -- a project, as its commands see it ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """The facts of a spec, the newest versions of which hold a row that somebody wants to be gone."""
    folder = tmp_path / "project"
    data = Path(__file__).parents[1] / "data/hello"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("__pycache__", "*.lock"))
    path = str(folder / "hello.yaml")
    api.lock(path)
    facts = stewarding.facts(path)
    for name in ("fruit", "golden"):
        shape = stored.shape_of(facts, name)
        for key in (f"personal {name}", f"later {name}"):
            row = table.from_rows([{"id": key, "grams": 1.0, "label": "apple"}], shape.columns, "x")
            stored.dataset_of(facts, name).append(row, shape, "x")
    return facts


def also_gone(store):
    for name in ("fruit", "golden"):
        erase(Dataset(store, "hello", name), [f"personal {name}"], "")
    collect(store, waste(store, "hello", NOW), NOW)


def held(facts):
    """What may not leak into training data."""
    return frozenset(ids(stored._stored(facts, "golden").rows))


def lock(facts):
    """What a new lock says of the golden data."""
    made = locked(facts, ("golden",), {}, frozenset(), from_champion=False).lock
    return made.datasets["golden"].digest, made.scenarios["melons"].scenario.rows


def differing(facts):
    found = history.diff(facts, "golden", "1", None)
    assert len(found.added) == found.after.rows - found.before.rows
    return found.added


def elsewhere(facts):
    return history._holds(facts, "golden", ["personal golden"])


def add(facts):
    """What is added to the training data, past the golden data."""
    rows_ = Path(facts.document.path).parent / "more.csv"
    rows_.write_text("id,grams,label\nnew,1.5,apple\n")
    return adding.add(facts, "fruit", str(rows_)).appended.new


@pytest.mark.parametrize("read", [held, lock, differing, elsewhere, add])
def test_commands_that_want_the_newest_version_go_on_with_the_one_without_the_rows(
    project, at_every_moment, monkeypatch, read
):
    def do(store):
        with monkeypatch.context() as patched:
            for room in (stored, locking):
                patched.setattr(room, "storage_of", lambda _: store)
            return read(project)

    begun = stored.storage_of(project)
    found = [done for done, _ in at_every_moment(begun, do, also_gone)]
    before = do(begun)
    also_gone(begun)
    assert set(found) == {before, 1 if read is add else do(begun)}


def test_a_pin_stays_where_it_is_and_its_owner_is_told(project):
    """Who asks for no newer version is never given one."""
    api.lock(project.document.path, ("golden",))
    facts = stewarding.facts(project.document.path)
    also_gone(stored.storage_of(facts))
    with pytest.raises(Refused, match=r"pins golden dataset `golden` to version 3, which holds rows that were erased"):
        locked(facts, (), {}, frozenset(), from_champion=False)
    with pytest.raises(Erased, match="version 3 holds rows that were erased"):
        history.show(facts, "golden", "3")
    with pytest.raises(Erased, match="version 3 holds rows that were erased"):
        history.diff(facts, "golden", "3", None)


# -- real processes ----------------------------------------------------------------------------------------------------

SECONDS = 2


def _reading(folder, together, said):
    dataset, times, was_gone = Dataset(storage_at(folder), "spec", "d"), 0, False
    together.wait()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        version, found, told = dataset.of_newest(lambda v: (v, ids(dataset.rows(v)), ids(dataset.provenance(v))))
        assert len(found) == version.rows
        assert found == told
        assert not (was_gone and "personal" in found)
        was_gone = "personal" not in found
        Queue(dataset.storage, "spec").contents()
        times += 1
    said.put(("read", times))


def _appending(folder, together, said, who):
    dataset, times = Dataset(storage_at(folder), "spec", "d"), 0
    together.wait()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        names = f"{who}{times}", "personal"
        dataset.append_agreeing(rows(*names), SHAPE, "x", origins(*names))
        times += 1
    said.put((who, times))


def _erasing(folder, together, said, who):
    dataset, times = Dataset(storage_at(folder), "spec", "d"), 0
    together.wait()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        gone(dataset.storage, "personal", f"{who}{times}")
        times += 1
    said.put((f"without {who}", times))


def test_readers_writers_and_erasures_in_processes_of_their_own(begun):
    """Whoever was appended and not erased is there at the end; nobody failed, and nothing came back."""
    spawned = multiprocessing.get_context("spawn")
    works = [(_reading,), (_appending, "m"), (_appending, "n"), (_erasing, "m"), (_erasing, "n")]
    said, together = spawned.Queue(), spawned.Barrier(len(works), timeout=120)
    processes = [spawned.Process(target=work, args=(begun.uri, together, said, *who)) for work, *who in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    told = dict(said.get(timeout=10) for _ in processes)
    assert min(told.values()) > 0
    dataset = Dataset(begun, "spec", "d")
    left = {f"{who}{n}" for who in "mn" for n in range(told[f"without {who}"], told[who])}
    assert ids(dataset.rows(dataset.newest())) == {"a", "b", *left}
    assert ids(dataset.provenance(dataset.newest())) == {"a", "b", *left}
    swept(begun)
    assert held_anywhere(begun) == {"a", "b", *left}
