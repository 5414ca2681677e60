"""Candidate rows on their way into the queue: their keys as text, those that are new, and what it must know of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import queue_log as log
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.data.queue_state import Contents

RESERVED = "clspec."
"""What the names of columns begin with that belong to the loop and to no dataset."""


def texts(keys: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Keys of a dataset as the queue knows them.

    Raises:
        DataError: a row has none.
    """
    if keys.null_count:
        message = f"{keys.null_count} rows have no key, so that nobody could say which ones they are"
        raise DataError(message)
    found = keys.cast(pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def hash_of(key: str) -> str:
    """The digest of a key: all that is kept of an erased one."""
    return hashlib.sha256(key.encode()).hexdigest()


def keys_of(keys: Sequence[str]) -> pa.Table:
    """Keys as a payload."""
    return pa.table({"key": pa.array(keys, type=pa.large_string())}, schema=log.KEYS)


def by_key(rows: pa.Table, keys: pa.Array) -> pa.Table:
    """Rows with their key as text, each key once, in the order of the keys."""
    named = rows.append_column(log.ROW_KEY, keys)
    numbers = pa.table({"key": keys, "number": pa.array(range(len(keys)), type=pa.int64())})
    first = numbers.group_by("key").aggregate([("number", "min")]).sort_by("key")
    return named.take(first.column("number_min"))


def fresh_rows(named: pa.Table, contents: Contents) -> tuple[pa.Table, dict[str, int]]:
    """The rows that the queue does not know yet, and how many they are."""
    keys = named.column(log.ROW_KEY).to_pylist()
    known = [key in contents.items for key in keys]
    erased = [hash_of(key) in contents.erased for key in keys]
    new = [not (there or gone) for there, gone in zip(known, erased, strict=True)]
    fresh = named.filter(pa.array(new, type=pa.bool_()))
    labelled = len(fresh) - _column(fresh, "clspec.label", pa.large_string()).null_count
    return fresh, {
        "new": len(fresh),
        "open": len(fresh) - labelled,
        "labelled": labelled,
        "known": sum(known),
        "erased": sum(erased),
    }


_FROM = {
    "key": log.ROW_KEY,
    "event": "clspec.id",
    "given": "clspec.label",
    "given_by": "clspec.origin",
}
"""Where the index has its columns from, if not from the reserved one of the same name."""


def index_of(rows: pa.Table, group: str | None) -> pa.Table:
    """What the queue must know of rows without reading them."""
    columns = {
        field.name: _column(rows, _FROM.get(field.name, RESERVED + field.name), field.type)
        for field in log.INDEX
        if field.name != "group"
    }
    columns["group"] = _column(rows, group, pa.large_string()) if group else pa.nulls(len(rows), pa.large_string())
    for name in ("audit", "auto_accepted", "auto_audited"):
        columns[name] = columns[name].fill_null(False)  # noqa: FBT003  # the value, not a switch
    return pa.table(columns, schema=log.INDEX)


def _column(rows: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    return rows.column(name).cast(kind) if name in rows.column_names else pa.nulls(len(rows), kind)


def gold_questions(contents: Contents, index: pa.Table, rate: float) -> list[str]:
    """The keys of new gold questions: as many as are a share `rate` of what people are asked anew, in the long run."""
    asked = index.filter(pc.is_null(index.column("given"))).column("key").to_pylist()
    if not asked or rate <= 0:
        return []
    known = [item.key for item in contents.items.values() if item.unanimous and item.is_taken and not item.gold]
    wanted = len(asked) * rate / (1 - rate) if rate < 1 else float(len(known))
    chance = int(hash_of(f"gold:{min(asked)}")[:8], 16) / 2**32  # whether what is left of a whole makes one more
    count = int(wanted) + (chance < wanted - int(wanted))
    return sorted(sorted(known, key=lambda key: hash_of(f"gold:{key}"))[:count])
