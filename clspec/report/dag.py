"""A pipeline as a drawing: its steps in layers, each with what became of it, in a colour, a sign and a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import graph
from clspec.report.diagnostics import visible
from clspec.report.layers import laid, reduced
from clspec.report.ran import Stepped
from clspec.report.svg import Drawn, drawing, element, path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.plan import Pipeline

_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE = 148, 40, 18, 30, 8
_ALONE = 6
"""Of so many steps of one kind in one layer each is drawn for itself; of more, one stands for all."""
_LONGEST = 19
_MINUTE = 60

SIGNS = {
    "done": "✓",
    "up to date": "↺",
    "taken": "↺",
    "left out": "○",
    "skipped": "⤼",
    "said no": "✗",
    "failed": "✗",
    "not run": "○",
    "started": "…",
    "at work": "…",
}
"""A sign for each state, so that none is told by its colour alone."""
_CLASSES = {
    "done": "done",
    "up to date": "kept",
    "taken": "kept",
    "left out": "never",
    "skipped": "skipped",
    "said no": "failed",
    "failed": "failed",
    "at work": "failed",
    "not run": "never",
}
_WORST = (
    "failed",
    "said no",
    "at work",
    "not run",
    "started",
    "",
    "done",
    "taken",
    "up to date",
    "left out",
    "skipped",
)


def steps_of(pipeline: Pipeline) -> tuple[Stepped, ...]:
    """The steps of a pipeline in order, before any of them has run."""
    return tuple(
        Stepped(
            id=step.id,
            kind=step.kind.value,
            needs=step.needs,
            when=step.when.sentence if step.when else "",
        )
        for step in graph.order(pipeline)
    )


def read(plain: Sequence[Mapping[str, Any]]) -> tuple[Stepped, ...]:
    """The steps that a report's configuration tells of.

    Raises:
        LookupError, TypeError: they have not the form that the compiler gives them.
    """
    return tuple(
        Stepped(id=step["id"], kind=step["kind"], needs=tuple(step["needs"]), when=step.get("when", ""))
        for step in plain
    )


def drawn(name: str, steps: Sequence[Stepped]) -> Drawn:
    """The drawing; the steps stand in an order in which each comes after all that it needs."""
    groups = _groups(steps)  # from the upper layers to the lower ones
    members: dict[str, list[Stepped]] = {group: [] for group in groups.values()}
    for step in steps:
        members[groups[step.id]].append(step)
    needs = {group: [groups[need] for step in of for need in step.needs] for group, of in members.items()}
    found = laid(reduced(needs))
    unit, level = _WIDE + _GAP_X, _HIGH + _GAP_Y
    edges = [_edge([(x * unit + _EDGE, y * level + _EDGE) for x, y in points]) for points in found.edges]
    boxes = [
        _box(of, found.nodes[group][0] * unit + _EDGE, found.nodes[group][1] * level + _EDGE)
        for group, of in members.items()
    ]
    width, height = found.width * unit + 2 * _EDGE, max(found.depth * level - _GAP_Y, 0) + 2 * _EDGE
    return drawing(width, height, f"The {len(steps)} steps of pipeline {name}", [*edges, *boxes], "dag")


def _groups(steps: Sequence[Stepped]) -> dict[str, str]:
    """For each step the name it is drawn under: many of one kind that need as many are drawn as one."""
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.id] = max((depth[need] + 1 for need in step.needs), default=0)
    alike: dict[tuple[str, int], list[str]] = {}
    for step in sorted(steps, key=lambda step: depth[step.id]):
        alike.setdefault((step.kind, depth[step.id]), []).append(step.id)
    return {name: names[0] if len(names) > _ALONE else name for names in alike.values() for name in names}


def _edge(points: Sequence[tuple[float, float]]) -> Drawn:
    """From the lower side of a box through the gaps to the upper side of another."""
    (x, y), *rest = points
    walk = [(x, y + _HIGH)]
    for x, y in rest[:-1]:  # an edge passes beside the boxes of a layer, straight down
        walk += [(x, y), (x, y + _HIGH)]
    end = rest[-1]
    return path([*walk, (end[0], end[1])], class_="edge")


def _box(of: Sequence[Stepped], x: float, y: float) -> Drawn:
    state = min((step.state for step in of), key=lambda word: _WORST.index(word) if word in _WORST else 0)
    name = of[0].id if len(of) == 1 else f"{len(of)} x {of[0].kind}"
    took = sum(step.seconds for step in of)
    below = f"{SIGNS.get(state, '?')} {state}" if state else of[0].kind
    if state in {"done", "failed", "said no"}:
        below += f", {duration(took)}"
    shown = visible(name)
    label = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
    return element(
        "g",
        element("title", _told(of, shown)),
        element("rect", x=x - _WIDE / 2, y=y, width=_WIDE, height=_HIGH, rx=4 if not of[0].when else 14),
        element("text", label, x=x - _WIDE / 2 + 12, y=y + 17, class_="name"),
        element("text", below, x=x - _WIDE / 2 + 12, y=y + 32, class_="state"),
        class_=f"step {_CLASSES.get(state, 'unknown')}",
    )


def _told(of: Sequence[Stepped], name: str) -> str:
    """What a reader is told who rests on a box."""
    if len(of) > 1:
        return f"{name}: {counted([step.state for step in of])}"
    step = of[0]
    parts = [name, step.kind, step.state, duration(step.seconds) if step.seconds else "", step.note]
    parts.append(f"only if {step.when}" if step.when else "")
    return visible("; ".join(part for part in parts if part))


def counted(words: Sequence[str]) -> str:
    """How often each word comes: `3 done, 1 failed`."""
    counts: Mapping[str, int] = {word: words.count(word) for word in dict.fromkeys(words)}
    return ", ".join(f"{count} {word or 'not begun'}" for word, count in counts.items())


def duration(seconds: float) -> str:
    """A duration as a person reads it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
