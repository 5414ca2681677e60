"""guard: what was mined or labelled without what is golden; nothing is learned from or shown to people but past it.

Golden is what the lock pins and what has been added since: a pin that moves later must find nothing in training data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import leakage
from clspec.data.leakage import Near, Protected
from clspec.data.versions import Shape
from clspec.diagnostic import UsageError
from clspec.step.snapshot import write

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `rows`, those that are not golden, `dropped`, the others with their cause, and `counts` of both."""
    near = Near.of(job.config["near"])
    rows = job.read_rows("rows")
    kept, dropped = leakage.without_leaks(rows, Shape.of(job.config["dataset"]), protected(job, near), near)
    write(kept, job, "rows")
    write(dropped, job, "dropped")
    unseen = {} if near is None else {"without_image": kept.column(near.media).null_count}
    job.write_json("counts", {**leakage.counted(kept, dropped), **unseen})


def protected(job: Job, near: Near | None) -> list[Protected]:
    """The rows of every dataset that is guarded, from its input `against-NAME`.

    Raises:
        UsageError: nothing is guarded, or an input is missing.
    """
    if not job.config["against"]:
        message = "a guard against no dataset guards nothing"
        raise UsageError(message)
    return [_protected(job, dataset, near) for dataset in job.config["against"]]


def _protected(job: Job, dataset: dict[str, Any], near: Near | None) -> Protected:
    name, key, group = dataset["name"], dataset["key"], dataset["group"]
    wanted = list(dict.fromkeys(column for column in (key, group, near and near.media) if column))
    rows = job.read_rows(f"against-{name}", wanted)
    return Protected(name=name, rows=pa.concat_tables([rows, _to_come(job, name, rows, key)]), key=key, group=group)


def _to_come(job: Job, name: str, pinned: pa.Table, key: str) -> pa.Table:
    """The rows that a dataset has beyond what this run pins: golden as soon as somebody moves the pin.

    Raises:
        DataError: they cannot be read, so that nobody can say what leaks.
    """
    dataset = job.dataset(name)
    newest = dataset.of_newest(dataset.rows)
    if newest is None:
        return pinned.slice(0, 0)
    rows = newest.select(pinned.column_names).cast(pinned.schema)
    return rows.filter(pc.invert(pc.is_in(rows.column(key), value_set=pinned.column(key).combine_chunks())))
