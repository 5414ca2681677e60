"""What a report is told of the pipeline that it is a step of: enough to draw it, wherever the pipeline runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clspec.plan import Kind, canonical

if TYPE_CHECKING:
    from clspec.plan import Step

STEPS = "steps"
"""The key, in the report's configuration, of all steps of its pipeline."""


def told(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same steps; the report knows them all, itself among them, in an order in which each follows its needs."""
    drawn = [_drawn(step) for step in steps]
    return tuple(
        replace(step, config=canonical({**json.loads(step.config), STEPS: drawn})) if step.kind is Kind.REPORT else step
        for step in steps
    )


def _drawn(step: Step) -> dict[str, Any]:
    when = {"when": step.when.sentence} if step.when else {}
    return {"id": step.id, "kind": step.kind.value, "needs": list(step.needs), **when}
