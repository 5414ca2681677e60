"""What the text of a scalar means (YAML 1.2, core schema), and where each of its characters stands in the source."""

from __future__ import annotations

import math
import re
import sys
from itertools import accumulate

Scalar = str | int | float | bool | None

_FIRST = frozenset("0123456789+-.~nNtTfF")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(
    r"(?P<decimal>[-+]?[0-9]+)|0o(?P<octal>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<infinity>[-+]?\.(?:inf|Inf|INF))|(?P<nan>\.(?:nan|NaN|NAN))"
)
_BASES = {"decimal": 10, "octal": 8, "hex": 16}
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_INT_DIGITS = 22  # of 2**63 in base 8, the longest


class OddNumber(Exception):
    """A number that no spec may hold; the rest of the document is judged with `stand_in` in its place."""

    def __init__(self, code: str, stand_in: float) -> None:
        super().__init__(code)
        self.code = code
        self.stand_in = stand_in


class Plain(dict[str, Scalar]):
    """What unquoted texts mean, the short ones remembered: specs say the same words over and over.

    Raises:
        OddNumber: on a look-up of a number that is not finite or not in 64 bits.
    """

    def __missing__(self, text: str) -> Scalar:
        value = meaning(text)
        if len(text) <= 40 and len(self) < 20_000:  # noqa: PLR2004  # bounds the memory, nothing else
            self[text] = value
        return value


def meaning(text: str) -> Scalar:
    """What an unquoted scalar means, https://yaml.org/spec/1.2.2/#103-core-schema.

    Raises:
        OddNumber: the text is a number that is not finite or not in 64 bits.
    """
    if text[:1] not in _FIRST and text:
        return text
    if text in _WORDS:
        return _WORDS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    kind = str(found.lastgroup)
    if kind in _BASES:
        return _integer(found[kind], _BASES[kind])
    if kind == "float":
        number = float(text)
        if math.isfinite(number):
            return number
    largest = sys.float_info.max
    raise OddNumber("CLS108", 0.0 if kind == "nan" else -largest if text.startswith("-") else largest)


def _integer(text: str, base: int) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    # Python refuses, and would be slow at, thousands of decimal digits.
    number = sign * int(digits, base) if len(digits) <= _INT_DIGITS else sign * (_INT_MAX + 2)
    if _INT_MIN <= number <= _INT_MAX:
        return number
    raise OddNumber("CLS116", _INT_MIN if sign < 0 else _INT_MAX)


# -- where characters stand ------------------------------------------------------------------------------------------

_LONGEST = 65_536  # characters of a scalar whose places are worked out; a predicate has at most 4,096
_FOLD = r"(?P<fold>[ \t]*(?:\r?\n[ \t]*)+)"
_PIECES = {
    "": re.compile(rf"{_FOLD}|.", re.DOTALL),
    "'": re.compile(rf"{_FOLD}|(?P<quote>'')|.", re.DOTALL),
    '"': re.compile(
        rf"{_FOLD}|\\(?P<joined>\r?\n[ \t]*)|\\x(?P<x>..)|\\u(?P<u>....)|\\U(?P<U>.{{8}})|\\(?P<one>.)|.",
        re.DOTALL,
    ),
}
_ESCAPES = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))


def places(raw: str, value: str) -> list[int] | None:
    """For each character of a string, and for its end, the offset in the source `raw` of the scalar that says it.

    None where that cannot be told; it never guesses: the text rebuilt from `raw` has to equal `value`.
    """
    if len(raw) > _LONGEST or not raw:
        return None
    if raw[0] in "|>":
        pieces = _block_pieces(raw)
    else:
        quote = raw[0] if raw[0] in "'\"" else ""
        inner = raw[1:-1] if quote else raw
        pieces = [(_said(piece), piece.start() + len(quote)) for piece in _PIECES[quote].finditer(inner)]
        pieces.append(("", len(quote) + len(inner)))
    text = "".join(said for said, _ in pieces)
    if text.rstrip("\n") != value.rstrip("\n"):
        return None
    starts = [start for said, start in pieces for _ in said][: len(value)]
    return starts + [pieces[-1][1]] * (len(value) + 1 - len(starts))


def _said(piece: re.Match[str]) -> str:
    """What one piece of a flow scalar stands for: a character, an escape, or lines folded together."""
    match piece.lastgroup:
        case None:
            return piece[0]
        case "fold":
            return "\n" * (piece[0].count("\n") - 1) or " "
        case "quote":
            return "'"
        case "joined":
            return ""
        case "one":
            return _ESCAPES.get(piece["one"], "")
    try:
        return chr(int(piece[piece.lastgroup], 16))
    except ValueError:
        return ""


def _block_pieces(raw: str) -> list[tuple[str, int]]:
    """The characters of a block scalar with their offsets: lines without their indentation, `>` joins them."""
    header, *lines = raw.splitlines(keepends=True)
    offsets = list(accumulate((len(line) for line in (header, *lines)), initial=0))
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    pieces: list[tuple[str, int]] = []
    for number, line in enumerate(lines):
        content = line.rstrip("\r\n")
        start = offsets[number + 1]
        pieces += [(letter, start + at) for at, letter in enumerate(content) if at >= indent]
        pieces.append(("\n", start + len(content)))
    pieces.append(("", len(raw)))
    return pieces if raw[0] == "|" else _folded(pieces)


def _folded(pieces: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The same characters as `>` says them: one line break is a space, of several the first is dropped."""
    folded: list[tuple[str, int]] = []
    for number, (letter, start) in enumerate(pieces):
        if letter != "\n":
            folded.append((letter, start))
        elif number == 0 or pieces[number - 1][0] == "\n":
            folded.append(("\n", start))
        else:
            folded.append((" " if pieces[number + 1][0] not in ("\n", "") else "", start))
    return folded
