"""What the footers of Parquet files say: how many rows there are, which columns have no NULL, and when it all was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Footers:
    """The footers of the files of one source."""

    _metadata: tuple[pq.FileMetaData, ...]

    @classmethod
    def of(cls, files: Iterable[str]) -> Footers:
        """Those of files that are known to be Parquet."""
        return cls(tuple(pq.read_metadata(file) for file in files))

    @property
    def rows(self) -> int:
        """How many rows all files have."""
        return sum(metadata.num_rows for metadata in self._metadata)

    def is_complete(self, column: str) -> bool:
        """Whether every footer says that a column has no NULL."""
        return all(one is not None and one.has_null_count and one.null_count == 0 for one in self._of(column))

    def moments(self, column: str) -> tuple[str | None, str | None] | None:
        """The first and the last moment in a column, as text without a zone, or None where a footer does not say."""
        found = [one for one in self._of(column) if one is not None and one.has_min_max]
        if len(found) < len(list(self._of(column))):
            return None
        try:
            bounds = [pa.scalar(bound).cast(_UTC).as_py() for one in found for bound in (one.min, one.max)]
        except (pa.ArrowException, ValueError, OverflowError):  # no moment of a calendar, which a scan takes for NULL
            return None
        if not bounds:
            return None, None
        return tuple(str(bound.replace(tzinfo=None)) for bound in (min(bounds), max(bounds)))  # type: ignore[return-value]

    def _of(self, column: str) -> Iterator[pq.Statistics | None]:
        for metadata in self._metadata:
            schema = metadata.schema
            place = next(number for number in range(len(schema)) if schema.column(number).path == column)
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                if group.num_rows:
                    yield group.column(place).statistics


_UTC = pa.timestamp("us", tz="UTC")
