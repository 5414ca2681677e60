"""Comparing predicates is never wrong about a row, and decides all that asks about columns alone."""

import datetime as dt
import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clspec.predicate import ColumnType, check, evaluate, parse, to_text, tree
from clspec.predicate.compare import Relation, compare

SAME, NARROWER, WIDER, OTHER, UNKNOWN = Relation
COLUMNS = {
    "s": ColumnType.STRING,
    "t": ColumnType.STRING,
    "i": ColumnType.INTEGER,
    "j": ColumnType.INTEGER,
    "x": ColumnType.DOUBLE,
    "y": ColumnType.DOUBLE,
    "b": ColumnType.BOOLEAN,
    "at": ColumnType.TIMESTAMP,
    "day": ColumnType.DATE,
    "frame": ColumnType.BINARY,
}


def related(before, after, columns=COLUMNS):
    return compare(parse(before), parse(after), columns)


DECIDED = [
    ("s = 'a'", "s = 'a'", SAME),
    ("s = 'a'", "'a' = s", SAME),
    ("s = 'a' and t = 'b'", "t = 'b' and s = 'a'", SAME),
    ("s in ('a', 'b')", "s = 'b' or s = 'a'", SAME),
    ("s in ('a', 'b')", "s = 'a'", NARROWER),
    ("s = 'a'", "s in ('a', 'b')", WIDER),
    ("s = 'a'", "s = 'b'", OTHER),
    ("s = 'a'", "s != 'a'", OTHER),
    ("s != 'a'", "not s = 'a'", SAME),
    ("x > 0.4", "x >= 0.4", WIDER),
    ("x >= 0.4", "x >= 0.5", NARROWER),
    ("x between 1 and 2", "x >= 1 and x <= 2", SAME),
    ("x between 1 and 2", "1.0 <= x and 2.0 >= x", SAME),
    ("x between 2 and 1", "false", SAME),
    ("i > 1", "i >= 2", SAME),
    ("i > 1.5", "i >= 2", SAME),
    ("i > 1 and i < 3", "i = 2", SAME),
    ("x > 1 and x < 3", "x = 2", NARROWER),
    ("i > 9223372036854775807", "false", SAME),
    ("x > 0", "x > -0.0", SAME),
    ("s is null", "s is not null", OTHER),
    ("s is null or s is not null", "true", SAME),
    ("s = 'a' or s != 'a'", "true", WIDER),
    ("s = 'a' or s != 'a'", "s is not null", SAME),
    ("b", "b = true", SAME),
    ("b", "not b", OTHER),
    ("b = (x > 1)", "(x > 1) = b", SAME),
    ("(x > 1) is null", "x is null", SAME),
    ("(x > 1 and s = 'a') is null", "x is null", OTHER),
    ("s like 'ab%'", "starts_with(s, 'ab')", SAME),
    ("s like 'ab%'", "s like 'a%'", WIDER),
    ("s like 'ab%'", "s >= 'ab' and s < 'ac'", SAME),
    ("s like 'abc'", "s = 'abc'", SAME),
    ("s like '%'", "s is not null", SAME),
    ("s like '%a%'", "s like '%a%' and x > 1", NARROWER),
    ("s like '%a%'", "s like '%b%'", UNKNOWN),
    ("s = 'cat'", "s = 'cat' and s like '%a%'", SAME),
    ("s = 'cat'", "s like '%a%'", WIDER),
    ("abs(x) > 20 or y < -4", "abs(x) > 20", NARROWER),
    ("abs(x) > 20", "abs(x) > 10", WIDER),
    ("abs(x) > 20", "abs(x) > 20.0", SAME),
    ("x < y", "y > x", SAME),
    ("x < y", "y >= x", WIDER),
    ("x + y > 1", "y + x > 1", UNKNOWN),
    ("x > 0.5 or b", "b or x > 0.5 and b", NARROWER),
    ("not (x > 0.5 and b)", "x <= 0.5 or not b", SAME),
    ("frame is null", "not frame is not null", SAME),
    ("day >= date '2026-01-02'", "day > date '2026-01-01'", SAME),
    ("at >= timestamp '2026-01-01T01:00:00+01:00'", "at >= timestamp '2026-01-01T00:00:00Z'", SAME),
    ("i between 9007199254740993 and 9007199254740994", "i = 9007199254740993", NARROWER),
    ("i = 9007199254740993.0", "i = 9007199254740992", UNKNOWN),
]


@pytest.mark.parametrize(("before", "after", "expected"), DECIDED)
def test_a_change_is_what_it_is_and_its_reverse_is_the_reverse(before, after, expected):
    assert related(before, after).selected is expected
    back = {NARROWER: WIDER, WIDER: NARROWER}.get(expected, expected)
    assert related(after, before).selected is back


def test_rows_that_are_no_longer_left_open_are_told_of():
    found = related("x > 1", "x > 1 and x is not null")
    assert (found.selected, found.unknown) == (SAME, NARROWER)
    assert related("x > 1", "not x <= 1").unknown is SAME


def test_a_column_of_another_type_has_other_values():
    before, after = parse("x > 1"), parse("x > 1")
    later = {**COLUMNS, "x": ColumnType.INTEGER}
    assert compare(before, after, COLUMNS, later).selected is UNKNOWN


def test_a_new_column_can_be_compared():
    later = {**COLUMNS, "new": ColumnType.DOUBLE}
    found = compare(parse("x > 1"), parse("x > 1 and new > 2"), COLUMNS, later)
    assert found.selected is NARROWER


def test_a_predicate_that_makes_no_sense_is_not_compared():
    with pytest.raises(ValueError, match="CLS302"):
        related("gone > 1", "x > 1")


def test_predicates_beyond_what_is_looked_at_are_the_same_only_where_they_say_the_same():
    columns = {f"c{n}": ColumnType.INTEGER for n in range(40)}
    long = " and ".join(f"c{n} > 1" for n in range(40))
    assert related(long, long, columns).selected is SAME
    assert related(long, f"{long} and c1 > 2", columns).selected is UNKNOWN


# -- laws --------------------------------------------------------------------------------------------------------------

VALUES = {
    "s": ["", "a", "ab", "abc", "ac", "b", "a\0", "%"],
    "i": [-1, 0, 1, 2, 3, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)],
    "x": [-1.0, 0.0, -0.0, 0.4, 0.5, 1.0, 1.5, 2.0, math.nan, math.inf, -math.inf, 2.0**53],
    "b": [True, False],
    "at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC)],
    "day": [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(1, 1, 1)],
    "frame": [b"", b"\x00"],
}
VALUES |= {"t": VALUES["s"], "j": VALUES["i"], "y": VALUES["x"]}
ROWS = st.fixed_dictionaries({name: st.sampled_from([None, *values]) for name, values in VALUES.items()})
TRUE = tree.Literal(value=True, type=ColumnType.BOOLEAN)
NUMBERS = ["i", "j", "x", "y"]
SIGNS = st.sampled_from(tree.COMPARISONS)


def literal(name):
    column_type = COLUMNS[name]
    known = [value for value in VALUES[name] if not (isinstance(value, float) and not math.isfinite(value))]
    return st.sampled_from(known).map(lambda value: tree.Literal(value, column_type))


def numbers():
    return st.sampled_from(NUMBERS).flatmap(literal)


@st.composite
def simple(draw):
    """A question about one column."""
    name = draw(st.sampled_from(sorted(COLUMNS)))
    column = tree.Column(name)
    if name == "frame" or draw(st.integers(0, 5)) == 0:
        return tree.IsNull(column)
    if name == "b":
        return draw(st.sampled_from([column, tree.Comparison("=", column, TRUE)]))
    value = numbers() if name in NUMBERS else literal(name)
    kind = draw(st.sampled_from(["compare", "compare", "in", "between", *(["like"] if name in "st" else [])]))
    if kind == "compare":
        sides = [column, draw(value)]
        return tree.Comparison(draw(SIGNS), *(sides if draw(st.booleans()) else sides[::-1]))
    if kind == "in":
        return tree.In(column, tuple(draw(st.lists(value, min_size=1, max_size=3))))
    if kind == "between":
        return tree.Between(column, draw(value), draw(value))
    return tree.Like(column, draw(st.sampled_from(["a%", "ab%", "%b", "a_", "", "%", "abc"])))


@st.composite
def computed(draw):
    """A question about what is computed from several columns."""
    first, second = (tree.Column(name) for name in draw(st.tuples(*[st.sampled_from(["x", "y", "i"])] * 2)))
    term = draw(
        st.sampled_from(
            [
                tree.Call("abs", (first,)),
                tree.Arithmetic("/", first, second),
                tree.Arithmetic("+", first, second),
                tree.Call("coalesce", (first, second)),
                tree.Negative(first),
            ]
        )
    )
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return tree.Comparison(draw(SIGNS), first, second)
    if kind == 1:
        return tree.IsNull(term)
    if kind == 2:
        return tree.Between(draw(numbers()), first, second)
    if kind == 3:
        return tree.Between(first, draw(numbers()), term)
    if kind == 4:
        return tree.Comparison("=", tree.Call("lower", (tree.Column("s"),)), draw(literal("s")))
    return tree.Comparison(draw(SIGNS), term, draw(numbers()))


def joined(inner):
    pair = st.lists(inner, min_size=2, max_size=3)
    return (
        pair.map(tree.all_of)
        | pair.map(tree.any_of)
        | inner.map(tree.Not)
        | inner.map(tree.IsNull)
        | st.builds(lambda left, right: tree.Comparison("!=", left, right), inner, inner)
    )


SIMPLE = st.recursive(simple(), joined, max_leaves=5)
ANY = st.recursive(simple() | computed(), joined, max_leaves=5)
CHANCE = random.Random(5)
MANY = [{name: CHANCE.choice([None, *values]) for name, values in VALUES.items()} for _ in range(60)]


def rows_of(expression, rows):
    return [evaluate(expression, COLUMNS, row) for row in rows]


def holds(relation, old, new):
    """Whether what is said of two sets of rows is true of these."""
    lost = any(was and not now for was, now in zip(old, new, strict=True))
    come = any(now and not was for was, now in zip(old, new, strict=True))
    return not (relation in (SAME, NARROWER) and come) and not (relation in (SAME, WIDER) and lost)


def meant(before, after):
    """Predicates from the generators; those whose types do not go together are left out."""
    assume(not check(before, COLUMNS) and not check(after, COLUMNS))
    return compare(before, after, COLUMNS)


@given(before=ANY, after=ANY)
@settings(max_examples=100, deadline=None)
def test_what_is_said_holds_for_every_row(before, after):
    found = meant(before, after)
    old, new = rows_of(before, MANY), rows_of(after, MANY)
    assert holds(found.selected, [one is True for one in old], [one is True for one in new]), to_text(before)
    assert holds(found.unknown, [one is None for one in old], [one is None for one in new]), to_text(before)


@given(before=ANY, extra=ANY)
@settings(max_examples=200, deadline=None)
def test_a_condition_more_never_widens_and_a_choice_more_never_narrows(before, extra):
    assert meant(before, tree.all_of([before, extra])).selected in {SAME, NARROWER}
    assert meant(before, tree.any_of([before, extra])).selected in {SAME, WIDER}


@given(before=SIMPLE)
@settings(max_examples=200, deadline=None)
def test_the_same_said_otherwise_is_the_same(before):
    found = meant(before, tree.Not(tree.Not(before)))
    assert (found.selected, found.unknown) == (SAME, SAME)


@st.composite
def exact(draw):
    """Only what is decided: no pattern but a beginning, no mixture that rounds."""
    found = draw(SIMPLE)
    for part in tree.walk(found):
        if isinstance(part, tree.Like):
            pattern = part.pattern.rstrip("%")
            if set(pattern) & {"%", "_"}:
                return TRUE
        if isinstance(part, tree.Literal) and isinstance(part.value, int | float) and abs(part.value) >= 2**53:
            return TRUE
    return found


@given(before=exact(), after=exact())
@settings(max_examples=200, deadline=None)
def test_of_columns_alone_everything_is_decided(before, after):
    assert meant(before, after).selected is not UNKNOWN
