"""Reading a source: files here or in a bucket, or what user code yields."""

from __future__ import annotations

import glob
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from clspec.data import table, usercode
from clspec.data.storage import storage_at
from clspec.data.table import DataError

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
        UserCodeFailed: the user's code raised.
    """
    origin = f"source `{source['name']}`"
    if source["type"] == "python":
        return _from_code(source, place, origin)
    if source["type"] == "postgres":
        message = f"{origin}: postgres is not supported yet"
        raise DataError(message)
    return from_files(source["uri"], source["type"], source["columns"], place, origin)


def _from_code(source: Mapping[str, Any], place: Place, origin: str) -> pa.Table:
    call, columns = source["call"], source["columns"]
    if place.code is None:
        message = f"{origin} is code, and there is no code root here"
        raise DataError(message)
    if call["entrypoint"] is not None:
        return table.from_rows(usercode.rows(place.code, call["entrypoint"], {}), columns, origin)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "rows.parquet")
        usercode.command(place.code, call["command"], {"out": str(out)})
        return from_files(str(out), "parquet", columns, place, origin)


def from_files(uri: str, kind: str, columns: Mapping[str, str], place: Place, origin: str) -> pa.Table:
    """The rows of one or more files, in the order of their names.

    Raises:
        DataError: no file is there, or one cannot be read as what it is said to be.
    """
    found = _objects(uri, place, origin)
    if not found:
        message = f"{origin}: no file matches {uri}"
        raise DataError(message)
    tables = [
        table.conform(_parsed(content, kind, columns, name), columns, f"{name} ({origin})") for name, content in found
    ]
    return pa.concat_tables(tables)


def _objects(uri: str, place: Place, origin: str) -> list[tuple[str, bytes]]:
    """Names and bytes of all that a URI or a glob names."""
    if "://" in uri:
        return _in_bucket(uri, origin)
    if place.folder is None and not Path(uri).is_absolute():
        message = f"{origin}: {uri} is a path beside the spec, which cannot be reached from here; use an s3:// URI"
        raise DataError(message)
    folder = place.folder or Path("/")
    paths = sorted(folder.glob(uri)) if glob.has_magic(uri) and not Path(uri).is_absolute() else [folder / uri]
    found = []
    for path in paths:
        try:
            found.append((str(path), path.read_bytes()))
        except OSError as error:
            message = f"{origin}: {path} cannot be read: {error.strerror}"
            raise DataError(message) from error
    return found


def _in_bucket(uri: str, origin: str) -> list[tuple[str, bytes]]:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    storage = storage_at(f"{scheme}://{bucket}")
    if not glob.has_magic(key):
        content = storage.read(key)
        if content is None:
            message = f"{origin}: there is no {uri}"
            raise DataError(message)
        return [(uri, content)]
    fixed = key[: min(key.index(c) for c in "*?[" if c in key)].rpartition("/")[0]
    names = [name for name in storage.keys(fixed) if Path("/" + name).match("/" + key)]
    return [(f"{scheme}://{bucket}/{name}", storage.read(name) or b"") for name in names]


def _parsed(content: bytes, kind: str, columns: Mapping[str, str], name: str) -> pa.Table:
    wanted = table.schema(columns)
    try:
        if kind == "parquet":
            return pq.read_table(io.BytesIO(content), columns=[c for c in columns if c in _names(content)])
        if kind == "csv":
            options = pa_csv.ConvertOptions(
                column_types={field.name: field.type for field in wanted},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            )
            return pa_csv.read_csv(io.BytesIO(content), convert_options=options)
        parse = pa_json.ParseOptions(explicit_schema=_json_schema(wanted), unexpected_field_behavior="ignore")
        return pa_json.read_json(io.BytesIO(content), parse_options=parse)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"{name} cannot be read as {kind}: {str(error).splitlines()[0] if str(error) else error!r}"
        raise DataError(message) from error


def _names(content: bytes) -> set[str]:
    return set(pq.read_schema(io.BytesIO(content)).names)


def _json_schema(wanted: pa.Schema) -> pa.Schema:
    """JSON has neither bytes nor large texts of its own; a cast follows."""
    narrow = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
    return pa.schema([pa.field(f.name, narrow.get(f.type, f.type)) for f in wanted])
