"""The YAML of the Kubeflow target: every reader sees the same values."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kfp_plans import FULL, HOSTILE, plan, regression

from clspec_kfp import Options, backend, document, written


class Core(yaml.SafeLoader):
    """A reader of YAML 1.2's core schema, which sees numbers in `1e3` and `0o17` and no boolean in `no`."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # as PyYAML has it


Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), None)
Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), None)
Core.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), None
)
Core.add_implicit_resolver("tag:clspec,2026:octal", re.compile(r"^0(?:o[0-7]+|x[0-9a-fA-F]+)$"), None)
Core.add_constructor("tag:clspec,2026:octal", lambda _loader, node: int(node.value, 0))


class Quoting(yaml.SafeDumper):
    """PyYAML told to quote as `written` does."""

    def ignore_aliases(self, _data):
        return True


Quoting.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str",
        text,
        style=None if re.fullmatch(r"[A-Za-z][-A-Za-z0-9_]*([./][-A-Za-z0-9_]+)*", text) and text != "no" else "'",
    ),
)

AMBIGUOUS = [
    *HOSTILE,
    "y",
    "N",
    "on",
    "Off",
    "NULL",
    "~",
    "",
    "1_000",
    "0755",
    "1:30",
    ".5",
    "5.",
    "+1",
    "0x1f",
    "=",
    "<<",
]


def test_every_yaml_reader_sees_the_same_strings():
    tree = [{"list": AMBIGUOUS, "keys": dict.fromkeys(AMBIGUOUS, "x"), "numbers": [4.0, 17.179869184, 1e-05, 3, True]}]
    text = written.dump(tree)
    assert list(yaml.safe_load_all(text)) == tree
    assert list(yaml.load_all(text, Loader=Core)) == tree
    assert text.isascii()
    # Go's yaml.v2, under much of Kubernetes, also sees booleans in these
    assert written.dump([{"a": "y", "b": "N"}]) == written.HEADER + "a: 'y'\nb: 'N'\n"


LEAVES = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=50), inner), max_leaves=30
)


@given(st.lists(st.dictionaries(st.text(max_size=50), TREES), min_size=1, max_size=3))
def test_whatever_is_written_is_read_back(documents):
    assert list(yaml.safe_load_all(written.dump(documents))) == documents


def test_it_writes_what_pyyaml_writes():
    documents = document.documents(plan(regression(**FULL)), regression(**FULL), Options())
    theirs = yaml.dump_all(documents, Dumper=Quoting, sort_keys=True, default_flow_style=False, width=10**9)
    assert written.dump(documents) == written.HEADER + theirs


def test_what_has_no_place_in_a_document_is_refused():
    with pytest.raises(TypeError, match="no place"):
        written.dump([{"a": None}])


def test_a_text_stays_on_its_line_and_keys_in_their_order():
    words = "word " * 100
    assert written.dump([{"b": words, "a": 1}]) == written.HEADER + f"a: 1\nb: '{words}'\n"


def test_equal_values_are_written_out_and_not_aliased():
    text = backend.emit(plan(regression(**FULL)), Options())["regression.yaml"]
    assert not re.search(r"[&*]id[0-9]", text)
