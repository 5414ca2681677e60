"""Labels by three short trainings that must agree: the teacher knows the first drives and the pixels, never the truth.

It has seen next to no dogs either. What it is sure of is a vehicle or an empty road; where it says dog or cyclist, the
spec asks people (`never_for`), and a share of the rest is audited by them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from scenes import first_drives
from train import predict, train

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS = (11, 12, 13)
"""The seeds of the ensemble, none of them a seed of the model's own training."""
_EPOCHS = 3


def label(data: str) -> Iterator[dict[str, str | float]]:
    """Yield for each row the most frequent answer, the share that gave it, and the least of the beliefs."""
    with tempfile.TemporaryDirectory() as scratch:
        members = [_answers(data, model) for model in _taught(Path(scratch))]
    for key in members[0]:
        said = [member[key] for member in members]
        answer, votes = Counter(pred for pred, _ in said).most_common(1)[0]
        least = min(conf for _, conf in said)
        yield {"frame_sha256": key, "label": answer, "agreement": votes / len(said), "min_conf": least}


def _taught(scratch: Path) -> Iterator[Path]:
    rows, nothing = scratch / "rows.parquet", scratch / "nothing.parquet"
    table = pa.Table.from_pylist(list(first_drives()))
    pq.write_table(table, rows)
    pq.write_table(table.slice(0, 0), nothing)
    for seed in MEMBERS:
        model = scratch / str(seed)
        model.mkdir()
        train(str(rows), str(nothing), str(model), seed, epochs=_EPOCHS)
        yield model


def _answers(data: str, model: Path) -> dict[str, tuple[str, float]]:
    return {str(row["frame_sha256"]): (str(row["pred"]), float(row["conf"])) for row in predict(data, str(model))}
