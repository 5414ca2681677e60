"""Two predicates as sets of combinations: for which stretches of their terms each is true, and for which NULL.

A set of combinations is one large whole number with a bit for each, so that `and`, `or` and `not` are one operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from math import prod
from typing import TYPE_CHECKING, Any

from clspec.predicate.questions import All, Equal, Gone, Open, Opposite, Question, Questions, Term, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from clspec.predicate.tree import Expression
    from clspec.predicate.types import ColumnType

MAX_COMBINATIONS = 1 << 20
"""So many combinations of stretches are looked at; predicates with more are not compared."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The combinations for which something is true, and those for which it is NULL."""

    true: int
    null: int


def truths(before: Expression, after: Expression, columns: Mapping[str, ColumnType]) -> tuple[Truth, Truth, bool]:
    """Both predicates over the same combinations, and whether each of these is a row that there can be.

    Raises:
        TooLarge: there are too many.
    """
    questions = Questions(columns)
    trees = [questions.asked(one) for one in (before, after)]
    space = _Space(questions.terms.values())
    old, new = (space.truth(tree) for tree in trees)
    return old, new, all(term.exact for term in questions.terms.values())


class _Space:
    """All combinations of the terms' stretches, numbered so that the last term moves fastest."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._stretches = {id(term): term.stretches() for term in terms}
        self._size = prod(map(len, self._stretches.values()))
        if self._size > MAX_COMBINATIONS:
            raise TooLarge
        self._all = (1 << self._size) - 1
        self._strides: dict[int, int] = {}
        stride = 1
        for key, found in self._stretches.items():
            self._strides[key] = stride
            stride *= len(found)

    def _where(self, term: Term, holds: Callable[[tuple[bool, ...] | None], bool]) -> int:
        """The combinations in which the term is in one of the stretches for which something holds."""
        stretches, stride = self._stretches[id(term)], self._strides[id(term)]
        found = sum(((1 << stride) - 1) << number * stride for number, one in enumerate(stretches) if holds(one))
        width = stride * len(stretches)
        while width < self._size:
            found |= found << width
            width *= 2
        return found & self._all

    def _null(self, term: Term) -> int:
        return self._where(term, lambda one: one is None)

    @singledispatchmethod
    def truth(self, asked: Any) -> Truth:
        """For which combinations a condition is true, and for which it is NULL."""
        return Truth(0, self._all) if asked is None else Truth(self._all if asked else 0, 0)

    @truth.register(Question)
    def _of_question(self, asked: Question) -> Truth:
        return Truth(self._where(asked.term, lambda one: one is not None and one[asked.number]), self._null(asked.term))

    @truth.register(Gone)
    def _of_gone(self, asked: Gone) -> Truth:
        return Truth(self._null(asked.term), 0)

    @truth.register(Open)
    def _of_open(self, asked: Open) -> Truth:
        return Truth(self.truth(asked.part).null, 0)

    @truth.register(All)
    def _of_all(self, asked: All) -> Truth:
        true, known = self._all, 0
        for found in map(self.truth, asked.parts):
            true &= found.true
            known |= self._all & ~(found.true | found.null)  # one that is false decides
        return Truth(true, self._all & ~(true | known))

    @truth.register(Opposite)
    def _of_opposite(self, asked: Opposite) -> Truth:
        found = self.truth(asked.part)
        return Truth(self._all & ~(found.true | found.null), found.null)

    @truth.register(Equal)
    def _of_equal(self, asked: Equal) -> Truth:
        left, right = self.truth(asked.left), self.truth(asked.right)
        null = left.null | right.null
        return Truth(self._all & ~((left.true ^ right.true) | null), null)
