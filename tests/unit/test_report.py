"""What the parts of a report say: drawings, intervals, curves, changes, test cases, and the result for programs."""

from __future__ import annotations

import base64
import html
import json
import struct
import sys
import unicodedata
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from clspec.data.pictures import SIDE, data_uri
from clspec.data.table import DataError
from clspec.report import changes, curves, dag, intervals, junit, layers, origin, ran, result
from clspec.report.diagnostics import visible
from clspec.report.html import page
from clspec.report.markup import Drawn, element, fill
from clspec.report.ran import Ran, Stepped
from clspec.step.pictured import pictures

HOSTILE = "<script>alert(1)</script>{{7*7777}}&\"'\u202e\x1b[31m]]>"


# -- a verdict to tell of ----------------------------------------------------------------------------------------------


def check(verdict="pass", estimate=0.97, bound=0.95, **more):
    known = {"metric": "recall", "class": "dog", "kind": "min", "threshold": 0.9, "gate": "bound", "title": "dogs"}
    known |= {"part": "scenario", "slice": None, "group": None, "champion": None, "rows": 200, "clusters": None}
    known |= {"effective": 200.0, "value": estimate, "mcnemar": None, "power": None, "reason": f"because {verdict}"}
    return {**known, "verdict": verdict, "estimate": estimate, "bound": bound, **more}


def scenario(*checks, name="dogs", must_pass=True):
    order = ["fail", "inconclusive", "not_compared", "pass"]
    verdict = min((c["verdict"] for c in checks), key=order.index, default="fail")
    told = {"id": name, "must_pass": must_pass, "verdict": verdict, "reason": f"because {verdict}"}
    return {**told, "checks": list(checks), "slices": [], "flipped": None}


def content(*scenarios, verdict="pass", seeds=(1,), **more):
    made_by = {"spec": "spec", "pipeline": "regression", "code": "sha256:c0de", "image": "", "params": {"lr": 0.1}}
    made_by |= {"seeds": list(seeds), "datasets": {"d": "sha256:d", "golden": "sha256:9"}}
    made_by |= {"roles": {"training": "d", "golden": "golden"}}
    made_by["scenarios"] = [{"id": s["id"], "select": "true", "guard": None} for s in scenarios]
    told = (
        [{"seed": seed, "model": f"sha256:{seed}", "scenarios": list(scenarios)} for seed in seeds] if scenarios else []
    )
    known = {"spec": "spec", "made_by": made_by, "training": {}, "examples": {}, "loop": {}, "standing": None}
    known |= {"verdict": verdict, "reasons": [], "warnings": [], "champion": None, "seeds": told}
    return {**known, **more}


def ended(exit_code=0, failed="", *steps):
    return Ran(
        run="20260101-000000-abcd",
        spec="spec",
        pipeline="regression",
        began="2026-01-01T00:00:00+00:00",
        seconds=12.5,
        exit_code=exit_code,
        failed=failed,
        log=("Traceback", "ValueError: no") if failed else (),
        steps=steps,
    )


ALARMED = {"new": 0, "open": 0, "by_class": {}, "by_origin": {}, "agreement": {"alpha": None}, "disagreements": 0}
ALARMED |= {"audits": {}, "notes": [], "alarms": ["too many errors"]}


# -- layers and drawings -----------------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    return {f"n{i}": [f"n{j}" for j in range(i) if draw(st.integers(0, 3)) == 0] for i in range(count)}


def reachable(needs, name):
    found, waiting = set(), list(needs[name])
    while waiting:
        need = waiting.pop()
        if need not in found:
            found.add(need)
            waiting += needs[need]
    return found


@given(graphs())
def test_reduction_keeps_what_follows_and_no_edge_too_many(needs):
    found = layers.reduced(needs)
    for name in needs:
        assert reachable(found, name) == reachable(needs, name)
        for need in found[name]:
            assert all(need not in reachable(needs, other) for other in found[name])


@settings(max_examples=60)
@given(graphs())
def test_every_edge_leads_down_and_no_two_nodes_lie_on_each_other(needs):
    laid = layers.laid(layers.reduced(needs))
    for name, wanted in needs.items():
        assert all(laid.nodes[need][1] < laid.nodes[name][1] for need in wanted)
    for level in range(laid.depth):
        across = sorted(x for x, depth in laid.nodes.values() if depth == level)
        assert all(right - left > 0.999 for left, right in pairwise(across))
    assert all(x - 0.5 >= -1e-9 and x + 0.5 <= laid.width + 1e-9 for x, _ in laid.nodes.values())
    for points in laid.edges:
        assert [depth for _, depth in points] == list(range(points[0][1], points[-1][1] + 1))


def test_many_steps_of_a_kind_are_drawn_as_one_and_tell_the_worst():
    fan = [Stepped(id=f"predict-{n}", kind="predict", needs=("a",), state="done") for n in range(300)]
    fan[7] = Stepped(id="predict-7", kind="predict", needs=("a",), state="failed", seconds=1.0)
    steps = [Stepped(id="a", kind="pin", state="done"), *fan]
    steps.append(Stepped(id="z", kind="gate", needs=tuple(s.id for s in fan), state="not run"))
    drawn = dag.drawn("regression", steps)
    assert drawn.count("<rect") == 3
    assert "300 x predict: 299 done, 1 failed" in drawn
    assert 'class="step failed"' in drawn


def test_each_state_is_told_by_a_word_and_a_sign_beside_its_colour():
    for state in ("done", "up to date", "skipped", "said no", "failed", "not run"):
        drawn = dag.drawn("p", [Stepped(id="a", kind="pin", state=state)])
        assert f"{dag.SIGNS[state]} {state}" in drawn


def test_a_drawing_of_nothing_and_a_long_chain():
    assert "<svg" in dag.drawn("p", [])
    chain = [Stepped(id=f"s{n}", kind=f"k{n}", needs=(f"s{n - 1}",) if n else ()) for n in range(2000)]
    assert dag.drawn("p", chain).count("<rect") == 2000


def test_whatever_is_drawn_is_text():
    made = element("text", HOSTILE, Drawn("<b/>"), class_=HOSTILE)
    assert made.count("<") == 3
    assert ElementTree.fromstring(made).text == HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    steps = [Stepped(id=HOSTILE, kind=HOSTILE, state=HOSTILE, note=HOSTILE, when=HOSTILE)]
    drawn = dag.drawn(HOSTILE, steps)
    assert "<script" not in drawn
    assert "\u202e" not in drawn
    ElementTree.fromstring(drawn)


# -- intervals and curves ----------------------------------------------------------------------------------------------


def test_an_interval_shows_what_there_is_and_says_what_is_missing():
    seeds = ((1, check()), (2, check("fail", None, None)), (3, check("not_compared", None, None)))
    gate = intervals.Gate(kind="min", threshold=0.9, seeds=seeds)
    drawn = intervals.drawn(gate, "told")
    ElementTree.fromstring(drawn)
    assert "no result" in drawn
    assert "not compared" in drawn
    assert drawn.count('class="value') == 1
    assert intervals.described(gate, "dogs") == (
        "dogs: seed 1 0.9700, bound 0.9500, pass; seed 2 has no result, fail; seed 3 has no result, not_compared"
    )


@given(
    st.sampled_from(["min", "max", "margin", "max_gap"]),
    st.floats(0, 1e6),
    st.lists(st.tuples(st.none() | st.floats(-1e6, 1e6), st.none() | st.floats(-1e6, 1e6)), min_size=1, max_size=4),
)
def test_an_interval_stays_in_its_frame_whatever_the_numbers(kind, threshold, values):
    seeds = tuple((n, check("fail", estimate, bound)) for n, (estimate, bound) in enumerate(values))
    drawn = intervals.drawn(intervals.Gate(kind=kind, threshold=threshold, seeds=seeds), "x")
    tree = ElementTree.fromstring(drawn)
    for line in tree.iter("line"):
        assert 0 <= float(line.get("x1")) <= 340
        assert 0 <= float(line.get("x2")) <= 340


def test_curves_are_one_picture_a_metric_with_a_line_for_each_seed():
    history = [{"epoch": n, "loss": 1 / n, "accuracy": 1 - 1 / n} for n in range(1, 6)]
    found = curves.curves({"1": {"loss": 0.2, "history": history}, "2": {"history": history[:3]}, "3": {}})
    assert [curve.metric for curve in found] == ["loss", "accuracy"]
    assert found[0].ends == (("1", 5, 1.0, 0.2), ("2", 3, 1.0, 1 / 3))
    assert "loss by epoch: seed 1 from 1 to 0.2; seed 2 from 1 to 0.3333" in found[0].picture
    assert found[0].picture.count('class="line') == 2
    ElementTree.fromstring(found[0].picture)


def test_no_history_no_curves_and_a_long_one_is_thinned():
    assert curves.curves({"1": {"loss": 0.2}, "2": {"history": []}}) == ()
    long = [{"loss": float(n)} for n in range(10_000)]
    (found,) = curves.curves({"1": {"history": long}})
    assert found.ends == (("1", 10_000, 0.0, 9999.0),)
    assert len(found.picture) < 10_000


# -- what changed ------------------------------------------------------------------------------------------------------


def told(found):
    return [(change.what, change.before, change.now, change.better) for change in found]


def test_what_made_the_models_is_compared_name_by_name():
    before, now = content(scenario(check())), content(scenario(check()), scenario(check(), name="cats"))
    now["made_by"] |= {"code": "sha256:new", "params": {"lr": 0.3, "depth": 4}}
    now["made_by"]["datasets"] = {"d": "sha256:e", "golden": "sha256:9"}
    now["made_by"]["scenarios"][0]["select"] = "false"
    assert told(changes.made(changes.record(before), changes.record(now))) == [
        ("code", "sha256:c0de", "sha256:new", ""),
        ("params.lr", "0.1", "0.3", ""),
        ("params.depth", "not there", "4", ""),
        ("dataset d", "sha256:d", "sha256:e", ""),
        ("scenario dogs, select", "true", "false", ""),
        ("scenario cats", "not there", "true", ""),
    ]
    assert told(changes.made(before["made_by"], before["made_by"])) == []


def test_data_that_the_run_itself_made_is_what_changed():
    before, now = content(), content()
    for told_by in (before, now):
        told_by["made_by"]["datasets"]["d"] = None
        told_by["standing"] = {"data": {"d": {"digest": "sha256:old"}}}
    now["loop"] = {"appended": {"dataset": "d", "digest": "sha256:new"}}
    assert told(changes.made(changes.record(before), changes.record(now))) == [
        ("dataset d", "sha256:old", "sha256:new", "")
    ]


def test_results_are_compared_at_the_worst_seed():
    before = content(scenario(check("fail", 0.5)), seeds=(1, 2))
    now = content(scenario(check("pass", 0.99)), seeds=(1, 2))
    now["seeds"][1] = {"seed": 2, "scenarios": [scenario(check("pass", 0.95))]}
    name = "dogs: recall dog"
    assert told(changes.results(before, now)) == [(name, "0.5000 (>= 0.9), fail", "0.9500 (>= 0.9), pass", "better")]
    assert told(changes.results(now, before))[0][3] == "worse"
    assert changes.results(now, now) == ()
    gone = changes.results(now, content(scenario(check(title="cats"), name="cats")))
    assert told(gone) == [
        (name, "0.9500 (>= 0.9), pass", "not judged", ""),
        ("cats: recall dog", "not judged", "0.9700 (>= 0.9), pass", ""),
    ]


# -- for programs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "run", "passed"),
    [
        (content(scenario(check())), None, True),
        (content(scenario(check())), ended(), True),
        (content(scenario(check())), ended(3, "register"), False),
        (content(scenario(check()), loop={"labels": ALARMED}), None, False),
        (content(scenario(check("fail")), verdict="fail"), None, False),
        (content(scenario(check("inconclusive")), verdict="inconclusive"), None, False),
        (content(verdict="missing"), ended(3, "train-seed-1"), False),
        (content(verdict="not judged"), ended(), False),
        (content(verdict="PASS"), ended(), False),
    ],
)
def test_only_a_pass_of_a_run_that_ended_well_is_green(made, run, passed):
    found = result.result(made, run)
    assert found["passed"] is passed
    tree = ElementTree.fromstring(junit.suite(found).encode())
    cases = {case.get("name"): [child.tag for child in case] for case in tree.iter("testcase")}
    assert (cases["verdict"] == []) is passed
    text = page(made, run)
    assert ('class="answer pass"' in text) is passed
    assert tree.find("testsuite/properties/property[@name='verdict']") is not None


def assert_is_junit(text):
    """What the common schema (that of Jenkins' xUnit plugin) asks for, and that the counts are right."""
    tree = ElementTree.fromstring(text.encode())
    assert tree.tag == "testsuites"
    for suite in (tree, *tree.iter("testsuite")):
        cases = list(suite.iter("testcase"))
        counts = {"tests": len(cases)}
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            counts[attribute] = sum(case.find(tag) is not None for case in cases)
        assert {name: int(suite.get(name)) for name in counts} == counts
        float(suite.get("time"))
    names = set()
    for case in tree.iter("testcase"):
        assert set(case.attrib) == {"classname", "name", "time"}
        assert len(case) <= 1, "one outcome"
        for child in case:
            assert child.tag in {"failure", "error", "skipped"}
            assert child.get("message")
        names.add((case.get("classname"), case.get("name")))
    assert len(names) == len(list(tree.iter("testcase"))), "no two cases have one name"
    return tree


def test_every_check_is_a_test_case_of_its_kind():
    checks = [
        check(),
        check("fail", 0.5, 0.4, metric="accuracy"),
        check("fail", None, None, metric="precision"),
        check("inconclusive", 0.9, 0.5, metric="f1"),
        check("not_compared", None, None, kind="margin", threshold=0.05),
        check("fail", 0.2, 0.3, part="guard", kind="max", threshold=0.1),
        check("pass", title="dogs[night]"),
    ]
    made = content(
        scenario(*checks), scenario(check("fail", 0.1), name="told", must_pass=False), verdict="fail", seeds=(1, 2)
    )
    tree = assert_is_junit(junit.suite(result.result(made, ended(1, "conclude"))))
    cases = {(c.get("classname"), c.get("name")): c for c in tree.iter("testcase")}
    spec = "spec.regression"
    outcomes = {
        "recall dog >= 0.9 (seed 2)": [],
        "accuracy dog >= 0.9 (seed 1)": ["failure"],
        "precision dog >= 0.9 (seed 1)": ["error"],
        "f1 dog >= 0.9 (seed 1)": ["failure"],
        "recall dog > -0.05 (seed 1)": ["skipped"],
        "guard: recall dog <= 0.1 (seed 1)": ["failure"],
        "dogs[night]: recall dog >= 0.9 (seed 1)": [],
    }
    assert {name: [child.tag for child in cases[f"{spec}.dogs", name]] for name in outcomes} == outcomes
    skipped = cases[f"{spec}.told", "dogs: recall dog >= 0.9 (seed 1)"][0]
    assert (skipped.tag, skipped.get("message")) == ("skipped", "not must-pass, fail: because fail")
    assert cases[spec, "verdict"][0].tag == "failure"


@pytest.mark.parametrize("made", [content(verdict="fail"), content(verdict="missing"), content(scenario())])
def test_a_suite_without_a_check_is_an_error_and_not_green(made):
    tree = assert_is_junit(junit.suite({**result.result(made), "passed": False}))
    assert [child.tag for case in tree.iter("testcase") for child in case] == ["error"]


def test_a_step_that_ended_the_run_is_an_error():
    made, step = content(verdict="missing"), Stepped(id="train", kind="train", state="failed", seconds=2.0)
    tree = assert_is_junit(junit.suite(result.result(made, ended(3, "train", step))))
    case = next(case for case in tree.iter("testcase") if case.get("name") == "train")
    assert (case[0].tag, case.get("time")) == ("error", "2.000")
    assert tree[0].get("timestamp") == "2026-01-01T00:00:00"


def test_junit_holds_whatever_anybody_said_as_text():
    odd = check("fail", 0.1, title=HOSTILE, reason=HOSTILE + "\0\ud800\nsecond line")
    name = HOSTILE + "\n\ttwo lines"
    made = content(scenario(odd, name=name), verdict="fail", reasons=[HOSTILE], warnings=[HOSTILE], spec=HOSTILE)
    text = junit.suite(result.result(made))
    tree = assert_is_junit(text)
    assert "\u202e" not in text
    assert tree.find(".//testcase").get("classname").endswith("]]>\n\ttwo lines")
    failure = tree.find(".//failure")
    assert "\\u202e\\x1b[31m" in failure.get("message")
    assert failure.text.endswith("second line")


# -- what only the machine knows ---------------------------------------------------------------------------------------


def test_a_run_is_read_as_it_was_written():
    step = Stepped(id="a", kind="pin", needs=("b",), state="done", began=1.0, seconds=2.0)
    found = ended(3, "a", step)
    assert ran.read(found.plain()) == found
    with pytest.raises(ValueError, match="format"):
        ran.read({**found.plain(), "format": "clspec-run/9"})


def test_a_run_that_failed_says_where_and_is_never_green():
    made = content(scenario(check()))
    text = page(made, ended(3, "register", Stepped(id="register", kind="register", state="failed", note="exit code 3")))
    assert "Step register ended the run with exit code 3. The verdict was pass." in text
    assert 'class="answer fail"' in text
    assert "ValueError: no" in text
    text = page(content(verdict="missing"), ended(3, "train"))
    assert "No model was judged." in text


def test_a_run_that_was_stopped_says_what_was_at_work_and_is_never_green():
    made = content(scenario(check()))
    for code, word in ((130, "interrupted"), (137, "killed")):
        stopped = replace(ended(code), at_work=("train-1", "train-2"), log=("train-1:", "epoch 3"))
        text = page(made, stopped)
        assert f"The run was {word}; at work: train-1, train-2. The next one goes on from what is done." in text
        assert "<h2>The last lines of train-1, train-2</h2>" in text
        assert 'class="answer fail"' in text
        assert f"{word}, while no step was at work" in page(made, ended(code))
        assert ran.read(stopped.plain()) == stopped
    assert "last heard of after <b>" in page(content(verdict="missing"), ended(137))
    assert "took <b>" in page(content(verdict="missing"), ended(130))
    text = page(content(verdict="missing"), replace(ended(2), why="No space left on device: there"))
    assert "The run ended with exit code 2: No space left on device: there. No model was judged." in text


def test_files_of_code_that_changed_are_told_below_its_digest():
    before, now = content(scenario(check())), content(scenario(check()))
    now["made_by"] = {**now["made_by"], "code": "sha256:other"}
    text = page(now, ended(), before, {"net.py": ("sha256:1", None), "new.py": (None, "sha256:2")})
    assert '<th scope="row">code, net.py</th><td>sha256:1</td><td>not there, or not read</td>' in text
    assert '<th scope="row">code, new.py</th><td>not there, or not read</td><td>sha256:2</td>' in text
    assert "no file that a step which is over has read" in page(now, ended(), before)
    assert "code, net.py" not in page(before, ended(), before, {"net.py": ("sha256:1", None)})


def test_a_part_of_a_pipeline_judged_nothing_and_is_not_green():
    text = page(content(verdict="missing"), ended(0, "", Stepped(id="train", kind="train", state="done")))
    assert "Only a part of the pipeline ran, and nothing was judged." in text
    assert 'class="answer none"' in text


def test_a_comparison_with_nobody_that_the_spec_excuses_stands_not_against_the_model():
    made = content(scenario(check(), check("not_compared", None, None, kind="margin", threshold=0.05)))
    text = page(made)
    assert "1 of 1 must-pass scenarios pass under every seed. There was no champion to compare dogs with" in text
    assert 'id="against"' not in text
    assert 'id="against"' in page({**made, "verdict": "not_compared"})


def test_what_was_waived_is_told_with_who_and_until_when():
    made = content(scenario(check()))
    made["made_by"]["waivers"] = [
        {"code": "CLS405", "path": "golden", "reason": "more rows come in May", "owner": "ann", "expires": "2026-06-01"}
    ]
    made["standing"] = {"allow_both": {"by": "bob", "why": "a new camera"}}
    text = page(made)
    assert "the warning CLS405 at golden is accepted by ann until 2026-06-01: more rows come in May" in text
    assert "code and data moved at once, allowed by bob: a new camera" in text


def test_lineage_leads_from_the_models_to_production():
    made = content(scenario(check()), seeds=(1, 2))
    told = {"number": 3, "digest": "sha256:d", "rows": 90, "note": "", "by_rule": {"swerve": 40, "audit": 2}}
    told |= {"by_origin": {"people": 42, "added": 48}, "versions": [{"number": 3, "rows": 90, "origin": "append"}]}
    made["standing"] = {"data": {"d": told}}
    links = origin.chain(made)
    assert [(link.what, link.name) for link in links] == [
        ("models", "2 models"),
        ("learned from", "d version 3"),
        ("that came from", "production events"),
        ("judged on", "golden"),
    ]
    assert links[2].told[:2] == ("mined before, by rule: swerve 40, audit 2", "labelled by people 42, added 48")
    assert origin.chain(content()) == ()


def test_every_hostile_text_is_inert_in_a_page_of_a_run():
    step = Stepped(id=HOSTILE, kind=HOSTILE, state="failed", note=HOSTILE)
    run = replace(ended(3), failed=HOSTILE, log=(HOSTILE,), steps=(step,))
    made = content(scenario(check("fail", 0.1)), verdict="fail", reasons=[HOSTILE])
    before = content(scenario(check()))
    before["made_by"]["params"] = {HOSTILE: HOSTILE}
    made["training"] = {"1": {"history": [{HOSTILE: 1.0}]}}
    text = page(made, run, before)
    assert text.count("<script>") == 1
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "54439" not in text


class Tags(HTMLParser):
    """Which tags are open, and the ids and links of a page."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.ids += filter(None, [told.get("id")])
        self.links += filter(None, [told.get("href")])
        self.open += [tag] if tag not in {"meta", "br", "img"} else []

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("run", [None, ended(), ended(3, "b", Stepped(id="b", kind="pin", began=1.0, seconds=2.0))])
@pytest.mark.parametrize(
    "made",
    [
        content(verdict="missing"),
        content(scenario()),
        content(scenario(check("fail", 0.1)), scenario(check(champion=0.9), name="b"), verdict="fail", seeds=(1, 2)),
        content(scenario(check()), training={"1": {"loss": 0.5}}, loop={"labels": ALARMED}),
    ],
)
def test_a_page_is_well_formed_and_its_contents_name_what_is_there(made, run):
    text = page(made, run, content(scenario(check())))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert {link.removeprefix("#") for link in tags.links} == set(tags.ids) - {"others"}
    assert ("#checks" in tags.links) == any(s["checks"] for seed in made["seeds"] for s in seed["scenarios"])


def test_a_gap_is_filled_with_text_and_only_what_is_drawn_is_markup():
    odd = fill("<p>{}{}{}</p>", HOSTILE + "\n{}", Drawn("<br>"), None)
    shown = odd.removeprefix("<p>").removesuffix("<br>None</p>")
    assert "<" not in shown
    assert html.unescape(shown) == HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b") + "\n{}"


# -- pictures ----------------------------------------------------------------------------------------------------------


def decoded(uri):
    """Width, height, colour type and pixels of a PNG, by hand."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (length,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + length
    width, height, _, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    lines = zlib.decompress(chunks[b"IDAT"])
    depth = {0: 1, 2: 3}[colour]
    stride = width * depth + 1
    assert len(lines) == stride * height
    return width, height, colour, b"".join(lines[y * stride + 1 : (y + 1) * stride] for y in range(height))


def test_square_grey_bytes_are_shown_as_they_are_and_large_ones_smaller():
    small = bytes(range(64))
    assert decoded(data_uri(small, "row")) == (8, 8, 0, small)
    width, height, colour, pixels = decoded(data_uri(bytes([7]) * 1000**2, "row"))
    assert (width, height, colour, set(pixels)) == (SIDE, SIDE, 0, {7})


def test_an_image_file_is_decoded_made_small_and_written_anew():
    image = pytest.importorskip("PIL.Image", reason="images are read with Pillow")
    import io

    stream = io.BytesIO()
    image.new("RGB", (400, 200), (200, 10, 10)).save(stream, "PNG")
    width, height, colour, pixels = decoded(data_uri(stream.getvalue(), "row"))
    assert (width, height, colour, pixels[:3]) == (96, 48, 2, bytes((200, 10, 10)))


@pytest.mark.parametrize(
    "content", [None, b"", b"x" * 63, b"\x89PNG\r\n\x1a\nbroken", b"\xff\xd8\xffbroken", b"x" * 65]
)
def test_what_is_no_image_is_said_to_be_none(content):
    with pytest.raises(DataError, match="row 7"):
        data_uri(content, "row 7")


def test_pictures_are_those_of_the_named_rows_and_the_rest_is_counted(tmp_path):
    rows = {"id": [f"r{n}" for n in range(900)], "frame": [bytes([n % 256]) * 64 for n in range(899)] + [b"odd"]}
    pq.write_table(pa.table(rows), tmp_path / "golden.parquet")
    found = pictures(tmp_path / "golden.parquet", {"key": "id", "media": "frame"}, ["r3", "r899", "r700"])
    assert set(found["images"]) == {"r3", "r700"}
    assert decoded(found["images"]["r700"])[3] == bytes([700 % 256]) * 64
    assert list(found["unshown"].values()) == [1]
    assert "3 bytes are no image" in next(iter(found["unshown"]))
    many = pictures(tmp_path / "golden.parquet", {"key": "id", "media": "frame"}, rows["id"])
    assert len(many["images"]) == 60
    assert many["unshown"] == {"more pictures than a page holds": 840}
    assert pictures(tmp_path / "golden.parquet", {"key": "id", "media": None}, ["r3"])["images"] == {}


# -- text and numbers --------------------------------------------------------------------------------------------------


def test_every_character_that_could_hide_something_is_escaped():
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        hides = character != "\t" and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        if hides or not character.isprintable():
            assert (visible(f"a{character}b") == f"a{character}b") != hides, hex(number)


def test_a_run_is_as_its_fields_say_and_reads_back():
    step = Stepped(id="train", kind="train", needs=("pin",), state="done", began=0.5, seconds=1.25)
    made = Ran(run="r", spec="s", pipeline="p", began="2026-01-01", seconds=2.0, exit_code=0, log=("a",), steps=(step,))
    assert made.plain() == {"format": ran.FORMAT, **asdict(made), "steps": (asdict(step),)}
    assert ran.read(json.loads(json.dumps(made.plain()))) == made
