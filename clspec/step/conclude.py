"""conclude: the last word of a run; it ends with 1 unless the verdict is a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.diagnostic import Refused

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Raise unless the run passed.

    Raises:
        Refused: it did not.
    """
    found = job.read_json("verdict")
    if found.get("verdict") != "pass":
        reasons = found.get("reasons")
        lines = [f"the verdict is {found.get('verdict', 'missing')}", *(reasons if isinstance(reasons, list) else [])]
        message = "\n  ".join(map(str, lines))
        raise Refused(message)
