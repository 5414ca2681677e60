"""append: the labelled rows that passed the guard become a version of the dataset, and leave the queue.

The version comes first and the queue hears of it afterwards: a step killed in between runs again, finds its rows there,
and tells the queue then. So no label is lost and no row is learned from twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import table
from clspec.data.queue import Queue
from clspec.data.versions import Dataset, Shape, Version
from clspec.diagnostic import StepFailed
from clspec.step.pin import first_rows

if TYPE_CHECKING:
    from clspec.step.job import Job

_LEAK, _CONFLICT = "leak", "conflict"
"""Why a labelled row is not learned from: it is golden, or the dataset says something else under its key."""
_ORIGIN = "labels"
_LISTED = 20


def run(job: Job) -> None:
    """Write `pins`, the version that now holds all, and `appended`, what became of the rows.

    Raises:
        StepFailed: a row has no label.
    """
    config, task = job.config["dataset"], job.config["task"]
    shape, dataset = Shape.of(config), job.dataset(config["name"])
    rows = table.conform(job.read_rows("rows"), shape.columns, "the labelled rows")
    _refuse_unlabelled(rows, task["label"])
    newest = dataset.newest() or _first(job, dataset)
    made = dataset.append_agreeing(rows, shape, _ORIGIN, job.read_rows("provenance")) if len(rows) else None
    version = made.version if made else newest
    dropped = job.read_rows("dropped", ["key"]).column("key")
    conflicts = [str(key) for key in made.conflicts] if made else []
    _tell_queue(job, rows.column(shape.key), dropped, conflicts, version)
    job.write_json("pins", {dataset.name: {"digest": version.digest, "rows": version.rows}})
    told = {
        "dataset": dataset.name,
        "version": version.number,
        "digest": version.digest,
        "rows": version.rows,
        "new": made.new if made else 0,
        "known": made.known if made else 0,
        "conflicts": conflicts[:_LISTED],
        "conflicting": len(conflicts),
        "erased": made.blocked if made else 0,
        "dropped": len(dropped),
    }
    job.write_json("appended", told)


def _refuse_unlabelled(rows: pa.Table, label: str) -> None:
    if missing := rows.column(label).null_count:
        message = f"{missing} rows of {len(rows)} came as labelled and have no `{label}`: nothing was appended"
        raise StepFailed(message)


def _first(job: Job, dataset: Dataset) -> Version:
    """The version that a dataset begins with, from its source."""
    config = job.config["dataset"]
    rows, shape = first_rows(job, config, dataset.name, job.config["code"])
    return dataset.append(rows, shape, config["from"]["name"]).version


def _tell_queue(
    job: Job, keys: pa.ChunkedArray, dropped: pa.ChunkedArray, conflicts: list[str], version: Version
) -> None:
    """Say what became of every row, now that it cannot be lost."""
    queue = Queue(job.storage, job.config["spec"])
    names = keys.cast(pa.large_string())
    differing = pa.chunked_array([pa.array(conflicts, type=pa.large_string())])
    queue.append_done(names.filter(pc.invert(pc.is_in(names, value_set=differing))), version.digest)
    queue.reject(differing, _CONFLICT)
    queue.reject(dropped, _LEAK)
