"""Predicates: the small closed language of `select`, `when`, `event`, `accept_if` and slices.

A predicate is read by `parse`, judged by `check` (or both by `understand`), printed as SQL by `to_sql` and as text by
`to_text`. It sees one row and nothing else, and it always says the same about the same row. What it means:

- **Logic** has three values. A comparison with NULL is NULL; `and`, `or`, `not`, `in`, `between` follow SQL.
- **Types** are never converted, but for an integer beside a double, which is compared and computed as a double.
- **A double** that is NaN is NULL. Infinities are numbers; the two zeros are equal.
- **Arithmetic** without a result is NULL: a division by zero, an integer beyond 64 bits, what would be NaN. `/` always
  divides doubles; `%` cuts towards zero and has the sign of its left side. Otherwise doubles follow IEEE 754.
- **Functions** of a NULL are NULL, `greatest` and `least` included; only `coalesce` passes over it. `round` takes a
  half away from zero; `round`, `floor`, `ceil` and `abs` keep the type.
- **Strings** are sequences of code points: compared by them, counted by `length`, fitted by `_` in `like` (which minds
  case and has no escape character). `lower` and `upper` turn each into one other, as Unicode's simple mappings do (and
  the sharp s into its capital form). Nothing is normalised.
- **Timestamps** are instants, to the microsecond; a column without a zone is in UTC, a literal states its offset.
- **Columns** keep their spelling, case included.
"""

from clspec.predicate.allowed import allowed_values
from clspec.predicate.check import check, understand, values_left
from clspec.predicate.cursor import MAX_DEPTH
from clspec.predicate.evaluate import evaluate
from clspec.predicate.functions import FUNCTIONS
from clspec.predicate.grammar import MAX_LENGTH, parse
from clspec.predicate.problem import PredicateError, Problem
from clspec.predicate.sql import to_sql
from clspec.predicate.text import to_text
from clspec.predicate.tree import Expression, columns_of
from clspec.predicate.types import ColumnType

__all__ = [
    "FUNCTIONS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "ColumnType",
    "Expression",
    "PredicateError",
    "Problem",
    "allowed_values",
    "check",
    "columns_of",
    "evaluate",
    "parse",
    "to_sql",
    "to_text",
    "understand",
    "values_left",
]
