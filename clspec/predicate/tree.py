"""A predicate as a tree of frozen values; two trees are equal when they say the same in the same words.

Every node knows the stretch of text it was read from, which takes no part in comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from clspec.predicate.types import ColumnType

Value: TypeAlias = "str | int | float | bool | dt.datetime | dt.date"
"""What a literal can be. A datetime is always in UTC."""

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
SUMS = ("+", "-")
PRODUCTS = ("*", "/", "%")


@dataclass(frozen=True, slots=True)
class Expression:
    """Any part of a predicate that has a value."""

    __match_args__: ClassVar[tuple[str, ...]]
    """What a node holds, without where it stands."""
    start: int = field(default=0, compare=False, repr=False, kw_only=True)
    end: int = field(default=0, compare=False, repr=False, kw_only=True)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The expressions directly inside this one, in the order of the text."""
        found: list[Expression] = []
        for name in self.__match_args__:
            held = getattr(self, name)
            found += [one for one in (held if isinstance(held, tuple) else (held,)) if isinstance(one, Expression)]
        return tuple(found)

    @property
    def depth(self) -> int:
        """The number of nodes from here down to the furthest leaf; a leaf has depth 1."""
        return 1 + max((part.depth for part in self.parts), default=0)


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A value written out. Its type tells `1` from `1.0` and from `true`, which Python takes for equal."""

    value: Value
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Column(Expression):
    """The row's value in a column."""

    name: str
    quoted: bool = field(default=False, compare=False, repr=False, kw_only=True)
    """Whether it was written in double quotes, as those who mean a string do."""


@dataclass(frozen=True, slots=True)
class And(Expression):
    """All hold. Made by `all_of`, so that no operand is itself an `And`."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """At least one holds. Made by `any_of`, so that no operand is itself an `Or`."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """The opposite; NULL stays NULL. `x not in (...)`, `is not null` and the like are a `Not` too."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """Two values compared by one of `COMPARISONS`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """Two numbers combined by one of `SUMS` or `PRODUCTS`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """A number with its sign turned. A minus directly before a number is part of the literal instead."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """Whether there is no value; true or false, never NULL."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """`low <= operand and operand <= high`."""

    operand: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class In(Expression):
    """Whether the value is one of those listed; NULL where there is no value."""

    operand: Expression
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """Whether a whole string fits a pattern: `%` is any text, `_` one character, all else itself."""

    operand: Expression
    pattern: str


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """One of the `FUNCTIONS`, by its lower-case name."""

    function: str
    arguments: tuple[Expression, ...]


def all_of(operands: Iterable[Expression], *, start: int = 0, end: int = 0) -> Expression:
    """The operands joined by `and`, flat; a single one is itself."""
    flat = tuple(part for one in operands for part in (one.parts if isinstance(one, And) else (one,)))
    return flat[0] if len(flat) == 1 else And(flat, start=start, end=end)


def any_of(operands: Iterable[Expression], *, start: int = 0, end: int = 0) -> Expression:
    """The operands joined by `or`, flat; a single one is itself."""
    flat = tuple(part for one in operands for part in (one.parts if isinstance(one, Or) else (one,)))
    return flat[0] if len(flat) == 1 else Or(flat, start=start, end=end)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all that is inside it, in the order of the text."""
    yield expression
    for part in expression.parts:
        yield from walk(part)


def columns_of(expression: Expression) -> frozenset[str]:
    """The names of the columns it reads."""
    return frozenset(part.name for part in walk(expression) if isinstance(part, Column))
