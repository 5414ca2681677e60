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
        return tuple(self._entry(number) for number in range(1, self.length() + 1))

    def newest(self) -> Entry | None:
        """The last entry, or None where there is none; no other is read.

        Raises:
            DataError: it cannot be read, or one is missing before it.
        """
        length = self.length()
        return self._entry(length) if length else None

    def length(self) -> int:
        """How many entries there are.

        Raises:
            DataError: one is missing between others, or something else lies there.
        """
        numbers = [self._number(key) for key in self.storage.keys(self.prefix)]
        last = max(numbers, default=0)
        for missing in sorted(set(range(1, last + 1)) - set(numbers)):
            if self.storage.find(self._key(missing)) is None:  # a listing may miss what is made while it is read
                message = f"{self.storage.uri}/{self.prefix} has gaps: entry {missing} was removed"
                raise DataError(message)
        return last

    def _number(self, key: str) -> int:
        word = key.rpartition("/")[2].removesuffix(".json")
        if not word.isdecimal() or key != self._key(int(word)):
            message = f"{self.storage.uri}/{key} is no entry of a sequence"
            raise DataError(message)
        return int(word)

    def add(self, content: dict[str, Any], *, after: int) -> bool:
        """Create entry number `after` + 1; False if another writer was first."""
        return self.storage.create(self._key(after + 1), (canonical(content) + "\n").encode())

    def _key(self, number: int) -> str:
        return f"{self.prefix}/{number:08}.json"

    def _entry(self, number: int) -> Entry:
        key = self._key(number)
        try:
            content = json.loads(self.storage.read(key) or b"")
        except (ValueError, RecursionError) as error:
            message = f"{self.storage.uri}/{key} is no entry of a sequence: {error}"
            raise DataError(message) from error
        if not isinstance(content, dict):
            message = f"{self.storage.uri}/{key} is no entry of a sequence: it is no JSON object"
            raise DataError(message)
        return Entry(number=number, content=content)
