"""The history of a dataset: its versions, what differs between them, and rows that leave it for good."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from clspec.data import collection, erasure
from clspec.data.promotion import champion
from clspec.data.queue import Queue
from clspec.data.queue_rows import texts
from clspec.data.stages import CHAMPION, Stage
from clspec.diagnostic import UsageError
from clspec.stored import dataset_of, models_of, storage_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clspec.check import Facts
    from clspec.data.collection import Waste
    from clspec.data.models import Models
    from clspec.data.versions import Dataset, Version

_DIGITS = 8
"""So many digits at least name a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One version as a list shows it."""

    version: Version
    pinned: bool
    """Whether the lock means it."""
    erased: bool
    """Whether it held rows that were erased since."""


def log(facts: Facts, name: str) -> tuple[Told, ...]:
    """All versions of a dataset, the oldest first.

    Raises:
        UsageError: there is no such dataset.
    """
    dataset = dataset_of(facts, name)
    return tuple(_told(facts, dataset, version) for version in dataset.versions())


def _told(facts: Facts, dataset: Dataset, version: Version) -> Told:
    pin = facts.lock.datasets.get(dataset.name) if facts.lock else None
    return Told(
        version=version, pinned=pin is not None and pin.digest == version.digest, erased=dataset.is_erased(version)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A version with its rows."""

    told: Told
    labels: dict[str, int]
    """How many rows each label has, where the dataset has labels."""
    rows: pa.Table


def show(facts: Facts, name: str, word: str | None) -> Shown:
    """A version by its number or the beginning of its digest; the newest where none is named.

    Raises:
        UsageError: there is no such dataset or version.
        Erased: it held rows that were erased since.
    """
    dataset = dataset_of(facts, name)
    version, rows = _read(dataset, word)
    return Shown(told=_told(facts, dataset, version), labels=_labels(facts, rows), rows=rows)


def _read(dataset: Dataset, word: str | None) -> tuple[Version, pa.Table]:
    """A version with its rows; an erasure may take those of a named one away, and never those of the newest."""
    if word is not None:
        version = _version(dataset, word)
        return version, dataset.rows(version)
    found = dataset.of_newest(lambda newest: (newest, dataset.rows(newest)))
    if found is None:
        raise UsageError(_nothing(dataset))
    return found


def _nothing(dataset: Dataset) -> str:
    return f"dataset `{dataset.name}` has no version in {dataset.storage.uri}: `clspec lock` makes the first"


def _version(dataset: Dataset, word: str) -> Version:
    versions = dataset.versions()
    if not versions:
        raise UsageError(_nothing(dataset))
    digits = word.removeprefix("sha256:")
    if word.isdecimal() and 0 < int(word) <= len(versions):
        return versions[int(word) - 1]
    found = [v for v in versions if len(digits) >= _DIGITS and v.digest.removeprefix("sha256:").startswith(digits)]
    if not found:
        message = (
            f"dataset `{dataset.name}` has no version `{word}`: give a number from 1 to {len(versions)}, "
            f"or at least {_DIGITS} digits of a digest"
        )
        raise UsageError(message)
    return found[-1]


def _labels(facts: Facts, rows: pa.Table) -> dict[str, int]:
    label = facts.spec.task.label
    if facts.spec.task.type != "classification" or label not in rows.column_names:
        return {}
    words = rows.column(label).cast(pa.large_string()).to_pylist()
    return dict(sorted(Counter("(none)" if word is None else word for word in words).items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one version has that the other has not."""

    before: Version
    after: Version
    added: tuple[str, ...]
    removed: tuple[str, ...]
    labels: dict[str, tuple[int, int]]
    """How many rows each label has, before and after."""


def diff(facts: Facts, name: str, before: str, after: str | None) -> Difference:
    """The keys that came and went between two versions, and how the labels shifted.

    Raises:
        UsageError: there is no such dataset or version.
        Erased: one of them held rows that were erased since.
    """
    dataset = dataset_of(facts, name)
    read = (_read(dataset, before), _read(dataset, after))
    keys = [set(texts(rows.column(version.key)).to_pylist()) for version, rows in read]
    labels = [_labels(facts, rows) for _, rows in read]
    return Difference(
        before=read[0][0],
        after=read[1][0],
        added=tuple(sorted(keys[1] - keys[0])),
        removed=tuple(sorted(keys[0] - keys[1])),
        labels={word: (labels[0].get(word, 0), labels[1].get(word, 0)) for word in sorted({*labels[0], *labels[1]})},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure did, and who has learned from the rows."""

    version: Version
    removed: int
    queued: int
    """How many of them the label queue held."""
    models: tuple[str, ...]
    """The models that learned from the erased rows."""
    champions: tuple[str, ...]
    """Those of them that are, or once were, champion; the present one comes first."""
    elsewhere: tuple[str, ...]
    """Other datasets that hold rows under these keys."""
    is_pinned: bool
    """Whether the lock means a version that can no longer be read."""


def erase(facts: Facts, name: str, keys: Sequence[str], why: str) -> Erased:
    """Take rows out of a dataset and out of the label queue for good; their keys never come back.

    Run again, after a kill too, it does what is left to do and says the same.

    Raises:
        UsageError: there is no such dataset.
        DataError: it has no version, or a part of it cannot be read.
    """
    dataset = dataset_of(facts, name)
    done = erasure.erase(dataset, keys, why)
    queued = Queue(dataset.storage, dataset.spec).erase(pa.array(keys, type=pa.large_string()))
    models = _learned(models_of(facts), name, {version.digest for version in done.held_by})
    pin = facts.lock.datasets.get(name) if facts.lock else None
    return Erased(
        version=done.version,
        removed=done.removed,
        queued=queued,
        models=models,
        champions=_champions(facts, models),
        elsewhere=tuple(other for other in facts.spec.datasets if other != name and _holds(facts, other, keys)),
        is_pinned=pin is not None and pin.digest in {version.digest for version in done.held_by},
    )


def _learned(models: Models, name: str, digests: set[str]) -> tuple[str, ...]:
    found = (record for record in models.all_records() if record.dataset("training")[0] == name)
    return tuple(dict.fromkeys(record.model for record in found if record.dataset("training")[1] in digests))


def _champions(facts: Facts, models: tuple[str, ...]) -> tuple[str, ...]:
    present = champion(storage_of(facts), facts.spec.metadata.name)
    if present is None:
        return ()
    history = Stage(models_of(facts).storage, facts.spec.metadata.name, CHAMPION).history()
    ever = dict.fromkeys((present.change.model, *(change.model for change in reversed(history))))
    return tuple(model for model in ever if model in models)


def _holds(facts: Facts, name: str, keys: Sequence[str]) -> bool:
    dataset = dataset_of(facts, name)
    held = dataset.of_newest(dataset.keys)
    return held is not None and not {*keys}.isdisjoint(texts(held).to_pylist())


def waste(facts: Facts, now: datetime) -> tuple[Waste, ...]:
    """What `collect` would remove."""
    return collection.waste(storage_of(facts), facts.spec.metadata.name, now)


def collect(facts: Facts, now: datetime) -> tuple[Waste, ...]:
    """Remove what nothing needs any more, and say what that was."""
    storage = storage_of(facts)
    return collection.collect(storage, collection.waste(storage, facts.spec.metadata.name, now), now)
