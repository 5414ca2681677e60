"""baseline: what the champion says of the golden rows, from the store, or asked of its files by its own code."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from clspec.data import table
from clspec.diagnostic import Refused, StepFailed
from clspec.step import golden, model, predict

if TYPE_CHECKING:
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `predictions` of the champion, or no rows, of the model `none`, where there is no champion yet.

    Raises:
        Refused: the champion's answers are not known and cannot be asked for with the code that is here.
        StepFailed: the store does not hold the champion as it was registered.
    """
    rows = job.read_rows("data")
    champion = _champion(job)
    found = _nobody(job, rows) if champion is None else _answers(job, champion, rows)
    pq.write_table(found, job.outputs["predictions"], compression="zstd")


def _champion(job: Job) -> dict[str, Any] | None:
    """The champion as `pin` found it.

    Raises:
        StepFailed: the standing does not say who it is, or that there is none.
    """
    found = job.read_json("standing").get("champion", "")
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("model"), str) or "code" not in found:
        message = "the standing does not say which model is the champion"
        raise StepFailed(message)
    return found


def _nobody(job: Job, rows: pa.Table) -> pa.Table:
    integer = pa.types.is_integer(rows.schema.field(job.config["key"]).type)
    wanted = predict.columns(job.config, "integer" if integer else "string")
    return table.from_rows([], wanted, "nobody").replace_schema_metadata({predict.JUDGED: golden.NOBODY})


def _answers(job: Job, champion: dict[str, Any], rows: pa.Table) -> pa.Table:
    key = job.config["key"]
    wanted = [name for name in predict.columns(job.config, "") if name != key]
    digest, version = champion["model"], job.config["golden"]
    found = golden.kept(job, digest, version)
    if found is not None and set(wanted) <= set(found.column_names):
        return golden.aligned(found, rows.column(key), key, wanted).replace_schema_metadata(found.schema.metadata)
    _refuse_other_code(job, champion)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch, "model")
        fetch(job, digest, directory)
        config = {**job.config, "latency": False}  # another day's machine: its times are no baseline
        asked = predict.answers(replace(job, inputs={**job.inputs, "model": directory}, config=config), rows)
    golden.keep(job, version, asked)
    return asked


def _refuse_other_code(job: Job, champion: dict[str, Any]) -> None:
    """Only the code that made the champion may speak for it.

    Raises:
        Refused: the code here is other code.
    """
    here = job.config["call"]["code"]
    if champion["code"] == here:
        return
    message = (
        f"the champion {champion['model']} has not answered golden version {job.config['golden']}, and the code here "
        f"is {here}, while the champion was made by {champion['code']}. One dimension at a time: go back to the "
        f"champion's code and run once with the new golden version alone, or pin the golden version that the champion "
        f"was judged on"
    )
    raise Refused(message)


def fetch(job: Job, digest: str, directory: Path) -> None:
    """Put a model's files into a folder; together they must be the model that its digest means.

    Raises:
        StepFailed: the store holds none of them, or others.
    """
    prefix = f"{golden.model_base(job, digest)}/files"
    directory.mkdir()
    for key in job.storage.keys(prefix):
        name = PurePosixPath(key.removeprefix(f"{prefix}/"))
        if name.is_absolute() or ".." in name.parts:
            message = f"{job.storage.uri}/{key} is no file of a model"
            raise StepFailed(message)
        content = job.storage.read(key)
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if content is None else content)
    model.verify(directory)
    found = model.digest(directory)
    if found != digest:
        message = f"the files under {job.storage.uri}/{prefix} are {found}, not the model {digest}: restore them"
        raise StepFailed(message)
