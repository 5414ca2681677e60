"""predict: what one model says of every golden row, asked without the truth."""

from __future__ import annotations

import math
import tempfile
import time
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clspec.data import table, usercode
from clspec.diagnostic import StepFailed
from clspec.step import model
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from clspec.step.job import Job

_TELL_EVERY = 1_000
JUDGED = b"clspec.model"
"""The key, in the metadata of predictions, of the digest of the model that made them."""
LATENCY = "clspec.latency"
"""The column of the seconds that each row took."""


def run(job: Job) -> None:
    """Write `predictions`: the key, the prediction and (if the task has one) the score of every row of the shard."""
    whole = job.read_rows("data")
    start, end = _shard(len(whole), job.config["shard"], job.config["shards"])
    complete = answers(job, whole.slice(start, end - start))
    pq.write_table(complete, job.outputs["predictions"], compression="zstd")


def answers(job: Job, golden: pa.Table) -> pa.Table:
    """What the model of the input `model` says of golden rows, in their order, with the model's digest.

    Raises:
        Refused: the code is not the code that the plan means.
        UserCodeFailed: it does not answer every row once, or it changes the model.
    """
    rows = golden.drop_columns([job.config["task"]["label"]])  # a model that could see the truth would only repeat it
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data.parquet")
        pq.write_table(rows, data)
        with unchanged(job, "model"):
            given = _asked(job, data, Path(scratch, "answers.parquet"), len(rows))
    complete = _matched(given, rows.column(_key(job)), job)
    return complete.replace_schema_metadata({JUDGED: model.digest(job.inputs["model"])})


def _key(job: Job) -> str:
    key: str = job.config["key"]
    return key


def _shard(rows: int, shard: int, shards: int) -> tuple[int, int]:
    """The rows of a shard (from 1): as even as can be, all of them together every row once."""
    return rows * (shard - 1) // shards, rows * shard // shards


def columns(config: dict[str, Any], key_type: str) -> dict[str, str]:
    """The columns of what the user's code must answer."""
    task = config["task"]
    answer = "string" if task["type"] == "classification" else "double"
    score = {task["score"]: "double"} if task["score"] else {}
    return {config["key"]: key_type, task["prediction"]: answer, **score}


def class_score(task: dict[str, Any], name: str) -> str:
    """The column of a class's own score, which the user's code may answer too: `conf.dog` beside `conf`."""
    return f"{task['score']}.{name}"


def _class_scores(config: dict[str, Any], given: Container[str]) -> dict[str, str]:
    """The columns of classes' own scores among those that are given."""
    task = config["task"]
    names = (class_score(task, name) for name in task["classes"]) if task["score"] else ()
    return {name: "double" for name in names if name in given}


def _asked(job: Job, data: Path, out: Path, count: int) -> pa.Table:
    """What the user's code answers, in its types; not yet known to be complete."""
    call, timed = job.config["call"], job.config.get("latency", False)
    integer = pa.types.is_integer(pq.read_schema(data).field(_key(job)).type)
    wanted = columns(job.config, "integer" if integer else "string")
    given = {"data": str(data), "model_dir": str(job.inputs["model"])}
    if call["entrypoint"] is None and timed:
        message = "a command answers all rows at once: for `latency_p99` give `inference` an `entrypoint`"
        raise StepFailed(message)
    if call["entrypoint"] is None:
        return _commanded(job, {**given, "out": str(out)}, wanted)
    seconds: list[float] = []
    found = _told(job, _timed(usercode.rows(job.code_root(), call["entrypoint"], given), seconds), count)
    first = list(islice(found, 1))
    if first and isinstance(first[0], dict):
        wanted = {**wanted, **_class_scores(job.config, first[0])}
    answered = table.from_rows(chain(first, found), wanted, f"`{call['entrypoint']}`")
    return answered.append_column(LATENCY, pa.array(seconds, type=pa.float64())) if timed else answered


def _commanded(job: Job, given: dict[str, str], wanted: dict[str, str]) -> pa.Table:
    """What the user's command wrote."""
    usercode.command(job.code_root(), job.config["call"]["command"], given)
    if not Path(given["out"]).is_file():
        message = "the command wrote no {out}"
        raise usercode.UserCodeFailed(message)
    try:
        written = pq.read_table(given["out"])
        known = {**wanted, **_class_scores(job.config, written.column_names)}
        return table.conform(written, known, "what the command wrote to {out}")
    except pa.ArrowException as error:
        message = f"what the command wrote to {{out}} is no Parquet file: {error}"
        raise usercode.UserCodeFailed(message) from error


def _timed(found: Iterator[Any], seconds: list[float]) -> Iterator[Any]:
    """The same answers; how long each took to come is put on the list."""
    while True:
        begun = time.perf_counter()
        try:
            answer = next(found)
        except StopIteration:
            return
        seconds.append(time.perf_counter() - begun)
        yield answer


def _told(job: Job, answers: Iterator[Any], count: int) -> Iterator[Any]:
    for number, answer in enumerate(answers):
        if number % _TELL_EVERY == 0:
            job.tell(number, count, "rows")
        yield answer
    job.tell(count, count, "rows")


def _matched(found: pa.Table, keys: pa.ChunkedArray, job: Job) -> pa.Table:
    """The answers in the order of the rows: one for each, of a known class, with a finite score.

    Raises:
        UserCodeFailed: an answer is missing, given twice, for no row, or not possible.
    """
    key = _key(job)
    given = found.column(key)
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
    _possible(found, job.config)
    return found.take(pc.index_in(keys.combine_chunks(), value_set=given.combine_chunks()))


def _possible(found: pa.Table, config: dict[str, Any]) -> None:
    task = config["task"]
    said = found.column(task["prediction"])
    if said.null_count:
        message = f"predict gives {said.null_count} rows no `{task['prediction']}`"
        raise usercode.UserCodeFailed(message)
    if task["type"] == "classification":
        strange = sorted(set(pc.unique(said).to_pylist()) - set(task["classes"]))
        if strange:
            message = f"predict answers {strange[0]!r}, which is not one of the classes {', '.join(task['classes'])}"
            raise usercode.UserCodeFailed(message)
    numbers = [task["score"]] if task["score"] else []
    numbers += [] if task["type"] == "classification" else [task["prediction"]]
    for name in (*numbers, *_class_scores(config, found.column_names)):
        bad = sum(value is None or not math.isfinite(value) for value in found.column(name).to_pylist())
        if bad:
            message = f"predict gives {bad} rows no finite `{name}`"
            raise usercode.UserCodeFailed(message)
