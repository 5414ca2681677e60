"""Appending, promoting and enqueueing on a machine that fails: injected errors and kills at every system call.

Each case runs in a process that strace holds: it lets one system call fail, or kills the process there. A case counts
only if strace says that it did. Afterwards the store is read whole, and the same is done again.
"""

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clspec.data import durable, table
from clspec.data.models import Models
from clspec.data.promotion import Ladder, Said, rungs
from clspec.data.queue import Queue
from clspec.data.stages import Stage
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
CANDIDATES = {**SHAPE.columns, "clspec.rule": "string", "clspec.label": "string"}
NEW, OLD = "sha256:" + "b" * 64, "sha256:" + "a" * 64
CALLS = "openat,write,fsync,link,linkat,rename,renameat,unlink,mkdir,getdents64"
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
PR_SET_PTRACER = 0x59616D61


# -- what is done ------------------------------------------------------------------------------------------------------


def append(storage):
    rows = [{"id": f"new-{n}", "n": n} for n in range(50)]
    Dataset(storage, "spec", "d").append(table.from_rows(rows, SHAPE.columns, "x"), SHAPE, "x")


def promote(storage, model=NEW):
    (record,) = Models(storage, "spec").records(model)
    ladder = Ladder(storage=storage, spec="spec", rungs=rungs([]), compares=True)
    ladder.climb(record, Said(by="test", why="", at="now"))


def enqueue(storage):
    rows = [{"id": f"new-{n}", "n": n, "clspec.rule": "r", "clspec.label": None} for n in range(50)]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    Queue(storage, "spec").enqueue(table.from_rows(rows, CANDIDATES, "x"), "id", votes_needed=1, gold=0.0, at=at)


def in_place(storage):
    for name in ("one", "two"):
        with Path(storage.uri, name).open("wb", buffering=0) as file:
            file.writelines(name.encode() * 100 for _ in range(3))


ACTIONS = {"append": append, "promote": promote, "enqueue": enqueue, "in_place": in_place}


def serve():
    """Do what each line says in a fork of this process, which has loaded everything."""
    for line in sys.stdin:
        name, store = line.split()
        child = os.fork()
        if child == 0:
            try:
                act(ACTIONS[name], store)
            except Exception as error:  # noqa: BLE001  # whatever it is, it was not acknowledged
                say(f"failed {type(error).__name__}: {error!r}")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        say("over")


def act(action, store):
    with tempfile.TemporaryDirectory(dir=Path(store).parent) as scratch:  # what is loaded late is loaded here
        shutil.copytree(store, scratch, dirs_exist_ok=True)
        action(storage_at(scratch))
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))
    say(os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)
    action(storage_at(store))
    say("acknowledged")


def say(what):
    os.writev(1, [f"{what}\n".encode()])  # a call that no case lets fail


class Actor:
    """A process that does things while strace holds it."""

    def __init__(self, folder):
        self.trace = folder / "trace"
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def act(self, name, store, *options):
        """Do something; what was said of it, and the trace."""
        self.process.stdin.write(f"{name} {store}\n")
        pid = int(self.process.stdout.readline())
        self.trace.unlink(missing_ok=True)
        command = ["strace", "-f", "-qq", "-y", "-o", self.trace, "-p", str(pid), "-e", f"trace={CALLS}", *options]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not self.trace.exists() or "stopped by SIGSTOP" not in self.trace.read_text():
            assert tracer.poll() is None, tracer.stderr.read()
            time.sleep(0.002)
        os.kill(pid, signal.SIGCONT)
        said = list(iter(self.process.stdout.readline, "over\n"))
        tracer.wait()
        tracer.stderr.close()
        return [line.strip() for line in said], self.trace.read_text()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def actor(place):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    made = Actor(place)
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in memory, where there is one: a thousand synchronisations need no disk to be counted."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path_factory.mktemp("faults")
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="clspec-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def base(place):
    """A store with a version, an event of the queue, two models and a champion."""
    storage = storage_at(str(place / "base"))
    rows = table.from_rows([{"id": f"old-{n}", "n": n} for n in range(20)], SHAPE.columns, "x")
    Dataset(storage, "spec", "d").append(rows, SHAPE, "x")
    register(storage, OLD, None)
    register(storage, NEW, OLD)
    promote(storage, OLD)
    Queue(storage, "spec").reject(table.from_rows([{"id": "bad", "n": 0}], SHAPE.columns, "x").column("id"), "leak")
    return place / "base"


def register(storage, model, against):
    made_by = {"datasets": {"d": "sha256:t", "g": "sha256:g"}, "roles": {"training": "d", "golden": "g"}}
    champion = {"number": 1, "model": against} if against else None
    record = {"model": model, "made_by": made_by, "verdict": {"verdict": "pass", "champion": champion}}
    storage.create(f"spec/models/{model[7:]}/records/{model[7:]}.json", json.dumps(record).encode())


# -- what must hold afterwards -----------------------------------------------------------------------------------------


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_whole(folder):
    """Everything that has a name is whole."""
    storage = storage_at(str(folder))
    for key in storage.keys(""):
        content, name = storage.read(key), key.rpartition("/")[2]
        if key.endswith(".parquet"):
            assert hashlib.sha256(content).hexdigest() == name.partition(".")[0], key
        else:
            assert isinstance(json.loads(content), dict), key
    dataset = Dataset(storage, "spec", "d")
    for version in dataset.versions():
        dataset.rows(version)


def done(name, folder):
    """How often what was to be done is done."""
    storage = storage_at(str(folder))
    if name == "append":
        dataset = Dataset(storage, "spec", "d")
        return sum(key.startswith("new-") for key in dataset.keys(dataset.newest()).to_pylist()) / 50
    if name == "promote":
        return sum(change.model == NEW for change in Stage(storage, "spec", "champion").history())
    return sum(key.startswith("new-") for key in Queue(storage, "spec").contents().items) / 50


def was_injected(trace):
    return "(INJECTED)" in trace or "+++ killed by SIGKILL +++" in trace


@pytest.mark.parametrize("name", ["append", "promote", "enqueue"])
def test_no_fault_loses_tears_or_changes_anything(actor, base, place, name):
    before, store, ends = files(base), place / "store", Counter()
    said, trace = actor.act(name, shutil.copytree(base, store))
    assert said == ["acknowledged"]
    shutil.rmtree(store)
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
    assert {"openat", "write", "fsync", "link", "unlink", "getdents64"} <= calls.keys(), calls
    for call, count in sorted(calls.items()):
        for when in sorted({1, (count + 1) // 2, count}):
            for fault in FAULTS:
                case = f"{call} {fault} {when} of {count}"
                said, trace = actor.act(name, shutil.copytree(base, store), "-e", f"inject={call}:{fault}:when={when}")
                assert was_injected(trace), case
                acknowledged = "acknowledged" in said
                ends[acknowledged] += 1
                after = files(store)
                assert {path: after.get(path) for path in before} == before, case
                assert_whole(store)
                assert done(name, store) in ({1} if acknowledged else {0, 1}), case
                ACTIONS[name](storage_at(str(store)))
                assert done(name, store) == 1, case
                assert {path: files(store).get(path) for path in before} == before, case
                assert_whole(store)
                shutil.rmtree(store)
    assert min(ends[True], ends[False]) > 0, ends


def test_writing_in_place_does_tear_files(actor, place):
    """The control: what is written in place is found torn, so that the test above could fail."""
    torn = 0
    for fault in FAULTS:
        for when in (2, 3, 5, 6):
            store = place / f"{fault}-{when}"
            store.mkdir()
            _, trace = actor.act("in_place", store, "-e", f"inject=write:{fault}:when={when}")
            assert was_injected(trace)
            torn += any(0 < len(content) < 900 for content in files(store).values())
    assert torn == 12


@pytest.mark.parametrize("name", ["append", "promote", "enqueue"])
def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_the_answer(actor, base, place, name):
    store = shutil.copytree(base, place / "ordered")
    said, trace = actor.act(name, store)
    shutil.rmtree(store)
    assert said == ["acknowledged"]
    lines = trace.splitlines()
    named = [
        (number, *re.findall(r'"([^"]*)"', line))
        for number, line in enumerate(lines)
        if re.search(r" (link|linkat|rename|renameat)\(", line)
    ]
    assert named
    for number, made, final in named:
        assert durable.UNFINISHED in made
        written = [n for n, line in enumerate(lines) if f"<{made}>" in line and " write(" in line]
        synced = [n for n, line in enumerate(lines) if " fsync(" in line and f"<{made}>)" in line]
        folder = [n for n, line in enumerate(lines) if " fsync(" in line and f"<{Path(final).parent}>)" in line]
        assert max(written) < synced[0] < number
        assert any(number < n for n in folder)


if __name__ == "__main__":
    serve()
