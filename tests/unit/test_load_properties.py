"""Laws of loading, on generated texts: nothing raises, values come back, places say what they stand for."""

import copy
import json
import re
from functools import partial

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clspec import load as room
from clspec.diagnostic import START, Span
from clspec.load import Document, PureParser, load
from clspec.reading.scalars import OddNumber, meaning

pure = partial(room._load, new_parser=PureParser)
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine too


def stays_a_string(text):
    """Whether a YAML 1.1 writer, which leaves `1e3` without quotes, and YAML 1.2 agree that it is one."""
    try:
        return isinstance(meaning(text), str)
    except OddNumber:
        return False


# Half a surrogate pair and the null character are in no YAML text, also not escaped.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
strings = st.text(characters, max_size=20).filter(stays_a_string)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | strings
    | st.sampled_from(
        ["no", "on", "12:30", "a: b", "- a", "x # y", "'", '"', " x ", "a\nb", "a\n\n b\n", "*x", "&x", "!x"]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4), max_leaves=25
)
documents = st.dictionaries(strings, values, max_size=5)


@st.composite
def written(draw):
    """A value, and a text that says it in one of many styles."""
    value = draw(documents)
    if draw(st.booleans()):
        text = json.dumps(value, indent=draw(st.sampled_from([None, 1, 4])))
        assume("\\ud" not in text)  # JSON escapes what is beyond U+FFFF in halves, and YAML has no halves
        return value, text.replace("\x7f", "\\x7f")
    text = yaml.safe_dump(
        value,
        default_flow_style=draw(st.sampled_from([True, False, None])),
        indent=draw(st.integers(2, 6)),
        width=draw(st.integers(5, 100)),
        explicit_start=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
    )
    assume(yaml.safe_load(text) == value)  # PyYAML breaks some narrow double-quoted lines wrongly when it writes them
    return value, text


def pointers(value, pointer=()):
    """The path of everything in a value."""
    yield pointer
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from pointers(item, (*pointer, step))


def get(value, pointer):
    for step in pointer:
        value = value[step]
    return value


def at(text, span):
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def same(one, other):
    """Equal also in types, so that 1, 1.0 and True differ."""
    return repr(one) == repr(other)


@given(written())
@LAW
def test_what_others_wrote_is_read_as_they_meant_it(case):
    value, text = case
    document, diagnostics = load(text, "spec.yaml")
    assert diagnostics == ()
    assert document.value == value
    assert same(sorted(map(str, pointers(document.value))), sorted(map(str, pointers(value))))
    assert all(type(get(document.value, path)) is type(get(value, path)) for path in pointers(value))


@given(written())
@settings(LAW, max_examples=50)
def test_without_libyaml_the_same_is_read_at_the_same_places(case):
    _, text = case
    document, diagnostics = load(text, "spec.yaml")
    slow, diagnostics_without = pure(text, "spec.yaml")
    assert diagnostics == diagnostics_without == ()
    assert same(document.value, slow.value)
    for path in pointers(document.value):
        assert document.span(path) == slow.span(path)
        assert document.key_span(path) == slow.key_span(path)


@given(written())
@LAW
def test_the_text_at_a_place_means_what_stands_there(case):
    _, text = case
    document, _ = load(text, "spec.yaml")
    for path in pointers(document.value):
        source = at(text, document.span(path))
        assert source == document.text_of(path)
        if not isinstance(value := get(document.value, path), dict | list):
            again, diagnostics = load(f"value:\n {source}\n", "spec.yaml")
            assert diagnostics == ()
            assert same(again.value, {"value": value})
        if path and isinstance(path[-1], str):
            key = at(text, document.key_span(path))
            assert list(load(f"? {key}\n", "spec.yaml")[0].value) == [path[-1]]


@given(written())
@LAW
def test_places_are_nested_and_in_order(case):
    _, text = case
    document, _ = load(text, "spec.yaml")
    lines = text.split("\n")
    for path in pointers(document.value):
        span = document.span(path)
        start, end = (span.line, span.column), (span.end_line, span.end_column)
        assert (1, 1) <= start <= end <= (len(lines), len(lines[-1]) + 1) or end[0] <= len(lines)
        assert end[1] <= len(lines[end[0] - 1]) + 1
        if path:
            parent = document.span(path[:-1])
            assert (parent.line, parent.column) <= start
            assert end <= (parent.end_line, parent.end_column)
            key = document.key_span(path)
            assert (key.line, key.column) <= start


@given(written(), st.data())
@LAW
def test_a_part_of_a_string_is_where_its_characters_are(case, data):
    _, text = case
    document, _ = load(text, "spec.yaml")
    found = [path for path in pointers(document.value) if isinstance(get(document.value, path), str)]
    assume(found)
    path = data.draw(st.sampled_from(found))
    value, whole = get(document.value, path), document.span(path)
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))
    part = document.inside(path, start, end)
    assert (whole.line, whole.column) <= (part.line, part.column)
    assert (part.line, part.column) < (part.end_line, part.end_column)
    source = at(text, part)
    if part != whole and "\\" not in source and "\n" not in source and end > start:
        assert source.replace("''", "'") == value[start:end].replace("''", "'")


@given(written(), st.data())
@LAW
def test_without_is_removing(case, data):
    _, text = case
    document, _ = load(text, "spec.yaml")
    before = copy.deepcopy(document.value)
    paths = [path for path in pointers(before) if path]
    assume(paths)
    gone = data.draw(st.lists(st.sampled_from(paths), max_size=4))
    left = document.without(gone)

    def kept(value, path=()):
        """What removing would leave, each scalar with its place in the original."""
        if isinstance(value, dict):
            return {k: kept(v, (*path, k)) for k, v in value.items() if (*path, k) not in gone}
        if isinstance(value, list):
            return [kept(v, (*path, n)) for n, v in enumerate(value) if (*path, n) not in gone]
        return value, document.span(path), document.key_span(path)

    def placed(value, path=()):
        if isinstance(value, dict):
            return {k: placed(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [placed(v, (*path, n)) for n, v in enumerate(value)]
        return value, left.span(path), left.key_span(path)

    assert same(placed(left.value), kept(before))
    assert same(document.value, before)
    again = left.without(gone2 := [path for path in pointers(left.value) if path][:2])
    assert len(gone2) == 0 or again.value != left.value


# -- nothing raises ----------------------------------------------------------------------------------------------------

YAMLISH = st.lists(
    st.sampled_from(
        [
            *"ab1.:-?[]{},&*!|>'\"%@`#~\\\n\t _=",
            *(
                "\n",
                "\n  ",
                "\n- ",
                ": ",
                "- ",
                "? ",
                " #",
                "<<: ",
                "&a ",
                "*a",
                "*a ",
                "!!str ",
                "! ",
                "---\n",
                "...\n",
            ),
            *(
                "a: ",
                "b: ",
                "id: ",
                "null",
                "true",
                ".nan",
                "0x1",
                "1e9",
                "|\n  ",
                ">-\n  ",
                '"\\u0041"',
                "''",
                "%YAML 1.2\n",
            ),
            *("\r\n", "\r", "\x85", "\u2028", "\u200b", "\ufeff", "\0", "\ud800", "é", "😀"),
        ]
    ),
    max_size=30,
).map("".join)
SPEC = """\
apiVersion: clspec.dev/v1alpha1
metadata: {name: robotaxi, labels: &labels {team: "perception", 'x': "\\u00e9"}}
golden:
  scenarios:
    - id: dog   # a comment
      select: "label = 'dog'"
      checks: [{metric: recall, min: 0.9}, *labels]
    - <<: *labels
      text: |
        two
        lines
"""


@st.composite
def mutated(draw):
    """A spec with a few characters removed, doubled, or replaced by others."""
    text = SPEC
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 5, len(text))))
        text = text[:start] + draw(st.one_of(st.just(""), st.just(text[start:end] * 2), YAMLISH)) + text[end:]
    return text


odd_values = st.lists(YAMLISH, max_size=4).map(lambda parts: "".join(f"k{n}: {part}\n" for n, part in enumerate(parts)))
anything = st.one_of(
    YAMLISH, odd_values, mutated(), st.text(), st.binary(max_size=50).map(lambda data: data.decode("latin-1"))
)


def is_plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


@given(anything)
@settings(LAW, max_examples=600)
def test_whatever_the_text_there_is_a_document_or_an_error(text):
    document, diagnostics = load(text, "spec.yaml")
    assert isinstance(document, Document) or any(d.is_error for d in diagnostics)
    size = len(text.split("\n")) + 1
    for diagnostic in diagnostics:
        assert isinstance(diagnostic.span, Span)
        assert START <= diagnostic.span <= Span(size, 2**20, size, 2**20)
        assert (diagnostic.span.line, diagnostic.span.column) < (diagnostic.span.end_line, diagnostic.span.end_column)
        assert diagnostic.message.isprintable()
        assert diagnostic.hint.isprintable()
        assert diagnostic.where.isprintable()
    if document is not None:
        assert is_plain(document.value)
        json.dumps(document.value, allow_nan=False).encode()
        paths = list(pointers(document.value))
        for path in paths[:50]:
            document.span(path), document.key_span(path), document.inside(path, 0, 1), document.where(path)
        document.without(paths[1:4])


@given(anything)
@settings(LAW, max_examples=400)
def test_where_both_parsers_read_a_text_they_read_the_same(text):
    document, diagnostics = load(text, "spec.yaml")
    slow, diagnostics_without = pure(text, "spec.yaml")
    syntax = [d for d in (*diagnostics, *diagnostics_without) if d.code in ("CLS101", "CLS104", "CLS107", "CLS113")]
    if not syntax:  # they give up on different texts, in different words; beside hidden characters, in silence
        assert same(document and document.value, slow and slow.value)
        assert diagnostics == diagnostics_without


# -- beside an independent parser --------------------------------------------------------------------------------------


# It takes `1_000` and `_0` for numbers, and reads a block scalar that is empty as a line break at the end of a file.
YAML_RS_ODDITIES = re.compile(r"_|[|>][-+0-9]*\s*\Z")


def yaml_rs():
    return pytest.importorskip("yaml_rs", reason="yaml-rs, the independent parser of these tests, is not installed")


@given(written())
@LAW
def test_an_independent_parser_reads_the_same(case):
    _, text = case
    assume(not YAML_RS_ODDITIES.search(text))
    other = yaml_rs().loads(text, parse_datetime=False)
    assert same(load(text, "spec.yaml")[0].value, other)


@given(odd_values | mutated())
@settings(LAW, max_examples=400)
def test_where_an_independent_parser_accepts_odd_text_it_reads_the_same(text):
    module = yaml_rs()
    document, diagnostics = load(text, "spec.yaml")
    if diagnostics or YAML_RS_ODDITIES.search(text):
        return
    try:
        other = module.loads(text, parse_datetime=False)
    except module.YAMLDecodeError:
        return
    assert same(document.value, other)
