"""Data gates: what is expected of rows before anything is mined or learned from them, and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data import drift, query
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

_NUMBERS = {"integer", "double"}
_REFERENCE, _ROWS = "reference", "rows"
"""The relations of a connection that are asked: what rows are compared with, and the rows themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One expectation: the value found, the threshold it has to keep, and a sentence that says both."""

    check: str
    column: str | None
    value: float | None
    threshold: dict[str, float]
    holds: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Rows to judge: the relation `rows` of a connection, and the types of its columns."""

    connection: duckdb.DuckDBPyConnection
    columns: Mapping[str, str]

    def ask(self, expressions: Sequence[str], given: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The values of aggregates over all rows, in one pass."""
        sql = f"SELECT {', '.join(expressions)} FROM {_ROWS}"  # noqa: S608  # names quoted, values given apart
        (values,) = self.connection.execute(sql, list(given)).fetchall()
        return tuple(values)


def found(
    rows: Mapping[str, Any],
    expect: Mapping[str, Any] | None,
    reference: Mapping[str, Any] | None,
    freshness: Mapping[str, Any] | None,
    scratch: str,
) -> list[dict[str, Any]]:
    """Each expectation of `rows` as `Found` has it; to be called in a process of its own.

    `rows` and `reference`, with which drift is measured, are Parquet files: `paths`, `columns` and an `origin` that
    messages call them by. `freshness` has the `column`, the `seconds` that its newest may be old, and `as_of`.
    """
    paths = {_ROWS: rows["paths"], **({_REFERENCE: reference["paths"]} if reference else {})}
    every = [path for some in paths.values() for path in some]
    with query.told(rows["origin"]), query.opened(every, Path(scratch), query.MEMORY[-1]) as connection:
        for relation, files in paths.items():
            connection.execute(f"CREATE TEMP VIEW {relation} AS FROM {query.scan(files)}")
        data = Data(connection=connection, columns=rows["columns"])
        judgements = judged(data, expect) if expect else []
        if expect and reference:
            judgements += drifted(data, expect["drift"], reference["columns"], reference["origin"])
        if freshness:
            moment = datetime.fromisoformat(freshness["as_of"])
            judgements.append(fresh(data, freshness["column"], freshness["seconds"], moment))
    return [asdict(one) for one in judgements]


def judged(data: Data, expect: Mapping[str, Any]) -> list[Found]:
    """Every expectation but drift, and two that need no word: there are rows, and no column is empty.

    A column may be all NULL only where `nulls` allows all of it to be.
    """
    names = sorted(data.columns)
    counted = [name for name in names if data.columns[name] != "binary" or name in expect["nulls"]]
    total, *filled = data.ask(["count(*)", *(f"count({query.name(name)})" for name in counted)])
    first = _rows(total, expect["rows"] or {})
    if total == 0:
        return [first]
    nulls = {name: total - count for name, count in zip(counted, filled, strict=True)}
    nulls |= {name: total for name in names if name not in nulls and _is_empty(data, name)}
    return [first, *_nulls(nulls, total, expect["nulls"]), *_ranges(data, expect["ranges"])]


def drifted(data: Data, expect: Mapping[str, Any], reference: Mapping[str, str], origin: str) -> Iterator[Found]:
    """How far columns moved from those of relation `reference`, whose columns have these types."""
    largest = expect["max_psi"]
    for column in expect["columns"]:
        try:
            value = _psi(data, column, reference, origin)
        except DataError as error:
            yield _found("drift", column, None, {"max": largest}, f"the drift is unknown: {error}", holds=False)
            continue
        text = f"the PSI of `{column}` against {origin} is {value:.4g}, at most {largest:.12g} is expected"
        yield _found("drift", column, value, {"max": largest}, text, holds=value <= largest)


def _psi(data: Data, column: str, reference: Mapping[str, str], origin: str) -> float:
    kinds = data.columns.get(column, "no column"), reference.get(column, "no column")
    if kinds[0] != kinds[1] or column not in data.columns:
        message = f"`{column}` is {kinds[0]} here and {kinds[1]} in {origin}"
        raise DataError(message)
    return drift.measured(data.connection, (_REFERENCE, _ROWS), column, kinds[0])


def fresh(data: Data, column: str, seconds: float, as_of: datetime) -> Found:
    """Whether the newest row was recent when the run began; rows of a later time say nothing."""
    moment = int(as_of.timestamp() * 1_000_000)
    micros = f"epoch_us({query.name(column)})"
    newest, later = data.ask(
        [f"max({micros}) FILTER (WHERE {micros} <= ?)", f"count(*) FILTER (WHERE {micros} > ?)"], [moment, moment]
    )
    if newest is None:
        text = f"no row has a `{column}` up to {as_of.isoformat()}; one of the last {seconds:.12g} s is expected"
        return _found("freshness", column, None, {"max": seconds}, text, holds=False)
    age = (moment - newest) / 1_000_000
    text = f"the newest `{column}` is {age:.12g} s old, at most {seconds:.12g} s is expected"
    if later:
        text += f" ({later} rows are later than the run and do not count)"
    return _found("freshness", column, age, {"max": seconds}, text, holds=age <= seconds)


def _found(  # noqa: PLR0913  # an expectation has this many parts
    check: str,
    column: str | None,
    value: float | None,
    threshold: Mapping[str, float | None],
    text: str,
    *,
    holds: bool,
) -> Found:
    bounds = {side: bound for side, bound in threshold.items() if bound is not None}
    return Found(check=check, column=column, value=value, threshold=bounds, holds=holds, text=text)


def _rows(total: int, bounds: Mapping[str, float | None]) -> Found:
    low, high = max(1, bounds.get("min") or 0), bounds.get("max")
    holds = low <= total and (high is None or total <= high)
    text = f"{total} rows, {_between(low, high)} expected"
    return _found("rows", None, total, {"min": low, "max": high}, text, holds=holds)


def _is_empty(data: Data, column: str) -> bool:
    """Whether a column is all NULL; the first value that is there ends the search, for images are large."""
    sql = f"SELECT 1 FROM {_ROWS} WHERE {query.name(column)} IS NOT NULL LIMIT 1"  # noqa: S608  # a name, quoted
    return not data.connection.execute(sql).fetchall()


def _nulls(nulls: Mapping[str, int], total: int, largest: Mapping[str, float]) -> Iterator[Found]:
    for column, count in nulls.items():
        share = count / total
        if column in largest:
            text = (
                f"`{column}` is NULL in {count} of {total} rows ({share:.2%}), at most {largest[column]:.2%} expected"
            )
            holds = share <= largest[column]
            yield _found("nulls", column, share, {"max": largest[column]}, text, holds=holds)
        elif count == total:
            text = f"`{column}` is NULL in all {total} rows; where that is meant, say `nulls: {{{column}: 1}}`"
            yield _found("nulls", column, share, {}, text, holds=False)
    for column in sorted(largest.keys() - nulls.keys()):
        text = f"`{column}` is no column, so that its NULLs cannot be counted"
        yield _found("nulls", column, None, {"max": largest[column]}, text, holds=False)


def _ranges(data: Data, ranges: Mapping[str, Mapping[str, float | None]]) -> Iterator[Found]:
    for column, bounds in ranges.items():
        low, high = bounds.get("min"), bounds.get("max")
        asked = _between(low, high)
        if data.columns.get(column) not in _NUMBERS:
            text = f"`{column}` is {data.columns.get(column, 'no column')}: only numbers have a range"
            yield _found("range", column, None, bounds, text, holds=False)
            continue
        values, outside, smallest, largest = data.ask(*_outside(column, low, high))
        text = f"{outside} of {values} values of `{column}` are not {asked}" if outside else f"`{column}` is {asked}"
        if smallest is not None:
            text += f": from {smallest:.12g} to {largest:.12g}"
        text = text if values else f"`{column}` has no value that could be {asked}"
        yield _found("range", column, outside, bounds, text, holds=values > 0 and outside == 0)


def _outside(column: str, low: float | None, high: float | None) -> tuple[list[str], list[float]]:
    """What to ask: how many values there are, how many are out of range or no number, the smallest and the largest."""
    value = f"CAST({query.name(column)} AS DOUBLE)"
    terms = [
        f"isnan({value})",
        *(f"{value} {sign} ?" for sign, bound in (("<", low), (">", high)) if bound is not None),
    ]
    asked = [
        f"count({value})",
        f"count(*) FILTER (WHERE {' OR '.join(terms)})",
        *(f"{end}({value}) FILTER (WHERE NOT isnan({value}))" for end in ("min", "max")),
    ]
    return asked, [bound for bound in (low, high) if bound is not None]


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low:.12g}" if high is None else f"at most {high:.12g}"
    return f"between {low:.12g} and {high:.12g}"
