"""report: the run's verdict as a page for people and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.plan import canonical
from clspec.report.html import page

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `report`: a folder with `report.html`, which needs no other file, and `report.json`."""
    verdict = job.read_json("verdict")
    training = {
        name.removeprefix("training-seed-"): job.read_json(name)
        for name in sorted(job.inputs)
        if name.startswith("training-seed-")
    }
    content = {"spec": job.config["spec"], "made_by": job.config, "training": training, **verdict}
    folder = job.outputs["report"]
    folder.mkdir()
    (folder / "report.json").write_text(canonical(content) + "\n", encoding="ascii")
    (folder / "report.html").write_text(page(content), encoding="utf-8")
