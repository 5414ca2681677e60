"""Markup of which every word that comes from elsewhere is text: nothing in it is a tag, and nothing hides in it."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from typing import LiteralString


class Drawn(str):
    """Text that is markup already, and is taken as it is, by templates too."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template with autoescape asks for."""
        return str(self)


def fill(pattern: LiteralString, *values: object) -> Drawn:
    """Markup with a value in each of its gaps, as `text` has it: `fill("<b>{}</b>", name)`."""
    return Drawn(pattern.format(*map(text, values)))


def text(value: object) -> str:
    """A value as text that may have lines, and as `plainly` has it; what is drawn stays as it is."""
    return value if isinstance(value, Drawn) else escape(plainly(str(value)))


def plainly(words: str) -> str:
    """Words in which what does not print stands as an escape, but for the ends of lines: none look like others."""
    return words if words.isprintable() else "\n".join([visible(line) for line in words.split("\n")])


def element(tag: str, *children: str, **attributes: str | float) -> Drawn:
    """One element; children that are not drawn are text in one line. `class_` is `class`, `_` a hyphen."""
    named = "".join([f' {_name(name)}="{_value(value)}"' for name, value in attributes.items()])
    inside = "".join([child if isinstance(child, Drawn) else escape(visible(child)) for child in children])
    return Drawn(f"<{tag}{named}>{inside}</{tag}>")


@cache
def _name(word: str) -> str:
    return word if word == "viewBox" else word.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(visible(value)) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """A number in few digits."""
    return str(value) if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")
