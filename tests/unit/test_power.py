from dataclasses import replace
from math import comb, fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, t

from clspec.catalog import smallest_sufficient
from clspec.stats.limits import Limits
from clspec.stats.paired import Paired
from clspec.stats.power import (
    _chances,
    all_seeds,
    passes_with,
    power,
    power_when_equal,
    spread_passes_with,
    spread_power,
)
from clspec.stats.proportion import independent, lower_bound
from clspec.stats.spread import Spread
from clspec.stats.verdict import Case, Demand, Verdict, judge

AT_LEAST = Demand(kind="min", threshold=0.95, confidence=0.95, min_samples=1)
AT_MOST = Demand(kind="max", threshold=0.05, confidence=0.95, min_samples=1)
F1 = replace(AT_LEAST, judged="jaccard")
LATENCY = Demand(kind="max", threshold=0.2, confidence=0.95, min_samples=1, judged="quantile")
MARGIN = Demand(kind="margin", threshold=0.05, confidence=0.95, min_samples=1)
AUROC = replace(AT_LEAST, threshold=0.9, judged="spread", limits=Limits(0.0, 1.0))
SEEN = Spread(0.95, 0.01, 100, 30.0, 1000, None)


def test_power_is_the_chance_of_the_counts_that_pass():
    passing = [k for k in range(201) if lower_bound(independent(200, k), 0.95) >= 0.95]
    chance = fsum(comb(200, k) * 0.98**k * 0.02 ** (200 - k) for k in passing)
    assert power(AT_LEAST, 200, 0.98) == pytest.approx(chance)
    assert power(AT_MOST, 200, 0.02) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("demand", "lowest"), [(AT_LEAST, 59), (AT_MOST, 59), (replace(F1, threshold=0.9), 15), (LATENCY, 299)]
)
def test_too_few_rows_have_no_power(demand, lowest):
    assert passes_with(lowest - 1, demand) is None
    assert power(demand, lowest - 1, 1.0 if demand.kind == "min" else 0.0) == 0
    assert passes_with(lowest, demand) is not None
    assert passes_with(0, demand) is None


def test_a_single_threshold_says_how_many_rows_that_is():
    assert smallest_sufficient("min", 0.95, 0.95) == 59
    assert passes_with(59, AT_LEAST) == pytest.approx(0.8 ** (1 / 59))


@given(st.sampled_from([AT_LEAST, AT_MOST, F1, LATENCY]), st.integers(300, 3000), st.sampled_from([0.5, 0.8, 0.95]))
def test_the_value_that_passes_with_a_chance_has_that_power(demand, rows, chance):
    assert power(demand, rows, passes_with(rows, demand, chance)) == pytest.approx(chance)


@given(st.integers(100, 1000), st.floats(0.9, 0.999), st.floats(0.0, 0.05))
def test_better_models_pass_more_often(rows, value, more):
    assert power(AT_LEAST, rows, value) <= power(AT_LEAST, rows, min(1.0, value + more)) + 1e-12


def test_a_model_at_the_threshold_passes_no_more_often_than_the_error_rate():
    assert power(AT_LEAST, 500, 0.95) <= 0.05
    assert power(F1, 500, 0.95) <= 0.05
    assert power(LATENCY, 500, 0.99) <= 0.05


def test_equal_challengers_by_simulation():
    rng = np.random.default_rng(5)
    trials, passed = 1000, 0
    for _ in range(trials):
        gained, lost, _ = rng.multinomial(200, [0.04, 0.04, 0.92])
        seen = Paired(200, int(gained), int(lost), None, 200.0)
        passed += judge(Case(demand=MARGIN, paired=seen, nulls=0)).verdict is Verdict.PASS
    assert power_when_equal(MARGIN, 200, 0.08) == pytest.approx(passed / trials, abs=0.05)


def test_equal_challengers_at_the_edges():
    assert power_when_equal(MARGIN, 59, 0.0) == 1.0
    assert power_when_equal(MARGIN, 58, 0.0) == 0.0
    assert power_when_equal(MARGIN, 0, 0.1) == 0.0
    assert power_when_equal(MARGIN, 5000, 1.0) == pytest.approx(power_when_equal(MARGIN, 5000, 0.999), abs=0.02)


def test_equal_challengers_that_differ_more_pass_less_often():
    chances = [power_when_equal(MARGIN, 300, share) for share in (0.01, 0.05, 0.1, 0.3)]
    assert chances == sorted(chances, reverse=True)


def test_spreads_by_students_distribution():
    margin = replace(MARGIN, threshold=0.02)
    expected = t.cdf(0.02 / 0.01 - t.ppf(0.95, 30), 30)
    assert spread_power(margin, SEEN, 0.0) == pytest.approx(expected)


@pytest.mark.parametrize("demand", [AUROC, replace(AUROC, kind="max", threshold=0.97), MARGIN])
def test_the_value_of_a_spread_that_passes_with_a_chance_has_that_power(demand):
    for chance in (0.5, 0.8, 0.95):
        value = spread_passes_with(demand, SEEN, chance)
        assert spread_power(demand, SEEN, value) == pytest.approx(chance)


def test_at_the_threshold_a_spread_passes_with_the_error_rate():
    assert spread_power(AUROC, SEEN, 0.9) == pytest.approx(0.05)


@pytest.mark.parametrize("seen", [replace(SEEN, error=0.0), replace(SEEN, freedom=0.0), replace(SEEN, value=1.0)])
def test_without_an_error_nothing_is_known_of_the_power(seen):
    assert spread_passes_with(AUROC, seen) is None
    assert spread_power(AUROC, seen, 0.99) == 0


def test_seeds_are_anded():
    assert all_seeds(0.8, 3) == pytest.approx(0.512)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_hardly_any_row_that_differs_is_as_none(count, share):
    """At a share of 5e-324, say, where a binomial chance overflows."""
    assert fsum(dict(_chances(count, share)).values()) == pytest.approx(1, abs=1e-8)
    assert 0 <= power_when_equal(MARGIN, count, share) <= 1 + 1e-8


@given(st.integers(1, 5000), st.floats(1e-6, 1 - 1e-6) | st.sampled_from([0.0, 1.0]))
def test_the_chances_of_differing_rows_are_binomial_and_all_that_counts(count, share):
    chances = dict(_chances(count, share))
    assert [chances[n] for n in chances] == pytest.approx(list(binom.pmf([*chances], count, share)), abs=1e-9)
