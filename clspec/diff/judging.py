"""How a difference finds its row in the table: by what came and went, which way a number moved, what a list lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clspec.diff.change import ABSENT
from clspec.predicate import PredicateError, parse
from clspec.predicate.compare import Compared, Relation, compare
from clspec.quantity import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.diff.leaves import Leaf
    from clspec.diff.view import Path
    from clspec.predicate import ColumnType

Judge = Callable[["Leaf"], "str | None"]
"""The row that a difference belongs to; None where another difference says the same."""


def always(row: str) -> Judge:
    """Whatever became of it."""
    return lambda _: row


def told_elsewhere(leaf: Leaf) -> None:
    """Another difference says it."""
    del leaf


def presence(*, added: str, removed: str, changed: str) -> Judge:
    """By whether it came, went, or is another."""
    return lambda leaf: added if leaf.added else removed if leaf.removed else changed


def number(*, up: str, down: str, added: str, removed: str) -> Judge:
    """By which way a number or a duration moved; the same time in other units is no move."""

    def judged(leaf: Leaf) -> str:
        if leaf.added:
            return added
        if leaf.removed:
            return removed
        old, new = map(_amount, (leaf.old, leaf.new))
        return "metadata" if old == new else up if new > old else down

    return judged


def _amount(value: Any) -> float:
    return float(seconds(value)) if isinstance(value, str) else float(value)


def listed(*, fewer: str, more: str, same: str) -> Judge:
    """By whether a list lost something, only gained, or holds the same in another order."""

    def judged(leaf: Leaf) -> str:
        old, new = (set() if one is ABSENT else set(map(str, one)) for one in (leaf.old, leaf.new))
        return fewer if old - new else more if new - old else same

    return judged


def must_pass(leaf: Leaf) -> bool:
    """Whether the scenario that this is about must pass, as the base has it."""
    return bool(leaf.base.value["golden"]["scenarios"][leaf.path[2]]["must_pass"])


def by_base(judge: Judge, *rows: str) -> Judge:
    """The same judge, its weaker rows as advice only where the base does not demand that the scenario passes."""

    def judged(leaf: Leaf) -> str | None:
        found = judge(leaf)
        return f"{found}-advisory" if found in rows and not must_pass(leaf) else found

    return judged


def related(leaf: Leaf, columns: Mapping[str, ColumnType], later: Mapping[str, ColumnType]) -> Compared:
    """What a changed predicate does to the rows it selects; nothing is known of one that makes no sense."""
    try:
        return compare(parse(leaf.old), parse(leaf.new), columns, later)
    except (PredicateError, ValueError, TypeError):
        return Compared(selected=Relation.UNKNOWN, unknown=Relation.UNKNOWN)


Rules = tuple[tuple[str, Judge], ...]
"""Patterns of paths, `*` for one step and `**` at the end for any, each with its judge; the first that fits judges."""


def row_of(rules: Rules, leaf: Leaf) -> str | None:
    """The row of a difference; `unknown` where no rule knows it."""
    judge = next((judge for pattern, judge in rules if _fits(pattern.split("."), leaf.path)), always("unknown"))
    return judge(leaf)


def _fits(pattern: list[str], path: Path) -> bool:
    if pattern[-1] == "**":
        return len(path) >= len(pattern) - 1 and _fits_exactly(pattern[:-1], path[: len(pattern) - 1])
    return len(pattern) == len(path) and _fits_exactly(pattern, path)


def _fits_exactly(pattern: list[str], path: Path) -> bool:
    return all(one in ("*", step) for one, step in zip(pattern, path, strict=True))
