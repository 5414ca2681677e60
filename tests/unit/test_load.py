import datetime
import json
import math
import os
import re
import subprocess
import sys
from functools import partial

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clspec import load as room
from clspec.codes import CODES
from clspec.diagnostic import Severity, UsageError
from clspec.load import MAX_BYTES, MAX_BYTES_PURE, PureParser, load, read
from clspec.reading.findings import COUNTED, SHOWN
from clspec.reading.scalars import OddNumber, elsewhere, meaning

BOTH = pytest.mark.parametrize(
    "load",
    [
        pytest.param(
            partial(room._load, new_parser=getattr(room, "CParser", None)),
            id="libyaml",
            marks=pytest.mark.skipif(not hasattr(room, "CParser"), reason="PyYAML came without libyaml"),
        ),
        pytest.param(partial(room._load, new_parser=PureParser), id="pure"),
    ],
)


def value_of(text, load=load):
    document, diagnostics = load(text, "spec.yaml")
    assert {found.code for found in diagnostics} <= {"CLS211"}
    return document.value


def told(text, load=load):
    return [(d.code, d.span.line, d.span.column, d.where) for d in load(text, "spec.yaml")[1]]


# -- scalars -----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("no", "no"),
        ("NO", "NO"),
        ("off", "off"),
        ("on", "on"),
        ("y", "y"),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-12", -12),
        ("0755", 755),
        ("00", 0),
        ("0o17", 15),
        ("-0o17", "-0o17"),
        ("0o8", "0o8"),
        ("0x1F", 31),
        ("0X1F", "0X1F"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-24", "2026-11-24"),
        ("2026-11-24 10:00:00", "2026-11-24 10:00:00"),
        ("3e-4", 3e-4),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1.e2", 100.0),
        ("0.", 0.0),
        (".", "."),
        ("-.", "-."),
        ("e3", "e3"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("٣", "٣"),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0x7fffffffffffffff", 2**63 - 1),
        ("0000000000000000000000000000000000009", 9),
        ("'3'", "3"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("''", ""),
        ("nan", "nan"),
        ("inf", "inf"),
        (".nAN", ".nAN"),
        ("<<", "<<"),
        ("=", "="),
        ("a#b", "a#b"),
        ("a #b", "a"),
        ('"\\u202e\\u2028\\x85\\ufeff"', "\u202e\u2028\x85\ufeff"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(load, written, value):
    found = value_of(f"a: {written}\n", load)["a"]
    assert (type(found), found) == (type(value), value)


def otherwise(text):
    """Whether PyYAML, which follows YAML 1.1, reads an unquoted text otherwise than YAML 1.2 does."""
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    ours, theirs = meaning(text), loader.construct_object(yaml.ScalarNode(tag, text))
    dates = isinstance(theirs, datetime.date)
    exponents = isinstance(ours, float) and theirs == text  # a slip of YAML 1.1 itself, which asks for a point
    octals = re.fullmatch("0o[0-7]+", text)  # new in YAML 1.2
    return (type(ours), ours) != (type(theirs), theirs) and not dates and not exponents and not octals


WORDS = st.sampled_from(["yes", "No", "ON", "off", "y", "n", "True", "null"])


@settings(max_examples=400)
@given(
    st.from_regex(r"[-+]?[0-9oxb_:.]{1,6}", fullmatch=True)
    | st.sampled_from(["yes", "No", "ON", "off", "y", "n", "True", "null"])
)
@example("0755")
@example("08")
@example("00")
@example("12:30")
@example("1_000")
@example("-0b11")
@example("-0x0")
@example("+0x1F")
@example("1:2:3.5")
def test_what_other_tools_read_otherwise_is_told_of(text):
    try:
        differs = otherwise(text)
    except (OddNumber, ValueError, yaml.YAMLError):
        return
    assert (elsewhere(text) is not None) == differs


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a: no\n", "a: 'no'\n"),
        ("a: [x, 12:30]\n", "a: [x, '12:30']\n"),
        ("a: 0755\n", "a: 755\n"),
        ("a: -010 # eight?\n", "a: -10 # eight?\n"),
        ("on: x\n", "'on': x\n"),
        ("a: &b 1_000\n", "a: &b '1_000'\n"),
    ],
)
def test_what_other_tools_read_otherwise_is_mended_by_quotes(text, mended):
    document, (found,) = load(text, "spec.yaml")
    start, end = found.fix.span.column - 1, found.fix.span.end_column - 1
    assert text[:start] + found.fix.text + text[end:] == mended
    after, problems = load(mended, "spec.yaml")
    assert (found.code, found.severity.value, problems) == ("CLS211", "warning", ())
    assert after.value == document.value


def test_minus_zero_keeps_its_sign():
    assert math.copysign(1, value_of("a: -0.0")["a"]) == -1


def test_block_scalars_are_strings():
    assert value_of("a: |\n  1\nb: >-\n  2\n  3\nc: |+\n  x\n\n") == {"a": "1\n", "b": "2 3", "c": "x\n\n"}


@BOTH
@pytest.mark.parametrize("written", [".nan", ".NaN", ".NAN", ".inf", "-.Inf", "+.INF", "1e999", "-1e999"])
def test_what_is_not_finite_is_refused_and_the_rest_loaded_with_a_finite_stand_in(load, written):
    document, diagnostics = load(f"a:\n- min: {written}\n  id: x\nb: 1\n", "spec.yaml")
    assert [(d.code, d.where) for d in diagnostics] == [("CLS108", "a.x.min")]
    assert written in diagnostics[0].message
    assert math.isfinite(document.value["a"][0]["min"])
    assert document.value["b"] == 1


@BOTH
@pytest.mark.parametrize(
    ("written", "stand_in"),
    [
        ("9223372036854775808", 2**63 - 1),
        ("-9223372036854775809", -(2**63)),
        ("0x8000000000000000", 2**63 - 1),
        ("0o1000000000000000000000", 2**63 - 1),
        ("9" * 100, 2**63 - 1),
        ("-" + "9" * 6000, -(2**63)),
    ],
)
def test_integers_have_64_bits(load, written, stand_in):
    document, diagnostics = load(f"a: {written}\n", "spec.yaml")
    assert [d.code for d in diagnostics] == ["CLS116"]
    assert document.value == {"a": stand_in}


# -- keys --------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_first_of_two_equal_keys_stays_and_the_second_is_told(load):
    document, diagnostics = load("a: 1\nb:\n  c: 2\n  d: 3\n  'c': {x: 4}\na: 5\n", "spec.yaml")
    assert document.value == {"a": 1, "b": {"c": 2, "d": 3}}
    assert [(d.code, d.span.line, d.span.column, d.where) for d in diagnostics] == [
        ("CLS105", 5, 3, "b.c"),
        ("CLS105", 6, 1, "a"),
    ]
    assert [d.message.rpartition(" ")[2] for d in diagnostics] == ["3", "1"]


@BOTH
@pytest.mark.parametrize("key", ["1", "true", "~", "0x1", ".5", ".nan", "9" * 30, "null"])
def test_a_key_that_is_not_a_string_is_told_and_taken_by_its_text(load, key):
    document, diagnostics = load(f"a:\n  {key}: x\n", "spec.yaml")
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics] == [("CLS106", 2, 3)]
    assert document.value == {"a": {key: "x"}}
    assert f"'{key}'" in diagnostics[0].hint


@BOTH
@pytest.mark.parametrize("key", ["'1'", '"true"', "on", "no", "1.2.3", "'<<'"])
def test_a_key_that_is_a_string(load, key):
    assert value_of(f"{key}: x\n", load) == {key.strip("'\""): "x"}


@BOTH
@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("? [a, b]\n: 1\nc: 2\n", "", {"c": 2}),
        ("x: {[a]: 1, c: 2}\n", "x", {"x": {"c": 2}}),
        ("x: {{name}}\n", "x", {"x": {}}),
        ("x: {? {a: {b: .nan}} : {d: 1}, c: 2}\n", "x", {"x": {"c": 2}}),
        ("a: &a [1]\nx: {*a : 1, c: 2}\n", "x", {"a": [1], "x": {"c": 2}}),
        ("a: &a 1\nx: {*a : 1, c: 2}\n", "x", {"a": 1, "x": {"c": 2}}),
    ],
)
def test_a_key_that_no_text_stands_for_is_dropped_with_its_value(load, text, where, value):
    document, diagnostics = load(text, "spec.yaml")
    assert diagnostics[0].code == "CLS106"
    assert diagnostics[0].where == where
    assert document.value == value


@BOTH
def test_an_alias_of_a_string_may_be_a_key(load):
    assert value_of("a: &a b\n*a : 1\n", load) == {"a": "b", "b": 1}
    assert told("a: &a a\n*a : 1\n", load) == [("CLS105", 2, 1, "a")]


# -- anchors, aliases, merges, tags ------------------------------------------------------------------------------------


@BOTH
def test_aliases_repeat_the_latest_anchor_of_the_name(load):
    assert value_of("a: &x [1, &y {b: 2}]\nc: *x\nd: *y\ne: &x 3\nf: [*x]\n", load) == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": {"b": 2},
        "e": 3,
        "f": [3],
    }


@BOTH
def test_an_alias_without_anchor(load):
    document, diagnostics = load("a: *b\nc: {d: [*e]}\nb: &b 1\n*f : 2\n", "spec.yaml")
    assert [(d.code, d.where) for d in diagnostics] == [("CLS115", "a"), ("CLS115", "c.d.0"), ("CLS115", "")]
    assert document.value == {"a": None, "c": {"d": [None]}, "b": 1}


@BOTH
@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: {c: *a}}", "&a b: &b {c: *b}", "a: &a {<<: *a, b: 1}"])
def test_an_alias_inside_its_own_anchor(load, text):
    codes = [d.code for d in load(text, "spec.yaml")[1] if d.is_error]
    assert codes == ["CLS110"]


@BOTH
def test_merging_lets_the_own_keys_win_then_the_first_source(load):
    document, diagnostics = load(
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n"
        "c: {x: 3, <<: *a}\nd: {<<: *b, z: 4}\ne: {<<: [*b, *a, {w: 5}]}\nf: {<<: {v: 6}}\n",
        "spec.yaml",
    )
    assert [d.code for d in diagnostics] == ["CLS114"] * 4
    assert {d.severity for d in diagnostics} == {Severity.WARNING}
    assert document.value == {
        "a": {"x": 1, "y": 1},
        "b": {"y": 2, "z": 2},
        "c": {"x": 3, "y": 1},
        "d": {"y": 2, "z": 4},
        "e": {"x": 1, "y": 2, "z": 2, "w": 5},
        "f": {"v": 6},
    }


@BOTH
def test_a_merged_mapping_may_itself_have_merged(load):
    document, _ = load("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\n", "spec.yaml")
    assert document.value["c"] == {"x": 1, "y": 2, "z": 3}
    assert document.text_of(("c", "x")) == "1"
    assert document.key_span(("c", "x")).line == 1
    assert document.key_span(("c", "y")).line == 2
    assert document.key_span(("c", "z")).line == 3


@BOTH
@pytest.mark.parametrize("value", ["3", "text", "[3]", "[{a: 1}, [{b: 2}]]", "", "'*x'", "*n"])
def test_only_mappings_can_be_merged(load, value):
    document, diagnostics = load(f"n: &n 1\nx:\n  <<: {value}\n  y: 1\n", "spec.yaml")
    assert [(d.code, d.where) for d in diagnostics if d.is_error] == [("CLS117", "x")]
    assert document.value == {"n": 1, "x": {"y": 1}}


@BOTH
def test_two_merge_keys_are_a_key_given_twice(load):
    text = "a: &a {x: 1}\nb:\n  <<: *a\n  <<: {y: 2}\n"
    assert told(text, load) == [("CLS114", 3, 3, "b"), ("CLS105", 4, 3, "b")]
    assert load(text, "spec.yaml")[0].value["b"] == {"x": 1}


@BOTH
@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a: !!str 12", 4),
        ("a: !mine x", 4),
        ("a: ! x", 4),
        ("a: &b ! x", 7),
        ("a: ! &b x", 4),
        ("a: !<tag:yaml.org,2002:str> x", 4),
        ("a: !!map {}", 4),
        ("a: !!seq\n- 1", 4),
        ("a: &b   !!null", 9),
        ("!!str a: 1", 1),
        ("a: [1, ! ]", 8),
        ("! a: 1", 1),
        ("a: 1\n!!merge <<: {b: 1}", 1),
    ],
)
def test_tags_are_refused_and_the_rest_is_loaded(load, text, column):
    document, diagnostics = load(text, "spec.yaml")
    assert [(d.code, d.span.column) for d in diagnostics if d.is_error] == [("CLS107", column)]
    assert "a" in document.value


@BOTH
def test_a_tag_with_an_unknown_handle_is_a_tag(load):
    document, diagnostics = load("a: !b!c x", "spec.yaml")
    assert document is None
    assert [(d.code, d.span.column) for d in diagnostics] == [("CLS107", 4)]


@BOTH
def test_an_exclamation_mark_is_not_always_a_tag(load):
    assert value_of("a: 'x ! y'\nb: x !y # ! z\nc: x != y\n", load) == {"a": "x ! y", "b": "x !y", "c": "x != y"}


# -- hidden characters -------------------------------------------------------------------------------------------------

HIDDEN = (
    "\0\x01\x08\x0b\x0c\x0e\x1b\x1f\x7f\x80\x85\x9f\xad\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069"
    "\ufeff\ufff9\ufdd0\ufffe\uffff\U0001fffe\U000e0041\ud800\udfff\u200c\u200d\ufe0f"
)


@BOTH
@pytest.mark.parametrize("character", HIDDEN, ids=lambda character: f"U+{ord(character):04X}")
@pytest.mark.parametrize("text", ["a: x{}y\n", "a: 1 # {}\n", "a: '{}'\n", "a{}b: 1\n", "a: |\n  x{}\n"])
def test_hidden_characters_are_refused_wherever_they_stand(load, character, text):
    document, diagnostics = load(text.replace("{}", character), "spec.yaml")
    before = text[: text.index("{}")]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics] == [("CLS104", line, column)]
    assert f"U+{ord(character):04X}" in diagnostics[0].message
    assert document is not None
    assert len(document.value) == 1


@BOTH
@pytest.mark.parametrize("text", ["a: 1\rb: 2\r", "a: 1\x85b: 2", "a: 1\u2028b: 2"])
def test_one_visible_line_is_never_several_keys(load, text):
    document, diagnostics = load(text, "spec.yaml")
    assert {d.code for d in diagnostics} == {"CLS104"}
    assert document is None or document.value == {"a": "1 b: 2"}


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "a: x\r\nb: y\r\n",
        "a: x\t# y\n",
        "a: café ☕ 犬 😀\n",
        "a: \u0645\u06cc\u200c\u062e\n",
        "a: 👩\u200d🚀❤\ufe0f\n",
        "a: \u00a0x\u3000\n",
        "\ufeffa: 1\n",
    ],
)
def test_what_a_reviewer_sees_is_accepted(load, text):
    assert value_of(text, load)


@BOTH
def test_a_byte_order_mark_is_dropped_from_the_start_only(load):
    document, _ = load("\ufeffa: 1\n", "spec.yaml")
    assert document.text == "a: 1\n"
    assert document.key_span(("a",)).column == 1
    assert told("\ufeff\ufeffa: 1\n", load) == [("CLS104", 1, 1, "")]


@BOTH
def test_other_problems_are_told_beside_hidden_characters_but_not_what_they_may_have_caused(load):
    assert told("a: x\u200by\nb: 1\nb: 2\n", load) == [("CLS104", 1, 5, ""), ("CLS105", 3, 1, "b")]
    assert told("a: 1\n\u200bb: 2\n", load) == [("CLS104", 2, 1, "")]


@BOTH
@pytest.mark.parametrize("escape", ["\\0", "\\x00", "\\u0000", "\\U00000000", "\\ud800", "\\uDFFF"])
@pytest.mark.parametrize("text", ['a: "x{}y"\n', '"a{}": 1\n'])
def test_escapes_cannot_smuggle_in_what_no_text_can_hold(load, escape, text):
    document, diagnostics = load(text.replace("{}", escape), "spec.yaml")
    # libyaml itself refuses surrogates; PyYAML's own parser does not.
    assert [d.code for d in diagnostics] in (["CLS104"], ["CLS101"])
    json.dumps(document and document.value, ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(document and document.value)


# -- the document as a whole -------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("text", ["", "\n\n", "# only\n# comments\n", "---\n", "---\n# x\n...\n", "\ufeff"])
def test_empty(load, text):
    document, diagnostics = load(text, "spec.yaml")
    assert document is None
    assert [d.code for d in diagnostics] == ["CLS111"]


@BOTH
@pytest.mark.parametrize("text", ["- a\n", "text\n", "12\n", "null\n", "''\n", "[]", "|\n  x\n"])
def test_the_top_is_a_mapping(load, text):
    document, diagnostics = load(text, "spec.yaml")
    assert document is None
    assert [d.code for d in diagnostics] == ["CLS112"]


@BOTH
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n---\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\n...\n---\n}{][\n", 3),
        ("--- {a: 1}\n--- [\n", 2),
        ("a: 1\n...\nb: 2\n", 3),
        ("a: 1\n... text\n", 2),
    ],
)
def test_one_file_is_one_document_and_the_first_is_loaded(load, text, line):
    document, diagnostics = load(text, "spec.yaml")
    assert [(d.code, d.span.line) for d in diagnostics] == [("CLS113", line)]
    assert document.value == {"a": 1}


@BOTH
@pytest.mark.parametrize(
    "text", ["a: 1\n...\n", "---\na: 1\n", "%YAML 1.2\n---\na: 1\n", "%YAML 1.1\n---\na: 1\n...\n\n"]
)
def test_marks_of_one_document_are_accepted(load, text):
    assert value_of(text, load) == {"a": 1}


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "%YAML 1.3\n---\na: 1",
        "%YAML 2.0\n---\na: 1",
        "%FOO x\n---\na: 1",
        "%YAML 1." + "9" * 5000 + "\n---\na: 1",
        "%a: 1",
    ],
)
def test_directives(load, text):
    document, diagnostics = load(text, "spec.yaml")
    assert document is None
    assert [(d.code, d.span.line) for d in diagnostics] == [("CLS101", 1)]


def test_all_that_can_be_told_is_told_in_one_run_in_the_order_of_the_places():
    text = "a: !x 1\nb: .nan\nc: *z\n2: d\nb: {<<: 3}\ne: 99999999999999999999\nf: x\u202ey\n"
    document, diagnostics = load(text, "spec.yaml")
    assert [(d.code, d.span.line) for d in diagnostics] == [
        ("CLS107", 1),
        ("CLS108", 2),
        ("CLS115", 3),
        ("CLS106", 4),
        ("CLS105", 5),
        ("CLS114", 5),
        ("CLS117", 5),
        ("CLS116", 6),
        ("CLS104", 7),
    ]
    assert list(document.value) == ["a", "b", "c", "2", "e", "f"]
    assert {d.path for d in diagnostics} == {"spec.yaml"}


@pytest.mark.parametrize(("count", "told_one_by_one", "more"), [(SHOWN, SHOWN, None), (SHOWN + 7, SHOWN, "7")])
def test_of_many_equal_problems_the_first_are_told_and_the_rest_counted(count, told_one_by_one, more):
    document, diagnostics = load("a: [" + "\n.nan," * count + "]", "spec.yaml")
    one_by_one = [d for d in diagnostics if "not a finite" in d.message]
    rest = diagnostics[told_one_by_one:]
    assert len(one_by_one) == told_one_by_one
    assert [d.message.split()[1] for d in rest] == [more] * bool(more)
    assert len(document.value["a"]) == count


def test_a_file_with_thousands_of_errors_is_not_read_further_but_one_with_as_many_warnings_is():
    document, diagnostics = load("a: [" + ".nan," * (SHOWN + COUNTED + 1) + "]", "spec.yaml")
    assert document is None
    assert f"{COUNTED:,} or more" in diagnostics[-1].message
    text = "a: &a {}\n" + "".join(f"k{number}: {{<<: *a}}\n" for number in range(2 * COUNTED))
    assert len(load(text, "spec.yaml")[0].value) == 2 * COUNTED + 1


def test_every_code_that_loading_can_tell_is_in_the_table():
    codes = {code for code in CODES if code.startswith("CLS1")}
    assert codes == {f"CLS1{number:02}" for number in range(1, 18)}


# -- syntax ------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a:\n\tb: 1\n", (2, 1), "tab", "spaces"),
        ("a:\n  - \tb: 1\n    c: 2\n\td: 3\n", None, "tab", "space"),
        ("a: x: y\n", (1, 5), "second `:`", "quote"),
        ("a: b\n  c: d\n", (2, 4), "line 1", "lack its `:`"),
        ("a: @x\n", (1, 4), "`@`", "quotes"),
        ("a: `x`\n", (1, 4), "backtick", "quotes"),
        ("a: %x\n", (1, 4), "`%`", "quotes"),
        ("a: *.parquet\n", (1, 4), "`*`", "quotes"),
        ("a: &.x y\n", (1, 4), "`&`", "quotes"),
        ("a: 1\nb: 'x\nc: 1\n", (2, 4), "quote ' that opens here", "close"),
        ('a: 1\nb: "x\nc: 1\n', (2, 4), 'quote " that opens here', "close"),
        ("a: 'x\nb: 'y'\n", (2, 5), "closing quote", "line 1"),
        ("a: 'it's'\n", (1, 8), "closing quote", "it''s"),
        ("a: 1\nb: [1, 2\nc: 3\n", (2, 4), "not closed by line 3", "`]`"),
        ("a: 1\nb: {c: 2\nd: 3\n", (2, 4), "not closed by line 3", "`}`"),
        ("a: {b: c #d}\ne: 1\n", (1, 4), "not closed", "comment"),
        ("a: {b: [\n", (1, 8), "`[` that opens here", ""),
        ("a: [1, 2}\n", (1, 9), "missing before", "quote"),
        ("a: ]\n", (1, 4), "missing before `]`", "quote"),
        ("a: 1\nfoo\nb: 2\n", (2, 1), "neither", "lack"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "line up", "indent"),
        ("- a\nb: 1\n", (2, 1), "list that begins on line 1", "indent"),
        ("a: - b\n", (1, 4), "list cannot begin", "next line"),
        ('a: "\\d"\n', None, "escape", "single quotes"),
        ('a: "\\xZZ"\n', None, "escape", "single quotes"),
        ("a: | x\n", (1, 6), "`|`", "next line"),
        (": x\n", (1, 1), "", ""),
        ("a: b\n*c d: e\n", None, "", ""),
    ],
)
def test_syntax_errors_say_where_and_how_to_get_out(load, text, place, message, hint):
    document, diagnostics = load(text, "spec.yaml")
    errors = [d for d in diagnostics if d.code == "CLS101"]
    assert len(errors) == 1 or text.startswith(":")
    assert document is None or text.startswith(":")
    for error in errors:
        assert message in error.message
        assert hint in error.hint
        assert place in (None, (error.span.line, error.span.column))


def test_what_was_found_before_a_syntax_error_is_told_too():
    document, diagnostics = load("a: 1\na: 2\nb:\n- id: c\n  1: d\n  id: ]\n", "spec.yaml")
    assert document is None
    assert [(d.code, d.span.line, d.where) for d in diagnostics] == [
        ("CLS105", 2, "a"),
        ("CLS106", 5, "b.c.1"),
        ("CLS105", 6, "b.c.id"),
        ("CLS101", 6, ""),
    ]
    assert [d.message[-6:] for d in diagnostics if d.code == "CLS105"] == ["line 1", "line 4"]
    (_, twice, _) = load("a: 0\n? [x]\n: 1\nb: 2\nb: 3\nc: ]\n", "spec.yaml")[1]
    assert twice.message.endswith("line 4")


def test_a_problem_inside_a_key_or_a_dropped_value_is_of_the_mapping():
    text = "x:\n  c: 2\n  ? {a: .nan}\n  : [.nan]\n  c: [{d: .nan}]\n"
    assert [where for code, *_, where in told(text) if code == "CLS108"] == ["x", "x", "x"]


# -- files -------------------------------------------------------------------------------------------------------------


def test_read_gives_the_text_as_it_is(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes("\ufeffa: é\r\n".encode())
    assert read(str(path)) == ("\ufeffa: é\r\n", ())


@pytest.mark.parametrize(
    ("data", "line", "column", "word"),
    [
        (b"a: 1\nb: \xe9\n", 2, 4, "0xE9"),
        ("a: 1\n".encode("utf-16"), 1, 1, "UTF-16"),
        ("é: x".encode() + b"\xf0\x9f", 1, 5, "0xF0"),
        (b"a: \xed\xa0\x80", 1, 4, "0xED"),
        (b"\x80", 1, 1, "0x80"),
    ],
)
def test_read_wants_utf_8(tmp_path, data, line, column, word):
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    text, (diagnostic,) = read(str(path))
    assert text is None
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == ("CLS102", line, column)
    assert word in diagnostic.message


def test_read_refuses_a_large_file_without_reading_it(tmp_path):
    path = tmp_path / "spec.yaml"
    path.touch()
    os.truncate(path, MAX_BYTES)
    assert len(read(str(path))[0]) == MAX_BYTES
    os.truncate(path, 1 << 40)
    text, (diagnostic,) = read(str(path))
    assert (text, diagnostic.code) == (None, "CLS103")
    assert "32 MiB" in diagnostic.message


@pytest.mark.parametrize(
    ("text", "load", "size"),
    [
        ("a: '" + "x" * (MAX_BYTES - 4) + "'", load, "32 MiB"),
        ("a: '" + "é" * (MAX_BYTES // 2) + "'", load, "32 MiB"),
        ("a: '" + "x" * (MAX_BYTES_PURE - 4) + "'", partial(room._load, new_parser=PureParser), "256 KiB"),
        ("#" + "\ud800" * (MAX_BYTES // 3 + 1), load, "32 MiB"),
    ],
    ids=["ascii", "two bytes each", "pure", "surrogates"],
)
def test_load_counts_bytes(text, load, size):
    document, (diagnostic,) = load(text, "spec.yaml")
    assert (document, diagnostic.code) == (None, "CLS103")
    assert size in diagnostic.message


@pytest.mark.parametrize("name", ["missing.yaml", "folder", "pipe", "folder/nul\0x", "x" * 300, "file/below", "loop"])
def test_read_says_in_one_line_what_cannot_be_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError) as caught:
        read(f"{tmp_path}/{name}")
    assert name.replace("\0", "\\x00") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_read_refuses_devices(device):
    with pytest.raises(UsageError, match=device):
        read(device)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_read_says_when_it_may_not(tmp_path):
    path = tmp_path / "secret.yaml"
    path.touch(mode=0)
    with pytest.raises(UsageError, match="Permission"):
        read(str(path))


def test_loading_imports_nothing_heavy(tmp_path):
    program = (
        "import sys; from clspec.load import load; load('a: 1', 'x');"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    third_party = {"__main__", "_virtualenv", "sitecustomize", "usercustomize"}
    found = {name for name in eval(done.stdout) if not name.startswith(("_", "__editable__"))} - third_party
    assert found - {"cython_runtime"} == {"clspec", "yaml"}
