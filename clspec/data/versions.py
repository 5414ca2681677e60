"""Versioned, append-only datasets: a sequence of create-only manifests over content-addressed Parquet parts."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clspec.data import table
from clspec.data.table import DataError
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.data.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a dataset is: its columns, what names a row, and which rows belong together."""

    columns: dict[str, str]
    key: str
    group: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """The shape that a step's configuration states."""
        return cls(columns=dict(config["columns"]), key=config["key"], group=config["group"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: the digest of its whole content, and the parts it consists of."""

    number: int
    digest: str
    rows: int
    columns: dict[str, str]
    key: str
    group: str | None
    parts: tuple[str, ...]
    origin: str
    """The source or file that the newest rows came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What an append did: the version that now holds the rows, how many were new, how many were there already."""

    version: Version
    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset in a store, under a spec's name."""

    storage: Storage
    spec: str
    name: str

    def _key(self, *parts: str) -> str:
        return "/".join((self.spec, "datasets", self.name, *parts))

    def versions(self) -> tuple[Version, ...]:
        """All versions, the oldest first.

        Raises:
            DataError: a manifest cannot be read.
        """
        return tuple(self._manifest(key) for key in self.storage.keys(self._key("versions")))

    def _manifest(self, key: str) -> Version:
        try:
            found = msgspec.json.decode(self.storage.read(key) or b"", type=Version)
        except ValueError as error:  # msgspec's errors are such
            message = f"{self.storage.uri}/{key} is no manifest of a dataset version: {error}"
            raise DataError(message) from error
        if key != self._key("versions", _file_name(found.number)):
            message = f"{self.storage.uri}/{key} says that it is version {found.number}"
            raise DataError(message)
        return found

    def find(self, digest: str) -> Version | None:
        """The version with this content, or None."""
        return next((version for version in reversed(self.versions()) if version.digest == digest), None)

    def rows(self, version: Version) -> pa.Table:
        """The rows of a version in key order, proved to be the content that its digest names.

        Raises:
            DataError: a part is gone or was changed.
        """
        tables = [self._part(key, version) for key in version.parts]
        empty = table.schema(version.columns).empty_table()
        whole = pa.concat_tables([empty, *tables])
        ordered = whole.take(pc.sort_indices(whole.column(version.key))).combine_chunks()
        found = table.digest(ordered, version.columns, version.key)
        if (found, len(ordered)) != (version.digest, version.rows):
            message = (
                f"dataset `{self.name}` version {version.number} holds {found} in {len(ordered)} rows, "
                f"its manifest says {version.digest} in {version.rows}"
            )
            raise DataError(message)
        return ordered

    def _part(self, key: str, version: Version) -> pa.Table:
        content = self.storage.read(self._key("parts", key))
        if content is None:
            message = f"dataset `{self.name}` version {version.number}: part {key} is gone from {self.storage.uri}"
            raise DataError(message)
        if f"{hashlib.sha256(content).hexdigest()}.parquet" != key:
            message = f"dataset `{self.name}` version {version.number}: part {key} was changed in {self.storage.uri}"
            raise DataError(message)
        return table.conform(pq.read_table(io.BytesIO(content)), version.columns, f"part {key} of `{self.name}`")

    def append(self, rows: pa.Table, shape: Shape, origin: str) -> Appended:
        """A version with these rows besides those of the newest; none is made if it has them all.

        Whoever else appends at the same moment: one is first, the other appends to the result.

        Raises:
            DataError: a row has no key, or its key is there with other content, or the dataset has another shape; or
                there is neither a row nor a version.
        """
        fresh, doubles = table.keyed(rows, shape.key, origin)
        while True:
            versions = self.versions()
            if not versions and len(fresh) == 0:
                message = f"{origin} has no rows to begin dataset `{self.name}` with"
                raise DataError(message)
            appended = self._next(versions[-1] if versions else None, fresh, shape, origin)
            if appended.new == 0 and versions:
                return Appended(version=appended.version, new=0, known=appended.known + doubles)
            manifest = canonical({**asdict(appended.version), "parts": list(appended.version.parts)})
            if self.storage.create(self._key("versions", _file_name(appended.version.number)), manifest.encode()):
                return Appended(version=appended.version, new=appended.new, known=appended.known + doubles)

    def _next(self, newest: Version | None, fresh: pa.Table, shape: Shape, origin: str) -> Appended:
        known = table.schema(shape.columns).empty_table()
        if newest is not None:
            if (newest.columns, newest.key) != (shape.columns, shape.key):
                message = (
                    f"dataset `{self.name}` has other columns or another key in {self.storage.uri} than in the spec"
                )
                raise DataError(message)
            known = self.rows(newest)
        new = fresh.filter(pc.invert(pc.is_in(fresh.column(shape.key), value_set=known.column(shape.key))))
        _, there = table.keyed(pa.concat_tables([known, fresh]), shape.key, f"{origin} and dataset `{self.name}`")
        if newest is not None and len(new) == 0:
            return Appended(version=newest, new=0, known=there)
        part = self._put(new)
        whole = pa.concat_tables([known, new])
        version = Version(
            number=newest.number + 1 if newest else 1,
            digest=table.digest(whole, shape.columns, shape.key),
            rows=len(whole),
            columns=shape.columns,
            key=shape.key,
            group=shape.group,
            parts=(*(newest.parts if newest else ()), part),
            origin=origin,
        )
        return Appended(version=version, new=len(new), known=there)

    def _put(self, rows: pa.Table) -> str:
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()}.parquet"
        self.storage.write(self._key("parts", name), buffer.getvalue())
        return name


def _file_name(number: int) -> str:
    return f"{number:08}.json"


def fitted(rows: pa.Table, shape: Shape, origin: str) -> pa.Table:
    """Rows of a source as rows of a dataset: its columns, NULL where the source has none.

    Raises:
        DataError: a column is of another type there.
    """
    absent = [field for field in table.schema(shape.columns) if field.name not in rows.column_names]
    for field in absent:
        rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    for field in table.schema(shape.columns):
        if rows.schema.field(field.name).type != field.type:
            message = f"`{field.name}` of {origin} is not {shape.columns[field.name]}, as the dataset has it"
            raise DataError(message)
    return rows.select(table.schema(shape.columns).names)


def overlap(left: pa.Table, right: pa.Table, column: str, other: str) -> list[Any]:
    """The values of `column` on the left that `other` has on the right; NULL is no value.

    Raises:
        DataError: the two are of different types, so that nobody can say.
    """
    values = pc.drop_null(right.column(other))
    if values.type != left.column(column).type:
        message = f"`{column}` is {left.column(column).type} and `{other}` is {values.type}: they cannot be compared"
        raise DataError(message)
    hits = pc.is_in(left.column(column), value_set=values)
    found: list[Any] = pc.unique(left.column(column).filter(hits)).to_pylist()
    return sorted(found)
