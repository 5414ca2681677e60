"""The words of a predicate, and what to say about signs that other languages have."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from clspec.predicate.problem import UNREADABLE, PredicateError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYWORDS = frozenset({"and", "between", "false", "in", "is", "like", "not", "null", "or", "true"})
"""Written in any case. A column of such a name stands in double quotes."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED_NAME = "name"
    STRING = "string"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


class Token(NamedTuple):
    """A word or sign. `text` is as written; `value` is without quotes, and keywords are in lower case."""

    kind: Kind
    text: str
    value: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends, exclusive."""
        return self.start + len(self.text)

    def is_sign(self, *signs: str) -> bool:
        """Whether it is one of these signs."""
        return self.kind is Kind.SIGN and self.value in signs

    def is_keyword(self, *words: str) -> bool:
        """Whether it is one of these keywords; of any at all if none is given."""
        return self.kind is Kind.WORD and self.value in (words or KEYWORDS)


_COMMENT = "there are no comments; say it in the spec, after `#`"
_NO_REGEX = "there are no regular expressions; `like` knows `%` and `_`"
_NO_CAST = "nothing is converted; give the source the type you need"
_STRINGS = "strings stand in straight single quotes: 'night'"
_ONE_EXPRESSION = "a predicate is one expression; join several by `and` or `or`"
_NO_PARAMETERS = "a predicate has no parameters; write the value"

_SIGNS = ("<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",")
_SLIPS = {
    "==": "write `=`",
    "=<": "write `<=`",
    "=>": "write `>=`",
    "<=>": "write `=`, or ask for `is null` first",
    "=~": _NO_REGEX,
    "!~": _NO_REGEX,
    "~": _NO_REGEX,
    "!": "write `not`",
    "&&": "write `and`",
    "&": "write `and`",
    "||": "write `or`; strings cannot be joined",
    "|": "write `or`",
    "^": "write the product out",
    "**": "write the product out",
    "//": "write `floor(a / b)`",
    "->": "a column has no parts here; give the source a column of its own for it",
    "--": _COMMENT + "; between two minus signs put a space",
    "/*": _COMMENT,
    "#": _COMMENT,
    "::": _NO_CAST,
    ":": _NO_PARAMETERS,
    "$": _NO_PARAMETERS,
    "?": _NO_PARAMETERS,
    "@": _NO_PARAMETERS,
    ";": _ONE_EXPRESSION,
    "`": 'a column is written bare or in double quotes: "odd name"',
    "[": "a list stands in parentheses: `in ('a', 'b')`",
    "]": "a list stands in parentheses: `in ('a', 'b')`",
    "{": "a list stands in parentheses: `in ('a', 'b')`",
    "}": "a list stands in parentheses: `in ('a', 'b')`",
    "\\": "a quote inside quotes is written twice: 'rider''s'",
    ".": "a column stands alone, without a table or `.` before it",
    "\u2260": "write `!=`",
    "\u2264": "write `<=`",
    "\u2265": "write `>=`",
    "\u2018": _STRINGS,
    "\u2019": _STRINGS,
    "\u201c": _STRINGS,
    "\u201d": _STRINGS,
    "\u2212": "write the minus sign `-`",
}

_QUOTES = {
    "'": "a quote inside quotes is written twice: 'rider''s'",
    '"': "double quotes are around a column; a string stands in single quotes: 'night'",
}

_LONGEST_FIRST = sorted([*_SIGNS, *_SLIPS], key=lambda sign: (-len(sign), sign))
_TOKEN = re.compile(
    r"[ \t\n]*+(?:(?P<word>[^\W\d]\w*)"
    r"|(?P<number>\.?[0-9](?:[eE][+-](?=[0-9])|[\w.])*)"
    r"|(?P<string>'(?:[^']|'')*+')"
    r'|(?P<name>"(?:[^"]|"")*+")'
    "|(?P<sign>" + "|".join(map(re.escape, _LONGEST_FIRST)) + "))"
)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, the last of them `END`.

    Raises:
        PredicateError: a character has no place in a predicate, or a quote is never closed.
    """
    if hidden := _HIDDEN.search(text):
        hint = "in a predicate every character can be seen, and lines end in plain line feeds"
        raise wrong(hidden.start(), hidden.end(), f"hidden character U+{ord(hidden.group()):04X}", hint)
    found = list(_tokens(text))
    end = found[-1].end if found else 0
    return [*found, Token(Kind.END, "", "", end)]


def wrong(start: int, end: int, message: str, hint: str = "") -> PredicateError:
    """The error that this stretch of text is no predicate."""
    return PredicateError(Problem(UNREADABLE, message, start, end, hint))


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while match := _TOKEN.match(text, place):
        group = match.lastgroup or ""
        word, place = match[group], match.end()
        kind, value, message, hint = _known(group, word)
        start = place - len(word)
        if message:
            raise wrong(start, place, message, hint)
        yield Token(kind, word, value, start)
    if place < len(text) and (rest := text[place:].lstrip(" \t\n")):
        raise _stray(text, len(text) - len(rest))


@lru_cache(maxsize=4096)
def _known(group: str, text: str) -> tuple[Kind, str, str, str]:
    """What a word or sign is, its value, and what is wrong with it and how to mend that; specs repeat their words."""
    token = Token(Kind(group), text, _VALUES[group](text), 0)
    return token.kind, token.value, *_CHECKS[group](token)


def _word_value(text: str) -> str:
    return text.lower() if text.lower() in KEYWORDS else text


def _word_problem(token: Token) -> tuple[str, str]:
    if NAME.fullmatch(token.text):
        return "", ""
    return f"`{token.text}` has letters other than A to Z", f'put the column in double quotes: "{token.text}"'


def _number_problem(token: Token) -> tuple[str, str]:
    if _NUMBER.fullmatch(token.text):
        return "", ""
    hints = {".": "a digit stands on both sides of the point: `0.5`", "_": "write the digits without `_`"}
    hint = next((hint for sign, hint in hints.items() if sign in token.text), "write it as `12`, `0.5` or `3e-4`")
    return f"`{token.text}` is not a number", hint


def _quoted_problem(token: Token) -> tuple[str, str]:
    if "\n" in token.text or "\t" in token.text:
        return "a line break or tab inside quotes", "close the quote on its line"
    if not token.value and token.kind is Kind.QUOTED_NAME:
        return "a column without a name", "an empty string is written ''"
    return "", ""


def _sign_problem(token: Token) -> tuple[str, str]:
    hint = _SLIPS.get(token.text, "")
    return (f"`{token.text}` is not part of the language" if hint else ""), hint


_VALUES: dict[str, Callable[[str], str]] = {
    "word": _word_value,
    "number": str,
    "string": lambda text: text[1:-1].replace("''", "'"),
    "name": lambda text: text[1:-1].replace('""', '"'),
    "sign": lambda text: "!=" if text == "<>" else text,
}
_CHECKS: dict[str, Callable[[Token], tuple[str, str]]] = {
    "word": _word_problem,
    "number": _number_problem,
    "string": _quoted_problem,
    "name": _quoted_problem,
    "sign": _sign_problem,
}


def _stray(text: str, place: int) -> PredicateError:
    character = text[place]
    if character in _QUOTES:
        return wrong(place, len(text), f"the quote `{character}` is never closed", _QUOTES[character])
    if unicodedata.category(character) in {"Zs", "Cf"}:
        return wrong(place, place + 1, f"U+{ord(character):04X} is not an ordinary space", "write a plain space")
    return wrong(place, place + 1, f"`{character}` is not part of the language")
