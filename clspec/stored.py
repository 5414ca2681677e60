"""What a spec keeps in its store: its datasets and their rows, its models, its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import lower
from clspec.data import sources
from clspec.data.leakage import Near, Protected, without_leaks
from clspec.data.models import Models
from clspec.data.promotion import Rung, rungs
from clspec.data.sources import Place
from clspec.data.stages import Stage
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape, fitted
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.project import store_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from clspec.check import Facts
    from clspec.data.queue import Queue
    from clspec.data.queue_state import Item
    from clspec.data.storage import Storage
    from clspec.data.versions import Version


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


# -- golden data and training data never meet --------------------------------------------------------------------------


def first_version(facts: Facts, name: str, source: str) -> Version:
    """Make the version that a dataset begins with, from its source; by key and group, nothing golden is learned from.

    Raises:
        Refused: it has rows that are golden, or golden rows that are in training data.
        StepFailed: the source cannot be read, or its rows are not what the dataset holds.
    """
    shape = shape_of(facts, name)
    rows = rows_of(facts, source, shape)
    _, dropped = without_golden(facts, name, rows, None)
    if len(dropped):
        message = (
            f"{len(dropped)} of {len(rows)} rows of source `{source}` are golden ({shown(dropped)}): dataset `{name}` "
            f"is learned from and cannot begin with them; take them out of the source"
        )
        raise Refused(message)
    return dataset_of(facts, name).append(rows, shape, source).version


def without_golden(facts: Facts, name: str, rows: pa.Table, near: Near | None) -> tuple[pa.Table, pa.Table]:
    """The rows that are not golden, and the others with their cause; golden data and training data never meet."""
    protected, learned = _protected_names(facts), _learned_names(facts)
    others = [*(protected if name in learned else ()), *(learned if name in protected else ())]
    held = [found for other in others if (found := _held(facts, other)) is not None]
    kept, dropped = without_leaks(rows, shape_of(facts, name), held, near)
    if len(dropped) and name in protected:
        message = (
            f"{len(dropped)} of {len(rows)} rows are in training data already ({shown(dropped)}): "
            f"what was learned from cannot become golden"
        )
        raise Refused(message)
    return kept, dropped


def shown(dropped: pa.Table) -> str:
    """The first of these rows, and what gave each away."""
    named = [f"{row['key']} by {row['cause']} {row['value']} of `{row['dataset']}`" for row in dropped.to_pylist()[:5]]
    return ", ".join(named) + (", ..." if len(dropped) > len(named) else "")


def _protected_names(facts: Facts) -> list[str]:
    """The datasets that nothing may leak from."""
    guard = facts.spec.feedback.leakage_guard if facts.spec.feedback else None
    return list(dict.fromkeys((facts.spec.golden.dataset, *(guard.against if guard else ()))))


def _learned_names(facts: Facts) -> list[str]:
    """The datasets that models learn from."""
    feedback = facts.spec.feedback
    return list(dict.fromkeys((facts.spec.training.dataset, *((feedback.append_to,) if feedback else ()))))


def near_of(facts: Facts) -> Near | None:
    """What the spec's guard takes for the same image."""
    feedback = facts.spec.feedback
    if feedback is None or feedback.leakage_guard is None or feedback.leakage_guard.near is None:
        return None
    near, media = feedback.leakage_guard.near, facts.spec.sources[feedback.source].roles.media
    return Near.of({"method": near.method, "distance": near.distance, "media": media})


def _held(facts: Facts, name: str) -> Protected | None:
    """The newest rows of a dataset; where the store has none yet, those that its first version will have."""
    shape, source = shape_of(facts, name), facts.dataset(name).from_
    if (stored := _stored(facts, name)) is not None or source is None:
        return stored
    return Protected(name=name, rows=rows_of(facts, source, shape), key=shape.key, group=shape.group)


def _stored(facts: Facts, name: str) -> Protected | None:
    """The newest rows of a dataset, if the store has any."""
    dataset, shape = dataset_of(facts, name), shape_of(facts, name)
    rows = dataset.of_newest(dataset.rows)
    if rows is None:
        return None
    return Protected(name=name, rows=rows, key=shape.key, group=shape.group)


def not_golden(facts: Facts, name: str, queue: Queue, asked: Sequence[Item]) -> list[Item]:
    """Those of these questions that are not golden by now, by key and group; the others leave the queue.

    Golden data grows while questions wait: a row that has become golden teaches nobody, and nobody is shown it.
    """
    rows = queue.rows([item.key for item in asked])
    against = [found for other in _protected_names(facts) if (found := _stored(facts, other)) is not None]
    if len(rows) == 0 or not against:
        return list(asked)
    _, dropped = without_leaks(rows, shape_of(facts, name), against, None)
    queue.reject(dropped.column("key"), "leak")
    gone = frozenset(dropped.column("key").to_pylist())
    return [item for item in asked if item.key not in gone]
