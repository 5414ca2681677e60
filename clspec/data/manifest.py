"""What a version of a dataset is: a manifest of numbers and names, without any row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data.parts import PROVENANCE, ROWS
from clspec.data.table import DataError, schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.data.parts import Part

_ORIGIN = {
    **dict.fromkeys(("event", "rules", "origin", "by", "teacher"), "string"),
    "votes": "integer",
    "queued_at": "timestamp",
    "labelled_at": "timestamp",
}


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
    """The source or file that the newest rows came from, or why rows were erased."""
    provenance: tuple[str, ...] = ()
    """Tables of where rows came from: the production event, the rules, who labelled them and when."""
    erased: int = 0
    """How many rows of the version before are gone."""
    replaced: dict[str, str] = field(default_factory=dict)
    """For each part or table that erasure ever took out, what stands for it: without these rows, or nothing."""
    blocked: str = ""
    """The object that lists the digests of all erased keys, which never come back."""

    @classmethod
    def before_the_first(cls, shape: Shape) -> Version:
        """What the first version is appended to."""
        return cls(
            number=0,
            digest="",
            rows=0,
            columns=shape.columns,
            key=shape.key,
            group=shape.group,
            parts=(),
            origin="",
        )

    def grown(self, shape: Shape, digest: str, rows: int, tables: tuple[Part, ...], origin: str) -> Version:
        """The version after this one, which has these parts and provenance tables besides."""
        added = {folder: tuple(part.name for part in tables if part.folder == folder) for folder in (ROWS, PROVENANCE)}
        return replace(
            self,
            number=self.number + 1,
            digest=digest,
            rows=rows,
            group=shape.group,
            parts=(*self.parts, *added[ROWS]),
            provenance=(*self.provenance, *added[PROVENANCE]),
            origin=origin,
            erased=0,
        )

    def stands_for(self, name: str) -> str:
        """What stands for an older version's part in this one: itself, another, or nothing."""
        while name in self.replaced:
            name = self.replaced[name]
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What an append did: the version that now holds the rows, how many were new, how many were there already."""

    version: Version
    new: int
    known: int
    conflicts: tuple[Any, ...] = ()
    """Keys that are there with other content, and were left as they are."""
    blocked: int = 0
    """Rows whose key was erased."""


class Erased(DataError):
    """A version held rows that were erased since, so that nobody reads it any more."""


def provenance_columns(key: str, kind: str) -> dict[str, str]:
    """The columns of a provenance table, for a dataset with this key."""
    return {**_ORIGIN, key: kind}


def fitted(rows: pa.Table, shape: Shape, origin: str) -> pa.Table:
    """Rows of a source as rows of a dataset: its columns, NULL where the source has none.

    Raises:
        DataError: a column is of another type there.
    """
    absent = [column for column in schema(shape.columns) if column.name not in rows.column_names]
    for column in absent:
        rows = rows.append_column(column, pa.nulls(len(rows), column.type))
    for column in schema(shape.columns):
        if rows.schema.field(column.name).type != column.type:
            message = f"`{column.name}` of {origin} is not {shape.columns[column.name]}, as the dataset has it"
            raise DataError(message)
    return rows.select(schema(shape.columns).names)
