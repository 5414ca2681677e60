"""guard: what was mined or labelled without what is golden; nothing is learned from or shown to people but past it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    wanted = dict.fromkeys(column for column in (key, group, near and near.media) if column)
    return Protected(name=name, rows=job.read_rows(f"against-{name}", list(wanted)), key=key, group=group)
