"""What is wrong with a predicate, and where in its own text."""

from __future__ import annotations

from dataclasses import dataclass

UNREADABLE = "CLS320"
ILL_TYPED = "CLS321"
TOO_LARGE = "CLS322"
UNKNOWN_COLUMN = "CLS302"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `start` and `end` count characters of the predicate's text, the end exclusive.

    The caller knows where in the spec that text stands and makes a `Diagnostic` of it.
    """

    code: str
    message: str
    start: int
    end: int
    hint: str = ""


class PredicateError(ValueError):
    """A text is not a predicate; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        hint = f" ({self.problem.hint})" if self.problem.hint else ""
        return f"{self.problem.start}: {self.problem.message}{hint}"
