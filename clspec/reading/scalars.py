"""What an unquoted scalar means: YAML 1.2, core schema."""

from __future__ import annotations

import math
import re
import sys

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

NOT_FINITE = "CLS108"
TOO_WIDE = "CLS116"


class OddNumber(Exception):  # a value that has to be told of, not a failure
    """A number that no spec may hold; the rest of the document is judged with `stand_in` in its place."""

    def __init__(self, code: str, stand_in: float) -> None:
        super().__init__(code)
        self.code = code
        self.stand_in = stand_in


class ReadOtherwise(Exception):  # a value that has to be told of, not a failure
    """A text that tools which follow YAML 1.1 take for something else than this `value`: for `other`."""

    def __init__(self, value: Scalar, other: str) -> None:
        super().__init__(other)
        self.value = value
        self.other = other


_OLD_FIRST = frozenset("yYnNoO0123456789+-.")
_OLD_WORDS = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), "true"),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), "false"),
}
_SIXTY = r"(?::[0-5]?[0-9])+"
_OLD_NUMBER = re.compile(
    r"[-+]?(?:(?P<octal>0[0-7_]+)|(?P<text>0[0-9]*[89][0-9]*)|(?P<binary>0b[01_]+)"
    rf"|(?P<sixty>[1-9][0-9_]*{_SIXTY}|[0-9][0-9_]*{_SIXTY}\.[0-9_]*)"
    r"|(?<=[-+])(?P<hex>0x[0-9a-fA-F_]+)"
    r"|(?=[^_]*_)(?P<grouped>[1-9][0-9_]*|0x[0-9a-fA-F_]+|(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?))"
)
_OLD_NAMES = {
    "octal": "an octal number",
    "text": "a text",
    "binary": "a binary number",
    "sixty": "a number in base sixty",
    "hex": "a number",
    "grouped": "a number",
}


def elsewhere(text: str) -> str | None:
    """What an unquoted scalar is to tools that follow YAML 1.1, where they differ: https://yaml.org/type/.

    Dates are left out: to everybody they say the same.
    """
    if text[:1] not in _OLD_FIRST or text == "0":
        return None
    if text in _OLD_WORDS:
        return _OLD_WORDS[text]
    found = _OLD_NUMBER.fullmatch(text)
    if found is None:
        return None
    if found["octal"] and len(found["octal"].lstrip("0")) <= 1 and "_" not in found["octal"]:
        return None  # one digit is the same number
    return _OLD_NAMES[str(found.lastgroup)]


class Plain(dict[str, Scalar]):
    """What unquoted texts mean, the short ones remembered: specs say the same words over and over.

    Raises:
        OddNumber: on a look-up of a number that is not finite or not in 64 bits.
        ReadOtherwise: on a look-up of a text that YAML 1.1 reads otherwise.
    """

    def __missing__(self, text: str) -> Scalar:
        value = meaning(text)
        other = elsewhere(text)
        if other is not None:
            raise ReadOtherwise(value, other)
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
    raise OddNumber(NOT_FINITE, 0.0 if kind == "nan" else -largest if text.startswith("-") else largest)


def _integer(text: str, base: int) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    # Python refuses, and would be slow at, thousands of decimal digits.
    number = sign * int(digits, base) if len(digits) <= _INT_DIGITS else sign * (_INT_MAX + 2)
    if _INT_MIN <= number <= _INT_MAX:
        return number
    raise OddNumber(TOO_WIDE, _INT_MIN if sign < 0 else _INT_MAX)
