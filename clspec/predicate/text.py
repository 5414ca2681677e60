"""Printing a predicate as text: one spelling for each tree, with no parenthesis that could be left out."""

from __future__ import annotations

import datetime as dt
from functools import singledispatch

from clspec.predicate.tokens import KEYWORDS, NAME
from clspec.predicate.tree import (
    SUMS,
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
from clspec.predicate.types import NUMERIC

_OR, _AND, _NOT, _TEST, _SUM, _PRODUCT, _PRIMARY = range(7)
"""How tightly a text holds together; what is looser than its surroundings needs parentheses."""


def to_text(expression: Expression) -> str:
    """The predicate in its canonical spelling; reading that gives an equal tree.

    The canonical spelling has spaces around signs, so that it can be longer than the text it was read from.
    """
    return _text(expression)[0]


def quoted(string: str) -> str:
    """A string literal."""
    return "'" + string.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _within(expression: Expression, surroundings: int) -> str:
    text, holds = _text(expression)
    return text if holds >= surroundings else f"({text})"


@singledispatch
def _text(expression: Expression) -> tuple[str, int]:
    raise TypeError(type(expression))


@_text.register(Literal)
def _literal(expression: Literal) -> tuple[str, int]:
    value = expression.value
    if isinstance(value, str):
        return quoted(value), _PRIMARY
    if isinstance(value, dt.datetime):
        return f"timestamp '{value.isoformat().replace('+00:00', 'Z')}'", _PRIMARY
    if isinstance(value, dt.date):
        return f"date '{value.isoformat()}'", _PRIMARY
    return (str(value).lower() if isinstance(value, bool) else repr(value)), _PRIMARY


@_text.register(Column)
def _column(expression: Column) -> tuple[str, int]:
    name = expression.name
    bare = NAME.fullmatch(name) and name.lower() not in KEYWORDS
    return (name if bare else identifier(name)), _PRIMARY


@_text.register(Or)
def _or(expression: Or) -> tuple[str, int]:
    return " or ".join(_within(part, _AND) for part in expression.operands), _OR


@_text.register(And)
def _and(expression: And) -> tuple[str, int]:
    return " and ".join(_within(part, _NOT) for part in expression.operands), _AND


@_text.register(Not)
def _not(expression: Not) -> tuple[str, int]:
    inner = expression.operand
    if isinstance(inner, IsNull | In | Between | Like):
        return _suffixed(inner, "not "), _TEST
    return f"not {_within(inner, _NOT)}", _NOT


@_text.register(IsNull)
@_text.register(In)
@_text.register(Between)
@_text.register(Like)
def _test(expression: IsNull | In | Between | Like) -> tuple[str, int]:
    return _suffixed(expression, ""), _TEST


def _suffixed(test: IsNull | In | Between | Like, negation: str) -> str:
    operand = _within(test.operand, _SUM)
    if isinstance(test, IsNull):
        return f"{operand} is {negation}null"
    if isinstance(test, In):
        return f"{operand} {negation}in ({', '.join(_text(value)[0] for value in test.values)})"
    if isinstance(test, Between):
        return f"{operand} {negation}between {_within(test.low, _SUM)} and {_within(test.high, _SUM)}"
    return f"{operand} {negation}like {quoted(test.pattern)}"


@_text.register(Comparison)
def _comparison(expression: Comparison) -> tuple[str, int]:
    return f"{_within(expression.left, _SUM)} {expression.operator} {_within(expression.right, _SUM)}", _TEST


@_text.register(Arithmetic)
def _arithmetic(expression: Arithmetic) -> tuple[str, int]:
    own = _SUM if expression.operator in SUMS else _PRODUCT
    return f"{_within(expression.left, own)} {expression.operator} {_within(expression.right, own + 1)}", own


@_text.register(Negative)
def _negative(expression: Negative) -> tuple[str, int]:
    inner = expression.operand
    # `-5` is one literal, and `--` would begin a comment in SQL
    apart = isinstance(inner, Negative) or (isinstance(inner, Literal) and inner.type in NUMERIC)
    text = _within(inner, _PRIMARY)
    return (f"-({text})" if apart else f"-{text}"), _PRIMARY


@_text.register(Call)
def _call(expression: Call) -> tuple[str, int]:
    return f"{expression.function}({', '.join(_text(part)[0] for part in expression.arguments)})", _PRIMARY
