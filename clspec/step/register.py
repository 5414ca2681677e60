"""register: keep a model that passed, by its content, with the record of what made it and what it was judged on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from clspec.diagnostic import Refused
from clspec.plan import canonical
from clspec.step import model

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Put the model's files into the store, and a record of this judgement beside those of earlier ones.

    Raises:
        Refused: the verdict is not a pass, whatever the plan's condition said, or it is of another model.
    """
    verdict = job.read_json("verdict")
    if verdict.get("verdict") != "pass":
        message = f"the verdict is {verdict.get('verdict', 'missing')}: nothing is registered"
        raise Refused(message)
    directory = job.inputs["model"]
    model.verify(directory)
    digest = model.digest(directory)
    metrics = job.read_json("metrics")
    if metrics.get("model") != digest:
        message = f"the model here is {digest}, the one that was judged is {metrics.get('model', 'unknown')}"
        raise Refused(message)
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
        "golden": metrics,
        "verdict": verdict,
    }
    content = (canonical(record) + "\n").encode()
    name = f"{base}/records/{hashlib.sha256(content).hexdigest()}.json"
    known = not job.storage.create(name, content)
    print(f"model {digest}: {'this judgement is registered already' if known else 'registered'}")  # noqa: T201
