"""`clspec gc`: what no kept run needs goes, and nothing else, whoever else is at work and whoever ends it."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec import api
from clspec.backend import Wanted
from clspec.cli.commands import run as clspec
from clspec_local import collect, records
from clspec_local.claim import claim
from clspec_local.history import History
from clspec_local.using import StateError, collected, used

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")
HELLO = Path(__file__).parents[1] / "data" / "hello"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Machine:
    """A `.clspec` as runs have left it; results are files whose name is their digest."""

    def __init__(self, folder):
        self.state = folder
        self.history = History(folder / "history.sqlite")
        self.results = {}

    def run(self, name, *, days=0.0, keys=(), code=0, pipeline="regression", registered=False, made=()):  # noqa: PLR0913
        started = (NOW - timedelta(days=days)).timestamp()
        ended = None if code is None else started + 1
        row = (name, "spec", pipeline, started, ended, code)
        self._write("INSERT INTO run (id, spec, pipeline, started, ended, exit_code) VALUES (?, ?, ?, ?, ?, ?)", row)
        for number, key in enumerate(keys):
            digests, kind = self.results[key]
            self._step(name, f"step-{number}", key, kind, digests)
        if made:
            self._step(name, "gate", None, "gate", {digest: f"sha256:{digest * 64}" for digest in made})
        if registered:
            self._step(name, "register", None, "register", {})
        folder = self.state / "runs" / name
        (folder / "report").mkdir(parents=True)
        (folder / "train.log").write_text("x" * 100)
        told = {"spec": "spec", "pipeline": pipeline}
        told["began"] = datetime.fromtimestamp(started, tz=UTC).isoformat()
        (folder / "report" / "run.json").write_text(json.dumps(told))
        return folder

    def result(self, key, *digests, kind="train"):
        for digest in digests:
            self.artifact(digest)
        named = {f"o{n}": f"sha256:{digest * 64}" for n, digest in enumerate(digests)}
        self.results[key] = (named, kind)
        self.history.keep(key, kind, named, {}, "any")
        self._write("INSERT OR REPLACE INTO parts VALUES (?, 'x')", (key,))
        records.note(self.state, key, kind, named, {}, f"of-{key}")

    def _step(self, run, name, key, kind, digests):
        columns = "run, id, state, key, seconds, note, kind, outputs"
        values = (run, name, "done", key, 1.0, "", kind, json.dumps(digests))
        self._write(f"INSERT INTO step ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def artifact(self, digest):
        place = self.state / self.place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("y" * 1000)

    @staticmethod
    def place(digest):
        return f"artifacts/{digest * 2}/{digest * 64}"

    def _write(self, statement, values):
        with sqlite3.connect(self.state / "history.sqlite") as connection:
            connection.execute(statement, values)
        connection.close()

    @property
    def runs(self):
        return {path.name for path in (self.state / "runs").iterdir()}

    @property
    def artifacts(self):
        return {path.name[0] for path in (self.state / "artifacts").glob("??/*")}

    def rows(self, column, table):
        with sqlite3.connect(self.state / "history.sqlite") as connection:
            found = {row[0] for row in connection.execute(f"SELECT {column} FROM {table}")}
        connection.close()
        return found

    def collect(self, keep=1, days=None):
        age = None if days is None else timedelta(days=days)
        return collect.collect(self.state, Wanted(keep=keep, older_than=age), NOW)


@pytest.fixture
def machine(tmp_path):
    found = Machine(tmp_path / ".clspec")
    yield found
    found.history.close()


def filled(machine):
    for digest in "abcdef":
        machine.result(f"key-{digest}", digest)
    machine.run("r1", days=40, keys=["key-a", "key-b"])
    machine.run("r2", days=20, keys=["key-b", "key-c"])
    machine.run("r3", days=1, keys=["key-c", "key-d"], made=["0"])
    machine.artifact("0")
    machine.artifact("9")
    return machine


def test_the_newest_run_stays_with_all_that_it_used(machine):
    found = filled(machine).collect(keep=1)
    assert machine.runs == {"r3"}
    assert machine.artifacts == {"c", "d", "0"}, "what has a key, and what has none"
    assert machine.rows("key", "result") == {"key-c", "key-d"}
    assert machine.rows("id", "run") == {"r3"}
    assert machine.rows("run", "step") == {"r3"}
    assert machine.rows("key", "parts") == {"key-c", "key-d"}
    assert {path.stem for path in (machine.state / "results").glob("*/*.json")} == {"key-c", "key-d"}
    assert {folder.name for folder in (machine.state / "results").iterdir()} == {"of-key-c", "of-key-d"}
    assert {entry.why for entry in found.waste} == {"run", "result", "note"}
    assert sum(entry.size for entry in found.waste if entry.why == "result") == 5 * 1000
    assert not list(machine.state.glob("trash-*"))


def test_a_dry_run_says_the_same_and_touches_nothing(machine):
    filled(machine)
    before = sorted(str(path) for path in machine.state.rglob("*") if "sqlite" not in path.name)
    told = collect.waste(machine.state, Wanted(keep=1), NOW)
    assert sorted(str(path) for path in machine.state.rglob("*") if "sqlite" not in path.name) == before
    assert machine.collect(keep=1) == told


def test_an_age_lets_the_young_stay(machine):
    filled(machine).collect(keep=1, days=30)
    assert machine.runs == {"r2", "r3"}
    assert machine.artifacts == {"b", "c", "d", "0"}


def test_more_are_kept_where_that_is_asked(machine):
    assert filled(machine).collect(keep=3).runs == ()
    assert machine.artifacts == {"a", "b", "c", "d", "0"}, "what no run used goes all the same"


def test_each_pipeline_keeps_its_own(machine):
    filled(machine)
    machine.result("key-1", "1")
    machine.run("old", days=100, keys=["key-1"], pipeline="improvement")
    machine.collect(keep=1)
    assert machine.runs == {"r3", "old"}
    assert "1" in machine.artifacts


def test_the_newest_that_passed_stays_beside_the_newest(machine):
    filled(machine)
    machine.run("r4", days=0.5, code=1)
    machine.run("r5", days=0.1, code=137)
    machine.collect(keep=1)
    assert machine.runs == {"r3", "r5"}
    assert machine.artifacts == {"c", "d", "0"}


def test_a_run_that_registered_a_model_stays_with_model_and_report_only(machine):
    machine.result("key-m", "1", "2", kind="train")
    machine.result("key-r", "3", kind="report")
    machine.result("key-s", "4", kind="snapshot")
    machine.run("r0", days=90, keys=["key-m", "key-r", "key-s"], registered=True)
    filled(machine).collect(keep=1)
    assert machine.runs == {"r0", "r3"}
    assert machine.artifacts == {"1", "2", "3", "c", "d", "0"}


def test_while_a_run_is_at_work_every_result_stays(machine):
    filled(machine)
    folder = machine.run("r4", code=None)
    (machine.state / "runs" / "to-begin").mkdir()
    context = multiprocessing.get_context("spawn")
    holds, ends = context.Event(), context.Event()
    other = context.Process(target=hold, args=(machine.state, folder, holds, ends))
    other.start()
    try:
        assert holds.wait(30)
        found = machine.collect(keep=1)
        assert found.at_work == ("r4",)
        assert machine.runs == {"r3", "r4", "to-begin"}
        assert machine.artifacts == set("abcdef09")
        assert machine.rows("key", "result") == {f"key-{d}" for d in "abcdef"}
    finally:
        ends.set()
        other.join()
    assert machine.collect(keep=1).at_work == ()
    assert machine.artifacts == {"c", "d", "0"}


def hold(state, folder, holds, ends):
    """What a run does, in another process."""
    with used(state):
        descriptor = claim(folder)
        assert descriptor is not None
        holds.set()
        ends.wait(60)


def test_a_run_waits_for_a_collection(machine):
    context = multiprocessing.get_context("spawn")
    holds, ends = context.Event(), context.Event()
    other = context.Process(target=collect_slowly, args=(machine.state, holds, ends))
    other.start()
    try:
        assert holds.wait(30)
        begun = time.monotonic()
        context.Process(target=end_soon, args=(ends,)).start()
        with used(machine.state):
            assert ends.is_set()
        assert time.monotonic() - begun < 30
    finally:
        ends.set()
        other.join()


def collect_slowly(state, holds, ends):
    with collected(state) as alone:
        assert alone
        holds.set()
        ends.wait(60)


def end_soon(ends):
    time.sleep(0.3)
    ends.set()


def test_two_at_once_remove_everything_once(machine):
    filled(machine)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    others = [context.Process(target=collect_there, args=(machine.state, results)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert sorted(results.get() for _ in others) == [0, 0, 11]
    assert machine.artifacts == {"c", "d", "0"}


def collect_there(state, results):
    results.put(len(collect.collect(state, Wanted(keep=1), NOW).waste))


STOP = """
import os, sys
from pathlib import Path
from datetime import UTC, datetime
count, real = 0, os.rename
def stopping(*words, **more):
    global count
    count += 1
    if count > int(sys.argv[2]):
        os.kill(os.getpid(), 9)
    return real(*words, **more)
os.rename = stopping
from clspec.backend import Wanted
from clspec_local import collect, records
collect.collect(Path(sys.argv[1]), Wanted(keep=1), datetime(2026, 6, 1, tzinfo=UTC))
"""


@pytest.mark.parametrize("after", [0, 1, 3, 6, 9])
def test_killed_in_between_it_leaves_nothing_that_is_taken_for_whole(machine, after):
    filled(machine)
    ended = subprocess.run([sys.executable, "-c", STOP, str(machine.state), str(after)], check=False)
    assert ended.returncode == -signal.SIGKILL
    found = machine.rows("key", "result")
    assert {f"key-{d}" for d in machine.artifacts} >= found, "whatever is recorded is there"
    machine.collect(keep=1)
    assert machine.runs == {"r3"}
    assert machine.artifacts == {"c", "d", "0"}
    assert not list(machine.state.glob("trash-*"))


def test_what_is_not_of_a_run_is_not_touched(machine):
    filled(machine)
    for name in ("store/spec/models/x", "artifacts/notes.txt", "artifacts/aa/short", "other/file"):
        place = machine.state / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("mine")
    machine.collect(keep=1)
    for name in ("store/spec/models/x", "artifacts/notes.txt", "artifacts/aa/short", "other/file"):
        assert (machine.state / name).read_text() == "mine"


def test_folders_of_runs_that_no_history_knows_count_by_what_they_tell(machine):
    filled(machine)
    machine.run("lost", days=3)
    machine._write("DELETE FROM run WHERE id = ?", ("lost",))
    machine.collect(keep=1)
    assert machine.runs == {"r3"}


def test_nothing_there_is_nothing_to_do(tmp_path):
    assert collect.waste(tmp_path / "none", Wanted(keep=1), NOW).waste == ()
    assert not (tmp_path / "none").exists()
    assert collect.collect(tmp_path / "none", Wanted(keep=1), NOW).waste == ()


def test_a_history_that_is_none_is_named(machine):
    machine.history.close()
    (machine.state / "history.sqlite").write_text("no database at all, and long enough to be looked at" * 10)
    with pytest.raises(Exception, match=r"history\.sqlite"):
        machine.collect()


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used"), used(tmp_path / "file"):
        pass


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abcdef")), st.sampled_from([0, 1]), st.booleans()), max_size=6),
    st.integers(1, 3),
)
def test_whatever_ran_a_kept_run_keeps_all_and_a_second_collection_finds_nothing(tmp_path_factory, told, keep):
    machine = Machine(tmp_path_factory.mktemp("m") / ".clspec")
    for digest in "abcdef":
        machine.result(f"key-{digest}", digest)
    for number, (keys, code, registered) in enumerate(told):
        name, wanted = f"r{number}", [f"key-{k}" for k in keys]
        machine.run(name, days=10 - number, keys=wanted, code=code, registered=registered)
    machine.collect(keep=keep)
    newest = told[-keep:]
    assert {digest for keys, _, _ in newest for digest in keys} <= machine.artifacts
    assert {f"r{n}" for n in range(len(told))[-keep:]} <= (machine.runs if told else set())
    assert machine.collect(keep=keep).waste == ()
    machine.history.close()


# -- as a person uses it -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hello") / "project"
    shutil.copytree(HELLO, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("")
    text = (folder / "hello.yaml").read_text().replace("seeds: [1, 2]", "seeds: [1]")
    (folder / "hello.yaml").write_text(text)
    api.lock(str(folder / "hello.yaml"))
    api.run(str(folder / "hello.yaml"))
    left = folder / ".clspec/artifacts/00" / ("0" * 64)
    left.parent.mkdir(exist_ok=True)
    left.write_text("nobody's")
    return folder


def test_after_a_collection_the_newest_run_is_up_to_date(project, capsys, monkeypatch):
    spec = str(project / "hello.yaml")
    store = sorted(str(path) for path in (project / "store").rglob("*"))
    words = ["gc", "--spec", spec, "--keep", "1"]
    assert clspec([*words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "0 runs and 1 results, 8 bytes (8 bytes) would go"
    monkeypatch.chdir(project)
    assert clspec(["gc", "--keep", "1"]) == 0, "without a spec it is the project that one is in"
    assert capsys.readouterr().out.replace("removed", "would go") == told
    happened = {}
    outcome = api.run(spec, watch=lambda what: happened.update({what.step: what.state.value}))
    assert outcome.exit_code == 0
    anew = {step for step, state in happened.items() if state != "up to date"}
    assert anew <= {"pin", "gate", "register", "conclude"}
    assert sorted(str(path) for path in (project / "store").rglob("*")) == store


@pytest.mark.parametrize("words", [["--keep", "0"], ["--older-than", "soon"], ["--older-than", "-3d"]])
def test_what_makes_no_sense_is_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        clspec(["gc", "--spec", str(HELLO / "hello.yaml"), *words])
    assert ended.value.code == 2
    assert "gc" in capsys.readouterr().err
