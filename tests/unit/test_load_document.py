import time
from dataclasses import FrozenInstanceError

import pytest

from clspec.diagnostic import Span
from clspec.load import load

SPEC = """\
# a comment
name: &n robotaxi   # another
golden:
  dataset: 'golden'
  scenarios:
    - id: dog-crossing
      select: "label = 'dog' and speed > 3"
      checks: [{metric: recall, min: 0.9}, {metric: f1, margin: 3e-4}]
    - id: night
      <<: &common
        owner: *n
      checks:
        -   metric: recall
            class:
    - {must_pass: true}
text: |
  one
   two
stages: [{alias: shadow}, {alias: champion, id: 7}]
empty:
last: {a: [1, 2, [3, 4]], "b c": x}
named: {id: nobody, x: 1}
"""


@pytest.fixture
def document():
    return load(SPEC, "spec.yaml")[0]


def at(text, span):
    """The text at a place."""
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


S = ("golden", "scenarios")


@pytest.mark.parametrize(
    ("pointer", "key", "value"),
    [
        (("name",), "name", "robotaxi"),
        (("golden", "dataset"), "dataset", "'golden'"),
        ((*S, 0, "id"), "id", "dog-crossing"),
        ((*S, 0, "select"), "select", "\"label = 'dog' and speed > 3\""),
        ((*S, 0, "checks"), "checks", "[{metric: recall, min: 0.9}, {metric: f1, margin: 3e-4}]"),
        ((*S, 0, "checks", 1), None, "{metric: f1, margin: 3e-4}"),
        ((*S, 0, "checks", 1, "margin"), "margin", "3e-4"),
        ((*S, 1, "owner"), "owner", "*n"),
        ((*S, 1, "checks", 0), None, "metric: recall\n            class:"),
        ((*S, 1, "checks", 0, "class"), "class", ""),
        ((*S, 2), None, "{must_pass: true}"),
        (("text",), "text", "|\n  one\n   two"),
        (("empty",), "empty", ""),
        (("last", "a", 2), None, "[3, 4]"),
        (("last", "a", 2, 1), None, "4"),
        (("last", "b c"), '"b c"', "x"),
        ((), None, SPEC[len("# a comment\n") :].rstrip()),
    ],
)
def test_every_key_and_value_knows_its_place(document, pointer, key, value):
    assert at(SPEC, document.span(pointer)) == value
    assert document.text_of(pointer) == value
    assert at(SPEC, document.key_span(pointer)) == (value if key is None else key)


def test_spans_are_one_based_and_end_exclusive(document):
    assert document.span(("name",)) == Span(2, 10, 2, 18)
    assert document.key_span(("name",)) == Span(2, 1, 2, 5)
    assert document.span(("empty",)) == Span(20, 7, 20, 7)


def test_columns_count_characters_not_bytes():
    text = "é: [😀, 'x犬', y] # 😀\nb: {😀: z}\n"
    document, _ = load(text, "spec.yaml")
    assert document.span(("é", 2)) == Span(1, 14, 1, 15)
    assert document.span(("b", "😀")) == Span(2, 8, 2, 9)


def test_lines_may_end_in_crlf():
    text = "a:\r\n  - b: 1\r\n    c: |\r\n      x\r\n  - d\r\n"
    document, _ = load(text, "spec.yaml")
    assert document.value == {"a": [{"b": 1, "c": "x\n"}, "d"]}
    assert document.span(("a", 0, "b")) == Span(2, 8, 2, 9)
    assert document.span(("a", 0)) == Span(2, 5, 4, 8)
    assert document.span(("a", 1)) == Span(5, 5, 5, 6)


@pytest.mark.parametrize(
    ("text", "pointer", "source"),
    [
        ("a: &x\n  # why\n  b: 1\n# end\nc: *x\n", ("a",), "b: 1"),
        ("a: &x [1, 2] # end ]\nc: *x\n", ("a",), "[1, 2]"),
        ("a: &x\n- 1\n- 2\n\n\n# end\nc: *x\n", ("a",), "- 1\n- 2"),
        ("a: &x\nc: 2\n", ("a",), ""),
        ("a: [b: 1 , c]\n", ("a", 0), "b: 1"),
        ("a: [b: [1] , c]\n", ("a", 0), "b: [1]"),
        ("a: [b: 1 # why\n  , c]\n", ("a", 0), "b: 1"),
        ("a:\n  b: 1 # x]\n", ("a",), "b: 1"),
        ("a: {b: 1}", (), "a: {b: 1}"),
        ("a: &x 'y'\n", ("a",), "'y'"),
        ("a:\n- {b: 1}\n- {c: 2} # }", ("a",), "- {b: 1}\n- {c: 2}"),
        ("? a\n: b\n? c\n", ("c",), ""),
        ("a: >-\n\n\n  x\n\n\nb: 1\n", ("a",), ">-\n\n\n  x"),
    ],
)
def test_places_leave_out_anchors_comments_and_blanks(text, pointer, source):
    document, _ = load(text, "spec.yaml")
    assert document.text_of(pointer) == source
    assert at(text, document.span(pointer)) == source


def test_below_an_alias_the_places_are_those_of_the_anchor():
    document, _ = load("a: &x\n  b: [1, {c: 2}]\nd: *x\ne: [*x]\n", "spec.yaml")
    assert document.span(("d",)) == Span(3, 4, 3, 6)
    assert document.key_span(("d", "b")) == Span(2, 3, 2, 4)
    assert document.span(("e", 0, "b", 1, "c")) == document.span(("a", "b", 1, "c")) == Span(2, 14, 2, 15)


def test_places_beside_what_was_dropped():
    text = "a: 1\n? [x]\n: 2\na: 3\n<<: {m: 4}\nb: 5\n"
    document, _ = load(text, "spec.yaml")
    assert document.value == {"a": 1, "b": 5, "m": 4}
    assert [document.span((key,)).line for key in document.value] == [1, 6, 5]
    assert [document.key_span((key,)).column for key in document.value] == [1, 1, 6]


def test_places_in_a_long_text():
    text = "".join(f"k{number}: [é, {{v: {number}}}]\n" for number in range(3000)) + "# " + "x" * 10_000 + "\nlast: 1\n"
    document, _ = load(text, "spec.yaml")
    for number in range(3000):
        width = len(str(number))
        assert document.span((f"k{number}", 1, "v")) == Span(number + 1, 12 + width, number + 1, 12 + 2 * width)
    assert document.key_span(("last",)) == Span(3002, 1, 3002, 5)


NOWHERE = [
    ("x",),
    ("golden", "x"),
    (0,),
    ("golden", "scenarios", 3),
    ("golden", "scenarios", -1),
    ("golden", "scenarios", "0"),
    ("name", 0),
    ("name", "x"),
    ("empty", "x"),
]


@pytest.mark.parametrize("pointer", NOWHERE)
def test_a_path_that_leads_nowhere_is_the_callers_fault(document, pointer):
    for ask in (document.span, document.key_span, document.text_of, lambda path: document.without([path])):
        with pytest.raises(KeyError):
            ask(pointer)
    with pytest.raises(KeyError):
        document.inside(pointer, 0, 1)


def test_a_document_is_frozen(document):
    with pytest.raises(FrozenInstanceError):
        document.value = {}
    assert "Marks" not in repr(document)


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "where"),
    [
        ((), ""),
        (("golden", "dataset"), "golden.dataset"),
        ((*S, 0), "golden.scenarios.dog-crossing"),
        ((*S, 0, "checks", 0, "min"), "golden.scenarios.dog-crossing.checks.0.min"),
        ((*S, 2, "must_pass"), "golden.scenarios.2.must_pass"),
        (("stages", 0), "stages.shadow"),
        (("stages", 1, "id"), "stages.1.id"),
        (("last", "a", 2, 0), "last.a.2.0"),
        (("named", "x"), "named.x"),
        (("golden", "missing"), "golden.missing"),
        ((*S, 9, "x"), "golden.scenarios.9.x"),
        (("name", 0, "x"), "name.0.x"),
    ],
)
def test_where_names_items_by_their_id(document, pointer, where):
    assert document.where(pointer) == where


def test_where_is_fit_for_a_terminal():
    document, _ = load('a: [{id: "x\\e[31m\\ny"}]\n"b\\u202e": 1\n', "spec.yaml")
    assert document.where(("a", 0)) == "a.x\\x1b[31m\\ny"
    assert document.where(("b\u202e",)) == "b\\u202e"


# -- copies that lack something ----------------------------------------------------------------------------------------


def test_without_removes_and_all_else_keeps_its_value_and_place(document):
    copy = document.without([(*S, 0), (*S, 1, "checks", 0, "class"), ("empty",), ("last", "a", 2, 0)])
    assert [item.get("id") for item in copy.value["golden"]["scenarios"]] == ["night", None]
    assert copy.value["golden"]["scenarios"][0]["checks"] == [{"metric": "recall"}]
    assert "empty" not in copy.value
    assert copy.value["last"]["a"] == [1, 2, [4]]
    assert copy.span((*S, 0, "id")) == document.span((*S, 1, "id"))
    assert copy.key_span((*S, 0, "checks", 0, "metric")) == document.key_span((*S, 1, "checks", 0, "metric"))
    assert copy.span((*S, 0, "owner")) == document.span((*S, 1, "owner"))
    assert copy.span(("last", "a", 2, 0)) == document.span(("last", "a", 2, 1))
    assert copy.text_of(("last", "a", 2, 0)) == "4"
    with pytest.raises(KeyError):
        copy.span((*S, 2))


def test_without_leaves_the_original_alone_and_shares_the_rest(document):
    before = load(SPEC, "spec.yaml")[0].value
    copy = document.without([(*S, 0, "checks", 0), (*S, 2)])
    assert document.value == before
    assert document.span((*S, 2)).line == 15
    assert copy.value["last"] is document.value["last"]
    assert copy.value["golden"]["scenarios"][1] is document.value["golden"]["scenarios"][1]


def test_without_again(document):
    copy = document.without([(*S, 0)]).without([(*S, 0)])
    assert copy.value["golden"]["scenarios"] == [{"must_pass": True}]
    assert copy.text_of((*S, 0)) == "{must_pass: true}"
    assert copy.where((*S, 0, "must_pass")) == "golden.scenarios.2.must_pass"
    assert copy.without([(*S, 0)]).value["golden"]["scenarios"] == []
    below = document.without([(*S, 0)]).without([(*S, 0, "checks", 0, "metric")])
    assert below.value["golden"]["scenarios"][0]["checks"] == [{"class": None}]
    assert below.text_of((*S, 1)) == "{must_pass: true}"


@pytest.mark.parametrize("order", [1, -1])
def test_without_something_and_what_is_inside_it(document, order):
    copy = document.without([(*S, 0), (*S, 0, "checks", 1), (*S, 0, "checks", 1, "metric"), (*S, 0)][::order])
    assert [item.get("id") for item in copy.value["golden"]["scenarios"]] == ["night", None]


def test_without_nothing_and_without_all(document):
    assert document.without([]).value == document.value
    copy = document.without([(), ("name",)])
    assert copy.value == {}
    assert copy.span(()) == document.span(())


def test_without_under_an_alias_spares_the_anchor():
    document, _ = load("a: &x [1, {b: 2, c: 3}]\nd: *x\n", "spec.yaml")
    copy = document.without([("d", 0), ("d", 1, "b")])
    assert copy.value == {"a": [1, {"b": 2, "c": 3}], "d": [{"c": 3}]}
    assert copy.text_of(("d", 0, "c")) == "3"
    assert copy.text_of(("a", 0)) == "1"


# -- inside a string ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value", "part", "source"),
    [
        ("speed > limit", "speed > limit", "limit", "limit"),
        ("\"label = 'dog'\"", "label = 'dog'", "'dog'", "'dog'"),
        ("'label = ''dog'' or x'", "label = 'dog' or x", "'dog'", "''dog''"),
        ("'label = ''dog'' or x'", "label = 'dog' or x", "x", "x"),
        ('"a\\tb\\u00e9 \\"c\\" \\\\ d\\x21 \\U0001F600 e"', 'a\tbé "c" \\ d! 😀 e', '"c"', '\\"c\\"'),
        ('"a\\tb\\u00e9 \\"c\\" \\\\ d\\x21 \\U0001F600 e"', 'a\tbé "c" \\ d! 😀 e', "é", "\\u00e9"),
        ('"a\\tb\\u00e9 \\"c\\" \\\\ d\\x21 \\U0001F600 e"', 'a\tbé "c" \\ d! 😀 e', "! 😀 e", "\\x21 \\U0001F600 e"),
        ("|\n  a = 1\n    and bad\n", "a = 1\n  and bad\n", "bad", "bad"),
        ("|-\n\n  a = 1\n\n  and bad", "\na = 1\n\nand bad", "bad", "bad"),
        ("|2\n    a = 1\n", "  a = 1\n", "a", "a"),
        ("|+\n  a\n\n", "a\n\n\n", "a", "a"),
        (">\n  a = 1\n  and bad\n", "a = 1 and bad\n", "and bad", "and bad"),
        (">-\n  a = 1\n\n  and bad\n", "a = 1\nand bad", "bad", "bad"),
        ("a = 1\n  and\n\n  bad", "a = 1 and\nbad", "bad", "bad"),
        ("'a = 1\n\n  and bad'", "a = 1\nand bad", "bad", "bad"),
        ('"a = \\\n  1 and   \n   bad"', "a = 1 and bad", "bad", "bad"),
        ('"a = \\\n  1 and   \n   bad"', "a = 1 and bad", "1", "1"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "&x {}", "&x # why\n  {}"])
def test_a_part_of_a_string_is_underlined_where_it_is_written(written, value, part, source, frame):
    text = f"a:\n- b: 1\n- {frame.format(written)}\n"
    document, _ = load(text, "spec.yaml")
    assert document.value["a"][1] == value
    start = value.index(part)
    assert at(text, document.inside(("a", 1), start, start + len(part))) == source


def test_every_character_of_a_one_line_string_has_its_own_place():
    text = "a: 'x''y''''z'\n"
    document, _ = load(text, "spec.yaml")
    parts = [at(text, document.inside(("a",), number, number + 1)) for number in range(len("x'y''z"))]
    assert parts == ["x", "''", "y", "''", "''", "z"]


@pytest.mark.parametrize(
    ("start", "end", "columns"),
    [(0, 3, (5, 8)), (3, 3, (8, 9)), (3, 9, (8, 9)), (9, 9, (8, 9)), (-5, 1, (5, 6)), (2, 1, (7, 8)), (1, 1, (6, 7))],
)
def test_a_part_is_at_least_one_character_and_never_outside(start, end, columns):
    document, _ = load("a: 'xyz'\n", "spec.yaml")
    span = document.inside(("a",), start, end)
    assert (span.column, span.end_column) == columns


def test_a_part_of_an_odd_string_is_found_in_linear_time():
    for text in ('"' + " " * 60_000 + 'x"', "'" + " \t" * 30_000 + "x'", '"' + "\\ " * 30_000 + 'x"'):
        document, _ = load(f"a: {text}", "spec.yaml")
        started = time.process_time()
        assert at(f"a: {text}", document.inside(("a",), len(document.value["a"]) - 1, 90_000)) == "x"
        assert time.process_time() - started < 3  # many times what it takes, and more than a pause for garbage does


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a: &x bcd\nb: *x\n", ("b",)),
        ("a: 123\n", ("a",)),
        ("a: [b, c]\n", ("a",)),
        ("a: >\n  x\n    y\n  z\n", ("a",)),
        ("a: " + "x" * 70_000, ("a",)),
        ("a:\n", ("a",)),
    ],
)
def test_where_a_part_cannot_be_told_it_is_the_whole(text, pointer):
    document, _ = load(text, "spec.yaml")
    assert document.inside(pointer, 1, 2) == document.span(pointer)
