"""A spec as it is meant, as YAML with the origin of each value beside it, and as JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Pointer
    from clspec.origins import Origin, Resolved

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""What some reader of YAML takes for something else than a text."""


def as_yaml(found: Resolved) -> str:
    """A spec that says the same without an environment and without defaults; comments say where each value is from."""
    where = f" in environment `{visible(found.environment)}`" if found.environment else ""
    head = f"# {visible(found.path)} as it is meant{where}; `default` is the language's own.\n"
    lines = [line for key, value in found.value.items() for line in _entry(found, (key,), value, "")]
    return head + "".join(f"{line}\n" for line in lines)


def _entry(found: Resolved, at: Pointer, value: Any, indent: str) -> Iterator[str]:
    """The lines of a key with its value."""
    key = _scalar(at[-1])
    if at in found.origins:
        yield f"{indent}{key}: {_flow(value)}  # {_told(found.origins[at], found.path)}"
    else:
        yield f"{indent}{key}:"
        yield from _below(found, at, value, f"{indent}  ")


def _below(found: Resolved, at: Pointer, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(found, (*at, key), item, indent)
        return
    for number, item in enumerate(value):
        place = (*at, number)
        if place in found.origins:
            yield f"{indent}- {_flow(item)}  # {_told(found.origins[place], found.path)}"
            continue
        first, *rest = _below(found, place, item, f"{indent}  ")
        yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
        yield from rest


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return "{}" if isinstance(value, dict) else _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar that every reader of YAML takes for the same, with nothing hidden in it."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isascii() or _seen(c) else _escape(c) for c in text).replace("\x7f", "\\x7F")


_FOUR_DIGITS = 0xFFFF
_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters by their kind that nobody sees."""


def _seen(character: str) -> bool:
    return character.isprintable() and unicodedata.category(character)[0] != "M" and character not in _FILLERS


def _escape(character: str) -> str:
    """As YAML has it, which knows no pairs of surrogates."""
    number = ord(character)
    return f"\\u{number:04X}" if number <= _FOUR_DIGITS else f"\\U{number:08X}"


def _told(origin: Origin, path: str) -> str:
    """Where a value is from, in words."""
    over = f"{origin.over}, " if origin.over else ""
    if origin.span is None:
        return f"{visible(over)}default"
    environment = f"environment {origin.environment}, " if origin.environment else ""
    return visible(f"{over}{environment}{path}:{origin.span.line}:{origin.span.column}")


def as_json(found: Resolved) -> str:
    """The spec, and by path the origin of each value: `spec`, `environment` or `default`, and where that is written."""
    told = {
        "path": found.path,
        "environment": found.environment or None,
        "spec": found.value,
        "origins": {_name(found.value, at): _plain(origin) for at, origin in found.origins.items()},
    }
    return json.dumps(told, indent=2) + "\n"


def _name(value: Any, at: Pointer) -> str:
    """A path with dots in it; an item of a list by its id or alias if it has one."""
    names = []
    for step in at:
        value = value[step]
        item = value if isinstance(step, int) and isinstance(value, dict) else {}
        names.append(str(item.get("id") or item.get("alias") or step))
    return ".".join(names)


def _plain(origin: Origin) -> dict[str, Any]:
    kind = "default" if origin.span is None else "environment" if origin.environment else "spec"
    told: dict[str, Any] = {"from": kind, "over": origin.over or None}
    if origin.span is not None:
        told |= {"line": origin.span.line, "column": origin.span.column}
    return told
