"""Conditions as the driver reads them: a small part of CEL, enough to tell what is no expression from what is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>[rRbB]{0,2}(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
  | (?P<number>0x[0-9a-fA-F]+u?|\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+|u)?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign>\|\||&&|==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])
  | (?P<end>$)
)""",
    re.VERBOSE,
)
_BINARY = {"||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "in"}
_FUNCTIONS = {"bool", "bytes", "double", "duration", "dyn", "has", "int", "matches", "size", "string", "timestamp"}
_FUNCTIONS |= {"type", "uint"}
_LITERALS = {"true", "false", "null"}
_INPUTS = "inputs"
_KINDS = {"parameter_values": "parameters", "parameters": "parameters", "artifacts": "artifacts"}


class NoExpression(Exception):
    """A text is no condition; it says why."""


def read(condition: str) -> frozenset[tuple[str, str]]:
    """The inputs that a condition asks for, each with its kind: `("parameters", "x")`.

    Raises:
        NoExpression: it cannot be read, or names what the driver does not know.
    """
    reader = _Reader(list(_tokens(condition)))
    reader.expression()
    reader.expect("", "the end")
    return frozenset(reader.asked)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            raise NoExpression(f"nothing can be read from {text[at:].strip()[:20]!r} on")
        kind = found.lastgroup or "end"
        yield kind, found[kind]
        if kind == "end":
            return
        at = found.end()


class _Reader:
    """Reads an expression from left to right; how strongly operators bind makes no difference to what is one."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self.asked: set[tuple[str, str]] = set()

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self) -> tuple[str, str]:
        found = self._next
        self._at += found[0] != "end"
        return found

    def expect(self, sign: str, called: str = "") -> None:
        """Go past a sign.

        Raises:
            NoExpression: something else stands there.
        """
        kind, found = self._take()
        if found != sign or (kind == "end") != (sign == ""):
            raise NoExpression(f"expected {called or repr(sign)}, found {repr(found) if found else 'the end'}")

    def _is(self, *signs: str) -> bool:
        kind, found = self._next
        return kind in {"sign", "name"} and found in signs

    def expression(self) -> None:
        """Operands with operators between them, and a choice where `?` follows."""
        self._operand()
        while self._is(*_BINARY):
            self._take()
            self._operand()
        if self._is("?"):
            self._take()
            self.expression()
            self.expect(":")
            self.expression()

    def _operand(self) -> None:
        while self._is("!", "-"):
            self._take()
        kind, found = self._take()
        if kind == "name":
            self._named(found)
        elif found == "(" and kind == "sign":
            self.expression()
            self.expect(")")
        elif found == "[" and kind == "sign":
            self._listed("]")
        elif kind not in {"text", "number"}:
            raise NoExpression(f"expected a value, found {repr(found) if found else 'the end'}")
        self._members()

    def _named(self, name: str) -> None:
        if name in _LITERALS:
            return
        if name == _INPUTS:
            self._input()
        elif name not in _FUNCTIONS or not self._is("("):
            raise NoExpression(
                f"`{name}` is nothing that the driver knows: an input is `inputs.parameter_values['...']`"
            )

    def _input(self) -> None:
        self.expect(".")
        _, field = self._take()
        if field not in _KINDS:
            raise NoExpression(f"`inputs.{field}` is nothing that the driver knows")
        if self._is("."):
            self._take()
            kind, name = self._take()
        else:
            self.expect("[")
            kind, name = self._take()
            name = name[1:-1] if kind == "text" else name
            self.expect("]")
        if kind not in {"text", "name"}:
            raise NoExpression(f"`inputs.{field}` is asked for {name!r}, which is no name")
        self.asked.add((_KINDS[field], name))

    def _members(self) -> None:
        """What follows a value: fields, items and calls."""
        while self._is(".", "[", "("):
            _, sign = self._take()
            if sign == ".":
                if self._take()[0] != "name":
                    raise NoExpression("a field has a name")
            elif sign == "[":
                self.expression()
                self.expect("]")
            else:
                self._listed(")")

    def _listed(self, end: str) -> None:
        if self._is(end):
            self._take()
            return
        self.expression()
        while self._is(","):
            self._take()
            self.expression()
        self.expect(end)
