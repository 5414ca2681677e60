"""A pipeline as a graph: one order, honest edges, and pictures of it."""

import dataclasses
import itertools
import json
import random
import re

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec import graph
from clspec.diagnostic import ClspecError, Span
from clspec.graph import GraphError
from clspec.plan import READS, Artifact, ArtifactType, Condition, Input, Kind, Pipeline, Step


def step(name, *needs, kind=Kind.CONCLUDE, **more):
    return Step(id=name, kind=kind, config="{}", needs=needs, **more)


def pipeline(*steps, name="regression"):
    return Pipeline(name=name, steps=steps)


def names(steps):
    return [one.id for one in steps]


def writes(name, kind):
    return (Artifact(name=name, type=kind),)


def learning():
    """A small pipeline of the kind that `lower` makes."""
    pins = step("pin", kind=Kind.PIN, outputs=writes("pins", ArtifactType.METRICS), origin=Span(7, 1, 7, 9), where="d")
    data = step(
        "snapshot",
        "pin",
        kind=Kind.SNAPSHOT,
        inputs=(Input(name="pins", step="pin", output="pins"),),
        outputs=(Artifact(name="data", type=ArtifactType.DATASET), Artifact(name="rest", type=ArtifactType.DATASET)),
    )
    train = step(
        "train",
        "snapshot",
        kind=Kind.TRAIN,
        inputs=(
            Input(name="data", step="snapshot", output="data"),
            Input(name="validation", step="snapshot", output="rest"),
        ),
        outputs=writes("model", ArtifactType.MODEL),
    )
    gate = step("gate", "pin", kind=Kind.GATE, outputs=writes("verdict", ArtifactType.VERDICT), parameters=("outcome",))
    register = step(
        "register",
        "gate",
        "train",
        kind=Kind.REGISTER,
        inputs=(Input(name="model", step="train", output="model"),),
        when=Condition(step="gate", parameter="outcome", equals="pass"),
    )
    return pipeline(pins, data, train, gate, register, step("end", "register"))


def without(whole, name, **changes):
    """The same pipeline with one step changed."""
    steps = (dataclasses.replace(s, **changes) if s.id == name else s for s in whole.steps)
    return dataclasses.replace(whole, steps=tuple(steps))


# -- order -------------------------------------------------------------------------------------------------------------


def test_every_step_comes_after_what_it_needs_and_ties_go_by_id():
    found = graph.order(pipeline(step("d", "b", "c"), step("c", "a"), step("b", "a"), step("a"), step("0", "a")))
    assert names(found) == ["a", "0", "b", "c", "d"]


def test_the_order_is_lexicographical_not_layer_by_layer():
    found = graph.order(pipeline(step("a"), step("b", "a"), step("c", "b"), step("z")))
    assert names(found) == ["a", "b", "c", "z"]
    assert names(graph.order(pipeline(step("z"), step("a", "z"), step("b")))) == ["b", "z", "a"]


@st.composite
def acyclic(draw):
    count = draw(st.integers(1, 12))
    labels = draw(st.permutations([f"s{number}" for number in range(count)]))
    return [
        step(label, *(labels[i] for i in sorted(draw(st.sets(st.integers(0, place - 1), max_size=4)))))
        if place
        else step(label)
        for place, label in enumerate(labels)
    ]


@given(acyclic(), st.randoms(use_true_random=False))
def test_the_order_is_networkxs_and_does_not_hang_on_how_steps_are_listed(steps, chance):
    found = names(graph.order(pipeline(*steps)))
    shuffled = list(steps)
    chance.shuffle(shuffled)
    assert names(graph.order(pipeline(*shuffled))) == found
    assert found == list(networkx.lexicographical_topological_sort(graph.of(pipeline(*steps))))


@given(acyclic())
def test_ancestors_are_those_of_networkx(steps):
    whole = pipeline(*steps)
    view = graph.of(whole)
    for one in steps:
        assert graph.ancestors(whole, one.id) == networkx.ancestors(view, one.id)


def test_a_need_given_twice_is_one_need():
    assert names(graph.order(pipeline(step("b", "a", "a"), step("a")))) == ["a", "b"]


def test_thousands_of_steps_in_a_row_are_no_problem():
    labels = [f"s{number:05}" for number in range(5000)]
    random.Random(4).shuffle(labels)
    chain = [step(labels[0]), *(step(b, a) for a, b in itertools.pairwise(labels))]
    assert names(graph.order(pipeline(*reversed(chain)))) == labels
    assert len(graph.ancestors(pipeline(*chain), labels[-1])) == 4999


def test_an_empty_pipeline_has_an_order():
    assert graph.order(pipeline()) == ()


# -- what is no graph --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((step("a", "b"), step("b", "a")), "in a circle: a, b"),
        ((step("a", "a"),), "in a circle: a"),
        ((step("0"), step("a", "c"), step("b", "a"), step("c", "b"), step("d", "c")), "in a circle: a, b, c, d"),
        ((step("a", "gone"),), "step `a` needs `gone`, which is no step of `regression`"),
        ((step("a"), step("a")), "two steps of one id"),
    ],
)
def test_a_circle_a_dangling_need_and_a_name_given_twice_are_errors(steps, words):
    for made in (graph.order, graph.check_edges, graph.of, lambda p: graph.mermaid([p])):
        with pytest.raises(GraphError, match=re.escape(words)):
            made(pipeline(*steps))
    assert issubclass(GraphError, ClspecError)
    assert GraphError.exit_code == 2


# -- edges -------------------------------------------------------------------------------------------------------------


def test_good_edges_are_fine():
    graph.check_edges(learning())


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("train", {"inputs": (Input(name="data", step="gone", output="data"),)}, "`data` of `gone`"),
        ("train", {"inputs": (Input(name="data", step="snapshot", output="gone"),)}, "`gone` of `snapshot`"),
        ("train", {"inputs": (Input(name="data", step="pin", output="pins"),)}, "`pins` of `pin`, which does not"),
        ("train", {"inputs": (Input(name="extra", step="snapshot", output="data"),)}, "reads nothing as `extra`"),
        ("register", {"inputs": (Input(name="training", step="train", output="model"),)}, "a Metrics as `training`"),
        ("snapshot", {"outputs": writes("data", ArtifactType.PREDICTIONS)}, "a Dataset as `data`, not a Predictions"),
        ("register", {"when": Condition(step="gate", parameter="word", equals="pass")}, "`word` of `gate`"),
        ("register", {"when": Condition(step="pin", parameter="outcome", equals="pass")}, "`outcome` of `pin`"),
        ("register", {"when": Condition(step="gone", parameter="outcome", equals="pass")}, "`outcome` of `gone`"),
        ("gate", {"parameters": ()}, "`outcome` of `gate`"),
    ],
)
def test_an_edge_that_carries_nothing_or_another_type_is_an_error(name, changes, words):
    with pytest.raises(GraphError, match=re.escape(words)):
        graph.check_edges(without(learning(), name, **changes))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_step_reads_its_own_types_only(kind):
    """For every input of every kind: the declared type passes, and each other type does not."""
    for word, wanted in READS[kind].items():
        for given_type in ArtifactType:
            for name in (word, f"{word}-seed-1"):
                whole = pipeline(
                    step("from", kind=Kind.PIN, outputs=writes("made", given_type)),
                    step("to", "from", kind=kind, inputs=(Input(name=name, step="from", output="made"),)),
                )
                if given_type is wanted:
                    graph.check_edges(whole)
                else:
                    with pytest.raises(GraphError, match="not a"):
                        graph.check_edges(whole)


# -- the networkx view -------------------------------------------------------------------------------------------------


def test_the_view_has_the_steps_and_what_edges_carry():
    whole = learning()
    view = graph.of(whole)
    assert isinstance(view, networkx.DiGraph)
    assert view.name == "regression"
    assert list(view.nodes) == names(graph.order(whole))
    assert view.nodes["train"]["step"] is whole.steps[2]
    assert view.edges["snapshot", "train"]["carries"] == ("data", "rest")
    assert view.edges["gate", "register"]["carries"] == ("[outcome = pass]",)
    assert view.edges["register", "end"]["carries"] == ()
    assert networkx.is_directed_acyclic_graph(view)


@pytest.mark.parametrize(
    "change",
    [
        lambda view: view.add_node("new"),
        lambda view: view.remove_node("pin"),
        lambda view: view.add_edge("end", "pin"),
        lambda view: view.remove_edge("pin", "gate"),
        lambda view: view.clear(),
    ],
)
def test_the_view_is_frozen(change):
    view = graph.of(learning())
    with pytest.raises(networkx.NetworkXError, match="Frozen"):
        change(view)


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_mermaid():
    assert graph.mermaid([learning()]) == (
        "flowchart TD\n"
        '  subgraph p0["regression"]\n'
        '    p0s0["pin"]\n'
        '    p0s1["gate"]\n'
        '    p0s2["snapshot"]\n'
        '    p0s3["train"]\n'
        '    p0s4{{"register"}}\n'
        '    p0s5["end"]\n'
        "  end\n"
        "  p0s0 -.-> p0s1\n"
        '  p0s0 -->|"pins"| p0s2\n'
        '  p0s2 -->|"data, rest"| p0s3\n'
        '  p0s1 -->|"outcome = pass"| p0s4\n'
        '  p0s3 -->|"model"| p0s4\n'
        "  p0s4 -.-> p0s5\n"
    )


def test_dot():
    text = graph.dot([learning(), pipeline(step("only"), name="improvement")])
    assert text.startswith("digraph clspec {\n")
    assert text.endswith('  "improvement/only" [label="only"];\n}\n')
    assert '  "regression/snapshot" -> "regression/train" [label="data, rest"];\n' in text
    assert '  "regression/gate" -> "regression/register" [label="[outcome = pass]"];\n' in text
    assert text.count(" -> ") == 6
    assert text.count("{") == text.count("}") == 1


def test_hostile_ids_stay_inside_of_their_quotes():
    text = graph.dot([pipeline(step('a" ]; "b'), name='p"q')])
    assert '  "p\\"q/a\\" ]; \\"b" [label="a\\" ]; \\"b"];' in text


def test_json():
    (found,) = json.loads(graph.as_json([learning()]))["pipelines"]
    assert found["name"] == "regression"
    assert [entry["id"] for entry in found["steps"]] == names(graph.order(learning()))
    assert found["steps"][0] == {"id": "pin", "kind": "pin", "outputs": {"pins": "Metrics"}, "line": 7, "where": "d"}
    assert found["steps"][1]["line"] is None
    edges = {(edge["from"], edge["to"]): edge["carries"] for edge in found["edges"]}
    assert len(edges) == len(found["edges"]) == 6
    assert edges["snapshot", "train"] == ["data", "rest"]


@pytest.mark.parametrize("draw", [graph.mermaid, graph.dot, graph.as_json])
@given(steps=acyclic())
def test_pictures_do_not_hang_on_how_steps_are_listed(draw, steps):
    assert draw([pipeline(*steps)]) == draw([pipeline(*reversed(steps))])


@pytest.mark.parametrize("draw", [graph.mermaid, graph.dot, graph.as_json])
def test_pictures_show_every_pipeline(draw):
    text = draw([learning(), pipeline(step("only"), name="improvement")])
    assert "improvement" in text
    assert "only" in text


# -- the guard ---------------------------------------------------------------------------------------------------------


def looped(**rows_of):
    """Labelled rows on their way into the training data, and mined ones into the queue; `rows_of` diverts a step's."""
    rows = writes("rows", ArtifactType.DATASET)

    def reading(name, kind, source):
        chosen = rows_of.get(name, source)
        given = (Input(name="rows", step=chosen, output="rows"),)
        return step(name, chosen, kind=kind, inputs=given, outputs=rows)

    return pipeline(
        step("ingest", kind=Kind.INGEST, outputs=rows),
        reading("guard-labels", Kind.GUARD, "ingest"),
        reading("append", Kind.APPEND, "guard-labels"),
        step("mine", kind=Kind.MINE, outputs=rows),
        reading("guard-mined", Kind.GUARD, "mine"),
        reading("sample", Kind.SAMPLE, "guard-mined"),
        reading("label", Kind.AUTO_LABEL, "sample"),
        reading("enqueue", Kind.ENQUEUE, "label"),
    )


def test_rows_that_passed_a_guard_may_be_learned_and_shown():
    graph.check_guarded(looped())


@pytest.mark.parametrize(
    "diverted", [{"append": "ingest"}, {"enqueue": "mine"}, {"sample": "mine"}, {"label": "mine"}, {"append": "mine"}]
)
def test_no_rows_get_past_the_guard(diverted):
    with pytest.raises(GraphError, match="which no guard has seen"):
        graph.check_guarded(looped(**diverted))
