"""The types of the language's columns, and which of them go together."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ColumnType(Enum):
    """What a column holds; any of them may be NULL."""

    STRING = "string"
    INTEGER = "integer"
    """64 bits with a sign."""
    DOUBLE = "double"
    """IEEE 754, 64 bits; in a predicate NaN is NULL."""
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    """An instant, to the microsecond; without a zone it is UTC."""
    DATE = "date"
    BINARY = "binary"

    __hash__ = object.__hash__  # each is there once; Python's own hashes their names anew each time


NUMERIC = frozenset({ColumnType.INTEGER, ColumnType.DOUBLE})
ORDERED = NUMERIC | {ColumnType.STRING, ColumnType.TIMESTAMP, ColumnType.DATE}
TEXT = frozenset({ColumnType.STRING})
COMPARABLE = ORDERED | {ColumnType.BOOLEAN}
"""Binary columns are compared with nothing: a predicate can only ask whether they are NULL."""

SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**63 - 1


def common(types: Iterable[ColumnType]) -> ColumnType | None:
    """The one type that values of these types are compared as: integers become doubles beside a double.

    That is the only conversion there is; for anything else that differs, there is none.
    """
    distinct = set(types)
    if len(distinct) == 1:
        return distinct.pop()
    return ColumnType.DOUBLE if distinct == NUMERIC else None


def in_words(column_type: ColumnType) -> str:
    """The type as part of a sentence: `a string`, `an integer`."""
    if column_type is ColumnType.BINARY:
        return "binary"
    article = "an" if column_type is ColumnType.INTEGER else "a"
    return f"{article} {column_type.value}"
