"""The language reference, made from the published schema: `python tools/reference.py` writes docs/language.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clspec_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
_HEAD = """# The language

One file says how a model keeps learning. This page is made from the published JSON Schema; what a schema cannot say
(what a name must refer to, what a threshold can prove) is said by the checks: `clspec explain` lists them.

Keys in **bold** are needed. Unknown keys are errors everywhere but in `meta`.
"""
_SCHEMA: Any = clspec_schema.schema()


def reference() -> str:
    """The page."""
    lines = [_HEAD]
    for section, part in _SCHEMA["properties"].items():
        lines += _section(section, part, needed=section in _SCHEMA["required"])
    lines.append("## Shared parts\n")
    for name, part in _SCHEMA["$defs"].items():
        lines += _part(name, part)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(name: str, part: Any, *, needed: bool) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield ("Needed. " if needed else "") + _described(part) + "\n"
    yield from _keys(name, part)


def _part(name: str, part: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield _described(part) + "\n"
    yield from _keys(name, part)


def _keys(path: str, part: Any) -> Iterator[str]:
    """A table of a mapping's keys, and then those of the mappings in it that have no part of their own."""
    part = _items(part)
    inner = [(key, below) for key, below in part.get("properties", {}).items() if "$ref" not in below]
    if part.get("properties"):
        yield "| key | what stands there | what it means |\n| --- | --- | --- |"
        for key, below in part["properties"].items():
            word = f"**`{key}`**" if key in part.get("required", ()) else f"`{key}`"
            yield f"| {word} | {_kind(below)} | {_described(below)} |"
        yield ""
    if kinds := [branch["then"]["$ref"] for branch in part.get("allOf", ())]:
        yield "One of: " + ", ".join(_linked(kind) for kind in kinds) + ".\n"
    if alternatives := [one["required"] for one in part.get("oneOf", ())]:
        words = " or ".join(", ".join(f"`{key}`" for key in keys) for keys in alternatives)
        yield f"Exactly one of {words} is given.\n"
    for key, below in inner:
        if _items(below).get("properties") and "$ref" not in _items(below, follow=False):
            yield f"**`{path}.{key}`**\n"
            yield from _keys(f"{path}.{key}", below)


def _items(part: Any, *, follow: bool = True) -> Any:
    """What the items of a list are, or the values under names that the user gives; else the part itself."""
    for word in ("items", "additionalProperties"):
        if isinstance(part.get(word), dict):
            return _resolved(part[word]) if follow else part[word]
    for below in part.get("patternProperties", {}).values():
        return _resolved(below) if follow else below
    return part


def _kind(part: Any) -> str:
    if "$ref" in part:
        return _linked(part["$ref"])
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in part["enum"])
    kind = part.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(part['items'])}" if "items" in part else "list"
    below = _items(part, follow=False)
    if kind == "object" and below is not part:
        return f"name: {_kind(below)}"
    return {"object": "mapping", "number": "number", "integer": "whole number", "boolean": "`true`, `false`"}.get(
        str(kind), "text" if kind == "string" else str(kind)
    )


def _linked(reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    part = _SCHEMA["$defs"][name]
    return f"[{part.get('title', name).lower()}](#{name})"


def _described(part: Any) -> str:
    part = _resolved(part)
    text = part.get("description", "").replace("|", "\\|")
    if "default" in part:
        text += f" Default: `{json.dumps(part['default']).strip(chr(34))}`."
    limits = [
        f"{word} {part[key]}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "over"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "under"),
        )
        if key in part
    ]
    if limits:
        text += f" ({', '.join(limits)})"
    if examples := part.get("examples"):
        shown = ", ".join(f"`{example if isinstance(example, str) else json.dumps(example)}`" for example in examples)
        text += f" Such as {shown}.".replace("|", "\\|")
    return text.strip()


def _resolved(part: Any) -> Any:
    while "$ref" in part:
        beside = {key: value for key, value in part.items() if key != "$ref"}
        part = {**_SCHEMA["$defs"][part["$ref"].rsplit("/", 1)[-1]], **beside}
    return part


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is written\n")
