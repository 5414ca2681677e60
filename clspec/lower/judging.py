"""The golden section in the words of the steps: what the evaluation counts, and what the gate demands of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import catalog

if TYPE_CHECKING:
    from clspec import spec

_CUSTOM = "python:"


def measured_golden(whole: spec.Spec) -> dict[str, Any]:
    """What the evaluation counts: every scenario, and the named slices that each of them is also reported for."""
    golden = whole.golden
    return {"scenarios": [measured(scenario) for scenario in golden.scenarios], "slices": dict(golden.slices)}


def demanded_golden(whole: spec.Spec) -> dict[str, Any]:
    """What the gate demands of every seed, against which champion, and how often these rows may decide."""
    golden = whole.golden
    return {
        "seeds": list(whole.training.seeds),
        "baseline": {"compare": golden.baseline.compare, "when_missing": golden.baseline.when_missing}
        if golden.baseline
        else None,
        "reuse": {"max_decisions": golden.reuse.max_decisions} if golden.reuse else None,
        "scenarios": [_judged(golden, scenario) for scenario in golden.scenarios],
    }


def compares(whole: spec.Spec) -> bool:
    """Whether any check sets the challenger against the champion, so that a baseline is needed."""
    return any(_is_comparison(check) for check in _checks(whole))


def times_rows(whole: spec.Spec) -> bool:
    """Whether any check is about latency, so that prediction must measure it."""
    return any(check.metric == "latency_p99" for check in _checks(whole))


def runs_code(whole: spec.Spec) -> bool:
    """Whether any check calls a metric of the user's, so that the evaluation runs user code."""
    return any(check.metric.startswith(_CUSTOM) for check in _checks(whole))


def _checks(whole: spec.Spec) -> list[spec.Check]:
    return [
        check
        for scenario in whole.golden.scenarios
        for check in (*scenario.checks, *(scenario.guard.checks if scenario.guard else ()))
    ]


def _is_comparison(check: spec.Check) -> bool:
    built_in = catalog.METRICS.get(check.metric)
    return check.margin is not None or (built_in is not None and built_in.comparison)


def measured(scenario: spec.Scenario) -> dict[str, Any]:
    """A scenario as the evaluation reads it: what to count, not what to demand."""
    return {
        "id": scenario.id,
        "select": scenario.select,
        "slices": list(scenario.slices),
        "for_each": scenario.for_each,
        "checks": [_counted(check) for check in scenario.checks],
        "guard": {"select": scenario.guard.select, "checks": [_counted(c) for c in scenario.guard.checks]}
        if scenario.guard
        else None,
    }


def _counted(check: spec.Check) -> dict[str, Any]:
    """What identifies a check on both sides; a latency is counted against its limit."""
    return {
        "metric": check.metric,
        "class": check.class_,
        "margin": check.margin is not None,
        "limit": check.max if check.metric == "latency_p99" else None,
        "higher_is_better": _higher_is_better(check),
    }


def demanded(check: spec.Check) -> dict[str, Any]:
    """A check as the gate reads it: what is demanded of what was counted."""
    kind = "min" if check.min is not None else "max" if check.max is not None else "margin"
    return {
        **_counted(check),
        "kind": kind,
        "threshold": getattr(check, kind),
        "max_gap": check.max_gap,
        "range": _range(check),
        "gate": check.gate,
    }


def _higher_is_better(check: spec.Check) -> bool:
    """Which way is better: the catalog knows of its own metrics, of another the check says it or its threshold does."""
    built_in = catalog.METRICS.get(check.metric)
    if built_in is not None:
        return built_in.higher_is_better
    return check.min is not None if check.higher_is_better is None else check.higher_is_better


def _range(check: spec.Check) -> list[float] | None:
    """The values that a metric of the user's may take; those of the catalog's are known."""
    return None if check.range is None else list(check.range)


def _judged(golden: spec.Golden, scenario: spec.Scenario) -> dict[str, Any]:
    """A scenario as the gate reads it."""
    return {
        "id": scenario.id,
        "must_pass": scenario.must_pass,
        "confidence": scenario.confidence or golden.defaults.confidence,
        "min_samples": scenario.min_samples or golden.defaults.min_samples,
        "slices": list(scenario.slices),
        "for_each": scenario.for_each,
        "checks": [demanded(check) for check in scenario.checks],
        "guard": [demanded(check) for check in scenario.guard.checks] if scenario.guard else [],
    }
