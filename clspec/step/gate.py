"""gate: judge what was counted against what the spec demands, every seed for itself; nothing passes by default.

The verdict is `{verdict, reasons, warnings, champion, golden, seeds}`: the one word, a line for each thing that stands
against a pass, lines that a reader should know besides, whom the challenger was compared with (`{number, model}` or
null), the golden version, and for each seed `{seed, model, scenarios}`; `clspec.step.judged` tells a scenario's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.data.decisions import Decisions
from clspec.diagnostic import Refused, StepFailed
from clspec.stats.verdict import Verdict, worst
from clspec.step import measured
from clspec.step.judged import judged_scenarios, stands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.step.job import Job
    from clspec.step.measured import Metrics

_SOON = 0.8
"""From this share of the allowed decisions on, the verdict warns."""


def run(job: Job) -> None:
    """Write `verdict`, the whole judgement, and the parameter `outcome`, its one word; keep that it was reached.

    Raises:
        Refused: these golden rows have decided as often as they may.
        StepFailed: the metrics cannot be, or do not belong together.
    """
    seeds, demanded = job.config["seeds"], job.config["scenarios"]
    found = {seed: measured.read(job.read_json(f"metrics-seed-{seed}"), seed) for seed in seeds}
    champion = _champion(job, list(found.values()))
    warnings = _reuse(job, [metrics.model for metrics in found.values()])
    judged = [
        {"seed": seed, "model": metrics.model, "scenarios": judged_scenarios(demanded, metrics, len(seeds))}
        for seed, metrics in found.items()
    ]
    when_missing = (job.config["baseline"] or {"when_missing": "fail"})["when_missing"]
    verdict = _overall(judged, when_missing)
    content = {
        "verdict": verdict.value,
        "reasons": _reasons(judged, when_missing),
        "warnings": [*_first_run(judged, when_missing), *warnings],
        "champion": champion,
        "golden": job.config["golden"],
        "seeds": judged,
    }
    if found:
        _record(job, [metrics.model for metrics in found.values()], verdict)
    job.write_json("verdict", content)
    job.parameters["outcome"] = verdict.value


def _overall(seeds: Sequence[dict[str, Any]], when_missing: str) -> Verdict:
    """The worst verdict of a must-pass scenario under any seed; what is not a pass lets no model through."""
    critical = worst(stands(s, when_missing) for seed in seeds for s in seed["scenarios"] if s["must_pass"])
    missing = when_missing == "fail" and any(_not_compared(seeds))
    return worst([critical, Verdict.NOT_COMPARED]) if missing else critical


def _not_compared(seeds: Sequence[dict[str, Any]]) -> list[str]:
    """The checks that had nobody to compare with, once each."""
    return list(
        dict.fromkeys(
            f"{check['title']}: {check['metric']}"
            for seed in seeds
            for scenario in seed["scenarios"]
            for check in scenario["checks"]
            if check["verdict"] == Verdict.NOT_COMPARED.value
        )
    )


def _reasons(seeds: Sequence[dict[str, Any]], when_missing: str) -> list[str]:
    """Why the run does not pass, a line for each must-pass scenario and seed that stands against it."""
    if not any(scenario["must_pass"] for seed in seeds for scenario in seed["scenarios"]):
        return ["nothing was judged that must pass"]
    against = [
        f"{scenario['id']} (seed {seed['seed']}): {scenario['reason']}"
        for seed in seeds
        for scenario in seed["scenarios"]
        if scenario["must_pass"] and stands(scenario, when_missing) is not Verdict.PASS
    ]
    missing = _not_compared(seeds) if when_missing == "fail" else []
    return [
        *against,
        *(f"{check} had no champion to be compared with, which `when_missing` refuses" for check in missing),
    ]


def _first_run(seeds: Sequence[dict[str, Any]], when_missing: str) -> Iterator[str]:
    """That comparisons were left out, where they are excused."""
    missing = _not_compared(seeds)
    if missing and when_missing == "absolute_only":
        yield (
            f"there is no champion yet: {len(missing)} comparisons were not made, and only what is absolute was judged "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''})"  # noqa: PLR2004  # three are enough to see which
        )


def _champion(job: Job, metrics: Sequence[Metrics]) -> dict[str, Any] | None:
    """Whom all seeds were compared with, which is the champion that the run began with; None where there is none.

    Raises:
        StepFailed: the seeds were compared with different models or judged on different rows, or with another model.
    """
    if not metrics:
        return None
    if len({(found.compared, found.champion, found.rows) for found in metrics}) > 1:
        message = "the seeds were not compared with one champion on the same golden rows"
        raise StepFailed(message)
    standing = job.read_json("standing").get("champion", "")
    if standing is not None and (not isinstance(standing, dict) or not isinstance(standing.get("model"), str)):
        message = "the standing does not say which model is the champion"
        raise StepFailed(message)
    known = standing["model"] if standing else None
    if metrics[0].compared and metrics[0].champion != known:
        message = f"compared with {metrics[0].champion or 'nobody'}, while the champion is {known or 'nobody'}"
        raise StepFailed(message)
    return {"number": standing.get("number"), "model": known} if standing else None


def _reuse(job: Job, models: Sequence[str]) -> list[str]:
    """A warning where the golden rows have decided nearly as often as they may.

    Raises:
        Refused: they have, and these models are none of those.
    """
    if job.config["reuse"] is None or not models:
        return []
    limit, golden = job.config["reuse"]["max_decisions"], job.config["golden"]
    decisions = Decisions(job.storage, job.config["spec"])
    count = decisions.count(golden) + (not decisions.knows(golden, models))
    way_out = (
        "make golden rows that no model was chosen by, add them with `clspec data add` and pin them with "
        "`clspec lock --update`"
    )
    if count > limit and not decisions.knows(golden, models):
        message = (
            f"golden version {golden} has decided {count - 1} times, and `reuse` allows {limit}: models chosen by the "
            f"same rows so often are fitted to them. {way_out}"
        )
        raise Refused(message)
    if count < _SOON * limit:
        return []
    return [f"this is decision {count} of {limit} on golden version {golden}: {way_out}"]


def _record(job: Job, models: Sequence[str], verdict: Verdict) -> None:
    """Keep that these golden rows decided on these models, before anybody sees how.

    Raises:
        StepFailed: the pins do not say what the models learned from.
    """
    training = job.read_json("pins").get(job.config["training"])
    if not isinstance(training, dict) or not isinstance(training.get("digest"), str):
        message = f"the pins do not say which version of dataset `{job.config['training']}` the models learned from"
        raise StepFailed(message)
    content = {
        "models": list(models),
        "verdict": verdict.value,
        "pipeline": job.config["pipeline"],
        "training": training["digest"],
    }
    Decisions(job.storage, job.config["spec"]).record(job.config["golden"], content)
