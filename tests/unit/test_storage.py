"""Storage: the same promises from a folder and from a real S3 server, which this file starts."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from clspec.data import durable, sources, table
from clspec.data.sources import Place
from clspec.data.stages import Stage
from clspec.data.storage import StorageError, storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Shape
from clspec.diagnostic import UsageError

SHAPE = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)


def test_what_was_written_is_read(uri):
    found = storage_at(uri)
    assert found.read("a/b") is None
    found.write("a/b", b"one")
    found.write("a/b", b"two")
    found.write("a/empty", b"")
    assert (found.read("a/b"), found.read("a/empty"), found.read("a")) == (b"two", b"", None)
    assert storage_at(uri).read("a/b") == b"two"


def test_what_is_created_is_created_once(uri):
    found = storage_at(uri)
    assert found.create("a/b", b"one")
    assert not found.create("a/b", b"two")
    assert found.read("a/b") == b"one"


def test_keys_are_those_below_a_folder_in_order(uri):
    found = storage_at(uri)
    for name in ("a/2", "a/10", "a/deep/1", "ab/1", "b", "a b/1", "\u00e4/1", "a/100%"):
        found.write(name, b"x")
    assert list(found.keys("a")) == ["a/10", "a/100%", "a/2", "a/deep/1"]
    assert list(found.keys("a b")) == ["a b/1"]
    assert list(found.keys("\u00e4")) == ["\u00e4/1"]
    assert list(found.keys("nothing")) == []
    assert found.read("\u00e4/1") == b"x"


def test_of_many_creators_exactly_one_wins(uri):
    found = storage_at(uri)
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(10):
            won = list(threads.map(lambda n, r=round_: (n, found.create(f"race/{r}", str(n).encode())), range(8)))
            winners = [str(n).encode() for n, first in won if first]
            assert winners == [found.read(f"race/{round_}")]


CREATOR = """
import sys
from clspec.data.storage import storage_at
found = storage_at(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    print(found.create(line.strip(), sys.argv[2].encode()), flush=True)
"""


def test_of_many_processes_exactly_one_wins(uri):
    def creator(number):
        command = [sys.executable, "-c", CREATOR, uri, str(number)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    creators = [creator(number) for number in range(4)]
    try:
        assert [process.stdout.readline() for process in creators] == ["ready\n"] * 4
        for round_ in range(20):
            for process in creators:
                process.stdin.write(f"race/{round_}\n")
                process.stdin.flush()
            said = [process.stdout.readline().strip() for process in creators]
            assert sorted(said) == ["False", "False", "False", "True"]
            assert storage_at(uri).read(f"race/{round_}") == str(said.index("True")).encode()
    finally:
        for process in creators:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def test_versions_are_appended_and_read(uri):
    found = Dataset(storage_at(uri), "spec", "d")
    made = []
    for n in range(3):
        rows = table.from_rows([{"id": "same", "n": 0}, {"id": f"k{n}", "n": n}], SHAPE.columns, "x")
        made.append(found.append(rows, SHAPE, "x").version)
    again = Dataset(storage_at(uri), "spec", "d")
    assert list(again.versions()) == made
    assert again.find(made[1].digest) == made[1]
    assert again.rows(made[2]).column("id").to_pylist() == ["k0", "k1", "k2", "same"]


RACER = """
import sys
from clspec.data import table
from clspec.data.models import Models
from clspec.data.promotion import Ladder, Said, rungs
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape
from clspec.diagnostic import Refused
shape = Shape(columns={"id": "string", "n": "integer"}, key="id", group=None)
storage, me = storage_at(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for line in sys.stdin:
    what, spec = line.split()
    if what == "append":
        rows = table.from_rows([{"id": f"{me}-{n}", "n": n} for n in range(3)], shape.columns, "x")
        print(Dataset(storage, spec, "d").append(rows, shape, me).version.number, flush=True)
        continue
    (record,) = Models(storage, spec).records("sha256:" + me * 64)
    try:
        Ladder(storage=storage, spec=spec, rungs=rungs([]), compares=True).climb(record, Said(by=me, why="", at=""))
        print("won", flush=True)
    except Refused:
        print("lost", flush=True)
"""


def test_races_have_one_winner_for_each_number_and_lose_nothing(uri):
    storage, names = storage_at(uri), "0123"
    start = [sys.executable, "-c", RACER, uri]
    racers = [
        subprocess.Popen([*start, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in names
    ]

    def all_say(line):
        for process in racers:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        return [process.stdout.readline().strip() for process in racers]

    try:
        assert [process.stdout.readline() for process in racers] == ["ready\n"] * 4
        for round_ in range(20):
            spec = f"spec{round_}"
            assert sorted(all_say(f"append {spec}")) == ["1", "2", "3", "4"]
            found = Dataset(storage, spec, "d")
            expected = sorted(f"{name}-{n}" for name in names for n in range(3))
            assert found.rows(found.newest()).column("id").to_pylist() == expected
            for name in names:
                made_by = {"datasets": {"d": "t", "g": "g"}, "roles": {"training": "d", "golden": "g"}}
                verdict = {"verdict": "pass", "champion": None}
                record = {"model": "sha256:" + name * 64, "made_by": made_by, "verdict": verdict}
                storage.create(f"{spec}/models/{name * 64}/records/r.json", json.dumps(record).encode())
            said = all_say(f"promote {spec}")
            assert sorted(said) == ["lost", "lost", "lost", "won"]
            (change,) = Stage(storage, spec, "champion").history()
            assert change.by == names[said.index("won")]
    finally:
        for process in racers:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def step(kind, config, uri, *arguments):
    """Run a step in a process of its own, as every target does."""
    command = [sys.executable, "-m", "clspec.step", kind, "--config", json.dumps(config), "--store", uri, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_steps_meet_in_the_store(uri, tmp_path):
    rows = table.from_rows([{"id": f"k{n}", "n": n} for n in range(10)], SHAPE.columns, "x")
    version = Dataset(storage_at(uri), "spec", "d").append(rows, SHAPE, "x").version
    config = {"spec": "spec", "dataset": "d", "digest": version.digest, "split": None}
    done = step("snapshot", config, uri, "--out", f"data={tmp_path / 'data'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert pq.read_table(tmp_path / "data").num_rows == 10


def test_an_object_is_found_without_its_bytes_and_removed(uri):
    found = storage_at(uri)
    before = datetime.now(UTC) - timedelta(minutes=1)
    found.write("a/b", b"one")
    found.write("a/c", b"three")
    stored = found.find("a/b")
    assert (stored.key, stored.size) == ("a/b", 3)
    assert before < stored.written < datetime.now(UTC) + timedelta(minutes=1)
    assert [(entry.key, entry.size) for entry in found.stored("a")] == [("a/b", 3), ("a/c", 5)]
    assert (found.find("a/none"), found.find("a"), found.find("a/b/c")) == (None, None, None)
    found.delete("a/b")
    found.delete("a/b")
    found.delete("none/at/all")
    assert (found.read("a/b"), list(found.keys("a"))) == (None, ["a/c"])
    assert found.create("a/b", b"again")


def test_what_a_killed_writer_left_is_seen_by_nobody(tmp_path):
    found = storage_at(str(tmp_path))
    found.write("a/b", b"one")
    (tmp_path / "a" / f"{durable.UNFINISHED}0123").write_bytes(b"half")
    assert list(found.keys("a")) == ["a/b"]
    assert [entry.key for entry in found.unfinished("")] == [f"a/{durable.UNFINISHED}0123"]
    found.delete(f"a/{durable.UNFINISHED}0123")
    assert list(found.unfinished("a")) == []


@pytest.mark.parametrize("key", ["a/../../b", "../b", "a//b", "/a", "a/.clspec-x", ""])
def test_keys_that_there_are_not(tmp_path, key):
    found = storage_at(str(tmp_path / "store"))
    for asked in (found.read, lambda key: found.write(key, b"x"), lambda key: found.create(key, b"x")):
        with pytest.raises(StorageError, match="can be no object of"):
            asked(key)
    assert list(tmp_path.rglob("*")) == [tmp_path / "store"]


class LosesAnswers(threading.Thread):
    """Hands requests on to a server, and of some forgets the answer: they were carried out, and nobody hears of it."""

    def __init__(self, port, lose):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.lose, self.lost = port, lose, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                request = self._message(client)
                with socket.create_connection(("127.0.0.1", self.port)) as upstream:
                    upstream.sendall(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
                    answer = b"".join(iter(lambda: upstream.recv(65536), b""))
                if request.startswith(b"PUT") and self.lost < self.lose:
                    self.lost += 1
                    continue
                client.sendall(answer)

    @staticmethod
    def _message(client):
        held = b""
        while b"\r\n\r\n" not in held:
            held += client.recv(65536)
        head, _, body = held.partition(b"\r\n\r\n")
        length = next((int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-len")), 0)
        while len(body) < length:
            body += client.recv(65536)
        return head + b"\r\n\r\n" + body


@pytest.mark.parametrize("lose", [1, 2])
def test_a_creation_whose_answer_was_lost_is_known_as_ones_own(s3, monkeypatch, tmp_path, lose):
    port = int(s3["AWS_ENDPOINT_URL"].rpartition(":")[2])
    between = LosesAnswers(port, lose)
    between.start()
    for name, value in {**s3, "AWS_ENDPOINT_URL": between.url}.items():
        monkeypatch.setenv(name, value)
    found = storage_at(f"s3://bucket/{tmp_path.name}")
    try:
        assert found.create("a", b"mine")
        assert between.lost == lose
        assert not found.create("a", b"mine"), "the same bytes, and another writer"
        assert found.read("a") == b"mine"
    finally:
        between.server.close()


def test_a_source_in_a_bucket(s3, monkeypatch):
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    bucket = storage_at("s3://fleet")
    for day in (2, 1):
        bucket.write(f"runs/day-{day}/rows.csv", f"n\n{day}\n".encode())
    bucket.write("runs/notes.txt", b"not a row")
    place = Place(code=None, folder=None)

    def read(uri):
        return sources.read({"name": "s", "type": "csv", "uri": uri, "columns": {"n": "integer"}}, place).to_pylist()

    assert read("s3://fleet/runs/*/rows.csv") == read("s3://fleet/**/*.csv") == [{"n": 1}, {"n": 2}]
    assert read("s3://fleet/runs/day-2/rows.csv") == [{"n": 2}]
    with pytest.raises(DataError, match=r"source `s`: there is no s3://fleet/runs/none\.csv"):
        read("s3://fleet/runs/none.csv")
    with pytest.raises(DataError, match=r"source `s`: no file matches s3://fleet/runs/\*.csv"):
        read("s3://fleet/runs/*.csv")


def test_wrong_credentials_are_named_and_not_shown(s3, monkeypatch):
    for name, value in {**s3, "AWS_SECRET_ACCESS_KEY": "another secret"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=r"^cannot read s3://bucket/x/a: ") as raised:
        storage_at("s3://bucket/x").read("a")
    assert "another secret" not in str(raised.value)


# -- places where no store can lie -------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["gs://bucket", "http://example.com/x", "ftp://x", "memory://", "s3://"])
def test_stores_that_there_are_not(uri):
    with pytest.raises(UsageError):
        storage_at(uri)


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(UsageError, match=r"no store can lie at .*/store"):
        storage_at(str(tmp_path / "store"))
    with pytest.raises(UsageError, match=r"no store can lie at .*/store/below"):
        storage_at(f"file://{tmp_path}/store/below")


def test_an_object_where_a_folder_should_be(tmp_path):
    found = storage_at(str(tmp_path))
    found.write("a", b"x")
    with pytest.raises(StorageError, match=r"^cannot write .*/a/b: "):
        found.write("a/b", b"x")
    with pytest.raises(StorageError, match=r"^cannot write .*/a/b: "):
        found.create("a/b", b"x")
