"""report: the run's verdict, and what the loop did, as a page for people and as files for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed
from clspec.plan import canonical
from clspec.report import examples, junit, result
from clspec.report.html import page
from clspec.step.pictured import pictures

if TYPE_CHECKING:
    from clspec.step.job import Job

_LOOP = "loop-"
_NOT_JUDGED: dict[str, Any] = {"verdict": "not judged", "reasons": [], "seeds": []}
"""What stands for the verdict where no model was made."""


def run(job: Job) -> None:
    """Write `report`: a folder with `report.html`, which needs no other file, and for programs the same as JSON.

    `report.json` is all that the page shows, `result.json` the verdict in a form that stays, `junit.xml` the same as
    test cases.

    Raises:
        StepFailed: the verdict, the metrics or what the loop told do not have the form that their steps give them.
    """
    content = _content(job)
    try:
        content["pictures"] = _pictures(job, content)
        told = {
            "report.json": canonical(content) + "\n",
            "report.html": page(content),
            "result.json": json.dumps(result.result(content), indent=2) + "\n",
            "junit.xml": junit.suite(result.result(content)),
        }
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        message = (
            f"no report can be made: the verdict, or what the loop's steps told, does not have its form: {error!r}"
        )
        raise StepFailed(message) from error
    folder = job.outputs["report"]
    folder.mkdir()
    for name, text in told.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


def _content(job: Job) -> dict[str, Any]:
    """All that the inputs say."""
    return {
        "spec": job.config["spec"],
        "made_by": {name: value for name, value in job.config.items() if name not in {"shown", "steps"}},
        "steps": job.config.get("steps", []),
        "training": _by_seed(job, "training"),
        "examples": {seed: _examples(metrics) for seed, metrics in _by_seed(job, "metrics").items()},
        "loop": _loop(job),
        "standing": job.read_json("standing") if job.has("standing") else None,
        **(job.read_json("verdict") if job.has("verdict") else _NOT_JUDGED),
    }


def _pictures(job: Job, content: dict[str, Any]) -> dict[str, Any] | None:
    """What the rows that the page names look like; None where nobody handed it the golden rows."""
    if not job.has("golden"):
        return None
    return pictures(job.inputs["golden"], job.config["shown"], examples.keys(content))


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
