"""How far a column has moved from what it was: the population stability index.

PSI = sum over cells of (a - e) * ln(a / e), with e the reference's share of a cell and a the share now; N. Siddiqi,
"Credit Risk Scorecards" (2006), chapter 6, which calls up to 0.1 no change to speak of and from 0.25 on a shift. A cell
that is empty on one side counts there as half a row, so that the index stays finite; one empty on both is no cell.

The cells of texts and booleans are their values. Those of numbers and times are the ten that the reference's deciles
make, the outer ones open, each without its lower end; a value that two deciles share is a cell of its own, so that a
pile of equal values is seen to move. NULL and NaN are cells too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clspec.data import query
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

_DECILES = [share / 10 for share in range(1, 10)]
_MOST_CATEGORIES = 10_000
_AS_NUMBER = {
    "integer": "CAST({} AS DOUBLE)",
    "double": "CAST({} AS DOUBLE)",
    "timestamp": "CAST(epoch_us({}) AS DOUBLE)",
    "date": "CAST(epoch_us({}) AS DOUBLE)",
}
_AS_CATEGORY = {"string": "{}", "boolean": "CAST({} AS VARCHAR)"}

Cell = tuple[str, str | None]
"""A cell's sort and its value."""


def psi(reference: Mapping[Cell, int], now: Mapping[Cell, int]) -> float:
    """The population stability index of two counts of cells.

    Raises:
        DataError: one of them counts nothing.
    """
    expected, found = sum(reference.values()), sum(now.values())
    if not expected or not found:
        message = "there are no rows whose drift could be told"
        raise DataError(message)
    total = 0.0
    for cell in sorted(reference.keys() | now.keys(), key=repr):  # so that the sum has one order
        counts = reference.get(cell, 0), now.get(cell, 0)
        if any(counts):
            before, after = max(counts[0], 0.5) / expected, max(counts[1], 0.5) / found
            total += (after - before) * math.log(after / before)
    return total


def measured(connection: duckdb.DuckDBPyConnection, relations: tuple[str, str], column: str, kind: str) -> float:
    """The index of a column between two relations of a connection, the reference first.

    Raises:
        DataError: the column has no cells: it holds bytes, or a text of its own in almost every row.
    """
    reference, now = relations
    if kind in _AS_CATEGORY:
        value = _AS_CATEGORY[kind].format(query.name(column))
        return psi(_categories(connection, reference, column, value), _categories(connection, now, column, value))
    if kind not in _AS_NUMBER:
        message = f"`{column}` is {kind}, of which no drift can be told"
        raise DataError(message)
    value = _AS_NUMBER[kind].format(query.name(column))
    cells = _cells(value, _deciles(connection, reference, value))
    return psi(_numbers(connection, reference, cells), _numbers(connection, now, cells))


def _categories(connection: duckdb.DuckDBPyConnection, relation: str, column: str, value: str) -> dict[Cell, int]:
    sql = f"SELECT {value}, count(*) FROM {query.name(relation)} GROUP BY 1 LIMIT {_MOST_CATEGORIES + 1}"  # noqa: S608  # names quoted, no user's text
    found = connection.execute(sql).fetchall()
    if len(found) > _MOST_CATEGORIES:
        message = f"`{column}` has more than {_MOST_CATEGORIES} different values, which are no categories to compare"
        raise DataError(message)
    return {("value", text): count for text, count in found}


def _deciles(connection: duckdb.DuckDBPyConnection, relation: str, value: str) -> list[float]:
    """The values that a tenth, two tenths and so on of the reference do not exceed; none where it has no numbers."""
    sql = f"SELECT quantile_disc({value}, {_DECILES}) FROM {query.name(relation)} WHERE NOT isnan({value})"  # noqa: S608  # as above
    ((found,),) = connection.execute(sql).fetchall()
    return list(found or ())


def _cells(value: str, deciles: Sequence[float]) -> dict[Cell, tuple[str, list[float]]]:
    """For each cell its condition in SQL, and the numbers that stand for its question marks."""
    cells: dict[Cell, tuple[str, list[float]]] = {
        ("value", None): (f"{value} IS NULL", []),
        ("nan", None): (f"isnan({value})", []),
    }
    edges = sorted(set(deciles))
    piles = {edge for edge in edges if deciles.count(edge) > 1}
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        bounds = [(">", low), ("<" if high in piles else "<=", high)]
        terms = [f"NOT isnan({value})", *(f"{value} {sign} ?" for sign, bound in bounds if bound is not None)]
        cells["up to", repr(high)] = (" AND ".join(terms), [bound for _, bound in bounds if bound is not None])
    cells |= {("value", repr(pile)): (f"{value} = ?", [pile]) for pile in sorted(piles)}
    return cells


def _numbers(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    cells: Mapping[Cell, tuple[str, list[float]]],
) -> dict[Cell, int]:
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition, _ in cells.values())
    numbers = [number for _, given in cells.values() for number in given]
    (found,) = connection.execute(f"SELECT {counts} FROM {query.name(relation)}", numbers).fetchall()  # noqa: S608  # as above
    return dict(zip(cells, found, strict=True))
