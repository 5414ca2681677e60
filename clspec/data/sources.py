"""Reading a source: files here or in a bucket, or what user code yields."""

from __future__ import annotations

import codecs
import fnmatch
import glob
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clspec.data import table, usercode
from clspec.data.storage import storage_at
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
        if not out.is_file():
            message = f"{origin}: the command wrote no {{out}}"
            raise usercode.UserCodeFailed(message)
        return _parsed(out.read_bytes(), "parquet", columns, f"what the command of {origin} wrote")


def from_files(uri: str, kind: str, columns: Mapping[str, str], place: Place, origin: str) -> pa.Table:
    """The rows of one or more files, in the order of their names.

    Raises:
        DataError: no file is there, or one cannot be read as what it is said to be.
    """
    found = _objects(uri, place, origin)
    if not found:
        message = f"{origin}: no file matches {uri}"
        raise DataError(message)
    return pa.concat_tables([_parsed(content, kind, columns, f"{name} ({origin})") for name, content in found])


def _objects(uri: str, place: Place, origin: str) -> list[tuple[str, bytes]]:
    """Names and bytes of all that a URI or a glob names."""
    if "://" in uri:
        return _in_bucket(uri, origin)
    if place.folder is None and not Path(uri).is_absolute():
        message = f"{origin}: {uri} is a path beside the spec, which cannot be reached from here; use an s3:// URI"
        raise DataError(message)
    folder = place.folder or Path("/")
    names = [uri]
    if glob.has_magic(uri):
        names = sorted(glob.glob(uri, root_dir=folder, recursive=True))  # noqa: PTH207  # it takes absolute ones too
    paths = [folder / name for name in names]
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
    names = [name for name in storage.keys(fixed) if _matches(name.split("/"), key.split("/"))]
    return [(f"{scheme}://{bucket}/{name}", storage.read(name) or b"") for name in names]


def _matches(name: list[str], pattern: list[str]) -> bool:
    """Whether a key fits a glob as a path would: a star stays within one part, `**` is any number of parts."""
    if not name or not pattern:
        return pattern in (name, ["**"])
    if pattern[0] == "**":
        return _matches(name, pattern[1:]) or _matches(name[1:], pattern)
    return fnmatch.fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])


def _parsed(content: bytes, kind: str, columns: Mapping[str, str], origin: str) -> pa.Table:
    try:
        return _READERS[kind](content, columns, origin)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        message = f"{origin} cannot be read as {kind}: {reason}"
        raise DataError(message) from error


def _parquet(content: bytes, columns: Mapping[str, str], origin: str) -> pa.Table:
    present = set(pq.read_schema(io.BytesIO(content)).names)
    found = pq.read_table(io.BytesIO(content), columns=[name for name in columns if name in present])
    return table.conform(found, columns, origin)


def _csv(content: bytes, columns: Mapping[str, str], origin: str) -> pa.Table:
    """The rows of a CSV file with a header: an empty field is NULL, an empty text is `""`."""
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.binary()),  # read here, so that a wrong value is named with its row
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    found = pa_csv.read_csv(
        io.BytesIO(content),
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    )
    whole = table.conform(found, dict.fromkeys(columns, "binary"), origin)
    read = [_read_text(whole.column(name), name, kind, origin) for name, kind in sorted(columns.items())]
    return pa.table(read, schema=table.schema(columns))


def _read_text(column: pa.ChunkedArray, name: str, kind: str, origin: str) -> pa.ChunkedArray:
    """A column of texts as what they say."""
    if kind == "binary":
        return column
    texts = table.cast(column, name, "string", origin)
    if kind not in {"timestamp", "date"}:
        return table.cast(texts, name, kind, origin)
    moments = [
        table.given(text, kind, name, f"row {number} of {origin}") for number, text in enumerate(texts.to_pylist(), 1)
    ]
    return pa.chunked_array([pa.array(moments, type=table.schema({name: kind}).field(name).type)])


def _jsonl(content: bytes, columns: Mapping[str, str], origin: str) -> pa.Table:
    return table.from_rows(_lines(content, columns, origin), columns, origin)


def _lines(content: bytes, columns: Mapping[str, str], origin: str) -> Iterator[Any]:
    """Each line's object with just the wanted keys; bytes stand there as text."""
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
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


def _no_constant(name: str) -> None:
    message = f"{name} is no JSON number"
    raise ValueError(message)


_READERS = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
