"""What was counted against what the spec demands, for one model: every check of every case, and each scenario's worst.

A scenario in the verdict is `{id, asked, must_pass, verdict, reason, checks, slices, flipped}`, `asked` the digest of
what was demanded. A check there says what was
judged (`title`, `part`, `slice`, `group`, `metric`, `class`, `kind`, `threshold`, `gate`), how it came out (`verdict`,
`reason`, `estimate`, `bound`, `rows`, `clusters`, `effective`, `value`, `champion`), and what else is told: `mcnemar`,
a p-value that no gate uses, and `power` (see `clspec.step.powers`).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from clspec.stats.paired import mcnemar
from clspec.stats.verdict import Judgement, Verdict, judge, judge_family, worst
from clspec.step import asked, demands
from clspec.step.powers import power_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.step import measured
    from clspec.step.asked import Asked


def judged_scenarios(demanded: Sequence[dict[str, Any]], found: measured.Metrics, seeds: int) -> list[dict[str, Any]]:
    """Every scenario of the spec, judged for one model of so many; one that was not measured fails."""
    checks = [check for scenario in demanded for check in asked.checks(scenario, found)]
    judged = _judged(checks)
    return [
        _scenario(
            scenario,
            [pair for pair in judged if pair[0].scenario is scenario],
            found.scenario(scenario["id"]),
            seeds,
        )
        for scenario in demanded
    ]


def _judged(checks: Sequence[Asked]) -> list[tuple[Asked, Judgement]]:
    """Must-pass checks each for itself; the non-critical ones as one family under Holm's correction."""
    family = [check for check in checks if not check.scenario["must_pass"] and check.alone is None]
    corrected = dict(zip(map(id, family), judge_family([check.case for check in family]), strict=True))
    judged = [(check, check.alone or corrected.get(id(check)) or judge(check.case)) for check in checks]
    return [
        (check, replace(seen, reason=check.problem) if check.problem and check.is_missing else seen)
        for check, seen in judged
    ]


def _scenario(
    scenario: dict[str, Any],
    judged: Sequence[tuple[Asked, Judgement]],
    found: measured.Scenario | None,
    seeds: int,
) -> dict[str, Any]:
    """A scenario's verdict is the worst of its checks, its guard's included, and its reason is that one's."""
    verdict = worst(judgement.verdict for _, judgement in judged)
    decisive = next(((c, j) for c, j in judged if j.verdict is verdict), None)
    reason = "nothing was judged"
    if decisive is not None:
        check, judgement = decisive
        of = "guard: " if check.part == "guard" else f"{check.case_name}: " if check.case_name else ""
        reason = of + judgement.reason
    return {
        "id": scenario["id"],
        "asked": demands.demanded(scenario),
        "must_pass": scenario["must_pass"],
        "verdict": verdict.value,
        "reason": reason,
        "checks": [_told(check, judgement, seeds) for check, judgement in judged],
        "slices": [] if found is None else [_slice(part) for part in found.slices],
        "flipped": None if found is None or found.flipped is None else _flipped(found.flipped),
    }


def _told(check: Asked, judgement: Judgement, seeds: int) -> dict[str, Any]:
    counted, case = check.counted, check.case
    named = ("metric", "class", "kind", "threshold", "gate")
    return {
        **{key: check.check[key] for key in named},
        "title": check.title,
        "part": check.part,
        "slice": check.slice,
        "group": check.group,
        **asdict(judgement),
        "bound": _finite(judgement.bound),
        "verdict": judgement.verdict.value,
        "value": None if counted is None else counted.value,
        "champion": None if counted is None else counted.champion,
        "mcnemar": None if case.paired is None else mcnemar(case.paired),
        "power": power_of(case, judgement, seeds) if check.alone is None else None,
    }


def _finite(bound: float | None) -> float | None:
    """A bound that JSON can hold; an infinite one says as much as none."""
    return bound if bound is not None and isfinite(bound) else None


def _slice(part: measured.Slice) -> dict[str, Any]:
    checks = [{"metric": told.metric, "class": told.class_, "value": told.value} for told in part.checks]
    return {"name": part.name, "rows": part.rows, "nulls": part.nulls, "checks": checks}


def _flipped(found: measured.Flipped) -> dict[str, Any]:
    return {"count": found.count, "rows": list(found.rows)}


def stands(scenario: dict[str, Any], when_missing: str) -> Verdict:
    """What a must-pass scenario comes to for the run: comparisons with nobody may be excused, but never alone."""
    verdict = Verdict(scenario["verdict"])
    some = any(check["verdict"] == Verdict.PASS.value and check["part"] == "scenario" for check in scenario["checks"])
    excused = verdict is Verdict.NOT_COMPARED and when_missing == "absolute_only" and some
    return Verdict.PASS if excused else verdict
