"""pin: make sure that the store holds the bytes that the lock means, and that only one dimension has moved.

What the store has nothing of is made: the first version of a dataset, from its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.data import origins, sources, table, usercode
from clspec.data.decisions import Decisions
from clspec.data.versions import Dataset, Shape, Version, fitted
from clspec.diagnostic import Refused
from clspec.step.standing import standing

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `pins`: for each dataset its digest and rows, once the store is known to hold them; and `standing`.

    The latter tells what stands, and as `data` what each dataset was made of.
    """
    found = standing(job)
    _refuse_worn_out(job)
    pins = {name: _pinned(job, name, config) for name, config in job.config["datasets"].items()}
    job.write_json("pins", {name: {"digest": pin.digest, "rows": pin.rows} for name, pin in pins.items()})
    data = {name: origins.told(job.dataset(name), pin) for name, pin in pins.items()}
    job.write_json("standing", {**found, "data": data})


def _refuse_worn_out(job: Job) -> None:
    """Refuse before anything is trained: a test set that was looked at too often is no test any more.

    Raises:
        Refused: this golden version has decided as often as the spec allows.
    """
    reuse, golden = job.config["reuse"], job.config["golden"]
    if reuse is None:
        return
    most, count = reuse["max_decisions"], Decisions(job.storage, job.config["spec"]).count(golden)
    name = job.config["record"]["roles"]["golden"]
    if count >= most:
        message = (
            f"golden dataset `{name}` at {golden} has decided {count} times, and `golden.reuse` allows {most}: "
            f"add fresh rows with `clspec data add {name} FILE` and pin them with `clspec lock SPEC --update {name}`"
        )
        raise Refused(message)


def _pinned(job: Job, name: str, config: dict[str, Any]) -> Version:
    """The version that is meant: the pinned one, or the newest of a dataset that moves."""
    dataset, digest = job.dataset(name), config["digest"]
    if digest is None:
        return dataset.newest() or _first(job, dataset, config, config["first"])
    found = dataset.find(digest) or _first(job, dataset, config, digest)
    if dataset.is_erased(found):
        message = (
            f"the lock pins dataset `{name}` to version {found.number}, which holds rows that were erased: "
            f"pin the newest with `clspec lock SPEC --update {name}`"
        )
        raise Refused(message)
    return found


def _first(job: Job, dataset: Dataset, config: dict[str, Any], digest: str) -> Version:
    """The first version, made from its source, if that is what the lock means.

    Raises:
        Refused: the store has other versions only, there is no source, or it yields other rows.
    """
    if versions := dataset.versions():
        held = ", ".join(f"version {version.number} is {version.digest}" for version in versions[-3:])
        message = (
            f"the lock pins dataset `{dataset.name}` to {digest}, which {job.storage.uri} does not hold "
            f"({held}): make that version with `clspec data add`, "
            f"or pin another with `clspec lock SPEC --update {dataset.name}`"
        )
        raise Refused(message)
    rows, shape = first_rows(job, config, dataset.name, job.config["code"])
    _same(rows, shape, digest, f"source `{config['from']['name']}`", dataset.name)
    return dataset.append(rows, shape, config["from"]["name"]).version


def first_rows(job: Job, config: dict[str, Any], name: str, code: str) -> tuple[pa.Table, Shape]:
    """The rows that a dataset begins with, from its source.

    Raises:
        Refused: it has none.
    """
    source, shape = config["from"], Shape.of(config)
    if source is None:
        message = (
            f"{job.storage.uri} holds no version of dataset `{name}`, and it has no `from` to make one: "
            f"add its rows with `clspec data add {name} FILE`"
        )
        raise Refused(message)
    if source["type"] == "python":
        usercode.verify(job.code_root(), code)
    rows = fitted(sources.read(source, job.place), shape, f"source `{source['name']}`")
    if source["type"] == "python":
        usercode.verify(job.code_root(), code)  # nobody edited it meanwhile
    return rows, shape


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
