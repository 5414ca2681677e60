"""A teacher that is sure of far lights only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator


def label(data: str) -> Iterator[dict[str, str | float]]:
    """What would have been right, and how sure it is of that."""
    for row in pq.read_table(data).to_pylist():
        answer = "brake" if row["light"] == "red" or row["gap"] < 20 else "go"  # metres
        yield {"id": row["id"], "label": answer, "sure": 0.95 if row["gap"] >= 30 else 0.5}
