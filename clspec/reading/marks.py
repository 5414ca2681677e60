"""Where every key and value of a document stands in its text."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import Span

if TYPE_CHECKING:
    from clspec.diagnostic import Pointer

# What stands between the start of a node and its value: an anchor or a tag, then blanks and comments.
_PROPERTIES = re.compile(r"(?:(?:&[\w-]++|!(?:<[^>\s]*+>|[^\s,\[\]{}]*+))(?:\s|#[^\n]*+)*+)++")
_BLANK = " \t\r\n"
_BLOCK = 4096


class Lines:
    """The lines of a text. It counts them by blocks: a list of all lines may be larger than the text."""

    __slots__ = ("_before", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._before: list[int] = []
        """For each block of characters, the line breaks before it."""

    def span(self, start: int, end: int) -> Span:
        """The place of the characters from offset `start` to before `end`."""
        return Span(*self._place(start), *self._place(end))

    def _place(self, offset: int) -> tuple[int, int]:
        text = self._text
        if not self._before:
            counts = (text.count("\n", at, at + _BLOCK) for at in range(0, len(text), _BLOCK))
            self._before = list(accumulate(counts, initial=0))
        block = min(offset // _BLOCK, len(self._before) - 1)
        line = self._before[block] + text.count("\n", block * _BLOCK, offset)
        return line + 1, offset - text.rfind("\n", 0, offset)


@dataclass(slots=True, repr=False, eq=False)
class Marks:
    """The offsets of nodes, which are numbered as the parser met them: a key, its value, the next key.

    Arrays, since a large spec has a million nodes; who needs the place of a path walks down to its number.
    """

    text: str
    starts: array[int] = field(default_factory=lambda: array("I"))
    ends: array[int] = field(default_factory=lambda: array("I"))
    """0 for what has not ended yet."""
    after: array[int] = field(default_factory=lambda: array("I"))
    """For a list or mapping that has ended, the number that follows those of all it holds; for anything else 0."""
    aliases: dict[int, int] = field(default_factory=dict)
    """An alias -> the node that it repeats."""
    skipped: dict[int, set[int]] = field(default_factory=dict)
    """A mapping -> those of its keys that are not in the value: given twice, not a scalar, or `<<`."""
    merged: dict[int, dict[str, int]] = field(default_factory=dict)
    """A mapping -> the keys that `<<` brought, each with its number where it was written."""
    lines: Lines = field(init=False)
    _tables: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines = Lines(self.text)

    def keys(self, number: int, value: dict[str, Any]) -> dict[str, int]:
        """The number of each key of the mapping `value`; a key's value has the next number."""
        if number not in self._tables:
            skipped = self.skipped.get(number, ())
            written = (key for key in self._children(number)[::2] if key not in skipped)
            # Merged keys come last; a mapping that the text never ended has others than strings.
            names = (key for key in value if isinstance(key, str))
            self._tables[number] = dict(zip(names, written, strict=False)) | self.merged.get(number, {})
        table: dict[str, int] = self._tables[number]
        return table

    def items(self, number: int) -> array[int]:
        """The number of each item of a list."""
        if number not in self._tables:
            self._tables[number] = self._children(number)
        table: array[int] = self._tables[number]
        return table

    def _children(self, number: int) -> array[int]:
        after, end, child = self.after, self.after[number] or len(self.after), number + 1
        found = array("I")
        while child < end:
            found.append(child)
            child = after[child] or child + 1
        return found

    def find(self, pointer: Pointer, value: Any) -> tuple[int, int]:
        """The numbers of the key and the value at a path that leads somewhere; they are one where there is no key."""
        key = number = 0
        for step in pointer:
            number = self.aliases.get(number, number)
            if isinstance(step, str):
                key = self.keys(number, value)[step]
                number = key + 1
            else:
                key = number = self.items(number)[step]
            value = value[step]
        return key, number

    def bounds(self, number: int) -> tuple[int, int]:
        """The offsets of a node's first character (anchor and tag left out) and after its last that is not blank."""
        start, end = self.starts[number], self.ends[number]
        if found := _PROPERTIES.match(self.text, start, end):
            start = found.end()
        if start < end and self.text[end - 1] in _BLANK:
            end = start + len(self.text[start:end].rstrip(_BLANK))
        return start, end
