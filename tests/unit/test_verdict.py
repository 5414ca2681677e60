from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clspec.stats.proportion import Tally, clustered, independent, lower_bound, p_value_at_least, upper_bound, worth
from clspec.stats.verdict import Case, Demand, Judgement, Verdict, judge, judge_family, judge_point, worst

FAIL, INCONCLUSIVE, NOT_COMPARED, PASS = Verdict
AT_LEAST = Demand(kind="min", threshold=0.95, confidence=0.95, min_samples=100)
AT_MOST = Demand(kind="max", threshold=0.05, confidence=0.95, min_samples=100)


def case(tally, demand=AT_LEAST, nulls=0, **changes):
    return Case(demand=replace(demand, **changes), tally=tally, nulls=nulls)


def verdict_and_reason(judgement):
    return judgement.verdict, judgement.reason


# -- the order of verdicts ---------------------------------------------------------------------------------------------


def test_the_worst_of_several():
    for chosen in permutations(Verdict, 2):
        assert worst(chosen) is min(chosen, key=[FAIL, INCONCLUSIVE, NOT_COMPARED, PASS].index)
    assert worst(iter(Verdict)) is FAIL
    assert worst([PASS, PASS]) is PASS


def test_nothing_passes_by_default():
    assert worst([]) is FAIL


def test_words():
    assert [verdict.value for verdict in Verdict] == ["fail", "inconclusive", "not_compared", "pass"]


# -- each rule, alone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (case(independent(640, 636)), (PASS, "636 of 640 right; the 95 % lower bound 0.986 meets 0.95")),
        (case(independent(640, 612)), (FAIL, "612 of 640 right; the 95 % lower bound 0.941 is under 0.95")),
        (case(independent(640, 3), AT_MOST), (PASS, "3 of 640 wrong; the 95 % upper bound 0.012 meets 0.05")),
        (case(independent(640, 28), AT_MOST), (FAIL, "28 of 640 wrong; the 95 % upper bound 0.059 is over 0.05")),
        (
            case(clustered([5] * 120, [5] * 118 + [1] * 2)),
            (
                PASS,
                "592 of 600 right in 120 clusters (worth 147 independent rows); the 95 % lower bound 0.958 meets 0.95",
            ),
        ),
        (case(None), (FAIL, "there is no result")),
        (case(independent(0, 0)), (FAIL, "no rows selected")),
        (case(clustered([], [])), (FAIL, "no rows selected")),
        (case(independent(640, 640), threshold=float("nan")), (FAIL, "the threshold is not a number")),
        (
            case(independent(640, 640), nulls=3),
            (INCONCLUSIVE, "3 golden rows have a NULL in `select`; handle them with `is null`"),
        ),
        (
            case(independent(640, 640), nulls=1),
            (INCONCLUSIVE, "1 golden row has a NULL in `select`; handle them with `is null`"),
        ),
        (case(independent(99, 99)), (INCONCLUSIVE, "only 99 rows, 100 are needed")),
        (case(independent(1, 1)), (INCONCLUSIVE, "only 1 row, 100 are needed")),
        (case(clustered([10] * 41, [10] * 41)), (INCONCLUSIVE, "only 41 clusters, 50 are needed")),
        (case(clustered([200], [200])), (INCONCLUSIVE, "only 1 cluster, 50 are needed")),
        (
            case(independent(640, 640), threshold=0.999),
            (INCONCLUSIVE, "even 640 faultless rows cannot show at least 0.999 at 95 % confidence; 2995 are needed"),
        ),
        (
            case(independent(640, 0), AT_MOST, threshold=0.001, confidence=0.999),
            (INCONCLUSIVE, "even 640 faultless rows cannot show at most 0.001 at 99.9 % confidence; 6905 are needed"),
        ),
        (
            case(clustered([10] * 58, [10] * 58)),
            (INCONCLUSIVE, "even 58 faultless clusters cannot show at least 0.95 at 95 % confidence; 59 are needed"),
        ),
        (
            case(independent(640, 640), threshold=1.0),
            (INCONCLUSIVE, "no number of rows can show at least 1 at 95 % confidence"),
        ),
    ],
)
def test_rules(asked, expected):
    assert verdict_and_reason(judge(asked)) == expected


def test_the_numbers_behind_a_verdict():
    tally = clustered([10] * 120, [10] * 118 + [6] * 2)
    judgement = judge(case(tally))
    assert judgement == Judgement(
        verdict=PASS,
        estimate=1192 / 1200,
        bound=lower_bound(tally, 0.95),
        threshold=0.95,
        rows=1200,
        clusters=120,
        effective=worth(tally, 0.05),
        reason=judgement.reason,
    )
    assert judge(case(independent(640, 3), AT_MOST)).bound == upper_bound(independent(640, 3), 0.95)


def test_an_inconclusive_verdict_still_shows_its_numbers():
    judgement = judge(case(independent(50, 49)))
    assert (judgement.estimate, judgement.bound) == (0.98, lower_bound(independent(50, 49), 0.95))


def test_a_missing_result_has_no_numbers():
    judgement = judge(case(None))
    assert (judgement.estimate, judgement.bound, judgement.effective, judgement.rows) == (None, None, None, 0)


# -- their precedence --------------------------------------------------------------------------------------------------


def test_each_rule_goes_before_the_next():
    """One case that breaks every rule, mended one rule at a time."""
    asked = case(None, nulls=1, threshold=float("nan"))
    reasons = []
    for mend in (
        {"tally": clustered([], [])},
        {"tally": clustered([1] * 40, [1] * 40)},
        {"demand": AT_LEAST},
        {"nulls": 0},
        {"tally": clustered([3] * 40, [3] * 39 + [0])},
        {"tally": clustered([3] * 55, [3] * 54 + [0])},
        {"tally": clustered([3] * 60, [3] * 40 + [0] * 20)},
        {"tally": clustered([3] * 60, [3] * 60)},
    ):
        reasons.append(judge(asked).reason)
        asked = replace(asked, **mend)
    assert reasons == [
        "there is no result",
        "no rows selected",
        "the threshold is not a number",
        "1 golden row has a NULL in `select`; handle them with `is null`",
        "only 40 rows, 100 are needed",
        "only 40 clusters, 50 are needed",
        "even 55 faultless clusters cannot show at least 0.95 at 95 % confidence; 59 are needed",
        "120 of 180 right in 60 clusters (worth 58 independent rows); the 95 % lower bound 0.551 is under 0.95",
    ]
    assert judge(asked).verdict is PASS


# -- at the edges ------------------------------------------------------------------------------------------------------


def test_a_bound_that_equals_the_threshold_meets_it():
    tally = independent(200, 190)
    low, high = lower_bound(tally, 0.95), upper_bound(tally, 0.95)
    assert judge(case(tally, threshold=low)).verdict is PASS
    assert judge(case(tally, threshold=low + 1e-12)).verdict is FAIL
    assert judge(case(tally, AT_MOST, threshold=high)).verdict is PASS
    assert judge(case(tally, AT_MOST, threshold=high - 1e-12)).verdict is FAIL


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (independent(100, 100), PASS),
        (clustered([2] * 59, [2] * 59), PASS),
        (clustered([2] * 50, [2] * 50), INCONCLUSIVE),
    ],
)
def test_just_enough_rows_and_clusters_are_enough(tally, verdict):
    assert judge(case(tally)).verdict is verdict


def test_fifty_clusters_are_enough_for_a_lower_threshold():
    assert judge(case(clustered([2] * 50, [2] * 50), threshold=0.9)).verdict is PASS
    assert judge(case(clustered([3] * 49, [3] * 49), threshold=0.9)).verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [(0.942, "0.941 is under 0.942"), (0.9406, "0.9405 is under 0.9406")],
)
def test_a_bound_just_under_the_threshold_does_not_look_as_if_it_met_it(threshold, shown):
    assert judge(case(independent(640, 612), threshold=threshold)).reason.endswith(f"lower bound {shown}")


# -- laws --------------------------------------------------------------------------------------------------------------

tallies = st.integers(1, 400).flatmap(lambda n: st.integers(0, n).map(lambda k: independent(n, k)))
demands = st.builds(
    Demand,
    kind=st.sampled_from(["min", "max"]),
    threshold=st.integers(1, 99).map(lambda percent: percent / 100),
    confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
    min_samples=st.sampled_from([1, 30, 100]),
)


@given(tallies, demands)
def test_an_error_less_never_turns_a_pass_into_anything_else(tally, demand):
    less = -1 if demand.kind == "max" else 1
    assume(0 <= tally.successes + less <= tally.rows)
    before = judge(case(tally, demand)).verdict
    after = judge(case(replace(tally, successes=tally.successes + less), demand)).verdict
    assert worst([before, after]) is before


@given(tallies, demands)
def test_a_faultless_result_never_fails(tally, demand):
    faultless = replace(tally, successes=tally.rows if demand.kind == "min" else 0)
    assert judge(case(faultless, demand)).verdict in {PASS, INCONCLUSIVE}


@given(tallies, demands)
def test_at_most_mirrors_at_least(tally, demand):
    other = replace(demand, kind="max" if demand.kind == "min" else "min", threshold=round(1 - demand.threshold, 2))
    assert judge(case(tally, demand)).verdict is judge(case(tally.failures, other)).verdict


@given(tallies, demands)
def test_the_sentence_says_which_side_the_bound_is_on(tally, demand):
    judgement = judge(case(tally, demand))
    assume(judgement.verdict is not INCONCLUSIVE)
    *_, shown, stands, threshold = judgement.reason.replace("is under", "misses").replace("is over", "misses").split()
    meets = float(shown) >= float(threshold) if demand.kind == "min" else float(shown) <= float(threshold)
    assert (judgement.verdict is PASS) == meets == (stands == "meets")


# -- a value as it stands ----------------------------------------------------------------------------------------------


def point(value, demand=AT_MOST, rows=200, clusters=None, nulls=0, **changes):
    return judge_point(replace(demand, **changes), value, rows=rows, clusters=clusters, nulls=nulls)


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        (point(0.05), (PASS, "the value 0.050 meets 0.05, judged as it stands")),
        (point(0.05001), (FAIL, "the value 0.05001 is over 0.05, judged as it stands")),
        (point(0.95, AT_LEAST), (PASS, "the value 0.950 meets 0.95, judged as it stands")),
        (point(0.9, AT_LEAST), (FAIL, "the value 0.900 is under 0.95, judged as it stands")),
        (point(float("inf"), threshold=2.5), (FAIL, "the value inf is over 2.5, judged as it stands")),
        (point(1.0, AT_LEAST, threshold=1.0), (PASS, "the value 1.000 meets 1, judged as it stands")),
        (point(None), (FAIL, "there is no result")),
        (point(0.0, rows=0), (FAIL, "no rows selected")),
        (point(float("nan")), (FAIL, "the value is not a number")),
        (point(0.0, threshold=float("nan")), (FAIL, "the threshold is not a number")),
        (
            point(0.0, nulls=2),
            (INCONCLUSIVE, "2 golden rows have a NULL in `select`; handle them with `is null`"),
        ),
        (point(0.0, rows=99), (INCONCLUSIVE, "only 99 rows, 100 are needed")),
        (point(0.0, clusters=49), (INCONCLUSIVE, "only 49 clusters, 50 are needed")),
        (point(0.0, clusters=50), (PASS, "the value 0.000 meets 0.05, judged as it stands")),
    ],
)
def test_points(judgement, expected):
    assert verdict_and_reason(judgement) == expected


def test_the_numbers_behind_a_point():
    assert point(0.04, clusters=60) == Judgement(
        verdict=PASS,
        estimate=0.04,
        bound=None,
        threshold=0.05,
        rows=200,
        clusters=60,
        effective=None,
        reason="the value 0.040 meets 0.05, judged as it stands",
    )


# -- families ----------------------------------------------------------------------------------------------------------

GOOD, LUCKY, BAD = independent(640, 636), independent(640, 618), independent(640, 600)


def test_lucky_passes_alone():
    assert judge(case(LUCKY)).verdict is PASS


def test_a_family_of_one_is_judged_as_alone():
    assert judge_family([case(LUCKY)]) == (judge(case(LUCKY)),)
    assert judge_family([]) == ()


def test_a_lucky_check_among_others_fails_and_says_that_it_is_holm():
    good, lucky, bad = judge_family([case(GOOD), case(LUCKY), case(BAD)])
    assert (good, bad) == (judge(case(GOOD)), judge(case(BAD)))
    assert lucky == replace(
        judge(case(LUCKY)),
        verdict=FAIL,
        reason="618 of 640 right; the 95 % lower bound 0.951 meets 0.95, "
        "but not after Holm's correction for 3 checks: p = 0.074 is over 0.05",
    )
    assert 2 * p_value_at_least(LUCKY, 0.95) == pytest.approx(0.074, abs=5e-4)


def test_holm_is_stepwise_where_bonferroni_would_fail():
    """The doubt about the second is multiplied by one less for the one that passed before it."""
    second = independent(640, 619)
    assert 3 * p_value_at_least(second, 0.95) > 0.05 > 2 * p_value_at_least(second, 0.95)
    assert [seen.verdict for seen in judge_family([case(second), case(GOOD), case(BAD)])] == [PASS, PASS, FAIL]


@pytest.mark.parametrize(
    "other",
    [case(None), case(independent(0, 0)), case(independent(50, 50)), case(GOOD, nulls=1), case(clustered([9], [9]))],
)
def test_what_could_not_be_judged_still_counts(other):
    assert judge(case(LUCKY)).verdict is PASS
    lucky, unjudged = judge_family([case(LUCKY), other])
    assert lucky.verdict is FAIL
    assert unjudged == judge(other)


def test_a_faultless_result_that_the_family_makes_too_small_is_inconclusive():
    few = case(independent(100, 100), threshold=0.97)
    assert judge(few).verdict is PASS
    first, second = judge_family([few, few])
    assert first == second
    assert first.verdict is INCONCLUSIVE
    assert first.reason == (
        "100 of 100 right; the 95 % lower bound 0.970 meets 0.97, "
        "but under Holm's correction for 2 checks even a faultless result on so few would not be enough"
    )


def test_in_clusters_the_family_takes_each_faultless_cluster_for_one():
    few = case(clustered([10] * 60, [10] * 59 + [9]))
    assert judge(few).verdict is PASS
    assert [seen.verdict for seen in judge_family([few, case(BAD)])] == [PASS, FAIL]
    faultless = case(clustered([10] * 60, [10] * 60))
    assert [seen.verdict for seen in judge_family([faultless, case(BAD)])] == [INCONCLUSIVE, FAIL]


def test_each_check_keeps_its_own_direction_and_confidence():
    low = case(independent(640, 20), AT_MOST, confidence=0.9)
    assert judge(low).verdict is PASS
    assert [seen.verdict for seen in judge_family([case(GOOD), low])] == [PASS, PASS]


@given(st.lists(st.builds(case, tallies, demands), max_size=6))
def test_a_family_only_ever_takes_away(cases):
    for alone, together in zip(map(judge, cases), judge_family(cases), strict=True):
        assert worst([alone.verdict, together.verdict]) is together.verdict
        assert alone.verdict is PASS or together == alone


@given(st.lists(st.builds(case, tallies, demands), max_size=6))
def test_the_order_of_a_family_does_not_matter(cases):
    assert judge_family(cases[::-1]) == judge_family(cases)[::-1]


def test_a_tally_that_cannot_be_is_refused_before_it_is_judged():
    with pytest.raises(ValueError, match="no such tally"):
        Tally(10, 12, None, 10.0)
