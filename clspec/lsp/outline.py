"""The parts of a spec that have names, as an editor lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Pointer
    from clspec.load import Document

_MAPPINGS = {"sources": "source", "datasets": "dataset", "environments": "environment"}
_LISTS = {"scenarios": ("scenario", "id"), "rules": ("rule", "id"), "stages": ("stage", "alias")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A part with a name: its kind, all that it takes up, the place of its name, and the parts in it."""

    name: str
    kind: str
    whole: Span
    named: Span
    parts: tuple[Symbol, ...] = ()


def outline(document: Document) -> Iterator[Symbol]:
    """The sections of a spec, in its order, each with what has a name in it."""
    for section in document.value:
        yield _keyed(document, (section,), "section", tuple(_parts(document, section)))


def _parts(document: Document, section: str) -> Iterator[Symbol]:
    body = document.value[section]
    if not isinstance(body, dict):
        return
    if section in _MAPPINGS:
        for name in body:
            yield _keyed(document, (section, name), _MAPPINGS[section])
    for key, (kind, naming) in _LISTS.items():
        items = body.get(key)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            name = item.get(naming) if isinstance(item, dict) else None
            if isinstance(name, str):
                at: Pointer = (section, key, number)
                yield Symbol(name=name, kind=kind, whole=document.span(at), named=document.span((*at, naming)))


def _keyed(document: Document, at: Pointer, kind: str, parts: tuple[Symbol, ...] = ()) -> Symbol:
    key, value = document.key_span(at), document.span(at)
    whole = Span(key.line, key.column, *max((key.end_line, key.end_column), (value.end_line, value.end_column)))
    return Symbol(name=str(at[-1]), kind=kind, whole=whole, named=key, parts=parts)
