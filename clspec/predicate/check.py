"""Whether a predicate makes sense on given columns: they exist, and like meets like."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from clspec.diagnostic import did_you_mean
from clspec.predicate.allowed import allowed_values
from clspec.predicate.functions import FUNCTIONS, instead_of
from clspec.predicate.grammar import parse
from clspec.predicate.problem import ILL_TYPED, UNKNOWN_COLUMN, PredicateError, Problem
from clspec.predicate.text import quoted, to_text
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
from clspec.predicate.types import COMPARABLE, NUMERIC, ORDERED, TEXT, ColumnType, common, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SHOWN = 40
"""Characters of an expression that a message repeats."""


def check(expression: Expression, columns: Mapping[str, ColumnType]) -> tuple[Problem, ...]:
    """All unknown columns and all types that do not fit, in the order of the text."""
    judge = _Judge(columns)
    found = judge.type_of(expression)
    if found not in {None, ColumnType.BOOLEAN}:
        judge.blame(expression, f"a predicate is true or false; {_is(expression, found)}", "compare it with something")
    return tuple(sorted(judge.problems, key=lambda problem: (problem.start, problem.end)))


def understand(text: str, columns: Mapping[str, ColumnType]) -> tuple[Expression | None, tuple[Problem, ...]]:
    """The tree of a predicate that makes sense on these columns, or else None and what is wrong with it."""
    return _understood(text, tuple(columns.items()))


@lru_cache(maxsize=8192)
def _understood(
    text: str, columns: tuple[tuple[str, ColumnType], ...]
) -> tuple[Expression | None, tuple[Problem, ...]]:
    """The same; several rules ask about every predicate, and scenarios repeat the predicates of their guards."""
    try:
        expression = parse(text)
    except PredicateError as error:
        return None, (error.problem,)
    problems = check(expression, dict(columns))
    return (None if problems else expression), problems


def values_left(text: str, columns: Mapping[str, ColumnType], column: str) -> frozenset[object] | None:
    """Of a predicate that makes sense, the `allowed_values` of a column; None of one that makes none."""
    return _left(text, tuple(columns.items()), column)


@lru_cache(maxsize=8192)
def _left(text: str, columns: tuple[tuple[str, ColumnType], ...], column: str) -> frozenset[object] | None:
    expression, _ = _understood(text, columns)
    return allowed_values(expression, column) if expression is not None else None


class _Judge:
    """Works out types from the leaves up. None is the type of what has already been found wrong."""

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._columns = columns
        self._apart = len({name.lower() for name in columns}) == len(columns)
        """Whether no two columns differ in nothing but case."""
        self._words: set[Column] = set()
        """Columns that stand where a string could: `night` in `lighting = night`."""
        self.problems: list[Problem] = []

    def blame(self, expression: Expression, message: str, hint: str = "", code: str = ILL_TYPED) -> None:
        self.problems.append(Problem(code, message, expression.start, expression.end, hint))

    def type_of(self, expression: Expression) -> ColumnType | None:
        return self._types[type(expression)](self, expression)

    def _literal(self, expression: Literal) -> ColumnType | None:
        return expression.type

    def _column(self, expression: Column) -> ColumnType | None:
        name = expression.name
        if name not in self._columns:
            hint = _column_hint(expression, self._columns, word=expression.quoted or expression in self._words)
            self.blame(expression, f"there is no column `{name}`", hint, UNKNOWN_COLUMN)
            return None
        if self._apart:
            return self._columns[name]
        twins = [other for other in self._columns if other != name and other.lower() == name.lower()]
        if twins:
            message = f"`{name}` cannot be told from `{twins[0]}`: DuckDB takes them for one column"
            self.blame(expression, message, "rename one of them in the source", UNKNOWN_COLUMN)
        return self._columns[name]

    def _chain(self, expression: And | Or) -> ColumnType | None:
        word = "and" if isinstance(expression, And) else "or"
        for before, operand in zip((None, *expression.operands), expression.operands, strict=False):
            self._needs_boolean(operand, word, before)
        return ColumnType.BOOLEAN

    def _not(self, expression: Not) -> ColumnType | None:
        self._needs_boolean(expression.operand, "not", None)
        return ColumnType.BOOLEAN

    def _needs_boolean(self, operand: Expression, word: str, before: Expression | None) -> None:
        found = self.type_of(operand)
        if found in {None, ColumnType.BOOLEAN}:
            return
        hint = "compare it with something"
        if isinstance(operand, Literal) and isinstance(before, Comparison):
            compared = f"{_short(before.left)} {before.operator} {_short(operand)}"
            hint = f"repeat the comparison: `{word} {compared}`"
        self.blame(operand, f"`{word}` takes what is true or false; {_is(operand, found)}", hint)

    def _null_test(self, expression: IsNull) -> ColumnType | None:
        self.type_of(expression.operand)
        return ColumnType.BOOLEAN

    def _comparison(self, expression: Comparison) -> ColumnType | None:
        left, right = expression.parts
        if isinstance(right, Column) and isinstance(left, Column) and self._columns.get(left.name) in TEXT:
            self._words.add(right)
        allowed = COMPARABLE if expression.operator in {"=", "!="} else ORDERED
        self._alike((left, right), allowed, f"`{expression.operator}`")
        return ColumnType.BOOLEAN

    def _between(self, expression: Between) -> ColumnType | None:
        self._alike(expression.parts, ORDERED, "`between`")
        return ColumnType.BOOLEAN

    def _in(self, expression: In) -> ColumnType | None:
        self._alike(expression.parts, COMPARABLE, "`in`")
        return ColumnType.BOOLEAN

    def _like(self, expression: Like) -> ColumnType | None:
        self._needs(expression.operand, TEXT, "`like`")
        return ColumnType.BOOLEAN

    def _arithmetic(self, expression: Arithmetic) -> ColumnType | None:
        sign = f"`{expression.operator}`"
        found = [self._needs(operand, NUMERIC, sign) for operand in expression.parts]
        return ColumnType.DOUBLE if expression.operator == "/" else _joined(found)

    def _negative(self, expression: Negative) -> ColumnType | None:
        return self._needs(expression.operand, NUMERIC, "`-`")

    def _call(self, expression: Call) -> ColumnType | None:
        function = FUNCTIONS[expression.function]
        found = self._alike(expression.arguments, function.takes, f"`{function.name}`")
        return function.gives or found

    def _needs(self, operand: Expression, allowed: frozenset[ColumnType], user: str) -> ColumnType | None:
        found = self.type_of(operand)
        if found is None or found in allowed:
            return found
        hint = _no_order(found, allowed) or _as_literal(operand, _USUAL.get(allowed))
        self.blame(operand, f"{user} takes {_TAKES[allowed]}; {_is(operand, found)}", hint)
        return None

    def _alike(self, operands: Sequence[Expression], allowed: frozenset[ColumnType], user: str) -> ColumnType | None:
        """The operands' common type, each of them judged by the first that is no literal."""
        found = [self._needs(operand, allowed, user) for operand in operands]
        if found[0] is not None and all(one is found[0] for one in found):
            return found[0]
        typed = [(operand, one) for operand, one in zip(operands, found, strict=True) if one is not None]
        lead = next((pair for pair in typed if not isinstance(pair[0], Literal)), typed[0] if typed else None)
        if lead is None or not self._all_like(lead, typed):
            return None
        return _joined(found)

    def _all_like(self, lead: tuple[Expression, ColumnType], typed: Sequence[tuple[Expression, ColumnType]]) -> bool:
        strangers = [(operand, one) for operand, one in typed if common((lead[1], one)) is None]
        for operand, one in strangers:
            message = f"{_is(lead[0], lead[1])}, {_is(operand, one)}: they cannot be compared"
            self.blame(operand, message, _as_literal(operand, lead[1]) or "nothing is converted by itself")
        return not strangers

    _types: ClassVar[dict[type[Expression], Callable[[Any, Any], ColumnType | None]]] = {
        Literal: _literal,
        Column: _column,
        And: _chain,
        Or: _chain,
        Not: _not,
        IsNull: _null_test,
        Comparison: _comparison,
        Between: _between,
        In: _in,
        Like: _like,
        Arithmetic: _arithmetic,
        Negative: _negative,
        Call: _call,
    }


def _joined(found: Sequence[ColumnType | None]) -> ColumnType | None:
    known = [one for one in found if one is not None]
    return common(known) if len(known) == len(found) else None


def _short(expression: Expression) -> str:
    text = to_text(expression)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _is(expression: Expression, found: ColumnType | None) -> str:
    return f"`{_short(expression)}` is {in_words(found)}" if found else ""


def _no_order(found: ColumnType, allowed: frozenset[ColumnType]) -> str:
    if found is ColumnType.BINARY:
        return "all that can be asked of a binary column is `is null`"
    if found is ColumnType.BOOLEAN and allowed == ORDERED:
        return "true and false have no order; use `=` or the column alone"
    return ""


def _as_literal(expression: Expression, wanted: ColumnType | None) -> str:
    """How to write a literal so that it has the type wanted, if it can be told."""
    if wanted is None or not isinstance(expression, Literal):
        return ""
    text = to_text(expression)
    if wanted is ColumnType.STRING:
        return f"a string stands in single quotes: {quoted(text)}"
    if wanted in NUMERIC and re.fullmatch(r"'-?[0-9]+(\.[0-9]+)?'", text):
        return f"a number stands without quotes: {text[1:-1]}"
    return _FORMS.get(wanted, "")


_TAKES = {
    NUMERIC: "numbers",
    TEXT: "strings",
    ORDERED: "what has an order",
    COMPARABLE: "what can be compared",
}
_USUAL = {NUMERIC: ColumnType.DOUBLE, TEXT: ColumnType.STRING}
_FORMS = {
    ColumnType.TIMESTAMP: "write `timestamp '2026-01-31T00:00:00Z'`",
    ColumnType.DATE: "write `date '2026-01-31'`",
    ColumnType.BOOLEAN: "write `true` or `false`",
}


def _column_hint(column: Column, columns: Mapping[str, ColumnType], *, word: bool) -> str:
    if word:
        return f"did you mean the string {quoted(column.name)}? Double quotes and bare words name columns"
    near = did_you_mean(column.name, columns)
    instead = instead_of(column.name)
    if near.startswith("did you mean"):
        return f"{near} {instead}".rstrip()
    return instead or near
