"""Any source as local Parquet files that can be scanned: nothing of it is ever in memory as a whole.

Parquet files that lie here are read where they are, if what stands in them can be taken as it is. All else, and every
value whose meaning a scan could change, goes through the strict reading of `clspec.data.formats` into a scratch folder.
"""

from __future__ import annotations

import fnmatch
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import BaseError, NotFoundError

from clspec.data import apart, formats, postgres, table, usercode
from clspec.data.storage import storage_at
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.data.sources import Place

_NARROW, _WIDE = 65_536, 256
"""The rows of a row group; few where there are bytes, which may be images."""
_RESERVED = {"filename", "file_index", "file_row_number"}
"""What DuckDB calls the place of a row, and no column of a file that it scans may be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A local file, and what a message calls it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A source as Parquet files in the order of their names, all of one schema as far as these columns go."""

    origin: str
    columns: Mapping[str, str]
    files: tuple[File, ...]

    @property
    def paths(self) -> list[str]:
        """Where the files lie."""
        return [str(file.path) for file in self.files]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Files by a URI or a glob: their format, the columns wanted of them, and what a message calls them."""

    uri: str
    kind: str
    columns: Mapping[str, str]
    origin: str


def local(source: Mapping[str, Any], place: Place, scratch: Path) -> Files:
    """A source (as the plan describes it) as local files; what has to be written is written below `scratch`.

    Raises:
        DataError: it cannot be found, or its values are not of the columns' types.
        UsageError: what it needs to be reached is not here.
        UserCodeFailed: the user's code raised, or ended its process.
    """
    origin, columns = f"source `{source['name']}`", source["columns"]
    if source["type"] == "python":
        file = _from_code(source, place, scratch, origin)
    elif source["type"] == "postgres":
        file = File(path=scratch / "rows.parquet", name=origin)
        answer = postgres.batches(source["dsn_env"], source["query"], columns, origin)
        write(file.path, table.schema(columns), answer)
    else:
        named = Named(uri=source["uri"], kind=source["type"], columns=columns, origin=origin)
        return local_files(named, place, scratch)
    return Files(origin=origin, columns=columns, files=(file,))


def local_files(wanted: Named, place: Place, scratch: Path) -> Files:
    """The files that a URI or a glob names as local files.

    Raises:
        DataError: no file is there, or one cannot be read as what it is said to be.
    """
    found = list(_objects(wanted.uri, place, wanted.origin, scratch))
    if not found:
        message = f"{wanted.origin}: no file matches {wanted.uri}"
        raise DataError(message)
    files = _scannable(found, wanted.kind, wanted.columns, scratch)
    return Files(origin=wanted.origin, columns=wanted.columns, files=files)


def _scannable(found: list[File], kind: str, columns: Mapping[str, str], scratch: Path) -> tuple[File, ...]:
    """The files themselves where all of them can be scanned as they are; those that cannot, written anew."""
    schemas = [formats.parquet_schema(f.path, columns, f.name) if kind == "parquet" else None for f in found]
    shapes = {tuple(schema.field(name).type for name in columns) for schema in schemas if schema is not None}
    as_is = len(shapes) == 1
    return tuple(
        file
        if as_is and schema is not None and _is_plain(schema, columns)
        else _rewritten(file, kind, columns, scratch / f"file-{number:06}.parquet")
        for number, (file, schema) in enumerate(zip(found, schemas, strict=True))
    )


def _rewritten(file: File, kind: str, columns: Mapping[str, str], path: Path) -> File:
    write(path, table.schema(columns), formats.batches(file.path, kind, columns, file.name))
    return File(path=path, name=file.name)


def _is_plain(schema: pa.Schema, columns: Mapping[str, str]) -> bool:
    """Whether a scan sees in a file just what strict reading would: no value is cut, no column taken for another."""
    folded = [name.lower() for name in schema.names]
    apart_ = all(folded.count(name.lower()) == 1 for name in columns) and not _RESERVED & set(folded)
    return apart_ and all(_fits(schema.field(name).type, kind) for name, kind in columns.items())


def _fits(found: pa.DataType, kind: str) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if kind == "integer":
        return bool(pa.types.is_integer(found) and not pa.types.is_uint64(found))
    if kind == "double":
        return bool(pa.types.is_float32(found) or pa.types.is_float64(found))
    if kind == "timestamp":
        return bool(pa.types.is_timestamp(found) and found.unit in {"ms", "us"})
    return not (pa.types.is_null(found) or pa.types.is_date64(found))


def rows_at_once(schema: pa.Schema) -> int:
    """So many rows of these columns are held at once."""
    return _WIDE if any(pa.types.is_large_binary(field.type) for field in schema) else _NARROW


def typed(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in the types of a schema."""
    for batch in batches:
        yield from pa.Table.from_batches([batch]).cast(schema).to_batches()


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write rows as a Parquet file, the same rows as the same bytes however they come in parts; how many they were."""
    size, written = rows_at_once(schema), 0
    waiting = schema.empty_table()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
            while len(waiting) >= size:
                writer.write_table(waiting.slice(0, size).combine_chunks(), row_group_size=size)
                waiting = waiting.slice(size)
                written += size
        writer.write_table(waiting.combine_chunks(), row_group_size=size)
    return written + len(waiting)


# -- what user code yields ---------------------------------------------------------------------------------------------


def _from_code(source: Mapping[str, Any], place: Place, scratch: Path, origin: str) -> File:
    call, out = source["call"], scratch / "rows.parquet"
    if place.code is None:
        message = f"{origin} is code, and there is no code root here"
        raise DataError(message)
    if call["entrypoint"] is not None:
        asked = {"entrypoint": call["entrypoint"], "columns": source["columns"], "origin": origin}
        apart.run(
            "clspec.data.stream:yielded",
            {"root": str(place.code), "out": str(out), **asked},
            lambda how: usercode.UserCodeFailed(f"`{call['entrypoint']}` ended the process with {how}"),
        )
        return File(path=out, name=origin)
    given = scratch / "given.parquet"
    usercode.command(place.code, call["command"], {"out": str(given)})
    if not given.is_file():
        message = f"{origin}: the command wrote no {{out}}"
        raise usercode.UserCodeFailed(message)
    file = File(path=given, name=f"what the command of {origin} wrote")
    return _scannable([file], "parquet", source["columns"], scratch)[0]


def yielded(root: str, entrypoint: str, columns: Mapping[str, str], origin: str, out: str) -> None:
    """Write what a function of the user's yields; to be called in a process of its own."""
    rows = usercode.rows(Path(root), entrypoint, {})
    write(Path(out), table.schema(columns), table.batches(rows, columns, origin))


# -- where files lie ---------------------------------------------------------------------------------------------------


def _objects(uri: str, place: Place, origin: str, scratch: Path) -> Iterator[File]:
    """All that a URI or a glob names, in the order of the names."""
    if "://" in uri:
        yield from _in_bucket(uri, origin, scratch)
        return
    if place.folder is None and not Path(uri).is_absolute():
        message = f"{origin}: {uri} is a path beside the spec, which cannot be reached from here; use an s3:// URI"
        raise DataError(message)
    folder = place.folder or Path("/")
    names = [uri]
    if glob.has_magic(uri):
        names = sorted(glob.glob(uri, root_dir=folder, recursive=True))  # noqa: PTH207  # it takes absolute ones too
    for path in (folder / name for name in names):
        try:
            path.open("rb").close()
        except OSError as error:
            message = f"{origin}: {path} cannot be read: {error.strerror}"
            raise DataError(message) from error
        yield File(path=path, name=f"{path} ({origin})")


def _in_bucket(uri: str, origin: str, scratch: Path) -> Iterator[File]:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    storage = storage_at(f"{scheme}://{bucket}")
    names = [key]
    if glob.has_magic(key):
        fixed = key[: min(key.index(c) for c in "*?[" if c in key)].rpartition("/")[0]
        names = [name for name in storage.keys(fixed) if _matches(name.split("/"), key.split("/"))]
    for number, name in enumerate(names):
        path = scratch / f"object-{number:06}"
        _download(f"{scheme}://{bucket}", name, path, origin)
        yield File(path=path, name=f"{scheme}://{bucket}/{name} ({origin})")


def _download(bucket: str, key: str, path: Path, origin: str) -> None:
    try:
        with path.open("wb") as file:
            for part in obstore.get(obstore.store.from_url(bucket), key).stream():
                file.write(part)
    except (NotFoundError, FileNotFoundError) as error:
        message = f"{origin}: there is no {bucket}/{key}"
        raise DataError(message) from error
    except (BaseError, OSError) as error:
        message = f"{origin}: {bucket}/{key} cannot be read: {str(error).strip().splitlines()[0]}"
        raise DataError(message) from error


def _matches(name: list[str], pattern: list[str]) -> bool:
    """Whether a key fits a glob as a path would: a star stays within one part, `**` is any number of parts."""
    if not name or not pattern:
        return pattern in (name, ["**"])
    if pattern[0] == "**":
        return _matches(name, pattern[1:]) or _matches(name[1:], pattern)
    return fnmatch.fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])
