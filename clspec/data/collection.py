"""Collection: what nothing needs any more leaves the store, and what was erased leaves it for good.

Erased rows go at once, also those that a writer left behind whom the erasure overtook. Whatever else no version and no
event names may belong to a writer at work, and goes only when it is a day old; who then writes it again sees to it that
it stays. What the steps of a run handed to each other in the store goes two weeks after the last of it was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from clspec.data.parts import BLOCKED, PROVENANCE, ROWS
from clspec.data.queue import Queue
from clspec.data.queue_log import replaced
from clspec.data.queue_rows import hash_of, texts
from clspec.data.sequence import Sequence
from clspec.data.table import DataError
from clspec.data.versions import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from clspec.data.storage import Storage, Stored
    from clspec.data.versions import Version

AGE = timedelta(days=1)
"""So old must be what no version names before it goes: no append takes that long."""
HANDOVER_AGE = timedelta(days=14)
"""So old must be all that the steps of a run on Kubeflow handed to each other: nobody knows here which runs go on."""
_HANDOVER = "handover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """An object that can go, and why: `erased`, `unnamed`, `unfinished` or `handed`."""

    found: Stored
    why: str


def waste(storage: Storage, spec: str, now: datetime) -> tuple[Waste, ...]:
    """What can leave the store of a spec, in the order of the keys; nothing is removed.

    Raises:
        DataError: a manifest or an event cannot be read, so that nobody knows what it names.
    """
    unfinished = (Waste(found=found, why="unfinished") for found in storage.unfinished(spec) if _is_old(found, now))
    found = (
        *unfinished,
        *_of_datasets(storage, spec, now),
        *_of_queue(storage, spec, now),
        *_of_runs(storage, spec, now),
    )
    return tuple(sorted(found, key=lambda waste: waste.found.key))


def collect(storage: Storage, wasted: tuple[Waste, ...], now: datetime) -> tuple[Waste, ...]:
    """Remove these objects, and say which; one that somebody has written again meanwhile stays."""
    gone = []
    for entry in wasted:
        present = storage.find(entry.found.key)
        if present is not None and (entry.why == "erased" or _is_old(present, now, _AGES.get(entry.why, AGE))):
            storage.delete(entry.found.key)
            gone.append(entry)
    return tuple(gone)


def _is_old(found: Stored, now: datetime, age: timedelta = AGE) -> bool:
    return now - found.written > age


_AGES = {"handed": HANDOVER_AGE}


def _of_runs(storage: Storage, spec: str, now: datetime) -> Iterator[Waste]:
    """What the steps of a run handed to each other: all of it, once the last of it is old."""
    runs: dict[str, list[Stored]] = {}
    prefix = f"{spec}/{_HANDOVER}"
    for entry in storage.stored(prefix):
        runs.setdefault(entry.key.removeprefix(f"{prefix}/").partition("/")[0], []).append(entry)
    for handed in runs.values():
        if all(_is_old(entry, now, HANDOVER_AGE) for entry in handed):
            yield from (Waste(found=entry, why="handed") for entry in handed)


def _of_datasets(storage: Storage, spec: str, now: datetime) -> Iterator[Waste]:
    prefix = f"{spec}/datasets"
    stored = list(storage.stored(prefix))  # before the manifests: what is named by then is named
    for name in sorted({entry.key.removeprefix(f"{prefix}/").partition("/")[0] for entry in stored}):
        dataset = Dataset(storage, spec, name)
        yield from _of_dataset(dataset, [e for e in stored if e.key.startswith(f"{dataset.prefix}/")], now)


def _of_dataset(dataset: Dataset, stored: list[Stored], now: datetime) -> Iterator[Waste]:
    versions = dataset.versions()
    erased = set(versions[-1].replaced) if versions else set()
    named = {
        dataset.parts.key(folder, name)
        for version in versions
        for folder, names in ((ROWS, version.parts), (PROVENANCE, version.provenance), (BLOCKED, (version.blocked,)))
        for name in names
        if name not in erased
    }
    for entry in stored:
        folder, _, name = entry.key.removeprefix(f"{dataset.prefix}/").partition("/")
        if folder in {ROWS, PROVENANCE, BLOCKED} and entry.key not in named:
            if name in erased or _has_barred(dataset, versions, folder, name):
                yield Waste(found=entry, why="erased")
            elif _is_old(entry, now):
                yield Waste(found=entry, why="unnamed")
    yield from _of_golden_answers(dataset, {v.digest for v in versions if erased & {*v.parts}})


def _has_barred(dataset: Dataset, versions: tuple[Version, ...], folder: str, name: str) -> bool:
    """Whether a table that no version names has rows under erased keys: no later version will ever name it."""
    barred = dataset.blocked(versions[-1]) if versions else frozenset()
    if not barred or folder == BLOCKED:
        return False
    key = versions[-1].key
    try:
        found = dataset.parts.table(folder, name, {key: versions[-1].columns[key]})
    except DataError:  # it goes by its age, as whatever else no version names
        return False
    return any(hash_of(text) in barred for text in texts(found.column(key)).to_pylist())


def _of_golden_answers(dataset: Dataset, digests: set[str]) -> Iterator[Waste]:
    """What models said of rows that were erased since, kept by the golden version's digest."""
    if not digests:
        return
    ends = tuple(f"/golden/{digest.removeprefix('sha256:')}.parquet" for digest in digests)
    for entry in dataset.storage.stored(f"{dataset.spec}/models"):
        if entry.key.endswith(ends):
            yield Waste(found=entry, why="erased")


def _of_queue(storage: Storage, spec: str, now: datetime) -> Iterator[Waste]:
    """The queue's payloads that erasure has replaced, and those that no event names."""
    queue = Queue(storage, spec)
    garbage = queue.garbage()
    erased = set(replaced(Sequence(storage, f"{spec}/queue/log").entries()))
    for key in garbage:
        found = storage.find(key)
        digest = key.rpartition("/")[2].removesuffix(".parquet")
        if found is not None and (digest in erased or _is_old(found, now)):
            yield Waste(found=found, why="erased" if digest in erased else "unnamed")
