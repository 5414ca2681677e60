"""What models said of a golden version, kept beside them in the store, so that no champion is evaluated twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import parquet
from clspec.diagnostic import StepFailed
from clspec.step.predict import JUDGED, LATENCY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.step.job import Job

NOBODY = "none"
"""What predictions name as their model where there is no champion."""


def model_base(job: Job, digest: str) -> str:
    """Where a model's own things lie in the store."""
    return f"{job.config['spec']}/models/{digest.removeprefix('sha256:')}"


def kept(job: Job, digest: str, golden: str) -> pa.Table | None:
    """What a model said of a golden version, or None if that is not known.

    Raises:
        StepFailed: what is kept cannot be read, or is another model's.
    """
    key = _key(job, digest, golden)
    content = job.storage.read(key)
    if content is None:
        return None
    try:
        found = parquet.unpacked(content)
    except (OSError, pa.ArrowException) as error:
        message = f"{job.storage.uri}/{key} cannot be read as Parquet: {error}"
        raise StepFailed(message) from error
    if asked(found) != digest:
        message = f"{job.storage.uri}/{key} holds predictions of {asked(found) or 'no model'}, not of {digest}"
        raise StepFailed(message)
    return found


def keep(job: Job, golden: str, answers: pa.Table) -> None:
    """Keep what a model said of a golden version; how long it took is of the machine and not kept."""
    names = [name for name in answers.column_names if name != LATENCY]
    job.storage.create(_key(job, asked(answers), golden), parquet.packed(answers.select(names)))


def _key(job: Job, digest: str, golden: str) -> str:
    return f"{model_base(job, digest)}/golden/{golden.removeprefix('sha256:')}.parquet"


def asked(answers: pa.Table) -> str:
    """The digest of the model that gave answers; empty if they do not say."""
    return str((answers.schema.metadata or {}).get(JUDGED, b"").decode())


def joined(job: Job) -> pa.Table:
    """The predictions of one model from all shards, in the order of the shards.

    Raises:
        StepFailed: there are none, or the shards asked different models.
    """
    names = sorted((n for n in job.inputs if n.startswith("predictions-")), key=lambda n: int(n.rpartition("-")[2]))
    shards = [job.read_rows(name) for name in names]
    models = {asked(shard) for shard in shards}
    if len(models) != 1 or "" in models:
        message = f"the predictions are not those of one model: {', '.join(sorted(models)) or 'there are none'}"
        raise StepFailed(message)
    try:
        return pa.concat_tables(shards)
    except pa.ArrowException as error:
        message = f"the shards of the predictions do not fit together: {error}"
        raise StepFailed(message) from error


def aligned(answers: pa.Table, keys: pa.ChunkedArray, key: str, wanted: Sequence[str]) -> pa.Table:
    """The answers in the order of the golden rows, one for each.

    Raises:
        StepFailed: a row has no answer or more than one, or a column of the answers is missing or has a NULL.
    """
    missing = [name for name in (key, *wanted) if name not in answers.column_names]
    if missing:
        message = f"the predictions have no column {', '.join(f'`{name}`' for name in missing)}"
        raise StepFailed(message)
    given = answers.column(key).combine_chunks()
    if given.type != keys.type:
        message = f"`{key}` is {given.type} in the predictions and {keys.type} in the golden rows"
        raise StepFailed(message)
    index = pc.index_in(keys.combine_chunks(), value_set=given)
    if index.null_count or len(answers) != len(keys):
        message = f"{len(answers)} predictions for {len(keys)} golden rows, {index.null_count} of which have none"
        raise StepFailed(message)
    found = answers.take(index)
    empty = [name for name in wanted if found.column(name).null_count]
    if empty:
        message = f"{found.column(empty[0]).null_count} predictions have no `{empty[0]}`"
        raise StepFailed(message)
    return found
