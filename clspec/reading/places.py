"""Where each character of a string stands in the source of the scalar that says it."""

from __future__ import annotations

import re
from itertools import accumulate

_LONGEST = 65_536  # characters of a scalar whose places are worked out; a predicate has at most 4,096
_FOLD = r"(?P<fold>(?<![ \t])[ \t]*+(?:\r?\n[ \t]*+)++)"  # tried once for a run of blanks, so that it stays linear
_PIECES = {
    "": re.compile(rf"{_FOLD}|.", re.DOTALL),
    "'": re.compile(rf"{_FOLD}|(?P<quote>'')|.", re.DOTALL),
    '"': re.compile(
        rf"{_FOLD}|\\(?P<joined>\r?\n[ \t]*)|\\x(?P<x>..)|\\u(?P<u>....)|\\U(?P<U>.{{8}})|\\(?P<one>.)|.",
        re.DOTALL,
    ),
}
_CODES = ("x", "u", "U")
_ESCAPES = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))

_Piece = tuple[str, int, int]
"""What is said, and the offsets in the source between which it is."""


def places(raw: str, value: str) -> list[tuple[int, int]] | None:
    """For each character of a string, and for its end, the offsets in the source `raw` of the scalar that says it.

    None where that cannot be told; it never guesses: the text rebuilt from `raw` has to equal `value`.
    """
    if len(raw) > _LONGEST or not raw:
        return None
    pieces, end = _block(raw, value) if raw[0] in "|>" else _flow(raw)
    text = "".join(said for said, _, _ in pieces)
    if text.rstrip("\n") != value.rstrip("\n"):
        return None
    found = [(start, stop) for said, start, stop in pieces for _ in said][: len(value)]
    return found + [(end, end)] * (len(value) + 1 - len(found))


def _flow(raw: str) -> tuple[list[_Piece], int]:
    """The characters of a quoted or unquoted scalar, and where it ends."""
    quote = raw[0] if raw[0] in "'\"" else ""
    first, last = len(quote), len(raw) - len(quote)
    return [(_said(piece), piece.start(), piece.end()) for piece in _PIECES[quote].finditer(raw, first, last)], last


def _said(piece: re.Match[str]) -> str:
    """What one piece of a flow scalar stands for: a character, an escape, or lines folded together."""
    kind = piece.lastgroup
    if kind is None:
        return piece[0]
    if kind == "fold":
        return "\n" * (piece[0].count("\n") - 1) or " "
    if kind in _CODES:
        try:
            return chr(int(piece[kind], 16))
        except (ValueError, OverflowError):
            return ""
    return {"quote": "'", "joined": ""}.get(kind, _ESCAPES.get(piece[kind], ""))


def _block(raw: str, value: str) -> tuple[list[_Piece], int]:
    """The characters of a block scalar, and where it ends: lines without their indentation, `>` joins them."""
    header, *lines = raw.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    indent = _leading(first) - _leading(value.lstrip("\n"))
    offsets = accumulate((len(line) for line in lines), initial=len(header))
    pieces: list[_Piece] = []
    for offset, line in zip(offsets, lines, strict=False):
        content = line.rstrip("\r\n")
        pieces += [(letter, offset + at, offset + at + 1) for at, letter in enumerate(content) if at >= indent]
        pieces.append(("\n", offset + len(content), offset + len(line)))
    return pieces if raw[0] == "|" else _folded(pieces), len(raw)


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _folded(pieces: list[_Piece]) -> list[_Piece]:
    """The same as `>` says it: one line break between lines is a space, of several the first says nothing."""
    said = [""] + [letter for letter, _, _ in pieces] + ["", ""]
    folded = []
    for (letter, start, end), before, after in zip(pieces, said, said[2:], strict=False):
        if letter == "\n" and before not in ("", "\n"):
            letter = "" if after in ("", "\n") else " "  # noqa: PLW2901  # the break, as it is said
        folded.append((letter, start, end))
    return folded
