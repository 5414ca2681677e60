"""The content-addressed objects that dataset versions consist of: tables as Parquet, and lists of erased keys."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import parquet, table
from clspec.data.table import DataError
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clspec.data.storage import Storage

ROWS, PROVENANCE, BLOCKED = "parts", "provenance", "blocked"
"""The folders of a dataset beside that of its manifests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An object that was written for a version: its folder, its name there, and its bytes."""

    folder: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects of one dataset in a store."""

    storage: Storage
    prefix: str

    def key(self, folder: str, name: str) -> str:
        """The key of an object in the store."""
        return f"{self.prefix}/{folder}/{name}"

    def table(self, folder: str, name: str, columns: Mapping[str, str]) -> pa.Table:
        """Some columns of a table, proved to be what its name says.

        Raises:
            DataError: it is gone, or was changed.
        """
        content = self._read(folder, name)
        found = parquet.unpacked(content, list(columns))
        return table.conform(found, columns, f"part {name}")

    def joined(self, folder: str, names: Iterable[str], columns: Mapping[str, str], key: str) -> pa.Table:
        """Some columns of several tables, the key's among them, as one table in key order.

        Raises:
            DataError: a table is gone, or was changed.
        """
        tables = [self.table(folder, name, columns) for name in names]
        whole = pa.concat_tables([table.schema(columns).empty_table(), *tables])
        return whole.take(pc.sort_indices(whole.column(key))).combine_chunks()

    def words(self, folder: str, name: str) -> frozenset[str]:
        """A list of words.

        Raises:
            DataError: it is gone, or was changed.
        """
        return frozenset(json.loads(self._read(folder, name)))

    def _read(self, folder: str, name: str) -> bytes:
        content = self.storage.read(self.key(folder, name))
        if content is None:
            message = f"part {name} is gone from {self.storage.uri}/{self.prefix}/{folder}"
            raise DataError(message)
        if hashlib.sha256(content).hexdigest() != name.partition(".")[0]:
            message = f"part {name} was changed in {self.storage.uri}/{self.prefix}/{folder}"
            raise DataError(message)
        return content

    def put_table(self, folder: str, rows: pa.Table) -> Part:
        """Write a table: the same rows in the same order are the same object."""
        return self._put(folder, "parquet", parquet.packed(rows))

    def put_words(self, folder: str, words: Iterable[str]) -> Part:
        """Write a list of words; their order never matters."""
        return self._put(folder, "json", canonical(sorted(words)).encode())

    def _put(self, folder: str, ending: str, content: bytes) -> Part:
        part = Part(folder=folder, name=f"{hashlib.sha256(content).hexdigest()}.{ending}", content=content)
        self.storage.write(self.key(folder, part.name), content)
        return part

    def keep(self, parts: Iterable[Part]) -> None:
        """Write what is no longer there: whoever collects what no version names may have come just before one did."""
        for part in parts:
            if self.storage.find(self.key(part.folder, part.name)) is None:
                self.storage.write(self.key(part.folder, part.name), part.content)


def compared(known: pa.Table, fresh: pa.Table, key: str) -> tuple[pa.Table, tuple[Any, ...]]:
    """Of rows in key order, each key once: those whose key is not there, and the keys that are, with other content."""
    there = pc.is_in(fresh.column(key), value_set=known.column(key))
    ours, theirs = fresh.filter(there), known.filter(pc.is_in(known.column(key), value_set=fresh.column(key)))
    pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    differing = tuple(one[key] for one, other in pairs if repr(one) != repr(other))  # as text a NaN equals itself
    return fresh.filter(pc.invert(there)), differing
