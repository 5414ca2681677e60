"""What trainings measured epoch after epoch, a picture for each metric and in it a line for each seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report.markup import Drawn, element
from clspec.report.svg import drawing, path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _FOOT, _LETTER = 360, 180, 60, 54, 12, 22, 12
_POINTS = 200
_PICTURES = 12
_AXES = ("epoch", "step")
"""The names that stand for the place along the axis, not for something measured."""
_DASHES = ("none", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")

Line = tuple[tuple[float, float], ...]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over the epochs: the picture, and in words where each seed began and ended."""

    metric: str
    picture: Drawn
    ends: tuple[tuple[str, int, float, float], ...]
    """Seed, how many epochs, the first value and the last."""


def curves(training: Mapping[str, Mapping[str, Any]]) -> tuple[Curve, ...]:
    """A curve for each metric of the trainings' `history`; none where no training told one."""
    lines: dict[str, dict[str, Line]] = {}
    axis = _AXES[0]
    for seed, returned in training.items():
        history = returned.get("history") or []
        axis = next((name for name in _AXES if history and name in history[0]), axis)
        for name in dict.fromkeys(n for entry in history for n in entry if n not in _AXES):
            told = [(entry.get(axis, number), entry[name]) for number, entry in enumerate(history, 1) if name in entry]
            lines.setdefault(name, {})[seed] = tuple((float(x), float(y)) for x, y in told)
    return tuple(_curve(name, of, axis) for name, of in list(lines.items())[:_PICTURES])


def _curve(metric: str, lines: Mapping[str, Line], axis: str) -> Curve:
    ends = tuple((seed, len(line), line[0][1], line[-1][1]) for seed, line in lines.items())
    told = "; ".join(f"seed {seed} from {first:.4g} to {last:.4g}" for seed, _, first, last in ends)
    return Curve(metric=metric, picture=_picture(lines, axis, f"{metric} by {axis}: {told}"), ends=ends)


def _picture(lines: Mapping[str, Line], axis: str, label: str) -> Drawn:
    points = [point for line in lines.values() for point in line]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    inside, tall = _WIDE - _LEFT - _RIGHT, _HIGH - _TOP - _FOOT

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left) if right > left else 0.5
        return _LEFT + inside * across, _TOP + tall * (1 - (y - low) / (high - low))

    floor = _HIGH - _FOOT
    axes = [
        element("line", x1=_LEFT, y1=floor, x2=_WIDE - _RIGHT, y2=floor, class_="axis"),
        element("line", x1=_LEFT, y1=_TOP, x2=_LEFT, y2=floor, class_="axis"),
        element("text", f"{high:.4g}", x=_LEFT - 5, y=_TOP + 8, text_anchor="end", class_="tick"),
        element("text", f"{low:.4g}", x=_LEFT - 5, y=floor, text_anchor="end", class_="tick"),
        element("text", f"{axis} {left:g}", x=_LEFT, y=_HIGH - 6, class_="tick"),
        element("text", f"{right:g}", x=_WIDE - _RIGHT, y=_HIGH - 6, text_anchor="end", class_="tick"),
    ]
    return drawing(_WIDE, _HIGH, label, [*axes, *_drawn(lines, at)], "curve")


def _drawn(lines: Mapping[str, Line], at: Any) -> list[Drawn]:
    """The lines, told apart by dashes and by a name at their end."""
    ends = {seed: at(*line[-1])[1] for seed, line in lines.items()}
    heights = _apart(ends)
    made: list[Drawn] = []
    for number, (seed, line) in enumerate(lines.items()):
        look = f"seed{number % len(_DASHES)}"
        walk = [at(x, y) for x, y in _thinned(line)]
        made += [
            path(walk, class_=f"line {look}", stroke_dasharray=_DASHES[number % len(_DASHES)]),
            element("circle", cx=walk[-1][0], cy=walk[-1][1], r=1.8, class_=f"dot {look}"),
            element("text", f"seed {seed}", x=_WIDE - _RIGHT + 5, y=heights[seed] + 4, class_=f"label {look}"),
        ]
    return made


def _apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Heights near the ends of the lines at which their names do not lie on each other, from the lowest up."""
    found: dict[str, float] = {}
    floor = float(_HIGH - _FOOT)
    for seed in sorted(ends, key=lambda seed: -ends[seed]):
        found[seed] = min(ends[seed], floor)
        floor = found[seed] - _LETTER
    return found


def _thinned(line: Sequence[tuple[float, float]]) -> Line:
    """So many points as a picture shows, evenly chosen, with the first and the last."""
    if len(line) <= _POINTS:
        return tuple(line)
    step = (len(line) - 1) / (_POINTS - 1)
    return tuple(line[round(number * step)] for number in range(_POINTS))
