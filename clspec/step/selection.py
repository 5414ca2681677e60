"""Which golden rows a predicate selects: true, false, or NULL, which is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from clspec import predicate
from clspec.diagnostic import ClspecError, StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 1,
}


class Selector:
    """A golden table that predicates are asked of; only SQL printed from their own tree is ever run on it."""

    def __init__(self, rows: pa.Table, columns: Mapping[str, str]) -> None:
        self._columns = {name: predicate.ColumnType(kind) for name, kind in columns.items()}
        self._rows = rows
        self._connection = duckdb.connect(":memory:", config=_LOCKED_DOWN)
        self._connection.execute("SET lock_configuration = true")
        numbered = rows.append_column("clspec row", pa.array(range(len(rows)), type=pa.int64()))
        self._connection.register("golden", numbered)

    def select(self, text: str) -> list[bool | None]:
        """For each row, in order, whether the predicate holds.

        Raises:
            ClspecError: the predicate is not one; a compile would have refused it.
        """
        expression, problems = predicate.understand(text, self._columns)
        if expression is None or problems:
            message = f"the plan holds a predicate that cannot be read: {text}"
            raise ClspecError(message)
        sql = f'SELECT {predicate.to_sql(expression, self._columns)} FROM golden ORDER BY "clspec row"'  # noqa: S608  # our own tree
        return [row[0] for row in self._connection.execute(sql).fetchall()]


def both(left: Sequence[bool | None], right: Sequence[bool | None]) -> list[bool | None]:
    """SQL's `and` of two predicates, row by row: false wins over NULL, NULL over true."""
    return [False if False in pair else None if None in pair else True for pair in zip(left, right, strict=True)]


def groups(values: pa.ChunkedArray, rows: Sequence[int]) -> dict[str | None, list[int]]:
    """The rows by their value in a column, as text, in the order of the texts; NULL is a value, and comes last."""
    found: dict[str | None, list[int]] = {}
    every = values.to_pylist()
    for index in rows:
        found.setdefault(_text(every[index]), []).append(index)
    return dict(sorted(found.items(), key=lambda item: (item[0] is None, item[0] or "")))


def _text(value: Any) -> str | None:
    """A value as one reads it; values that are equal have one text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return repr(value + 0.0)  # no minus on a zero
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def refuse_unknown_labels(labels: pa.ChunkedArray, classes: Sequence[str]) -> None:
    """Make sure that every golden row is of a class of the task: another label would be in no recall.

    Raises:
        StepFailed: a row is not.
    """
    strange = sorted(set(pc.unique(labels).to_pylist()) - {*classes, None})
    if strange:
        count = int(pc.sum(pc.is_in(labels, value_set=pa.array(strange, type=labels.type))).as_py())
        message = f"{count} golden rows have labels that are not in `task.classes`: {', '.join(map(repr, strange[:5]))}"
        raise StepFailed(message)


def refuse_no_numbers(labels: pa.ChunkedArray, name: str) -> None:
    """Make sure that every golden row's label is a finite number: no error can be told from another.

    Raises:
        StepFailed: one is not.
    """
    numbers = pa.types.is_integer(labels.type) or pa.types.is_floating(labels.type)
    bad = int(pc.sum(pc.invert(pc.is_finite(labels))).as_py() or 0) if numbers else len(labels)
    if bad:
        message = f"{bad} golden rows have a `{name}` that is no finite number, which a regression needs"
        raise StepFailed(message)
