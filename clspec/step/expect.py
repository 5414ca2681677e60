"""expect: the data gates; nothing is mined or learned from data that is not as the spec says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data import apart, stream, usercode
from clspec.data.table import schema
from clspec.diagnostic import Refused, StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.data.versions import Dataset, Version
    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `expectations`: everything that is expected, with what was found.

    Raises:
        Refused: something is not as expected; the text names all of it.
    """
    found: list[dict[str, Any]] = []
    for judge, asked in ((_of_source, job.config["sources"]), (_of_dataset, job.config["datasets"])):
        for one in asked:
            with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
                found += judge(job, one, Path(scratch))
    told = [f"{one['of']}: {one['text']}" for one in found]
    for line, one in zip(told, found, strict=True):  # a failing step keeps no output but what it said
        print(f"{'ok' if one['holds'] else 'NOT AS EXPECTED'}: {line}", flush=True)  # noqa: T201
    failed = [line for line, one in zip(told, found, strict=True) if not one["holds"]]
    if failed:
        message = f"{len(failed)} of {len(found)} expectations do not hold:\n  " + "\n  ".join(failed)
        raise Refused(message)
    job.write_json("expectations", {"checks": found})


def _of_source(job: Job, source: dict[str, Any], scratch: Path) -> list[dict[str, Any]]:
    if source["type"] == "python":
        usercode.verify(job.code_root(), job.config["code"])
    files = stream.local(source, job.place, scratch)
    if source["type"] == "python":
        usercode.verify(job.code_root(), job.config["code"])  # nobody edited it meanwhile
    freshness = {"column": source["roles"].get("time"), "seconds": source["freshness"], "as_of": job.as_of.isoformat()}
    rows = {"paths": files.paths, "columns": source["columns"], "origin": files.origin}
    return _found(job, rows, source["expect"], freshness if source["freshness"] else None, scratch)


def _of_dataset(job: Job, config: dict[str, Any], scratch: Path) -> list[dict[str, Any]]:
    dataset = job.dataset(config["name"])
    newest = dataset.of_newest(dataset.rows)
    rows = schema(config["columns"]).empty_table() if newest is None else newest
    written = _written(rows, scratch / "dataset.parquet", config["columns"], f"dataset `{dataset.name}`")
    return _found(job, written, config["expect"], None, scratch)


def _found(
    job: Job,
    rows: dict[str, Any],
    expect: dict[str, Any] | None,
    freshness: dict[str, Any] | None,
    scratch: Path,
) -> list[dict[str, Any]]:
    reference = _reference(job, expect["drift"]["against"], scratch) if expect and expect["drift"] else None
    asked = {"rows": rows, "expect": expect, "reference": reference, "freshness": freshness, "scratch": str(scratch)}
    answers = apart.run("clspec.data.expectations:found", asked, lambda how: _died(rows["origin"], how))
    return [{"of": rows["origin"], **one} for one in answers]


def _died(origin: str, how: str) -> StepFailed:
    return StepFailed(f"{origin}: the process that looked at its rows ended with {how}")


def _reference(job: Job, name: str, scratch: Path) -> dict[str, Any]:
    """What drift is measured against, as files."""
    dataset = job.dataset(name)
    version, rows = _read(job, dataset)
    origin = f"version {version.number} of dataset `{name}`"
    return _written(rows, scratch / "reference.parquet", version.columns, origin)


def _read(job: Job, dataset: Dataset) -> tuple[Version, pa.Table]:
    """The version that the run has pinned, else the newest, with its rows.

    Raises:
        Refused: there is none.
        Erased: the pinned one held rows that were erased since.
    """

    def read(version: Version) -> tuple[Version, pa.Table]:
        return version, dataset.rows(version)

    pin = job.read_json("pins").get(dataset.name)
    if pin is None:
        found = dataset.of_newest(read)
    else:
        pinned = dataset.find(pin["digest"])
        found = None if pinned is None else read(pinned)
    if found is None:
        which = f"at {pin['digest']}" if pin else "in any version"
        message = f"drift is measured against dataset `{dataset.name}`, which {job.storage.uri} does not hold {which}"
        raise Refused(message)
    return found


def _written(rows: pa.Table, path: Path, columns: dict[str, str], origin: str) -> dict[str, Any]:
    stream.write(path, rows.schema, rows.to_batches())
    return {"paths": [str(path)], "columns": columns, "origin": origin}
