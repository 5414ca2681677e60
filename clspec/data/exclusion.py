"""Exclusion: rows that a dataset goes on without, since they are golden from now on; older versions keep them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import table
from clspec.data.leakage import folded
from clspec.data.manifest import provenance_columns
from clspec.data.parts import PROVENANCE, ROWS
from clspec.data.table import DataError

if TYPE_CHECKING:
    from clspec.data.parts import Part
    from clspec.data.versions import Dataset, Version


def exclude(dataset: Dataset, column: str, values: pa.Array, why: str) -> Version:
    """A version without the rows that have one of these values in a column, however spelt; once more, it makes none.

    Whoever appends at the same moment: one is first, and the other goes on from there.

    Raises:
        DataError: there is no version, its rows cannot be read, or none would be left.
    """
    while True:
        found = dataset.of_newest(lambda newest: _written(dataset, newest, column, values, why))
        if found is None:
            message = f"dataset `{dataset.name}` has no version in {dataset.storage.uri}: there is nothing to exclude"
            raise DataError(message)
        version, parts = found
        if not parts or dataset.commit(version, parts):
            return version


def _written(
    dataset: Dataset, newest: Version, column: str, values: pa.Array, why: str
) -> tuple[Version, tuple[Part, ...]]:
    """The version without these rows, and the parts that were written for it; where it has none, it as it is."""
    rows = dataset.rows(newest)
    meant = pa.chunked_array([values.cast(rows.schema.field(column).type)])
    gone = pc.is_in(folded(rows.column(column)), value_set=folded(meant).combine_chunks())
    rest = rows.filter(pc.invert(gone))
    if len(rest) == len(rows):
        return newest, ()
    if len(rest) == 0:
        message = f"nothing would be left of dataset `{dataset.name}`"
        raise DataError(message)
    parts = (dataset.parts.put_table(ROWS, rest), *_origins(dataset, newest, rest.column(newest.key)))
    made = replace(
        newest,
        number=newest.number + 1,
        digest=table.digest(rest, newest.columns, newest.key),
        rows=len(rest),
        parts=(parts[0].name,),
        provenance=tuple(part.name for part in parts[1:]),
        origin=why,
        erased=len(rows) - len(rest),
    )
    return made, parts


def _origins(dataset: Dataset, version: Version, keys: pa.ChunkedArray) -> tuple[Part, ...]:
    """Where the rows that are left came from, as far as that is known."""
    if not version.provenance:
        return ()
    columns = provenance_columns(version.key, version.columns[version.key])
    told = table.conform(dataset.provenance(version), columns, f"the provenance of `{dataset.name}`")
    mine = told.filter(pc.is_in(told.column(version.key), value_set=keys))
    return (dataset.parts.put_table(PROVENANCE, mine),) if len(mine) else ()
