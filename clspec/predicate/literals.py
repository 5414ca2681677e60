"""Numbers and points in time as they are written out: what they stand for, and which of them are none."""

from __future__ import annotations

import datetime as dt
import math
import re

from clspec.predicate.tokens import Token, wrong
from clspec.predicate.tree import Literal
from clspec.predicate.types import LARGEST_INTEGER, SMALLEST_INTEGER, ColumnType

TEMPORAL = ("timestamp", "date")
"""Words that turn the string after them into a point in time. Alone they can be columns."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?", re.ASCII)


def number(token: Token, start: int, *, negative: bool) -> Literal:
    """The number that a token stands for, with the sign before it. Digits alone are an integer.

    Raises:
        PredicateError: no 64 bits can hold it.
    """
    sign = "-" if negative else ""
    if token.text.isdigit():
        value = int(sign + token.text)
        if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            raise wrong(start, token.end, "the integer does not fit into 64 bits", "an id is a string: quote it")
        return Literal(value, ColumnType.INTEGER, start=start, end=token.end)
    double = float(sign + token.text)
    digits = token.text.lower().partition("e")[0]
    if math.isinf(double) or (double == 0 and digits.strip("0.")):
        raise wrong(start, token.end, "the number is too large or too small for a double")
    return Literal(double, ColumnType.DOUBLE, start=start, end=token.end)


def temporal(word: Token, string: Token) -> Literal:
    """The instant or day that the string names, by the word before it.

    Raises:
        PredicateError: it names none, or an instant without its offset from UTC.
    """
    read = _timestamp if word.text.lower() == "timestamp" else _date
    return read(string, word.start)


def _timestamp(string: Token, start: int) -> Literal:
    if not _TIMESTAMP.fullmatch(string.value):
        raise wrong(string.start, string.end, "not a timestamp", _timestamp_hint(string.value))
    try:
        value = dt.datetime.fromisoformat(string.value).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise wrong(string.start, string.end, "there is no such time") from None
    return Literal(value, ColumnType.TIMESTAMP, start=start, end=string.end)


def _timestamp_hint(text: str) -> str:
    if _ZONELESS.fullmatch(text):
        return "say the whole, and which offset from UTC: `timestamp '2026-01-31T00:00:00Z'`"
    return "write `timestamp '2026-01-31T00:00:00Z'`, with at most six digits after the second"


def _date(string: Token, start: int) -> Literal:
    if not _DATE.fullmatch(string.value):
        raise wrong(string.start, string.end, "not a date", "write `date '2026-01-31'`")
    try:
        value = dt.date.fromisoformat(string.value)
    except ValueError:
        raise wrong(string.start, string.end, "there is no such day") from None
    return Literal(value, ColumnType.DATE, start=start, end=string.end)
