"""Documents as YAML that every reader, of 1.1 or 1.2, reads alike: the same values, the same bytes.

Strings stand in quotes unless nobody can take them for anything else, keys are sorted, no line is folded and no value
is an alias of another. PyYAML took most of a compile's time for this, with libyaml too.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HEADER = "# Written by `clspec compile --target kfp`. Change the spec, not this file.\n"

_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9_]*([./][-A-Za-z0-9_]+)*")
_PRINTABLE = re.compile(r"[ -~]*")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
_LONG = 100
"""Longer strings are configurations, of which hardly two are the same."""
_LONGEST_KEY = 1000
"""A longer key must say that it is one."""


def dump(documents: Sequence[Mapping[str, Any]]) -> str:
    """The documents as one ASCII text of YAML.

    Raises:
        TypeError: there is a value that is no text, number, truth, mapping or list.
    """
    parts: list[str] = [HEADER]
    _text.cache_clear()
    for number, document in enumerate(documents):
        if number:
            parts.append("---\n")
        if document:
            _mapping(parts.append, document, "", "")
        else:
            parts.append("{}\n")
    _text.cache_clear()
    return "".join(parts)


def _mapping(write: Callable[[str], None], value: Mapping[str, Any], indent: str, head: str) -> None:
    """The entries, the first after `head`, the others after `indent`."""
    for key in sorted(value):
        text = _text(key)
        write(f"{head}{text}:" if len(text) <= _LONGEST_KEY else f"{head}? {text}\n{indent}:")
        _entry(write, value[key], indent, indent + "  ")
        head = indent


def _entry(write: Callable[[str], None], value: Any, indent: str, deeper: str) -> None:
    """What stands after a key: a list under the key itself, a mapping one step further in."""
    if isinstance(value, dict) and value:
        write("\n")
        _mapping(write, value, deeper, deeper)
    elif isinstance(value, list) and value:
        write("\n")
        _list(write, value, indent, indent)
    else:
        write(f" {_scalar(value)}\n")


def _list(write: Callable[[str], None], value: Sequence[Any], indent: str, head: str) -> None:
    for item in value:
        if isinstance(item, dict) and item:
            _mapping(write, item, indent + "  ", f"{head}- ")
        elif isinstance(item, list) and item:
            _list(write, item, indent + "  ", f"{head}- ")
        else:
            write(f"{head}- {_scalar(item)}\n")
        head = indent


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value) if len(value) <= _LONG else _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if value in ({}, []):
        return "{}" if isinstance(value, dict) else "[]"
    message = f"{value!r} has no place in a document"
    raise TypeError(message)


def _number(value: float) -> str:
    """A float that YAML 1.1 reads as one: it wants a point before an exponent."""
    found = repr(value)
    return found if "." in found or "e" not in found else found.replace("e", ".0e")


@cache
def _text(value: str) -> str:
    """A name or a word, which a document says in many places: kept while it is written, however long it is."""
    return _quoted(value)


def _quoted(value: str) -> str:
    """A string as it must stand: bare, in single quotes, or with escapes."""
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if _PRINTABLE.fullmatch(value):
        return "'" + value.replace("'", "''") + "'"
    # JSON's escapes are YAML's, but for characters beyond 16 bits and for DEL
    return _PAIR.sub(_beyond, json.dumps(value)).replace("\x7f", "\\x7f")


def _beyond(found: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in found.groups())
    return f"\\U{0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00):08x}"
