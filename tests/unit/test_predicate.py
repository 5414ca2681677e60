"""The grammar of predicates, their types, where errors point and what they suggest, and printing."""

import datetime as dt

import pytest

from clspec.predicate import (
    MAX_DEPTH,
    MAX_LENGTH,
    ColumnType,
    PredicateError,
    allowed_values,
    check,
    columns_of,
    evaluate,
    parse,
    to_sql,
    to_text,
    understand,
)
from clspec.predicate.tree import (
    And,
    Arithmetic,
    Between,
    Call,
    Column,
    Comparison,
    In,
    IsNull,
    Like,
    Literal,
    Negative,
    Not,
    Or,
)

COLUMNS = {
    "label": ColumnType.STRING,
    "lighting": ColumnType.STRING,
    "conf": ColumnType.DOUBLE,
    "steer_rate": ColumnType.DOUBLE,
    "n": ColumnType.INTEGER,
    "ok": ColumnType.BOOLEAN,
    "ts": ColumnType.TIMESTAMP,
    "day": ColumnType.DATE,
    "frame": ColumnType.BINARY,
}

A, B, C = Column("a"), Column("b"), Column("c")


def integer(value):
    return Literal(value, ColumnType.INTEGER)


def double(value):
    return Literal(value, ColumnType.DOUBLE)


def string(value):
    return Literal(value, ColumnType.STRING)


def marked(text):
    """A text without its marks, and the stretch between them: `label «==» 'x'`."""
    start = text.index("\u00ab")
    end = text.index("\u00bb") - 1
    return text.replace("\u00ab", "").replace("\u00bb", ""), start, end


# -- what a text means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("a = b", Comparison("=", A, B)),
        ("a <> b", Comparison("!=", A, B)),
        ("a or b and c", Or((A, And((B, C))))),
        ("(a or b) and c", And((Or((A, B)), C))),
        ("a and (b and c)", And((A, B, C))),
        ("not a and b", And((Not(A), B))),
        ("not a = b", Not(Comparison("=", A, B))),
        ("a is not null", Not(IsNull(A))),
        ("a not in (1, 'x')", Not(In(A, (integer(1), string("x"))))),
        ("not a in (-1)", Not(In(A, (integer(-1),)))),
        ("a between b and c and c", And((Between(A, B, C), C))),
        ("a not like 'x%'", Not(Like(A, "x%"))),
        ("a + b * c", Arithmetic("+", A, Arithmetic("*", B, C))),
        ("a - b - c", Arithmetic("-", Arithmetic("-", A, B), C)),
        ("a - -1", Arithmetic("-", A, integer(-1))),
        ("a -1", Arithmetic("-", A, integer(1))),
        ("-a % b", Arithmetic("%", Negative(A), B)),
        ("-(1)", Negative(integer(1))),
        ("- - a", Negative(Negative(A))),
        ("-9223372036854775808", integer(-(2**63))),
        ("1e3", double(1000.0)),
        ("3e-4", double(0.0003)),
        ("0.50", double(0.5)),
        ("007", integer(7)),
        ("'rider''s'", string("rider's")),
        ("''", string("")),
        ("'-- /* ; $1'", string("-- /* ; $1")),
        ('"and"', Column("and")),
        ('"odd ""name"" \u00e4"', Column('odd "name" \u00e4')),
        ("TRUE Or NOT fAlSe", Or((Literal(True, ColumnType.BOOLEAN), Not(Literal(False, ColumnType.BOOLEAN))))),  # noqa: FBT003
        ("date", Column("date")),
        ("date '2026-01-31'", Literal(dt.date(2026, 1, 31), ColumnType.DATE)),
        (
            "timestamp '2026-01-31 01:00:00.5+01:00'",
            Literal(dt.datetime(2026, 1, 31, 0, 0, 0, 500_000, tzinfo=dt.UTC), ColumnType.TIMESTAMP),
        ),
        ("ABS(a)", Call("abs", (A,))),
        ("least(a, b and c)", Call("least", (A, And((B, C))))),
        ("\n a\t=\n b ", Comparison("=", A, B)),
    ],
)
def test_text_becomes_tree(text, tree):
    assert parse(text) == tree


def test_trees_tell_an_integer_from_a_double_from_a_boolean():
    assert len({parse("1"), parse("1.0"), parse("true")}) == 3


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((A)) = (('x'))", "A = 'x'"),
        ("a<>1 OR(not b)", "a != 1 or not b"),
        ("(a and b) or (c and (a))", "a and b or c and a"),
        ("a and (b or c)", "a and (b or c)"),
        ("not (a in (1))", "a not in (1)"),
        ("not (not (a is null))", "not a is not null"),
        ("not (a or b)", "not (a or b)"),
        ("(not a) = b", "(not a) = b"),
        ("(a = b) = c", "(a = b) = c"),
        ("(a + b) - (c - a)", "a + b - (c - a)"),
        ("(a * b) + c / (a * b)", "a * b + c / (a * b)"),
        ("-(-a)", "-(-a)"),
        ("-(-1)", "-(-1)"),
        ("-(a + b)", "-(a + b)"),
        ("(a + b) between (1) and (2)", "a + b between 1 and 2"),
        ("(a and b) is null", "(a and b) is null"),
        ("1e2", "100.0"),
        ("1E-7", "1e-07"),
        ('"a" = "b c"', 'a = "b c"'),
        ('"null" = 1', '"null" = 1'),
        ('"NULL" = 1', '"NULL" = 1'),
        ("TIMESTAMP '2026-01-31 02:00:00+02:00'", "timestamp '2026-01-31T00:00:00Z'"),
        ("Coalesce(a,b)", "coalesce(a, b)"),
    ],
)
def test_canonical_text(text, canonical):
    assert to_text(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("label = 'rider''s'", "(CAST(\"label\" AS VARCHAR) = 'rider''s')"),
        ("conf > 1", "(NULLIF(CAST(\"conf\" AS DOUBLE), CAST('NaN' AS DOUBLE)) > 1.0e0)"),
        ("conf < -0.5", "(NULLIF(CAST(\"conf\" AS DOUBLE), CAST('NaN' AS DOUBLE)) < (-0.5e0))"),
        ("n = 1", '(CAST("n" AS BIGINT) = CAST(1 AS BIGINT))'),
        ("n % 2 = 0", '((CAST("n" AS BIGINT) % NULLIF(CAST(2 AS BIGINT), CAST(0 AS BIGINT))) = CAST(0 AS BIGINT))'),
        (
            "n / 2 > 1",
            "(NULLIF((CAST(CAST(\"n\" AS BIGINT) AS DOUBLE) / NULLIF(2.0e0, 0e0)), CAST('NaN' AS DOUBLE)) > 1.0e0)",
        ),
        ("not ok or true", '((NOT CAST("ok" AS BOOLEAN)) OR TRUE)'),
        ("ts < timestamp '2026-01-31T00:00:00Z'", "(epoch_us(\"ts\") < epoch_us(TIMESTAMP '2026-01-31 00:00:00'))"),
        ("day in (date '2026-01-31')", "(CAST(\"day\" AS DATE) IN (DATE '2026-01-31'))"),
    ],
)
def test_sql(text, sql):
    assert to_sql(parse(text), COLUMNS) == sql


def test_sql_and_answers_are_refused_for_what_makes_no_sense():
    for use in (lambda one: to_sql(one, COLUMNS), lambda one: evaluate(one, COLUMNS, {})):
        with pytest.raises(ValueError, match="CLS321"):
            use(parse("label = 3"))


def test_columns_of():
    assert columns_of(parse("a = 1 and lower(\"b c\") like 'x' or a between d and -e")) == {"a", "b c", "d", "e"}
    assert columns_of(parse("1 = 2")) == frozenset()


# -- what is no predicate: where, and what to write instead -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("label «==» 'x'", "`=`"),
        ("n «=<» 1", "`<=`"),
        ("n «=>» 1", "`>=`"),
        ("n «\u2264» 1", "`<=`"),
        ("n = 1 «&&» ok", "`and`"),
        ("n = 1 «||» ok", "`or`"),
        ("«!»ok", "`not`"),
        ("label «~» 'x'", "`like`"),
        ("label «=~» 'x'", "`like`"),
        ("label «ilike» 'x'", "lower"),
        ("label «similar» to 'x'", "`like`"),
        ("label «regexp_like» 'x'", "`like`"),
        ("«regexp_matches»(label, 'x')", "`like`"),
        ("label like 'x' «escape» '!'", "escape"),
        ("label like «'50\\%'»", "`\\`"),
        ("label like «lighting»", "`like 'rain%'`"),
        ("n = «null»", "`is null`"),
        ("n <> «null»", "`is not null`"),
        ("n in (1, «null»)", "`or ... is null`"),
        ("«null» is null", "is null"),
        ("ok is «true»", "= true"),
        ("n is «distinct» from 1", "compare with `=`"),
        ("n «not» null", "`is not null`"),
        ("n in «1»", "`in ('a', 'b')`"),
        ("n in «[»1]", "parentheses"),
        ("n in («)»", "at least one"),
        ("n in (1, «)»", "comma"),
        ("n in («ok»)", "a = b or a = c"),
        ("n in («select» 1)", "subqueries"),
        ("n in (1 «2»)", ""),
        ("n between 1«,» 2", "between 1 and 3"),
        ("0 < n «<» 3", "a < b and b < c"),
        ("n = «not» ok", "parentheses"),
        ("n = «+» 1", "leave"),
        ("«(»n = 1", "`)`"),
        ("((n = 1) and «(»ok", "`)`"),
        ("n = 1«)»", "take it out"),
        ("(label«,» n) = 1", "`in`"),
        ("n = 1 and«»", ""),
        ("n = «and»", ""),
        ("conf > 90%«»", "0.9"),
        ("conf > 90% «and» ok", "0.9"),
        ("n «2»", ""),
        ("label «'x'»", ""),
        ("label = 'rider's«'»", "written twice"),
        ("label = «'night»", "written twice"),
        ("label = «'it''s»", "written twice"),
        ("label = «\u2018»night\u2019", "single quotes"),
        ('«"label = 1»', "single quotes"),
        ('«""» = label', "''"),
        ("label = 'it\\'s«'»", "written twice"),
        ("label = «\\»n", "written twice"),
        ("«`»label` = 'x'", "double quotes"),
        ("t«.»label = 'x'", "alone"),
        ("label«::»text = 'x'", "converted"),
        ("«cast»(n as double) > 1", "converted"),
        ("n = 1«;» drop table t", "one expression"),
        ("n = 1 «--» note", "comments"),
        ("n = 1 «/*» note */", "comments"),
        ("n = 1 «#» note", "comments"),
        ("«--»n = 1", "space"),
        ("n = «$»1", "parameters"),
        ("n = «?»", "parameters"),
        ("n = «:»n", "parameters"),
        ("n «**» 2 > 1", "product"),
        ("n «//» 2 > 1", "floor"),
        ("n = «.5»", "0.5"),
        ("n = «5.»", "0.5"),
        ("n = «1_000»", "without `_`"),
        ("n = «0x10»", "`12`"),
        ("n = «1e»", "3e-4"),
        ("n = «99999999999999999999»", "quote it"),
        ("n = «-9223372036854775809»", "quote it"),
        ("conf > «1e400»", ""),
        ("conf > «1e-400»", ""),
        ("«gr\u00f6\u00dfe» > 1", '"gr\u00f6\u00dfe"'),
        ("n =«\u00a0»1", "plain space"),
        ("n =«\u200b» 1", "plain space"),
        ("n = «\u20ac»", ""),
        ("n = 1«\r»", "seen"),
        ("label = 'a«\x00»'", "seen"),
        ("label = 'a«\u202e»'", "seen"),
        ("label = 'a«\u2028»'", "seen"),
        ("label = 'a«\ud800»'", "seen"),
        ("label = «'a\nb'»", "close the quote"),
        ("«»", "`true`"),
        ("«»  \n", "`true`"),
        ("«now»() > ts", "clock"),
        ("«random»() < conf", "clock"),
        ("«read_csv»('x') = 'a'", "one row"),
        ("«select» 1", "subqueries"),
        ("«exists» (select 1)", "subqueries"),
        ("«case» when ok then true end", "`and` and `or`"),
        ("«interval» '1 day' > ts", "timestamp"),
        ("«lenght»(label) = 1", "`length`"),
        ("«len»(label) = 1", "`length(...)`"),
        ("«min»(n, 1) = 1", "least"),
        ("«abs()» = 1", ""),
        ("«round(conf, 2)» = 1", "whole"),
        ("«least(n)» = 1", ""),
        ("«length(label, label)» = 1", ""),
        ("abs(n«;»", ""),
        ("ts > timestamp «'2026-01-31'»", "offset"),
        ("ts > timestamp «'2026-01-31 00:00:00'»", "offset"),
        ("ts > timestamp «'2026-01-31T00:00:00.1234567Z'»", "six digits"),
        ("ts > timestamp «'2026-02-30T00:00:00Z'»", ""),
        ("ts > timestamp «'0001-01-01T00:00:00+01:00'»", ""),
        ("day = date «'31.01.2026'»", "date '2026-01-31'"),
        ("day = date «'2026-02-30'»", ""),
        ("day = «date»('2026-01-31')", "date '2026-01-31'"),
    ],
)
def test_unreadable(text, hint):
    text, start, end = marked(text)
    with pytest.raises(PredicateError) as raised:
        parse(text)
    problem = raised.value.problem
    assert (problem.code, problem.start, problem.end) == ("CLS320", start, end), problem
    assert hint in problem.hint
    assert problem.message in str(raised.value)
    assert understand(text, COLUMNS) == (None, (problem,))


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("«labl» = 'x'", "CLS302", "did you mean `label`?"),
        ("«Label» = 'x'", "CLS302", "did you mean `label`?"),
        ("«xyz» = 1", "CLS302", "known: "),
        ("«today» = day", "CLS302", "clock"),
        ("label = «None»", "CLS302", "'None'"),
        ("n = «None»", "CLS302", "is null"),
        ('lighting = «"night"»', "CLS302", "the string 'night'"),
        ("lighting = «night»", "CLS302", "the string 'night'"),
        ("label = «3»", "CLS321", "'3'"),
        ("«3» = label", "CLS321", "'3'"),
        ("n = «'3'»", "CLS321", "quotes: 3"),
        ("n = «'three'»", "CLS321", "nothing is converted"),
        ("n = «label»", "CLS321", "nothing is converted"),
        ("n in (1, «'2'», 3.5)", "CLS321", "quotes: 2"),
        ("n between 1 and «'2'»", "CLS321", "quotes: 2"),
        ("ok = «1»", "CLS321", "`true` or `false`"),
        ("ts > «'2026-01-31'»", "CLS321", "timestamp '"),
        ("day > «'2026-01-31'»", "CLS321", "date '"),
        ("ts > «day»", "CLS321", "nothing is converted"),
        ("coalesce(label, «n») = 'a'", "CLS321", "nothing is converted"),
        ("greatest(n, conf, «label») > 1", "CLS321", "nothing is converted"),
        ("«n»", "CLS321", "compare"),
        ("«n + 1»", "CLS321", "compare"),
        ("«lower(label)»", "CLS321", "compare"),
        ("not «label»", "CLS321", "compare"),
        ("ok and «conf»", "CLS321", "compare"),
        ("label = 'a' or «'b'»", "CLS321", "`or label = 'b'`"),
        ("label like 'a' and n + «label» > 1", "CLS321", ""),
        ("«ok» + 1 > 1", "CLS321", ""),
        ("-«label» = 1", "CLS321", ""),
        ("«n» like '1%'", "CLS321", ""),
        ("length(«n») = 1", "CLS321", ""),
        ("starts_with(label, «1»)", "CLS321", "'1'"),
        ("abs(«'3'») > 1", "CLS321", "quotes: 3"),
        ("«ok» < (n > 1)", "CLS321", "no order"),
        ("«frame» in ('a')", "CLS321", "`is null`"),
        ("length(«frame») > 1", "CLS321", "`is null`"),
    ],
)
def test_makes_no_sense(text, code, hint):
    text, start, end = marked(text)
    expression, problems = understand(text, COLUMNS)
    assert expression is None
    assert (problems[0].code, problems[0].start, problems[0].end) == (code, start, end), problems
    assert hint in problems[0].hint


def test_all_problems_are_found_in_one_go_and_each_once():
    text = "labl = 'x' and n = '3' or (conf and frame = nope) and abs(nope + label) > 1"
    found = [(problem.code, text[problem.start : problem.end]) for problem in check(parse(text), COLUMNS)]
    assert found == [
        ("CLS302", "labl"),
        ("CLS321", "'3'"),
        ("CLS321", "conf"),
        ("CLS321", "frame"),
        ("CLS302", "nope"),
        ("CLS302", "nope"),
        ("CLS321", "label"),
    ]


def test_columns_that_differ_in_case_alone_are_refused():
    (problem,) = check(parse("Label = 'x'"), {"Label": ColumnType.STRING, "label": ColumnType.STRING})
    assert (problem.code, problem.start, problem.end) == ("CLS302", 0, 5)
    assert (
        check(parse("n = 1"), {"n": ColumnType.INTEGER, "Label": ColumnType.STRING, "label": ColumnType.STRING}) == ()
    )


def test_parentheses_belong_to_what_surrounds_them():
    text = "not (n = 1) and ((label)) = ('x')"
    expression = parse(text)
    assert [text[part.start : part.end] for part in expression.parts] == ["not (n = 1)", "((label)) = ('x')"]


# -- size -------------------------------------------------------------------------------------------------------------


def test_length_counts_characters():
    longest = "ok or " * 682 + "ok  "
    assert len(longest) == MAX_LENGTH
    assert len(parse(longest).parts) == 683
    with pytest.raises(PredicateError) as raised:
        parse(longest + " ")
    assert raised.value.problem.code == "CLS322"
    assert (raised.value.problem.start, raised.value.problem.end) == (MAX_LENGTH, MAX_LENGTH + 1)


@pytest.mark.parametrize(
    "nested",
    [
        lambda levels: "(" * levels + "ok" + ")" * levels,
        lambda levels: "not " * (levels - 1) + "ok",
        lambda levels: "- " * (levels - 2) + "n = 1",
        lambda levels: "abs(" * (levels - 2) + "n" + ")" * (levels - 2) + " = 1",
        lambda levels: "n" + " + n" * (levels - 2) + " = 1",
        lambda levels: (
            "(ok and (ok or " * ((levels - 1) // 2)
            + "not ok" * (levels % 2)
            + "ok" * (1 - levels % 2)
            + "))" * ((levels - 1) // 2)
        ),
    ],
)
def test_depth_is_at_most_24(nested):
    assert parse(nested(MAX_DEPTH)).depth <= MAX_DEPTH
    with pytest.raises(PredicateError) as raised:
        parse(nested(MAX_DEPTH + 1 + MAX_DEPTH % 2))
    assert raised.value.problem.code == "CLS322"


def test_chains_of_and_and_or_are_one_level():
    assert parse(" and ".join(["ok"] * 500)).depth == 2
    assert parse("ok and (" * 20 + "ok" + ")" * 20).depth == 2


# -- what a predicate pins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("label = 'dog'", {"dog"}),
        ("'dog' = label", {"dog"}),
        ("label in ('dog', 'cat')", {"dog", "cat"}),
        ("label = 'dog' or label = 'cat' and n = 1", {"dog", "cat"}),
        ("label = 'dog' and n > 1", {"dog"}),
        ("label in ('dog', 'cat') and label in ('cat', 'cow')", {"cat"}),
        ("label = 'dog' and label = 'cat'", set()),
        ("label = 'dog' or label is null", {"dog", None}),
        ("label = 'dog' or false", {"dog"}),
        ("label = 'dog' or n = 1", None),
        ("label = 'dog' or true", None),
        ("label != 'dog'", None),
        ("not label = 'dog'", None),
        ("label not in ('dog')", None),
        ("label is not null", None),
        ("label like 'dog'", None),
        ("lower(label) = 'dog'", None),
        ("label = lighting", None),
        ("n >= 1 and n <= 1", None),
        ("lighting = 'day'", None),
        ("ok", None),
    ],
)
def test_allowed_values_of_a_class(text, values):
    assert allowed_values(parse(text), "label") == values


def test_allowed_values_of_other_types():
    assert allowed_values(parse("ok and n > 1"), "ok") == {True}
    assert allowed_values(parse("not ok"), "ok") == {False}
    assert allowed_values(parse("n = -1 or n = 2.0"), "n") == {-1, 2}
    assert allowed_values(parse("n = 9007199254740992.0"), "n") is None  # 2^53 + 1 is the same double
    assert allowed_values(parse("day = date '2026-01-31'"), "day") == {dt.date(2026, 1, 31)}
