"""The SQL that is printed means in DuckDB what the reference says, on every row, and never fails there."""

import datetime as dt
import math
import random

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clspec.predicate import ColumnType, allowed_values, check, columns_of, evaluate, parse, to_sql, to_text, tree

STRING, INTEGER, DOUBLE = ColumnType.STRING, ColumnType.INTEGER, ColumnType.DOUBLE
BOOLEAN, TIMESTAMP, DATE, BINARY = ColumnType.BOOLEAN, ColumnType.TIMESTAMP, ColumnType.DATE, ColumnType.BINARY

# Each column by its name: its type in the language, and how it is stored.
STORED = {
    "s": (STRING, pa.string()),
    'odd "name': (STRING, pa.string()),
    "enum": (STRING, pa.dictionary(pa.int32(), pa.string())),
    "i": (INTEGER, pa.int64()),
    "j": (INTEGER, pa.int64()),
    "narrow": (INTEGER, pa.int32()),
    "x": (DOUBLE, pa.float64()),
    "y": (DOUBLE, pa.float64()),
    "single": (DOUBLE, pa.float32()),
    "b": (BOOLEAN, pa.bool_()),
    "true": (BOOLEAN, pa.bool_()),
    "local": (TIMESTAMP, pa.timestamp("us")),
    "zoned": (TIMESTAMP, pa.timestamp("us", tz="America/New_York")),
    "day": (DATE, pa.date32()),
    "frame": (BINARY, pa.binary()),
}
COLUMNS = {name: column_type for name, (column_type, _) in STORED.items()}

INTEGERS = [0, 1, -1, 2, 3, 5, -7, 10, 2**31 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)]
DOUBLES = [0.0, -0.0, 0.1, 0.5, -0.5, 1.0, 1.5, 2.5, 3.0, -7.5, 0.49999999999999994, 1e-300, 5e-324, 1e308, -1e308]
DOUBLES += [2.0**53, 9007199254740994.0, 2.0**63, -(2.0**63), 1e15 + 0.5, 4503599627370495.5]
ENDLESS = [math.nan, math.inf, -math.inf]
STRINGS = ["", "a", "A", "ab", "aB", "b", "night", "NIGHT", "\u00e4", "\u00c4", "\u00df", "\u1e9e", "\u0130", "\u0131"]
STRINGS += ["\u03a3", "\u03c2", "\u00e9", "e\u0301", "\u01c5", "\ufb01", "\u1f80", "\U0001f469\u200d\U0001f467"]
STRINGS += ["%", "_", "a%b", "a_b", "aab", "\\", "'", '"', "--", "\uffff", "\U00010000", " "]
UNPRINTED = ["\x00", "a\x00b", "a\nb", "\t"]
ZONE = dt.timezone(dt.timedelta(hours=-5))
INSTANTS = [
    dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 7, 1, 4, tzinfo=dt.UTC),
    dt.datetime(2, 1, 1, tzinfo=dt.UTC),
    dt.datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
]
DAYS = [dt.date(1970, 1, 1), dt.date(2026, 1, 1), dt.date(2026, 7, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)]


LOCKED_DOWN = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 1,
}


def values_of(name):
    column_type, stored = STORED[name]
    if stored == pa.int32():
        return [value for value in INTEGERS if abs(value) < 2**31]
    if column_type is TIMESTAMP:
        return [value if stored.tz else value.replace(tzinfo=None) for value in INSTANTS]
    return {
        STRING: STRINGS + UNPRINTED,
        INTEGER: INTEGERS,
        DOUBLE: DOUBLES + ENDLESS,
        BOOLEAN: [True, False],
        DATE: DAYS,
        BINARY: [b"", b"\x00\xff"],
    }[column_type]


def table_of(rows):
    columns = {name: pa.array([row[name] for row in rows], stored) for name, (_, stored) in STORED.items()}
    return pa.table({"row": pa.array(range(len(rows)), pa.int64()), **columns})


def nasty_rows(count):
    chance = random.Random(0)
    return [
        {name: None if chance.random() < 0.15 else chance.choice(values_of(name)) for name in STORED}
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def database():
    connection = duckdb.connect(config=LOCKED_DOWN)
    connection.execute("SET max_expression_depth = 500")
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    connection.execute("SET lock_configuration = true")
    with connection:
        yield connection


@pytest.fixture(scope="module")
def rows(database):
    table = table_of(nasty_rows(120))
    database.register("arrow", table)
    database.execute("CREATE TABLE nasty AS SELECT * FROM arrow")
    return table.to_pylist()  # as stored: a float of 32 bits is no longer the one that was put in


def answers(database, table, expression):
    """What DuckDB says about each row, asked for the value and asked to select."""
    sql = to_sql(expression, COLUMNS)
    told = database.execute(f"SELECT {sql} FROM {table} ORDER BY row").fetchall()
    kept = database.execute(f"SELECT row FROM {table} WHERE {sql} ORDER BY row").fetchall()
    held = [answer for (answer,) in told]
    assert [row for (row,) in kept] == [row for row, answer in enumerate(held) if answer]
    return held


# -- expressions that make sense, and no others -----------------------------------------------------------------------

LITERALS = {
    STRING: st.sampled_from(STRINGS),
    INTEGER: st.sampled_from(INTEGERS) | st.integers(-(2**63), 2**63 - 1),
    DOUBLE: st.sampled_from(DOUBLES) | st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN: st.booleans(),
    TIMESTAMP: st.sampled_from(INSTANTS),
    DATE: st.sampled_from(DAYS),
}
ORDERED = [STRING, INTEGER, DOUBLE, TIMESTAMP, DATE]
PATTERNS = st.lists(st.sampled_from(["%", "_", "a", "b", "\u00e4", "\\a", "'", "\U0001f469"]), max_size=5).map("".join)


def literals(column_type):
    return LITERALS[column_type].map(lambda value: tree.Literal(value, column_type))


def columns(column_type):
    return st.sampled_from([tree.Column(name) for name, found in COLUMNS.items() if found is column_type])


def leaves(column_type):
    return columns(column_type) | columns(column_type) | literals(column_type)


@st.composite
def same_typed(draw, depth, count, types):
    """So many expressions of one type, or of both kinds of numbers."""
    column_type = draw(st.sampled_from(types))
    either = st.sampled_from([INTEGER, DOUBLE]) if column_type in {INTEGER, DOUBLE} else st.just(column_type)
    return [draw(expressions(depth, draw(either))) for _ in range(count)]


@st.composite
def comparisons(draw, depth):
    operator = draw(st.sampled_from(tree.COMPARISONS))
    types = [*ORDERED, BOOLEAN] if operator in {"=", "!="} else ORDERED
    return tree.Comparison(operator, *draw(same_typed(depth, 2, types)))


@st.composite
def listings(draw, depth):
    column_type = draw(st.sampled_from([*ORDERED, BOOLEAN]))
    values = literals(INTEGER) | literals(DOUBLE) if column_type in {INTEGER, DOUBLE} else literals(column_type)
    return tree.In(draw(expressions(depth, column_type)), tuple(draw(st.lists(values, min_size=1, max_size=4))))


def conditions(depth):
    strings, truths = expressions(depth, STRING), expressions(depth, BOOLEAN)
    anything = st.sampled_from([*ORDERED, BOOLEAN]).flatmap(lambda one: expressions(depth, one))
    return st.one_of(
        comparisons(depth),
        same_typed(depth, 3, ORDERED).map(lambda parts: tree.Between(*parts)),
        listings(depth),
        st.builds(tree.IsNull, anything | st.just(tree.Column("frame"))),
        st.builds(tree.Like, strings, PATTERNS),
        st.tuples(strings, strings).map(lambda arguments: tree.Call("starts_with", arguments)),
        st.builds(tree.Not, truths),
        st.lists(truths, min_size=2, max_size=3).map(tree.all_of),
        st.lists(truths, min_size=2, max_size=3).map(tree.any_of),
    )


@st.composite
def numbers(draw, depth, column_type):
    kinds = ["sign", "abs", "round", "sum"] + (["length"] if column_type is INTEGER else ["quotient", "mixed"])
    kind = draw(st.sampled_from(kinds))
    if kind == "length":
        return tree.Call("length", (draw(expressions(depth, STRING)),))
    if kind == "quotient":
        types = st.sampled_from([INTEGER, DOUBLE])
        return tree.Arithmetic("/", *(draw(expressions(depth, draw(types))) for _ in range(2)))
    if kind in {"sum", "mixed"}:
        other = INTEGER if kind == "mixed" else column_type
        pair = [draw(expressions(depth, column_type)), draw(expressions(depth, other))]
        return tree.Arithmetic(draw(st.sampled_from(["+", "-", "*", "%"])), *draw(st.permutations(pair)))
    operand = draw(expressions(depth, column_type))
    if kind == "sign":
        return tree.Negative(operand)
    return tree.Call("abs" if kind == "abs" else draw(st.sampled_from(["round", "floor", "ceil"])), (operand,))


@st.composite
def expressions(draw, depth, column_type):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(leaves(column_type))
    chosen = draw(st.integers(0, 3))
    if chosen == 0:
        count = draw(st.integers(2, 3))
        names = ["coalesce"] if column_type is BOOLEAN else ["coalesce", "least", "greatest"]
        parts = [draw(expressions(depth - 1, column_type)) for _ in range(count)]
        return tree.Call(draw(st.sampled_from(names)), tuple(parts))
    if column_type is BOOLEAN:
        return draw(conditions(depth - 1))
    if column_type in {INTEGER, DOUBLE}:
        return draw(numbers(depth - 1, column_type))
    if column_type is STRING:
        return tree.Call(draw(st.sampled_from(["lower", "upper"])), (draw(expressions(depth - 1, STRING)),))
    return draw(leaves(column_type))


def predicates():
    return conditions(3)


ROW = st.fixed_dictionaries(
    {
        name: st.none()
        | {
            STRING: st.text(st.sampled_from("ab\u00e4\u00c4\U0001f469%_'\\\x00")) | st.sampled_from(STRINGS),
            DOUBLE: st.floats(width=32 if stored == pa.float32() else 64),
            INTEGER: st.integers(-(2**31), 2**31 - 1) if stored == pa.int32() else st.integers(-(2**63), 2**63 - 1),
        }.get(column_type, st.sampled_from(values_of(name)))
        for name, (column_type, stored) in STORED.items()
    }
)
QUIET = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}


@settings(max_examples=250, **QUIET)
@given(predicate=predicates())
def test_duckdb_agrees_on_nasty_rows(database, rows, predicate):
    assert check(predicate, COLUMNS) == ()
    assert answers(database, "nasty", predicate) == [evaluate(predicate, COLUMNS, row) for row in rows]


@settings(max_examples=60, **QUIET)
@given(predicate=predicates(), drawn=st.lists(ROW, min_size=1, max_size=3))
def test_duckdb_agrees_on_any_rows(database, predicate, drawn):
    table = table_of(drawn)
    database.register("drawn", table)
    assert answers(database, "drawn", predicate) == [evaluate(predicate, COLUMNS, row) for row in table.to_pylist()]


@settings(max_examples=200, **QUIET)
@given(predicate=predicates())
def test_text_is_read_back_as_the_same_tree_with_every_part_at_its_place(predicate):
    text = to_text(predicate)
    read = parse(text)
    assert read == predicate
    assert to_text(read) == text
    for part in tree.walk(read):
        own = parse(text[part.start : part.end])
        assert part in {own, own.operand if isinstance(own, tree.Not) else own}  # `in` inside `not in`


@settings(max_examples=100, **QUIET)
@given(predicate=predicates())
def test_a_row_that_is_selected_has_an_allowed_value(rows, predicate):
    limits = {name: allowed_values(predicate, name) for name in columns_of(predicate) - {"local"}}
    for row in rows:
        if evaluate(predicate, COLUMNS, row):
            for name, allowed in limits.items():
                nothing = isinstance(row[name], float) and math.isnan(row[name])
                assert allowed is None or (None if nothing else row[name]) in allowed


# -- single rules, spelt out ------------------------------------------------------------------------------------------

EMPTY = dict.fromkeys(STORED)


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("x > 0.5", {"x": math.nan}, None),
        ("x is null", {"x": math.nan}, True),
        ("x = x", {"x": math.nan}, None),
        ("single >= 0.9", {"single": 0.9}, False),
        ("x / 0 > 1", {"x": 1.0}, None),
        ("0 / x is null", {"x": -0.0}, True),
        ("i % 0 = 0", {"i": 5}, None),
        ("i % 3 = -1", {"i": -7}, True),
        ("x % 2 = -1.5", {"x": -7.5}, True),
        ("x % 2 is null", {"x": math.inf}, True),
        ("7 / 2 = 3.5", {}, True),
        ("i / j = 0.5", {"i": 1, "j": 2}, True),
        ("i + 1 is null", {"i": 2**63 - 1}, True),
        ("i * i is null", {"i": -(2**63)}, True),
        ("-i is null", {"i": -(2**63)}, True),
        ("abs(i) is null", {"i": -(2**63)}, True),
        ("i % -1 = 0", {"i": -(2**63)}, True),
        ("i = 9007199254740993", {"i": 2**53}, False),
        ("i = 9007199254740993.0", {"i": 2**53}, True),
        ("x - x is null", {"x": math.inf}, True),
        ("x * 10 > 1e308", {"x": 1e308}, True),
        ("x = 0", {"x": -0.0}, True),
        ("greatest(x, y) < 1", {"x": 0.5}, None),
        ("greatest(x, y) < 1", {"x": 0.5, "y": math.nan}, None),
        ("least(i, j, 3) = 1", {"i": 1, "j": 2}, True),
        ("coalesce(x, 0.25) = 0.25", {"x": math.nan}, True),
        ("coalesce(i, 0.5) = 9007199254740992", {"i": 2**53 + 1}, True),
        ("round(x) = -3", {"x": -2.5}, True),
        ("floor(x) = -3 and ceil(x) = -2", {"x": -2.5}, True),
        ("i between 2 and 1", {}, None),
        ("2 between i and 1", {}, False),
        ("s not in ('a', 'b')", {}, None),
        ("s != 'a'", {}, None),
        ("b or s = 'a'", {"b": True}, True),
        ("b and s = 'a'", {"b": False}, False),
        ("not b", {}, None),
        ("b is null and not b is not null", {}, True),
        ("length(s) = 3", {"s": "e\u0301\U0001f469"}, True),
        ("s like '__'", {"s": "e\u0301"}, True),
        ("s like 'A%'", {"s": "ab"}, False),
        ("s like 'a\\b'", {"s": "a\\b"}, True),
        ("s like 'a%b%c'", {"s": "a\nbb\x00c"}, True),
        ("upper(s) = '\u1e9e'", {"s": "\u00df"}, True),
        ("lower(s) = 'i'", {"s": "\u0130"}, True),
        ("s = '\u00e9'", {"s": "e\u0301"}, False),
        ("s > '\uffff'", {"s": "\U00010000"}, True),
        ("starts_with(s, '')", {"s": ""}, True),
        ("zoned = timestamp '2026-01-01T01:00:00+01:00'", {"zoned": dt.datetime(2025, 12, 31, 19, tzinfo=ZONE)}, True),
        ("local = timestamp '2026-01-01 00:00:00Z'", {"local": dt.datetime(2026, 1, 1)}, True),  # noqa: DTZ001
        ("local < timestamp '2026-01-01T00:00:00.000001Z'", {"local": dt.datetime(2026, 1, 1)}, True),  # noqa: DTZ001
        ("day >= date '2026-01-01'", {"day": dt.date(2026, 1, 1)}, True),
        ("frame is not null", {"frame": b""}, True),
        ("true", {}, True),
    ],
)
def test_rule(database, text, row, expected):
    table = table_of([{**EMPTY, **row}])
    database.register("single_row", table)
    (stored,) = table.to_pylist()
    assert evaluate(parse(text), COLUMNS, stored) is expected
    assert answers(database, "single_row", parse(text)) == [expected]


def test_case_of_every_letter_whose_mapping_is_settled(database):
    blocks = [(0x01, 0x180), (0x370, 0x530), (0x531, 0x590), (0x1E00, 0x2000), (0xFB00, 0xFB18)]
    letters = [chr(number) for first, end in blocks for number in range(first, end)]
    database.register("letters", pa.table({"row": range(len(letters)), "s": letters}))
    told = database.execute("SELECT lower(s), upper(s), length(s) FROM letters ORDER BY row").fetchall()
    for letter, (lower, upper, length) in zip(letters, told, strict=True):
        for text in (f"lower(s) = '{lower}'", f"upper(s) = '{upper}'", f"length(s) = {length}"):
            if "'''" not in text and letter.isprintable():
                assert evaluate(parse(text), {"s": STRING}, {"s": letter}), (text, hex(ord(letter)))


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(["b"] * 819),
        " and ".join(["i>1"] * 512),
        "i in (" + ",".join(map(str, range(900))) + ")",
        "s in (" + ",".join(f"'{number}'" for number in range(500)) + ")",
        "not " * 23 + "b",
        "greatest(i, " * 22 + "i" + ")" * 22 + " > 0",
        "abs(" * 22 + "x" + ")" * 22 + " > 0",
        "i" + " + i" * 22 + " > 0",
        "s like '" + "%a" * 2000 + "'",
    ],
)
def test_the_largest_predicates_run(database, rows, text):
    expression = parse(text)
    assert len(to_sql(expression, COLUMNS)) < 100_000
    assert answers(database, "nasty", expression)[:20] == [evaluate(expression, COLUMNS, row) for row in rows[:20]]


def test_a_column_with_a_hostile_name_is_only_a_column(database):
    name = 'a" is null; drop table nasty; --'
    database.register("hostile", pa.table({name: ["night"]}))
    text = to_text(tree.Comparison("=", tree.Column(name), tree.Literal("night", STRING)))
    sql = to_sql(parse(text), {name: STRING})
    assert database.execute(f"SELECT {sql} FROM hostile").fetchall() == [(True,)]
