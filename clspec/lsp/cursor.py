"""Which part of a spec the cursor is in: in a text that reads well, and in one that is being typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Pointer, Span
    from clspec.load import Document

_MARK = "clspeccursorxq"
"""A word that no spec holds: it takes the place of the word at the cursor."""
_TYPED = re.compile(r"[\w.:@/-]*$")
_REST = re.compile(r"[\w.@/-]*")
_NEW_VALUE = re.compile(r"\s*(?:- +)*[\w-]+:$")
_CLOSES = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What stands under the cursor: a key or a value, and its place in the text."""

    pointer: Pointer
    is_key: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """A word that is being typed: where it belongs, and the stretch of its line that it takes up so far."""

    pointer: Pointer
    """The place of the value; of a key, the place of the mapping that it is a key of."""
    is_key: bool
    value: dict[str, Any]
    """The whole document, the word left out where it is a key."""
    start: int
    end: int
    before: str
    """The part of the same text in quotes that stands before the word."""
    quoted: bool
    """Whether the word stands between quotes of YAML."""
    colon: bool
    """Whether a colon follows already."""


def here(document: Document, line: int, column: int) -> Here | None:
    """The key or the scalar under a position (1-based, in code points), if there is one."""
    at: Pointer = ()
    value: Any = document.value
    while True:
        if isinstance(value, dict):
            for key in value:
                if _contains(span := document.key_span((*at, key)), line, column):
                    return Here(pointer=(*at, key), is_key=True, span=span)
        below = next((step for step in _steps(value) if _contains(document.span((*at, step)), line, column)), None)
        if below is None:
            return None
        at, value = (*at, below), value[below]
        if not isinstance(value, dict | list):
            return Here(pointer=at, is_key=False, span=document.span(at))


def value_at(document: Document, pointer: Pointer) -> Any:
    """What stands at a place of a document."""
    value: Any = document.value
    for step in pointer:
        value = value[step]
    return value


def _steps(value: Any) -> Iterator[Any]:
    return iter(value) if isinstance(value, dict) else iter(range(len(value) if isinstance(value, list) else 0))


def _contains(span: Span, line: int, column: int) -> bool:
    return (span.line, span.column) <= (line, column) <= (span.end_line, span.end_column)


def typing(text: str, line: int, column: int) -> Typing | None:
    """What is being typed at a position (0-based, in code points), if that can be told.

    The word is replaced by a mark and the text read again: as it is, as a key, and as far as the cursor with what is
    open closed. Whatever reads first tells the place.
    """
    lines = text.split("\n")
    if line >= len(lines):
        return None
    own = lines[line]
    before, after = own[:column], own[column:]
    found = _TYPED.search(before)
    start = found.start() if found else column
    gap = ""
    if _NEW_VALUE.fullmatch(before):
        start, gap = column, " "
    rest = _REST.match(after)
    end = column + (rest.end() if rest else 0)
    head, tail = own[:start] + gap, own[end:]
    for mark in (_MARK, f"{_MARK}: null"):
        closing = _closing(head)
        for last, following in ((tail, lines[line + 1 :]), (closing, lines[line + 1 :]), (closing, [])):
            candidate = "\n".join([*lines[:line], head + mark + last, *following])
            if (place := _marked(candidate)) is not None:
                pointer, is_key, value, inside = place
                return Typing(
                    pointer=pointer,
                    is_key=is_key,
                    value=value,
                    start=start,
                    end=end,
                    before=gap + inside,
                    quoted=_open_quote(head) != "",
                    colon=tail.lstrip().startswith(":"),
                )
    return None


def _marked(text: str) -> tuple[Pointer, bool, dict[str, Any], str] | None:
    document, _ = load(text, "spec")
    return None if document is None else _found(document.value, (), document.value)


def _found(value: Any, at: Pointer, whole: dict[str, Any]) -> tuple[Pointer, bool, dict[str, Any], str] | None:
    if isinstance(value, dict):
        if _MARK in value:
            return at, True, _without(whole, at), ""
        for key, below in value.items():
            if found := _found(below, (*at, key), whole):
                return found
    elif isinstance(value, list):
        for number, below in enumerate(value):
            if found := _found(below, (*at, number), whole):
                return found
    elif isinstance(value, str) and _MARK in value:
        return at, False, whole, value.partition(_MARK)[0]
    return None


def _without(whole: dict[str, Any], at: Pointer) -> dict[str, Any]:
    """The document without the mark that is a key at this place."""
    value: Any = whole
    for step in at:
        value = value[step]
    del value[_MARK]
    return whole


def _closing(head: str) -> str:
    """What closes the quotes and the brackets that are open at the end of a line."""
    quote = _open_quote(head)
    opened: list[str] = []
    for letter in _outside_quotes(head):
        if letter in _CLOSES:
            opened.append(_CLOSES[letter])
        elif opened and letter == opened[-1]:
            opened.pop()
    return quote + "".join(reversed(opened))


def _open_quote(head: str) -> str:
    """The quote that a line opens and does not close, if one is."""
    quote = ""
    for letter in head:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            break
    return quote


def _outside_quotes(head: str) -> Iterator[str]:
    quote = ""
    for letter in head:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            yield letter
