"""Each demanded check beside what was counted for it: the cases of a scenario, its gaps between groups, its guard.

Where what was measured is not just what is demanded (another check, slices or groups missing), there is no result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clspec import catalog
from clspec.catalog import f1_of_jaccard
from clspec.stats.limits import Limits
from clspec.stats.proportion import Tally
from clspec.stats.verdict import Case, Demand, Judgement, Verdict, judge_point, not_compared
from clspec.step.counts import compares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.step.measured import Case as Measured
    from clspec.step.measured import Counted, Metrics, Part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """One check of one case, and what the golden rows say to it."""

    scenario: dict[str, Any]
    check: dict[str, Any]
    part: str
    """`scenario` or `guard`."""
    slice: str | None = None
    group: dict[str, str | None] | None = None
    """The column of `for_each` and the value there; None where all of the slice is meant."""
    counted: Counted | None
    case: Case
    alone: Judgement | None
    """Its judgement where no bound is asked for: of a point, of a comparison with nobody, of a gap."""
    problem: str = ""
    """Why there is no result, where more is known than that."""

    @property
    def is_missing(self) -> bool:
        """Whether there is nothing to judge at a bound."""
        return self.alone is None and not any((self.case.tally, self.case.paired, self.case.spread))

    @property
    def case_name(self) -> str:
        """Which part of the scenario it is about: `night, weather=rain`; empty where it is all of it."""
        parts = [] if self.slice is None else [self.slice]
        if self.check["kind"] == "max_gap":
            parts.append(f"gap over {self.scenario['for_each']}")
        elif self.group is not None:
            value = self.group["value"]
            parts.append(f"{self.group['column']}" + (" is null" if value is None else f"={value}"))
        return ", ".join(parts)

    @property
    def title(self) -> str:
        """The scenario with the part of it: `urban-day[weather=rain]`."""
        return f"{self.scenario['id']}[{self.case_name}]" if self.case_name else str(self.scenario["id"])


def checks(scenario: dict[str, Any], found: Metrics) -> Iterator[Asked]:
    """Every check of a scenario and of its guard; nothing that is demanded is left out."""
    have = found.scenario(scenario["id"])
    slices = scenario["slices"] or [None]
    as_demanded = have is not None and {case.slice for case in have.cases} == set(slices)
    for name in slices:
        cases = have.of(name, grouped=bool(scenario["for_each"])) if have is not None and as_demanded else None
        for case in cases or (None,):
            group = case.group if case is not None else None
            column = None if group is None else {"column": scenario["for_each"], "value": group.value}
            for check in _of(scenario, "scenario", case, found):
                yield replace(check, slice=name, group=column)
        yield from _gaps(scenario, name, cases or (), found)
    yield from _of(scenario, "guard", have.guard if have is not None else None, found)


def _of(scenario: dict[str, Any], part: str, have: Part | None, found: Metrics) -> Iterator[Asked]:
    demanded = scenario["checks"] if part == "scenario" else scenario["guard"]
    for number, check in enumerate(demanded):
        counted = _same(check, have, number, len(demanded))
        problem = "" if counted is None else _problem(check, counted)
        case = _case(scenario, check, None if problem else counted, have.nulls if have is not None else 0)
        alone = None if counted is None or counted.rows == 0 else _alone(check, counted, case, found)
        yield Asked(scenario=scenario, check=check, part=part, counted=counted, case=case, alone=alone, problem=problem)


def _same(check: dict[str, Any], have: Part | None, number: int, demanded: int) -> Counted | None:
    """What was counted for a check, if it was just this check."""
    if have is None or len(have.checks) != demanded:
        return None
    counted = have.checks[number]
    asks = tuple(check[key] for key in ("metric", "class", "margin", "limit", "higher_is_better"))
    return counted if counted.asks == asks else None


def _problem(check: dict[str, Any], counted: Counted) -> str:
    """Why what was counted is no result; empty where it is one."""
    if counted.problem is not None:
        return f"there is no result: {counted.problem}"
    limits = Limits(*(check["range"] or ()))
    if counted.value is None or limits.holds(counted.value):
        return ""
    return f"there is no result: {counted.value:g} is not in the metric's range, {limits.low:g} to {limits.high:g}"


def _case(scenario: dict[str, Any], check: dict[str, Any], counted: Counted | None, nulls: int) -> Case:
    """A check's demand, and its evidence, if that is of the kind that the metric has."""
    known = catalog.METRICS.get(check["metric"])
    demand = replace(
        _demand(scenario, check["kind"], check["threshold"], "spread" if known is None else known.judged),
        limits=Limits(*known.range) if known is not None else Limits(*(check["range"] or ())),
    )
    if counted is None:
        return Case(demand=demand, nulls=nulls)
    if counted.rows == 0:
        return Case(demand=demand, tally=Tally(0, 0, counted.clusters, 0.0), nulls=nulls)
    how = "spread" if known is None else known.compared if check["kind"] == "margin" else known.judged
    if how == "paired":
        return Case(demand=demand, paired=counted.paired, nulls=nulls)
    if how == "spread":
        return Case(demand=demand, spread=counted.spread, nulls=nulls)
    return Case(demand=demand, tally=counted.tally, value=counted.value, nulls=nulls)


def _demand(scenario: dict[str, Any], kind: Any, threshold: float, judged: Any) -> Demand:
    confidence, min_samples = scenario["confidence"], scenario["min_samples"]
    return Demand(kind=kind, threshold=threshold, confidence=confidence, min_samples=min_samples, judged=judged)


def _alone(check: dict[str, Any], counted: Counted, case: Case, found: Metrics) -> Judgement | None:
    """The judgement of what is no question of a bound; None where it is one."""
    if _nobody(check, found):
        return replace(not_compared(case.demand), rows=counted.rows, clusters=counted.clusters)
    if check["gate"] != "point":
        return None
    rows, clusters = counted.sample
    return judge_point(case.demand, _value(case, counted), rows=rows, clusters=clusters, nulls=case.nulls)


def _nobody(check: dict[str, Any], found: Metrics) -> bool:
    """Whether a check compares, and the evaluation looked for a champion and found none."""
    return compares(check) and found.compared and found.champion is None


def _value(case: Case, counted: Counted) -> float | None:
    """What is judged as it stands: the share that the tally shows, the difference, or the value itself."""
    if case.demand.kind == "margin":
        evidence = case.paired or case.spread
        if evidence is None or evidence.rows == 0:
            return None
        return case.paired.difference if case.paired is not None else case.spread.value if case.spread else None
    if case.tally is None or case.demand.judged == "quantile":
        return counted.value
    if case.tally.rows == 0:
        return None
    share = case.tally.successes / case.tally.rows
    return f1_of_jaccard(share) if case.demand.judged == "jaccard" else share


def _gaps(scenario: dict[str, Any], name: str | None, cases: Sequence[Measured], found: Metrics) -> Iterator[Asked]:
    """The largest distance between groups, for each check that limits it."""
    for number, check in enumerate(scenario["checks"]):
        if check["max_gap"] is None:
            continue
        demand = _demand(scenario, "max", check["max_gap"], "spread")
        groups = [_same(check, case, number, len(scenario["checks"])) for case in cases if case.group is not None]
        nulls = max((case.nulls for case in cases), default=0)
        yield Asked(
            scenario=scenario,
            check={**check, "kind": "max_gap", "threshold": check["max_gap"], "gate": "point"},
            part="scenario",
            slice=name,
            counted=None,
            case=Case(demand=demand, nulls=nulls),
            alone=not_compared(demand) if _nobody(check, found) and groups else _gap(demand, groups, nulls),
        )


def _gap(demand: Demand, groups: Sequence[Counted | None], nulls: int) -> Judgement:
    """The largest value minus the smallest, as a point: a group without a value fails, and one alone says nothing."""
    values = [None if counted is None else counted.value for counted in groups]
    known = [value for value in values if value is not None]
    samples = [counted.sample for counted in groups if counted is not None]
    rows = min((rows for rows, _ in samples), default=0)
    clusters = min((clusters for _, clusters in samples if clusters is not None), default=None)
    if len(known) < len(values) or not known:
        seen = judge_point(demand, None, rows=rows, clusters=clusters, nulls=nulls)
        missing = len(values) - len(known)
        return replace(seen, reason=f"{missing} of {len(values)} groups have no value") if missing else seen
    seen = judge_point(demand, max(known) - min(known), rows=rows, clusters=clusters, nulls=nulls)
    if len(known) == 1 and seen.verdict is Verdict.PASS:
        return replace(seen, verdict=Verdict.INCONCLUSIVE, reason="there is one group only: nothing to compare it with")
    return seen
