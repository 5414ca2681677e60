"""predict: what one model says of every golden row, asked without the truth."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clspec.data import table, usercode
from clspec.step import model
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.step.job import Job

_TELL_EVERY = 1_000
JUDGED = b"clspec.model"
"""The key, in the metadata of predictions, of the digest of the model that made them."""


def run(job: Job) -> None:
    """Write `predictions`: the key, the prediction and (if the task has one) the score of every row of the shard."""
    whole = job.read_rows("data")
    rows = whole.drop_columns([job.config["task"]["label"]])  # a model that could see the truth would only repeat it
    start, end = _shard(len(rows), job.config["shard"], job.config["shards"])
    mine = rows.slice(start, end - start)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data.parquet")
        pq.write_table(mine, data)
        with unchanged(job, "model"):
            answers = _asked(job, job.code_root(), data, Path(scratch, "answers.parquet"), len(mine))
    complete = _matched(answers, mine.column(_key(job)), job)
    complete = complete.replace_schema_metadata({JUDGED: model.digest(job.inputs["model"])})
    pq.write_table(complete, job.outputs["predictions"], compression="zstd")


def _key(job: Job) -> str:
    key: str = job.config["key"]
    return key


def _shard(rows: int, shard: int, shards: int) -> tuple[int, int]:
    """The rows of a shard (from 1): as even as can be, all of them together every row once."""
    return rows * (shard - 1) // shards, rows * shard // shards


def columns(config: dict[str, Any], key_type: str) -> dict[str, str]:
    """The columns of predictions."""
    task = config["task"]
    answer = "string" if task["type"] == "classification" else "double"
    score = {task["score"]: "double"} if task["score"] else {}
    return {config["key"]: key_type, task["prediction"]: answer, **score}


def _asked(job: Job, root: Path, data: Path, out: Path, count: int) -> pa.Table:
    """What the user's code answers, in its types; not yet known to be complete."""
    call = job.config["call"]
    integer = pa.types.is_integer(pq.read_schema(data).field(_key(job)).type)
    wanted = columns(job.config, "integer" if integer else "string")
    given = {"data": str(data), "model_dir": str(job.inputs["model"])}
    if call["entrypoint"] is not None:
        answers = usercode.rows(root, call["entrypoint"], given)
        return table.from_rows(_told(job, answers, count), wanted, f"`{call['entrypoint']}`")
    usercode.command(root, call["command"], {**given, "out": str(out)})
    if not out.is_file():
        message = "the command wrote no {out}"
        raise usercode.UserCodeFailed(message)
    try:
        return table.conform(pq.read_table(out), wanted, "what the command wrote to {out}")
    except pa.ArrowException as error:
        message = f"what the command wrote to {{out}} is no Parquet file: {error}"
        raise usercode.UserCodeFailed(message) from error


def _told(job: Job, answers: Iterator[Any], count: int) -> Iterator[Any]:
    for number, answer in enumerate(answers):
        if number % _TELL_EVERY == 0:
            job.tell(number, count, "rows")
        yield answer
    job.tell(count, count, "rows")


def _matched(answers: pa.Table, keys: pa.ChunkedArray, job: Job) -> pa.Table:
    """The answers in the order of the rows: one for each, of a known class, with a finite score.

    Raises:
        UserCodeFailed: an answer is missing, given twice, for no row, or not possible.
    """
    key, task = _key(job), job.config["task"]
    given = answers.column(key)
    if given.null_count or len(pc.unique(given)) < len(given):
        message = (
            f"predict gives {len(given) - len(pc.unique(given))} rows twice, and {given.null_count} without `{key}`"
        )
        raise usercode.UserCodeFailed(message)
    unknown = int(pc.sum(pc.invert(pc.is_in(given, value_set=keys.combine_chunks()))).as_py() or 0)
    if unknown or len(given) != len(keys):
        missing = sorted(set(keys.to_pylist()) - set(given.to_pylist()))[:3]
        named = f" (no answer for {', '.join(map(str, missing))}, ...)" if missing else ""
        message = (
            f"predict answers {len(given) - unknown} of {len(keys)} rows, and {unknown} that were not asked{named}"
        )
        raise usercode.UserCodeFailed(message)
    _possible(answers, task)
    return answers.take(pc.index_in(keys.combine_chunks(), value_set=given.combine_chunks()))


def _possible(answers: pa.Table, task: dict[str, Any]) -> None:
    said = answers.column(task["prediction"])
    if said.null_count:
        message = f"predict gives {said.null_count} rows no `{task['prediction']}`"
        raise usercode.UserCodeFailed(message)
    if task["type"] == "classification":
        strange = sorted(set(pc.unique(said).to_pylist()) - set(task["classes"]))
        if strange:
            message = f"predict answers {strange[0]!r}, which is not one of the classes {', '.join(task['classes'])}"
            raise usercode.UserCodeFailed(message)
    if task["score"]:
        scores = answers.column(task["score"]).to_pylist()
        bad = sum(score is None or not math.isfinite(score) for score in scores)
        if bad:
            message = f"predict gives {bad} rows no finite `{task['score']}`"
            raise usercode.UserCodeFailed(message)
