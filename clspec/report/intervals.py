"""A gate as a picture: where each seed's value and its bound lie, and on which side of the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report.markup import Drawn, element
from clspec.report.svg import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDE, _LINE, _LEFT, _RIGHT, _TOP, _FOOT = 340, 18, 52, 14, 6, 16
_INSIDE = _WIDE - _LEFT - _RIGHT
_SHARES = (0.0, 1.0)
_ROOM = 0.06
_BOX = 3.5


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one case of a scenario, as all seeds have it."""

    kind: str
    """`min`, `max`, `margin` or `max_gap`."""
    threshold: float
    seeds: tuple[tuple[int, Mapping[str, Any]], ...]
    """Each seed with its check as the verdict has it."""


def drawn(gate: Gate, label: str) -> Drawn:
    """The picture; a seed without a result has a line that says so."""
    border = -gate.threshold if gate.kind == "margin" else gate.threshold
    low, high = _scale(gate, border)
    height = _TOP + _LINE * len(gate.seeds) + _FOOT

    def at(value: float) -> float:
        return _LEFT + _INSIDE * (min(max(value, low), high) - low) / (high - low)

    edge = at(border)
    good = (edge, _LEFT + _INSIDE) if gate.kind in {"min", "margin"} else (_LEFT, edge)
    floor = height - _FOOT
    under = [
        element("rect", x=good[0], y=0, width=max(good[1] - good[0], 0), height=floor, class_="good"),
        element("line", x1=edge, y1=0, x2=edge, y2=floor + 2, class_="threshold"),
        element("line", x1=_LEFT, y1=floor, x2=_LEFT + _INSIDE, y2=floor, class_="axis"),
    ]
    rows = [
        part
        for number, (seed, check) in enumerate(gate.seeds)
        for part in _seed(seed, check, gate.kind, _TOP + _LINE * number + _LINE / 2, at)
    ]
    return drawing(_WIDE, height, label, [*under, *rows, *_ticks(low, high, border, edge, height)], "gate")


def _scale(gate: Gate, border: float) -> tuple[float, float]:
    """From the smallest to the largest number that is shown, with some room; shares stay between 0 and 1."""
    checks = [check for _, check in gate.seeds]
    shown = [check[name] for check in checks for name in ("estimate", "bound") if check[name] is not None]
    if gate.kind not in {"margin", "max_gap"}:
        shown += [check["champion"] for check in checks if check["champion"] is not None]
    low, high = min([*shown, border]), max([*shown, border])
    room = (high - low) * _ROOM or max(abs(border) * _ROOM, 0.01)
    is_share = _SHARES[0] <= low and high <= _SHARES[1]
    low, high = low - room, high + room
    return (max(low, 0.0), min(high, 1.0)) if is_share else (low, high)


def _seed(seed: int, check: Mapping[str, Any], kind: str, y: float, at: Any) -> list[Drawn]:
    """A seed's line: a whisker from the bound to the value, the value as a shape that tells the verdict."""
    word = check["verdict"]
    made = [element("text", f"seed {seed}", x=2, y=y + 4, class_="label")]
    if check["estimate"] is None:
        said = "not compared" if word == "not_compared" else "no result"
        return [*made, element("text", said, x=_LEFT + 6, y=y + 4, class_=f"none {_kind(word)}")]
    if check["champion"] is not None and kind not in {"margin", "max_gap"}:
        x = at(check["champion"])
        made.append(element("path", d=_diamond(x, y), class_="champion"))
    x = at(check["estimate"])
    if check["bound"] is not None:
        b = at(check["bound"])
        made.append(element("line", x1=b, y1=y, x2=x, y2=y, class_=f"whisker {_kind(word)}"))
        made.append(element("line", x1=b, y1=y - 4, x2=b, y2=y + 4, class_=f"whisker {_kind(word)}"))
    return [*made, element("path", d=_shape(word, x, y), class_=f"value {_kind(word)}")]


def _kind(word: str) -> str:
    return word if word in {"pass", "inconclusive", "not_compared"} else "fail"


def _shape(word: str, x: float, y: float) -> str:
    """A square for a pass, a cross for a fail, a triangle for what cannot be said: shapes that print in one colour."""
    if word == "pass":
        return f"M{x - _BOX:.2f} {y - _BOX:.2f}h{2 * _BOX}v{2 * _BOX}h{-2 * _BOX}z"
    if word in {"inconclusive", "not_compared"}:
        return f"M{x:.2f} {y - 4.5:.2f}l4.5 8h-9z"
    return f"M{x - 4:.2f} {y - 4:.2f}l8 8m0-8l-8 8"


def _diamond(x: float, y: float) -> str:
    return f"M{x:.2f} {y - 5:.2f}l4 5l-4 5l-4-5z"


def _ticks(low: float, high: float, border: float, edge: float, height: float) -> list[Drawn]:
    """The threshold's number, and the ends of the scale where there is room beside it."""
    y, room = height - 4, 40
    made = [element("text", f"{border:.4g}", x=edge, y=y, text_anchor="middle", class_="tick threshold")]
    if edge - _LEFT > room:
        made.append(element("text", f"{low:.3g}", x=_LEFT, y=y, text_anchor="start", class_="tick"))
    if _LEFT + _INSIDE - edge > room:
        made.append(element("text", f"{high:.3g}", x=_LEFT + _INSIDE, y=y, text_anchor="end", class_="tick"))
    return made


def described(gate: Gate, about: str) -> str:
    """The picture in words."""
    seeds = "; ".join(f"seed {seed} {_words(check)}" for seed, check in gate.seeds)
    return f"{about}: {seeds}"


def _words(check: Mapping[str, Any]) -> str:
    if check["estimate"] is None:
        return f"has no result, {check['verdict']}"
    bound = "" if check["bound"] is None else f", bound {check['bound']:.4f}"
    return f"{check['estimate']:.4f}{bound}, {check['verdict']}"


def gates(judged: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[Mapping[str, Any], Gate]]:
    """The gates of a scenario, judged under each seed, with the first seed's check of each."""
    return [
        (
            check,
            Gate(
                kind=check["kind"],
                threshold=check["threshold"],
                seeds=tuple((seed, scenario["checks"][number]) for seed, scenario in judged),
            ),
        )
        for number, check in enumerate(judged[0][1]["checks"])
    ]
