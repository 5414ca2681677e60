"""Sources: files and user code, and what is said of those that are not what they should be."""

import datetime as dt
import sys
from textwrap import dedent

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec.data import sources, stream
from clspec.data.sources import Place
from clspec.data.table import DataError
from clspec.data.usercode import UserCodeFailed

COLUMNS = {"id": "string", "n": "integer", "x": "double", "ok": "boolean", "at": "timestamp", "day": "date"}
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
ROWS = [
    {"id": "a", "n": 1, "x": 0.5, "ok": True, "at": NOON, "day": dt.date(2026, 3, 1)},
    {"id": "b", "n": None, "x": None, "ok": None, "at": None, "day": None},
]
CSV = "id,n,x,ok,at,day\na,1,0.5,true,2026-03-01T12:00:00Z,2026-03-01\nb,,,,,\n"
JSONL = (
    '{"id":"a","n":1,"x":0.5,"ok":true,"at":"2026-03-01T13:00:00+01:00","day":"2026-03-01"}\n\n'
    '{"id":"b","n":null,"x":null,"ok":null,"at":null,"day":null}\n'
)


@pytest.fixture
def read(tmp_path):
    """Read a source whose paths count from the test's folder and whose code lies in `code` there."""
    (tmp_path / "code").mkdir()

    def read(kind, uri="", columns=COLUMNS, **call):
        source = {"name": "s", "type": kind, "uri": uri, "columns": columns}
        source["call"] = {"entrypoint": None, "command": None, **call}
        return sources.read(source, Place(code=tmp_path / "code", folder=tmp_path)).to_pylist()

    return read


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of user code, and forget it afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    names = []

    def module(name, text):
        (tmp_path / "code" / f"{name}.py").write_text(dedent(text))
        names.append(name)

    yield module
    for name in names:
        sys.modules.pop(name, None)


def refusal(read, *arguments, **options):
    with pytest.raises(DataError) as raised:
        read(*arguments, **options)
    assert "Traceback" not in str(raised.value)
    return str(raised.value)


def in_name_order(rows):
    return [{name: row[name] for name in sorted(row)} for row in rows]


# -- files -------------------------------------------------------------------------------------------------------------


def test_the_three_formats_say_the_same(read, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "rows.jsonl").write_text(JSONL)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    for kind in ("csv", "jsonl", "parquet"):
        assert read(kind, f"rows.{kind}") == in_name_order(ROWS), kind


def test_a_byte_order_mark_and_other_line_ends(read, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + JSONL.replace("\n", "\r\n").encode())
    assert read("csv", "rows.csv") == read("jsonl", "rows.jsonl") == in_name_order(ROWS)


def test_a_glob_reads_files_in_the_order_of_their_names(read, tmp_path):
    for number in (2, 10, 1):
        folder = tmp_path / "data" / f"day-{number}"
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_text(f"n\n{number}\n")
    columns = {"n": "integer"}
    assert read("csv", "data/*/rows.csv", columns) == [{"n": 1}, {"n": 10}, {"n": 2}]
    assert read("csv", "data/**/*.csv", columns) == read("csv", f"{tmp_path}/data/*/*.csv", columns)


def test_columns_that_were_not_asked_for_are_left_out(read, tmp_path):
    (tmp_path / "rows.csv").write_text("n,more\n1,x\n")
    (tmp_path / "rows.jsonl").write_text('{"n": 1, "more": [1, 2]}\n')
    pq.write_table(pa.table({"n": [1], "more": [[1, 2]]}), tmp_path / "rows.parquet")
    for kind in ("csv", "jsonl", "parquet"):
        assert read(kind, f"rows.{kind}", {"n": "integer"}) == [{"n": 1}], kind


def test_only_an_empty_field_of_a_csv_is_null(read, tmp_path):
    (tmp_path / "rows.csv").write_text('s,n\nNA,1\nnull,2\n"",3\n,4\n"a\nb",5\n')
    found = read("csv", "rows.csv", {"s": "string", "n": "integer"})
    assert [row["s"] for row in found] == ["NA", "null", "", None, "a\nb"]


def test_bytes_in_texts_are_the_texts_bytes(read, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"raw\n\xff\xfe\n")
    assert read("csv", "rows.csv", {"raw": "binary"}) == [{"raw": b"\xff\xfe"}]
    (tmp_path / "rows.jsonl").write_text('{"raw": "\u00e4"}\n')
    assert read("jsonl", "rows.jsonl", {"raw": "binary"}) == [{"raw": "\u00e4".encode()}]


def test_a_parquet_column_without_a_value(read, tmp_path):
    pq.write_table(pa.table({"n": pa.nulls(2)}), tmp_path / "rows.parquet")
    assert read("parquet", "rows.parquet", {"n": "integer"}) == [{"n": None}, {"n": None}]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_rows_are_rows(read, tmp_path, kind):
    (tmp_path / "rows.csv").write_text("n\n")
    (tmp_path / "rows.jsonl").write_text("")
    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), tmp_path / "rows.parquet")
    assert read(kind, f"rows.{kind}", {"n": "integer"}) == []


# -- files that are not what they should be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "text", "kind"),
    [
        ("n", "1.5", "integer"),
        ("n", "x", "integer"),
        ("n", "99999999999999999999", "integer"),
        ("x", "much", "double"),
        ("ok", "yes", "boolean"),
        ("at", "yesterday", "timestamp"),
        ("at", "2026-02-30T00:00:00Z", "timestamp"),
        ("day", "2026-13-01", "date"),
        ("day", "2026-03-01T12:00:00", "date"),
    ],
)
def test_a_wrong_value_in_a_csv_is_named_with_its_row(read, tmp_path, column, text, kind):
    (tmp_path / "rows.csv").write_text(f"id,{column}\na,\nb,\nc,{text}\nd,\n")
    found = refusal(read, "csv", "rows.csv", {"id": "string", column: kind})
    assert found == f"row 3 of {tmp_path}/rows.csv (source `s`): `{column}` is '{text}', which is no {kind}"


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("1.5", "integer", "1.5"),
        ('"1"', "integer", "'1'"),
        ("true", "integer", "True"),
        ("1", "string", "1"),
        ("[1]", "double", "[1]"),
        ("1772366400", "timestamp", "1772366400"),
        ('"noon"', "timestamp", "'noon'"),
    ],
)
def test_a_wrong_value_in_a_jsonl_is_named_with_its_row(read, tmp_path, text, kind, shown):
    (tmp_path / "rows.jsonl").write_text(f'{{"c": null}}\n{{"c": {text}}}\n')
    found = refusal(read, "jsonl", "rows.jsonl", {"c": kind})
    assert found == f"row 2 of {tmp_path}/rows.jsonl (source `s`): `c` is {shown}, which is no {kind}"


@pytest.mark.parametrize(
    ("column", "kind", "text"),
    [
        (pa.array(["1", "2"]), "integer", "`c` of FILE is string, not integer"),
        (pa.array([1, 2]), "string", "`c` of FILE is int64, not string"),
        (pa.array([1.0, 2.0]), "integer", "`c` of FILE is double, not integer"),
        (pa.array([1, 2]), "timestamp", "`c` of FILE is int64, not timestamp"),
        (pa.array([1, 2**63], pa.uint64()), "integer", f"row 2 of FILE: `c` is {2**63}, which is no integer"),
        (pa.array([1, 2**53 + 1]), "double", f"row 2 of FILE: `c` is {2**53 + 1}, which is no double"),
        (
            pa.array([0, 1], pa.timestamp("ns", tz="UTC")),
            "timestamp",
            "row 2 of FILE: `c` is 1970-01-01 00:00:00.000000001Z, which is no timestamp",
        ),
    ],
)
def test_a_wrong_column_of_a_parquet_file(read, tmp_path, column, kind, text):
    pq.write_table(pa.table({"c": column}), tmp_path / "rows.parquet")
    found = refusal(read, "parquet", "rows.parquet", {"c": kind})
    assert found == text.replace("FILE", f"{tmp_path}/rows.parquet (source `s`)")


def test_a_column_that_is_not_there(read, tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "n": 1}\n{"a": 1}\n')
    pq.write_table(pa.table({"a": [1]}), tmp_path / "rows.parquet")
    columns = {"a": "integer", "n": "integer"}
    for kind in ("csv", "parquet"):
        found = refusal(read, kind, f"rows.{kind}", columns)
        assert found == f"{tmp_path}/rows.{kind} (source `s`) has no column `n`"
    assert refusal(read, "jsonl", "rows.jsonl", columns) == f"row 2 of {tmp_path}/rows.jsonl (source `s`) lacks `n`"


def test_a_column_that_is_there_twice(read, tmp_path):
    (tmp_path / "rows.csv").write_text("n,n\n1,2\n")
    found = refusal(read, "csv", "rows.csv", {"n": "integer"})
    assert found == f"{tmp_path}/rows.csv (source `s`) has more than one column `n`"


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("csv", b"", "cannot be read as csv"),
        ("csv", b"n,m\n1,2\n1,2,3\n", "Row #3: Expected 2 columns, got 3"),
        ("csv", b"\x00\x01\x02\n1\n", "has no column `n`"),
        ("parquet", b"", "cannot be read as parquet"),
        ("parquet", b"PAR1 nothing PAR1", "cannot be read as parquet"),
        ("jsonl", b'{"n": 1}\nnonsense\n', "line 2 of"),
        ("jsonl", b'{"n": NaN}', "NaN is no JSON number"),
        ("jsonl", b"[" * 100_000, "line 1 of"),
        ("jsonl", b"[1]\n", "row 1 of"),
        ("jsonl", b'{"n": "\xff"}', "is not JSON in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(read, tmp_path, kind, content, text):
    (tmp_path / "rows").write_bytes(content)
    found = refusal(read, kind, "rows", {"n": "integer"})
    assert text in found
    assert f"{tmp_path}/rows (source `s`)" in found


def test_a_csv_that_is_not_utf_8(read, tmp_path):
    (tmp_path / "rows.csv").write_bytes("id\nok\nM\u00fcnchen\n".encode("latin-1"))
    found = refusal(read, "csv", "rows.csv", {"id": "string"})
    assert found == f"row 2 of {tmp_path}/rows.csv (source `s`): `id` is b'M\\xfcnchen', which is no string"


def test_files_that_are_not_there(read, tmp_path):
    (tmp_path / "folder").mkdir()
    assert refusal(read, "csv", "*.csv") == "source `s`: no file matches *.csv"
    assert refusal(read, "csv", "a.csv") == f"source `s`: {tmp_path}/a.csv cannot be read: No such file or directory"
    assert refusal(read, "csv", "folder") == f"source `s`: {tmp_path}/folder cannot be read: Is a directory"


def test_a_path_beside_the_spec_on_a_machine_without_the_spec():
    source = {"name": "s", "type": "csv", "uri": "rows.csv", "columns": {"n": "integer"}}
    with pytest.raises(DataError, match=r"source `s`: rows\.csv is a path beside the spec"):
        sources.read(source, Place(code=None, folder=None))


@pytest.mark.parametrize(
    ("key", "pattern", "fits"),
    [
        ("a/b/c.csv", "a/b/*.csv", True),
        ("a/b/c.csv", "a/*.csv", False),
        ("a/b/c.csv", "a/**/*.csv", True),
        ("a/c.csv", "a/**/*.csv", True),
        ("a/b/c.csv", "**", True),
        ("a/b/c.csv", "a/?/[bc].csv", True),
        ("a/b/C.csv", "a/b/c.csv", False),
        ("a/b", "a/b/*", False),
    ],
)
def test_globs_in_a_bucket_are_those_of_a_folder(key, pattern, fits):
    assert stream._matches(key.split("/"), pattern.split("/")) is fits


# -- user code ---------------------------------------------------------------------------------------------------------


def test_a_generator_and_a_list(read, module):
    module("source_plain", "def some():\n    yield {'n': 1}\n    yield {'n': 2}\ndef all():\n    return [{'n': 3}]\n")
    assert read("python", columns={"n": "integer"}, entrypoint="source_plain:some") == [{"n": 1}, {"n": 2}]
    assert read("python", columns={"n": "integer"}, entrypoint="source_plain:all") == [{"n": 3}]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("yield {'n': 1}; yield {'n': 'x'}", "row 2 of source `s`: `n` is 'x', which is no integer"),
        ("yield {'n': 1}; yield {'m': 1}", "row 2 of source `s` lacks `n` and has `m`, which is no column"),
        ("yield {'n': 1}; yield ('n', 1)", "row 2 of source `s` is a tuple, not a dict of its columns"),
        ("return {'n': 1}", "`source_bad:rows` must yield dicts, one for each row, not return a dict"),
        (
            "return None",
            "`source_bad:rows` must yield dicts, one for each row, not return a NoneType: is a `yield` missing?",
        ),
        ("return 'rows'", "`source_bad:rows` must yield dicts, one for each row, not return a str"),
        ("exit(3)", "`source_bad:rows` ended the process with 3"),
    ],
)
def test_user_code_that_does_not_keep_to_the_contract(read, module, body, text):
    module("source_bad", f"def rows():\n    {body}\n")
    with pytest.raises((DataError, UserCodeFailed)) as raised:
        read("python", columns={"n": "integer"}, entrypoint="source_bad:rows")
    assert str(raised.value) == text


def test_what_user_code_raises_is_shown_with_its_own_lines_only(read, module, tmp_path):
    module("source_raises", "def rows():\n    yield {'n': 1}\n    raise ValueError('no camera')\n")
    with pytest.raises(UserCodeFailed) as raised:
        read("python", columns={"n": "integer"}, entrypoint="source_raises:rows")
    text = str(raised.value)
    assert text.startswith("`source_raises:rows` raised ValueError\nTraceback (most recent call last):\n")
    assert text.endswith("ValueError: no camera")
    assert f'File "{tmp_path}/code/source_raises.py", line 3, in rows' in text
    assert "usercode.py" not in text


def test_a_module_that_is_not_the_users(read, module):
    module("token", "def rows():\n    yield {'n': 1}\n\ntokenize = rows\n")
    with pytest.raises(UserCodeFailed, match=r"`json` is .*, not a module of .*: give yours another name"):
        read("python", columns={"n": "integer"}, entrypoint="json:loads")


WRITES = """
import sys
import pyarrow as pa
import pyarrow.parquet as pq
pq.write_table(pa.table({"n": [1, 2]}), sys.argv[1])
"""


def test_a_command(read, module):
    module("writes", WRITES)
    command = [sys.executable, "writes.py", "{out}"]
    assert read("python", columns={"n": "integer"}, command=command) == [{"n": 1}, {"n": 2}]
    found = refusal(read, "python", columns={"n": "string"}, command=command)
    assert found == "`n` of what the command of source `s` wrote is int64, not string"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["false", "{out}"], "`false {out}` ended with exit code 1"),
        (["true", "{out}"], "source `s`: the command wrote no {out}"),
        (["no-such-program", "{out}"], "`no-such-program` cannot be started: No such file or directory"),
        (["sh", "-c", "kill -9 $$", "{out}"], "`sh -c kill -9 $$ {out}` ended with signal 9"),
    ],
)
def test_a_command_that_fails(read, command, text):
    with pytest.raises(UserCodeFailed) as raised:
        read("python", columns={"n": "integer"}, command=command)
    assert str(raised.value) == text


def test_a_command_that_writes_something_else(read):
    command = ["sh", "-c", "echo hello > $0", "{out}"]
    found = refusal(read, "python", columns={"n": "integer"}, command=command)
    assert found.startswith("what the command of source `s` wrote cannot be read as parquet: ")


def test_there_is_no_code_here():
    source = {"name": "s", "type": "python", "columns": {}, "call": {"entrypoint": "a:b", "command": None}}
    with pytest.raises(DataError, match="source `s` is code, and there is no code root here"):
        sources.read(source, Place(code=None, folder=None))
