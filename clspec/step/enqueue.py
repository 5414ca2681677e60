"""enqueue: what was mined goes before people, unless its label is known; what leaked is never looked at again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data.queue import Queue
from clspec.data.queue_state import ADJUDICATE, AUTO, State
from clspec.data.sequence import Sequence as Entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.data.queue_state import Contents
    from clspec.step.job import Job

LEAK = "leak"


def run(job: Job) -> None:
    """Write the queue, and `queued`: what is new in it, and how it stands then."""
    queue, config = Queue(job.storage, job.config["spec"]), job.config
    labelling, dataset = config["labelling"], config["dataset"]
    rows, strange = settled(job.read_rows("rows"), config["classes"])
    leaked = queue.reject(job.read_rows("dropped", ["key"]).column("key"), LEAK)
    counts = queue.enqueue(
        rows,
        dataset["key"],
        votes_needed=labelling["votes"],
        gold=labelling["gold_rate"],
        at=job.as_of,
        on_disagreement=labelling["on_disagreement"] or ADJUDICATE,
        group=dataset["group"],
        champion=_champion(job),
    )
    contents = queue.contents()
    queued = {**counts, "leaks": leaked, "unknown_class": strange, **_standing(contents, config["rules"])}
    job.write_json("queued", {**queued, "gold_note": _gold_note(contents, labelling["gold_rate"])})


def settled(rows: pa.Table, classes: Sequence[str]) -> tuple[pa.Table, dict[str, int]]:
    """The rows with `clspec.label` and `clspec.origin` where no person need be asked, and the labels that are no class.

    Rows that an audit drew, or that check a teacher, are for people whatever is known of them: else the measured error
    would be that of the label's source.
    """
    found = [_label(row) for row in rows.select(_present(rows)).to_pylist()]
    strange = Counter(label for label, _ in found if label is not None and classes and label not in classes)
    known = [(None, None) if label in strange else (label, origin) for label, origin in found]
    labels, origins = ([pair[n] for pair in known] for n in (0, 1))
    bare = rows.drop_columns([name for name in ("clspec.label", "clspec.origin") if name in rows.column_names])
    made = bare.append_column("clspec.label", pa.array(labels, type=pa.large_string()))
    return made.append_column("clspec.origin", pa.array(origins, type=pa.large_string())), dict(sorted(strange.items()))


_READ = ("label", "origin", "rule", "audit", "auto_label", "auto_accepted", "auto_audited")


def _present(rows: pa.Table) -> list[str]:
    return [f"clspec.{name}" for name in _READ if f"clspec.{name}" in rows.column_names]


def _label(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The label that a row has without asking anybody, and whose it is."""
    if row["clspec.audit"]:
        return None, None
    if row["clspec.label"] is not None:
        return row["clspec.label"], row["clspec.origin"] or f"feedback:{row['clspec.rule']}"
    if row.get("clspec.auto_accepted") and not row["clspec.auto_audited"]:
        return row["clspec.auto_label"], AUTO
    return None, None


def _champion(job: Job) -> str | None:
    """The champion whose predictions these are, as far as the store knows."""
    entry = Entries(job.storage, f"{job.config['spec']}/stages/champion").newest()
    return None if entry is None else str(entry.content["model"])


def _standing(contents: Contents, rules: Sequence[str]) -> dict[str, Any]:
    """How many items there are in each state, by origin, and by the rule that mined them."""
    held = [item for item in contents.items.values() if item.queued_at is not None]
    states = Counter(item.state.value for item in contents.items.values())
    states[State.ERASED.value] = len(contents.erased)
    origins = Counter(item.origin for item in held if item.origin is not None)
    mined = {rule: Counter(item.state.value for item in held if item.rule == rule) for rule in rules}
    return {
        "states": {state.value: states[state.value] for state in State},
        "by_origin": dict(sorted(origins.items())),
        "by_rule": {rule: dict(sorted(count.items())) for rule, count in mined.items()},
        "waiting": states[State.OPEN.value],
        "gold_questions": sum(item.gold for item in held),
    }


def _gold_note(contents: Contents, rate: float) -> str | None:
    if rate == 0 or any(item.gold for item in contents.items.values()):
        return None
    return "no gold question is asked: there must be enough rows whose labels all people agreed on and a run took in"
