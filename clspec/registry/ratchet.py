"""The ratchet: mistakes that were found, labelled and fixed become a golden scenario, so that they stay fixed.

Their rows go into the golden dataset and, with all of their groups, out of the training data. The scenario is written
into the spec as a proposal, which people review like any other change.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec import amend, catalog, code, load
from clspec.data import table
from clspec.data.exclusion import exclude
from clspec.data.models import short
from clspec.data.promotion import champion
from clspec.data.queue import Queue
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.lower.parts import call
from clspec.predicate import MAX_LENGTH
from clspec.step import baseline, predict
from clspec.step.job import Job
from clspec.stored import dataset_of, shape_of, storage_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from clspec.check import Facts
    from clspec.data.promotion import Champion
    from clspec.data.queue_state import Item
    from clspec.data.versions import Version

_AT = ("golden", "scenarios")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which fixed mistakes are meant: all, or those that a rule found, or of a label; at most so many."""

    rule: str | None = None
    label: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A scenario in the spec's text, and the data that it needs."""

    text: str
    """The spec with the scenario."""
    rows: int
    groups: int
    model: str
    """The champion, which no longer makes these mistakes."""
    golden: Version
    training: Version
    excluded: int
    """How many rows the training data goes on without."""


def propose(facts: Facts, name: str, wanted: Wanted, now: datetime) -> Proposal:
    """Move fixed mistakes into the golden data and write a scenario on them; user code runs, to see what is fixed.

    Killed at any moment and run again, it comes to the same end.

    Raises:
        UsageError: there is no feedback, a scenario has the name, or the spec cannot be added to.
        Refused: there is no champion, the code is not its code, or too few mistakes are fixed.
    """
    if facts.spec.feedback is None:
        message = f"{facts.document.path} has no `feedback`, and so no mistakes that came back"
        raise UsageError(message)
    _refuse_known(facts, name, wanted)
    crowned = champion(storage_of(facts), facts.spec.metadata.name)
    if crowned is None:
        message = "there is no champion: nobody can have fixed a mistake"
        raise Refused(message)
    rows = _fixed(facts, crowned, wanted, now)
    column = shape_of(facts, facts.spec.training.dataset).group or shape_of(facts, facts.spec.training.dataset).key
    chosen, values = _chosen(facts, rows, column, wanted)
    text = amend.with_item(_document(facts), _AT, _scenario(name, column, values, chosen, crowned))
    why = f"scenario {name}: mistakes that model {short(crowned.change.model)} has fixed"
    training = dataset_of(facts, facts.spec.training.dataset)
    before = training.newest()
    after = exclude(training, column, values, why)
    golden = facts.spec.golden.dataset
    appended = dataset_of(facts, golden).append(_as_golden(facts, chosen), shape_of(facts, golden), why)
    return Proposal(
        text=text,
        rows=len(chosen),
        groups=len(values),
        model=crowned.change.model,
        golden=appended.version,
        training=after,
        excluded=(before.rows if before else 0) - after.rows,
    )


def _refuse_known(facts: Facts, name: str, wanted: Wanted) -> None:
    if name in {scenario.id for scenario in facts.spec.golden.scenarios}:
        message = f"there is a scenario `{name}` already: give this one another name"
        raise UsageError(message)
    rules = [rule.id for rule in facts.spec.feedback.rules] if facts.spec.feedback else []
    if wanted.rule is not None and wanted.rule not in rules:
        message = f"there is no rule `{wanted.rule}`: {did_you_mean(wanted.rule, rules)}"
        raise UsageError(message)
    classes = facts.spec.task.classes
    if wanted.label is not None and classes and wanted.label not in classes:
        message = f"there is no class `{wanted.label}`: {did_you_mean(wanted.label, classes)}"
        raise UsageError(message)


def _document(facts: Facts) -> load.Document:
    """The spec as it is in its file; what an environment says is no part of it."""
    document, _ = load.load(Path(facts.document.path).read_text(encoding="utf-8"), facts.document.path)
    assert document is not None  # it was read just now
    return document


# -- what is fixed -----------------------------------------------------------------------------------------------------


def _fixed(facts: Facts, crowned: Champion, wanted: Wanted, now: datetime) -> pa.Table:
    """The rows that the champion learned from, that production had wrong, and that the champion has right."""
    name, digest = crowned.record.dataset("training")
    dataset = dataset_of(facts, name)
    version = dataset.find(digest)
    if version is None:
        message = f"{dataset.storage.uri} no longer holds `{name}` at {digest}, which the champion learned from"
        raise Refused(message)
    rows = dataset.rows(version)
    items = Queue(dataset.storage, dataset.spec).contents().items
    texts = rows.column(version.key).cast(pa.large_string()).to_pylist()
    labels = rows.column(facts.spec.task.label).to_pylist()
    wrong = [_was_wrong(items.get(text), label, wanted) for text, label in zip(texts, labels, strict=True)]
    mistakes = rows.filter(table.mask(wrong))
    if len(mistakes) == 0:
        message = "no mistake of production, as you asked for it, was labelled and learned from by the champion"
        raise Refused(message)
    said = _answers(facts, crowned, mistakes, now).column(facts.spec.task.prediction)
    return mistakes.filter(pc.equal(said, mistakes.column(facts.spec.task.label)))


def _was_wrong(item: Item | None, label: Any, wanted: Wanted) -> bool:
    if item is None or item.prediction is None or item.prediction == str(label):
        return False
    if wanted.label is not None and str(label) != wanted.label:
        return False
    return wanted.rule is None or wanted.rule in (item.rules or "").split(",")


def _answers(facts: Facts, crowned: Champion, rows: pa.Table, now: datetime) -> pa.Table:
    """What the champion says of these rows, by its own code.

    Raises:
        Refused: the code here is other code.
    """
    here, made_by = code.digest(facts.root), crowned.record.made_by["code"]
    if here != made_by:
        message = (
            f"the champion was made by code {made_by}, the code here is {here}: only its own code can say what it has "
            f"fixed"
        )
        raise Refused(message)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch, "model")
        job = _job(facts, here, directory, now)
        baseline.fetch(job, crowned.change.model, directory)
        return predict.answers(job, rows)


def _job(facts: Facts, digest: str, directory: Path, now: datetime) -> Job:
    task = facts.spec.task
    config = {
        "spec": facts.spec.metadata.name,
        "call": call(facts.spec.inference, digest),
        "task": {
            "type": task.type,
            "label": task.label,
            "classes": list(task.classes),
            "prediction": task.prediction,
            "score": task.score,
        },
        "key": shape_of(facts, facts.spec.training.dataset).key,
        "latency": False,
    }
    return Job(
        config=config,
        inputs={"model": directory},
        outputs={},
        store=storage_of(facts).uri,
        code=facts.root.resolve(),
        folder=facts.folder.resolve(),
        as_of=now,
    )


# -- what is proposed --------------------------------------------------------------------------------------------------


def _chosen(facts: Facts, rows: pa.Table, column: str, wanted: Wanted) -> tuple[pa.Table, pa.Array]:
    """Half of the fixed mistakes by whole groups, or those of so many groups as are wanted, and these groups.

    The other half stays to be learned from: what nothing teaches any more, no next model knows.

    Raises:
        Refused: they are of too few groups for any verdict.
    """
    rows = rows.filter(pc.is_valid(rows.column(column)))
    fixed = sorted(set(rows.column(column).to_pylist()), key=str)
    values = fixed[: len(fixed) // 2 if wanted.limit is None else wanted.limit]
    while values and len(_select(column, values)) > MAX_LENGTH:
        values.pop()
    least = catalog.MIN_CLUSTERS if facts.spec.golden.cluster_by is not None else 1
    if len(values) < least:
        enough = f"half are left to learn from: say with --limit how many may become golden, {least} or more"
        message = (
            f"the mistakes that are fixed are of {len(fixed)} `{column}`, and {least} are needed for a verdict: "
            f"{'wait for more' if len(fixed) < least else enough}"
        )
        raise Refused(message)
    groups = pa.array(values, type=rows.schema.field(column).type)
    return rows.filter(pc.is_in(rows.column(column), value_set=groups)), groups


def _select(column: str, values: list[Any]) -> str:
    listed = ", ".join(str(value) if isinstance(value, int) else _quoted(str(value), "'") for value in values)
    named = _quoted(column, '"')
    return f"{named} in ({listed})"


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark + mark) + mark


def _scenario(name: str, column: str, values: pa.Array, rows: pa.Table, crowned: Champion) -> list[str]:
    return [
        f"id: {name}  # proposed: {len(rows)} mistakes that model {short(crowned.change.model)} has fixed",
        "must_pass: false",
        f"select: {json.dumps(_select(column, values.to_pylist()), ensure_ascii=False)}",
        f"min_samples: {len(rows)}",
        "checks: [{metric: accuracy, min: 1.0, gate: point}]",
    ]


def _as_golden(facts: Facts, rows: pa.Table) -> pa.Table:
    """The rows with the golden dataset's columns.

    Raises:
        UsageError: it has a column that the training data lacks.
    """
    columns: Mapping[str, str] = shape_of(facts, facts.spec.golden.dataset).columns
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        listed = ", ".join(f"`{column}`" for column in missing)
        message = f"the golden dataset has {listed}, which the training data lacks: such rows cannot become golden"
        raise UsageError(message)
    return table.conform(rows, columns, "the fixed mistakes")
