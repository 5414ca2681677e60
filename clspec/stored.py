"""What a spec keeps in its store: its datasets and their rows, its models, its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import lower
from clspec.data import sources
from clspec.data.models import Models
from clspec.data.promotion import Rung, rungs
from clspec.data.sources import Place
from clspec.data.stages import Stage
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape, fitted
from clspec.diagnostic import UsageError, did_you_mean
from clspec.project import store_of

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.check import Facts
    from clspec.data.storage import Storage


def storage_of(facts: Facts) -> Storage:
    """The store of a spec."""
    return storage_at(store_of(facts.document.path, facts.spec.store))


def models_of(facts: Facts) -> Models:
    """The registered models of a spec."""
    return Models(storage_of(facts), facts.spec.metadata.name)


def rungs_of(facts: Facts) -> tuple[Rung, ...]:
    """The stages that a spec has, the lowest first."""
    stages = facts.spec.promotion.stages if facts.spec.promotion else ()
    return rungs([{"alias": stage.alias, "approval": stage.approval} for stage in stages])


def stage_of(facts: Facts, alias: str) -> Stage:
    """A stage of a spec.

    Raises:
        UsageError: it has no such stage.
    """
    names = [rung.alias for rung in rungs_of(facts)]
    if alias not in names:
        message = f"there is no stage `{alias}`: {did_you_mean(alias, names)}"
        raise UsageError(message)
    return Stage(storage_of(facts), facts.spec.metadata.name, alias)


def dataset_of(facts: Facts, name: str) -> Dataset:
    """A dataset of a spec.

    Raises:
        UsageError: it has no such dataset.
    """
    if name not in facts.spec.datasets:
        message = f"there is no dataset `{name}`: {did_you_mean(name, facts.spec.datasets)}"
        raise UsageError(message)
    return Dataset(storage_of(facts), facts.spec.metadata.name, name)


def shape_of(facts: Facts, name: str) -> Shape:
    """What the spec says of a dataset."""
    dataset = facts.dataset(name)
    return Shape(columns=dataset.columns or {}, key=dataset.key or "", group=dataset.group)


def rows_of(facts: Facts, source: str, shape: Shape) -> pa.Table:
    """The rows of a source as rows of a dataset; user code may run.

    Raises:
        StepFailed: it cannot be read, or its rows are not what the dataset holds.
    """
    place = Place(code=facts.root.resolve(), folder=facts.folder.resolve())
    rows = sources.read(lower.source_config(facts.spec, source) or {}, place)
    return fitted(rows, shape, f"source `{source}`")
