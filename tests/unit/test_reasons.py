"""Why a step runs: what differs between two keys is told, and nothing where they are the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec_local.keys import Parts, as_json, from_json, key
from clspec_local.reasons import differences

SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, -0.0, 0.5]) | st.sampled_from(["", "a"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "a", "b.c", "id"]), inner)
)
DIGESTS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["sha256:1", "sha256:2"]))
PARTS = st.builds(
    Parts,
    kind=st.sampled_from(["train", "gate"]),
    config=st.dictionaries(st.sampled_from(["a", "b", "call"]), VALUES, max_size=3),
    inputs=DIGESTS,
    code=DIGESTS,
    whole=st.sampled_from(["", "a command"]),
    program=st.sampled_from(["", "sha256:1"]),
    libraries=st.sampled_from(["", "sha256:1"]),
)


@given(PARTS, PARTS)
def test_two_keys_are_the_same_if_nothing_differs_and_only_then(one, other):
    assert (key(one) == key(other)) == (not list(differences(one, other)))


@given(PARTS, PARTS)
def test_what_differs_one_way_differs_the_other_way_with_its_sides_changed(one, other):
    there = [(d.part, d.path, d.before, d.after) for d in differences(one, other)]
    back = [(d.part, d.path, d.after, d.before) for d in differences(other, one)]
    assert there == back


@given(PARTS)
def test_what_was_recorded_is_what_it_was(one):
    assert not list(differences(from_json(as_json(one)), one))


def parts(**given_):
    return Parts(**{"kind": "train", "config": {}, **given_})


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        ({"config": {"params": {"lr": 0.001}}}, {"config": {"params": {"lr": 0.003}}}, "params.lr 0.001 -> 0.003"),
        ({"config": {"params": {}}}, {"config": {"params": {"lr": 1}}}, "params.lr (nothing) -> 1"),
        ({"config": {"params": {"lr": 1}}}, {"config": {"params": {}}}, "params.lr 1 -> (nothing)"),
        ({"config": {"n": 1}}, {"config": {"n": 1.0}}, "n 1 -> 1.0"),
        ({"config": {"n": 1}}, {"config": {"n": True}}, "n 1 -> true"),
        ({"config": {"n": [1]}}, {"config": {"n": [1, 2]}}, "n [1] -> [1,2]"),
        ({"config": {"n": [{"id": "x", "v": 1}]}}, {"config": {"n": [{"id": "x", "v": 2}]}}, "n[x].v 1 -> 2"),
        ({"config": {"n": [{"v": 1}]}}, {"config": {"n": [{"v": 2}]}}, "n[0].v 1 -> 2"),
        ({"config": {"d": "sha256:" + "a" * 64}}, {"config": {"d": None}}, f"d sha256:{'a' * 12} -> null"),
        ({"config": {"t": "x" * 99}}, {"config": {"t": "y"}}, f"t {'x' * 40}... -> y"),
        ({"inputs": {"model": "1"}}, {"inputs": {"model": "2"}}, "input model changed"),
        ({"inputs": {}}, {"inputs": {"model": "2"}}, "input model is new"),
        ({"code": {"a.py": "1"}}, {"code": {}}, "code: a.py is gone"),
        ({"program": "1"}, {"program": "2"}, "clspec itself changed"),
        ({"libraries": "1"}, {"libraries": "2"}, "Python or an installed library changed"),
        ({"whole": ""}, {"whole": "a command"}, "which of its code counts changed"),
    ],
)
def test_what_differs_is_said_in_a_few_words(before, now, sentence):
    (found,) = differences(parts(**before), parts(**now))
    assert found.sentence == sentence
    json.dumps(found.as_plain())
