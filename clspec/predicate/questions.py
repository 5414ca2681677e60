"""A predicate as logic over questions about terms: columns, what is computed from them, how two of these compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from clspec.predicate.evaluate import evaluate
from clspec.predicate.functions import FUNCTIONS
from clspec.predicate.regions import after_prefix, comparable, plain, prefix_of, samples
from clspec.predicate.text import to_text
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
    columns_of,
)
from clspec.predicate.types import ColumnType, common

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_BEFORE, _EQUAL, _AFTER = -1, 0, 1


class TooLarge(Exception):
    """Comparing the predicates would take more than is spent on it."""


@dataclass(eq=False, slots=True)
class Term:
    """Something with a value in every row, and the questions that are asked about it."""

    type: ColumnType | None
    """None: the term is how one value stands to another, which is before, equal or after."""
    exact: bool
    """Whether it may have any value of its type, whatever the others have."""
    points: set[Any] = field(default_factory=set)
    free: list[str] = field(default_factory=list)
    """Patterns that order says nothing of."""
    questions: list[Callable[[Any, tuple[bool, ...]], bool]] = field(default_factory=list)

    def stretches(self) -> tuple[tuple[bool, ...] | None, ...]:
        """The different answers to all questions that one row can get; None, the last, is NULL, which answers none."""
        values = (_BEFORE, _EQUAL, _AFTER) if self.type is None else samples(self.type, self.points)
        answers = (
            tuple(question(value, choice) for question in self.questions)
            for value in values
            for choice in self._choices(value)
        )
        return (*dict.fromkeys(answers), None)

    def _choices(self, value: Any) -> Iterable[tuple[bool, ...]]:
        """Which of the free patterns fit: known of a text that is written out, anything of all others."""
        if not self.free:
            return ((),)
        if value in self.points:
            return (tuple(_fits(value, pattern) for pattern in self.free),)
        return (tuple(bool(number >> n & 1) for n in range(len(self.free))) for number in range(1 << len(self.free)))


@dataclass(frozen=True, slots=True)
class Question:
    """One of the questions about a term."""

    term: Term
    number: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Whether a term is NULL."""

    term: Term


@dataclass(frozen=True, slots=True)
class All:
    """Whether all conditions hold."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """The opposite of a condition."""

    part: Any


@dataclass(frozen=True, slots=True)
class Open:
    """Whether a condition is NULL."""

    part: Any


@dataclass(frozen=True, slots=True)
class Equal:
    """Whether two conditions say the same."""

    left: Any
    right: Any


_MOST_FREE = 6
"""Patterns of one term that are told apart; more would double its stretches each time."""


class Questions:
    """Collects the terms of predicates, and what each is asked."""

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._columns = columns
        self.terms: dict[str, Term] = {}

    def asked(self, expression: Expression) -> Any:
        """A condition as logic over questions; one without columns as its value."""
        return self._asked(expression) if columns_of(expression) else evaluate(expression, {}, {})

    @singledispatchmethod
    def _asked(self, expression: Expression) -> Any:
        """A condition that is a term itself: a column, or a function."""
        return self._opaque(expression)

    def _opaque(self, expression: Expression) -> Any:
        term = self._term(expression, ColumnType.BOOLEAN)
        return self._ask(term, lambda value, _: value is True)

    @_asked.register(And)
    def _and(self, expression: And) -> Any:
        return All(tuple(map(self.asked, expression.operands)))

    @_asked.register(Or)
    def _or(self, expression: Or) -> Any:
        return Opposite(All(tuple(Opposite(self.asked(part)) for part in expression.operands)))

    @_asked.register(Not)
    def _not(self, expression: Not) -> Any:
        return Opposite(self.asked(expression.operand))

    @_asked.register(IsNull)
    def _null_test(self, expression: IsNull) -> Any:
        inner = expression.operand
        found = self._type(inner)
        if found is ColumnType.BOOLEAN:
            return Open(self.asked(inner))
        return Gone(self._term(inner, found))

    @_asked.register(Comparison)
    def _comparison(self, expression: Comparison) -> Any:
        left, right, sign = expression.left, expression.right, expression.operator
        if self._type(left) is ColumnType.BOOLEAN:
            same = Equal(self.asked(left), self.asked(right))
            return same if sign == "=" else Opposite(same)
        if isinstance(left, Literal):
            left, right, sign = right, left, _FLIPPED[sign]
        return self._compared(left, sign, right)

    def _compared(self, left: Expression, sign: str, right: Expression) -> Any:
        if isinstance(right, Literal) and self._ordered(left, (right,)):
            point, holds = plain(right.value), _SIGNS[sign]
            term = self._term(left, self._type(left))
            term.points.add(point)
            return self._ask(term, lambda value, _: holds(value, point))
        texts = to_text(left), to_text(right)
        if texts[0] > texts[1]:
            texts, sign = texts[::-1], _FLIPPED[sign]
        term = self.terms.setdefault(f"{texts[0]} : {texts[1]}", Term(None, exact=False))
        holds = _SIGNS[sign]
        return self._ask(term, lambda value, _: holds(value, 0))

    @_asked.register(Between)
    def _between(self, expression: Between) -> Any:
        operand, low, high = expression.operand, expression.low, expression.high
        if len({self._type(part) for part in expression.parts}) > 1 and not self._ordered(operand, (low, high)):
            return self._opaque(expression)  # all three are compared as doubles, which pairs would not be
        pairs = ((operand, ">=", low), (operand, "<=", high))
        return All(tuple(self.asked(Comparison(sign, left, right)) for left, sign, right in pairs))

    @_asked.register(In)
    def _in(self, expression: In) -> Any:
        operand = expression.operand
        if self._type(operand) is ColumnType.BOOLEAN or not self._ordered(operand, expression.values):
            return self._opaque(expression)
        points = frozenset(plain(one.value) for one in expression.values)
        term = self._term(operand, self._type(operand))
        term.points |= points
        return self._ask(term, lambda value, _: value in points)

    @_asked.register(Like)
    def _like(self, expression: Like) -> Any:
        pattern, operand = expression.pattern, expression.operand
        prefix = prefix_of(pattern)
        if prefix is not None:
            return self._begins(operand, prefix)
        if set(pattern) & {"%", "_"}:
            return self._free(operand, pattern)
        return self._compared(operand, "=", Literal(pattern, ColumnType.STRING))

    @_asked.register(Call)
    def _call(self, expression: Call) -> Any:
        if expression.function == "starts_with" and isinstance(expression.arguments[1], Literal):
            return self._begins(expression.arguments[0], str(expression.arguments[1].value))
        return self._opaque(expression)

    def _begins(self, operand: Expression, prefix: str) -> Any:
        term = self._term(operand, ColumnType.STRING)
        term.points |= {prefix, after_prefix(prefix) or prefix}
        return self._ask(term, lambda value, _: value.startswith(prefix))

    def _free(self, operand: Expression, pattern: str) -> Any:
        term = self._term(operand, ColumnType.STRING)
        term.exact = False
        if pattern not in term.free:
            term.free.append(pattern)
        if len(term.free) > _MOST_FREE:
            raise TooLarge
        number = term.free.index(pattern)
        return self._ask(term, lambda _, choice: choice[number])

    def _ordered(self, operand: Expression, others: tuple[Expression, ...]) -> bool:
        """Whether the others are written values whose order decides how a term compares with them."""
        written = [(one.value, one.type) for one in others if isinstance(one, Literal)]
        kind = self._type(operand)
        return len(written) == len(others) and not isinstance(operand, Literal) and comparable(kind, written)

    def _term(self, expression: Expression, kind: ColumnType) -> Term:
        return self.terms.setdefault(to_text(expression), Term(kind, exact=isinstance(expression, Column)))

    def _ask(self, term: Term, question: Callable[[Any, tuple[bool, ...]], bool]) -> Question:
        term.questions.append(question)
        return Question(term, len(term.questions) - 1)

    def _type(self, expression: Expression) -> ColumnType:
        if isinstance(expression, Literal):
            return expression.type
        if isinstance(expression, Column):
            return self._columns[expression.name]
        if isinstance(expression, Call):
            return FUNCTIONS[expression.function].gives or self._together(expression)
        if isinstance(expression, Arithmetic):
            return ColumnType.DOUBLE if expression.operator == "/" else self._together(expression)
        return self._together(expression) if isinstance(expression, Negative) else ColumnType.BOOLEAN

    def _together(self, expression: Expression) -> ColumnType:
        found = common(map(self._type, expression.parts))
        assert found is not None, expression  # it was checked
        return found


def _fits(text: str, pattern: str) -> bool:
    return evaluate(Like(Literal(text, ColumnType.STRING), pattern), {}, {}) is True
