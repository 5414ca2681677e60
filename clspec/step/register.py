"""register: keep a model that passed, by its content, with the record of what made it and what it was judged on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clspec.diagnostic import Refused
from clspec.plan import canonical
from clspec.step import model

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Put the model's files and its record into the store; a model that is there already stays as it is.

    Raises:
        Refused: the verdict is not a pass, whatever the plan's condition said.
    """
    verdict = job.read_json("verdict")
    if verdict.get("verdict") != "pass":
        message = f"the verdict is {verdict.get('verdict', 'missing')}: nothing is registered"
        raise Refused(message)
    directory = job.inputs["model"]
    model.verify(directory)
    digest = model.digest(directory)
    base = f"{job.config['spec']}/models/{digest.removeprefix('sha256:')}"
    names = []
    for name, path in model.files(directory):
        job.storage.write(f"{base}/files/{name}", path.read_bytes())
        names.append(name)
    record = {
        "model": digest,
        "files": names,
        "made_by": job.config,
        "training": job.read_json("training"),
        "golden": job.read_json("metrics"),
        "verdict": verdict,
    }
    if not job.storage.create(f"{base}/record.json", (canonical(record) + "\n").encode()):
        held = json.loads(job.storage.read(f"{base}/record.json") or b"{}")
        print(f"model {digest} is registered already, made by code {held.get('made_by', {}).get('code')}")  # noqa: T201
        return
    print(f"registered model {digest}")  # noqa: T201
