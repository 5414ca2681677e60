"""The grammar: from a text to its tree, or to the one place where it stops being a predicate.

any     = all ("or" all)*
all     = negated ("and" negated)*
negated = "not"* test
test    = sum [comparison sum | "is" ["not"] "null" | ["not"] ("in" "(" literal ("," literal)* ")"
              | "between" sum "and" sum | "like" string)]
sum     = product (("+" | "-") product)*
product = signed (("*" | "/" | "%") signed)*
signed  = "-"* primary
primary = literal | column | function "(" any ("," any)* ")" | "(" any ")"
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from clspec.diagnostic import did_you_mean
from clspec.predicate.cursor import Cursor, shown
from clspec.predicate.functions import FUNCTIONS, instead_of
from clspec.predicate.literals import TEMPORAL, number, temporal
from clspec.predicate.problem import TOO_LARGE, PredicateError, Problem
from clspec.predicate.tokens import Kind, Token, tokens_of, wrong
from clspec.predicate.tree import (
    COMPARISONS,
    PRODUCTS,
    SUMS,
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
    all_of,
    any_of,
)
from clspec.predicate.types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 4096
"""Characters of a predicate."""
_EMPTY = "a list holds at least one value and does not end in a comma"


@lru_cache(maxsize=8192)
def parse(text: str) -> Expression:
    """The tree of a predicate. Whether its columns exist and its types fit is for `check` to say.

    Raises:
        PredicateError: with the first place where the text is not a predicate.
    """
    if len(text) > MAX_LENGTH:
        message = f"a predicate has at most {MAX_LENGTH} characters; this one has {len(text)}"
        hint = "give the source a column for it, or split the rule"
        raise PredicateError(Problem(TOO_LARGE, message, MAX_LENGTH, len(text), hint))
    return _Parser(tokens_of(text)).whole()


class _Parser(Cursor):
    """One method for each rule of the grammar; `start` is where the rule's text began."""

    def whole(self) -> Expression:
        if self.at_end():
            self.refuse("the predicate is empty", "`true` holds for every row")
        expression = self._any()
        if not self.at_end():
            self.refuse_more("`and`, `or` or the end")
        return expression

    def _any(self) -> Expression:
        return self._chain("or", self._all, any_of)

    def _all(self) -> Expression:
        return self._chain("and", self._negated, all_of)

    def _chain(self, word: str, operand: Callable[[], Expression], join: Callable[..., Expression]) -> Expression:
        start = self.now.start
        operands = [operand()]
        while self.took(word):
            operands.append(operand())
        if len(operands) == 1:
            return operands[0]
        return self.fitting(join(operands, start=start, end=self.end))

    def _negated(self) -> Expression:
        if not self.now.is_keyword("not"):
            return self._test()
        starts = self.prefixes(lambda: self.now.is_keyword("not"))
        expression = self._test()
        for start in reversed(starts):
            expression = self.fitting(Not(expression, start=start, end=self.end))
        return expression

    def _test(self) -> Expression:
        start = self.now.start
        left = self._sum()
        if self.now.is_sign(*COMPARISONS):
            return self._comparison(left, start)
        if self.took("is"):
            return self._null_test(left, start)
        negated = self.now.is_keyword("not") and self.next.is_keyword("in", "between", "like")
        if negated:
            self.take()
        if not self.now.is_keyword("in", "between", "like"):
            return left
        rule = {"in": self._in, "between": self._between, "like": self._like}[self.take().value]
        test = self.fitting(rule(left, start))
        return self.fitting(Not(test, start=start, end=self.end)) if negated else test

    def _comparison(self, left: Expression, start: int) -> Expression:
        operator = self.take()
        if self.now.is_keyword("null"):
            instead = "is not null" if operator.value == "!=" else "is null"
            self.refuse("nothing compares with null, not even null", f"write `{instead}`")
        right = self._sum()
        if self.now.is_sign(*COMPARISONS):
            self.refuse("comparisons do not chain", "write `a < b and b < c`")
        return self.fitting(Comparison(operator.value, left, right, start=start, end=self.end))

    def _null_test(self, operand: Expression, start: int) -> Expression:
        negated = self.took("not")
        if not self.took("null"):
            hint = "write `= true` or `= false`" if self.now.is_keyword("true", "false") else "compare with `=`"
            self.refuse(f"expected `null` after `is`, found {shown(self.now)}", hint)
        test = self.fitting(IsNull(operand, start=start, end=self.end))
        return self.fitting(Not(test, start=start, end=self.end)) if negated else test

    def _in(self, operand: Expression, start: int) -> Expression:
        if not self.now.is_sign("("):
            self.refuse(f"expected a list after `in`, found {shown(self.now)}", "write `in ('a', 'b')`")
        self.open()
        values = [self._listed()]
        while self.now.is_sign(","):
            self.take()
            values.append(self._listed())
        self.close("`,` or `)`")
        return In(operand, tuple(values), start=start, end=self.end)

    def _listed(self) -> Literal:
        if self.now.is_keyword("null"):
            self.refuse("null is never in a list", "add `or ... is null`")
        literal = self._literal()
        if literal is None:
            ends = self.now.is_sign(")")
            hint = _EMPTY if ends else instead_of(self.now.text) or "for a column write `a = b or a = c`"
            self.refuse(f"expected a value in the list, found {shown(self.now)}", hint)
        return literal

    def _between(self, operand: Expression, start: int) -> Expression:
        low = self._sum()
        if not self.took("and"):
            self.refuse(f"expected `and` after `between`, found {shown(self.now)}", "write `between 1 and 3`")
        high = self._sum()
        return Between(operand, low, high, start=start, end=self.end)

    def _like(self, operand: Expression, start: int) -> Expression:
        if self.now.kind is not Kind.STRING:
            self.refuse(f"expected a pattern after `like`, found {shown(self.now)}", "write `like 'rain%'`")
        if "\\%" in self.now.value or "\\_" in self.now.value:
            self.refuse("`like` has no escape character", "leave out the `\\`: `_` fits any one character")
        return Like(operand, self.take().value, start=start, end=self.end)

    def _sum(self) -> Expression:
        return self._operators(SUMS, self._product)

    def _product(self) -> Expression:
        return self._operators(PRODUCTS, self._signed)

    def _operators(self, signs: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        start = self.now.start
        left = operand()
        while self.now.kind is Kind.SIGN and self.now.value in signs:
            sign = self.take().value
            right = operand()
            left = self.fitting(Arithmetic(sign, left, right, start=start, end=self.end))
        return left

    def _signed(self) -> Expression:
        if self.now.kind is not Kind.SIGN:
            return self._primary()
        starts = self.prefixes(lambda: self.now.is_sign("-") and self.next.kind is not Kind.NUMBER)
        expression = self._primary()
        for start in reversed(starts):
            expression = self.fitting(Negative(expression, start=start, end=self.end))
        return expression

    def _primary(self) -> Expression:
        literal = self._literal()
        if literal is not None:
            return literal
        if self.now.is_sign("("):
            return self._parenthesised()
        if self.now.kind is Kind.WORD and not self.now.is_keyword():
            return self._call() if self.next.is_sign("(") else self._column()
        if self.now.kind is not Kind.QUOTED_NAME:
            self.refuse_value()
        return self._column()

    def _parenthesised(self) -> Expression:
        self.open()
        expression = self._any()
        if self.now.is_sign(","):
            self.refuse("a list has no place here", "a list follows `in`")
        self.close("`and`, `or` or `)`")
        return expression

    def _call(self) -> Expression:
        word = self.take()
        name = word.text.lower()
        if name not in FUNCTIONS:
            hint = instead_of(name) or did_you_mean(name, FUNCTIONS)
            raise wrong(word.start, word.end, f"there is no function `{word.text}`", hint)
        self.open()
        arguments = [] if self.now.is_sign(")") else [self._any()]
        while arguments and self.now.is_sign(","):
            self.take()
            arguments.append(self._any())
        self.close("`,` or `)`")
        self._count(word, len(arguments))
        return self.fitting(Call(name, tuple(arguments), start=word.start, end=self.end))

    def _count(self, word: Token, given: int) -> None:
        function = FUNCTIONS[word.text.lower()]
        if given < function.fewest or (function.most is not None and given > function.most):
            message = f"`{function.name}` takes {function.arity}, not {given}"
            raise wrong(word.start, self.end, message, instead_of(function.name))

    def _column(self) -> Column:
        token = self.take()
        quoted = token.kind is Kind.QUOTED_NAME
        return Column(token.value, quoted=quoted, start=token.start, end=token.end)

    def _literal(self) -> Literal | None:  # noqa: PLR0911  # one for each kind of literal, the frequent first
        token = self.now
        if token.kind is Kind.STRING:
            self.take()
            return Literal(token.value, ColumnType.STRING, start=token.start, end=token.end)
        if token.kind is Kind.NUMBER:
            return number(self.take(), token.start, negative=False)
        if token.is_sign("-") and self.next.kind is Kind.NUMBER:
            self.take()
            return number(self.take(), token.start, negative=True)
        if token.kind is not Kind.WORD:
            return None
        if token.text.lower() in TEMPORAL and self.next.kind is Kind.STRING:
            return temporal(self.take(), self.take())
        if token.is_keyword("true", "false"):
            self.take()
            return Literal(token.value == "true", ColumnType.BOOLEAN, start=token.start, end=token.end)
        return None
