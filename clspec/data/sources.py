"""Reading a whole source: files here or in a bucket, a query's answer, or what user code yields."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data import formats, stream, table

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a source is read: the code root, and the folder that relative paths count from, if there is one here."""

    code: Path | None
    folder: Path | None


def read(source: Mapping[str, Any], place: Place) -> pa.Table:
    """All rows of a source (as the plan describes it), with its columns in its types.

    Raises:
        DataError: it cannot be found, is empty of columns, or its values are not of the columns' types.
        UsageError: what it needs to be reached is not here.
        UserCodeFailed: the user's code raised, or ended its process.
    """
    with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
        return _whole(stream.local(source, place, Path(scratch)))


def from_files(uri: str, kind: str, columns: Mapping[str, str], place: Place, origin: str) -> pa.Table:
    """The rows of one or more files, in the order of their names.

    Raises:
        DataError: no file is there, or one cannot be read as what it is said to be.
    """
    with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
        named = stream.Named(uri=uri, kind=kind, columns=columns, origin=origin)
        return _whole(stream.local_files(named, place, Path(scratch)))


def _whole(files: stream.Files) -> pa.Table:
    parts = (batch for file in files.files for batch in formats.batches(file.path, "parquet", files.columns, file.name))
    return pa.Table.from_batches(parts, schema=table.schema(files.columns))
