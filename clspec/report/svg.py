"""Drawings as SVG inside a page: pictures that say in words what they show, and lines through points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.report.markup import Drawn, element, number

if TYPE_CHECKING:
    from collections.abc import Iterable


def drawing(width: float, height: float, label: str, children: Iterable[Drawn], kind: str) -> Drawn:
    """A whole picture, which a reader who does not see it is told of in words."""
    return element(
        "svg",
        element("title", label),
        *children,
        class_=kind,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
    )


def path(points: Iterable[tuple[float, float]], **attributes: str | float) -> Drawn:
    """A line through points."""
    walk = "L".join([f"{number(x)} {number(y)}" for x, y in points])
    return element("path", d=f"M{walk}", fill="none", **attributes)
