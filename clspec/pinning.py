"""Making and moving pins: what `clspec lock` and `clspec data add` do to the store and to the lock."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import lower
from clspec.data import sources, table
from clspec.data.sources import Place
from clspec.data.storage import storage_at
from clspec.data.versions import Appended, Dataset, Shape, Version, fitted, overlap
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.lock import Count, DatasetPin, Lock, ScenarioPin, SourcePin
from clspec.project import store_of
from clspec.step.selection import Selector, refuse_unknown_labels

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.check import Facts
    from clspec.spec import Scenario

_KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A lock as it should be now, and a line for everything that became of a pin."""

    lock: Lock
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding rows to a dataset did; `dropped` are rows that are golden, by the column that gave them away."""

    appended: Appended
    dropped: dict[str, int]


def dataset_of(facts: Facts, name: str) -> Dataset:
    """A dataset of a spec in the spec's store."""
    store = store_of(facts.document.path, facts.spec.store)
    return Dataset(storage_at(store), facts.spec.metadata.name, name)


def shape_of(facts: Facts, name: str) -> Shape:
    """What the spec says of a dataset."""
    dataset = facts.dataset(name)
    return Shape(columns=dataset.columns or {}, key=dataset.key or "", group=dataset.group)


def _place(facts: Facts) -> Place:
    return Place(code=facts.root.resolve(), folder=facts.folder.resolve())


def locked(facts: Facts, update: tuple[str, ...], image: str | None) -> Locked:
    """The lock brought up to date: what has no pin is pinned, what is named is moved, every other pin stays.

    Raises:
        UsageError: a name to move is no dataset, or an image's digest has nothing to be the digest of.
        StepFailed: a source cannot be read.
    """
    for name in update:
        if name not in facts.spec.datasets:
            message = f"there is no dataset `{name}` to update: {did_you_mean(name, facts.spec.datasets)}"
            raise UsageError(message)
    before = facts.lock or Lock()
    changes: list[str] = []
    pins = {name: _pin(facts, name, before.datasets.get(name), update, changes) for name in sorted(facts.spec.datasets)}
    after = Lock(
        datasets=pins,
        images=_images(facts, before, image),
        scenarios=_counts(facts, pins[facts.spec.golden.dataset]),
        sources={name: SourcePin(columns=source.columns) for name, source in facts.spec.sources.items()},
    )
    changes += [f"{name}: no longer in the spec, its pin is gone" for name in before.datasets if name not in pins]
    moved = [what for what in ("scenarios", "sources", "images") if getattr(before, what) != getattr(after, what)]
    return Locked(lock=after, changes=(*changes, *(f"{what}: brought up to date" for what in moved)))


def _pin(facts: Facts, name: str, pin: DatasetPin | None, update: tuple[str, ...], changes: list[str]) -> DatasetPin:
    dataset, shape = dataset_of(facts, name), shape_of(facts, name)
    if pin is not None and name not in update:
        return DatasetPin(digest=pin.digest, rows=pin.rows, columns=pin.columns, key=pin.key, group=shape.group or "")
    version = _newest(facts, dataset, shape)
    made = DatasetPin(
        digest=version.digest, rows=version.rows, columns=shape.columns, key=shape.key, group=shape.group or ""
    )
    if pin is None:
        changes.append(f"{name}: pinned to version {version.number}, {version.rows} rows, {version.digest}")
    elif pin.digest != made.digest:
        changes.append(
            f"{name}: moved from {pin.digest} to version {version.number}, {version.rows} rows, {made.digest}"
        )
    return made


def _newest(facts: Facts, dataset: Dataset, shape: Shape) -> Version:
    """The newest version in the store; where there is none, the first one, made from the dataset's source."""
    versions = dataset.versions()
    if versions:
        newest = versions[-1]
        if (newest.columns, newest.key) != (shape.columns, shape.key):
            message = (
                f"dataset `{dataset.name}` has other columns or another key in {dataset.storage.uri} than in the spec; "
                f"give the dataset another name, or the spec another store"
            )
            raise Refused(message)
        return newest
    source = facts.dataset(dataset.name).from_
    if source is None:
        message = (
            f"dataset `{dataset.name}` has no version in {dataset.storage.uri} and no `from` to make one: "
            f"add rows with `clspec data add {dataset.name} FILE`"
        )
        raise UsageError(message)
    return dataset.append(_rows(facts, source, shape), shape, source).version


def _rows(facts: Facts, source: str, shape: Shape) -> pa.Table:
    rows = sources.read(lower.source_config(facts.spec, source) or {}, _place(facts))
    return fitted(rows, shape, f"source `{source}`")


def _images(facts: Facts, before: Lock, image: str | None) -> dict[str, str]:
    """What image tags mean: kept as they were, and the spec's set to a digest where one is given."""
    tag = facts.spec.code.image
    kept = {name: digest for name, digest in before.images.items() if name == tag}
    if image is None:
        return kept
    if not tag or "@" in tag:
        message = "`--image` records what a tag means; the spec's `code.image` is no tag"
        raise UsageError(message)
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", image):
        message = f"`--image` takes a digest, `sha256:` and 64 hexadecimal digits, not `{image}`"
        raise UsageError(message)
    return {tag: image}


def _counts(facts: Facts, pin: DatasetPin) -> dict[str, ScenarioPin]:
    """The rows and clusters of every selection in the pinned golden set."""
    name = facts.spec.golden.dataset
    dataset = dataset_of(facts, name)
    version = dataset.find(pin.digest) or _made(facts, dataset, pin.digest)
    if version is None:
        message = (
            f"{dataset.storage.uri} does not hold golden dataset `{name}` at {pin.digest}, so that its scenarios "
            f"cannot be counted: use the store that holds it, add the missing rows with `clspec data add {name} FILE`, "
            f"or pin the newest version there is with `clspec lock {facts.document.path} --update {name}`"
        )
        raise Refused(message)
    rows = dataset.rows(version)
    refuse_unknown_labels(rows.column(facts.spec.task.label), facts.spec.task.classes)
    selector = Selector(rows, pin.columns)
    return {scenario.id: _counted(facts, scenario, selector, rows) for scenario in facts.spec.golden.scenarios}


def _made(facts: Facts, dataset: Dataset, digest: str) -> Version | None:
    """The first version of a dataset that the store has nothing of, if its source still yields what is pinned."""
    source, shape = facts.dataset(dataset.name).from_, shape_of(facts, dataset.name)
    if source is None or dataset.versions():
        return None
    rows = _rows(facts, source, shape)
    unique, _ = table.keyed(rows, shape.key, f"source `{source}`")
    same = table.digest(unique, shape.columns, shape.key) == digest
    return dataset.append(rows, shape, source).version if same else None


def _counted(facts: Facts, scenario: Scenario, selector: Selector, rows: pa.Table) -> ScenarioPin:
    return ScenarioPin(
        scenario=_count(facts, scenario.select, selector, rows),
        guard=_count(facts, scenario.guard.select, selector, rows) if scenario.guard else None,
    )


def _count(facts: Facts, select: str, selector: Selector, rows: pa.Table) -> Count:
    chosen = [index for index, holds in enumerate(selector.select(select)) if holds]
    column = facts.spec.golden.cluster_by
    if column is None:
        return Count(select=select, rows=len(chosen))
    clusters = len(set(rows.column(column).take(chosen).to_pylist())) if chosen else 0
    return Count(select=select, rows=len(chosen), clusters=clusters, cluster_by=column)


def add(facts: Facts, name: str, origin: str) -> Added:
    """Append the rows of a source or a file to a dataset. Golden rows never enter what is learned from.

    Raises:
        UsageError: there is no such dataset, or the origin is neither a source nor a file that can be read.
        Refused: rows for the golden dataset are in training data already.
        StepFailed: the rows are not what the dataset holds.
    """
    if name not in facts.spec.datasets:
        message = f"there is no dataset `{name}`: {did_you_mean(name, facts.spec.datasets)}"
        raise UsageError(message)
    shape, dataset = shape_of(facts, name), dataset_of(facts, name)
    rows = _rows(facts, origin, shape) if origin in facts.spec.sources else _file(facts, origin, shape)
    if not dataset.versions() and (source := facts.dataset(name).from_) and source != origin:
        dataset.append(_rows(facts, source, shape), shape, source)
    kept, dropped = _without_golden(facts, name, rows)
    if dropped and len(kept) == 0:
        message = f"all {len(rows)} rows of {origin} are golden; none was added to `{name}`"
        raise Refused(message)
    return Added(appended=dataset.append(kept, shape, origin), dropped=dropped)


def _file(facts: Facts, origin: str, shape: Shape) -> pa.Table:
    path = Path(origin)
    if not path.is_file():
        message = f"`{origin}` is neither a source of the spec nor a file: {did_you_mean(origin, facts.spec.sources)}"
        raise UsageError(message)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        message = f"`{origin}` has none of the endings {', '.join(_KINDS)}, so that its format is unknown"
        raise UsageError(message)
    place = Place(code=None, folder=None)
    return sources.from_files(glob.escape(str(path.resolve())), kind, shape.columns, place, origin)


def _without_golden(facts: Facts, name: str, rows: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The rows that are not golden by key or by group, and how many were; golden and training never meet."""
    golden, training = facts.spec.golden.dataset, facts.spec.training.dataset
    if name not in {golden, training}:
        return rows, {}
    other = training if name == golden else golden
    theirs, mine, other_shape = _held(facts, other), shape_of(facts, name), shape_of(facts, other)
    if theirs is None:
        return rows, {}
    dropped: dict[str, int] = {}
    for column, counterpart in ((mine.key, other_shape.key), (mine.group, other_shape.group)):
        if column is None or counterpart is None:
            continue
        hits = set(overlap(rows, theirs, column, counterpart))
        if hits and name == golden:
            shown = ", ".join(map(str, sorted(hits)[:5])) + (", ..." if len(hits) > 5 else "")  # noqa: PLR2004
            message = (
                f"{len(hits)} values of `{column}` are in training dataset `{training}` ({shown}): "
                f"what was learned from cannot become golden"
            )
            raise Refused(message)
        keep = [value not in hits for value in rows.column(column).to_pylist()]
        if hits:
            dropped[column] = keep.count(False)
            rows = rows.filter(table.mask(keep))
    return rows, dropped


def _held(facts: Facts, name: str) -> pa.Table | None:
    """The newest rows of a dataset; where the store has none yet, those that its first version will have."""
    dataset = dataset_of(facts, name)
    versions = dataset.versions()
    if versions:
        return dataset.rows(versions[-1])
    source = facts.dataset(name).from_
    return None if source is None else _rows(facts, source, shape_of(facts, name))
