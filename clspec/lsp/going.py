"""From a name to what it names, and back: within a spec, and between a spec and the user's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import Span
from clspec.lsp import functions, naming
from clspec.lsp.cursor import here, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clspec.lsp.spec import OpenSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place in a file."""

    path: str
    span: Span


def definition(spec: OpenSpec, line: int, column: int) -> Spot | None:
    """Where what the word at a position (1-based, in code points) names is defined."""
    document = spec.own
    found = here(document, line, column) if document is not None else None
    if document is None or found is None:
        return None
    value = found.pointer[-1] if found.is_key else value_at(document, found.pointer)
    if not isinstance(value, str):
        return None
    if not found.is_key and naming.is_entrypoint(found.pointer) and spec.root is not None and ":" in value:
        function = functions.located(spec.root, value.removeprefix("python:"))
        return _at(function) if function else None
    names = naming.keys_at(found.pointer[:-1], document.value) if found.is_key else ()
    names = names or naming.names_at(found.pointer, document.value)
    defined = next((name.defined for name in names if name.text == value and name.defined is not None), None)
    return None if defined is None else Spot(path=spec.path, span=document.key_span(defined))


def references(spec: OpenSpec, line: int, column: int) -> Iterator[Spot]:
    """Every place that names what the word at a position names or defines."""
    document = spec.own
    found = here(document, line, column) if document is not None else None
    if document is None or found is None:
        return
    name = found.pointer[-1] if found.is_key else value_at(document, found.pointer)
    if not isinstance(name, str):
        return
    names = [*naming.names_at(found.pointer, document.value), *naming.keys_at(found.pointer[:-1], document.value)]
    defined = next((one.defined for one in names if one.text == name and one.defined is not None), found.pointer)
    for pointer in naming.references(name, defined, document.value):
        is_key = pointer[-1] == name and value_at(document, pointer) != name
        yield Spot(path=spec.path, span=document.key_span(pointer) if is_key else document.span(pointer))


def named_by(path: Path, line: int, specs: Iterable[OpenSpec]) -> Iterator[Spot]:
    """Every place in these specs that names the function whose `def` stands in a line (1-based) of a Python file."""
    for spec in specs:
        document = spec.own
        if document is None or spec.root is None:
            continue
        for pointer, entrypoint in naming.entrypoints(document.value):
            function = functions.located(spec.root, entrypoint) if ":" in entrypoint else None
            if function is not None and function.line == line and function.path.resolve() == path.resolve():
                yield Spot(path=spec.path, span=document.span(pointer))


def _at(function: functions.Located) -> Spot:
    name = function.entrypoint.partition(":")[2]
    span = Span(function.line, function.column, function.line, function.column + len(name))
    return Spot(path=str(function.path), span=span)
