"""Printing a predicate as DuckDB's SQL, so that it means there what it means here.

No run-time error is possible in what is printed, on any row: arithmetic that has no result is NULL.

- Every operation is in parentheses, every column in double quotes and cast to its declared type.
- NaN becomes NULL where it comes up, in a column or as a result: DuckDB takes it for the largest number of all, so that
  `conf >= 0.97` would hold for a score that is not a number.
- Integers are added and multiplied as 128 bits, where two of 64 cannot overflow; what does not fit back is NULL.
- `greatest` and `least` are NULL if an argument is; DuckDB's own pass over NULLs. A list sorted NULLs first says that
  without repeating the arguments.
- Timestamps are compared as microseconds since 1970, which is the same for columns with and without a time zone
  and whatever the session's zone.
"""

from __future__ import annotations

import datetime as dt
from functools import singledispatchmethod
from typing import TYPE_CHECKING, NamedTuple

from clspec.predicate.check import check
from clspec.predicate.functions import FUNCTIONS
from clspec.predicate.text import identifier, quoted
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
    Value,
)
from clspec.predicate.types import ColumnType, common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SQL_TYPES = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DATE: "DATE",
    ColumnType.BINARY: "BLOB",
}


def to_sql(expression: Expression, columns: Mapping[str, ColumnType]) -> str:
    """A boolean expression over the columns, to stand after `WHERE` or in a `SELECT` list.

    The columns' types in DuckDB are VARCHAR or an enum, signed integers, FLOAT or DOUBLE, BOOLEAN, DATE, BLOB and any
    TIMESTAMP.

    Raises:
        ValueError: the predicate does not make sense on these columns; `check` says why.
    """
    problems = check(expression, columns)
    if problems:
        raise ValueError(problems)
    return _Printer(columns).printed(expression).sql


class _Printed(NamedTuple):
    sql: str
    type: ColumnType
    literal: Value | None = None


def _boolean(sql: str) -> _Printed:
    return _Printed(sql, ColumnType.BOOLEAN)


class _Printer:
    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._columns = columns

    @singledispatchmethod
    def printed(self, expression: Expression) -> _Printed:
        raise TypeError(type(expression))

    def _alike(self, expressions: Sequence[Expression]) -> tuple[list[str], ColumnType]:
        """The expressions, each as the type they have in common."""
        parts = [self.printed(expression) for expression in expressions]
        together = common(part.type for part in parts)
        assert together is not None, expressions
        return [_as_double(part) if together is ColumnType.DOUBLE else part.sql for part in parts], together

    @printed.register(Literal)
    def _literal(self, expression: Literal) -> _Printed:
        return _Printed(_literal_sql(expression.value), expression.type, expression.value)

    @printed.register(Column)
    def _column(self, expression: Column) -> _Printed:
        column_type = self._columns[expression.name]
        name = identifier(expression.name)
        if column_type is ColumnType.TIMESTAMP:
            return _Printed(f"epoch_us({name})", column_type)
        cast = f"CAST({name} AS {_SQL_TYPES[column_type]})"
        return _Printed(_without_nan(cast) if column_type is ColumnType.DOUBLE else cast, column_type)

    @printed.register(And)
    @printed.register(Or)
    def _chain(self, expression: And | Or) -> _Printed:
        word = " AND " if isinstance(expression, And) else " OR "
        return _boolean(f"({word.join(self.printed(operand).sql for operand in expression.operands)})")

    @printed.register(Not)
    def _not(self, expression: Not) -> _Printed:
        return _boolean(f"(NOT {self.printed(expression.operand).sql})")

    @printed.register(IsNull)
    def _null_test(self, expression: IsNull) -> _Printed:
        return _boolean(f"({self.printed(expression.operand).sql} IS NULL)")

    @printed.register(Comparison)
    def _comparison(self, expression: Comparison) -> _Printed:
        (left, right), _ = self._alike(expression.parts)
        return _boolean(f"({left} {expression.operator} {right})")

    @printed.register(Between)
    def _between(self, expression: Between) -> _Printed:
        (operand, low, high), _ = self._alike(expression.parts)
        return _boolean(f"({operand} BETWEEN {low} AND {high})")

    @printed.register(In)
    def _in(self, expression: In) -> _Printed:
        (operand, *values), _ = self._alike(expression.parts)
        return _boolean(f"({operand} IN ({', '.join(values)}))")

    @printed.register(Like)
    def _like(self, expression: Like) -> _Printed:
        return _boolean(f"({self.printed(expression.operand).sql} LIKE {quoted(expression.pattern)})")

    @printed.register(Arithmetic)
    def _arithmetic(self, expression: Arithmetic) -> _Printed:
        operator = expression.operator
        left, right = (self.printed(part) for part in expression.parts)
        if operator != "/" and left.type is right.type is ColumnType.INTEGER:
            return _Printed(_integers(left.sql, operator, right.sql), ColumnType.INTEGER)
        divisor = _as_double(right)
        if operator in {"/", "%"}:
            divisor = f"NULLIF({divisor}, 0e0)"
        return _Printed(_without_nan(f"({_as_double(left)} {operator} {divisor})"), ColumnType.DOUBLE)

    @printed.register(Negative)
    def _negative(self, expression: Negative) -> _Printed:
        operand = self.printed(expression.operand)
        if operand.type is ColumnType.INTEGER:
            return _Printed(_fitting(f"(-{_wide(operand.sql)})"), ColumnType.INTEGER)
        return _Printed(f"(-{operand.sql})", ColumnType.DOUBLE)

    @printed.register(Call)
    def _call(self, expression: Call) -> _Printed:
        arguments, together = self._alike(expression.arguments)
        name = expression.function
        gives = FUNCTIONS[name].gives or together
        if name in _ORDERS:
            return _Printed(f"list_sort([{', '.join(arguments)}], '{_ORDERS[name]}', 'NULLS FIRST')[1]", gives)
        if together is ColumnType.INTEGER and name in {"ceil", "floor", "round"}:
            return _Printed(arguments[0], gives)
        if together is ColumnType.INTEGER and name == "abs":
            return _Printed(_fitting(f"abs({_wide(arguments[0])})"), gives)
        return _Printed(f"{name}({', '.join(arguments)})", gives)


_ORDERS = {"greatest": "DESC", "least": "ASC"}


def _literal_sql(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return f"epoch_us(TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ')}')"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return f"CAST({value} AS BIGINT)"
    number = repr(value)
    number = number if "e" in number else number + "e0"  # without an exponent it would be a DECIMAL
    return f"({number})" if number.startswith("-") else number


def _as_double(printed: _Printed) -> str:
    if printed.type is ColumnType.DOUBLE:
        return printed.sql
    if isinstance(printed.literal, int):
        return _literal_sql(float(printed.literal))
    return f"CAST({printed.sql} AS DOUBLE)"


def _without_nan(sql: str) -> str:
    return f"NULLIF({sql}, CAST('NaN' AS DOUBLE))"


def _wide(sql: str) -> str:
    return f"CAST({sql} AS HUGEINT)"


def _fitting(sql: str) -> str:
    return f"TRY_CAST({sql} AS BIGINT)"


def _integers(left: str, operator: str, right: str) -> str:
    if operator == "%":
        return f"({left} % NULLIF({right}, CAST(0 AS BIGINT)))"
    return _fitting(f"({_wide(left)} {operator} {_wide(right)})")
