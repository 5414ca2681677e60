"""Rows in the language's types: Arrow tables whose content has one digest, whatever files it lay in."""

from __future__ import annotations

import datetime
import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.diagnostic import StepFailed
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_TYPES: dict[str, pa.DataType] = {
    "string": pa.large_string(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "binary": pa.large_binary(),
}
_BATCH = 2_000


class DataError(StepFailed):
    """Data is not what was said of it; the text names the row and the column."""


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of columns of the language, by name: in which order they were written never matters."""
    return pa.schema([pa.field(name, _TYPES[kind]) for name, kind in sorted(columns.items())])


def from_rows(rows: Iterable[Any], columns: Mapping[str, str], origin: str) -> pa.Table:
    """Rows given as dicts, each with just these columns, as a table.

    Raises:
        DataError: a row is no dict, has other keys, or a value of another type.
    """
    return pa.Table.from_batches(batches(rows, columns, origin), schema=schema(columns))


def batches(rows: Iterable[Any], columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    """The same, in parts as the rows come.

    Raises:
        DataError: a row is no dict, has other keys, or a value of another type.
    """
    wanted = schema(columns)
    iterator = iter(rows)
    count = 0
    while chunk := list(islice(iterator, _BATCH)):
        plain = [_plain(row, columns, f"row {count + n} of {origin}") for n, row in enumerate(chunk, 1)]
        yield _batch(plain, wanted, count, origin)
        count += len(chunk)


def _plain(row: Any, columns: Mapping[str, str], place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        message = f"{place} is a {type(row).__name__}, not a dict of its columns"
        raise DataError(message)
    if row.keys() != columns.keys():
        missing = ", ".join(f"`{name}`" for name in columns if name not in row)
        extra = ", ".join(f"`{name}`" for name in row if name not in columns)
        parts = [f"lacks {missing}" if missing else "", f"has {extra}, which is no column" if extra else ""]
        message = f"{place} " + " and ".join(part for part in parts if part)
        raise DataError(message)
    return {name: given(row[name], kind, name, place) for name, kind in columns.items()}


_GIVEN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "timestamp": (datetime.datetime,),
    "date": (datetime.date,),
    "binary": (bytes, bytearray, memoryview),
}
_NARROWER: dict[str, type] = {"integer": bool, "double": bool, "date": datetime.datetime}
"""Python takes a truth for an integer and a moment for a day; here they are not."""


def given(value: Any, kind: str, name: str, place: str) -> Any:
    """A Python value for a column, unchanged but for its form: Arrow itself would cut 1.5 to 1 without a word.

    Scalars of numpy are taken as the plain values they hold. Times may be ISO 8601 texts; one without a zone is UTC.

    Raises:
        DataError: the value is not of the column's type.
    """
    if value is None:
        return None
    plain = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
    if isinstance(plain, str):
        plain = _read(plain, kind)
    if not isinstance(plain, _GIVEN[kind]) or isinstance(plain, _NARROWER.get(kind, ())):
        message = f"{place}: `{name}` is {value!r:.60}, which is no {kind}"
        raise DataError(message)
    if isinstance(plain, datetime.datetime) and plain.tzinfo is None:
        return plain.replace(tzinfo=datetime.UTC)
    return plain


def _read(text: str, kind: str) -> Any:
    """A text as the moment or the day that it names, if the column holds such; the text itself if it names none."""
    try:
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text)
        return datetime.date.fromisoformat(text) if kind == "date" else text
    except ValueError:
        return text


def _batch(rows: list[dict[str, Any]], wanted: pa.Schema, before: int, origin: str) -> pa.RecordBatch:
    try:
        return pa.RecordBatch.from_pylist(rows, schema=wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        for number, row in enumerate(rows, before + 1):
            for field in wanted:
                _value(row[field.name], field, f"row {number} of {origin}")
        raise


def _value(value: Any, field: pa.Field, place: str) -> None:
    try:
        pa.array([value], type=field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        message = f"{place}: `{field.name}` is {value!r:.60}, which is no {_name(field.type)}"
        raise DataError(message) from error


def _name(kind: pa.DataType) -> str:
    return next(name for name, known in _TYPES.items() if known == kind)


def conform(table: pa.Table, columns: Mapping[str, str], origin: str, before: int = 0) -> pa.Table:
    """A table read from files with just these columns in their types; no value changes its meaning.

    It may be a part of what was read, which so many rows came before.

    Raises:
        DataError: a column is missing or there twice, or its values are of another type.
    """
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        message = f"{origin} has no column " + ", ".join(f"`{name}`" for name in missing)
        raise DataError(message)
    if twice := [name for name in columns if table.column_names.count(name) > 1]:
        message = f"{origin} has more than one column `{twice[0]}`"
        raise DataError(message)
    found = [_conformed(table.column(name), name, kind, origin, before) for name, kind in sorted(columns.items())]
    return pa.table(found, schema=schema(columns))


def _conformed(column: pa.ChunkedArray, name: str, kind: str, origin: str, before: int) -> pa.ChunkedArray:
    if not _same_kind(column.type, kind):
        message = f"`{name}` of {origin} is {column.type}, not {kind}"
        raise DataError(message)
    return cast(column, name, kind, origin, before)


def cast(column: pa.ChunkedArray, name: str, kind: str, origin: str, before: int = 0) -> pa.ChunkedArray:
    """A column in the type of its kind; so many rows came before it.

    Raises:
        DataError: a value has no equal there; the text names its row.
    """
    try:
        return column.cast(_TYPES[kind])
    except pa.ArrowException as error:
        for number in range(len(column)):
            value = column.slice(number, 1)
            try:
                value.cast(_TYPES[kind])
            except pa.ArrowException:
                moment = pa.types.is_timestamp(column.type)  # with nanoseconds it is no moment of Python's
                shown = value.cast(pa.string())[0].as_py() if moment else repr(value[0].as_py())
                message = f"row {before + number + 1} of {origin}: `{name}` is {shown:.60}, which is no {kind}"
                raise DataError(message) from error
        raise


def _same_kind(found: pa.DataType, kind: str) -> bool:
    """Whether a cast only changes how a value is stored."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):  # a column without a single value has no type of its own
        return True
    tests = {
        "string": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
        "integer": pa.types.is_integer,
        "double": lambda t: pa.types.is_floating(t) or pa.types.is_integer(t),
        "boolean": pa.types.is_boolean,
        "timestamp": pa.types.is_timestamp,
        "date": pa.types.is_date,
        "binary": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t),
    }
    return pa.types.is_null(found) or bool(tests[kind](found))


def keyed(table: pa.Table, key: str, origin: str) -> tuple[pa.Table, int]:
    """The rows in key order, rows that stand there twice once, and how many those were.

    Raises:
        DataError: a key is NULL, or two rows of one key differ.
    """
    column = table.column(key)
    if column.null_count:
        message = f"{column.null_count} rows of {origin} have no `{key}`"
        raise DataError(message)
    ordered = table.take(pc.sort_indices(column)).combine_chunks()
    if len(ordered) < 2:  # noqa: PLR2004  # one row has no double
        return ordered, 0
    sorted_keys = ordered.column(key)
    repeated = pc.equal(sorted_keys.slice(1), sorted_keys.slice(0, len(ordered) - 1)).combine_chunks()
    if not pc.any(repeated).as_py():
        return ordered, 0
    return _once(ordered, key, repeated, origin)


def _once(ordered: pa.Table, key: str, repeated: pa.Array, origin: str) -> tuple[pa.Table, int]:
    doubles = [index + 1 for index, double in enumerate(repeated.to_pylist()) if double]
    for index in doubles:  # compared as text, in which a NaN equals itself
        if repr(ordered.slice(index, 1).to_pylist()) != repr(ordered.slice(index - 1, 1).to_pylist()):
            message = (
                f"two rows of {origin} have `{key}` {ordered.column(key)[index].as_py()!r} and differ otherwise; "
                f"a dataset is only ever appended to: to correct rows, give it another name in the spec"
            )
            raise DataError(message)
    keep = pa.array([True, *(not double for double in repeated.to_pylist())])
    return ordered.filter(keep), len(doubles)


def digest(table: pa.Table, columns: Mapping[str, str], key: str) -> str:
    """sha256 over the canonical content: the columns by name with their types, the rows in key order.

    Each column enters as one validity byte a row, then its values: eight bytes each, little-endian (times as
    microseconds or days, truth as one byte), texts and bytes as their lengths and then all their bytes.
    """
    ordered = table.take(pc.sort_indices(table.column(key)))
    total = hashlib.sha256(canonical({"columns": dict(columns), "key": key, "rows": len(ordered)}).encode())
    for name in sorted(columns):
        for part in _parts(ordered.column(name), columns[name]):
            total.update(part)
    return f"sha256:{total.hexdigest()}"


def _parts(column: pa.ChunkedArray, kind: str) -> Iterable[bytes | memoryview]:
    array = column.cast(_TYPES[kind]).combine_chunks()
    yield _fixed(pc.is_valid(array).cast(pa.uint8()), 1)
    if kind in {"string", "binary"}:
        filled = array.cast(pa.large_binary()).fill_null(b"")
        yield _fixed(pc.binary_length(filled).cast(pa.int64()), 8)
        yield _bytes(filled)
    elif kind == "boolean":
        yield _fixed(array.fill_null(False).cast(pa.uint8()), 1)  # noqa: FBT003  # the value, not a switch
    elif kind == "double":
        filled = array.fill_null(0.0)
        yield _fixed(pc.if_else(pc.is_nan(filled), float("nan"), filled), 8)
    else:
        whole = array.cast(pa.int32()) if kind == "date" else array
        yield _fixed(whole.cast(pa.int64()).fill_null(0), 8)


def _fixed(array: pa.Array, width: int) -> memoryview:
    start = array.offset * width
    return memoryview(array.buffers()[1] or b"")[start : start + len(array) * width]


def _bytes(array: pa.Array) -> memoryview:
    """The bytes between the first and the last offset of a large binary array."""
    if len(array) == 0:
        return memoryview(b"")
    _, offsets, content = array.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(content or b"")[ends[array.offset] : ends[array.offset + len(array)]]


def mask(keep: list[bool]) -> pa.Array:
    """Which rows to keep, as a filter takes it."""
    return pa.array(keep, type=pa.bool_())
