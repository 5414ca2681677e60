"""ingest: the labels that are finished leave the queue for the dataset, and all that they say is measured."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data import agreement, table
from clspec.data.queue import Queue
from clspec.data.queue_log import ROW_KEY
from clspec.data.queue_state import State
from clspec.data.table import DataError
from clspec.step import production
from clspec.step.snapshot import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clspec.data.queue_state import Contents, Item
    from clspec.step.job import Job

RESERVED = {
    "clspec.id": "string",
    "clspec.time": "timestamp",
    "clspec.rule": "string",
    "clspec.rules": "string",
    "clspec.audit": "boolean",
    "clspec.prediction": "string",
    "clspec.confidence": "double",
    "clspec.label": "string",
    "clspec.origin": "string",
}
_PROVENANCE = {
    "event": "string",
    "rules": "string",
    "origin": "string",
    "by": "string",
    "votes": "integer",
    "queued_at": "timestamp",
    "labelled_at": "timestamp",
    "teacher": "string",
}


def run(job: Job) -> None:
    """Write `rows`, finished and in no dataset yet, their `provenance`, and `labels`, what the whole queue says."""
    queue, task = Queue(job.storage, job.config["spec"]), job.config["task"]
    classes = task["classes"] or ()
    contents = queue.take(classes)
    finished = [item for item in contents.of(State.LABELLED) if item.taken is not None]
    held = queue.rows([item.key for item in finished])
    there = set(held.column(ROW_KEY).to_pylist())
    finished = [item for item in finished if item.key in there]  # some may be erased at this very moment
    write(_rows(held, finished, job.config["dataset"]["columns"], task["label"]), job, "rows")
    write(_provenance(finished, job.config["dataset"]), job, "provenance")
    job.write_json("labels", _labels(job, contents, finished))


def _rows(held: pa.Table, finished: Sequence[Item], columns: dict[str, str], label: str) -> pa.Table:
    """The rows as candidates, with their final label."""
    labels = pa.chunked_array([pa.array([item.label for item in finished], type=pa.large_string())])
    own = [item.origin for item in finished]
    known = {
        label: labels,
        "clspec.label": labels,
        "clspec.origin": pa.chunked_array([pa.array(own, pa.large_string())]),
    }
    kinds = {**columns, **RESERVED}
    found = {
        field.name: _column(known.get(field.name), held, field, kinds[field.name]) for field in table.schema(kinds)
    }
    return pa.table(found, schema=table.schema(kinds))


def _column(known: pa.ChunkedArray | None, held: pa.Table, field: pa.Field, kind: str) -> pa.ChunkedArray | pa.Array:
    if known is None and field.name not in held.column_names:
        return pa.nulls(len(held), field.type)
    return table.cast(held.column(field.name) if known is None else known, field.name, kind, "the label queue")


def _provenance(finished: Sequence[Item], dataset: dict[str, Any]) -> pa.Table:
    """Where each row comes from and who labelled it, beside its key."""
    key = dataset["key"]
    if key in _PROVENANCE:
        message = f"the key `{key}` has the name of a column of provenance: give the dataset's key another name"
        raise DataError(message)
    kinds = table.schema({key: dataset["columns"][key], **_PROVENANCE})
    told = [{key: item.key, **_from(item)} for item in finished]
    named = pa.Table.from_pylist(told, schema=table.schema({key: "string", **_PROVENANCE}))
    return named.cast(kinds)  # a key is a text or a whole number


def _from(item: Item) -> dict[str, Any]:
    voices = [item.decision] if item.decision else []
    people = dict.fromkeys(vote.by for vote in (*item.standing.values(), *voices)) if item.origin == "people" else {}
    return {
        "event": item.event,
        "rules": item.rules,
        "origin": item.origin,
        "by": ",".join(sorted(people)),
        "votes": len(item.standing),
        "queued_at": item.queued_at,
        "labelled_at": item.labelled_at,
        "teacher": item.auto_label,
    }


def _labels(job: Job, contents: Contents, finished: Sequence[Item]) -> dict[str, Any]:
    items = contents.items.values()
    waiting = contents.of(State.OPEN)
    since = min((item.queued_at for item in waiting if item.queued_at), default=None)
    strange = Counter(item.label for item in contents.of(State.LABELLED) if item.taken is None and item.label)
    audits = _audits(job, contents)
    teacher = production.teacher(contents, job.config["max_disagreement"])
    alarms = [found["alarm_text"] for found in (*audits.values(), teacher)]
    return {
        "new": len(finished),
        "by_origin": _counted(item.origin for item in finished),
        "by_class": _counted(item.label for item in finished),
        "by_rule": _counted(rule for item in finished for rule in (item.rules or item.rule or "").split(",") if rule),
        "open": len(waiting),
        "disagreements": sum(item.waits for item in waiting),
        "late": sum(len(item.late) for item in items),
        "unknown_class": _counted(strange.elements()),
        "oldest_waiting": None if since is None else max(0.0, (job.as_of - since).total_seconds()),
        "agreement": agreement.agreement(items),
        "gold": agreement.gold_accuracy(items),
        "audits": audits,
        "auto_audit": teacher,
        "alarms": [text for text in alarms if text is not None],
        "notes": [found["note"] for found in (*audits.values(), teacher) if found["note"]],
    }


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(str(value) for value in values).items()))


def _audits(job: Job, contents: Contents) -> dict[str, dict[str, Any]]:
    """What each audit rule measures; without classes there is no right or wrong to count."""
    if job.config["task"]["type"] != "classification":
        return {}
    return {rule["id"]: production.audit(contents, rule) for rule in job.config["rules"] if rule["type"] == "random"}
