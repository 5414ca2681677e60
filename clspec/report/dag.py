"""A pipeline as a drawing: its steps in layers, each with what became of it, in a colour, a sign and a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import graph
from clspec.report.diagnostics import visible
from clspec.report.layers import laid, reduced
from clspec.report.markup import Drawn, fill
from clspec.report.ran import Stepped
from clspec.report.svg import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.plan import Pipeline

_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE = 148, 40, 18, 30, 8
_UNIT, _LEVEL = _WIDE + _GAP_X, _HIGH + _GAP_Y
_EDGES = '<path class="edge" fill="none" d="{}"/>'
_BOX = (
    '<g class="step {}" transform="translate({} {})"><title>{}</title>'
    f'<rect width="{_WIDE}" height="{_HIGH}" rx="{{}}"/>'
    '<text x="12" y="17" class="name">{}</text><text x="12" y="32" class="state">{}</text></g>'
)
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
_WORST = {
    word: rank
    for rank, word in enumerate(
        (
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
    )
}
"""How bad each state is, the worst first; one that is none of them is as bad as a failure."""
_TIMED = ("done", "failed", "said no")
"""The states that tell how long it took."""


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
    edges = Drawn("".join(map(_edge, found.edges)))
    boxes = [_box(of, *_place(*found.nodes[group])) for group, of in members.items()]
    width, height = round(found.width * _UNIT) + 2 * _EDGE, max(found.depth * _LEVEL - _GAP_Y, 0) + 2 * _EDGE
    label = f"The {len(steps)} steps of pipeline {name}"
    return drawing(width, height, label, [fill(_EDGES, edges), *boxes] if edges else boxes, "dag")


def _groups(steps: Sequence[Stepped]) -> dict[str, str]:
    """For each step the name it is drawn under: many of one kind that need as many are drawn as one."""
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.id] = max((depth[need] + 1 for need in step.needs), default=0)
    alike: dict[tuple[str, int], list[str]] = {}
    for step in sorted(steps, key=lambda step: depth[step.id]):
        alike.setdefault((step.kind, depth[step.id]), []).append(step.id)
    return {name: names[0] if len(names) > _ALONE else name for names in alike.values() for name in names}


def _place(x: float, y: int) -> tuple[int, int]:
    """Where the middle of a box's upper side lies, in whole pixels."""
    return round(x * _UNIT) + _EDGE, y * _LEVEL + _EDGE


def _edge(points: Sequence[tuple[float, int]]) -> str:
    """From a box through the gaps to the one below that needs it, straight down beside the boxes of other layers."""
    x, y = _place(*points[0])
    walk = [f"M{x} {y + _HIGH}"]
    for point in points[1:-1]:
        x, y = _place(*point)
        walk.append(f"L{x} {y}V{y + _HIGH}")
    x, y = _place(*points[-1])
    walk.append(f"L{x} {y}")
    return "".join(walk)


def _box(of: Sequence[Stepped], x: int, y: int) -> Drawn:
    state = min((step.state for step in of), key=lambda word: _WORST.get(word, 0))
    name = visible(of[0].id if len(of) == 1 else f"{len(of)} x {of[0].kind}")
    below = f"{SIGNS.get(state, '?')} {state}" if state else of[0].kind
    if state in _TIMED:
        below += f", {duration(sum(step.seconds for step in of))}"
    label = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    round_off = 14 if of[0].when else 4
    return fill(_BOX, _CLASSES.get(state, "unknown"), x - _WIDE // 2, y, _told(of, name), round_off, label, below)


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
