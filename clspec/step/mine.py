"""mine: the rows of production that the rules ask for, and that nobody was ever asked about, as candidates."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from clspec.data import apart, stream, usercode
from clspec.data.queue import Queue
from clspec.data.queue_rows import texts
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.step.job import Job

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(job: Job) -> None:
    """Write `candidates`, and `mined`: how many rows each rule matched, how many are new, and what was left out.

    Raises:
        DataError: a source cannot be read.
        Refused: a source is code, and it is not the code that the plan means.
        UserCodeFailed: the code of a source raised, or ended its process.
    """
    out = job.outputs["candidates"]
    with tempfile.TemporaryDirectory(prefix=".clspec-", dir=out.parent) as folder:
        scratch = Path(folder)
        files = {name: _local(job, source, scratch / f"source-{name}") for name, source in _sources(job)}
        name = job.config["source"]["name"]
        told = (rule for rule in job.config["rules"] if rule["type"] == "human_feedback")
        asked = {
            "config": job.config,
            "files": files[name],
            "feedback": {rule["id"]: files[rule["feedback"]["name"]] for rule in told},
            "known": _known(job, scratch),
            "as_of": (job.as_of - _EPOCH) // timedelta(microseconds=1),
            "out": str(out),
            "scratch": str(scratch / "spilled"),
        }
        mined = apart.run("clspec.data.mining:mine", asked, lambda how: _died(name, how))
    job.write_json("mined", mined)


def _died(name: str, how: str) -> DataError:
    return DataError(
        f"source `{name}`: reading its files ended the process with {how}: a file is damaged, or memory ran out"
    )


def _sources(job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    """The production source and those of people's feedback, each once."""
    told = (rule["feedback"] for rule in job.config["rules"] if rule["type"] == "human_feedback")
    return iter({source["name"]: source for source in (job.config["source"], *told)}.items())


def _local(job: Job, source: dict[str, Any], scratch: Path) -> list[str]:
    """The files of a source; one that is code is asked only if it is the code that the plan means."""
    scratch.mkdir()
    if source["type"] != "python":
        return stream.local(source, job.place, scratch).paths
    usercode.verify(job.code_root(), job.config["code"])
    found = stream.local(source, job.place, scratch).paths
    usercode.verify(job.code_root(), job.config["code"])  # nobody edited it meanwhile
    return found


def _known(job: Job, scratch: Path) -> dict[str, str]:
    """Files of the keys that the queue or the dataset has, as texts, and of the digests of those that were erased."""
    contents = Queue(job.storage, job.config["spec"]).contents()
    dataset = job.dataset(job.config["dataset"]["name"])
    held = dataset.of_newest(dataset.keys)
    keys = [pa.array(sorted(contents.items), type=pa.large_string())]
    if held is not None:
        keys.append(texts(held))
    tables = {
        "keys": pa.table({"key": pa.chunked_array(keys, type=pa.large_string())}),
        "erased": pa.table({"digest": pa.array(sorted(contents.erased), type=pa.large_string())}),
    }
    paths = {name: scratch / f"{name}.parquet" for name in tables}
    for name, rows in tables.items():
        pq.write_table(rows, paths[name])
    return {name: str(path) for name, path in paths.items()}
