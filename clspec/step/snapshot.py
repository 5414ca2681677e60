"""snapshot: the rows of one dataset version as files, split where something is learned from them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clspec.diagnostic import Refused, StepFailed

if TYPE_CHECKING:
    from typing import Any

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `data`, and with a split `validation`: rows in key order, whole groups on one side."""
    name = job.config["dataset"]
    digest = job.config["digest"] or job.read_json("pins")[name]["digest"]  # the loop's newest version has no pin
    dataset = job.dataset(name)
    version = dataset.find(digest)
    if version is None:
        message = f"{job.storage.uri} no longer holds dataset `{name}` at {digest}"
        raise Refused(message)
    rows = dataset.rows(version)
    if len(rows) == 0:
        message = f"dataset `{name}` at {digest} holds no rows"
        raise StepFailed(message)
    split = job.config["split"]
    if split is None:
        write(rows, job, "data")
        return
    held = [_share(value) < split["validation"] for value in rows.column(split["by"]).to_pylist()]
    mask = pa.array(held, type=pa.bool_())
    data = rows.filter(pc.invert(mask))
    if len(data) == 0:
        message = f"the split of dataset `{name}` leaves no rows to learn from"
        raise StepFailed(message)
    write(data, job, "data")
    write(rows.filter(mask), job, "validation")


def write(rows: pa.Table, job: Job, name: str) -> None:
    """Write rows as an output, the same rows as the same bytes."""
    pq.write_table(rows, job.outputs[name], compression="zstd")


def _share(value: Any) -> float:
    """A stable number in [0, 1) for a group: its sha256, so that a group stays on its side as the data grows."""
    return int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8], "big") / 2**64
