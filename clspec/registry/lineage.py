"""Lineage: from a model back to the judgements, the data, the labels and the production events that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.data.origins import counted
from clspec.data.queue_rows import texts
from clspec.data.versions import Dataset, Erased
from clspec.stored import models_of, rungs_of, stage_of

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.check import Facts
    from clspec.data.models import Record
    from clspec.data.stages import Change
    from clspec.data.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one row that a model learned from came from."""

    key: str
    event: str | None
    rules: str | None
    origin: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The data that a model learned from, and what is known of where its rows came from."""

    dataset: str
    digest: str
    versions: tuple[tuple[int, int, str], ...]
    """Each version up to that one: its number, its rows, and where the newest of them came from."""
    rows: int
    by_rule: dict[str, int]
    by_origin: dict[str, int]
    origins: tuple[Origin, ...]
    note: str
    """Why nothing is known, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One judgement of the model: what made it, what it learned from and who it was judged against."""

    record: Record
    taught: Taught


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that the store knows of where a model came from, and of what became of it."""

    model: str
    judged: tuple[Judged, ...]
    stages: tuple[tuple[str, int, Change], ...]
    """Each change that gave it a stage: the stage, its number there, and the change."""


def lineage(facts: Facts, word: str) -> Lineage:
    """Where a model came from.

    Raises:
        UsageError: the word names no model or several.
    """
    models = models_of(facts)
    model = models.named(word)
    judged = tuple(Judged(record=record, taught=_taught(facts, record)) for record in models.records(model))
    stages = tuple(
        (rung.alias, number, change)
        for rung in rungs_of(facts)
        for number, change in enumerate(stage_of(facts, rung.alias).history(), 1)
        if change.model == model
    )
    return Lineage(model=model, judged=judged, stages=stages)


def _taught(facts: Facts, record: Record) -> Taught:
    name, digest = record.dataset("training")
    dataset = Dataset(models_of(facts).storage, facts.spec.metadata.name, name)
    version = dataset.find(digest)
    told: dict[str, Any] = {"dataset": name, "digest": digest}
    nothing: dict[str, Any] = {"by_rule": {}, "by_origin": {}, "origins": ()}
    if version is None:
        return Taught(**told, **nothing, versions=(), rows=0, note=f"{dataset.storage.uri} does not hold that version")
    steps = tuple((v.number, v.rows, v.origin) for v in dataset.versions() if v.number <= version.number)
    told |= {"versions": steps, "rows": version.rows}
    try:
        found = dataset.provenance(version)
    except Erased as error:
        return Taught(**told, **nothing, note=str(error))
    return Taught(**told, **_counted(found, version), note="")


def _counted(found: pa.Table, version: Version) -> dict[str, Any]:
    by_rule, by_origin = counted(found, version)
    columns = (found.column(name).to_pylist() for name in ("event", "rules", "origin", "by"))
    rows = zip(texts(found.column(version.key)).to_pylist(), *columns, strict=True)
    return {
        "by_rule": by_rule,
        "by_origin": by_origin,
        "origins": tuple(Origin(key=k, event=e, rules=r, origin=o, by=b) for k, e, r, o, b in rows),
    }
