"""conclude: the last word of a run; it ends with 1 unless the verdict is a pass, or nothing had to be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.diagnostic import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Raise unless the run passed.

    Raises:
        Refused: it did not.
    """
    if against := list(_against(job)):
        raise Refused("\n  ".join(against))
    if job.has("loop-promoted"):
        promoted = job.read_json("loop-promoted")
        if promoted.get("awaiting"):
            who = promoted.get("approval") or "somebody"
            print(  # noqa: T201
                f"awaiting approval by {who}: clspec promote {promoted['model']} --stage {promoted['awaiting']} "
                f"--approved-by NAME"
            )


def _against(job: Job) -> Iterator[str]:
    """What stands against the run, a line each; nothing if it passed."""
    if job.config["pipeline"] == "improvement":
        yield from map(str, job.read_json("loop-labels")["alarms"])
        decision = job.read_json("loop-decision")
        if decision["retrain"] is False:
            print(f"no new model: {decision['reason']}")  # noqa: T201
            return
        if not job.has("verdict"):
            yield "a model was to be made, and there is no verdict on it"
            return
    found: dict[str, Any] = job.read_json("verdict")
    if found.get("verdict") != "pass":
        reasons = found.get("reasons")
        yield f"the verdict is {found.get('verdict', 'missing')}"
        yield from map(str, reasons if isinstance(reasons, list) else [])
