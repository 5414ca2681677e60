"""Which values a predicate leaves a column: what a lint needs to see that a selection holds one class only."""

from __future__ import annotations

import math
from functools import reduce

from clspec.predicate.tree import And, Column, Comparison, Expression, In, IsNull, Literal, Not, Or

_EXACT = 2**53
"""From here on several integers are one double, so that equality pins nothing."""


def allowed_values(expression: Expression, column: str) -> frozenset[object] | None:
    """All values that the column can have in a row for which the predicate is true; None if they are not listed.

    None among the values is NULL. The set may hold values that no row can have, but it never lacks one: it is
    read off `=`, `in`, `is null`, a boolean column by itself, `and` and `or`, and anything else counts as unlimited.
    """
    if isinstance(expression, And | Or):
        listed = [allowed_values(operand, column) for operand in expression.operands]
        return _both(listed) if isinstance(expression, And) else _either(listed)
    if isinstance(expression, Literal):
        return frozenset() if expression.value is False else None
    return _pinned(expression, column)


def _both(listed: list[frozenset[object] | None]) -> frozenset[object] | None:
    limits = [values for values in listed if values is not None]
    return reduce(frozenset.intersection, limits) if limits else None


def _either(listed: list[frozenset[object] | None]) -> frozenset[object] | None:
    limits = [values for values in listed if values is not None]
    return frozenset[object]().union(*limits) if len(limits) == len(listed) else None


def _pinned(expression: Expression, column: str) -> frozenset[object] | None:
    if isinstance(expression, Column):
        return frozenset({True}) if expression.name == column else None
    if isinstance(expression, Not) and isinstance(expression.operand, Column):
        return frozenset({False}) if expression.operand.name == column else None
    if isinstance(expression, In) and _names(expression.operand, column):
        return _values(expression.values)
    if isinstance(expression, Comparison) and expression.operator == "=":
        for one, other in ((expression.left, expression.right), (expression.right, expression.left)):
            if _names(one, column) and isinstance(other, Literal):
                return _values((other,))
    return frozenset({None}) if isinstance(expression, IsNull) and _names(expression.operand, column) else None


def _names(expression: Expression, column: str) -> bool:
    return isinstance(expression, Column) and expression.name == column


def _values(literals: tuple[Literal, ...]) -> frozenset[object] | None:
    values = frozenset(literal.value for literal in literals)
    large = any(isinstance(value, int | float) and math.fabs(value) >= _EXACT for value in values)
    return None if large else values
