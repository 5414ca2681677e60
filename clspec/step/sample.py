"""sample: which of the mined rows people are asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.data import sampling
from clspec.data.versions import Shape
from clspec.step.snapshot import write

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `rows`, the chosen candidates, and `sampled`, how many went for which cause."""
    sampled = sampling.sample(job.read_rows("rows"), Shape.of(job.config["dataset"]), sampling.Plan.of(job.config))
    write(sampled.rows, job, "rows")
    job.write_json("sampled", sampled.counts)
