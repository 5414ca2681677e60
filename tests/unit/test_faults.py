"""Appending, promoting and enqueueing while the machine fails: injected errors, kills, and others at the same moment.

Each case runs in a process that strace holds: it lets one system call fail, or kills the process there. A case counts
only if strace says that it did. Afterwards the store is read whole, and the same is done again.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from clspec.data import table
from clspec.data.promotion import Ladder, Said, rungs
from clspec.data.queue import Queue
from clspec.data.stages import Stage
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

ACTOR = """
import ctypes, os, shutil, signal, sys, tempfile
from datetime import UTC, datetime
from clspec.data import table
from clspec.data.models import Models
from clspec.data.promotion import Ladder, Said, rungs
from clspec.data.queue import Queue
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
CANDIDATES = {**SHAPE.columns, "clspec.rule": "string", "clspec.label": "string"}


def append(storage):
    rows = [{"id": f"new-{n}", "n": n} for n in range(50)]
    Dataset(storage, "spec", "d").append(table.from_rows(rows, SHAPE.columns, "x"), SHAPE, "x")


def promote(storage):
    (record,) = Models(storage, "spec").records("sha256:" + "b" * 64)
    ladder = Ladder(storage=storage, spec="spec", rungs=rungs([]), compares=True)
    ladder.climb(record, Said(by="test", why="", at="now"))


def enqueue(storage):
    rows = [{"id": f"new-{n}", "n": n, "clspec.rule": "r", "clspec.label": None} for n in range(50)]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    Queue(storage, "spec").enqueue(table.from_rows(rows, CANDIDATES, "x"), "id", votes_needed=1, gold=0.0, at=at)


def in_place(storage):
    for name in ("one", "two"):
        with open(f"{storage.uri}/{name}", "wb", buffering=0) as file:
            for _ in range(3):
                file.write(name.encode() * 100)


ACTIONS = {"append": append, "promote": promote, "enqueue": enqueue, "in_place": in_place}


def act(action, store):
    with tempfile.TemporaryDirectory() as scratch:  # what is loaded late is loaded before anything fails
        shutil.copytree(store, scratch, dirs_exist_ok=True)
        action(storage_at(scratch))
    ctypes.CDLL(None).prctl(0x59616D61, -1)  # any process may trace this one
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    action(storage_at(store))
    print("acknowledged", flush=True)


for line in sys.stdin:
    name, store = line.split()
    child = os.fork()
    if child == 0:
        try:
            act(ACTIONS[name], store)
        except Exception as error:
            print(f"failed {type(error).__name__}: {error}".replace(chr(10), " "), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print("over", flush=True)
"""

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
NEW, OLD = "sha256:" + "b" * 64, "sha256:" + "a" * 64
CALLS = "openat,write,fsync,link,linkat,rename,renameat,unlink,mkdir,getdents64"
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")


class Actor:
    """A process that has loaded everything and forks for each case."""

    def __init__(self, folder):
        self.folder = folder
        self.trace = folder / "trace"
        self.process = subprocess.Popen(
            [sys.executable, "-c", ACTOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def act(self, name, store, *options):
        """Do something under strace; what was said, and the trace."""
        self.process.stdin.write(f"{name} {store}\n")
        pid = int(self.process.stdout.readline())
        self.trace.unlink(missing_ok=True)
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-y", "-o", self.trace, "-p", str(pid), "-e", f"trace={CALLS}", *options],
            stderr=subprocess.PIPE,
        )
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
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
def actor(tmp_path_factory):
    made = Actor(tmp_path_factory.mktemp("actor"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A store with a version, an event of the queue, two models and a champion."""
    folder = tmp_path_factory.mktemp("base") / "store"
    storage = storage_at(str(folder))
    rows = table.from_rows([{"id": f"old-{n}", "n": n} for n in range(20)], SHAPE.columns, "x")
    Dataset(storage, "spec", "d").append(rows, SHAPE, "x")
    register(storage, OLD, None)
    register(storage, NEW, OLD)
    climb(storage, OLD)
    Queue(storage, "spec").reject(table.from_rows([{"id": "bad", "n": 0}], SHAPE.columns, "x").column("id"), "leak")
    return folder


def register(storage, model, against):
    made_by = {"datasets": {"d": "sha256:t", "g": "sha256:g"}, "roles": {"training": "d", "golden": "g"}}
    champion = {"number": 1, "model": against} if against else None
    record = {"model": model, "made_by": made_by, "verdict": {"verdict": "pass", "champion": champion}}
    storage.create(f"spec/models/{model[7:]}/records/{model[7:]}.json", json.dumps(record).encode())


def climb(storage, model):
    from clspec.data.models import Models

    (record,) = Models(storage, "spec").records(model)
    Ladder(storage=storage, spec="spec", rungs=rungs([]), compares=True).climb(record, Said(by="t", why="", at="now"))


# -- what must hold afterwards -----------------------------------------------------------------------------------------


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def whole(folder):
    """Everything in a store is whole, and what was there is as it was."""
    storage = storage_at(str(folder))
    for key in storage.keys(""):
        content, name = storage.read(key), key.rpartition("/")[2]
        if key.endswith(".parquet"):
            assert hashlib.sha256(content).hexdigest() == name.partition(".")[0], key
        else:
            assert isinstance(json.loads(content), dict), key
    for version in Dataset(storage, "spec", "d").versions():
        Dataset(storage, "spec", "d").rows(version)
    Queue(storage, "spec").contents()
    Stage(storage, "spec", "champion").history()


def has(name, folder):
    """How often what was to be done is done."""
    storage = storage_at(str(folder))
    if name == "append":
        dataset = Dataset(storage, "spec", "d")
        return sum(key.startswith("new-") for key in dataset.keys(dataset.newest()).to_pylist()) / 50
    if name == "promote":
        return sum(change.model == NEW for change in Stage(storage, "spec", "champion").history())
    return sum(key.startswith("new-") for key in Queue(storage, "spec").contents().items) / 50


def calls_of(trace):
    """How often each system call was made, by one process."""
    return Counter(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))


def positions(count):
    return sorted({1, (count + 1) // 2, count})


@pytest.mark.parametrize("name", ["append", "promote", "enqueue"])
def test_no_fault_loses_tears_or_changes_anything(actor, base, tmp_path, name):
    said, trace = actor.act(name, shutil.copytree(base, tmp_path / "plain"))
    assert said == ["acknowledged"]
    before, calls, ends = files(base), calls_of(trace), Counter()
    assert {"openat", "write", "fsync", "unlink", "getdents64"} <= calls.keys(), calls
    for call, count in sorted(calls.items()):
        for fault in FAULTS:
            for when in positions(count):
                case = f"{call} {fault} {when} of {count}"
                store = shutil.copytree(base, tmp_path / "store")
                said, trace = actor.act(name, store, "-e", f"inject={call}:{fault}:when={when}")
                assert "(INJECTED)" in trace or "+++ killed by SIGKILL +++" in trace, case
                ends["acknowledged" if "acknowledged" in said else "not"] += 1
                after = files(store)
                assert {path: after.get(path) for path in before} == before, case
                whole(store)
                assert has(name, store) in ({1} if "acknowledged" in said else {0, 1}), case
                said, _ = actor.act(name, store)
                assert said == ["acknowledged"], (case, said)
                assert has(name, store) == 1, case
                whole(store)
                shutil.rmtree(store)
    assert min(ends["acknowledged"], ends["not"]) > 0, ends


def test_writing_in_place_does_tear_files(actor, tmp_path):
    """The control: what is written in place is found torn, so that the test above could fail."""
    torn = 0
    for fault in FAULTS:
        for when in (2, 3, 5, 6):
            store = tmp_path / f"{fault}-{when}"
            store.mkdir()
            _, trace = actor.act("in_place", store, "-e", f"inject=write:{fault}:when={when}")
            assert "(INJECTED)" in trace or "+++ killed by SIGKILL +++" in trace
            torn += any(0 < len(content) < 900 for content in files(store).values())
    assert torn >= 6
