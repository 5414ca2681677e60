import random
from dataclasses import asdict, replace
from itertools import product
from math import comb, fsum, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm, t

from clspec.catalog import error_rate, smallest_sufficient_margin
from clspec.stats import paired as module
from clspec.stats.cluster import effective_difference, effective_size
from clspec.stats.paired import (
    Paired,
    difference_lower_bound,
    mcnemar,
    p_value_non_inferior,
    paired,
    score,
    worth,
)
from clspec.stats.proportion import independent, upper_bound

confidences = st.sampled_from([0.8, 0.9, 0.95, 0.975, 0.99])
margins = st.integers(1, 30).map(lambda percent: percent / 100)


@st.composite
def counts(draw, most=300):
    rows = draw(st.integers(1, most))
    gained = draw(st.integers(0, rows))
    return rows, gained, draw(st.integers(0, rows - gained))


def of(rows, gained, lost):
    return Paired(rows, gained, lost, None, float(rows))


independents = counts().map(lambda triple: of(*triple))


@st.composite
def clusterings(draw):
    rows = draw(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["same", "same", "gained", "lost"])), min_size=1))
    return paired(
        [what == "gained" for _, what in rows], [what == "lost" for _, what in rows], [name for name, _ in rows]
    )


pairs = st.one_of(independents, clusterings())


def score_limit(rows, gained, lost, confidence):
    return module._score_limit(rows, gained, lost, norm.ppf(confidence))


# -- worked examples ---------------------------------------------------------------------------------------------------


def test_tangos_examples():
    """Tango 1998, section 6, as later implementations cite it: 44 contact lenses (0 and 1), 32 sleepers (9 and 3)."""
    assert score(44, 0, 1, -0.1) == pytest.approx(1.709, abs=5e-4)
    assert score_limit(44, 0, 1, 0.95) == pytest.approx(-0.096, abs=5e-4)
    sleepers = difference_lower_bound(of(32, 9, 3), 0.975), -difference_lower_bound(of(32, 3, 9), 0.975)
    assert sleepers == pytest.approx((-0.027, 0.390), abs=5e-4)


def test_at_no_difference_the_score_is_mcnemars():
    assert score(32, 9, 3, 0.0) == pytest.approx((9 - 3) / (9 + 3) ** 0.5)


@pytest.mark.parametrize(
    ("rows", "gained", "lost", "difference"), [(32, 9, 3, 0.1), (44, 0, 1, -0.1), (200, 4, 9, -0.08), (50, 5, 0, 0.3)]
)
def test_the_score_is_that_of_the_likelihood(rows, gained, lost, difference):
    """The share of lost rows that maximises the likelihood, found by search, in the variance of the difference."""

    def unlikely(share):
        cells = ((gained, share + difference), (lost, share), (rows - gained - lost, 1 - 2 * share - difference))
        return -fsum(count * log(chance) for count, chance in cells if count)

    low, high = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    share = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = rows * (2 * share + difference - difference**2)
    expected = (gained - lost - rows * difference) / variance**0.5
    assert score(rows, gained, lost, difference) == pytest.approx(expected, rel=1e-4)


def test_equal_models_get_an_interval_of_some_width():
    """With no row that differs both bounds have a closed form; the exact one is lower at 95 %, the score's at 99 %."""
    assert score_limit(100, 0, 0, 0.95) == pytest.approx(-(norm.ppf(0.95) ** 2) / (100 + norm.ppf(0.95) ** 2))
    assert difference_lower_bound(of(100, 0, 0), 0.95) == pytest.approx(0.05**0.01 - 1)
    assert difference_lower_bound(of(100, 0, 0), 0.99) == pytest.approx(score_limit(100, 0, 0, 0.99))


def test_where_every_row_is_gained_or_lost():
    z = norm.ppf(0.95)
    assert difference_lower_bound(of(80, 80, 0), 0.95) == pytest.approx((80 - z**2) / (80 + z**2))
    assert difference_lower_bound(of(80, 0, 80), 0.95) == -1.0


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), confidences)
def test_with_nothing_gained_the_exact_bound_on_the_lost_rows_holds(pair, confidence):
    rows, lost = pair
    bound = difference_lower_bound(of(rows, 0, lost), confidence)
    assert bound == pytest.approx(
        min(score_limit(rows, 0, lost, confidence), -upper_bound(independent(rows, lost), confidence)), abs=1e-9
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(gained, lost):
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(of(500, gained, lost)) == pytest.approx(expected)


def test_mcnemar_of_very_many_rows_that_differ():
    assert 0 <= mcnemar(of(10_000, 4_000, 1_000)) < 1e-300


# -- size, exactly -----------------------------------------------------------------------------------------------------


def chance_of_a_pass(rows, margin, gained_share, confidence):
    """The chances of all outcomes, summed where a challenger that is worse by just the margin passes."""
    lost_share = gained_share + margin
    passed = 0.0
    for gained, lost in product(range(rows + 1), repeat=2):
        if gained + lost > rows or difference_lower_bound(of(rows, gained, lost), confidence) <= -margin:
            continue
        ways = comb(rows, gained) * comb(rows - gained, lost)
        passed += (
            ways * gained_share**gained * lost_share**lost * (1 - gained_share - lost_share) ** (rows - gained - lost)
        )
    return passed


@pytest.mark.parametrize(("margin", "gained"), [(0.1, 0.0), (0.1, 0.02), (0.1, 0.2), (0.2, 0.0), (0.2, 0.05)])
def test_no_more_than_a_tenth_over_the_error_rate_of_worse_challengers_passes(margin, gained):
    assert chance_of_a_pass(40, margin, gained, 0.95) <= 0.055


# -- laws --------------------------------------------------------------------------------------------------------------


@given(pairs, confidences, margins)
def test_a_bound_is_over_minus_the_margin_where_the_p_value_is_under_the_error_rate(seen, confidence, margin):
    bound = difference_lower_bound(seen, confidence)
    assume(abs(bound + margin) > 1e-9)
    assert (bound > -margin) == (p_value_non_inferior(seen, margin) < error_rate(confidence))


@given(counts(), st.integers(-90, 90).map(lambda percent: percent / 100))
def test_the_score_mirrors_when_champion_and_challenger_change_places(triple, difference):
    rows, gained, lost = triple
    mirrored = -score(rows, lost, gained, -difference)
    assert score(rows, gained, lost, difference) == pytest.approx(mirrored, rel=1e-6, abs=1e-6)


@given(pairs, confidences)
def test_the_bound_is_not_over_the_difference(seen, confidence):
    assert -1 <= difference_lower_bound(seen, confidence) <= seen.difference + 1e-9


@given(independents, confidences)
def test_a_row_more_gained_raises_the_bound_and_one_more_lost_lowers_it(seen, confidence):
    assume(seen.gained + seen.lost < seen.rows)
    bound = difference_lower_bound(seen, confidence)
    assert difference_lower_bound(replace(seen, gained=seen.gained + 1), confidence) > bound
    assert difference_lower_bound(replace(seen, lost=seen.lost + 1), confidence) < bound


@given(pairs)
def test_more_confidence_lowers_the_bound(seen):
    bounds = [difference_lower_bound(seen, confidence) for confidence in (0.6, 0.8, 0.9, 0.95, 0.99)]
    assert bounds == sorted(bounds, reverse=True)


@given(st.integers(1, 50).map(lambda thousandths: thousandths / 100), confidences)
def test_the_smallest_sufficient_margin_is_met_by_equal_models_and_one_row_less_is_not(margin, confidence):
    needed = smallest_sufficient_margin(margin, confidence)
    assert difference_lower_bound(of(needed, 0, 0), confidence) > -margin
    if needed > 1:
        assert difference_lower_bound(of(needed - 1, 0, 0), confidence) <= -margin


def test_margins_at_the_edges():
    assert p_value_non_inferior(of(10, 0, 10), 1.0) == p_value_non_inferior(of(10, 10, 0), -1.0) == 1.0
    assert p_value_non_inferior(of(10, 0, 9), 1.0) == p_value_non_inferior(of(10, 0, 10), 1.5) == 0.0


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_pairs_of_single_rows():
    assert paired([True, False, False], [False, True, False], None) == of(3, 1, 1)
    seen = paired([True, False, False, False], [False, True, False, False], ["a", "a", "b", "c"])
    assert (seen.rows, seen.gained, seen.lost, seen.clusters) == (4, 1, 1, 3)
    assert asdict(of(3, 1, 1)) == {"rows": 3, "gained": 1, "lost": 1, "clusters": None, "effective": 3.0}


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from([(1, 0), (0, 1), (0, 0)])), min_size=1), st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, shuffler):
    def seen():
        return paired([bool(w[0]) for _, w in rows], [bool(w[1]) for _, w in rows], [name for name, _ in rows])

    before = seen()
    shuffler.shuffle(rows)
    after = seen()
    assert replace(after, effective=before.effective) == before
    assert after.effective == pytest.approx(before.effective)


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: of(3, 2, 2),
        lambda: of(3, -1, 0),
        lambda: of(3, 0, -1),
        lambda: Paired(3, 1, 1, 4, 3.0),
        lambda: Paired(3, 1, 1, None, 3.5),
        lambda: Paired(3, 1, 1, None, float("nan")),
        lambda: paired([True], [True], None),
        lambda: paired([True], [False, True], None),
        lambda: paired([True], [False], ["a", "b"]),
    ],
)
def test_pairs_that_cannot_be(impossible):
    with pytest.raises(ValueError):  # noqa: PT011  # each says it in its own words
        impossible()


@pytest.mark.parametrize(
    "ask", [lambda p: difference_lower_bound(p, 0.95), lambda p: p_value_non_inferior(p, 0.1), lambda p: p.difference]
)
def test_nothing_can_be_said_about_no_rows(ask):
    with pytest.raises(ValueError, match="no rows"):
        ask(paired([], [], None))


# -- clusters ----------------------------------------------------------------------------------------------------------


def test_equal_models_in_clusters_are_worth_a_row_for_each():
    seen = paired([False] * 20, [False] * 20, [index // 4 for index in range(20)])
    assert seen.effective == worth(seen, 0.05) == 5


def test_the_design_effect_of_a_difference_by_hand():
    """Clusters of two that differ by 1, -1 and 0, one row each: residuals 1, -1, 0 over 6 rows of variance 1/3."""
    assert effective_difference([2, 2, 2], [1, 0, 0], [0, 1, 0]) == pytest.approx(
        min(6 / (3 / 2 * 2 / 36 / (1 / 3 / 6)), effective_size([2, 2, 2], [0, 1, 0]))
    )


def test_losses_by_the_ride_count_where_gains_one_by_one_hide_them():
    rows, gained, lost = [10] * 60, [1] * 50 + [0] * 10, [0] * 58 + [9, 9]
    assert effective_difference(rows, gained, lost) == effective_size(rows, lost)


def test_few_clusters_cost_degrees_of_freedom():
    seen = paired(*_rides(60, 10, seed=1))
    assert worth(seen, 0.05) == pytest.approx(seen.effective * (t.isf(0.05, 599) / t.isf(0.05, 59)) ** 2)


def _rides(rides, size, seed):
    chance = random.Random(seed)
    said = [chance.choices(["same", "gained", "lost"], [0.9, 0.05, 0.05])[0] for _ in range(rides * size)]
    names = [index // size for index in range(rides * size)]
    return [word == "gained" for word in said], [word == "lost" for word in said], names


@pytest.mark.parametrize(("size", "icc", "gained"), [(4, 0.6, 0.01), (10, 0.3, 0.01), (10, 0.6, 0.05)])
def test_no_more_than_half_again_the_error_rate_of_worse_challengers_passes_in_clusters(size, icc, gained):
    """Losses by the ride, gains one by one: without the lost rows' own design effect up to 9 % pass."""
    rng = np.random.default_rng(11)
    trials, rides, margin = 800, 149, 0.02
    spread, lost_share = (1 - icc) / icc, gained + margin
    share = rng.beta(lost_share * spread, (1 - lost_share) * spread, (trials, rides))
    lost = rng.binomial(size, share)
    won = rng.binomial(size - lost, gained / (1 - lost_share))
    passed = 0
    for more, less in zip(won.tolist(), lost.tolist(), strict=True):
        effective = effective_difference([size] * rides, more, less)
        seen = Paired(size * rides, sum(more), sum(less), rides, effective)
        passed += difference_lower_bound(seen, 0.95) > -margin
    assert passed / trials <= 0.075
