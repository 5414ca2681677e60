"""What the pipelines of two plans may cost, and how their steps differ, drawn as one chart."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from clspec import graph
from clspec.diff.change import Costs, Expense, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Pipeline, Plan, Step

_HOUR = 3600
_UNSEEN = {"origin", "where", "config"}
"""What of a step does not change what it does, or is looked at more closely."""
_MARKS = {"added": "+ ", "removed": "- ", "changed": "~ ", "same": ""}
_STYLES = (
    "  classDef added fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "  classDef removed fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:4",
    "  classDef changed fill:#fff8c5,stroke:#9a6700,color:#1f2328",
)


def costs(before: Plan, after: Plan, seen: Mapping[tuple[str, str], float], note: str) -> Costs:
    """Both plans' expenses, and a picture of each pipeline that differs.

    `seen` is how many seconds steps took in earlier runs, by pipeline and step; `note` says why that is not known.
    """
    old, new = ({one.name: one for one in plan.pipelines} for plan in (before, after))
    pictures = (_picture(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new)))
    return Costs(
        before=tuple(_expense(one, seen) for one in before.pipelines),
        after=tuple(_expense(one, seen) for one in after.pipelines),
        pictures=tuple(one for one in pictures if one.added or one.removed or one.changed),
        note=note,
    )


def _expense(pipeline: Pipeline, seen: Mapping[tuple[str, str], float]) -> Expense:
    """What is asked for over the time that is given: an upper limit, without the tries after failures."""
    asking = [step for step in pipeline.steps if step.resources.cpu or step.resources.gpu]
    limited = [(step, step.timeout / _HOUR) for step in asking if step.timeout is not None]
    took = {step.id: seen.get((pipeline.name, step.id)) for step in pipeline.steps}
    known = [(step, seconds / _HOUR) for step in pipeline.steps if (seconds := took[step.id]) is not None]
    return Expense(
        pipeline=pipeline.name,
        steps=len(pipeline.steps),
        gpu_hours=sum(hours * _gpus(step) for step, hours in limited),
        core_hours=sum(hours * _cores(step) for step, hours in limited),
        unlimited=len(asking) - len(limited),
        seen=len(known),
        seen_gpu_hours=sum(hours * _gpus(step) for step, hours in known),
        seen_core_hours=sum(hours * _cores(step) for step, hours in known),
    )


def _gpus(step: Step) -> float:
    return step.resources.nodes * (step.resources.gpu.count if step.resources.gpu else 0)


def _cores(step: Step) -> float:
    return step.resources.nodes * (step.resources.cpu or 0)


def _picture(name: str, before: Pipeline | None, after: Pipeline | None) -> Picture:
    old, new = (graph.order(one) if one else () for one in (before, after))
    steps = {step.id: step for step in (*old, *new)}
    then, now = ({step.id: step for step in one} for one in (old, new))
    state = {one: _state(then.get(one), now.get(one)) for one in steps}
    names = {one: f"s{number}" for number, one in enumerate(steps)}
    lines = ["flowchart TD"]
    lines += [f'  {names[one]}["{_MARKS[state[one]]}{one}"]' for one in steps]
    edges = {(need, step.id): None for step in (*old, *new) for need in step.needs}
    lines += [f"  {names[need]} {_arrow(need, one, then, now)} {names[one]}" for need, one in edges]
    lines += [*_STYLES, *(f"  class {names[one]} {what}" for one, what in state.items() if what != "same")]
    by = {what: tuple(one for one in steps if state[one] == what) for what in ("added", "removed", "changed")}
    return Picture(pipeline=name, chart="\n".join(lines) + "\n", **by)


def _arrow(need: str, one: str, then: dict[str, Step], now: dict[str, Step]) -> str:
    """A thick arrow is new, a dotted one is gone."""
    was, is_ = (one in steps and need in steps[one].needs for steps in (then, now))
    return "-->" if was and is_ else "==>" if is_ else "-.->"


def _state(old: Step | None, new: Step | None) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    differs = any(getattr(old, one.name) != getattr(new, one.name) for one in fields(old) if one.name not in _UNSEEN)
    return "changed" if differs or not _same(old.config, new.config) else "same"


_CODE = re.compile(r'"code": ?"([^"]*)"')


def _same(old: str, new: str) -> bool:
    """Whether steps are told the same but for the code; where that is one code, nothing has to be read for it."""
    if old == new:
        return True
    return _CODE.findall(old) != _CODE.findall(new) and _told(old) == _told(new)


@lru_cache(maxsize=16)
def _told(config: str) -> Any:
    """What a step is told, without the digest of the code, which is told of once and not at every step."""
    return json.loads(config, object_hook=_without_code)


def _without_code(value: dict[str, Any]) -> dict[str, Any]:
    value.pop("code", None)
    return value
