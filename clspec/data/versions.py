"""Versioned, append-only datasets: a sequence of create-only manifests over content-addressed Parquet parts.

Rows leave a dataset by erasure alone (`clspec.data.erasure`): a version without them, whose manifest says which part
stands for which. An older version that held such rows can no longer be read, even while its parts still lie there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import table
from clspec.data.manifest import Appended, Erased, Shape, Version, fitted, provenance_columns
from clspec.data.parts import BLOCKED, PROVENANCE, ROWS, Part, Parts, compared
from clspec.data.queue_rows import hash_of, texts
from clspec.data.sequence import Sequence
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clspec.data.sequence import Entry
    from clspec.data.storage import Storage

Found = TypeVar("Found")

__all__ = ["Appended", "Dataset", "Erased", "Shape", "Version", "fitted"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset in a store, under a spec's name."""

    storage: Storage
    spec: str
    name: str

    @property
    def prefix(self) -> str:
        """What the keys of all its objects begin with."""
        return f"{self.spec}/datasets/{self.name}"

    @property
    def parts(self) -> Parts:
        """The objects that its versions consist of."""
        return Parts(self.storage, self.prefix)

    @property
    def _sequence(self) -> Sequence:
        return Sequence(self.storage, f"{self.prefix}/versions")

    def versions(self) -> tuple[Version, ...]:
        """All versions, the oldest first.

        Raises:
            DataError: a manifest cannot be read.
        """
        return tuple(self._manifest(entry) for entry in self._sequence.entries())

    def newest(self) -> Version | None:
        """The newest version, or None; no other manifest is read.

        Raises:
            DataError: its manifest cannot be read.
        """
        entry = self._sequence.newest()
        return None if entry is None else self._manifest(entry)

    def _manifest(self, entry: Entry) -> Version:
        place = f"{self.storage.uri}/{self.prefix}/versions/{entry.number:08}.json"
        try:
            found = msgspec.convert(entry.content, Version)
        except ValueError as error:  # msgspec's errors are such
            message = f"{place} is no manifest of a dataset version: {error}"
            raise DataError(message) from error
        if found.number != entry.number:
            message = f"{place} says that it is version {found.number}"
            raise DataError(message)
        return found

    def find(self, digest: str) -> Version | None:
        """The version with this content, or None."""
        return next((version for version in reversed(self.versions()) if version.digest == digest), None)

    def of_newest(self, read: Callable[[Version], Found]) -> Found | None:
        """What `read` makes of the newest version; None where there is no version.

        An erasure may take its rows away before they are read: then `read` is asked again, about the version without
        them. So who wants the newest, whichever that is, asks here; who was told a version reads that one or fails.

        Raises:
            DataError: what `read` raises, or the manifest cannot be read.
        """
        while (newest := self.newest()) is not None:
            try:
                return read(newest)
            except Erased:
                if self.newest() == newest:
                    raise
        return None

    # -- reading -----------------------------------------------------------------------------------------------------

    def rows(self, version: Version) -> pa.Table:
        """The rows of a version in key order, proved to be the content that its digest names.

        Raises:
            Erased: it held rows that were erased since.
            DataError: a part is gone or was changed.
        """
        self._refuse_erased(version)
        ordered = self._whole(version.parts, version)
        found = table.digest(ordered, version.columns, version.key)
        if (found, len(ordered)) != (version.digest, version.rows):
            message = (
                f"dataset `{self.name}` version {version.number} holds {found} in {len(ordered)} rows, "
                f"its manifest says {version.digest} in {version.rows}"
            )
            raise DataError(message)
        return ordered

    def keys(self, version: Version) -> pa.ChunkedArray:
        """The keys of a version; no other column is decoded.

        Raises:
            Erased: it held rows that were erased since.
            DataError: a part is gone or was changed.
        """
        self._refuse_erased(version)
        return self._whole(version.parts, version, version.key).column(version.key)

    def rows_added_after(self, digest: str, version: Version) -> pa.Table:
        """The rows of a version that the one with this digest did not have, in key order.

        Where an exclusion has written rows anew, their keys say which were there. That is no longer known if an erasure
        has taken what they were written from: they all count as added.

        Raises:
            DataError: there is no version with this digest, or a part is gone or was changed.
        """
        basis = self.find(digest)
        if basis is None:
            message = f"{self.storage.uri} holds no version of dataset `{self.name}` with {digest}"
            raise DataError(message)
        self._refuse_erased(version)
        had = {version.stands_for(part) for part in basis.parts}
        found = self._whole(tuple(part for part in version.parts if part not in had), version)
        before = self._whole(tuple(had - {*version.parts, ""}), basis, version.key).column(version.key)
        return found.filter(pc.invert(pc.is_in(found.column(version.key), value_set=before)))

    def provenance(self, version: Version) -> pa.Table:
        """Where the rows of a version came from, as far as that was written down, in key order.

        Raises:
            Erased: it held rows that were erased since.
            DataError: a table is gone or was changed.
        """
        self._refuse_erased(version)
        columns = provenance_columns(version.key, version.columns[version.key])
        with self.reading(version):
            return self.parts.joined(PROVENANCE, version.provenance, columns, version.key)

    def is_erased(self, version: Version) -> bool:
        """Whether a version held rows that were erased since."""
        newest = self.newest()
        return newest is not None and any(name in newest.replaced for name in (*version.parts, *version.provenance))

    def _refuse_erased(self, version: Version) -> None:
        if self.is_erased(version):
            message = f"dataset `{self.name}` version {version.number} holds rows that were erased: nobody reads it now"
            raise Erased(message)

    def _whole(self, parts: tuple[str, ...], version: Version, *only: str) -> pa.Table:
        columns = {name: version.columns[name] for name in only or version.columns}
        with self.reading(version):
            return self.parts.joined(ROWS, parts, columns, version.key)

    @contextmanager
    def reading(self, version: Version) -> Iterator[None]:
        """Say of which dataset and version a part is that cannot be read.

        Raises:
            Erased: it is gone since its rows were erased meanwhile.
            DataError: it is gone or was changed otherwise.
        """
        try:
            yield
        except DataError as error:
            self._refuse_erased(version)
            message = f"dataset `{self.name}` version {version.number}: {error}"
            raise DataError(message) from error

    def blocked(self, version: Version | None) -> frozenset[str]:
        """The digests of the keys that were erased up to a version.

        Raises:
            DataError: the list is gone.
        """
        if version is None or not version.blocked:
            return frozenset()
        with self.reading(version):
            return self.parts.words(BLOCKED, version.blocked)

    # -- appending ---------------------------------------------------------------------------------------------------

    def append(self, rows: pa.Table, shape: Shape, origin: str, provenance: pa.Table | None = None) -> Appended:
        """A version with these rows besides those of the newest; none is made if it has them all.

        Whoever else appends at the same moment: one is first, the other appends to the result. Rows whose key was
        erased are left out, and counted.

        Raises:
            DataError: a row has no key, or its key is there with other content, or the dataset has another shape; or
                there is neither a row nor a version.
        """

        def refuse(conflicts: tuple[Any, ...]) -> None:
            if conflicts:
                message = (
                    f"two rows of {origin} and dataset `{self.name}` have `{shape.key}` {conflicts[0]!r} and differ "
                    f"otherwise; a dataset is only ever appended to: to correct rows, give it another name in the spec"
                )
                raise DataError(message)

        return self._append(rows, shape, origin, provenance, refuse)

    def append_agreeing(self, rows: pa.Table, shape: Shape, origin: str, provenance: pa.Table | None) -> Appended:
        """As `append`, but a row whose key is there with other content is left out and named, and the others go in.

        Raises:
            DataError: as `append` does otherwise.
        """
        return self._append(rows, shape, origin, provenance, lambda _: None)

    def _append(
        self,
        rows: pa.Table,
        shape: Shape,
        origin: str,
        provenance: pa.Table | None,
        judge: Callable[[tuple[Any, ...]], None],
    ) -> Appended:
        fresh, doubles = table.keyed(rows, shape.key, origin)
        while True:
            newest, known = self._basis(shape)
            allowed = fresh.filter(pc.invert(self._is_blocked(fresh.column(shape.key), newest)))
            new, conflicts = compared(known, allowed, shape.key)
            judge(conflicts)
            made = Appended(
                version=newest or Version.before_the_first(shape),
                new=len(new),
                known=len(allowed) - len(new) - len(conflicts) + doubles,
                conflicts=conflicts,
                blocked=len(fresh) - len(allowed),
            )
            if newest is None and len(new) == 0:
                message = f"{origin} has no rows to begin dataset `{self.name}` with"
                raise DataError(message)
            if len(new) == 0:
                return made
            tables = (self.parts.put_table(ROWS, new), *self._put_provenance(provenance, new, shape))
            whole = table.digest(pa.concat_tables([known, new]), shape.columns, shape.key)
            version = made.version.grown(shape, whole, len(known) + len(new), tables, origin)
            if self.commit(version, tables):
                return replace(made, version=version)

    def _put_provenance(self, provenance: pa.Table | None, new: pa.Table, shape: Shape) -> tuple[Part, ...]:
        """Write where the new rows came from, if that is known of any."""
        if provenance is None:
            return ()
        columns = provenance_columns(shape.key, shape.columns[shape.key])
        told = table.conform(provenance, columns, f"the provenance of rows for `{self.name}`")
        mine, _ = table.keyed(told, shape.key, f"the provenance of rows for `{self.name}`")
        mine = mine.filter(pc.is_in(mine.column(shape.key), value_set=new.column(shape.key)))
        return (self.parts.put_table(PROVENANCE, mine),) if len(mine) else ()

    def commit(self, version: Version, parts: tuple[Part, ...]) -> bool:
        """Make a version whose parts are written; False if another writer was first."""
        if not self._sequence.add(asdict(version), after=version.number - 1):
            return False
        self.parts.keep(parts)
        return True

    def _is_blocked(self, keys: pa.ChunkedArray, newest: Version | None) -> pa.Array:
        blocked = self.blocked(newest)
        return table.mask([hash_of(key) in blocked for key in texts(keys).to_pylist()])

    def _basis(self, shape: Shape) -> tuple[Version | None, pa.Table]:
        """What is appended to: the newest version, if there is one, and its rows."""
        found = self.of_newest(lambda newest: (newest, self._known(newest, shape)))
        return found or (None, table.schema(shape.columns).empty_table())

    def _known(self, newest: Version, shape: Shape) -> pa.Table:
        if (newest.columns, newest.key) != (shape.columns, shape.key):
            message = f"dataset `{self.name}` has other columns or another key in {self.storage.uri} than in the spec"
            raise DataError(message)
        return self.rows(newest)
