"""Files of the formats that sources come in, read strictly, a part at a time."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clspec.data import table
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PART = 32 * 2**20
"""About so many bytes of a Parquet file are in memory at once."""
_ROWS = 65_536
_BLOCK = 2**20
"""No row of a CSV file is longer; many blocks are read ahead."""


def batches(path: Path, kind: str, columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    """The rows of a file, with just these columns in their types.

    Raises:
        DataError: it cannot be read as what it is said to be, or its values are not of the columns' types.
    """
    try:
        yield from _READERS[kind](path, columns, origin)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(error, kind, origin) from error


def unreadable(error: Exception, kind: str, origin: str) -> DataError:
    """The error for a file that a reader gave up on."""
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    return DataError(f"{origin} cannot be read as {kind}: {reason}")


def parquet_schema(path: Path, columns: Mapping[str, str], origin: str) -> pa.Schema:
    """The Arrow schema of a Parquet file, which has these columns, each of a type that can hold it.

    Raises:
        DataError: it is none, or a column is missing, there twice, or of another type.
    """
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(error, "parquet", origin) from error
    table.conform(found.empty_table(), columns, origin)
    return found


def _parquet(path: Path, columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    parquet_schema(path, columns, origin)
    before = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_batch_rows(file.metadata), columns=list(columns), use_threads=False):
            yield from table.conform(pa.Table.from_batches([batch]), columns, origin, before).to_batches()
            before += len(batch)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """So many rows at once that images do not fill the memory."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    width = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_ROWS, _PART // max(width, 1)))


def _csv(path: Path, columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV file with a header: an empty field is NULL, an empty text is `""`."""
    with _csv_reader(path, None) as header:
        table.conform(_without_types(header.schema), dict.fromkeys(columns, "binary"), origin)
    before = 0
    with _csv_reader(path, list(columns)) as reader:
        for batch in reader:
            whole = pa.Table.from_batches([batch])
            read = [
                _read_text(whole.column(name), name, kind, origin, before) for name, kind in sorted(columns.items())
            ]
            yield from pa.table(read, schema=table.schema(columns)).to_batches()
            before += len(batch)


def _csv_reader(path: Path, columns: list[str] | None) -> pa_csv.CSVStreamingReader:
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(columns or (), pa.binary()),  # so that a wrong value is named with its row
        include_columns=columns,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    )


def _without_types(schema: pa.Schema) -> pa.Table:
    """A table with these columns and no rows: what a header says."""
    return pa.schema([pa.field(name, pa.binary()) for name in schema.names]).empty_table()


def _read_text(column: pa.ChunkedArray, name: str, kind: str, origin: str, before: int) -> pa.ChunkedArray:
    """A column of texts as what they say."""
    if kind == "binary":
        return table.cast(column, name, kind, origin, before)
    texts = table.cast(column, name, "string", origin, before)
    if kind not in {"timestamp", "date"}:
        return table.cast(texts, name, kind, origin, before)
    moments = [
        table.given(text, kind, name, f"row {number} of {origin}")
        for number, text in enumerate(texts.to_pylist(), before + 1)
    ]
    return pa.chunked_array([pa.array(moments, type=table.schema({name: kind}).field(name).type)])


def _jsonl(path: Path, columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    return table.batches(_objects(path, columns, origin), columns, origin)


def _objects(path: Path, columns: Mapping[str, str], origin: str) -> Iterator[Any]:
    """Each line's object with just the wanted keys; bytes stand there as text."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            message = f"line {number} of {origin} is not JSON in UTF-8: {error}"
            raise DataError(message) from error
        if isinstance(found, dict):
            found = {name: found[name] for name in columns if name in found}
            texts = {name: found[name] for name, kind in columns.items() if kind == "binary" and name in found}
            found |= {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items() if type(text) is str}
        yield found


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        for line in file:
            yield from line.splitlines()  # a lone carriage return ends a line too


def _no_constant(name: str) -> None:
    message = f"{name} is no JSON number"
    raise ValueError(message)


_READERS = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
