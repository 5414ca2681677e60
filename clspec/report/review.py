"""What a change to specs does, as a terminal shows it and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.diff.change import ABSENT, Change, Failure, Review
from clspec.diff.levels import LEVELS, Level
from clspec.report.diagnostics import as_lines, visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.diff.change import Expense, Place

    Outcome = Review | Failure

_COLOURS = {Level.BLOCK: "\033[1;31m", Level.REVIEW: "\033[1;33m", Level.INFO: "\033[2m"}
_CAP = 500


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """2 where something could not be compared, 1 where something blocks, else 0."""
    if any(isinstance(one, Failure) for one in outcomes):
        return 2
    return int(any(one.blocks for one in outcomes if isinstance(one, Review)))


def counted(review: Review) -> str:
    """How many changes there are of each level, in words."""
    counts = {level: sum(one.level is level for one in review.changes) for level in Level}
    parts = [f"{count} {level.value}" for level, count in counts.items() if count]
    errors = sum(one.is_error for one in review.problems)
    if errors:
        parts.insert(0, f"{errors} error{'s' if errors > 1 else ''}")
    return ", ".join(parts) or "no changes"


def as_text(outcomes: Sequence[Outcome], *, colours: bool) -> str:
    """All specs, the heaviest changes first."""
    if not outcomes:
        return "no spec is changed\n"
    return "\n".join(_failed(one) if isinstance(one, Failure) else _text(one, colours=colours) for one in outcomes)


def _failed(failure: Failure) -> str:
    head = f"{visible(failure.spec)}: NOT COMPARED with {visible(failure.against)}: {visible_lines(failure.reason)}\n"
    return head + as_lines(failure.problems)


def _text(review: Review, *, colours: bool) -> str:
    lines = [f"{visible(review.spec)} against {visible(review.against)}: {counted(review)}"]
    for one in review.changes[:_CAP]:
        colour, reset = (_COLOURS[one.level], "\033[0m") if colours else ("", "")
        lines.append(f"  {colour}{one.level.value:<6}{reset} {visible(one.where)}: {visible(one.sentence)}")
        lines.append(f"         {spot(one.head)}, was {spot(one.base)} [{one.row}]")
    if len(review.changes) > _CAP:
        lines.append(f"  ... and {len(review.changes) - _CAP} more, none of them heavier")
    lines += [f"  {line}" for line in as_lines(review.problems).splitlines()]
    lines += [f"  cost: {line}" for line in cost_lines(review)]
    return "\n".join(lines) + "\n"


def spot(place: Place | None) -> str:
    """A place as `file:line:column`."""
    if place is None:
        return "nowhere"
    found = f":{place.span.line}:{place.span.column}" if place.span else ""
    return visible(f"{place.path}{found}")


def cost_lines(review: Review) -> tuple[str, ...]:
    """What each pipeline may cost, before and after."""
    if review.costs is None:
        return (f"not known: {visible(review.no_costs)}",)
    before = {one.pipeline: one for one in review.costs.before}
    after = {one.pipeline: one for one in review.costs.after}
    lines = [_cost(name, before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after))]
    return (*lines, *([f"what runs took is not known: {visible(review.costs.note)}"] if review.costs.note else []))


def _cost(name: str, before: Expense | None, after: Expense | None) -> str:
    old, new = (_amounts(one) for one in (before, after))
    return f"{visible(name)}: {new}" + ("" if old == new else f" (was {old})")


def _amounts(one: Expense | None) -> str:
    if one is None:
        return "not there"
    open_ = f", and {one.unlimited} steps without a timeout" if one.unlimited else ""
    most = f"{one.steps} steps, at most {one.gpu_hours:.3g} GPU-hours and {one.core_hours:.3g} core-hours{open_}"
    if not one.seen:
        return most
    took = f"{one.seen_gpu_hours:.3g} GPU-hours and {one.seen_core_hours:.3g} core-hours"
    return f"{most}; by earlier runs of {one.seen} of them {took}"


def as_json(outcomes: Sequence[Outcome]) -> str:
    """All specs as one JSON object; `exit` is what the command returns."""
    found = {"version": 1, "exit": exit_code(outcomes), "specs": [_plain(one) for one in outcomes]}
    return json.dumps(found, indent=2, default=str) + "\n"


def _plain(one: Outcome) -> dict[str, Any]:
    known: dict[str, Any] = {"spec": one.spec, "against": one.against}
    problems = as_lines(one.problems).splitlines()
    if isinstance(one, Failure):
        return {**known, "compared": False, "reason": one.reason, "problems": problems}
    costs = one.costs
    return {
        **known,
        "compared": True,
        "blocks": one.blocks,
        "changes": [_change(change) for change in one.changes],
        "problems": problems,
        "cost": None
        if costs is None
        else {
            when: {each.pipeline: _expense(each) for each in expenses}
            for when, expenses in (("before", costs.before), ("after", costs.after))
        },
        "charts": {picture.pipeline: picture.chart for picture in costs.pictures} if costs else {},
    }


def _expense(one: Expense) -> dict[str, Any]:
    return {
        "steps": one.steps,
        "gpu_hours": one.gpu_hours,
        "core_hours": one.core_hours,
        "steps_without_timeout": one.unlimited,
        "steps_seen": one.seen,
        "seen_gpu_hours": one.seen_gpu_hours,
        "seen_core_hours": one.seen_core_hours,
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "level": one.level.value,
        "change": one.row,
        "where": one.where,
        "environment": one.environment or None,
        "sentence": one.sentence,
        "means": LEVELS[one.row].text,
        "old": None if one.old is ABSENT else one.old,
        "new": None if one.new is ABSENT else one.new,
        "base": _place(one.base),
        "head": _place(one.head),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    span = place.span
    if span is None:
        return {"path": place.path}
    lines = {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
    return {"path": place.path, **lines}
