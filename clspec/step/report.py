"""report: the run's verdict, and what the loop did, as a page for people and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed
from clspec.plan import canonical
from clspec.report.html import page

if TYPE_CHECKING:
    from clspec.step.job import Job

_LOOP = "loop-"
_NOT_JUDGED: dict[str, Any] = {"verdict": "not judged", "reasons": [], "seeds": []}
"""What stands for the verdict where no model was made."""


def run(job: Job) -> None:
    """Write `report`: a folder with `report.html`, which needs no other file, and `report.json`.

    Raises:
        StepFailed: the verdict, the metrics or what the loop told do not have the form that their steps give them.
    """
    judged = job.read_json("verdict") if job.has("verdict") else _NOT_JUDGED
    content = {
        "spec": job.config["spec"],
        "made_by": job.config,
        "training": _by_seed(job, "training"),
        "examples": {seed: _examples(metrics) for seed, metrics in _by_seed(job, "metrics").items()},
        "loop": _loop(job),
        **judged,
    }
    try:
        text = page(content)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        message = (
            f"no report can be made: the verdict, or what the loop's steps told, does not have its form: {error!r}"
        )
        raise StepFailed(message) from error
    folder = job.outputs["report"]
    folder.mkdir()
    (folder / "report.json").write_text(canonical(content) + "\n", encoding="ascii")
    (folder / "report.html").write_text(text, encoding="utf-8")


def _loop(job: Job) -> dict[str, dict[str, Any]]:
    """What the loop's steps told, each under its word."""
    names = sorted(name for name in job.inputs if name.startswith(_LOOP))
    return {name.removeprefix(_LOOP): job.read_json(name) for name in names}


def _by_seed(job: Job, what: str) -> dict[str, dict[str, Any]]:
    """The inputs `WHAT-seed-N` by seed, the smallest first."""
    prefix = f"{what}-seed-"
    seeds = sorted((name.removeprefix(prefix) for name in job.inputs if name.startswith(prefix)), key=int)
    return {seed: job.read_json(prefix + seed) for seed in seeds}


def _examples(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The first rows that the model had wrong, by scenario and by part of it.

    Raises:
        StepFailed: these are no metrics.
    """
    try:
        return {
            scenario["id"]: {
                "scenario": scenario["wrong"],
                "guard": scenario["guard"]["wrong"] if scenario["guard"] else [],
            }
            for scenario in metrics["scenarios"]
        }
    except (LookupError, TypeError) as error:
        message = f"the metrics do not have the evaluation's form: {error!r}"
        raise StepFailed(message) from error
