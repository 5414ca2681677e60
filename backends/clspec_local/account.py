"""What a run's own folder tells of the run: enough to list it again where the history is lost, and to make its page.

One file is written when the run begins, another one when it has ended, by itself or because the next run found it
killed. Neither is ever read while the history is sound.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clspec.plan import Step

BEGUN, ENDED = "begun.json", "ended.json"


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run, column by column as the history has it."""

    id: str
    spec: str
    pipeline: str
    started: float
    ended: float | None
    exit_code: int | None
    file: str
    environment: str
    selection: str
    whole: int
    verdict: str
    tree: str | None
    tree_at_end: str | None


class Stepped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a step, column by column as the history has it."""

    run: str
    id: str
    state: str
    key: str | None
    seconds: float
    note: str
    place: int
    kind: str
    reasons: str
    compared: str
    outputs: str
    parameters: str
    made_in: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the run's plan, as its drawing shows it."""

    id: str
    kind: str
    needs: tuple[str, ...]
    when: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan's report is told, whatever the run comes to."""

    step: str
    output: str
    spec: str
    made_by: dict[str, Any]


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was when it began."""

    run: Run
    steps: tuple[Planned, ...]
    """In the order of the pipeline."""
    report: Report | None
    """None where the plan makes no report."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it had become when it ended."""

    run: Run
    steps: tuple[Stepped, ...]


class Kept(msgspec.Struct, frozen=True):
    """What a folder tells: how the run ended if that is told, else how it began."""

    run: Run
    steps: tuple[Stepped, ...]


def planned(steps: Sequence[Step]) -> tuple[Planned, ...]:
    """The steps of a plan, in order."""
    return tuple(
        Planned(
            id=step.id,
            kind=step.kind.value,
            needs=step.needs,
            when=step.when.sentence if step.when else "",
        )
        for step in steps
    )


def begin(folder: Path, run: Mapping[str, Any], steps: tuple[Planned, ...], report: Report | None) -> None:
    """Write down that a run has begun.

    Raises:
        OSError: it cannot be written.
    """
    _put(folder / BEGUN, Begun(run=Run(**run), steps=steps, report=report))


def end(folder: Path, run: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    """Write down what a run and its steps have become.

    Raises:
        OSError: it cannot be written.
    """
    _put(folder / ENDED, Ended(run=Run(**run), steps=tuple(Stepped(**step) for step in steps)))


def begun(folder: Path) -> Begun:
    """How a run began.

    Raises:
        OSError: that was not written down, or cannot be read.
        ValueError: it has not the form that it is written in.
    """
    return msgspec.json.decode((folder / BEGUN).read_bytes(), type=Begun)


def every(runs: Path) -> Iterator[Kept]:
    """What the folders of runs tell, each of its own run; one that is torn or of another clspec tells nothing."""
    for folder in sorted(runs.iterdir() if runs.is_dir() else ()):
        if (found := _read(folder)) is not None and found.run.id == folder.name and _is_whole(found):
            yield found


def _read(folder: Path) -> Kept | None:
    try:
        told = msgspec.json.decode((folder / ENDED).read_bytes(), type=Ended)
        return Kept(told.run, told.steps)
    except (OSError, ValueError):
        pass
    try:
        return Kept(begun(folder).run, ())
    except (OSError, ValueError):
        return None


def _is_whole(found: Kept) -> bool:
    """Whether all that it tells can be told of this run: what the history keeps as JSON is JSON."""
    run = found.run
    texts = [run.selection, *(text for text in (run.tree, run.tree_at_end) if text is not None)]
    texts += [text for step in found.steps for text in (step.reasons, step.outputs, step.parameters)]
    try:
        for text in texts:
            json.loads(text)
    except ValueError:
        return False
    return all(step.run == run.id for step in found.steps)


def _put(place: Path, content: Begun | Ended) -> None:
    """A file that is whole or not there."""
    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    scratch.write_bytes(msgspec.json.encode(content))
    scratch.replace(place)
