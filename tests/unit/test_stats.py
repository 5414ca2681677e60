import random
from math import comb, fsum

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from clspec.catalog import error_rate, smallest_sufficient
from clspec.stats.cluster import effective_size, intraclass_design_effect, ratio_design_effect
from clspec.stats.correction import holm
from clspec.stats.proportion import (
    Tally,
    clustered,
    independent,
    lower_bound,
    p_value_at_least,
    p_value_at_most,
    tally,
    upper_bound,
    worth,
)

confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.999])
thresholds = st.integers(1, 99).map(lambda percent: percent / 100)
counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
independents = counts.map(lambda pair: independent(*pair))
groups = st.lists(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=60
)
clusterings = groups.map(lambda pairs: clustered(*zip(*pairs, strict=True)))
tallies = st.one_of(independents, clusterings)


# -- bounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "rows", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_newcombes_examples_of_clopper_and_pearson(successes, rows, low, high):
    """Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 5."""
    seen = independent(rows, successes)
    assert (round(lower_bound(seen, 0.975), 4), round(upper_bound(seen, 0.975), 4)) == (low, high)  # 2.5 % on each side


@given(counts, confidences, thresholds)
def test_bounds_and_p_values_of_independent_rows_are_scipys(pair, confidence, threshold):
    rows, successes = pair
    greater = binomtest(successes, rows, threshold, alternative="greater")
    less = binomtest(successes, rows, threshold, alternative="less")
    seen = independent(rows, successes)
    assert lower_bound(seen, confidence) == pytest.approx(greater.proportion_ci(confidence, "exact").low, abs=1e-9)
    assert upper_bound(seen, confidence) == pytest.approx(less.proportion_ci(confidence, "exact").high, abs=1e-9)
    assert p_value_at_least(seen, threshold) == pytest.approx(greater.pvalue, rel=1e-7, abs=1e-12)
    assert p_value_at_most(seen, threshold) == pytest.approx(less.pvalue, rel=1e-7, abs=1e-12)


def test_bounds_at_the_edges_are_exact():
    none, every = independent(59, 0), independent(59, 59)
    assert (lower_bound(none, 0.95), upper_bound(every, 0.95)) == (0.0, 1.0)
    assert lower_bound(every, 0.95) == 0.05 ** (1 / 59) >= 0.95
    assert upper_bound(none, 0.95) == 1 - 0.05 ** (1 / 59) <= 0.05


@given(thresholds, st.sampled_from([0.8, 0.9, 0.95, 0.99, 0.999]))
def test_the_smallest_sufficient_sample_meets_the_threshold_and_one_less_does_not(threshold, confidence):
    needed = smallest_sufficient("min", threshold, confidence)
    assert lower_bound(independent(needed, needed), confidence) >= threshold
    if needed > 1:
        assert lower_bound(independent(needed - 1, needed - 1), confidence) < threshold
    needed = smallest_sufficient("max", threshold, confidence)
    assert upper_bound(independent(needed, 0), confidence) <= threshold


@pytest.mark.parametrize("bound", [lower_bound, upper_bound])
@pytest.mark.parametrize("nothing", [independent(0, 0), clustered([], []), tally([], [])])
def test_nothing_can_be_said_about_no_rows(bound, nothing):
    with pytest.raises(ValueError, match="no rows"):
        bound(nothing, 0.95)
    with pytest.raises(ValueError, match="no rows"):
        p_value_at_least(nothing, 0.5)


@pytest.mark.parametrize("rows", [20, 59, 100, 300])
@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.95, 0.98])
def test_no_more_than_the_error_rate_of_bad_models_passes(rows, threshold):
    """The size, exactly: the chance of every count at the threshold, summed where the bound meets it."""
    passing = [k for k in range(rows + 1) if lower_bound(independent(rows, k), 0.95) >= threshold]
    chance = fsum(comb(rows, k) * threshold**k * (1 - threshold) ** (rows - k) for k in passing)
    assert chance <= 0.05 + 1e-12


@given(tallies, confidences)
def test_the_estimate_lies_between_its_bounds(seen, confidence):
    estimate = seen.successes / seen.rows
    assert 0 <= lower_bound(seen, confidence) <= estimate + 1e-12
    assert estimate - 1e-12 <= upper_bound(seen, confidence) <= 1


@given(tallies, confidences)
def test_the_upper_bound_mirrors_the_lower(seen, confidence):
    assert upper_bound(seen, confidence) == 1 - lower_bound(seen.failures, confidence)
    assert seen.failures.failures == seen


@given(counts, confidences)
def test_one_more_success_raises_both_bounds(pair, confidence):
    rows, successes = pair
    assume(successes < rows)
    fewer, more = independent(rows, successes), independent(rows, successes + 1)
    assert lower_bound(fewer, confidence) < lower_bound(more, confidence)
    assert upper_bound(fewer, confidence) < upper_bound(more, confidence)


@given(tallies)
def test_more_confidence_widens(seen):
    assert lower_bound(seen, 0.99) <= lower_bound(seen, 0.95) <= lower_bound(seen, 0.8)


# -- p-values ----------------------------------------------------------------------------------------------------------


@given(tallies, confidences, thresholds)
@settings(max_examples=300)
def test_a_bound_meets_the_threshold_where_the_p_value_is_within_the_error_rate(seen, confidence, threshold):
    alpha = error_rate(confidence)
    low, high = lower_bound(seen, confidence), upper_bound(seen, confidence)
    assume(abs(low - threshold) > 1e-9)
    assume(abs(high - threshold) > 1e-9)
    assert (low >= threshold) == (p_value_at_least(seen, threshold) <= alpha)
    assert (high <= threshold) == (p_value_at_most(seen, threshold) <= alpha)


@pytest.mark.parametrize("seen", [independent(640, 612), clustered([10] * 100, [10] * 80 + [7] * 20)])
@pytest.mark.parametrize("threshold", [0.9, 0.93, 0.94])
def test_the_bound_at_a_p_value_is_the_threshold(seen, threshold):
    assert lower_bound(seen, 1 - p_value_at_least(seen, threshold)) == pytest.approx(threshold, abs=1e-6)


def test_p_values_at_the_edges():
    seen, none, every = independent(20, 15), independent(20, 0), independent(20, 20)
    assert (p_value_at_least(seen, 0.0), p_value_at_least(seen, 1.0)) == (0.0, 1.0)
    assert (p_value_at_most(seen, 1.0), p_value_at_most(seen, 0.0)) == (0.0, 1.0)
    assert (p_value_at_least(none, 0.5), p_value_at_most(every, 0.5)) == (1.0, 1.0)
    assert p_value_at_least(every, 0.5) == p_value_at_most(none, 0.5) == pytest.approx(0.5**20)


def test_the_p_value_of_an_overwhelming_count_in_clusters_is_tiny():
    assert 0 < p_value_at_least(clustered([10] * 300, [10] * 200 + [9] * 100), 0.9) < 1e-12


# -- tallies -----------------------------------------------------------------------------------------------------------


def test_a_tally_of_single_rows():
    assert tally([True, False, True], None) == Tally(3, 2, None, 3.0)
    assert tally([True, False, True, True], ["a", "a", "b", None]) == clustered([2, 1, 1], [1, 1, 1])


@given(groups, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(pairs, shuffler):
    rows = [(ride, index < k) for ride, (n, k) in enumerate(pairs) for index in range(n)]
    by_cluster = clustered([n for n, _ in pairs], [k for _, k in pairs])
    shuffler.shuffle(rows)
    assert tally([right for _, right in rows], [ride for ride, _ in rows]) == by_cluster


def test_a_cluster_without_selected_rows_is_none():
    assert clustered([2, 0, 2], [2, 0, 1]) == clustered([2, 2], [2, 1])


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: independent(3, 4),
        lambda: independent(3, -1),
        lambda: clustered([2, 2], [3, 0]),
        lambda: clustered([0, 2], [1, 1]),
        lambda: clustered([2, 2], [1]),
        lambda: tally([True], ["a", "b"]),
        lambda: Tally(3, 1, None, float("nan")),
        lambda: Tally(3, 1, None, 3.5),
        lambda: Tally(3, 1, 4, 3.0),
    ],
)
def test_counts_that_cannot_be(impossible):
    with pytest.raises(ValueError):  # noqa: PT011  # each says it in its own words
        impossible()


# -- clusters ----------------------------------------------------------------------------------------------------------


def test_design_effects_by_hand():
    """Three clusters of two with 2, 1 and 0 right: p = 1/2, residuals 1, 0, -1; mean squares 1/2 and 1/6."""
    rows, successes = [2, 2, 2], [2, 1, 0]
    assert ratio_design_effect(rows, successes) == pytest.approx((3 / 2 * 2 / 36) / (1 / 4 / 6))
    assert intraclass_design_effect(rows, successes) == pytest.approx(1 + (2 - 1) * 1 / 2)
    assert effective_size(rows, successes) == pytest.approx(3)


def test_design_effects_of_clusters_of_unlike_size_by_hand():
    """Sizes 1, 2, 3 with 1, 1, 3 right: p = 5/6, residuals 1/6, -4/6, 3/6; mean squares 1/6 and 1/6, so r = 0."""
    rows, successes = [1, 2, 3], [1, 1, 3]
    assert ratio_design_effect(rows, successes) == pytest.approx((3 / 2 * 26 / 36 / 36) / (5 / 36 / 6))
    assert intraclass_design_effect(rows, successes) == pytest.approx(1)


def test_the_intraclass_correlation_is_one_where_clusters_are_all_or_nothing():
    """The design effect is then Kish's: sum of squared sizes over rows."""
    assert intraclass_design_effect([1, 2, 7], [0, 2, 7]) == pytest.approx((1 + 4 + 49) / 10)


def test_the_larger_design_effect_counts():
    small_ones_fail = [1, 1, 20, 20, 20], [0, 0, 20, 20, 20]
    assert ratio_design_effect(*small_ones_fail) < intraclass_design_effect(*small_ones_fail)
    assert effective_size(*small_ones_fail) == pytest.approx(62 / intraclass_design_effect(*small_ones_fail))
    large_ones_are_mixed = [4] * 10 + [40], [4] * 10 + [20]
    assert ratio_design_effect(*large_ones_are_mixed) > intraclass_design_effect(*large_ones_are_mixed)
    assert effective_size(*large_ones_are_mixed) == pytest.approx(80 / ratio_design_effect(*large_ones_are_mixed))


@given(groups)
def test_rows_are_worth_at_most_themselves(pairs):
    rows, successes = zip(*pairs, strict=True)
    assert 0 < effective_size(rows, successes) <= sum(rows)


def test_clusters_more_even_than_chance_are_worth_no_more_than_their_rows():
    assert effective_size([4] * 20, [3] * 20) == 80


@pytest.mark.parametrize(("rows", "successes"), [([3, 5, 2], [3, 5, 2]), ([3, 5, 2], [0, 0, 0]), ([10], [4])])
def test_where_clusters_cannot_show_how_alike_their_rows_are_each_is_one_row(rows, successes):
    seen = clustered(rows, successes)
    assert seen.effective == worth(seen, 0.05) == len(rows)


@given(st.integers(2, 60).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m - 1))), st.integers(1, 20))
def test_copies_of_a_frame_add_nothing(pair, copies):
    frames, successes = pair
    seen = clustered([copies] * frames, [copies] * successes + [0] * (frames - successes))
    assert seen.effective == pytest.approx(frames - 1)  # n - 1, not n: the variance is estimated without bias


@given(groups)
def test_the_same_clusters_twice_are_worth_more(pairs):
    rows, successes = zip(*pairs, strict=True)
    assert effective_size(rows * 2, successes * 2) > effective_size(rows, successes)


def test_few_clusters_cost_degrees_of_freedom_at_the_quantile_of_the_bound():
    seen = clustered([10] * 50, [10] * 40 + [5] * 10)
    for alpha in (0.1, 0.05, 0.001):
        ratio = t.isf(alpha, 499) / t.isf(alpha, 49)
        assert worth(seen, alpha) == pytest.approx(seen.effective * ratio**2)
    assert worth(seen, 0.5) == worth(seen, 0.4)
    assert worth(seen, 0.001) < worth(seen, 0.05) < seen.effective


def test_rows_that_are_alike_within_rides_prove_less():
    alike = clustered([10] * 100, [10] * 97 + [0] * 3)
    mixed = clustered([10] * 100, [10] * 70 + [9] * 30)
    assert lower_bound(alike, 0.95) < lower_bound(mixed, 0.95) < lower_bound(independent(1000, 970), 0.95) + 1e-9


@pytest.mark.parametrize("icc", [0.1, 0.6])
def test_no_more_than_half_again_the_error_rate_of_bad_models_passes_on_unlike_clusters(icc):
    """A cell of bench/clustered_bounds.py; Korn and Graubard's variance alone passes 13 % at the higher correlation."""
    rng = np.random.default_rng(7)
    trials, threshold = 1500, 0.95
    sizes = rng.geometric(0.1, (trials, 59))
    spread = (1 - icc) / icc
    right = rng.binomial(sizes, rng.beta(threshold * spread, (1 - threshold) * spread, sizes.shape))
    passed = sum(
        lower_bound(clustered(n, k), 0.95) >= threshold for n, k in zip(sizes.tolist(), right.tolist(), strict=True)
    )
    assert passed / trials <= 0.075


# -- Holm --------------------------------------------------------------------------------------------------------------


def test_a_published_example_of_holm():
    """Wikipedia, Holm-Bonferroni method, example: at 5 % only the first and the last are rejected."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_holm_of_none_and_of_one():
    assert holm([]) == ()
    assert holm([0.04]) == (0.04,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers())
def test_laws_of_holm(p_values, seed):
    adjusted = holm(p_values)
    assert all(p <= a <= min(1, len(p_values) * p) for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert sorted(adjusted) == [adjusted[index] for index in order]
    random.Random(seed).shuffle(order)
    assert holm([p_values[index] for index in order]) == tuple(adjusted[index] for index in order)
