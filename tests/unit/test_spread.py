import random
from dataclasses import asdict
from math import inf, isclose, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import sem, t

from clspec.catalog import error_rate
from clspec.stats.limits import UNLIMITED, Limits
from clspec.stats.quantile import quantile
from clspec.stats.spread import (
    Spread,
    groups_needed,
    jackknife,
    p_value_over,
    p_value_under,
    spread,
    spread_lower_bound,
    spread_upper_bound,
)

numbers = st.floats(-100, 100, allow_nan=False)
SHARE, SIZE = Limits(0.0, 1.0), Limits(0.0)


def mean_of(values):
    return lambda rows: sum(values[index] for index in rows) / len(rows)


def values(count, seed=1):
    chance = random.Random(seed)
    return [chance.gauss(5, 2) for _ in range(count)]


# -- the jackknife -----------------------------------------------------------------------------------------------------


def test_the_error_of_a_mean_is_its_standard_error():
    """Leaving out one row at a time gives s / sqrt(n) exactly: Efron and Stein 1981, The jackknife estimate."""
    sample = values(80)
    seen = spread(mean_of(sample), 80, None)
    assert (seen.value, seen.error) == pytest.approx((np.mean(sample), sem(sample)))
    assert (seen.groups, seen.rows, seen.clusters) == (80, 80, None)


def test_the_error_of_a_ratio_by_hand():
    """Groups of 1, 2 and 3 rows with means 0, 1 and 2 (mean 4/3): without each it is 8/5, 3/2 and 2/3."""
    seen = spread(mean_of([0, 1, 1, 2, 2, 2]), 6, ["a", "b", "b", "c", "c", "c"])
    changes = [8 / 5 - 4 / 3, 3 / 2 - 4 / 3, 2 / 3 - 4 / 3]
    assert seen.error == pytest.approx(sqrt(2 / 3 * sum(c**2 for c in changes)))
    assert seen.freedom == pytest.approx(sum(c**2 for c in changes) ** 2 / sum(c**4 for c in changes) - 1)
    assert seen.clusters == seen.groups == 3


def test_equal_clusters_have_the_error_of_their_means():
    sample = values(240)
    seen = spread(mean_of(sample), 240, [index // 4 for index in range(240)])
    assert seen.error == pytest.approx(sem([np.mean(sample[start : start + 4]) for start in range(0, 240, 4)]))


def test_many_rows_fall_into_a_hundred_blocks_of_neighbours():
    asked = []
    spread(lambda rows: asked.append(list(rows)) or float(len(rows)), 1000, None)
    assert len(asked) == 101
    assert asked[0] == list(range(1000))
    assert asked[1] == list(range(10, 1000))
    assert asked[100] == list(range(990))


def test_neighbouring_clusters_share_a_group_and_none_is_cut():
    names = [f"ride {index // 3}" for index in range(900)]
    asked = []
    seen = spread(lambda rows: asked.append(set(rows)) or 1.0, 900, names)
    assert (seen.groups, seen.clusters) == (100, 300)
    for kept in asked[1:]:
        assert {names[index] for index in kept}.isdisjoint(names[index] for index in set(range(900)) - kept)


@given(st.lists(numbers, min_size=2, max_size=30), st.randoms())
def test_the_order_of_up_to_a_hundred_rows_does_not_matter(sample, shuffler):
    before = spread(mean_of(sample), len(sample), None)
    shuffler.shuffle(sample)
    after = spread(mean_of(sample), len(sample), None)
    assert isclose(before.error, after.error, rel_tol=1e-6, abs_tol=1e-9)


@given(st.lists(numbers, min_size=3, max_size=30), st.floats(0.1, 10), numbers)
def test_the_error_goes_along_with_the_unit(sample, factor, shift):
    before = spread(mean_of(sample), len(sample), None)
    assume(before.error > 1e-6)
    after = spread(mean_of([factor * value + shift for value in sample]), len(sample), None)
    assert after.error == pytest.approx(factor * before.error, rel=1e-6)


def test_degrees_of_freedom_count_the_groups_that_bear_on_the_value():
    assert jackknife(1.0, [1.0] * 96 + [0.9] * 4, 100, None).freedom == pytest.approx(3)
    assert jackknife(1.0, [1.0] * 99 + [0.9], 100, None).freedom == pytest.approx(0)
    assert jackknife(1.0, [1.1, 0.9] * 50, 100, None).freedom == pytest.approx(99)


def test_a_value_that_never_changes_has_no_error():
    seen = spread(lambda _: 0.5, 200, None)
    assert (seen.error, seen.freedom) == (0.0, 0.0)


def test_one_row_alone_has_no_error():
    assert spread(lambda _: 0.5, 1, None) == Spread(0.5, 0.0, 1, 0.0, 1, None)
    assert spread(lambda _: 0.5, 3, ["a", "a", "a"]) == Spread(0.5, 0.0, 1, 0.0, 3, 1)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=f"the value on all rows is {value}, not a finite number"):
        spread(lambda _: value, 60, None)
    with pytest.raises(ValueError, match=f"the value without some of the rows is {value}"):
        spread(lambda rows: value if 7 not in rows else 1.0, 60, None)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        spread(lambda _: 1.0, 0, None)
    with pytest.raises(ValueError, match="2 clusters for 3 rows"):
        spread(lambda _: 1.0, 3, ["a", "b"])


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: Spread(nan, 0.1, 50, 49.0, 50, None),
        lambda: Spread(0.5, -0.1, 50, 49.0, 50, None),
        lambda: Spread(0.5, inf, 50, 49.0, 50, None),
        lambda: Spread(0.5, 0.1, 51, 49.0, 50, None),
        lambda: Spread(0.5, 0.1, 50, 50.0, 50, None),
        lambda: Spread(0.5, 0.1, 50, 49.0, 50, 51),
    ],
)
def test_values_and_errors_that_cannot_be(impossible):
    with pytest.raises(ValueError, match="no such value and error"):
        impossible()


def test_a_few_large_groups_ask_for_many():
    even = jackknife(0.5, [0.5 + (-1) ** n * 0.01 for n in range(60)], 60, None)
    assert (even.skew, groups_needed(even)) == (pytest.approx(0), 0)
    one = [1.0 if n else 0.0 for n in range(60)]  # without the first row the mean falls
    uneven = jackknife(1.0, one, 60, None)
    assert uneven.skew == pytest.approx(60**0.5)
    assert groups_needed(uneven) == pytest.approx(25 * 60, abs=1)


def test_plain_numbers():
    assert asdict(Spread(0.5, 0.1, 50, 49.0, 60, None)) == {
        "value": 0.5,
        "error": 0.1,
        "groups": 50,
        "freedom": 49.0,
        "rows": 60,
        "clusters": None,
        "skew": 0.0,
    }


# -- bounds ------------------------------------------------------------------------------------------------------------

spreads = st.builds(
    Spread,
    st.floats(0.01, 0.99),
    st.floats(0.001, 0.3),
    st.just(100),
    st.floats(1, 99),
    st.just(200),
    st.none(),
)
limits = st.sampled_from([UNLIMITED, SHARE, SIZE, Limits(-inf, 1.0), Limits(-2.0, 3.0)])
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def test_the_bounds_of_a_mean_are_students():
    sample = values(60)
    seen = spread(mean_of(sample), 60, None)
    students = Spread(seen.value, seen.error, 60, 59.0, 60, None)
    expected = t.interval(0.9, 59, np.mean(sample), sem(sample))
    assert (spread_lower_bound(students, 0.95), spread_upper_bound(students, 0.95)) == pytest.approx(expected)


def test_a_share_is_bounded_on_the_logits_scale_and_a_size_on_the_logarithms():
    seen = Spread(0.9, 0.03, 100, 40.0, 500, None)
    errors = t.ppf(0.95, 40)
    assert logit(spread_lower_bound(seen, 0.95, SHARE)) == pytest.approx(logit(0.9) - errors * 0.03 / (0.9 * 0.1))
    assert log(spread_upper_bound(seen, 0.95, SIZE)) == pytest.approx(log(0.9) + errors * 0.03 / 0.9)


@given(spreads, confidences, limits, st.floats(-1.5, 2.5))
def test_a_bound_meets_the_threshold_where_the_p_value_is_within_the_error_rate(seen, confidence, ends, threshold):
    alpha = error_rate(confidence)
    low, high = spread_lower_bound(seen, confidence, ends), spread_upper_bound(seen, confidence, ends)
    assume(min(abs(low - threshold), abs(high - threshold)) > 1e-9)
    assert (low >= threshold) == (p_value_over(seen, threshold, ends) <= alpha)
    assert (high <= threshold) == (p_value_under(seen, threshold, ends) <= alpha)


@given(spreads, confidences, limits)
def test_bounds_stand_on_both_sides_within_the_limits(seen, confidence, ends):
    low, high = spread_lower_bound(seen, confidence, ends), spread_upper_bound(seen, confidence, ends)
    assert ends.low <= low < seen.value < high <= ends.high


@given(spreads, confidences)
def test_bounds_of_a_share_mirror(seen, confidence):
    other = Spread(1 - seen.value, seen.error, seen.groups, seen.freedom, seen.rows, None)
    mirrored = 1 - spread_lower_bound(other, confidence, SHARE)
    assert spread_upper_bound(seen, confidence, SHARE) == pytest.approx(mirrored, abs=1e-9)


@given(spreads, limits)
def test_more_confidence_widens(seen, ends):
    bounds = [spread_lower_bound(seen, confidence, ends) for confidence in (0.8, 0.9, 0.95, 0.99)]
    assert bounds == sorted(bounds, reverse=True)


def test_without_an_error_there_is_no_doubt_to_measure():
    seen = Spread(0.5, 0.0, 100, 0.0, 100, None)
    assert spread_lower_bound(seen, 0.95) == spread_upper_bound(seen, 0.95) == 0.5


def test_at_an_end_of_the_range_the_scale_is_the_values_own():
    seen = Spread(1.0, 0.01, 100, 50.0, 100, None)
    assert spread_lower_bound(seen, 0.95, SHARE) == spread_lower_bound(seen, 0.95)


@given(limits, st.floats(0.001, 0.999))
def test_the_stretched_scale_returns(ends, value):
    assert ends.value(ends.stretched(value)) == pytest.approx(value)
    step = 1e-6
    slope = (ends.stretched(value + step * value) - ends.stretched(value)) / (step * value)
    assert ends.slope(value) == pytest.approx(slope, rel=1e-2)


def test_the_ends_lie_at_infinity():
    assert (SHARE.stretched(0.0), SHARE.stretched(1.0), SIZE.stretched(-1.0)) == (-inf, inf, -inf)
    assert (SHARE.value(-1e6), SHARE.value(1e6), SIZE.value(1e6)) == (0.0, 1.0, inf)
    assert SHARE.holds(1.0)
    assert not SHARE.holds(1.1)
    assert UNLIMITED.holds(-1e9)


# -- size --------------------------------------------------------------------------------------------------------------


def passes(draw, ends, meets, *, trials=600):
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(trials):
        sample = draw(rng)
        total, count = sample.sum(), len(sample)
        groups = np.add.reduceat(sample, np.arange(0, count, count // 100))
        without = (total - groups) / (count - count // 100)
        passed += meets(jackknife(total / count, without.tolist(), count, None), ends)
    return passed / trials


def test_no_more_than_half_again_the_error_rate_of_bad_means_passes():
    share = passes(
        lambda rng: np.abs(rng.normal(size=200)) * sqrt(np.pi / 2),
        SIZE,
        lambda seen, ends: spread_upper_bound(seen, 0.95, ends) <= 1.0,
    )
    assert share <= 0.075


def test_few_rows_that_differ_do_not_pass_for_many():
    """Three lost rows of 500 are the margin: with 99 degrees of freedom 15 % would pass."""
    meets = lambda seen, ends: seen.error > 0 and spread_lower_bound(seen, 0.95, ends) > -0.006  # noqa: E731
    assert passes(lambda rng: -1.0 * (rng.random(500) < 0.006), UNLIMITED, meets) <= 0.075


# -- quantiles ---------------------------------------------------------------------------------------------------------


def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed():
    assert quantile([float(value) for value in range(1, 101)], 0.99) == 99
    assert quantile([float(value) for value in range(1, 102)], 0.99) == 100
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0], 0.01) == 3.0
    assert quantile([1.0, 2.0], 1.0) == 2.0


@given(st.lists(numbers, min_size=1), st.sampled_from([0.5, 0.9, 0.99]), numbers)
def test_a_quantile_is_within_a_threshold_where_enough_rows_are(sample, share, threshold):
    within = sum(value <= threshold for value in sample)
    assert (quantile(sample, share) <= threshold) == (within * 100 >= len(sample) * round(share * 100))


@pytest.mark.parametrize(("sample", "share"), [([], 0.5), ([1.0, nan], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_quantiles_that_are_none(sample, share):
    with pytest.raises(ValueError, match="quantile"):
        quantile(sample, share)
