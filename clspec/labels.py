"""What `clspec label` does: questions out to people, their answers in, and a person's word where they disagree."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data import label_studio, queue_files, table
from clspec.data.durable import aside
from clspec.data.queue import Queue
from clspec.data.queue_log import ROW_KEY
from clspec.data.queue_rows import RESERVED, hash_of
from clspec.data.queue_state import UNUSABLE, State, Vote
from clspec.data.queue_votes import Answer, Refusal, labeller
from clspec.diagnostic import Refused, UsageError, did_you_mean
from clspec.spec import HumanFeedback
from clspec.stored import not_golden, storage_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from clspec.check import Facts
    from clspec.data.queue_files import Question
    from clspec.data.queue_state import Contents, Item
    from clspec.data.queue_votes import Outcome
    from clspec.spec import Feedback

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".json": "label-studio"}
"""What the ending of a file says of what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote: so many questions, and so many files of media."""

    questions: int
    media: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of every answer of a file, and where those lie that were refused."""

    outcomes: tuple[Outcome, ...]
    refused: Path | None


def queue(facts: Facts) -> Queue:
    """The label queue of a spec.

    Raises:
        UsageError: the spec has none.
    """
    _feedback(facts)
    return Queue(storage_of(facts), facts.spec.metadata.name)


def _feedback(facts: Facts) -> Feedback:
    if facts.spec.feedback is None:
        message = f"{facts.document.path} has no `feedback`, and so no label queue"
        raise UsageError(message)
    return facts.spec.feedback


def contents(facts: Facts) -> Contents:
    """The label queue of a spec as it stands."""
    return queue(facts).contents()


# -- out ---------------------------------------------------------------------------------------------------------------


def export(  # noqa: PLR0913  # each is a choice of who exports
    facts: Facts, file: Path, *, form: str | None, media: Path | None, limit: int | None, by: str | None
) -> Exported:
    """Write the questions that wait for people into a new file; with `by`, those that this person has not answered.

    Nothing in it says what a model or a teacher thinks, or which questions have a known answer.

    Raises:
        UsageError: the file is there already, its format is unknown or holds no media, or it cannot be written.
        Refused: nothing waits.
    """
    form, name = form or _form(file, _default_form(facts)), None if by is None else _labeller(by)
    if file.exists():
        message = f"{file} is there already, and may hold answers: give the new file another name"
        raise UsageError(message)
    found = queue(facts)
    asked = not_golden(facts, _feedback(facts).append_to, found, waiting(found.contents(), name))[:limit]
    if not asked:
        message = "nothing waits for labels" + ("" if name is None else f" by {name}")
        message += ": `clspec label list` counts what is in the queue, a run of the improvement pipeline fills it"
        raise Refused(message)
    questions = _questions(facts, found, asked)
    binary = any(isinstance(value, bytes) for _, data in questions for value in data.values())
    if form == "csv" and binary and media is None:
        message = "a table holds no media: say --media DIR, or export JSON lines"
        raise UsageError(message)
    count = 0
    if media is not None:
        questions, count = _with_media(questions, media)
    text = {
        "jsonl": lambda: queue_files.to_jsonl(questions, name),
        "csv": lambda: queue_files.to_csv(questions, name),
        "label-studio": lambda: label_studio.to_tasks(questions),
    }[form]()
    _write_new(file, text.encode())
    return Exported(questions=len(questions), media=count)


def waiting(held: Contents, name: str | None) -> list[Item]:
    """The items that are put before people, gold questions among them, in an order that tells nothing.

    Nobody is asked twice, and nobody a gold question whose answer is his own.
    """
    asked = [
        item
        for item in held.items.values()
        if (item.state is State.OPEN and not item.disagrees) or (item.gold and (name is not None or not item.answers))
    ]
    open_to = [item for item in asked if all(vote.by != name for vote in item.voices)]
    return sorted(open_to, key=lambda item: hash_of(item.key))


def _questions(facts: Facts, found: Queue, asked: Sequence[Item]) -> list[Question]:
    hidden = hidden_columns(facts)
    rows = found.rows([item.key for item in asked])
    shown = [name for name in rows.column_names if not name.startswith(RESERVED) and name not in hidden]
    keys = rows.column(ROW_KEY).to_pylist()
    return list(zip(keys, rows.select(shown).to_pylist(), strict=True)) if shown else [(key, {}) for key in keys]


def hidden_columns(facts: Facts) -> set[str]:
    """Columns that would tell a labeller the answer, or what somebody or some model thinks it is."""
    task, feedback = facts.spec.task, _feedback(facts)
    roles = facts.spec.sources[feedback.source].roles
    told = {rule.label for rule in feedback.rules if isinstance(rule, HumanFeedback)}
    names = {task.label, task.prediction, task.score, *told}
    return {name for name in (*names, *((roles.prediction, roles.confidence) if roles else ())) if name}


def _with_media(questions: Sequence[Question], folder: Path) -> tuple[list[Question], int]:
    """The questions with the paths of files in place of bytes; a file is named by its content, never by a row."""
    written: set[Path] = set()

    def placed(value: Any) -> Any:
        if not isinstance(value, bytes):
            return value
        place = folder / f"{hashlib.sha256(value).hexdigest()}{label_studio.media_type(value)[1]}"
        if place not in written and not place.exists():
            _write_new(place, value)
        written.add(place)
        return str(place)

    return [(key, {name: placed(value) for name, value in data.items()}) for key, data in questions], len(written)


def _write_new(place: Path, content: bytes) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        with aside(place, content) as made:
            os.link(made, place)
    except FileExistsError as error:
        message = f"{place} is there already"
        raise UsageError(message) from error
    except OSError as error:
        message = f"{place} cannot be written: {error.strerror or error}"
        raise UsageError(message) from error


def _default_form(facts: Facts) -> str | None:
    labelling = _feedback(facts).labelling
    return "label-studio" if labelling is not None and labelling.queue == "label_studio" else None


def _form(file: Path, default: str | None) -> str:
    form = FORMATS.get(file.suffix.lower(), default)
    if form is None:
        message = f"{file} has none of the endings {', '.join(FORMATS)}: say its --format"
        raise UsageError(message)
    return form


def _labeller(name: str) -> str:
    try:
        return labeller(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


# -- in ----------------------------------------------------------------------------------------------------------------


def take_in(facts: Facts, file: Path, *, form: str | None, by: str | None, now: datetime) -> Imported:
    """Take in the answers of a file: each has one outcome, what can be kept is kept, and the same file may come again.

    Raises:
        UsageError: the file cannot be read as what it is, or holds not one line.
    """
    name = None if by is None else _labeller(by)
    content = _read(file)
    reader = {
        "jsonl": queue_files.from_jsonl,
        "csv": queue_files.from_csv,
        "label-studio": label_studio.from_tasks,
    }[form or _form(file, None)]
    answers = [_in_type(facts, answer) for answer in reader(content, str(file), name)]
    if not answers:
        message = f"{file} holds no answers"
        raise UsageError(message)
    source = hashlib.sha256(content).hexdigest()
    outcomes = queue(facts).vote(answers, facts.spec.task.classes, source, now)
    return Imported(outcomes=outcomes, refused=_refused(file, outcomes))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        raise UsageError(message) from error


def _in_type(facts: Facts, answer: Answer | Refusal) -> Answer | Refusal:
    """A label that is no class as the dataset's column has it, so that 1 and 1.0 are one answer."""
    task = facts.spec.task
    if task.classes or isinstance(answer, Refusal) or answer.label in {None, UNUSABLE}:
        return answer
    kind = facts.columns(_feedback(facts).append_to)[task.label]
    try:
        typed = pa.scalar(answer.label, pa.large_string()).cast(table.schema({task.label: kind}).field(0).type)
        return replace(answer, label=typed.cast(pa.large_string()).as_py())
    except pa.ArrowException:
        reason = f"the label is {answer.label!r:.60}, which is no {kind}"
        return Refusal(place=answer.place, given=answer.given, reason=reason)


def _refused(file: Path, outcomes: Sequence[Outcome]) -> Path | None:
    """Write what was refused beside the file, with its reasons; None where nothing was."""
    told = [
        {"place": outcome.place, "outcome": outcome.fate.value, "reason": outcome.reason, "given": outcome.given}
        for outcome in outcomes
        if outcome.fate.refused
    ]
    if not told:
        return None
    text = "".join(json.dumps(line, default=str) + "\n" for line in told)
    place = file.with_name(f"{file.name}.refused.jsonl")
    try:
        with aside(place, text.encode()) as made:
            made.replace(place)
    except OSError as error:
        message = f"the good answers are stored; {place} with the refused ones cannot be written: {error.strerror}"
        raise UsageError(message) from error
    return place


# -- where people disagree ---------------------------------------------------------------------------------------------


def disputed(facts: Facts) -> tuple[Item, ...]:
    """The items that wait for somebody to decide."""
    return tuple(item for item in contents(facts).of(State.OPEN) if item.waits)


def adjudicate(  # noqa: PLR0913  # who decides what, and when
    facts: Facts, key: str, *, label: str, by: str, note: str | None, now: datetime
) -> bool:
    """Decide what an item is where people disagree; False if that was decided already.

    Raises:
        UsageError: there is no such class, or nobody is named.
        Refused: there is nothing to decide about this item.
    """
    given = _in_type(facts, Answer(place=key, given=label, key=key, label=label, by=_labeller(by), at=now, note=note))
    classes = facts.spec.task.classes
    if isinstance(given, Refusal):
        raise UsageError(given.reason)
    unusable = label == UNUSABLE and UNUSABLE not in classes
    if classes and not unusable and label not in classes:
        message = f"`{label}` is no class: {did_you_mean(label, [*classes, UNUSABLE])}"
        raise UsageError(message)
    said = None if unusable else given.label
    vote = Vote(key=key, label=said, by=_labeller(by), at=now, note=note, source="review")
    return queue(facts).adjudicate(vote)
