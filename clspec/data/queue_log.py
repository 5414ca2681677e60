"""The queue as it lies in the store: numbered events that name no row, and Parquet payloads that do.

The payload comes first and then the event, created at its number or not at all: who loses the race reads what was
written and decides again. Keys and labels stand in payloads alone, so that erasing a row rewrites payloads and leaves
the log as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import parquet, table
from clspec.data.queue_state import Event
from clspec.data.sequence import Sequence
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from clspec.data.sequence import Entry
    from clspec.data.storage import Storage

Found = TypeVar("Found")
KEYS = table.schema({"key": "string"})
LABELS = table.schema({"key": "string", "label": "string"})
VOTES = table.schema(
    {"key": "string", "label": "string", "by": "string", "at": "timestamp", "note": "string", "source": "string"}
)
INDEX = table.schema(
    {
        **dict.fromkeys(("key", "group", "event", "rule", "rules", "prediction", "given", "given_by"), "string"),
        **dict.fromkeys(("audit", "auto_accepted", "auto_audited"), "boolean"),
        "auto_label": "string",
        "confidence": "double",
        "time": "timestamp",
    }
)
ROWS = "rows"
"""The payload with the rows themselves; it is read only where somebody wants to see them."""
ROW_KEY = "clspec.key"
"""The column there with the key as text: `key` may be a column of the dataset."""


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one spec's queue, and its payloads."""

    storage: Storage
    spec: str

    @property
    def _sequence(self) -> Sequence:
        return Sequence(self.storage, f"{self.spec}/queue/log")

    def read(self) -> tuple[Event, ...]:
        """All events, their payloads read but for the rows.

        Raises:
            DataError: an event or a payload is not what was written.
        """
        return tuple(
            Event(
                kind=str(content.get("event")),
                content=content,
                payloads={name: rows.to_pylist() for name, rows in payloads.items()},
            )
            for content, payloads in self._loaded(lambda name: name != ROWS)
        )

    def keys(self) -> pa.Array:
        """The keys of all rows that came in, or that were kept out, each once and in order."""
        loaded = self._loaded(lambda name: name in {"index", "keys"})
        named = [KEYS.empty_table(), *(rows.select(["key"]) for _, found in loaded for rows in found.values())]
        unique = pc.unique(pa.concat_tables(named).column("key").combine_chunks())
        return unique.take(pc.sort_indices(unique))

    def rows(self) -> tuple[pa.Table, ...]:
        """The tables of rows that were enqueued, as they came."""
        return tuple(rows for _, found in self._loaded(lambda name: name == ROWS) for rows in found.values())

    def _loaded(self, wanted: Callable[[str], bool]) -> tuple[tuple[dict[str, Any], dict[str, pa.Table]], ...]:
        """What each event says, with those of its payloads whose name is wanted."""

        def load(entries: tuple[Entry, ...]) -> tuple[tuple[dict[str, Any], dict[str, pa.Table]], ...]:
            instead = replaced(entries)
            return tuple((entry.content, self._payloads(entry, instead, wanted)) for entry in entries)

        return self._of_entries(load)

    def _of_entries(self, read: Callable[[tuple[Entry, ...]], Found]) -> Found:
        """What `read` makes of the log; where an erasure takes payloads away meanwhile, of the log as it is then."""
        while True:
            entries = self._sequence.entries()
            try:
                return read(entries)
            except DataError:
                if self._sequence.length() == len(entries):
                    raise

    def _payloads(self, entry: Entry, instead: Mapping[str, str], wanted: Callable[[str], bool]) -> dict[str, pa.Table]:
        named = entry.content.get("payloads", {})
        return {name: self.payload(instead.get(digest, digest)) for name, digest in named.items() if wanted(name)}

    def add(self, content: Mapping[str, Any], payloads: Mapping[str, pa.Table], *, after: int) -> bool:
        """Write an event as number `after` + 1; False if another was first."""
        written = {name: parquet.packed(rows) for name, rows in payloads.items()}
        digests = {name: self._put(bytes_) for name, bytes_ in written.items()}
        if not self._sequence.add({**content, "payloads": digests}, after=after):
            return False
        for name, digest in digests.items():  # who sweeps what no event names may have been between the two
            if self.storage.read(self._key(digest)) is None:
                self._put(written[name])
        return True

    def _put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.storage.write(self._key(digest), content)
        return digest

    def payload(self, digest: str) -> pa.Table:
        """The rows of a payload.

        Raises:
            DataError: it is gone, or was changed.
        """
        content = self.storage.read(self._key(digest))
        if content is None:
            message = f"{self.storage.uri}/{self._key(digest)} is gone: the queue's log names it"
            raise DataError(message)
        if hashlib.sha256(content).hexdigest() != digest:
            message = f"{self.storage.uri}/{self._key(digest)} was changed"
            raise DataError(message)
        return parquet.unpacked(content)

    def without(self, keys: pa.Array) -> dict[str, str]:
        """Write every payload that names one of these keys again without it: which stands for which.

        Raises:
            DataError: a payload is not what was written.
        """
        return self._of_entries(lambda entries: self._without(keys, entries))

    def _without(self, keys: pa.Array, entries: tuple[Entry, ...]) -> dict[str, str]:
        instead = replaced(entries)
        made: dict[str, str] = {}
        for entry in entries:
            for name, digest in entry.content.get("payloads", {}).items():
                current = instead.get(digest, digest)
                rows = self.payload(current)
                named = rows.column(ROW_KEY if name == ROWS else "key")
                kept = rows.filter(pc.invert(pc.is_in(named, value_set=keys)))
                if len(kept) < len(rows):
                    made[current] = self._put(parquet.packed(kept))
        return made

    def unnamed(self) -> tuple[str, ...]:
        """The objects below `payloads` that no event stands by: what erasure has replaced, and what was never named."""
        entries = self._sequence.entries()
        instead = replaced(entries)
        named = {digest for entry in entries for digest in entry.content.get("payloads", {}).values()}
        live = {self._key(instead.get(digest, digest)) for digest in named}
        return tuple(key for key in self.storage.keys(f"{self.spec}/queue/payloads") if key not in live)

    def _key(self, digest: str) -> str:
        return f"{self.spec}/queue/payloads/{digest}.parquet"


def replaced(entries: Iterable[Entry]) -> dict[str, str]:
    """Which payload stands today for one that erasure has rewritten, however often."""
    instead: dict[str, str] = {}
    for entry in entries:
        fresh: dict[str, str] = entry.content.get("replaced", {})
        instead = {old: fresh.get(new, new) for old, new in instead.items()} | fresh
    return instead
