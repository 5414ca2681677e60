"""Rows into a dataset: what `clspec data add` lets in, and what it drops because it is golden."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.data import sources
from clspec.data.leakage import counted
from clspec.data.sources import Place
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.stored import dataset_of, first_version, near_of, rows_of, shape_of, shown, without_golden

if TYPE_CHECKING:
    import pyarrow as pa

    from clspec.check import Facts
    from clspec.data.versions import Appended, Shape

_KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding rows to a dataset did; `dropped` are rows that are golden, by what gave them away."""

    appended: Appended
    dropped: dict[str, int]
    """How many by key, by group and as near-duplicates."""
    examples: tuple[dict[str, str], ...]
    """The first of them: key, cause, dataset and the golden value that they meet."""


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
    rows = rows_of(facts, origin, shape) if origin in facts.spec.sources else _file(facts, origin, shape)
    if not dataset.versions() and (source := facts.dataset(name).from_) and source != origin:
        first_version(facts, name, source)
    kept, dropped = without_golden(facts, name, rows, near_of(facts))
    if len(dropped) and len(kept) == 0:
        message = f"all {len(rows)} rows of {origin} are golden ({shown(dropped)}); none was added to `{name}`"
        raise Refused(message)
    counts = counted(kept, dropped)
    appended = dataset.append(kept, shape, origin)
    return Added(appended=appended, dropped=counts["dropped"], examples=tuple(counts["examples"]))


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
