"""What must never be accepted, whatever DuckDB would make of it; and bombs, which must be refused at once."""

import os
import time

import pytest

from clspec.predicate import ColumnType, PredicateError, parse, to_sql, understand

COLUMNS = {"n": ColumnType.INTEGER, "s": ColumnType.STRING, "b": ColumnType.BOOLEAN}

FILES = [
    "read_text('/etc/passwd') = 'x'",
    "(select content from read_text('/etc/passwd')) like '%'",
    "s in (select content from read_text('/etc/passwd'))",
    "exists (from read_csv('/etc/passwd'))",
    "exists (from '/etc/passwd')",
    "n = (select count(*) from '../secrets.parquet')",
    "n = (select count(*) from glob('/*'))",
    "n = (select count(*) from read_parquet('s3://bucket/x'))",
    "n = (select count(*) from read_json('http://example.com'))",
    "read_blob('/etc/passwd') is not null",
    "parquet_metadata('x') is null",
    "sniff_csv('x') is null",
    "getenv('HOME') = 'x'",
    "s = 'file:///etc/passwd'::blob",
]
STATEMENTS = [
    "true); drop table t; select (true",
    "true; drop table t",
    "true;",
    "n = 1; copy t to '/tmp/x'",
    "n = 1; attach '/tmp/x.db'",
    "n = 1; install httpfs; load httpfs",
    "set enable_external_access = true",
    "reset all",
    "pragma database_list",
    "call pragma_version()",
    "copy (select 1) to '/tmp/x'",
    "create macro f(a) as a",
    "true union select true",
    "true) union all (select true",
    "true order by n",
    "true limit 1",
    "true group by all",
    "true returning *",
    "true qualify true",
    "true -- and b",
    "true /* and */ and b",
    "true # and b",
]
QUERIES = [
    "n = (select 1)",
    "n in (select n from t)",
    "n in (table t)",
    "n in (values (1))",
    "n = any (select 1)",
    "n = all ([1])",
    "exists (select 1)",
    "query('select 1') = 1",
    "query_table('t') = 1",
    "n = (from t)",
    "duckdb_settings() is null",
    "current_setting('threads') = '1'",
    "getvariable('x') = 1",
    "columns(*) = 1",
    "* = 1",
    "n = count(*)",
    "sum(n) over () = 1",
    "row_number() over () = 1",
    "list_transform([1], x -> x) = 1",
    "lambda x: x",
    "[x for x in [1]] = 1",
    "{'a': 1}.a = 1",
    "struct_pack(a := 1).a = 1",
    "n[1] = 1",
    "t.n = 1",
    '"t"."n" = 1',
    "main.t.n = 1",
    "$1 = n",
    "? = n",
    ":n = n",
    "@n = 1",
    "n = 1::bigint",
    "cast(n as varchar) = '1'",
    "try_cast(s as bigint) = 1",
    "case when b then true else false end",
    "if(b, true, false)",
    "n is distinct from 1",
    "s collate nocase = 'a'",
    "s similar to '(a+)+b'",
    "regexp_matches(s, '(a+)+b')",
    "s ~ '(a+)+b'",
    "s glob '*'",
    "s ilike 'a'",
    "e'\\x41' = s",
    "x'41' is null",
    "$$a$$ = s",
    "s = U&'\\0041'",
    "not(b)::boolean",
    "(n, s) = (1, 'a')",
    "row(n) = row(1)",
    "interval 1 day is null",
    "time '12:00:00' is null",
    "b is true",
    "n isnull",
    "error('x') is null",
    "sleep(10) is null",
    "repeat('a', 1000000000) = s",
    "range(1000000000) is null",
    "printf('%s', n) = s",
    "hash(n) = 1",
]
CHANCE_AND_CLOCK = [
    "random() < 0.5",
    "uuid() = s",
    "gen_random_uuid() = s",
    "nextval('q') = 1",
    "currval('q') = 1",
    "now() is null",
    "today() is null",
    "current_date is null",
    "current_timestamp is null",
    "current_time is null",
    "localtimestamp is null",
    "get_current_timestamp() is null",
    "transaction_timestamp() is null",
    "age(n) is null",
    "setseed(0.5) is null",
    "txid_current() = 1",
    "date 'today' is null",
    "date 'now' is null",
    "timestamp 'now' is null",
    "timestamp 'infinity' is null",
    "timestamp 'epoch' is null",
    "version() = 'x'",
    "current_user = s",
    "user = s",
]
NAMES = [
    "rowid = 1",
    '"rowid" = 1',
    "main is null",
    'n = 1 and "; drop table t; --" = 1',
    "\u0441 = 1",
    "n\u200d = 1",
    "n \u202e= 1",
    "s = 'a\u2066b'",
    "n\x00 = 1",
    "n\x1b[31m = 1",
    "n\u0085= 1",
    "n\u2028= 1",
    "n\r\n= 1",
    "\ufeffn = 1",
    "\uff4e = 1",
    "n = \u0661",
    "n = \u00b2",
    "\u017felect 1",
]


@pytest.mark.parametrize("text", [*FILES, *STATEMENTS, *QUERIES, *CHANCE_AND_CLOCK, *NAMES])
def test_refused(text):
    expression, problems = understand(text, COLUMNS)
    assert expression is None
    assert problems[0].code in {"CLS320", "CLS302"}
    for problem in problems:
        assert 0 <= problem.start <= problem.end <= len(text)


HIDDEN = "\x00\x08\x0b\x1f\x7f\x80\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff"


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_a_hidden_character_is_refused_even_in_a_string(character):
    for text in (f"s = 'a{character}'", f'"{character}" = 1', f"s {character}= 'a'"):
        _, (problem,) = understand(text, COLUMNS)
        assert (problem.code, text[problem.start : problem.end]) == ("CLS320", character)
        assert f"U+{ord(character):04X}" in problem.message


BOMBS = {
    "open": "(" * 4000,
    "parentheses": "(" * 2000 + "b" + ")" * 2000,
    "25 parentheses": "(" * 25 + "b" + ")" * 25,
    "many parentheses": "(" * 1_000_000 + "b" + ")" * 1_000_000,
    "not": "not " * 1000 + "b",
    "not and parentheses": "not (" * 700 + "b" + ")" * 700,
    "minus": "- " * 2000 + "n = 1",
    "minus and parentheses": "-(" * 1300 + "n" + ")" * 1300 + " = 1",
    "abs": "abs(" * 800 + "n" + ")" * 800 + " = 1",
    "least": "least(n, " * 400 + "n" + ")" * 400 + " = 1",
    "sum": "n" + " + n" * 1000 + " = 1",
    "product": "n" + "*n" * 2000 + " = 1",
    "right-leaning sum": "n + (" * 700 + "n" + ")" * 700 + " = 1",
    "comparisons": "(" * 600 + "b" + " = b)" * 600,
    "20,000 ands": " and ".join(["b"] * 20_000),
    "in list": "n in (" + ",".join(["1"] * 1_000_000) + ")",
    "number": "n = " + "9" * 1_000_000,
    "string": "s = '" + "a" * 1_000_000 + "'",
    "quotes": "s = " + "'" * 1_000_001,
    "name": "n" * 1_000_000 + " = 1",
    "spaces": " " * 10_000_000,
}


SECONDS = 10  # many times what any of them takes, and nothing of what one takes that explodes


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name):
    began = time.process_time()
    with pytest.raises(PredicateError) as raised:
        parse(BOMBS[name])
    assert raised.value.problem.code == "CLS322" or name == "open"
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "'" * 4095,
        '"' * 4095,
        "1" * 4000 + "x",
        "1e+" * 1300,
        "." * 4096,
        "((((((((((((((((((((((((",
        "b and " * 680,
        "n in (" + "1," * 2040,
        "9" * 4096,
        "0." + "0" * 4000 + "1 = 1",
        "1e" + "9" * 4000 + " = 1",
        "e" * 4090 + "()",
    ],
)
def test_what_fits_the_length_is_refused_as_fast(text):
    began = time.process_time()
    expression, problems = understand(text, COLUMNS)
    assert expression is None
    assert problems
    assert time.process_time() - began < SECONDS


def test_the_largest_trees_are_handled_fast():
    deep = "least(n, " * 22 + "n" + ")" * 22
    wide = " or ".join(["b = b"] * 400)
    began = time.process_time()
    for text in (f"{deep} = 1", wide, f"{deep} = {deep}"):
        expression, problems = understand(text, COLUMNS)
        assert problems == ()
        assert len(to_sql(expression, COLUMNS)) < 100_000
    assert time.process_time() - began < SECONDS


def test_nothing_is_accepted_in_a_deep_stack():
    """A caller that is itself deep must not turn a predicate into a RecursionError of the interpreter."""

    def below(frames):
        return below(frames - 1) if frames else parse("(" * 23 + "b" + ")" * 23)

    assert below(300) == parse("b")


def test_reading_touches_nothing_outside(monkeypatch):
    def refuse(*_):
        pytest.fail("opened a file")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os, "open", refuse)
    understand("read_text('/etc/passwd') = s", COLUMNS)
