"""train: one model for one seed, from data that no golden row is part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.data.leakage import Protected, without_leaks
from clspec.data.versions import Shape
from clspec.diagnostic import Refused, UsageError
from clspec.step import launch, model, world
from clspec.step.fit import fit
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `model` and `metrics`, the latter what the user's function returned."""
    _no_golden_rows(job)
    directory = job.outputs["model"]
    directory.mkdir()
    job.tell(0, 1, "training")
    with unchanged(job, "data", "validation"):
        metrics = _trained(job, directory)
    job.tell(1, 1, "training")
    model.verify(directory)
    job.write_json("metrics", metrics)


def _trained(job: Job, directory: Path) -> dict[str, Any]:
    """Have the user's code fill the directory: in one process, in many on this machine, or on several machines."""
    if job.trainjob is not None:
        return launch.trained(job, directory)
    if "world" in job.config:
        return world.trained(job, directory, world.here(job.config["world"]))
    return fit(job.code_root(), job.config, job.inputs["data"], job.inputs["validation"], directory)


def _no_golden_rows(job: Job) -> None:
    """Training on a golden row is refused, whatever let it through before.

    Raises:
        UsageError: nothing says what is golden.
        Refused: a row has a golden key, however that is spelt, or belongs to a golden group.
    """
    golden = [_golden(job, dataset) for dataset in job.config["protected"]]
    if not golden or {name for name in job.inputs if name.startswith("golden")} != {f"golden-{g.name}" for g in golden}:
        message = "a training is told of every golden dataset: each one that is `protected`, with an input golden-NAME"
        raise UsageError(message)
    shape = Shape(columns={}, key=job.config["key"], group=job.config["group"])
    for name in ("data", "validation"):
        rows = job.read_rows(name, list(dict.fromkeys(column for column in (shape.key, shape.group) if column)))
        _, hits = without_leaks(rows, shape, golden, None)
        if len(hits):
            shown = ", ".join(f"{hit['key']} by {hit['cause']} {hit['value']}" for hit in hits.slice(0, 5).to_pylist())
            more = ", ..." if len(hits) > 5 else ""  # noqa: PLR2004  # so many are shown
            message = (
                f"golden data in training: {len(hits)} rows of `{name}` are golden ({shown}{more}): take them out with "
                f"`clspec data erase --dataset NAME --key KEY` and pin that version with `clspec lock --update NAME`"
            )
            raise Refused(message)


def _golden(job: Job, dataset: dict[str, Any]) -> Protected:
    name, key, group = dataset["name"], dataset["key"], dataset["group"]
    rows = job.read_rows(f"golden-{name}", list(dict.fromkeys(column for column in (key, group) if column)))
    return Protected(name=name, rows=rows, key=key, group=group)
