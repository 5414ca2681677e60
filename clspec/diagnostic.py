"""A problem with what the user wrote: its code, its place and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Pointer = tuple[str | int, ...]
"""Where a value stands in a document: keys and list indices from the root."""


class Severity(Enum):
    """How much a problem weighs: an error stops a compile, a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text: 1-based lines and columns (in code points), the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def narrowed(self, start: int, end: int) -> Span:
        """The part of a one-line span from its `start`-th to before its `end`-th character."""
        if self.line != self.end_line:
            return self
        return Span(self.line, self.column + start, self.line, self.column + max(end, start + 1))


START = Span(1, 1, 1, 1)
"""The place of a problem that concerns a file as a whole."""


@dataclass(frozen=True, slots=True, order=True)
class Related:
    """Another place of the same file that a problem is about, and what it has to do with it: `first given here`."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """What mends a problem and can do no harm: the text to put in the place of a stretch of the file."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem. `path` is the file as the user named it; `hint` says how to get out."""

    code: str
    severity: Severity
    message: str
    path: str
    span: Span | None = None
    hint: str = ""
    where: str = ""
    """The dotted place in the spec, ids instead of list positions: `golden.scenarios.dog-crossing`."""
    related: tuple[Related, ...] = ()
    """Other places that have to do with it."""
    fix: Fix | None = None
    """What mends it, where that is certain."""

    @property
    def is_error(self) -> bool:
        """Whether this stops a compile."""
        return self.severity is Severity.ERROR


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The same problems, once each, in the order of the places they stand at."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (d.path, d.span or START, d.code, d.message)))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of these stops a compile."""
    return any(d.is_error for d in diagnostics)


_LISTED = 12
"""So many names can be listed in a hint."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the closest known word, or all of a few, or nothing."""
    names = sorted(set(known))
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if not close:  # a slip in case alone is further away than it looks
        close = [name for name in names if name.lower() == word.lower()]
    if close:
        return f"did you mean `{close[0]}`?"
    if 0 < len(names) <= _LISTED:
        return "known: " + ", ".join(f"`{name}`" for name in names)
    return ""


class ClspecError(Exception):
    """Something outside the spec went wrong; `exit_code` is what the command then returns."""

    exit_code = 2


class UsageError(ClspecError):
    """What was asked for cannot be done as asked: a wrong argument, a path that cannot be read."""


class Refused(ClspecError):
    """A verdict said no: a gate, a pin, golden data found in training."""

    exit_code = 1


class StepFailed(ClspecError):
    """A step could not finish: user code, its data, a limit or a signal."""

    exit_code = 3


class InvalidSpec(ClspecError):
    """The spec has errors; `diagnostics` says which."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("the spec has errors")
        self.diagnostics = diagnostics


class SurroundingsFailed(ClspecError):
    """A step could not finish for what is around it (a lost machine, an API that does not answer): another try may."""

    exit_code = 75
