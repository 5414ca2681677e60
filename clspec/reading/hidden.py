"""Characters that make a reviewer see another text than the machine reads."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
# U+00AD to U+E0FFF: what Unicode calls default-ignorable, save what is written in some scripts (the joiners below).
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_JOINERS = "\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_HIDDEN = re.compile(f"[{_CONTROL}\x80-\x9f{_INVISIBLE}{_NONCHARACTERS}\ud800-\udfff{_JOINERS}]")
_JOINER = re.compile(f"[{_JOINERS}]")
_LONE_RETURN = re.compile(r"\r(?!\n)")


def hidden(text: str) -> Iterator[tuple[int, str]]:
    """The offset of each hidden character, and what to call it.

    Joiners and variation selectors belong to many scripts and to emoji: they are hidden only after an ASCII
    character, on which they do nothing.
    """
    if _HIDDEN.search("".join(set(text))):  # several times faster than searching the text itself
        for found in _HIDDEN.finditer(text):
            at = found.start()
            if at == 0 or text[at - 1].isascii() or not _JOINER.match(text, at):
                yield at, _name(text[at])
    if text.count("\r") != text.count("\r\n"):
        for found in _LONE_RETURN.finditer(text):
            yield found.start(), "U+000D (CARRIAGE RETURN, without a line feed)"


def uncovered(text: str, offsets: list[int]) -> str:
    """The same text as a reviewer sees it, each hidden character a space, so that all else keeps its place."""
    edges = [-1, *sorted(offsets), len(text)]
    return " ".join(text[start + 1 : end] for start, end in pairwise(edges)) if offsets else text


def visible(text: str, limit: int = 60) -> str:
    """The same text on one line, fit for a message: what cannot be seen is escaped, what is long is cut."""
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode("ascii")


def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} ({name})" if name else f"U+{ord(character):04X}"
