"""The canonical form: what content has which digest, and which values a column takes."""

import datetime as dt
import io
import math
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec.data import table
from clspec.data.table import DataError

COLUMNS = {
    "id": "string",
    "n": "integer",
    "x": "double",
    "ok": "boolean",
    "at": "timestamp",
    "day": "date",
    "raw": "binary",
}
UTC = dt.UTC
ROW = {
    "id": "a",
    "n": 1,
    "x": 0.5,
    "ok": True,
    "at": dt.datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC),
    "day": dt.date(2026, 3, 1),
    "raw": b"\x00\xff",
}
EMPTY = {"id": "b", "n": None, "x": None, "ok": None, "at": None, "day": None, "raw": None}
ZERO = {
    "id": "c",
    "n": 0,
    "x": 0.0,
    "ok": False,
    "at": dt.datetime(1970, 1, 1, tzinfo=UTC),
    "day": dt.date(1970, 1, 1),
    "raw": b"",
}

_values = {
    "n": st.integers(-(2**63), 2**63 - 1),
    "x": st.floats(),
    "ok": st.booleans(),
    "at": st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "day": st.dates(),
    "raw": st.binary(max_size=8),
}
_row = st.fixed_dictionaries(
    {"id": st.text(st.characters(codec="utf-8"), max_size=6), **{name: st.none() | s for name, s in _values.items()}}
)
_rows = st.lists(_row, max_size=8, unique_by=lambda row: row["id"])


def made(rows, columns=COLUMNS):
    return table.from_rows(rows, columns, "here")


def digest(rows, columns=COLUMNS, key="id"):
    return table.digest(made(rows, columns), columns, key)


# -- the digest --------------------------------------------------------------------------------------------------------


def test_known_digests():
    """A change of the canonical form would make every lock in the world stale: these never change."""
    assert digest([]) == "sha256:320724a2ba3c97220027b9aebf566be13ed43b405ae0cc3652a403495800deea"
    assert digest([ROW, EMPTY, ZERO]) == "sha256:56369ac83d1be08ff1b22e5cb65607896a3e48f84b26ba255bcd489dc35d8194"
    numbered = [{"id": 2, "x": math.nan}, {"id": -1, "x": math.inf}]
    assert (
        digest(numbered, {"id": "integer", "x": "double"})
        == "sha256:a707808e9d795cb61452133c78a73e07d95f67cf71ce27d3cd76047d4a646dd1"
    )


@given(_rows, st.randoms(use_true_random=False))
def test_order_of_rows_columns_and_chunks_never_matters(rows, chance):
    whole = made(rows)
    wanted = table.digest(whole, COLUMNS, "id")
    shuffled = chance.sample(rows, len(rows))
    names = chance.sample(list(COLUMNS), len(COLUMNS))
    reordered = {name: COLUMNS[name] for name in names}
    cut = chance.randint(0, len(rows))
    chunks = pa.concat_tables([made(shuffled[:cut]), made(shuffled[cut:])]).select(names)
    assert table.digest(chunks, reordered, "id") == wanted
    padded = pa.concat_tables([made([{**ROW, "id": "before"}]), made(shuffled), made([{**ROW, "id": "after"}])])
    assert table.digest(padded.slice(1, len(rows)), COLUMNS, "id") == wanted


@settings(max_examples=40)
@given(
    _rows,
    st.sampled_from(["snappy", "zstd", "none"]),
    st.booleans(),
    st.integers(1, 5),
    st.sampled_from(["1.0", "2.6"]),
    st.sampled_from(["UTC", "Europe/Berlin", "+05:30", "Pacific/Auckland"]),
)
def test_how_a_parquet_file_is_written_never_matters(rows, compression, dictionary, group, version, zone):  # noqa: PLR0913, PLR0917
    whole = made(rows)
    at = whole.schema.get_field_index("at")
    local = whole.set_column(at, "at", whole.column("at").cast(pa.timestamp("us", tz=zone)))
    file = io.BytesIO()
    options = {"compression": compression, "use_dictionary": dictionary, "row_group_size": group, "version": version}
    pq.write_table(local, file, **options)
    found = table.conform(pq.read_table(io.BytesIO(file.getvalue())), COLUMNS, "file")
    assert table.digest(found, COLUMNS, "id") == table.digest(whole, COLUMNS, "id")


def test_how_a_value_is_stored_never_matters():
    rows = [ROW, EMPTY, ZERO]
    whole = made(rows)
    narrow = pa.table(
        {
            "id": pa.array([row["id"] for row in rows]).dictionary_encode(),
            "n": pa.array([row["n"] for row in rows], pa.int8()),
            "x": pa.array([row["x"] for row in rows], pa.float32()),
            "ok": whole.column("ok"),
            "at": pa.array([row["at"] and row["at"].replace(tzinfo=None) for row in rows], pa.timestamp("ns")),
            "day": pa.array([row["day"] for row in rows], pa.date64()),
            "raw": pa.array([row["raw"] for row in rows], pa.binary()).dictionary_encode(),
        }
    )
    found = table.conform(narrow, COLUMNS, "file")
    assert found.schema == whole.schema
    assert table.digest(found, COLUMNS, "id") == table.digest(whole, COLUMNS, "id")


@given(_rows.filter(bool), st.data())
def test_any_changed_value_changes_it(rows, data):
    row = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(_values)))
    before = rows[row][name]
    other = data.draw((st.none() | _values[name]).filter(lambda value: repr(value) != repr(before)))
    changed = [{**found, name: other} if index == row else found for index, found in enumerate(rows)]
    assert digest(changed) != digest(rows)


@given(_rows, _row)
def test_another_row_changes_it(rows, row):
    more = [found for found in rows if found["id"] != row["id"]]
    assert digest([*more, row]) != digest(more)


def test_null_empty_and_zero_are_three_things():
    for name, kind in COLUMNS.items():
        if name == "id":
            continue
        columns = {"id": "string", name: kind}
        assert digest([{"id": "a", name: None}], columns) != digest([{"id": "a", name: ZERO[name]}], columns)
    columns = {"id": "string", "s": "string"}
    found = {digest([{"id": "a", "s": s}], columns) for s in (None, "", "\x00", "0", " ")}
    assert len(found) == 5


def test_values_never_run_into_each_other():
    columns = {"id": "string", "s": "string", "t": "string"}
    rows = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("abc", None), (None, "abc")]
    assert len({digest([{"id": "k", "s": s, "t": t}], columns) for s, t in rows}) == len(rows)
    pairs = [("a", "bc"), ("ab", "c"), (None, "abc"), ("abc", None)]
    one = {"id": "string", "s": "string"}
    assert len({digest([{"id": "k", "s": s}, {"id": "l", "s": t}], one) for s, t in pairs}) == len(pairs)


def test_the_types_the_names_and_the_key_are_part_of_it():
    text, raw = digest([{"id": "a", "s": "x"}], {"id": "string", "s": "string"}), b"x"
    assert digest([{"id": "a", "s": raw}], {"id": "string", "s": "binary"}) != text
    assert digest([{"id": "a", "t": "x"}], {"id": "string", "t": "string"}) != text
    assert digest([{"id": "a", "s": "x"}], {"id": "string", "s": "string"}, key="s") != text
    assert digest([{"id": "a", "n": 1}], {"id": "string", "n": "integer"}) != digest(
        [{"id": "a", "n": 1.0}], {"id": "string", "n": "double"}
    )


def test_every_nan_is_the_same_and_the_two_zeros_are_not():
    columns = {"id": "string", "x": "double"}
    quiet = np.frombuffer(np.uint64(0xFFF8000000000123).tobytes(), np.float64)
    strange = pa.table({"id": pa.array(["a"], pa.large_string()), "x": pa.array(quiet)})
    assert table.digest(strange, columns, "id") == digest([{"id": "a", "x": math.nan}], columns)
    assert digest([{"id": "a", "x": -0.0}], columns) != digest([{"id": "a", "x": 0.0}], columns)


def test_more_rows_than_one_batch():
    rows = [{"id": f"{n}", "n": n} for n in range(4_500)]
    columns = {"id": "string", "n": "integer"}
    found = made(iter(rows), columns)
    assert found.column("n").to_pylist() == list(range(4_500))
    random.Random(1).shuffle(rows)
    assert digest(rows, columns) == table.digest(found, columns, "id")


# -- rows of Python values ---------------------------------------------------------------------------------------------


def value(kind, given_):
    return made([{"c": given_}], {"c": kind}).column("c").to_pylist()[0]


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("double", 1, 1.0),
        ("double", np.float32(0.5), 0.5),
        ("integer", np.int16(-3), -3),
        ("boolean", np.bool_(True), True),  # noqa: FBT003
        ("string", np.str_("x"), "x"),
        ("binary", bytearray(b"x"), b"x"),
        ("binary", memoryview(b"x"), b"x"),
        ("timestamp", "2026-03-01T12:00:00+02:00", dt.datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("timestamp", "2026-03-01T12:00:00Z", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("timestamp", "2026-03-01T12:00:00", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("timestamp", dt.datetime(2026, 3, 1, 12), dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),  # noqa: DTZ001
        ("timestamp", np.datetime64("2026-03-01T12", "us"), dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("date", "2026-03-01", dt.date(2026, 3, 1)),
        ("string", None, None),
        ("double", None, None),
    ],
)
def test_values_that_are_taken(kind, written, meant):
    assert value(kind, written) == meant


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("integer", 1.5),  # Arrow would cut each of these without a word
        ("integer", 1.0),
        ("integer", True),
        ("integer", "1"),
        ("integer", 2**63),
        ("double", True),
        ("double", "0.5"),
        ("double", 2**53 + 1),
        ("boolean", 1),
        ("boolean", "true"),
        ("string", 1),
        ("string", b"x"),
        ("string", "\ud800"),
        ("binary", "x"),
        ("timestamp", 1_700_000_000),
        ("timestamp", dt.date(2026, 3, 1)),
        ("timestamp", "yesterday"),
        ("date", 20_000),
        ("date", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("date", "2026-03-01T12:00:00"),
        ("string", ["x"]),
        ("double", {"x": 1}),
    ],
)
def test_values_that_are_refused(kind, written):
    rows = [{"id": "a", "c": None}, {"id": "b", "c": written}]
    with pytest.raises(DataError, match=rf"^row 2 of here: `c` is .*, which is no {kind}$"):
        made(rows, {"id": "string", "c": kind})


def test_the_row_is_named_beyond_the_first_batch():
    rows = [{"n": n} for n in range(3_000)] + [{"n": "x"}]
    with pytest.raises(DataError, match=r"row 3001 of here: `n` is 'x', which is no integer"):
        made(rows, {"n": "integer"})


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"id": "a"}, "row 1 of here lacks `n`"),
        ({"id": "a", "n": 1, "m": 2}, "row 1 of here has `m`, which is no column"),
        ({"m": 2}, "row 1 of here lacks `id`, `n` and has `m`, which is no column"),
        (["a", 1], "row 1 of here is a list, not a dict of its columns"),
        (None, "row 1 of here is a NoneType, not a dict of its columns"),
    ],
)
def test_rows_that_are_no_rows(row, text):
    with pytest.raises(DataError) as raised:
        made([row], {"id": "string", "n": "integer"})
    assert str(raised.value) == text


# -- keys --------------------------------------------------------------------------------------------------------------


def test_rows_that_stand_there_twice_stand_there_once():
    found, doubles = table.keyed(made([ZERO, ROW, ZERO, EMPTY, ZERO]), "id", "here")
    assert found.column("id").to_pylist() == ["a", "b", "c"]
    assert doubles == 2
    nan = {"id": "string", "x": "double"}
    found, doubles = table.keyed(made([{"id": "a", "x": math.nan}] * 2, nan), "id", "here")
    assert (len(found), doubles) == (1, 1)


def test_rows_of_one_key_that_differ():
    with pytest.raises(DataError, match="two rows of here have `id` 'a' and differ otherwise"):
        table.keyed(made([ROW, {**ROW, "n": None}]), "id", "here")


def test_rows_without_a_key():
    with pytest.raises(DataError, match="2 rows of here have no `id`"):
        table.keyed(made([{**ROW, "id": None}, {**EMPTY, "id": None}, ZERO]), "id", "here")
