"""A table as the bytes of a Parquet file in memory, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence


def packed(rows: pa.Table) -> bytes:
    """The bytes of a table; the same rows in the same order are the same bytes."""
    stream = io.BytesIO()
    pq.write_table(rows, stream, compression="zstd")
    return stream.getvalue()


def unpacked(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table that these bytes are, or those of its columns that it has.

    One thread reads it, from memory that Arrow sees as such. `pyarrow.parquet.read_table` on bytes hands a Python
    object to Arrow's own threads; one that lets go of it while the interpreter ends is ended by CPython in the midst of
    C++ code, and the whole process dies with SIGABRT after its work is done (1 to 4 of 100 short commands under load).

    Raises:
        pyarrow.ArrowException: they are no Parquet file.
    """
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)
