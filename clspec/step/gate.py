"""gate: judge what was counted against what the spec demands, every seed for itself; nothing passes by default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from clspec.diagnostic import StepFailed
from clspec.stats.proportion import Tally  # noqa: TC001  # msgspec reads the annotation
from clspec.stats.verdict import Case, Demand, Judgement, Verdict, judge, judge_family, judge_point, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `verdict`, the whole judgement, and the parameter `outcome`, its one word."""
    demanded = job.config["scenarios"]
    seeds = [
        {"seed": seed, "scenarios": judged_scenarios(demanded, measured(job.read_json(f"metrics-seed-{seed}"), seed))}
        for seed in job.config["seeds"]
    ]
    verdict = _overall(demanded, seeds)
    job.write_json("verdict", {"verdict": verdict.value, "reasons": _reasons(demanded, seeds), "seeds": seeds})
    job.parameters["outcome"] = verdict.value


def _overall(demanded: Sequence[dict[str, Any]], seeds: Sequence[dict[str, Any]]) -> Verdict:
    """The worst verdict of a must-pass scenario under any seed; what is not a pass lets no model through."""
    critical = {scenario["id"] for scenario in demanded if scenario["must_pass"]}
    return worst(
        Verdict(scenario["verdict"]) for seed in seeds for scenario in seed["scenarios"] if scenario["id"] in critical
    )


def _reasons(demanded: Sequence[dict[str, Any]], seeds: Sequence[dict[str, Any]]) -> list[str]:
    """Why the run does not pass, a line for each must-pass scenario and seed that stands against it."""
    critical = {scenario["id"] for scenario in demanded if scenario["must_pass"]}
    if not critical or not seeds:
        return ["nothing was judged that must pass"]
    return [
        f"{scenario['id']} (seed {seed['seed']}): {scenario['reason']}"
        for seed in seeds
        for scenario in seed["scenarios"]
        if scenario["id"] in critical and scenario["verdict"] != Verdict.PASS.value
    ]


class _Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What one check counted."""

    metric: str
    class_: str | None = msgspec.field(name="class")
    tally: Tally


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted for a scenario's own selection, or for its guard's."""

    nulls: Annotated[int, msgspec.Meta(ge=0)]
    checks: tuple[_Counted, ...]


class Measured(_Part, frozen=True, kw_only=True):
    """What was counted for one scenario."""

    id: str
    guard: _Part | None


class _Metrics(msgspec.Struct, frozen=True, kw_only=True):
    scenarios: tuple[Measured, ...]


def measured(metrics: dict[str, Any], seed: int) -> dict[str, Measured]:
    """The measured scenarios by id; counts that cannot be are no measurement.

    Raises:
        StepFailed: the metrics do not have their form, or one of them is impossible.
    """
    try:
        found = msgspec.convert(metrics, _Metrics).scenarios
    except ValueError as error:  # msgspec's errors are such, and what a tally of impossible counts raises
        message = f"the metrics of seed {seed} cannot be judged: {error}"
        raise StepFailed(message) from error
    if len({scenario.id for scenario in found}) < len(found):
        message = f"the metrics of seed {seed} cannot be judged: they hold a scenario twice"
        raise StepFailed(message)
    return {scenario.id: scenario for scenario in found}


def judged_scenarios(demanded: Sequence[dict[str, Any]], found: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """Every scenario of the spec, judged for one model; one that was not measured fails."""
    checks = [check for scenario in demanded for check in _paired(scenario, found.get(scenario["id"]))]
    judged = _judged(checks)
    return [_scenario(scenario, [pair for pair in judged if pair[0].scenario is scenario]) for scenario in demanded]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One check of one scenario, and what the golden rows say to it."""

    scenario: dict[str, Any]
    check: dict[str, Any]
    part: str
    """`scenario` or `guard`."""
    case: Case

    @property
    def by_point(self) -> bool:
        return bool(self.check["gate"] == "point")


def _judged(checks: Sequence[_Asked]) -> list[tuple[_Asked, Judgement]]:
    """Must-pass checks each for itself; the non-critical ones as one family under Holm's correction."""
    family = [check for check in checks if not check.scenario["must_pass"] and not check.by_point]
    corrected = dict(zip(map(id, family), judge_family([check.case for check in family]), strict=True))
    return [(check, corrected.get(id(check)) or _alone(check)) for check in checks]


def _alone(asked: _Asked) -> Judgement:
    if not asked.by_point:
        return judge(asked.case)
    tally = asked.case.tally
    rows = tally.rows if tally else 0
    value = tally.successes / rows if tally and rows else None
    clusters = tally.clusters if tally else None
    return judge_point(asked.case.demand, value, rows=rows, clusters=clusters, nulls=asked.case.nulls)


def _paired(scenario: dict[str, Any], found: Measured | None) -> Iterator[_Asked]:
    """Every demanded check with its tally; where what was measured is not what is demanded, there is none."""
    for part, demanded in (("scenario", scenario["checks"]), ("guard", scenario["guard"])):
        counted = found if part == "scenario" or found is None else found.guard
        for number, check in enumerate(demanded):
            entry = counted.checks[number] if counted and number < len(counted.checks) else None
            same = entry is not None and (entry.metric, entry.class_) == (check["metric"], check["class"])
            demand = Demand(
                kind=check["kind"],
                threshold=check["threshold"],
                confidence=scenario["confidence"],
                min_samples=scenario["min_samples"],
            )
            case = Case(
                demand=demand, tally=entry.tally if entry and same else None, nulls=counted.nulls if counted else 0
            )
            yield _Asked(scenario, check, part, case)


def _scenario(scenario: dict[str, Any], judged: Sequence[tuple[_Asked, Judgement]]) -> dict[str, Any]:
    """A scenario's verdict is the worst of its checks, its guard's included, and its reason is that one's."""
    verdict = worst(judgement.verdict for _, judgement in judged)
    decisive = next(((c, j) for c, j in judged if j.verdict is verdict), None)
    reason = "nothing was judged"
    if decisive is not None:
        check, judgement = decisive
        reason = ("guard: " if check.part == "guard" else "") + judgement.reason
    return {
        "id": scenario["id"],
        "must_pass": scenario["must_pass"],
        "verdict": verdict.value,
        "reason": reason,
        "checks": [{**c.check, "part": c.part, **asdict(j), "verdict": j.verdict.value} for c, j in judged],
    }
