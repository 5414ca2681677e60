"""What a predicate means, row by row, in plain Python.

This is the reference: the SQL printed for DuckDB must agree with it on every row, which a property test sees to.
NULL is None; logic is three-valued; what arithmetic cannot say is NULL.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from clspec.predicate.check import check
from clspec.predicate.functions import FUNCTIONS
from clspec.predicate.tree import (
    And,
    Arithmetic,
    Between,
    Call,
    Column,
    Comparison,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Negative,
    Not,
    Or,
)
from clspec.predicate.types import LARGEST_INTEGER, SMALLEST_INTEGER, ColumnType, common

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

_Typed = tuple[Any, ColumnType]
"""A value and its type. Timestamps are microseconds since 1970; a double is never NaN."""


def evaluate(expression: Expression, columns: Mapping[str, ColumnType], row: Mapping[str, object]) -> bool | None:
    """Whether the predicate holds for a row: true, false, or None where a NULL leaves it open.

    Raises:
        ValueError: the predicate does not make sense on these columns; `check` says why.
        KeyError: the row lacks a column.
    """
    problems = check(expression, columns)
    if problems:
        raise ValueError(problems)
    result: bool | None = _Row(columns, row).value(expression)[0]
    return result


class _Row:
    def __init__(self, columns: Mapping[str, ColumnType], row: Mapping[str, object]) -> None:
        self._columns = columns
        self._row = row

    @singledispatchmethod
    def value(self, expression: Expression) -> _Typed:
        raise TypeError(type(expression))

    def _values(self, expressions: Sequence[Expression]) -> tuple[list[Any], ColumnType]:
        """The values, each as the type they have in common."""
        typed = [self.value(expression) for expression in expressions]
        together = common(one for _, one in typed)
        assert together is not None, expressions
        return [_as_double(value) if together is ColumnType.DOUBLE else value for value, _ in typed], together

    @value.register(Literal)
    def _literal(self, expression: Literal) -> _Typed:
        return _plain(expression.value, expression.type), expression.type

    @value.register(Column)
    def _column(self, expression: Column) -> _Typed:
        column_type = self._columns[expression.name]
        return _plain(self._row[expression.name], column_type), column_type

    @value.register(And)
    def _and(self, expression: And) -> _Typed:
        return _all(self.value(operand)[0] for operand in expression.operands), ColumnType.BOOLEAN

    @value.register(Or)
    def _or(self, expression: Or) -> _Typed:
        return _negated(_all(_negated(self.value(operand)[0]) for operand in expression.operands)), ColumnType.BOOLEAN

    @value.register(Not)
    def _not(self, expression: Not) -> _Typed:
        return _negated(self.value(expression.operand)[0]), ColumnType.BOOLEAN

    @value.register(IsNull)
    def _null_test(self, expression: IsNull) -> _Typed:
        return self.value(expression.operand)[0] is None, ColumnType.BOOLEAN

    @value.register(Comparison)
    def _comparison(self, expression: Comparison) -> _Typed:
        (left, right), _ = self._values(expression.parts)
        return _compared(expression.operator, left, right), ColumnType.BOOLEAN

    @value.register(Between)
    def _between(self, expression: Between) -> _Typed:
        (operand, low, high), _ = self._values(expression.parts)
        return _all((_compared("<=", low, operand), _compared("<=", operand, high))), ColumnType.BOOLEAN

    @value.register(In)
    def _in(self, expression: In) -> _Typed:
        (operand, *values), _ = self._values(expression.parts)
        return (None if operand is None else operand in values), ColumnType.BOOLEAN

    @value.register(Like)
    def _like(self, expression: Like) -> _Typed:
        operand = self.value(expression.operand)[0]
        return (None if operand is None else _fits(operand, expression.pattern)), ColumnType.BOOLEAN

    @value.register(Arithmetic)
    def _arithmetic(self, expression: Arithmetic) -> _Typed:
        values, together = self._values(expression.parts)
        if expression.operator == "/":
            values, together = [_as_double(value) for value in values], ColumnType.DOUBLE
        divides = expression.operator in {"/", "%"}
        if None in values or (divides and values[1] == 0):
            return None, together
        compute = _remainder if expression.operator == "%" else _OPERATORS[expression.operator]
        return _plain(compute(*values), together), together

    @value.register(Negative)
    def _negative(self, expression: Negative) -> _Typed:
        operand, its_type = self.value(expression.operand)
        return (None if operand is None else _plain(-operand, its_type)), its_type

    @value.register(Call)
    def _call(self, expression: Call) -> _Typed:
        arguments, together = self._values(expression.arguments)
        gives = FUNCTIONS[expression.function].gives or together
        if expression.function == "coalesce":
            return next((value for value in arguments if value is not None), None), gives
        if None in arguments:
            return None, gives
        return _plain(_CALLS[expression.function](*arguments), gives), gives


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _plain(value: Any, its_type: ColumnType) -> Any:
    """The value as it is computed with; None if it is NaN or an integer that 64 bits cannot hold."""
    if value is None:
        return None
    if its_type is ColumnType.DOUBLE:
        return None if math.isnan(value) else float(value)
    if its_type is ColumnType.INTEGER:
        return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else None
    if isinstance(value, dt.datetime) and its_type is ColumnType.TIMESTAMP:
        instant = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return (instant - _EPOCH) // _MICROSECOND
    return value


def _as_double(value: Any) -> Any:
    return None if value is None else float(value)


def _all(values: Any) -> bool | None:
    found = set(values)
    if False in found:
        return False
    return None if None in found else True


def _negated(value: bool | None) -> bool | None:  # noqa: FBT001  # a truth value is what it is about
    return None if value is None else not value


def _compared(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    result: bool = _OPERATORS[sign](left, right)
    return result


def _remainder(left: Any, right: Any) -> Any:
    """What is left of a division that cuts towards zero; it has the sign of `left`."""
    if isinstance(left, int):
        return int(math.copysign(1, left)) * (abs(left) % abs(right))
    return math.nan if math.isinf(left) else math.fmod(left, right)


def _fits(text: str, pattern: str) -> bool:
    """Whether a text fits a `like` pattern, going back only ever to the last `%`."""
    at = place = 0
    retry, star = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "%":
            star, retry, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in ("_", text[at]):
            at, place = at + 1, place + 1
        elif retry >= 0:
            retry += 1
            at, place = retry, star + 1
        else:
            return False
    return not pattern[place:].strip("%")


def _round(number: Any) -> Any:
    """The nearest whole number, a half going away from zero."""
    if isinstance(number, int) or math.isinf(number):
        return number
    whole = math.trunc(number)
    return float(whole + math.copysign(1, number) if abs(number - whole) >= 0.5 else whole)  # noqa: PLR2004


def _whole(rounding: Callable[[float], int]) -> Callable[[Any], Any]:
    return lambda number: number if isinstance(number, int) or math.isinf(number) else float(rounding(number))


def _lower(text: str) -> str:
    """One character for each, as Unicode's simple mapping has it (Python's own may give two)."""
    return "".join(one.lower()[0] for one in text)


def _upper(text: str) -> str:
    """One character for each, as Unicode's simple mapping has it; only the sharp s gets its modern capital."""
    return "".join(map(_upper_one, text))


def _upper_one(one: str) -> str:
    if one == "\u00df":
        return "\u1e9e"
    return next((other for other in (one.upper(), one.title()) if len(other) == 1), one)


_CALLS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "greatest": max,
    "least": min,
    "length": len,
    "lower": _lower,
    "round": _round,
    "starts_with": str.startswith,
    "upper": _upper,
}
