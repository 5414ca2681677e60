"""Drawings as SVG inside a page: elements whose every word is escaped, and numbers in few digits."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


class Drawn(str):
    """Text that is markup already; templates take it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template with autoescape asks for."""
        return str(self)


def element(tag: str, *children: str, **attributes: str | float) -> Drawn:
    """One element; children that are not drawn are text, and nothing hides in it. `class_` is `class`, `_` a hyphen."""
    named = "".join([f' {_name(name)}="{_value(value)}"' for name, value in attributes.items()])
    inside = "".join([child if isinstance(child, Drawn) else escape(visible(child)) for child in children])
    return Drawn(f"<{tag}{named}>{inside}</{tag}>")


@cache
def _name(word: str) -> str:
    return word if word == "viewBox" else word.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escape(visible(value))
    return str(value) if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")


def drawing(width: float, height: float, label: str, children: Iterable[Drawn], kind: str) -> Drawn:
    """A whole picture, which a reader who does not see it is told of in words."""
    return element(
        "svg",
        element("title", label),
        *children,
        class_=kind,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
    )


def path(points: Iterable[tuple[float, float]], **attributes: str | float) -> Drawn:
    """A line through points."""
    return element("path", d="M" + "L".join(f"{_value(x)} {_value(y)}" for x, y in points), fill="none", **attributes)
