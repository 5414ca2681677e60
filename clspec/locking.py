"""The lock brought up to date: what `clspec lock` makes of the spec, the store and the pins that were there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.data import table
from clspec.data.promotion import champion
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.lock import Count, DatasetPin, Lock, ScenarioPin, SourcePin, both
from clspec.step.selection import Selector, refuse_unknown_labels
from clspec.stored import dataset_of, first_version, rows_of, shape_of, storage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from clspec.check import Facts
    from clspec.data.versions import Dataset, Shape, Version
    from clspec.spec import Scenario, Spec

_LIKE_AN_IMAGE = frozenset("./:@")
"""What no dataset's name has in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A lock as it should be now, and a line for everything that became of a pin."""

    lock: Lock
    changes: tuple[str, ...]
    floating: tuple[str, ...] = ()
    """The images of the spec that are tags of which nothing says what they mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a person wants to be moved, by what it is."""

    datasets: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def tags(spec: Spec) -> frozenset[str]:
    """The images that a spec, as it is without an environment and in each of them, names by a tag."""
    there = {environment.code.image for environment in spec.environments.values() if environment.code}
    return frozenset(image for image in {spec.code.image, *there} if image and "@" not in image)


def sorted_out(spec: Spec, names: Iterable[str]) -> Named:
    """Which of the names to move are datasets, and which are images.

    Raises:
        UsageError: one is neither, or both.
    """
    images, datasets = tags(spec), spec.datasets
    for name in names:
        if name in images and name in datasets:
            message = f"`{name}` is a dataset and an image: write the image with its tag in the spec, `{name}:latest`"
            raise UsageError(message)
        if name not in images and name not in datasets:
            message = f"there is no {'image' if _LIKE_AN_IMAGE & set(name) else 'dataset'} `{name}` to update"
            hint = "it is a digest, which means one image for ever" if "@" in name else ""
            hint = hint or did_you_mean(name, [*datasets, *images])
            raise UsageError(f"{message}: {hint}" if hint else message)
    return Named(
        datasets=tuple(name for name in names if name in datasets),
        images=tuple(dict.fromkeys(name for name in names if name in images)),
    )


def recorded(facts: Facts, digest: str) -> dict[str, str]:
    """What somebody says that the tag in `code.image` means.

    Raises:
        UsageError: there is no tag, or what is said is no digest.
    """
    tag = facts.spec.code.image
    if not tag or "@" in tag:
        message = "`--image` records what a tag means; the spec's `code.image` is no tag"
        raise UsageError(message)
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        message = f"`--image` takes a digest, `sha256:` and 64 hexadecimal digits, not `{digest}`"
        raise UsageError(message)
    return {tag: digest}


def locked(
    facts: Facts, update: tuple[str, ...], images: Mapping[str, str], named: frozenset[str], *, from_champion: bool
) -> Locked:
    """The lock brought up to date: what has no pin is pinned, what is named is moved, every other pin stays.

    With `from_champion` the pins move to what the champion was made with and judged on. `named` are all tags of the
    spec and `images` what was just told of some of them; no other one gets a digest.

    Raises:
        UsageError: a dataset is moved twice.
        Refused: there is no champion, or the store no longer holds its data.
        StepFailed: a source cannot be read.
    """
    before = facts.lock or Lock()
    moved_to = _of_champion(facts, update) if from_champion else {}
    fresh = [n for n in facts.spec.datasets if n not in moved_to and (n in update or n not in before.datasets)]
    moved_to |= {name: _newest(facts, dataset_of(facts, name), shape_of(facts, name)) for name in sorted(fresh)}
    golden, rows = facts.spec.golden.dataset, None
    if golden in fresh:
        moved_to[golden], rows = _read(dataset_of(facts, golden))
    changes: list[str] = []
    pins = {
        name: _pin(facts, name, before.datasets.get(name), moved_to, changes) for name in sorted(facts.spec.datasets)
    }
    meanings = {tag: digest for tag, digest in {**before.images, **images}.items() if tag in named}
    after = Lock(
        datasets=pins,
        images=meanings,
        scenarios=_counts(facts, pins[golden], _pinned(facts, pins[golden]) if rows is None else rows),
        sources={name: SourcePin(columns=source.columns) for name, source in facts.spec.sources.items()},
    )
    changes += [f"{name}: no longer in the spec, its pin is gone" for name in before.datasets if name not in pins]
    changes += _moved_images(before.images, meanings)
    moved = [what for what in ("scenarios", "sources") if getattr(before, what) != getattr(after, what)]
    changes += [f"{what}: brought up to date" for what in moved]
    return Locked(lock=after, changes=tuple(changes), floating=tuple(sorted(named - meanings.keys())))


def _moved_images(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for tag, digest in after.items():
        if tag not in before:
            yield f"{tag}: pinned to {digest}"
        elif before[tag] != digest:
            yield f"{tag}: moved from {before[tag]} to {digest}"
    yield from (f"{tag}: no longer in the spec, its pin is gone" for tag in before if tag not in after)


def _of_champion(facts: Facts, update: tuple[str, ...]) -> dict[str, Version]:
    """The versions that the champion was made with and judged on, by dataset."""
    storage = storage_of(facts)
    found = champion(storage, facts.spec.metadata.name)
    if found is None:
        message = f"there is no champion in {storage.uri} to take pins from: `clspec promote MODEL` crowns one"
        raise Refused(message)
    moved_to = {name: digest for name, digest in found.record.datasets.items() if name in facts.spec.datasets}
    if twice := [name for name in update if name in moved_to]:
        message = f"--from-champion says what `{twice[0]}` is pinned to, and so does --update: give one of them"
        raise UsageError(message)
    return {name: _held_version(facts, name, digest) for name, digest in moved_to.items()}


def _held_version(facts: Facts, name: str, digest: str) -> Version:
    dataset, shape = dataset_of(facts, name), shape_of(facts, name)
    version = dataset.find(digest)
    if version is None or dataset.is_erased(version):
        why = "does not hold" if version is None else "has erased rows of"
        message = (
            f"{dataset.storage.uri} {why} dataset `{name}` at {digest}, which the champion was made with: "
            f"pin the newest version with `clspec lock {facts.document.path} --update {name}`"
        )
        raise Refused(message)
    _refuse_another_shape(dataset, version, shape)
    return version


def _pin(
    facts: Facts, name: str, pin: DatasetPin | None, moved_to: Mapping[str, Version], changes: list[str]
) -> DatasetPin:
    shape, version = shape_of(facts, name), moved_to.get(name)
    if version is None:
        assert pin is not None  # what has none is pinned to the newest version
        return DatasetPin(digest=pin.digest, rows=pin.rows, columns=pin.columns, key=pin.key, group=shape.group or "")
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
    newest = dataset.newest()
    if newest is not None:
        _refuse_another_shape(dataset, newest, shape)
        return newest
    source = facts.dataset(dataset.name).from_
    if source is None:
        message = (
            f"dataset `{dataset.name}` has no version in {dataset.storage.uri} and no `from` to make one: "
            f"add rows with `clspec data add {dataset.name} FILE`"
        )
        raise UsageError(message)
    return first_version(facts, dataset.name, source)


def _refuse_another_shape(dataset: Dataset, version: Version, shape: Shape) -> None:
    if (version.columns, version.key) != (shape.columns, shape.key):
        message = (
            f"dataset `{dataset.name}` has other columns or another key in {dataset.storage.uri} than in the spec; "
            f"give the dataset another name, or the spec another store"
        )
        raise Refused(message)


def _read(dataset: Dataset) -> tuple[Version, pa.Table]:
    """The newest version with its rows, also where an erasure has come since it was looked up."""
    found = dataset.of_newest(lambda newest: (newest, dataset.rows(newest)))
    assert found is not None  # it has a version, and no version ever goes
    return found


def _pinned(facts: Facts, pin: DatasetPin) -> pa.Table:
    """The rows of the golden set that was pinned before.

    Raises:
        Refused: the store does not hold them, or some of them were erased.
    """
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
    if dataset.is_erased(version):
        message = (
            f"the lock pins golden dataset `{name}` to version {version.number}, which holds rows that were erased: "
            f"pin the newest with `clspec lock {facts.document.path} --update {name}`"
        )
        raise Refused(message)
    return dataset.rows(version)


def _counts(facts: Facts, pin: DatasetPin, rows: pa.Table) -> dict[str, ScenarioPin]:
    """The rows and clusters of every selection in the pinned golden set."""
    refuse_unknown_labels(rows.column(facts.spec.task.label), facts.spec.task.classes)
    selector = Selector(rows, pin.columns)
    return {scenario.id: _counted(facts, scenario, selector, rows) for scenario in facts.spec.golden.scenarios}


def _made(facts: Facts, dataset: Dataset, digest: str) -> Version | None:
    """The first version of a dataset that the store has nothing of, if its source still yields what is pinned."""
    source, shape = facts.dataset(dataset.name).from_, shape_of(facts, dataset.name)
    if source is None or dataset.versions():
        return None
    rows = rows_of(facts, source, shape)
    unique, _ = table.keyed(rows, shape.key, f"source `{source}`")
    same = table.digest(unique, shape.columns, shape.key) == digest
    return dataset.append(rows, shape, source).version if same else None


def _counted(facts: Facts, scenario: Scenario, selector: Selector, rows: pa.Table) -> ScenarioPin:
    slices = {name: facts.spec.golden.slices[name] for name in scenario.slices}
    return ScenarioPin(
        scenario=_count(facts, scenario.select, selector, rows),
        guard=_count(facts, scenario.guard.select, selector, rows) if scenario.guard else None,
        slices={name: _count(facts, scenario.select, selector, rows, narrower) for name, narrower in slices.items()},
    )


def _count(facts: Facts, select: str, selector: Selector, rows: pa.Table, narrower: str | None = None) -> Count:
    """The rows of a selection, and of a slice of it if one is given."""
    chosen = [index for index, holds in enumerate(selector.select(select)) if holds]
    if narrower is not None:
        within = selector.select(narrower)
        chosen = [index for index in chosen if within[index]]
        select = both(select, narrower)
    column = facts.spec.golden.cluster_by
    if column is None:
        return Count(select=select, rows=len(chosen))
    clusters = len(set(rows.column(column).take(chosen).to_pylist())) if chosen else 0
    return Count(select=select, rows=len(chosen), clusters=clusters, cluster_by=column)
