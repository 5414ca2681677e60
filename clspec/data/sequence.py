"""What must be agreed on: a sequence of numbered entries, each created once and never changed.

Of two writers of one number exactly one wins, on a local file system and on any S3 alike; the other reads what was
written and decides again. There are no locks and no leases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.data.table import DataError
from clspec.plan import canonical

if TYPE_CHECKING:
    from clspec.data.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: its number, from 1, and what it says."""

    number: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sequence:
    """The entries under one prefix of a storage."""

    storage: Storage
    prefix: str

    def entries(self) -> tuple[Entry, ...]:
        """All entries, the oldest first.

        Raises:
            DataError: one cannot be read, or one is missing between others.
        """
        found = tuple(self._entry(key) for key in self.storage.keys(self.prefix))
        if [entry.number for entry in found] != list(range(1, len(found) + 1)):
            message = f"{self.storage.uri}/{self.prefix} has gaps: entries of it were removed"
            raise DataError(message)
        return found

    def newest(self) -> Entry | None:
        """The last entry, or None where there is none."""
        return next(reversed(self.entries()), None)

    def add(self, content: dict[str, Any], *, after: int) -> bool:
        """Create entry number `after` + 1; False if another writer was first."""
        return self.storage.create(self._key(after + 1), (canonical(content) + "\n").encode())

    def _key(self, number: int) -> str:
        return f"{self.prefix}/{number:08}.json"

    def _entry(self, key: str) -> Entry:
        try:
            number = int(key.rpartition("/")[2].removesuffix(".json"))
            content = json.loads(self.storage.read(key) or b"")
        except (ValueError, RecursionError) as error:
            message = f"{self.storage.uri}/{key} is no entry of a sequence: {error}"
            raise DataError(message) from error
        if not isinstance(content, dict) or key != self._key(number):
            message = f"{self.storage.uri}/{key} is no entry of a sequence"
            raise DataError(message)
        return Entry(number=number, content=content)
