"""Plain values as YAML that every reader reads alike: block style, and every text that is not a plain word in quotes.

A writer of our own, since it is most of a compile: PyYAML's took ten times as long for the same bytes.
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that some reader takes for another type."""
_HARMLESS = re.compile(r"[ !#-\[\]-~]*")
_SPECIAL = re.compile(r"[^ !#-\[\]-~]")
_SHORT = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
}
_LONG = 80
_LONGEST_KEY = 1000
_BYTE, _PLANE = 0xFF, 0xFFFF


def dump(value: Any) -> str:
    """The value as a YAML document, in the order of its keys.

    Raises:
        TypeError: it holds something else than mappings, lists, texts, integers, booleans and nothing.
    """
    if not value or not isinstance(value, (dict, list)):
        return f"{_scalar(value)}\n"
    lines: list[str] = []
    _block(value, "", "", lines, {})
    return "".join(lines)


def _block(value: Any, first: str, rest: str, lines: list[str], words: dict[str, str]) -> None:
    """Add the lines of a mapping or list that is not empty; `first` stands before the first, `rest` before the others.

    A list below a key begins at the key's own column. `words` holds the texts that were written before: most stand in a
    manifest many times over.
    """
    lead = first
    if isinstance(value, dict):
        for key, item in value.items():
            name = words.get(key) or _learnt(key, words)
            if len(name) > _LONGEST_KEY:  # YAML has another way to write these
                lines.append(f"{lead}? {name}\n")
                lead, name = rest, ""
            if type(item) is str:
                lines.append(f"{lead}{name}: {words.get(item) or _learnt(item, words)}\n")
            elif item and isinstance(item, (dict, list)):
                lines.append(f"{lead}{name}:\n")
                below = rest if name and isinstance(item, list) else f"{rest}  "
                _block(item, below, below, lines, words)
            else:
                lines.append(f"{lead}{name}: {_scalar(item)}\n")
            lead = rest
        return
    for item in value:
        if type(item) is str:
            lines.append(f"{lead}- {words.get(item) or _learnt(item, words)}\n")
        elif item and isinstance(item, (dict, list)):
            _block(item, f"{lead}- ", f"{rest}  ", lines, words)
        else:
            lines.append(f"{lead}- {_scalar(item)}\n")
        lead = rest


def _learnt(text: str, words: dict[str, str]) -> str:
    found = _scalar(text)
    if isinstance(text, str) and len(text) < _LONG:
        words[text] = found
    return found


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    message = f"a manifest holds no {type(value).__name__}"
    raise TypeError(message)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    if _HARMLESS.fullmatch(text):
        return f'"{text}"'
    if text.isascii() and text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    sign = match[0]
    if sign in _SHORT:
        return _SHORT[sign]
    code = ord(sign)
    if code <= _BYTE:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= _PLANE else f"\\U{code:08X}"
