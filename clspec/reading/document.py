"""A spec as plain values, where each key and value knows the place in the text that says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clspec.reading.hidden import visible
from clspec.reading.places import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clspec.diagnostic import Pointer, Span
    from clspec.reading.marks import Marks


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A loaded spec. Its `value` is shared between copies and must not be changed; `without` makes a copy."""

    path: str
    text: str = field(repr=False)
    """The text that all places refer to: as in the file, save that a byte order mark is dropped and a hidden character
    is a space."""
    value: dict[str, Any]
    _marks: Marks = field(repr=False)
    _whole: dict[str, Any] = field(repr=False)
    _kept: Mapping[Pointer, Sequence[int]] = field(repr=False)
    """For a list that lost items, by its path as written: the positions that the remaining items were written at."""

    @classmethod
    def of(cls, path: str, value: dict[str, Any], marks: Marks) -> Document:
        """A document as it was read."""
        return cls(path, marks.text, value, marks, value, {})

    def span(self, pointer: Pointer) -> Span:
        """Where the value at a path stands; an alias stands where `*name` does.

        Raises:
            KeyError: the document has nothing there.
        """
        return self._span(self._find(pointer)[1])

    def key_span(self, pointer: Pointer) -> Span:
        """Where the key stands that the path ends in; an item of a list and the root have none, so the value.

        Raises:
            KeyError: the document has nothing there.
        """
        return self._span(self._find(pointer)[0])

    def text_of(self, pointer: Pointer) -> str:
        """The value at a path as it was written: `3e-4`, `'no'`, `*name`.

        Raises:
            KeyError: the document has nothing there.
        """
        start, end = self._marks.bounds(self._find(pointer)[1])
        return self.text[start:end]

    def key_text_of(self, pointer: Pointer) -> str:
        """The key that a path ends in as it was written, with its quotes.

        Raises:
            KeyError: the document has nothing there.
        """
        start, end = self._marks.bounds(self._find(pointer)[0])
        return self.text[start:end]

    def inside(self, pointer: Pointer, start: int, end: int) -> Span:
        """Where the characters from `start` to before `end` of the string at a path stand, at least one.

        Escapes, doubled quotes and folded or indented lines are followed. Where one cannot say (an alias, a scalar
        of more than 65,536 characters, an odd block scalar), it is the span of the whole value.

        Raises:
            KeyError: the document has nothing there.
        """
        marks, number = self._marks, self._find(pointer)[1]
        value: Any = self.value
        for step in pointer:
            value = _child(value, step)
        first = marks.bounds(number)[0]
        offsets = places(self.text[first : marks.ends[number]], value) if isinstance(value, str) else None
        if offsets is None:
            return self._span(number)
        start, end = min(max(start, 0), len(value)), min(end, len(value))
        begin, stop = offsets[start]
        if end > start:
            stop = offsets[end - 1][1]
        return marks.lines.span(first + begin, first + max(stop, begin + 1))

    def where(self, pointer: Pointer) -> str:
        """A path with dots in it, an item of a list by its `id` or `alias` if it has one, else by its position.

        Positions are those of the text, also in a copy that lost items. Steps that lead nowhere are kept as they are.
        """
        value: Any = self.value
        names = []
        for step, written in zip(pointer, self._as_written(pointer), strict=True):
            item = isinstance(value, list)
            value = _child(value, step)
            name = (value.get("id") or value.get("alias")) if item and isinstance(value, dict) else None
            names.append(visible(name if isinstance(name, str) else str(written), 1024))
        return ".".join(names)

    def without(self, pointers: Iterable[Pointer]) -> Document:
        """A copy that lacks what stands at these paths, sharing all else; what remains keeps its place.

        A key goes with its value, an item of a list makes the later ones move up, and the root leaves `{}`.

        Raises:
            KeyError: the document has nothing there.
        """
        cuts: dict[str | int, Any] = {}
        for pointer in pointers:
            self._find(pointer)
            if not pointer:
                return Document(self.path, self.text, {}, self._marks, self._whole, {})
            level = cuts
            for step in pointer[:-1]:
                level = level.setdefault(step, {})
                if level is _ALL:
                    break  # inside something that goes as a whole
            else:
                level[pointer[-1]] = _ALL
        kept = dict(self._kept)
        value = _pruned(self.value, cuts, (), kept)
        return Document(self.path, self.text, value, self._marks, self._whole, kept)

    def _as_written(self, pointer: Pointer) -> Pointer:
        """The path that the same thing has in the text."""
        written: Pointer = ()
        for step in pointer:
            positions = self._kept.get(written, ())
            if isinstance(step, int) and 0 <= step < len(positions):
                written = (*written, positions[step])
            else:
                written = (*written, step)
        return written

    def _find(self, pointer: Pointer) -> tuple[int, int]:
        value: Any = self.value
        for step in pointer:
            value = _child(value, step)
            if value is _NOTHING:
                raise KeyError(pointer)
        return self._marks.find(self._as_written(pointer), self._whole)

    def _span(self, number: int) -> Span:
        return self._marks.lines.span(*self._marks.bounds(number))


_ALL: dict[str | int, Any] = {}
_NOTHING: Any = object()


def _child(value: Any, step: str | int) -> Any:
    """What stands at a key of a mapping or at a position of a list, if anything."""
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return _NOTHING


def _pruned(value: Any, cuts: dict[Any, Any], written: Pointer, kept: dict[Pointer, Sequence[int]]) -> Any:
    """A copy of `value` without what `cuts` names; notes in `kept` where a list's remaining items were written."""
    positions = kept.get(written, range(len(value))) if isinstance(value, list) else None
    copy = value.copy()
    for step, below in cuts.items():
        if below is not _ALL:
            copy[step] = _pruned(value[step], below, (*written, positions[step] if positions else step), kept)
    gone = {step for step, below in cuts.items() if below is _ALL}
    if positions is None:
        return {key: item for key, item in copy.items() if key not in gone}
    if gone:
        kept[written] = tuple(at for step, at in enumerate(positions) if step not in gone)
    return [item for step, item in enumerate(copy) if step not in gone]
