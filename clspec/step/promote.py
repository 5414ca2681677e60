"""promote: a registered model goes up the stages, as far as nobody has to approve; a step never approves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.data.decisions import CLIMBED, Decisions
from clspec.data.models import Models, Record
from clspec.data.promotion import Ladder, Said, passing, rungs
from clspec.diagnostic import Refused, StepFailed

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `promoted`: the stages that the model reached, and the one that waits for an approval.

    Raises:
        Refused: the verdict is not a pass, or the champion is another one than the model was judged against.
    """
    judged = job.read_json("verdict")
    if (verdict := judged.get("verdict", "missing")) != "pass":
        message = f"the verdict is {verdict}: nothing is promoted"
        raise Refused(message)
    config, record = job.config, _record(job)
    ladder = Ladder(
        storage=job.storage, spec=config["spec"], rungs=rungs(config["stages"]), compares=config["compares"]
    )
    why = f"passed on golden version {config['golden']}"
    found = ladder.climb(record, Said(by="the improvement pipeline", why=why, at=job.as_of.isoformat()))
    _settle(job, record, [seed["model"] for seed in judged["seeds"]])
    waits = found.awaiting
    told = {
        "model": record.model,
        "reached": list(found.reached),
        "awaiting": waits.alias if waits else None,
        "approval": waits.approval if waits else None,
    }
    job.write_json("promoted", told)
    reached = " and ".join(f"`{alias}`" for alias in found.reached) or "no stage"
    rest = f"; `{waits.alias}` awaits approval by {waits.approval}" if waits else ""
    print(f"model {record.model} has {reached}{rest}")  # noqa: T201


def _settle(job: Job, record: Record, models: list[str]) -> None:
    """Mark the decision as one that was followed, so that the next run does not make the same model once more."""
    decision = {
        "models": models,
        "verdict": "pass",
        "pipeline": "improvement",
        "training": record.dataset("training")[1],
    }
    Decisions(job.storage, job.config["spec"]).record(job.config["golden"], {**decision, CLIMBED: True})


def _record(job: Job) -> Record:
    """The judgement that this run has registered.

    Raises:
        StepFailed: the store does not have it.
    """
    registered = job.read_json("registered")
    model, name = registered["model"], registered["record"]
    found = [record for record in Models(job.storage, job.config["spec"]).records(model) if record.name == name]
    if not found:
        message = f"{job.storage.uri} has no record {name} of model {model}, which this run registered"
        raise StepFailed(message)
    return passing(found, model, job.config["golden"])
