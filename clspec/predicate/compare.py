"""Whether a changed predicate selects the same rows, fewer or more; decided by its tree, never by trying rows.

Both predicates are read as logic over questions about terms. A term is a column, or something computed from columns.
The values of each term are cut into stretches that no question of either predicate tells apart (`regions`), and both
are asked about every combination of stretches: with columns alone that is every row there can be, so the answer is
exact. Computed terms are taken to be independent of each other, which admits rows that cannot be. So what holds for all
combinations still holds for all rows; where it does not hold, nothing is known.

**NULL counts as not selected.** A row about which the old predicate says NULL and the new one says false is selected by
neither, so that they may be the `SAME`; `Compared.unknown` tells that the new one leaves fewer rows open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from clspec.predicate.check import check
from clspec.predicate.logic import MAX_COMBINATIONS, truths
from clspec.predicate.questions import TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.predicate.tree import Expression
    from clspec.predicate.types import ColumnType

__all__ = ["MAX_COMBINATIONS", "Compared", "Relation", "compare"]


class Relation(Enum):
    """What has become of a set of rows."""

    SAME = "same"
    NARROWER = "narrower"
    """Every row of the new set was in the old one. Some row may have gone: it has, where only columns are asked."""
    WIDER = "wider"
    """Every row of the old set is in the new one."""
    OTHER = "other"
    """Some rows have gone and others have come."""
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What has become of the rows for which a predicate is true, and of those for which it is NULL."""

    selected: Relation
    unknown: Relation


_NOTHING_KNOWN = Compared(selected=Relation.UNKNOWN, unknown=Relation.UNKNOWN)


def compare(
    before: Expression,
    after: Expression,
    columns: Mapping[str, ColumnType],
    columns_after: Mapping[str, ColumnType] | None = None,
) -> Compared:
    """How the rows that `after` selects relate to those that `before` selects.

    `columns_after` are the columns that `after` is about where they differ; a column of another type has other values.

    Raises:
        ValueError: one of them does not make sense on its columns; `check` says why.
    """
    later = columns if columns_after is None else columns_after
    problems = (*check(before, columns), *check(after, later))
    if problems:
        raise ValueError(problems)
    both = {**later, **columns}
    if check(after, both) or check(before, {**columns, **later}) or _moved(columns, later):
        return _NOTHING_KNOWN
    try:
        old, new, exact = truths(before, after, both)
    except TooLarge:
        same = before == after
        return Compared(selected=Relation.SAME, unknown=Relation.SAME) if same else _NOTHING_KNOWN
    return Compared(
        selected=_related(old.true, new.true, exact=exact), unknown=_related(old.null, new.null, exact=exact)
    )


def _moved(columns: Mapping[str, ColumnType], later: Mapping[str, ColumnType]) -> bool:
    """Whether a column that both have is of another type."""
    return any(later[name] is not found for name, found in columns.items() if name in later)


def _related(old: int, new: int, *, exact: bool) -> Relation:
    """How two sets of combinations relate, each a number whose bits are the combinations."""
    if old == new:
        return Relation.SAME
    if not new & ~old:
        return Relation.NARROWER
    if not old & ~new:
        return Relation.WIDER
    return Relation.OTHER if exact else Relation.UNKNOWN
