"""Erasure: rows that leave a dataset for good, and their keys with them.

The parts that held such rows are written anew without them, in a version that everybody sees at once; older versions
that held them can no longer be read, also where what came after them had left these rows out. Of an erased key only its
digest is kept, so that nothing brings it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from clspec.data import table
from clspec.data.manifest import provenance_columns
from clspec.data.parts import BLOCKED, PROVENANCE, ROWS
from clspec.data.queue_rows import hash_of, texts
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from clspec.data.parts import Part
    from clspec.data.versions import Dataset, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did: the version without the rows, how many those were, and which versions had held them."""

    version: Version
    removed: int
    held_by: tuple[Version, ...]
    """Versions that nobody can read any more for these keys, whenever those were erased."""


def erase(dataset: Dataset, keys: Collection[str], why: str) -> Erasure:
    """Make a version without the rows of these keys (as text); once more, it makes none.

    A key that the dataset does not have is barred all the same. Whoever appends at the same moment: one is first, and
    the other goes on from there.

    Raises:
        DataError: there is no version, or a part of the newest is gone or was changed.
    """
    wanted = frozenset(map(hash_of, keys))
    while True:
        found = dataset.of_newest(lambda newest: _Gone(dataset, newest, frozenset(keys), wanted).written(why))
        if found is None:
            message = f"dataset `{dataset.name}` has no version in {dataset.storage.uri}: there is nothing to erase"
            raise DataError(message)
        version, parts = found
        if not parts:
            return Erasure(version=version, removed=0, held_by=_held_by(dataset.versions(), _first(dataset, wanted)))
        if dataset.commit(version, parts):
            held_by = _held_by(dataset.versions(), [version.number, *_first(dataset, wanted)])
            return Erasure(version=version, removed=version.erased, held_by=held_by)


@dataclass(frozen=True, slots=True)
class _Gone:
    """The keys that are to leave a version, and their digests."""

    dataset: Dataset
    version: Version
    keys: frozenset[str]
    hashes: frozenset[str]

    def written(self, why: str) -> tuple[Version, tuple[Part, ...]]:
        """The version without them, and the parts that were written for it; it as it is where nothing is left to do."""
        version, blocked = self.version, self.dataset.blocked(self.version)
        rows, parts = self.without(ROWS, version.parts, version.columns)
        columns = provenance_columns(version.key, version.columns[version.key])
        _, origins = self.without(PROVENANCE, version.provenance, columns)
        fresh = {name: part.name if part else "" for name, part in (*parts.items(), *origins.items())}
        fresh |= dict.fromkeys(self.held_before(), "")
        if not fresh and self.hashes <= blocked:
            return version, ()
        barred = self.dataset.parts.put_words(BLOCKED, blocked | self.hashes)
        made = replace(
            version,
            number=version.number + 1,
            digest=table.digest(rows, version.columns, version.key),
            rows=len(rows),
            parts=_standing(version.parts, fresh),
            provenance=_standing(version.provenance, fresh),
            origin=f"erasure: {why}" if why else "erasure",
            erased=version.rows - len(rows),
            replaced={**version.replaced, **fresh},
            blocked=barred.name,
        )
        return made, (barred, *(part for part in (*parts.values(), *origins.values()) if part is not None))

    def held_before(self) -> Iterator[str]:
        """The tables with rows of these keys that older versions alone have, since rows were excluded later."""
        version = self.version
        older = [one for one in self.dataset.versions() if one.number < version.number]
        key = {version.key: version.columns[version.key]}
        for folder in (ROWS, PROVENANCE):
            names = dict.fromkeys(name for one in older for name in (one.parts if folder == ROWS else one.provenance))
            for name in names:
                if name not in {*version.parts, *version.provenance, *version.replaced}:
                    held = texts(self._table(folder, name, key).column(version.key)).to_pylist()
                    if not self.keys.isdisjoint(held):
                        yield name

    def _table(self, folder: str, name: str, columns: Mapping[str, str]) -> pa.Table:
        with self.dataset.reading(self.version):
            return self.dataset.parts.table(folder, name, columns)

    def without(
        self, folder: str, names: tuple[str, ...], columns: Mapping[str, str]
    ) -> tuple[pa.Table, dict[str, Part | None]]:
        """All rows of these tables but those of the keys, and what stands for each table that had some."""
        kept = [table.schema(columns).empty_table()]
        instead: dict[str, Part | None] = {}
        for name in names:
            rows = self._table(folder, name, columns)
            keys = texts(rows.column(self.version.key)).to_pylist()
            rest = rows.filter(table.mask([key not in self.keys for key in keys]))
            kept.append(rest)
            if len(rest) < len(rows):
                instead[name] = self.dataset.parts.put_table(folder, rest) if len(rest) else None
        return pa.concat_tables(kept), instead


def _standing(names: tuple[str, ...], fresh: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(found for found in (fresh.get(name, name) for name in names) if found)


def _first(dataset: Dataset, wanted: frozenset[str]) -> list[int]:
    """The versions that erased these keys: for each, the first that bars it."""
    rest, found, seen = set(wanted), [], ""
    for version in dataset.versions():
        if version.blocked == seen:
            continue
        seen = version.blocked
        if now := rest & dataset.blocked(version):
            rest -= now
            found.append(version.number)
    return found


def _held_by(versions: tuple[Version, ...], erasures: list[int]) -> tuple[Version, ...]:
    """The versions that had a part which one of these versions took out."""
    by_number = {version.number: version for version in versions}
    taken: set[str] = set()
    for number in erasures:
        before = by_number[number - 1].replaced if number > 1 else {}
        taken |= by_number[number].replaced.keys() - before.keys()
    return tuple(version for version in versions if taken & {*version.parts, *version.provenance})
