"""pin: make sure that the store holds the bytes that the lock means, making first versions where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.data import sources, table, usercode
from clspec.data.versions import Dataset, Shape, Version, fitted
from clspec.diagnostic import Refused

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `pins`: for each dataset its digest and rows, once the store is known to hold them."""
    pins = {}
    for name, config in job.config["datasets"].items():
        dataset = job.dataset(name)
        found = dataset.find(config["digest"]) or _first(job, dataset, config)
        pins[name] = {"digest": found.digest, "rows": found.rows}
    job.write_json("pins", pins)


def _first(job: Job, dataset: Dataset, config: dict[str, Any]) -> Version:
    """The first version, made from its source, if that is what the lock means.

    Raises:
        Refused: the store has other versions only, there is no source, or it yields other rows.
    """
    versions, source = dataset.versions(), config["from"]
    if versions:
        held = ", ".join(f"version {version.number} is {version.digest}" for version in versions[-3:])
        message = (
            f"the lock pins dataset `{dataset.name}` to {config['digest']}, which {job.storage.uri} does not hold "
            f"({held}): make that version with `clspec data add`, "
            f"or pin another with `clspec lock SPEC --update {dataset.name}`"
        )
        raise Refused(message)
    if source is None:
        message = (
            f"{job.storage.uri} holds no version of dataset `{dataset.name}`, and it has no `from` to make one: "
            f"add its rows with `clspec data add {dataset.name} FILE`"
        )
        raise Refused(message)
    if source["type"] == "python":
        usercode.verify(job.code_root(), job.config["code"])
    shape = Shape.of(config)
    origin = f"source `{source['name']}`"
    rows = fitted(sources.read(source, job.place), shape, origin)
    if source["type"] == "python":
        usercode.verify(job.code_root(), job.config["code"])  # nobody edited it meanwhile
    _same(rows, shape, config["digest"], origin, dataset.name)
    return dataset.append(rows, shape, source["name"]).version


def _same(rows: pa.Table, shape: Shape, wanted: str, origin: str, name: str) -> None:
    unique, _ = table.keyed(rows, shape.key, origin)
    found = table.digest(unique, shape.columns, shape.key)
    if found != wanted:
        message = (
            f"{origin} yields {found}, but the lock pins dataset `{name}` to {wanted}. Either the source has changed, "
            f"or that version was appended to later: add what is missing with `clspec data add {name} ...` to a store "
            f"that has the first version, or pin what the source yields now with `clspec lock SPEC --update {name}`"
        )
        raise Refused(message)
