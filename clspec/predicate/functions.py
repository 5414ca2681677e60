"""The functions a predicate may call: pure, the same on every machine, and few."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clspec.predicate.types import COMPARABLE, NUMERIC, ORDERED, TEXT, ColumnType


@dataclass(frozen=True, slots=True)
class Function:
    """How a function may be called. `most` is None where more arguments are always welcome."""

    name: str
    fewest: int
    most: int | None
    takes: frozenset[ColumnType]
    gives: ColumnType | None = None
    """None: the type its arguments have in common."""

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        if self.most is None:
            return f"{self.fewest} or more arguments"
        return f"{self.fewest} argument" + ("s" if self.fewest > 1 else "")


FUNCTIONS = {
    function.name: function
    for function in (
        Function("abs", 1, 1, NUMERIC),
        Function("ceil", 1, 1, NUMERIC),
        Function("coalesce", 2, None, COMPARABLE),
        Function("floor", 1, 1, NUMERIC),
        Function("greatest", 2, None, ORDERED),
        Function("least", 2, None, ORDERED),
        Function("length", 1, 1, TEXT, ColumnType.INTEGER),
        Function("lower", 1, 1, TEXT, ColumnType.STRING),
        Function("round", 1, 1, NUMERIC),
        Function("starts_with", 2, 2, TEXT, ColumnType.BOOLEAN),
        Function("upper", 1, 1, TEXT, ColumnType.STRING),
    )
}

_IMPURE = re.compile(
    r"age|now|today|sysdate|rand|random|setseed|nextval|currval|(gen_random_)?uuid(v\d)?|txid_current"
    r"|(get_?)?(current|clock|local|statement|transaction)?_?(date|time|timestamp)|current_local\w+"
)
_OUTSIDE = re.compile(
    r"(read|duckdb|pg|sqlite|pragma|http|current|parquet)_\w+|getenv|getvariable|glob|query(_table)?|sniff_csv|user|version"
)
_KINDS = (
    (_IMPURE, "a predicate has no clock and no chance: the same row always gets the same answer"),
    (_OUTSIDE, "a predicate sees one row and nothing else"),
    (re.compile(r"regexp\w*|rlike|similar"), "there are no regular expressions; `like` knows `%` and `_`"),
)
_INSTEAD = {
    "any": "`in (...)` lists the values",
    "case": "say it with `and` and `or`",
    "cast": "nothing is converted; give the source the type you need",
    "ceiling": "write `ceil(...)`",
    "char_length": "write `length(...)`",
    "contains": "write `like '%...%'`",
    "date": "write `date '2026-01-31'`",
    "datetime": "write `timestamp '2026-01-31T00:00:00Z'`",
    "escape": "`like` has no escape character",
    "exists": "a predicate sees one row; there are no subqueries",
    "glob": "write `like`, with `%` for any text and `_` for one character",
    "if": "say it with `and` and `or`",
    "ifnull": "write `coalesce(...)`",
    "ilike": "write `lower(...) like '...'`",
    "interval": "there is no arithmetic with times; compare with `timestamp '2026-01-31T00:00:00Z'`",
    "isnull": "write `is null`",
    "lcase": "write `lower(...)`",
    "len": "write `length(...)`",
    "max": "write `greatest(...)` for the largest of several values of one row",
    "min": "write `least(...)` for the smallest of several values of one row",
    "mod": "write `a % b`",
    "none": "write `is null`",
    "notnull": "write `is not null`",
    "nvl": "write `coalesce(...)`",
    "pow": "write the product out",
    "power": "write the product out",
    "prefix": "write `starts_with(...)`",
    "round": "it rounds to whole numbers; `between` asks for the rest",
    "select": "a predicate sees one row; there are no subqueries",
    "startswith": "write `starts_with(...)`",
    "substr": "write `like` or `starts_with(...)`",
    "substring": "write `like` or `starts_with(...)`",
    "strptime": "write `timestamp '2026-01-31T00:00:00Z'`",
    "timestamp": "write `timestamp '2026-01-31T00:00:00Z'`",
    "to_timestamp": "write `timestamp '2026-01-31T00:00:00Z'`",
    "try_cast": "nothing is converted; give the source the type you need",
    "ucase": "write `upper(...)`",
    "undefined": "write `is null`",
    "xor": "write `(...) != (...)`",
}


def instead_of(word: str) -> str:
    """What to write instead of a word that other languages have and this one has not, or nothing."""
    low = word.lower()
    if low in _INSTEAD:
        return _INSTEAD[low]
    return next((hint for pattern, hint in _KINDS if pattern.fullmatch(low)), "")
