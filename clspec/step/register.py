"""register: keep a model that passed, by its content, with the record of what made it and what it was judged on.

The record comes last: a model that has one is whole, whenever the step was killed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import Refused, StepFailed
from clspec.plan import canonical
from clspec.step import golden, model

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Put the model's files and golden answers into the store, then a record of this judgement; write `registered`.

    Raises:
        Refused: the verdict is not a pass, whatever the plan's condition said, or it is of another model.
        StepFailed: the predictions or the pins are not those of this run.
    """
    verdict = job.read_json("verdict")
    if verdict.get("verdict") != "pass":
        message = f"the verdict is {verdict.get('verdict', 'missing')}: nothing is registered"
        raise Refused(message)
    directory = job.inputs["model"]
    model.verify(directory)
    digest = model.digest(directory)
    metrics = job.read_json("metrics")
    _refuse_other_models(digest, metrics, verdict)
    answers = _answers(job, digest, metrics)
    made_by = _made_by(job)
    version = made_by["datasets"][made_by["roles"]["golden"]]
    record = {
        "model": digest,
        "files": _keep_files(job, directory, golden.model_base(job, digest)),
        "made_by": made_by,
        "training": job.read_json("training"),
        "golden": metrics,
        "verdict": verdict,
    }
    golden.keep(job, version, answers)
    content = (canonical(record) + "\n").encode()
    name = hashlib.sha256(content).hexdigest()
    known = not job.storage.create(f"{golden.model_base(job, digest)}/records/{name}.json", content)
    job.write_json("registered", {"model": digest, "record": name, "golden": version})
    print(f"model {digest}: {'this judgement is registered already' if known else 'registered'}")  # noqa: T201


def _refuse_other_models(digest: str, metrics: dict[str, Any], verdict: dict[str, Any]) -> None:
    """Make sure that the model here is the one that was measured, and one of those that were judged.

    Raises:
        Refused: it is not.
    """
    seeds = verdict.get("seeds")
    judged = [seed.get("model") for seed in seeds if isinstance(seed, dict)] if isinstance(seeds, list) else []
    for found in (metrics.get("model", "unknown"), judged[0] if judged else "unknown"):
        if found != digest:
            message = f"the model here is {digest}, the one that was judged is {found}"
            raise Refused(message)


def _answers(job: Job, digest: str, metrics: dict[str, Any]) -> pa.Table:
    answers = golden.joined(job)
    if golden.asked(answers) != digest or len(answers) != metrics.get("rows"):
        message = (
            f"the {len(answers)} predictions are of {golden.asked(answers)}; what was judged are "
            f"{metrics.get('rows', 'no')} golden rows of {digest}"
        )
        raise StepFailed(message)
    return answers


def _made_by(job: Job) -> dict[str, Any]:
    """What made the model; a dataset that moves in this pipeline is the version that this run pinned.

    Raises:
        StepFailed: no input says which version that is.
    """
    pins = job.read_json("pins") if job.has("pins") else {}
    datasets = {}
    for name, digest in job.config["datasets"].items():
        pinned = pins.get(name)
        datasets[name] = digest or (pinned.get("digest") if isinstance(pinned, dict) else None)
        if datasets[name] is None:
            message = f"the pins do not say which version of dataset `{name}` this model was made with"
            raise StepFailed(message)
    allowed = job.read_json("standing").get("allow_both") if job.has("standing") else None
    return {**job.config, "datasets": datasets, **({"allow_both": allowed} if allowed else {})}


def _keep_files(job: Job, directory: Path, base: str) -> list[str]:
    names = []
    for name, path in model.files(directory):
        job.storage.write(f"{base}/files/{name}", path.read_bytes())
        names.append(name)
    return names
