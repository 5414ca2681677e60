"""Rows into a dataset: what `clspec data add` lets in, and what it drops because it is golden."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.data import sources
from clspec.data.leakage import Near, Protected, counted, without_leaks
from clspec.data.sources import Place
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.stored import dataset_of, rows_of, shape_of

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
        dataset.append(rows_of(facts, source, shape), shape, source)
    kept, dropped = _without_golden(facts, name, rows)
    if len(dropped) and len(kept) == 0:
        message = f"all {len(rows)} rows of {origin} are golden ({_shown(dropped)}); none was added to `{name}`"
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


def _without_golden(facts: Facts, name: str, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows that are not golden, and the others with their cause; golden data and training data never meet."""
    protected, learned = _protected_names(facts), _learned_names(facts)
    others = [*(protected if name in learned else ()), *(learned if name in protected else ())]
    held = [found for other in others if (found := _held(facts, other)) is not None]
    kept, dropped = without_leaks(rows, shape_of(facts, name), held, _near(facts))
    if len(dropped) and name in protected:
        message = (
            f"{len(dropped)} of {len(rows)} rows are in training data already ({_shown(dropped)}): "
            f"what was learned from cannot become golden"
        )
        raise Refused(message)
    return kept, dropped


def _shown(dropped: pa.Table) -> str:
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


def _near(facts: Facts) -> Near | None:
    """What the spec's guard takes for the same image."""
    feedback = facts.spec.feedback
    if feedback is None or feedback.leakage_guard is None or feedback.leakage_guard.near is None:
        return None
    near, media = feedback.leakage_guard.near, facts.spec.sources[feedback.source].roles.media
    return Near.of({"method": near.method, "distance": near.distance, "media": media})


def _held(facts: Facts, name: str) -> Protected | None:
    """The newest rows of a dataset; where the store has none yet, those that its first version will have."""
    dataset, shape = dataset_of(facts, name), shape_of(facts, name)
    versions, source = dataset.versions(), facts.dataset(name).from_
    if not versions and source is None:
        return None
    rows = dataset.rows(versions[-1]) if versions else rows_of(facts, source or "", shape)
    return Protected(name=name, rows=rows, key=shape.key, group=shape.group)
