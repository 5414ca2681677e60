"""A spec's text with an item added to one of its lists: comments, order and layout stay as a person wrote them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec import load
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.diagnostic import Pointer
    from clspec.load import Document

_DASH = re.compile(r"( *)(- +)")


def with_item(document: Document, at: Pointer, item: Sequence[str]) -> str:
    """The text with one more item at the end of the list at a path; `item` are its lines, without dash or indent.

    Raises:
        UsageError: the list is empty, or not written as a block with a dash before each item.
    """
    items = _at(document.value, at)
    lines = document.text.splitlines(keepends=True)
    last = document.span((*at, len(items) - 1)) if items else None
    dash = _DASH.fullmatch(lines[last.line - 1][: last.column - 1]) if last else None
    if last is None or dash is None:
        message = (
            f"{document.path}: {document.where(at)} is no list with a dash before each item, so that nothing can be "
            f"added to it here; add this to it yourself:\n" + "\n".join(_block(item, "", "- "))
        )
        raise UsageError(message)
    end = last.end_line if last.end_column > 1 else last.end_line - 1
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    added = [line + "\n" for line in _block(item, dash[1], dash[2])]
    text = "".join((*lines[:end], *added, *lines[end:]))
    _verify(document, at, text)
    return text


def _block(item: Sequence[str], indent: str, dash: str) -> list[str]:
    first, *rest = item
    return [f"{indent}{dash}{first}", *(f"{indent}{' ' * len(dash)}{line}" for line in rest)]


def _verify(document: Document, at: Pointer, text: str) -> None:
    """Make sure that the text says what it said, and one item more."""
    amended, problems = load.load(text, document.path)
    before, after = document.value, amended.value if amended else {}
    kept = amended is not None and _at(after, at)[:-1] == _at(before, at)
    if not kept or _without(after, at) != _without(before, at):
        reason = problems[0].message if problems else "it would say something else"
        message = f"{document.path}: nothing can be added to {document.where(at)}: {reason}"
        raise UsageError(message)


def _at(value: Any, at: Pointer) -> list[Any]:
    for step in at:
        value = value[step]
    found: list[Any] = value
    return found


def _without(value: Any, at: Pointer) -> Any:
    """A value without what stands at a path."""
    if not at:
        return None
    copy = value.copy()
    copy[at[0]] = _without(value[at[0]], at[1:])
    return copy
