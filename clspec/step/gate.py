"""gate: judge what was counted against what the spec demands, every seed for itself; nothing passes by default."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clspec.stats.proportion import Tally
from clspec.stats.verdict import Case, Demand, Judgement, Verdict, judge, judge_family, judge_point, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `verdict`, the whole judgement, and the parameter `outcome`, its one word."""
    demanded = job.config["scenarios"]
    seeds = [
        {"seed": seed, "scenarios": judged_scenarios(demanded, job.read_json(f"metrics-seed-{seed}"))}
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
    return [
        f"{scenario['id']} (seed {seed['seed']}): {scenario['reason']}"
        for seed in seeds
        for scenario in seed["scenarios"]
        if scenario["id"] in critical and scenario["verdict"] != Verdict.PASS.value
    ]


def judged_scenarios(demanded: Sequence[dict[str, Any]], metrics: Any) -> list[dict[str, Any]]:
    """Every scenario of the spec, judged for one model; one that was not measured fails."""
    measured = {scenario["id"]: scenario for scenario in metrics.get("scenarios", [])}
    checks = [_Judged(s, check, *found) for s in demanded for check, *found in _paired(s, measured.get(s["id"]))]
    _judge(checks)
    return [_scenario(scenario, [c for c in checks if c.scenario is scenario]) for scenario in demanded]


class _Judged:
    """One check of one scenario, and in the end its judgement."""

    def __init__(self, scenario: dict[str, Any], check: dict[str, Any], part: str, nulls: int, tally: Tally | None) -> None:
        self.scenario = scenario
        self.check = check
        self.part = part
        self.demand = Demand(
            kind=check["kind"],
            threshold=check["threshold"],
            confidence=scenario["confidence"],
            min_samples=scenario["min_samples"],
        )
        self.case = Case(demand=self.demand, tally=tally, nulls=nulls)
        self.judgement: Judgement | None = None

    @property
    def by_point(self) -> bool:
        return bool(self.check["gate"] == "point")


def _judge(checks: Sequence[_Judged]) -> None:
    """Must-pass checks each for itself; the non-critical ones as one family under Holm's correction."""
    family = [c for c in checks if not c.scenario["must_pass"] and not c.by_point]
    for check, judgement in zip(family, judge_family([c.case for c in family]), strict=True):
        check.judgement = judgement
    for check in checks:
        if check.by_point:
            check.judgement = _at_point(check)
        elif check.judgement is None:
            check.judgement = judge(check.case)


def _at_point(check: _Judged) -> Judgement:
    tally = check.case.tally
    rows = tally.rows if tally else 0
    value = tally.successes / rows if tally and rows else None
    clusters = tally.clusters if tally else None
    return judge_point(check.demand, value, rows=rows, clusters=clusters, nulls=check.case.nulls)


def _paired(scenario: dict[str, Any], measured: dict[str, Any] | None) -> Iterator[tuple[Any, str, int, Tally | None]]:
    """Each demanded check with where it stands, the NULLs of its selection, and its tally if there is one."""
    for part, demanded in (("scenario", scenario["checks"]), ("guard", scenario["guard"])):
        found = measured if part == "scenario" else (measured or {}).get("guard")
        counted = (found or {}).get("checks", [])
        for number, check in enumerate(demanded):
            entry = counted[number] if number < len(counted) else {}
            same = entry.get("metric") == check["metric"] and entry.get("class") == check["class"]
            yield check, part, (found or {}).get("nulls", 0), Tally(**entry["tally"]) if same else None


def _scenario(scenario: dict[str, Any], checks: Sequence[_Judged]) -> dict[str, Any]:
    """A scenario's verdict is the worst of its checks, its guard's included, and its reason is that one's."""
    judged = [(check, check.judgement) for check in checks if check.judgement is not None]
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
        "checks": [
            {**c.check, "part": c.part, **{**asdict(j), "verdict": j.verdict.value}} for c, j in judged
        ],
    }
