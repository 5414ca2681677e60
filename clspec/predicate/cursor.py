"""A place in a list of tokens: what stands there, going on, and saying why it cannot go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from clspec.predicate.functions import instead_of
from clspec.predicate.problem import TOO_LARGE, PredicateError, Problem
from clspec.predicate.tokens import Kind, Token, wrong
from clspec.predicate.tree import Expression

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 24
"""Levels of a predicate's tree, and parentheses open at once. `a and b and c` is one level, however long."""

_Node = TypeVar("_Node", bound=Expression)


class Cursor:
    """Reads tokens from left to right and keeps count of what is open."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._open: list[Token] = []
        self.now = tokens[0]
        """The token to be read."""

    @property
    def next(self) -> Token:
        """The token after that; the last one is its own."""
        return self._tokens[min(self._place + 1, len(self._tokens) - 1)]

    @property
    def end(self) -> int:
        """Where the token just read ended."""
        return self._tokens[self._place - 1].end if self._place else 0

    def take(self) -> Token:
        """Read a token."""
        token = self.now
        if token.kind is not Kind.END:
            self._place += 1
            self.now = self._tokens[self._place]
        return token

    def at_end(self) -> bool:
        """Whether all has been read."""
        return self.now.kind is Kind.END

    def took(self, word: str) -> bool:
        """Read a keyword, if it is this one."""
        found = self.now.is_keyword(word)
        if found:
            self.take()
        return found

    def prefixes(self, found: Callable[[], bool]) -> list[int]:
        """Read tokens as long as there are such, and say where each began."""
        starts: list[int] = []
        while found():
            starts.append(self.take().start)
        return starts

    def open(self) -> None:
        """Read an opening parenthesis."""
        if not self.now.is_sign("("):
            self.refuse(f"expected `(`, found {shown(self.now)}")
        if len(self._open) == MAX_DEPTH:
            raise _too_deep(self.now.start, self.now.end)
        self._open.append(self.take())

    def close(self, expected: str) -> None:
        """Read the closing parenthesis that belongs to the last one opened."""
        if self.at_end():
            opening = self._open[-1]
            raise wrong(opening.start, opening.end, "`(` is never closed", "add `)`")
        if not self.now.is_sign(")"):
            self.refuse_more(expected)
        self.take()
        self._open.pop()

    def fitting(self, node: _Node) -> _Node:
        """The node, if it is not too deep, which takes a token a level."""
        if len(self._tokens) > MAX_DEPTH and node.depth > MAX_DEPTH:
            raise _too_deep(node.start, node.end)
        return node

    def refuse(self, message: str, hint: str = "") -> NoReturn:
        """Stop at the token to be read."""
        raise wrong(self.now.start, self.now.end, message, hint)

    def refuse_value(self) -> NoReturn:
        """Stop where a value should begin and does not."""
        token = self.now
        if token.is_keyword("null"):
            self.refuse("null is not a value to compute with", "write `... is null`")
        if token.is_keyword("not"):
            self.refuse("`not` has no place here", "put what it negates in parentheses: `(not a)`")
        if token.is_sign("+"):
            self.refuse("expected a value, found `+`", "leave the sign out")
        after_percent = self._place and self._tokens[self._place - 1].is_sign("%")
        hint = "a percentage is written as a fraction: `0.9`" if after_percent else ""
        self.refuse(f"expected a value, found {shown(token)}", hint)

    def refuse_more(self, expected: str) -> NoReturn:
        """Stop where an expression is complete and something else than what may follow stands."""
        before = self._tokens[self._place - 1]
        for token in (self.now, before):
            hint = instead_of(token.text) if token.kind is Kind.WORD else ""
            if hint:
                raise wrong(token.start, token.end, f"`{token.text}` is not part of the language", hint)
        if self.now.is_sign(")"):
            self.refuse("`)` without `(`", "take it out")
        self.refuse(f"expected {expected}, found {shown(self.now)}", _hint(self.now))


def shown(token: Token) -> str:
    """The token as part of a sentence."""
    return "the end" if token.kind is Kind.END else f"`{token.text}`"


def _hint(token: Token) -> str:
    if token.is_keyword("not"):
        return "write `not in`, `not between`, `not like` or `is not null`"
    return "a quote inside quotes is written twice: 'rider''s'" if token.kind is Kind.STRING else ""


def _too_deep(start: int, end: int) -> PredicateError:
    hint = "give the source a column for a part of it"
    return PredicateError(Problem(TOO_LARGE, f"a predicate nests at most {MAX_DEPTH} levels", start, end, hint))
