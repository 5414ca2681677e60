from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec.catalog import (
    DEFAULT_CONFIDENCE,
    DEFAULT_MIN_SAMPLES,
    METRICS,
    MIN_CLUSTERS,
    error_rate,
    f1_of_jaccard,
    jaccard_of_f1,
    rows_needed,
    smallest_sufficient,
    smallest_sufficient_margin,
)

decimals = st.integers(1, 999).map(lambda thousandths: thousandths / 1000)


def written(value):
    """A float as the decimal that a person wrote."""
    return Fraction(repr(value))


def test_the_language_names_these_metrics():
    assert list(METRICS) == [
        "accuracy",
        "precision",
        "recall",
        "f1",
        "false_positive_rate",
        "false_negative_rate",
        "negative_flip_rate",
        "mae",
        "rmse",
        "auroc",
        "expected_calibration_error",
        "latency_p99",
    ]
    assert all(name == metric.name for name, metric in METRICS.items())
    assert all(metric.formula and metric.source for metric in METRICS.values())


def test_only_plain_shares_of_one_models_rows_are_proportions():
    shares = {"accuracy", "precision", "recall", "false_positive_rate", "false_negative_rate"}
    assert {name for name, metric in METRICS.items() if metric.proportion} == shares
    assert {name for name, metric in METRICS.items() if metric.comparison} == {"negative_flip_rate"}


def test_how_each_metric_is_judged():
    judged = {"f1": "jaccard", "latency_p99": "quantile"}
    judged |= dict.fromkeys(["mae", "rmse", "auroc", "expected_calibration_error"], "spread")
    assert {name: metric.judged for name, metric in METRICS.items() if metric.judged != "proportion"} == judged


def test_how_each_metric_is_compared():
    paired = {"accuracy", "recall", "false_positive_rate", "false_negative_rate"}
    assert {name for name, metric in METRICS.items() if metric.compared == "paired"} == paired
    assert {name for name, metric in METRICS.items() if not metric.compared} == {"negative_flip_rate", "latency_p99"}


def test_what_each_metric_needs():
    assert {name for name, metric in METRICS.items() if metric.needs_score} == {"auroc", "expected_calibration_error"}
    assert {name for name, metric in METRICS.items() if metric.needs_latency} == {"latency_p99"}
    of = {
        task: {n for n, m in METRICS.items() if task in m.tasks} for task in ("classification", "regression", "custom")
    }
    assert of["regression"] == {"mae", "rmse", "latency_p99"}
    assert of["custom"] == {"latency_p99"}
    assert of["classification"] == METRICS.keys() - {"mae", "rmse"}


def test_which_metrics_need_a_class():
    of_a_class = {"precision", "recall", "f1", "false_positive_rate", "false_negative_rate", "auroc"}
    assert {name for name, metric in METRICS.items() if metric.needs_class} == of_a_class


def test_which_way_is_better():
    higher = {"accuracy", "precision", "recall", "f1", "auroc"}
    assert {name for name, metric in METRICS.items() if metric.higher_is_better} == higher


def test_ranges():
    unbounded = {"mae", "rmse", "latency_p99"}
    assert all(metric.range == (0.0, inf if name in unbounded else 1.0) for name, metric in METRICS.items())


def test_the_languages_constants():
    assert (MIN_CLUSTERS, DEFAULT_CONFIDENCE, DEFAULT_MIN_SAMPLES) == (50, 0.95, 100)


@pytest.mark.parametrize(
    ("kind", "threshold", "confidence", "needed"),
    [
        # 59 and 299 are Wilks 1941's sample sizes, known as 95/95 and 95/99.
        ("min", 0.95, 0.95, 59),
        ("min", 0.98, 0.95, 149),
        ("min", 0.99, 0.95, 299),
        ("min", 0.90, 0.95, 29),
        ("min", 0.90, 0.90, 22),
        ("max", 0.05, 0.95, 59),
        ("max", 0.02, 0.95, 149),
        ("max", 0.01, 0.95, 299),
        ("min", 0.0, 0.95, 1),
        ("max", 1.0, 0.95, 1),
        ("min", 1.0, 0.95, None),
        ("max", 0.0, 0.95, None),
        ("min", 1.5, 0.95, None),
        ("max", -0.1, 0.95, None),
    ],
)
def test_smallest_sufficient(kind, threshold, confidence, needed):
    assert smallest_sufficient(kind, threshold, confidence) == needed


@pytest.mark.parametrize(
    ("kind", "threshold", "confidence", "needed"),
    [
        ("min", 0.1, 0.9, 1),  # 1 - 0.9 is 0.09999999999999998 to a float, which would ask for two
        ("max", 0.9, 0.9, 1),
        ("min", 0.1, 0.99, 2),
        ("min", 0.1, 0.999, 3),
        ("max", 0.9, 0.9999, 4),
        ("min", 0.5, 0.75, 2),
        ("min", 0.3, 0.9919, 4),
        ("min", 0.7, 0.657, 3),
        ("min", 0.5, 0.96875, 5),  # here a hundred digits of the quotient are still a hair over 5
    ],
)
def test_a_tie_is_decided_by_the_decimals_as_written(kind, threshold, confidence, needed):
    assert smallest_sufficient(kind, threshold, confidence) == needed


def test_thresholds_within_a_hair_of_one():
    assert smallest_sufficient("min", 0.9999999, 0.95) == 29957322
    assert smallest_sufficient("max", 1e-16, 0.95) == 29957322735539909


@given(decimals, decimals)
def test_it_is_the_smallest_that_suffices(threshold, confidence):
    needed = smallest_sufficient("min", threshold, confidence)
    good, alpha = written(threshold), 1 - written(confidence)
    assert good**needed <= alpha
    assert needed == 1 or good ** (needed - 1) > alpha


@given(decimals, decimals)
def test_at_most_mirrors_at_least(threshold, confidence):
    assert smallest_sufficient("max", float(1 - written(threshold)), confidence) == smallest_sufficient(
        "min", threshold, confidence
    )


def test_the_error_rate_is_the_decimal_that_was_written():
    assert [error_rate(confidence) for confidence in (0.9, 0.95, 0.99, 0.8)] == [0.1, 0.05, 0.01, 0.2]


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_a_confidence_lies_between_zero_and_one(confidence):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        smallest_sufficient("min", 0.9, confidence)


# -- margins, f1, latency ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "confidence", "needed"),
    [
        (0.02, 0.95, 149),  # the exact bound: 0.98^148 is over 0.05
        (0.01, 0.95, 299),
        (0.02, 0.99, 266),  # the score interval: z^2 * 0.98 / 0.02 = 265.2
        (0.5, 0.75, 3),  # 0.5^2 is just 0.25, and the bound must be over the margin, not only at it
        (1.0, 0.95, 1),
        (0.0, 0.95, None),
        (-0.1, 0.95, None),
    ],
)
def test_smallest_sufficient_margin(margin, confidence, needed):
    assert smallest_sufficient_margin(margin, confidence) == needed


@given(decimals)
def test_f1_and_jaccard(value):
    assert f1_of_jaccard(jaccard_of_f1(value)) == pytest.approx(value)
    both, either = round(1000 * value), 1000
    assert f1_of_jaccard(both / either) == pytest.approx(2 * both / (2 * both + (either - both)))


@pytest.mark.parametrize(
    ("name", "kind", "threshold", "needed"),
    [
        ("recall", "min", 0.95, 59),
        ("false_positive_rate", "max", 0.05, 59),
        ("negative_flip_rate", "max", 0.02, 149),
        ("f1", "min", 0.9, 15),
        ("latency_p99", "max", 0.2, 299),
        ("auroc", "min", 0.9, 2),
        ("accuracy", "margin", 0.02, 149),
        ("f1", "margin", 0.02, 2),
        ("recall", "min", 1.0, None),
    ],
)
def test_how_many_rows_a_check_needs(name, kind, threshold, needed):
    assert rows_needed(METRICS[name], kind, threshold, 0.95) == needed
