from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clspec.stats.limits import Limits
from clspec.stats.paired import Paired, difference_lower_bound, p_value_non_inferior
from clspec.stats.proportion import Tally, clustered, independent, lower_bound, p_value_at_least, upper_bound, worth
from clspec.stats.spread import Spread, p_value_over, spread_lower_bound
from clspec.stats.verdict import (
    Case,
    Demand,
    Judgement,
    Verdict,
    judge,
    judge_family,
    judge_point,
    not_compared,
    worst,
)

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


# -- f1 and latency: shares behind another value -----------------------------------------------------------------------

F1 = replace(AT_LEAST, threshold=0.9, judged="jaccard")
LATENCY = Demand(kind="max", threshold=0.25, confidence=0.95, min_samples=100, judged="quantile")


@pytest.mark.parametrize(
    ("successes", "expected"),
    [
        (178, (PASS, "178 of 200 of the class and called so; the 95 % lower bound of f1 0.917 meets 0.9")),
        (170, (FAIL, "170 of 200 of the class and called so; the 95 % lower bound of f1 0.890 is under 0.9")),
    ],
)
def test_f1_is_judged_by_the_share_behind_it(successes, expected):
    judgement = judge(case(independent(200, successes), F1))
    assert verdict_and_reason(judgement) == expected
    share = lower_bound(independent(200, successes), 0.95)
    assert judgement.bound == pytest.approx(2 * share / (1 + share))
    assert judgement.estimate == pytest.approx(2 * successes / (2 * successes + 200 - successes))


def test_f1_on_too_few_rows():
    few = replace(F1, threshold=0.99)
    assert verdict_and_reason(judge(case(independent(120, 120), few))) == (
        INCONCLUSIVE,
        "even 120 faultless rows cannot show at least 0.99 at 95 % confidence; 150 are needed",
    )


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (600, (PASS, "600 of 600 within 0.25; the 95 % lower bound of their share 0.995 meets 0.99")),
        (594, (FAIL, "594 of 600 within 0.25; the 95 % lower bound of their share 0.980 is under 0.99")),
    ],
)
def test_latency_is_judged_by_the_share_within_it(within, expected):
    judgement = judge(Case(demand=LATENCY, tally=independent(600, within), value=0.2, nulls=0))
    assert verdict_and_reason(judgement) == expected
    assert (judgement.estimate, judgement.bound, judgement.threshold) == (0.2, None, 0.25)


def test_latency_of_too_few_rows():
    judgement = judge(Case(demand=LATENCY, tally=independent(298, 298), value=0.2, nulls=0))
    assert verdict_and_reason(judgement) == (
        INCONCLUSIVE,
        "even 298 faultless rows cannot show at most 0.25 at 95 % confidence; 299 are needed",
    )


# -- comparisons -------------------------------------------------------------------------------------------------------

MARGIN = Demand(kind="margin", threshold=0.02, confidence=0.95, min_samples=100)


WORTH, LOWER = "worth 160 independent rows", "lower bound of the difference"


def pairs(rows, gained, lost, clusters=None, effective=None):
    return Paired(rows, gained, lost, clusters, float(effective or clusters or rows))


def compared(seen, nulls=0, **changes):
    return Case(demand=replace(MARGIN, **changes), paired=seen, nulls=nulls)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            compared(pairs(640, 9, 5)),
            (PASS, "9 gained and 5 lost of 640 rows; the 95 % lower bound of the difference -0.004 is over -0.02"),
        ),
        (
            compared(pairs(640, 5, 15)),
            (FAIL, "5 gained and 15 lost of 640 rows; the 95 % lower bound of the difference -0.029 is not over -0.02"),
        ),
        (
            compared(pairs(640, 0, 0)),
            (PASS, "0 gained and 0 lost of 640 rows; the 95 % lower bound of the difference -0.005 is over -0.02"),
        ),
        (
            compared(pairs(640, 0, 0, clusters=160)),
            (
                PASS,
                f"0 gained and 0 lost of 640 rows in 160 clusters ({WORTH}); the 95 % {LOWER} -0.019 is over -0.02",
            ),
        ),
        (
            compared(pairs(148, 0, 0)),
            (
                INCONCLUSIVE,
                "even 148 equal rows cannot show a difference over -0.02 at 95 % confidence; 149 are needed",
            ),
        ),
        (
            compared(pairs(640, 0, 0, clusters=148)),
            (
                INCONCLUSIVE,
                "even 148 equal clusters cannot show a difference over -0.02 at 95 % confidence; 149 are needed",
            ),
        ),
        (compared(pairs(640, 0, 0, clusters=49)), (INCONCLUSIVE, "only 49 clusters, 50 are needed")),
        (compared(pairs(99, 5, 0)), (INCONCLUSIVE, "only 99 rows, 100 are needed")),
        (
            compared(pairs(640, 5, 0), nulls=2),
            (INCONCLUSIVE, "2 golden rows have a NULL in `select`; handle them with `is null`"),
        ),
        (compared(pairs(0, 0, 0)), (FAIL, "no rows selected")),
        (compared(None), (FAIL, "there is no result")),
        (compared(pairs(640, 5, 0), threshold=float("nan")), (FAIL, "the threshold is not a number")),
        (
            compared(pairs(640, 5, 0), threshold=0.0),
            (INCONCLUSIVE, "no number of equal rows can show a difference over 0 at 95 % confidence"),
        ),
    ],
)
def test_comparisons(asked, expected):
    assert verdict_and_reason(judge(asked)) == expected


def test_the_numbers_behind_a_comparison():
    seen = pairs(640, 9, 5)
    judgement = judge(compared(seen))
    assert (judgement.estimate, judgement.bound) == (4 / 640, difference_lower_bound(seen, 0.95))
    assert (judgement.threshold, judgement.rows, judgement.clusters, judgement.effective) == (0.02, 640, None, 640)


def test_a_margin_that_is_just_reached_is_not_met():
    bound = difference_lower_bound(pairs(640, 5, 15), 0.95)
    assert judge(compared(pairs(640, 5, 15), threshold=-bound)).verdict is FAIL
    assert judge(compared(pairs(640, 5, 15), threshold=-bound + 1e-9)).verdict is PASS


def test_without_a_champion_there_is_no_comparison():
    assert verdict_and_reason(not_compared(MARGIN)) == (NOT_COMPARED, "there is no champion to compare with")


@pytest.mark.parametrize(
    "wrong",
    [
        Case(demand=MARGIN, tally=independent(640, 640), nulls=0),
        Case(demand=AT_LEAST, paired=pairs(640, 9, 5), nulls=0),
        Case(demand=replace(AT_LEAST, judged="spread"), tally=independent(640, 640), nulls=0),
    ],
)
def test_evidence_of_another_kind_fails(wrong):
    assert verdict_and_reason(judge(wrong)) == (FAIL, "what was measured cannot answer what is demanded")


def test_evidence_of_two_kinds_is_none():
    both = Case(demand=AT_LEAST, tally=independent(640, 640), paired=pairs(640, 9, 5), nulls=0)
    assert verdict_and_reason(judge(both)) == (FAIL, "there is no result")


# -- values that are no shares -----------------------------------------------------------------------------------------

AUROC = replace(AT_LEAST, threshold=0.9, judged="spread", limits=Limits(0.0, 1.0))
SEEN = Spread(0.95, 0.01, 100, 30.0, 1000, None)


def measured(seen, demand=AUROC, nulls=0, **changes):
    return Case(demand=replace(demand, **changes), spread=seen, nulls=nulls)


OVER = "with a standard error of 0.01 over 100 groups of 1000 rows; the 95 %"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            measured(SEEN),
            (
                PASS,
                f"0.95 {OVER} lower bound 0.930 meets 0.9",
            ),
        ),
        (
            measured(SEEN, threshold=0.94),
            (
                FAIL,
                f"0.95 {OVER} lower bound 0.930 is under 0.94",
            ),
        ),
        (
            measured(replace(SEEN, value=0.31), AUROC, kind="max", threshold=0.35),
            (
                PASS,
                f"0.31 {OVER} upper bound 0.327 meets 0.35",
            ),
        ),
        (
            measured(replace(SEEN, value=-0.001), MARGIN),
            (
                PASS,
                f"-0.001 {OVER} lower bound of the difference -0.018 is over -0.02",
            ),
        ),
        (
            measured(replace(SEEN, error=0.0, freedom=0.0)),
            (
                INCONCLUSIVE,
                "the value is the same whichever rows are left out, so that its error is unknown",
            ),
        ),
        (
            measured(replace(SEEN, freedom=0.5)),
            (INCONCLUSIVE, "the value rests on one group of rows alone, so that its error is unknown"),
        ),
        (
            measured(replace(SEEN, groups=49, rows=100)),
            (INCONCLUSIVE, "only 49 groups of rows to leave out, 50 are needed"),
        ),
        (measured(replace(SEEN, groups=49, clusters=49)), (INCONCLUSIVE, "only 49 clusters, 50 are needed")),
        (measured(replace(SEEN, rows=100), min_samples=101), (INCONCLUSIVE, "only 100 rows, 101 are needed")),
        (measured(replace(SEEN, value=1.2)), (FAIL, "the value 1.2 is outside the metric's range")),
        (measured(None), (FAIL, "there is no result")),
    ],
)
def test_spreads(asked, expected):
    assert verdict_and_reason(judge(asked)) == expected


def test_the_numbers_behind_a_spread():
    judgement = judge(measured(SEEN))
    assert (judgement.estimate, judgement.effective) == (0.95, None)
    assert judgement.bound == spread_lower_bound(SEEN, 0.95, Limits(0.0, 1.0))


# -- one family of all kinds -------------------------------------------------------------------------------------------


def test_every_kind_shares_the_family():
    """Each passes alone, with a p-value between a sixth and all of the error rate, and none of them together."""
    tally, together, spread = case(LUCKY), compared(pairs(640, 5, 8)), measured(replace(SEEN, value=0.92))
    assert 0.05 / 6 < p_value_at_least(LUCKY, 0.95) < 0.05
    assert 0.05 / 6 < p_value_non_inferior(pairs(640, 5, 8), 0.02) < 0.05
    assert 0.05 / 6 < p_value_over(replace(SEEN, value=0.92), 0.9, Limits(0.0, 1.0)) < 0.05
    cases = [tally, together, spread, case(BAD), case(BAD), case(BAD)]
    assert [judge(each).verdict for each in cases] == [PASS, PASS, PASS, FAIL, FAIL, FAIL]
    family = judge_family(cases)
    assert [seen.verdict for seen in family] == [FAIL] * 6
    assert all("but not after Holm's correction for 6 checks" in seen.reason for seen in family[:3])


def test_an_equal_result_that_the_family_makes_too_small_is_inconclusive():
    few = compared(pairs(160, 0, 0))
    assert judge(few).verdict is PASS
    assert [seen.verdict for seen in judge_family([few, case(BAD)])] == [INCONCLUSIVE, FAIL]


others = st.one_of(
    st.builds(case, tallies, demands),
    st.integers(0, 9).flatmap(lambda g: st.integers(0, 9).map(lambda lost: compared(pairs(640, g, lost)))),
    st.floats(0.85, 0.99).map(lambda value: measured(replace(SEEN, value=value))),
)


@given(st.lists(others, max_size=6))
def test_a_mixed_family_only_ever_takes_away_in_any_order(cases):
    together = judge_family(cases)
    for alone, seen in zip(map(judge, cases), together, strict=True):
        assert worst([alone.verdict, seen.verdict]) is seen.verdict
    assert judge_family(cases[::-1]) == together[::-1]
