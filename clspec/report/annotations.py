"""How places and messages are written for tools: SARIF's locations, and the workflow commands that GitHub takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from clspec.diagnostic import Span

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLAIN = frozenset("-._~/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def location(path: str, span: Span | None) -> dict[str, Any]:
    """A place as SARIF has it."""
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(path)}}
    if span:
        physical["region"] = region(span)
    return {"physicalLocation": physical}


def region(span: Span) -> dict[str, int]:
    """A stretch of text as SARIF has it."""
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def uri(path: str) -> str:
    """A path as a relative reference."""
    return "".join(c if c in _PLAIN else "".join(f"%{byte:02X}" for byte in _bytes(c)) for c in path)


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def command(kind: str, path: str, span: Span | None, title: str, message: str) -> str:
    """A workflow command; whatever a spec says, it starts no command of its own."""
    properties = {"file": path, **_lines(span), "title": title}
    told = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{kind} {told}::{_data(message)}"


def _lines(span: Span | None) -> dict[str, int]:
    if span is None:
        return {}
    lines = {"line": span.line, "endLine": span.end_line}
    return {**lines, "col": span.column, "endColumn": span.end_column} if span.line == span.end_line else lines


def _data(text: str) -> str:
    """As the runner decodes it: a percent sign and line breaks by their codes; nothing hidden is left."""
    return "%0A".join(visible(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
