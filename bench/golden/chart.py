"""The false passes of each kind of gate as a picture: one line a kind, a mark for its worst cell under each gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LEFT, _TOP, _ROW, _WIDTH, _SIDE = 250, 62, 30, 520, 30
_GATES = (("ours", "clspec", "#0b6e4f"), ("point", "point", "#b3261e"), ("bootstrap", "bootstrap", "#c77700"))
_LAST = ("mcnemar", "McNemar not significant", "#5b4b8a")
_NOMINAL = 0.05
_CAPTION = "models that are just not good enough and pass, in the worst cell of each kind"


def write(path: Path, measured: Sequence[tuple[str, object]]) -> None:
    """Write the picture of all cells, the worst of each kind; a cell has the share each gate passes under its name."""
    names = list(dict.fromkeys(name for name, _ in measured))
    lines = [
        _row(name, number, [rates for each, rates in measured if each == name]) for number, name in enumerate(names)
    ]
    bottom = _TOP + _ROW * len(names)
    size = f'width="{_LEFT + _WIDTH + _SIDE}" height="{bottom + 44}"'
    box = f'viewBox="0 0 {_LEFT + _WIDTH + _SIDE} {bottom + 44}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} font-family="sans-serif" font-size="13">'
    back = '<rect width="100%" height="100%" fill="#ffffff"/>'
    path.write_text("\n".join([head, back, _legend(), *_axis(bottom), *lines, "</svg>", ""]))


def _place(share: float) -> float:
    return _LEFT + _WIDTH * min(share, 1.0)


def _legend() -> str:
    parts, place = [], 20
    for _, label, colour in (*_GATES, _LAST):
        parts.append(
            f'<circle cx="{place}" cy="20" r="5" fill="{colour}"/><text x="{place + 10}" y="24">{label}</text>'
        )
        place += 40 + 8 * len(label)
    return "\n".join(parts)


def _axis(bottom: int) -> list[str]:
    ticks = [
        f'<line x1="{_place(share):.1f}" x2="{_place(share):.1f}" y1="{_TOP - 8}" y2="{bottom}" stroke="#dddddd"/>'
        f'<text x="{_place(share):.1f}" y="{bottom + 16}" text-anchor="middle">{share:.0%}</text>'
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    nominal = _place(_NOMINAL)
    return [
        *ticks,
        f'<line x1="{nominal:.1f}" x2="{nominal:.1f}" y1="{_TOP - 8}" y2="{bottom}" stroke="#0b6e4f"/>',
        f'<text x="{nominal:.1f}" y="{_TOP - 12}" text-anchor="middle">5 %</text>',
        f'<text x="{_LEFT + _WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">{_CAPTION}</text>',
    ]


def _row(name: str, number: int, cells: Sequence[object]) -> str:
    height = _TOP + _ROW * number + _ROW / 2
    marks = [f'<text x="{_LEFT - 14}" y="{height + 4}" text-anchor="end">{name}</text>']
    for field, _, colour in (_LAST, *reversed(_GATES)):
        shares = [share for cell in cells if (share := getattr(cell, field)) is not None]
        if shares:
            marks.append(f'<circle cx="{_place(max(shares)):.1f}" cy="{height}" r="5" fill="{colour}"/>')
    return "\n".join(marks)
