"""The pictures of the golden rows that a report names: few, small, and made anew from their pixels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from clspec.data.pictures import data_uri
from clspec.data.table import DataError
from clspec.diagnostic import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MOST = 60
_BYTES = 1_500_000
"""So many characters all pictures of a page have together at most."""
_BATCH = 512


def pictures(golden: Path, shown: dict[str, Any], keys: Sequence[Any]) -> dict[str, Any]:
    """`{column, images, unshown}`: the PNG of each key (as text) as a data URI, and how many have none and why.

    Raises:
        StepFailed: the golden rows cannot be read, or have no such columns.
    """
    column = shown["media"]
    if column is None or not keys:
        return {"column": column, "images": {}, "unshown": {}}
    try:
        found = dict(_media(golden, shown["key"], column, set(keys[:_MOST])))
    except (OSError, pa.ArrowException, KeyError) as error:
        message = f"the golden rows at {golden} cannot be read as Parquet: {error}"
        raise StepFailed(message) from error
    images: dict[str, str] = {}
    unshown: Counter[str] = Counter({"more pictures than a page holds": len(keys[_MOST:])})
    size = 0
    for key in keys[:_MOST]:
        try:
            image = data_uri(found.get(key), "")
        except DataError as error:
            unshown[str(error).removeprefix(": ").strip()] += 1
            continue
        size += len(image)
        if size > _BYTES:
            unshown["more pictures than a page holds"] += 1
        else:
            images[str(key)] = image
    return {"column": column, "images": images, "unshown": {why: count for why, count in unshown.items() if count}}


def _media(golden: Path, key: str, column: str, wanted: set[Any]) -> Iterator[tuple[Any, bytes]]:
    """The media of these keys, a few rows in memory at a time."""
    with pq.ParquetFile(golden) as rows:
        for batch in rows.iter_batches(_BATCH, columns=[key, column]):
            names = batch.column(key).to_pylist()
            for number, name in enumerate(names):
                if name in wanted:
                    yield name, batch.column(column)[number].as_py()
