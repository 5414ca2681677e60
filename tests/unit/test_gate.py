"""What the gate makes of slices, groups, comparisons and of how often golden rows have decided."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
import test_step_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_step_program import (
    BAD,
    FEW,
    GOOD,
    METRICS_OF_NOTHING,
    _places,
    assert_said,
    counted,
    demand,
    demanded,
    gate,
    measured,
    to_count,
)

from clspec.data.decisions import Decisions
from clspec.data.storage import storage_at
from clspec.stats.paired import Paired, mcnemar
from clspec.stats.spread import Spread

bench = test_step_program.bench
ABSOLUTE_ONLY = {"compare": "champion", "when_missing": "absolute_only"}
CHAMPION = {"champion": {"number": 3, "model": "sha256:old"}}


def case(*checks, name=None, group=None, of=None, nulls=0):
    """A case of some checks, which are all on the same rows; `group` is a value in a tuple."""
    rows = checks[0]["rows"]
    value = None if group is None else {"value": group[0]}
    return {
        "slice": name,
        "group": value,
        "of": rows if of is None else of,
        "selected": rows,
        "nulls": nulls,
        "checks": [*checks],
    }


def cases(name, *found):
    return {**measured(name), "cases": [*found]}


def compared(scenarios, champion="sha256:old", model="sha256:m"):
    return {**METRICS_OF_NOTHING, "model": model, "compared": True, "champion": champion, "scenarios": scenarios}


def pairs(rows, gained, lost, metric="accuracy", name=None, **changes):
    seen = asdict(Paired(rows, gained, lost, None, float(rows)))
    check = {**counted(rows, 0, metric, name), **to_count(metric, name, margin=True), "tally": None}
    return {**check, "paired": seen, "value": 0.9, "champion": 0.9, **changes}


def spreads(value, error=0.01, metric="expected_calibration_error", *, margin=False, **changes):
    seen = asdict(Spread(value, error, 100, 90.0, 200, None))
    check = {**counted(200, 0, "accuracy", None), **to_count(metric, None, margin=margin), "tally": None}
    return {**check, "spread": seen, "value": value, **changes}


def judged(verdict, scenario=0, seed=0):
    return verdict["seeds"][seed]["scenarios"][scenario]


# -- slices and groups -------------------------------------------------------------------------------------------------

SLICED = {**demanded("s", demand()), "slices": ["night", "day"]}
GROUPED = {**demanded("s", demand()), "for_each": "sky"}


def test_every_slice_is_judged_and_the_worst_counts(bench):
    found = gate(bench, [SLICED], [cases("s", case(GOOD, name="night"), case(GOOD, name="day"))])
    assert found["verdict"] == "pass"
    found = gate(bench, [SLICED], [cases("s", case(GOOD, name="night"), case(BAD, name="day"))])
    assert found["reasons"] == ["s (seed 1): day: 150 of 200 right; the 95 % lower bound 0.695 is under 0.9"]
    assert [(c["title"], c["slice"], c["verdict"]) for c in judged(found)["checks"]] == [
        ("s[night]", "night", "pass"),
        ("s[day]", "day", "fail"),
    ]


@pytest.mark.parametrize(
    "found",
    [
        [case(GOOD, name="night")],
        [case(GOOD)],
        [],
        [case(GOOD, name="night"), case(GOOD, name="night")],
        [case(GOOD, name="night"), case(GOOD, name="day"), case(GOOD, name="dawn")],
        [case(GOOD, name="night"), case(GOOD, name="day"), case(GOOD, name="day")],
        [case(GOOD, name="night"), case(GOOD, name="day", group=("rain",))],
        [case(GOOD, name="night"), case(counted(0, 0), name="day")],
        [case(GOOD, name="night"), case(GOOD, name="day", of=201)],
    ],
)
def test_slices_other_than_those_demanded_never_pass(bench, found):
    assert gate(bench, [SLICED], [cases("s", *found)])["verdict"] == "fail"


def test_every_group_is_judged_and_the_worst_counts(bench):
    groups = [
        case(GOOD, group=("rain",), of=600),
        case(GOOD, group=("sun",), of=600),
        case(GOOD, group=(None,), of=600),
    ]
    found = gate(bench, [GROUPED], [cases("s", *groups)])
    assert found["verdict"] == "pass"
    titles = [check["title"] for check in judged(found)["checks"]]
    assert titles == ["s[sky=rain]", "s[sky=sun]", "s[sky is null]"]
    groups[2] = case(FEW, group=(None,), of=440)
    found = gate(bench, [GROUPED], [cases("s", *({**g, "of": 440} for g in groups))])
    assert found["reasons"] == ["s (seed 1): sky is null: only 40 rows, 100 are needed"]


@pytest.mark.parametrize(
    "found",
    [
        [],
        [case(GOOD)],  # not looked at by groups at all
        [case(GOOD, group=("rain",), of=400)],  # a group is missing
        [case(GOOD, group=("rain",), of=400), case(GOOD, group=("rain",), of=400)],
        [case(GOOD, group=("rain",), of=400), case(GOOD, of=400)],
        [case(GOOD, group=("rain",), of=200), case(counted(0, 0), group=("sun",), of=200)],
        [case(GOOD, group=("rain",), name="night")],
    ],
)
def test_groups_that_are_not_all_of_it_never_pass(bench, found):
    assert gate(bench, [GROUPED], [cases("s", *found)])["verdict"] == "fail"


def test_a_selection_of_nothing_by_groups_fails(bench):
    found = gate(bench, [GROUPED], [cases("s", case(counted(0, 0)))])
    assert found["reasons"] == ["s (seed 1): no rows selected"]


def gap(bench, *values, limit=0.1, rows=200, **changes):
    """The judgement of the gap between groups with these values."""
    check = {**demand("min", 0.01), "max_gap": limit}
    total = rows * len(values)
    groups = [
        case(counted(rows, rows) | {"value": value}, group=(f"{n}",), of=total, **changes)
        for n, value in enumerate(values)
    ]
    scenarios = [demanded("m", demand()), {**demanded("s", check, must_pass=False), "for_each": "sky"}]
    found = judged(gate(bench, scenarios, [measured("m", GOOD), cases("s", *groups)]), 1)
    assert found["checks"][-1]["kind"] == "max_gap"
    assert found["checks"][-1]["title"] == "s[gap over sky]"
    return found["checks"][-1]


def test_a_gap_is_the_largest_distance_between_groups(bench):
    assert gap(bench, 0.9, 0.85, 0.95)["verdict"] == "pass"
    seen = gap(bench, 0.9, 0.84, 0.95)
    assert (seen["verdict"], seen["estimate"]) == ("fail", pytest.approx(0.11))
    assert seen["reason"] == "the value 0.110 is over 0.1, judged as it stands"
    assert gap(bench, 0.9, None, 0.95)["verdict"] == "fail"
    assert gap(bench, None, None)["reason"] == "2 of 2 groups have no value"
    assert gap(bench, 0.9)["verdict"] == "inconclusive", "one group is no distance"
    assert gap(bench, 0.9, 0.9, rows=99)["verdict"] == "inconclusive"
    assert gap(bench, 0.9, 0.9, nulls=1)["verdict"] == "inconclusive"


def test_a_gap_without_groups_fails(bench):
    check = {**demand("min", 0.01), "max_gap": 0.1}
    scenarios = [demanded("m", demand()), {**demanded("s", check, must_pass=False), "for_each": "sky"}]
    found = judged(gate(bench, scenarios, [measured("m", GOOD), measured("s")]), 1)
    assert [c["verdict"] for c in found["checks"]] == ["fail", "fail"]


# -- comparisons -------------------------------------------------------------------------------------------------------

MARGIN = demand("margin", 0.05, "accuracy", None)
FLIPS = demand("max", 0.02, "negative_flip_rate", None)
COMPARED = demanded("s", demand(), MARGIN)


def test_a_challenger_is_not_worse_by_the_margin(bench):
    found = gate(bench, [COMPARED], compared([measured("s", GOOD, pairs(200, 3, 2))]), standing=CHAMPION)
    assert (found["verdict"], found["champion"]) == ("pass", {"number": 3, "model": "sha256:old"})
    check = judged(found)["checks"][1]
    assert (check["estimate"], check["kind"], check["champion"]) == (pytest.approx(0.005), "margin", 0.9)
    assert check["bound"] > -0.05
    assert check["mcnemar"] == mcnemar(Paired(200, 3, 2, None, 200.0))
    found = gate(bench, [COMPARED], compared([measured("s", GOOD, pairs(200, 2, 9))]), standing=CHAMPION)
    assert found["verdict"] == "fail"
    assert found["reasons"][0].startswith("s (seed 1): 2 gained and 9 lost of 200 rows")


def test_a_difference_of_other_values(bench):
    check = demand("margin", 0.05, "expected_calibration_error", None)
    scenario = demanded("s", demand(), check)
    for value, verdict in ((0.0, "pass"), (-0.06, "fail")):
        found = gate(bench, [scenario], compared([measured("s", GOOD, spreads(value, margin=True))]), standing=CHAMPION)
        assert found["verdict"] == verdict
    same = spreads(0.0, 0.0, margin=True)
    found = gate(bench, [scenario], compared([measured("s", GOOD, same)]), standing=CHAMPION)
    assert found["verdict"] == "inconclusive", "an error of zero is no bound"


def test_flips_are_bounded(bench):
    scenario = demanded("s", demand(), FLIPS)
    for flips, verdict in ((0, "pass"), (9, "fail")):
        check = counted(200, flips, "negative_flip_rate", None)
        found = gate(bench, [scenario], compared([measured("s", GOOD, check)]), standing=CHAMPION)
        assert found["verdict"] == verdict


def test_a_first_run_says_so_and_passes_on_what_is_absolute(bench):
    nobody = [pairs(200, 0, 0, paired=None, champion=None), counted(200, 0, "negative_flip_rate", None, tally=None)]
    nobody[1]["tally"] = None
    scenario = demanded("s", demand(), MARGIN, FLIPS)
    metrics = compared([measured("s", GOOD, *nobody)], champion=None)
    found = gate(bench, [scenario], metrics, baseline=ABSOLUTE_ONLY)
    assert (found["verdict"], found["reasons"], found["champion"]) == ("pass", [], None)
    assert judged(found)["verdict"] == "not_compared"
    assert [c["verdict"] for c in judged(found)["checks"]] == ["pass", "not_compared", "not_compared"]
    assert found["warnings"][0].startswith("there is no champion yet: 2 comparisons were not made")
    for baseline in ({"compare": "champion", "when_missing": "fail"}, None):
        found = gate(bench, [scenario], metrics, baseline=baseline)
        assert found["verdict"] == "not_compared"
        assert "s (seed 1): there is no champion to compare with" in found["reasons"]


def test_only_comparisons_are_no_pass_even_where_a_missing_champion_is_excused(bench):
    nobody = pairs(200, 0, 0, paired=None, champion=None)
    metrics = compared([measured("s", nobody)], champion=None)
    found = gate(bench, [demanded("s", MARGIN)], metrics, baseline=ABSOLUTE_ONLY)
    assert found["verdict"] == "not_compared"
    bad = compared([measured("s", BAD, nobody)], champion=None)
    assert gate(bench, [COMPARED], bad, baseline=ABSOLUTE_ONLY)["verdict"] == "fail"
    few = compared([measured("s", FEW, {**nobody, "rows": 40})], champion=None)
    assert gate(bench, [COMPARED], few, baseline=ABSOLUTE_ONLY)["verdict"] == "inconclusive"


def test_a_missing_champion_fails_the_run_wherever_it_is_missed_if_so_demanded(bench):
    scenarios = [demanded("m", demand()), demanded("s", MARGIN, must_pass=False)]
    nobody = pairs(200, 0, 0, paired=None, champion=None)
    metrics = compared([measured("m", GOOD), measured("s", nobody)], champion=None)
    found = gate(bench, scenarios, metrics, baseline={"compare": "champion", "when_missing": "fail"})
    assert found["verdict"] == "not_compared"
    assert found["reasons"] == ["s: accuracy had no champion to be compared with, which `when_missing` refuses"]
    assert gate(bench, scenarios, metrics, baseline=ABSOLUTE_ONLY)["verdict"] == "pass"


@pytest.mark.parametrize(
    "change",
    [
        {"paired": None},
        {"paired": None, "tally": GOOD["tally"]},
        {"paired": None, "spread": asdict(Spread(0.5, 0.01, 100, 90.0, 200, None))},
        {"margin": False},
        {"problem": "the value is nan"},
    ],
)
def test_a_comparison_without_its_pairs_never_passes(bench, change):
    metrics = compared([measured("s", GOOD, pairs(200, 3, 2) | change)])
    assert gate(bench, [COMPARED], metrics, standing=CHAMPION)["verdict"] == "fail"


def test_a_comparison_that_was_not_made_is_no_result(bench):
    """Where the evaluation had no baseline, nobody looked for a champion: that is no first run."""
    metrics = [measured("s", GOOD, pairs(200, 0, 0, paired=None, champion=None))]
    found = gate(bench, [COMPARED], metrics, baseline=ABSOLUTE_ONLY)
    assert found["reasons"] == ["s (seed 1): there is no result"]


@pytest.mark.parametrize("standing", [{"champion": {"number": 4, "model": "sha256:newer"}}, {"champion": None}])
def test_a_comparison_with_another_than_the_champion_is_no_verdict(bench, standing):
    metrics = compared([measured("s", GOOD, pairs(200, 3, 2))])
    assert_said(
        gate(bench, [COMPARED], metrics, standing=standing), 3, "compared with sha256:old, while the champion is"
    )


def test_a_champion_that_the_evaluation_did_not_see_is_no_first_run(bench):
    metrics = compared([measured("s", GOOD, pairs(200, 0, 0, paired=None))], champion=None)
    ended = gate(bench, [COMPARED], metrics, standing=CHAMPION, baseline=ABSOLUTE_ONLY)
    assert_said(ended, 3, "compared with nobody, while the champion is sha256:old")


def test_seeds_are_compared_with_one_champion_on_the_same_rows(bench):
    good = compared([measured("s", GOOD, pairs(200, 3, 2))])
    for other in ({"champion": "sha256:x"}, {"rows": 2}):
        ended = gate(bench, [COMPARED], good, {**good, **other}, standing=CHAMPION)
        assert_said(ended, 3, "the seeds were not compared with one champion on the same golden rows")


@pytest.mark.parametrize("standing", [{"champion": {}}, {"champion": "sha256:x"}, {"champion": {"model": 1}}, {"x": 1}])
def test_a_standing_that_names_no_champion(bench, standing):
    ended = gate(bench, [demanded("s", demand())], [measured("s", GOOD)], standing=standing)
    assert_said(ended, 3, "the standing does not say which model is the champion")


# -- kinds of evidence -------------------------------------------------------------------------------------------------


def test_f1_and_latency_are_judged_by_the_rows_behind_them(bench):
    f1 = demanded("s", demand("min", 0.9, "f1", "dog"))
    found = gate(bench, [f1], [measured("s", counted(200, 180, "f1", "dog"))])
    (check,) = judged(found)["checks"]
    assert (check["verdict"], check["estimate"]) == ("pass", pytest.approx(2 * 0.9 / 1.9))
    asks = to_count("latency_p99", None, limit=0.2)
    latency = demanded("s", {**demand("max", 0.2, "latency_p99", None), **asks})
    for within, verdict in ((500, "pass"), (490, "fail")):
        check = {**counted(500, within, "latency_p99", None), **asks, "value": 0.15}
        found = gate(bench, [latency], [measured("s", check)])
        assert (found["verdict"], judged(found)["checks"][0]["estimate"]) == (verdict, 0.15)
    other = {**counted(500, 500, "latency_p99", None), **asks, "limit": 9.0}
    assert gate(bench, [latency], [measured("s", other)])["verdict"] == "fail", "counted against another limit"


def test_a_metric_of_the_users_is_judged_by_its_spread_and_its_range(bench):
    asks = {"metric": "python:m:f", "class": None, "margin": False, "limit": None, "higher_is_better": True}
    check = {**demand("min", 0.5, "accuracy", None), **asks, "range": [0.0, 1.0]}
    for value, verdict in ((0.6, "pass"), (0.51, "fail"), (1.2, "fail")):
        found = gate(bench, [demanded("s", check)], [measured("s", {**spreads(value), **asks})])
        assert found["verdict"] == verdict
    assert found["reasons"] == ["s (seed 1): there is no result: 1.2 is not in the metric's range, 0 to 1"]
    problem = {**spreads(0.6), **asks, "spread": None, "problem": "the value on all rows is nan"}
    found = gate(bench, [demanded("s", check)], [measured("s", problem)])
    assert found["reasons"] == ["s (seed 1): there is no result: the value on all rows is nan"]


@pytest.mark.parametrize("how", ["paired", "spread"])
def test_evidence_of_another_kind_is_no_result(bench, how):
    other = {"paired": pairs(200, 100, 0)["paired"], "spread": spreads(0.99)["spread"]}[how]
    found = gate(bench, [demanded("s", demand())], [measured("s", {**GOOD, "tally": None, how: other})])
    assert found["verdict"] == "fail"


def test_points_of_every_kind(bench):
    good = demanded("m", demand())
    for kind, threshold, check, verdict in (
        ("margin", 0.05, pairs(200, 0, 9), "pass"),
        ("margin", 0.05, pairs(200, 0, 10), "fail"),
        ("margin", 0.05, pairs(200, 0, 9, paired=None), "fail"),
    ):
        point = demanded("s", demand(kind, threshold, "accuracy", None, gate="point"), must_pass=False)
        found = gate(bench, [good, point], compared([measured("m", GOOD), measured("s", check)]), standing=CHAMPION)
        assert judged(found, 1)["verdict"] == verdict, check
    calibration = demand("max", 0.1, "expected_calibration_error", None, gate="point")
    for value, verdict in ((0.1, "pass"), (0.11, "fail"), (None, "fail")):
        check = {**spreads(0.1), "value": value}
        found = gate(
            bench, [good, demanded("s", calibration, must_pass=False)], [measured("m", GOOD), measured("s", check)]
        )
        assert judged(found, 1)["verdict"] == verdict


def test_groups_of_a_family_share_one_chance_of_a_wrong_pass(bench):
    check = counted(200, 188)  # passes alone, and not as one of five
    groups = [case(check, group=(f"{n}",), of=1000) for n in range(5)]
    scenarios = [demanded("m", demand()), {**GROUPED, "must_pass": False}]
    found = gate(bench, scenarios, [measured("m", GOOD), cases("s", *groups)])
    assert judged(found, 1)["verdict"] == "fail"
    assert "Holm's correction for 5 checks" in judged(found, 1)["reason"]


def test_a_result_that_is_missing_stays_in_its_family(bench):
    """Else a run could drop its other checks to pass one."""
    check, asks = counted(200, 188), demanded("t", demand(), must_pass=False)
    others = [{**asks, "id": f"o{n}"} for n in range(4)]
    found = gate(bench, [demanded("m", demand()), asks, *others], [measured("m", GOOD), measured("t", check)])
    assert judged(found, 1)["verdict"] == "fail"


def test_power_is_told_for_one_seed_and_for_all(bench):
    metrics = compared([measured("s", GOOD, pairs(200, 5, 5))])
    found = gate(bench, [COMPARED], metrics, metrics, metrics, standing=CHAMPION)
    share, margin = (check["power"] for check in judged(found)["checks"])
    assert 0.9 < share["passes_at"] < share["passes_at_all"] < 1
    assert margin["when_equal_all"] == pytest.approx(margin["when_equal"] ** 3)
    assert 0 < margin["when_equal"] < 1
    few = gate(bench, [demanded("s", demand())], [measured("s", counted(10, 10))])
    assert judged(few)["checks"][0]["power"]["passes_at"] is None


def test_a_bound_at_infinity_is_told_as_none(bench):
    scenario = demanded("s", demand("max", 0.5, "mae", None))
    found = gate(bench, [scenario], [measured("s", spreads(1e-9, 5.0, "mae"))])
    (check,) = judged(found)["checks"]
    assert (check["verdict"], check["bound"]) == ("fail", None)


def test_what_is_told_of_slices_and_flips_is_in_the_verdict(bench):
    told = [{"name": "night", "rows": 3, "nulls": 1, "checks": [{"metric": "recall", "class": "dog", "value": 0.5}]}]
    flipped = {"count": 1, "rows": [{"key": "a", "label": "dog", "said": "cat", "champion": "dog"}]}
    found = gate(bench, [demanded("s", demand())], [{**measured("s", GOOD), "slices": told, "flipped": flipped}])
    assert (judged(found)["slices"], judged(found)["flipped"]) == (told, flipped)


IN_FIXTURE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@IN_FIXTURE
@given(st.data())
def test_no_tampering_with_a_comparison_or_a_group_passes_or_is_a_fault(bench, data):
    groups = [
        case(BAD, pairs(200, 0, 60), group=("a",), name="night", of=400),
        case(BAD, pairs(200, 0, 60), group=("b",), name="night", of=400),
    ]
    scenario = {**demanded("s", demand(), MARGIN), "slices": ["night"], "for_each": "sky"}
    metrics = copy.deepcopy(compared([cases("s", *groups)]))
    place = data.draw(st.sampled_from(list(_places(metrics))))
    strange = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(-3, 3), st.lists, max_leaves=3
    )
    at = metrics
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = data.draw(strange)
    found = gate(bench, [scenario], metrics, standing=CHAMPION, baseline=ABSOLUTE_ONLY)
    if isinstance(found, dict):
        assert found["verdict"] != "pass"
    else:
        assert_said(found, 3)


# -- how often golden rows decide --------------------------------------------------------------------------------------


def decide(bench, number, limit=5, check=GOOD):
    """The verdict on model number so-and-so."""
    metrics = {**METRICS_OF_NOTHING, "model": f"sha256:{number}", "scenarios": [measured("s", check)]}
    return gate(bench, [demanded("s", demand())], metrics, reuse={"max_decisions": limit})


def decisions(bench, golden="sha256:9"):
    return Decisions(storage_at(str(bench.store)), "spec").contents(golden)


def test_a_decision_is_kept_with_what_it_was_about(bench):
    assert decide(bench, 1)["verdict"] == "pass"
    wanted = {"models": ["sha256:1"], "verdict": "pass", "pipeline": "regression", "training": "sha256:d"}
    assert decisions(bench) == (wanted,)
    decide(bench, 2, check=BAD)
    assert sorted(d["verdict"] for d in decisions(bench)) == ["fail", "pass"]


def test_decisions_are_limited_and_the_limit_is_told_of_before(bench):
    assert [decide(bench, n)["warnings"] != [] for n in range(1, 6)] == [False, False, False, True, True]
    ended = decide(bench, 6)
    assert_said(ended, 1, "golden version sha256:9 has decided 5 times, and `reuse` allows 5", "clspec data add")
    assert len(decisions(bench)) == 5, "what was refused decided nothing"
    again = decide(bench, 3)
    assert (again["verdict"], len(decisions(bench))) == ("pass", 5)
    assert again["warnings"][0].startswith("this is decision 5 of 5 on golden version sha256:9")
    assert_said(decide(bench, 6), 1)
    assert decide(bench, 6, limit=8)["verdict"] == "pass"


def test_the_same_models_decide_once_whatever_the_verdict(bench):
    for check in (GOOD, BAD, FEW, GOOD):
        decide(bench, 1, limit=2, check=check)
    assert len(decisions(bench)) == 3
    assert decide(bench, 2, limit=2)["verdict"] == "pass"
    assert_said(decide(bench, 3, limit=2), 1)


def test_another_golden_version_has_its_own_count(bench):
    decide(bench, 1, limit=1)
    assert_said(decide(bench, 2, limit=1), 1)
    metrics = {**METRICS_OF_NOTHING, "model": "sha256:2", "scenarios": [measured("s", GOOD)]}
    reuse = {"max_decisions": 1}
    assert gate(bench, [demanded("s", demand())], metrics, reuse=reuse, golden="sha256:8")["verdict"] == "pass"


def test_without_a_limit_decisions_are_counted_all_the_same(bench):
    gate(bench, [demanded("s", demand())], [measured("s", GOOD)])
    assert len(decisions(bench)) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": []}', '{"models": [1]}', "no JSON", "[" * 9999])
def test_a_decision_that_cannot_be_read_stops_the_gate(bench, content):
    decide(bench, 1)
    next((bench.store / "spec/decisions/9").iterdir()).write_text(content)
    assert_said(decide(bench, 2), 3, "is no decision")


@pytest.mark.parametrize("pins", [{}, {"d": None}, {"d": {"digest": None}}])
def test_pins_that_do_not_name_the_training_data_are_refused(bench, pins):
    gate(bench, [demanded("s", demand())], [measured("s", GOOD)])
    bench.put("pins", pins)
    inputs = {"pins": "pins", "standing": "standing", "metrics-seed-1": "m1"}
    config = {"seeds": [1], "scenarios": [], "golden": "sha256:9", "training": "d", "pipeline": "regression"}
    ended = bench.run("gate", {**config, "baseline": None, "reuse": None}, inputs=inputs, outputs=["verdict"])
    assert_said(ended, 3, "which version of dataset `d`")


def test_decisions_recorded_at_once_are_all_there(tmp_path):
    kept = Decisions(storage_at(str(tmp_path)), "spec")

    def one(number):
        return kept.record("sha256:9", {"models": [f"m{number % 4}"], "verdict": "pass"})

    with ThreadPoolExecutor(8) as threads:
        first = sum(threads.map(one, range(32)))
    assert (first, kept.count("sha256:9")) == (4, 4)
    assert kept.knows("sha256:9", ["m3"])
    assert not kept.knows("sha256:9", ["m3", "m2"])
    assert json.loads(next((tmp_path / "spec/decisions/9").iterdir()).read_text())["verdict"] == "pass"
