"""The laws of feedback, promotion, data gates and comparisons: each kept and each broken."""

from pathlib import Path

import msgspec
import pytest
from pets import CHECK, DAY, DIAGNOSTICS, FLEET, GONE, SCENARIO, in_check, judged, loop, pins, said, spec
from test_diagnostics import with_sections

from clspec import compile as pipe
from clspec.diagnostic import Span
from clspec.pages import page


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty project with the code of the diagnostics' cases."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    code = (DIAGNOSTICS / "code" / "model.py").read_text()
    Path("code/model.py").write_text(f"{code}\n\ndef mine(rows): ...\n")


RULE = "feedback__rules__{}"


def rule(number, **keys):
    return {f"feedback__rules__{number}__{key}": value for key, value in keys.items()}


def feedback(**keys):
    return {f"feedback__{key}": value for key, value in keys.items()}


def test_all_of_feedback_is_valid():
    assert judged(loop()) == ()


def test_a_loop_without_triggers_and_options_is_valid():
    less = dict.fromkeys(("sampling", "auto_label", "labelling", "retrain_when"), GONE)
    assert judged(loop(**feedback(**less))) == ()


# -- names, roles and types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (feedback(source="flet"), [("CLS301", "feedback.source")]),
        (feedback(append_to="canonicl"), [("CLS301", "feedback.append_to")]),
        (feedback(leakage_guard={"against": ["golden", "gold"]}), [("CLS301", "feedback.leakage_guard.against.1")]),
        (rule(3, source="report"), [("CLS301", "feedback.rules.told.source")]),
        (rule(1, id="odd"), [("CLS305", "feedback.rules.odd.id")]),
        (feedback(sampling__stratify_by=["rule", "prd"]), [("CLS302", "feedback.sampling.stratify_by.1")]),
        (feedback(sampling__stratify_by=["owner"]), []),
        (rule(3, join="inference"), [("CLS302", "feedback.rules.told.join")] * 2),
        (
            {"sources__fleet__columns__inference": "string", **rule(3, join="inference")},
            [("CLS302", "feedback.rules.told.join")],
        ),
        (rule(3, label="sad"), [("CLS302", "feedback.rules.told.label")]),
        ({"sources__reports__columns__inference_id": "integer"}, [("CLS313", "feedback.rules.told.join")]),
        ({"sources__reports__columns__said": "integer"}, [("CLS313", "feedback.rules.told.label")]),
        ({"sources__fleet__columns__ts": "string"}, [("CLS313", "sources.fleet.roles.time")]),
        ({"sources__fleet__columns__conf": "integer"}, [("CLS313", "sources.fleet.roles.confidence")]),
        ({"sources__fleet__columns__pred": "integer"}, [("CLS313", "sources.fleet.roles.prediction")]),
        (
            {"sources__fleet__columns__photo": "string"},
            [("CLS313", "sources.fleet.roles.media"), ("CLS313", "feedback.append_to")],
        ),
        ({"sources__fleet__columns__id": GONE}, [("CLS313", "feedback.append_to")]),
        ({"sources__fleet__columns__id": "integer"}, [("CLS313", "feedback.append_to")]),
        (
            {"sources__fleet__columns__owner": GONE, "sources__fleet__roles__group": "id"},
            [("CLS313", "feedback.append_to")],
        ),
    ],
)
def test_the_loop_names_what_is_there(changes, expected):
    assert said(loop(**changes)) == expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("id", ["feedback.source"]),
        ("time", ["feedback.rules.flip.type", "feedback.rules.jolt.type"]),
        ("group", ["feedback.rules.flip.type", "feedback.rules.jolt.type"]),
        ("prediction", ["feedback.rules.flip.type", "feedback.rules.audit.type"]),
        ("confidence", ["feedback.rules.unsure.type"]),
        ("media", ["feedback.sampling.dedupe", "feedback.leakage_guard.near"]),
    ],
)
def test_a_role_is_needed_where_it_is_used(role, expected):
    found = said(loop(**{f"sources__fleet__roles__{role}": GONE}))
    assert found == [("CLS318", where) for where in expected]


def test_roles_are_needed_by_nothing_that_is_not_there():
    rules = [{"id": "odd", "type": "heuristic", "when": "speed < 0"}, {"id": "audit", "type": "random", "rate": 0.1}]
    lean = feedback(rules=rules, sampling=GONE, leakage_guard__near=GONE)
    assert judged(loop(**lean, sources__fleet__roles={"id": "inference_id"})) == ()


def test_what_matures_needs_the_time():
    matures = rule(3, matures_after="90d", when_absent="cat")
    assert judged(loop(**matures)) == ()
    rules = feedback(rules__0=GONE)
    found = said(loop(**matures, sources__fleet__roles__time=GONE, **rules))
    assert ("CLS318", "feedback.rules.told.type") in found


def test_freshness_needs_the_time():
    assert said(loop(sources__fleet__freshness="24h")) == []
    assert said(loop(sources__reports__freshness="24h")) == [("CLS318", "sources.reports.freshness")]


def test_media_are_looked_for_where_they_are():
    other = {"id": "string", "owner": "string", "label": "string"}
    golden = {"columns": other, "key": "id", "group": "owner", "pinned": True}
    assert said(loop(datasets__golden=golden)) == [("CLS302", "feedback.leakage_guard.near")]


# -- predicates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (rule(2, when="speed <"), [("CLS320", "feedback.rules.odd.when")]),
        (rule(2, when="speed < 'a'"), [("CLS321", "feedback.rules.odd.when")]),
        (rule(2, when="label = 'cat'"), [("CLS302", "feedback.rules.odd.when")]),
        (rule(2, when="not " * 30 + "speed < 0"), [("CLS322", "feedback.rules.odd.when")]),
        (rule(1, event="spd > 3"), [("CLS302", "feedback.rules.jolt.event")]),
        (rule(1, when="1"), [("CLS321", "feedback.rules.jolt.when")]),
        (feedback(auto_label__accept_if="sur"), [("CLS302", "feedback.auto_label.accept_if")]),
        (feedback(auto_label__accept_if="label = 'cat'"), [("CLS302", "feedback.auto_label.accept_if")]),
        (feedback(auto_label__columns=GONE), [("CLS302", "feedback.auto_label.accept_if")]),
        (feedback(auto_label__columns={"sure": "yes"}), [("CLS204", "feedback.auto_label.columns.sure")]),
        ({"sources__fleet__columns__speed": "fast"}, [("CLS204", "sources.fleet.columns.speed")]),
        ({"golden__slices": {"a": "lable = 'dog'"}}, [("CLS302", "golden.slices.a")]),
        ({"golden__slices": {"a": "label = 'dgo'"}}, [("CLS303", "golden.slices.a")]),
    ],
)
def test_predicates_of_the_loop_are_understood(changes, expected):
    assert said(loop(**changes)) == expected


def test_a_rule_is_underlined_where_it_is_wrong():
    text = with_sections((DIAGNOSTICS / "valid.yaml").read_text(), page("CLS423").fails[0].text).replace(
        "when: \"label = 'cat'", "when: \"lable = 'cat'"
    )
    Path("spec.yaml").write_text(text)
    Path("spec.lock").write_text((DIAGNOSTICS / "valid.lock").read_text())
    found = [d for d in pipe.read("spec.yaml", as_of=DAY).diagnostics if d.code == "CLS302"]
    line = text.splitlines().index(next(row for row in text.splitlines() if "lable" in row)) + 1
    column = text.splitlines()[line - 1].index("lable") + 1
    assert [d.span for d in found] == [Span(line, column, line, column + 5)]


# -- the way into training ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (feedback(leakage_guard=GONE), [("CLS421", "feedback")]),
        (
            {"datasets__other": {"like": "canonical"}, **feedback(leakage_guard={"against": ["other"]})},
            [("CLS421", "feedback.leakage_guard.against")],
        ),
        (feedback(append_to="golden"), [("CLS422", "feedback.append_to")]),
        ({"datasets__canonical__pinned": True}, [("CLS422", "feedback.append_to")]),
        ({"datasets__other": {"like": "canonical"}, **feedback(append_to="other")}, [("CLS422", "feedback.append_to")]),
        (
            {
                "datasets__other": {"columns": {"id": "integer", "owner": "string"}, "key": "id", "group": "owner"},
                **feedback(leakage_guard={"against": ["golden", "other"]}),
            },
            [("CLS409", "feedback.leakage_guard.against.1")],
        ),
        ({"datasets__other": {"like": "golden"}, **feedback(leakage_guard={"against": ["golden", "other"]})}, []),
    ],
)
def test_nothing_leaks_into_training(changes, expected):
    assert said(loop(**changes)) == expected


def test_a_guard_that_is_cut_out_is_not_one_that_was_forgotten():
    assert said(loop(**feedback(leakage_guard={"against": []}))) == [("CLS207", "feedback.leakage_guard.against")]
    assert said(loop(**feedback(leakage_guard=GONE, leakage_gaurd={"against": ["golden"]}))) == [
        ("CLS201", "feedback.leakage_gaurd")
    ]


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (rule(3, matures_after="90d"), [("CLS209", "feedback.rules.told.matures_after")]),
        (rule(3, when_absent="cat"), [("CLS209", "feedback.rules.told.when_absent")]),
        (rule(3, when_absent="cta", matures_after="90d"), [("CLS303", "feedback.rules.told.when_absent")]),
        (feedback(auto_label__never_for=["dog", "cta"]), [("CLS303", "feedback.auto_label.never_for.1")]),
        (feedback(retrain_when__min_per_class={"cta": 3}), [("CLS303", "feedback.retrain_when.min_per_class.cta")]),
        (feedback(labelling__on_disagreement=GONE), [("CLS209", "feedback.labelling.votes")]),
        (feedback(labelling={"queue": "files"}), []),
        (feedback(labelling__votes=0), [("CLS206", "feedback.labelling.votes")]),
        (feedback(labelling__queue="label_studio"), []),
        (feedback(auto_label__audit_rate=0), [("CLS209", "feedback.auto_label.max_disagreement")]),
        (
            feedback(auto_label__audit_rate=0, auto_label__max_disagreement=GONE),
            [("CLS424", "feedback.auto_label.audit_rate")],
        ),
        (feedback(auto_label__columns__label="string"), [("CLS313", "feedback.auto_label.columns.label")]),
        (feedback(auto_label__columns__id="string"), [("CLS313", "feedback.auto_label.columns.id")]),
        (feedback(rules__5=GONE), [("CLS423", "feedback.rules")]),
        (feedback(rules__5__rate="x"), [("CLS203", "feedback.rules.audit.rate")]),
        (
            {"datasets__canonical__group": GONE, "golden__cluster_by": GONE},
            [("CLS209", "feedback.sampling.max_per_group")],
        ),
        (feedback(auto_label__entrypoint="model:nobody"), [("CLS309", "feedback.auto_label.entrypoint")]),
        (feedback(auto_label__entrypoint="model:predict"), [("CLS311", "feedback.auto_label.entrypoint")]),
        (
            feedback(auto_label__entrypoint=GONE, auto_label__command=["label", "{data}"]),
            [("CLS312", "feedback.auto_label.command")],
        ),
        (feedback(auto_label__resources={"nodes": 2}), [("CLS520", "feedback.auto_label.resources.nodes")]),
    ],
)
def test_labels_say_something_and_somebody_answers_for_them(changes, expected):
    assert said(loop(**changes)) == expected


def test_labels_of_a_regression_are_numbers():
    numbers = {
        "task": {"type": "regression", "label": "weight"},
        "datasets__canonical__columns__weight": "double",
        "sources__photos__columns__weight": "double",
        "sources__fleet__columns__guess": "double",
        "sources__fleet__roles__prediction": "guess",
        "sources__reports__columns__said": "double",
        "golden__scenarios": [{"id": "all", "select": "id is not null", "checks": [{"metric": "mae", "max": 2}]}],
        **feedback(auto_label__never_for=GONE, retrain_when__min_per_class=GONE),
    }
    assert judged(loop(**numbers)) == ()
    words = loop(**{**numbers, "sources__fleet__roles__prediction": "pred"})
    assert said(words) == [("CLS313", "sources.fleet.roles.prediction")]
    classes = loop(**{**numbers, "feedback__auto_label__never_for": ["dog"]})
    assert said(classes) == [("CLS303", "feedback.auto_label.never_for.0")]


# -- promotion, triggers, notifications --------------------------------------------------------------------------------

IMPROVE = {"event": "schedule", "cron": "0 2 * * *", "run": "improvement"}


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([{"alias": "champion"}], []),
        ([{"alias": "shadow"}, {"alias": "champion", "approval": "board"}], []),
        ([{"alias": "champion"}, {"alias": "shadow"}], [("CLS431", "promotion.stages.champion.alias")]),
        ([{"alias": "shadow"}], [("CLS431", "promotion.stages")]),
        ([{"alias": "champion"}, {"alias": "champion"}], [("CLS305", "promotion.stages.champion.alias")]),
        ([{"alias": "champion", "approval": ""}], [("CLS205", "promotion.stages.champion.approval")]),
        ([], [("CLS207", "promotion.stages")]),
    ],
)
def test_promotion_leads_to_the_champion(stages, expected):
    assert said(spec(promotion={"stages": stages})) == expected


@pytest.mark.parametrize(
    ("trigger", "looped", "expected"),
    [
        (IMPROVE, True, []),
        (IMPROVE, False, [("CLS319", "triggers.0.run")]),
        ({"event": "labels", "run": "improvement"}, True, []),
        ({"event": "labels", "run": "improvement"}, False, [("CLS319", "triggers.0.run")]),
        ({"event": "labels", "run": "regression"}, True, [("CLS319", "triggers.0.run")]),
        ({"event": "data_change", "source": "photos", "run": "regression"}, True, [("CLS319", "triggers.0.run")]),
        ({"event": "code_change", "paths": ["x"], "run": "improvement"}, True, []),
    ],
)
def test_a_trigger_starts_what_it_changes(trigger, looped, expected):
    assert said((loop if looped else spec)(triggers=[trigger])) == expected


def test_feedback_that_is_broken_is_not_missing():
    assert said(spec(triggers=[IMPROVE], feedback=3)) == [("CLS203", "feedback")]
    assert said(spec(triggers=[IMPROVE], feedbck={})) == [("CLS201", "feedbck")]


def test_a_webhook_is_given_by_name():
    told = {"on_event": ["gate_failed"], "webhook_env": "HOOK"}
    assert judged(spec(notify=[told])) == ()
    assert said(spec(notify=[{**told, "on_event": ["gate_fails"]}])) == [("CLS204", "notify.0.on_event.0")]
    assert said(spec(notify=[{**told, "webhook_env": "a b"}])) == [("CLS205", "notify.0.webhook_env")]


# -- data gates --------------------------------------------------------------------------------------------------------

DRIFT = {"columns": ["owner"], "against": "canonical", "max_psi": 0.2}


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ({"rows": {"min": 10}, "nulls": {"conf": 0}, "ranges": {"conf": {"min": 0, "max": 1}}, "drift": DRIFT}, []),
        ({"nulls": {"cnf": 0}}, [("CLS302", "nulls.cnf")]),
        ({"ranges": {"cnf": {"min": 0}}}, [("CLS302", "ranges.cnf")]),
        ({"ranges": {"pred": {"min": 0}}}, [("CLS313", "ranges.pred")]),
        ({"ranges": {"conf": {"min": 1, "max": 0}}}, [("CLS206", "ranges.conf.max")]),
        ({"rows": {"min": 3, "max": 2}}, [("CLS206", "rows.max")]),
        ({"drift": {**DRIFT, "columns": ["ownr"]}}, [("CLS302", "drift.columns.0")] * 2),
        ({"drift": {**DRIFT, "columns": ["speed"]}}, [("CLS302", "drift.columns.0")]),
        ({"drift": {**DRIFT, "columns": ["photo"]}}, [("CLS313", "drift.columns.0")]),
        ({"drift": {**DRIFT, "against": "canonicl"}}, [("CLS301", "drift.against")]),
        ({"drift": {**DRIFT, "max_psi": 0}}, [("CLS206", "drift.max_psi")]),
    ],
)
def test_data_gates_are_about_what_is_there(expect, expected):
    found = said(loop(sources__fleet__expect=expect))
    assert found == [(code, f"sources.fleet.expect.{where}") for code, where in expected]


def test_drift_is_measured_in_one_type():
    columns = {"id": "string", "owner": "integer", "label": "string"}
    other = {"datasets__other": {"columns": columns, "key": "id"}}
    found = said(loop(sources__fleet__expect={"drift": {**DRIFT, "against": "other"}}, **other))
    assert found == [("CLS313", "sources.fleet.expect.drift.columns.0")]


def test_a_data_gate_is_asked_by_a_run():
    rows = {"rows": {"min": 1}}
    asked = {"sources__fleet__expect": rows, "sources__reports__expect": rows, "datasets__canonical__expect": rows}
    assert judged(loop(**asked)) == ()
    assert said(loop(datasets__golden__expect=rows)) == [("CLS415", "datasets.golden.expect")]
    assert said(loop(sources__photos__expect=rows)) == [("CLS415", "sources.photos.expect")]
    assert said(spec(sources__fleet=FLEET, sources__fleet__freshness="1h")) == [("CLS415", "sources.fleet.freshness")]


# -- gates -------------------------------------------------------------------------------------------------------------

BASELINE = {"golden__baseline": {"compare": "champion", "when_missing": "absolute_only"}}
OWN = {"metric": "python:model:mine", "min": 0.5, "higher_is_better": True, "range": [0, 1]}
MARGIN = {"metric": "recall", "class": "dog", "margin": 0.02}
FLIPS = {"metric": "negative_flip_rate", "max": 0.02}


def further(*checks, **keys):
    """A second scenario, on which nothing depends."""
    return {
        "golden__scenarios__1": {
            "id": "all",
            "must_pass": False,
            "select": "id is not null",
            "checks": list(checks),
            **keys,
        }
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({**further(MARGIN, FLIPS), **BASELINE}, []),
        (further(MARGIN), [("CLS408", "margin")]),
        (further(FLIPS), [("CLS408", "metric")]),
        ({**further({"metric": "negative_flip_rate", "margin": 0.1}), **BASELINE}, [("CLS410", "margin")]),
        ({**further({"metric": "latency_p99", "margin": 0.1}), **BASELINE}, [("CLS410", "margin")]),
        ({**further({**MARGIN, "margin": 1}), **BASELINE}, [("CLS206", "margin")]),
        ({**further({**MARGIN, "margin": 0}), **BASELINE}, [("CLS206", "margin")]),
        (further({"metric": "accuracy", "min": 0.5, "max_gap": 0.1}, for_each="id"), []),
        (further({"metric": "accuracy", "min": 0.5, "max_gap": 0.1}), [("CLS410", "max_gap")]),
        (
            further({"metric": "accuracy", "min": 0.5, "max_gap": 0.1}, for_each="id", must_pass=True),
            [("CLS410", "max_gap")],
        ),
        (further({"metric": "accuracy", "min": 0.5, "max_gap": 1}, for_each="id"), [("CLS206", "max_gap")]),
        (further({"metric": "mae", "max": 0.5}), [("CLS411", "metric")]),
        (further({"metric": "auroc", "class": "dog", "min": 0.5}), [("CLS209", "metric")]),
        ({**further({"metric": "auroc", "class": "dog", "min": 0.5}), "task__score": "conf"}, []),
        (further({"metric": "expected_calibration_error", "max": 0.5}), [("CLS209", "metric")]),
        (further({"metric": "f1", "min": 0.5}), [("CLS307", "metric")]),
        (further({"metric": "latency_p99", "max": 0.5}), []),
        (further({"metric": "latency_p99", "max": -1}), [("CLS206", "max")]),
        (
            {
                **further({"metric": "latency_p99", "max": 0.5}),
                "inference": {"command": ["predict", "{data}", "{model_dir}", "{out}"]},
            },
            [("CLS209", "metric")],
        ),
        (further(OWN), []),
        (further({**OWN, "metric": "python:model"}), [("CLS205", "metric")]),
        (further({**OWN, "metric": "python:model:nobody"}), [("CLS309", "metric")]),
        (further({**OWN, "metric": "python:model:predict"}), [("CLS311", "metric")]),
        (further({"metric": "python:model:mine", "min": 0.5}), [("CLS413", "metric")] * 2),
        (further({**OWN, "range": [1, 0]}), [("CLS206", "range")]),
        (further({**OWN, "min": 1.5}), [("CLS206", "min")]),
        (further({**OWN, "higher_is_better": False}), [("CLS407", "min")]),
        (further({"metric": "accuracy", "min": 0.5, "range": [0, 1]}), [("CLS413", "range")]),
    ],
)
def test_checks_are_what_they_can_be(changes, expected):
    assert said(spec(**changes)) == [(code, f"golden.scenarios.all.checks.0.{key}") for code, key in expected]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"golden__slices": {"named": "id is not null"}, f"{SCENARIO}__slices": ["named"]}, []),
        ({f"{SCENARIO}__slices": ["named"]}, [("CLS301", "golden.scenarios.dogs.slices.0")]),
        ({f"{SCENARIO}__for_each": "id"}, []),
        ({f"{SCENARIO}__for_each": "idd"}, [("CLS302", "golden.scenarios.dogs.for_each")]),
        ({"golden__reuse": {"max_decisions": 50}}, []),
        ({"golden__reuse": {"max_decisions": 0}}, [("CLS206", "golden.reuse.max_decisions")]),
    ],
)
def test_slices_and_groups(changes, expected):
    assert said(spec(**changes)) == expected


WRONG_METRICS = [("CLS411", f"golden.scenarios.dogs.{half}checks.0.metric") for half in ("", "guard.")]


def test_metrics_are_those_of_the_task():
    assert said(spec(task__type="custom")) == WRONG_METRICS
    found = said(spec(task__type="regression"))
    assert set(found) == {("CLS313", "task.label"), ("CLS411", "task.classes"), *WRONG_METRICS}
    own = {CHECK: OWN, f"{SCENARIO}__guard": GONE}
    assert said(spec(task__type="custom", **own)) == []


def test_groups_have_values_that_people_can_read():
    assert said(loop(**{f"{SCENARIO}__for_each": "photo"})) == [("CLS313", "golden.scenarios.dogs.for_each")]


def test_a_margin_must_be_within_reach_of_the_pinned_golden_set():
    value = spec(**further(MARGIN), **BASELINE, golden__defaults={"min_samples": 1})
    assert judged(value, pins(value, rows=150)) == ()
    found = judged(value, pins(value, rows=100))
    assert [(d.code, d.where) for d in found] == [("CLS403", "golden.scenarios.all.checks.0.margin")]
    assert "on which both models agree" in found[0].message


def test_latency_takes_as_many_rows_as_its_share_does():
    value = spec(**further({"metric": "latency_p99", "max": 0.5}), golden__defaults={"min_samples": 1})
    assert judged(value, pins(value, rows=299)) == ()
    assert [d.code for d in judged(value, pins(value, rows=298))] == ["CLS403"]


def test_a_check_that_looks_at_no_answer_keeps_nobody_honest():
    quick = {f"{SCENARIO}__guard": GONE, f"{SCENARIO}__checks__1": {"metric": "latency_p99", "max": 1}}
    assert said(spec(**quick)) == [("CLS412", "golden.scenarios.dogs")]
    alone = {f"{SCENARIO}__guard": GONE, CHECK: {"metric": "latency_p99", "max": 1}}
    assert said(spec(**alone)) == []
    flips = {f"{SCENARIO}__guard": GONE, f"{SCENARIO}__checks__1": FLIPS, **BASELINE}
    assert said(spec(**flips)) == [("CLS412", "golden.scenarios.dogs")]
    f1 = in_check(metric="f1") | {f"{SCENARIO}__guard": GONE}
    assert said(spec(**f1)) == [("CLS412", "golden.scenarios.dogs")]


def sliced(**counts):
    """The problems of a scenario judged on one slice of which the lock counts so much, by code and place."""
    value = spec(golden__slices={"named": "id is not null"}, **{f"{SCENARIO}__slices": ["named"]})
    made = pins(value)
    first = value["golden"]["scenarios"][0]["id"]
    pin = made.scenarios[first]
    changed = {name: msgspec.structs.replace(found, **counts) for name, found in pin.slices.items()}
    scenarios = {**made.scenarios, first: msgspec.structs.replace(pin, slices=changed)}
    return said(value, msgspec.structs.replace(made, scenarios=scenarios))


def test_a_slice_that_is_judged_holds_enough_by_itself():
    assert sliced() == []
    assert ("CLS403", "golden.scenarios.dogs.slices.0") in sliced(rows=99)
    assert ("CLS602", "golden.scenarios.dogs.select") in sliced(select="another")
