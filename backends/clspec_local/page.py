"""The page of a run on this machine: the report's with the times, the states and the run before, which we alone know.

The report is a result like any other and follows from its inputs alone. What is written here lies beside it, in the
run's own folder, and is never taken for a result. A run that ended before its report has a page too, made of what there
is: it says what failed, and is never green. One that was interrupted says what was at work; that of a run whose engine
was killed is written afterwards, from what its folder and the history tell.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from clspec.backend import State
from clspec.plan import Kind
from clspec.report import dag, ran
from clspec.report.ran import Ran, Stepped
from clspec_local import account
from clspec_local.account import Report
from clspec_local.artifacts import place_of
from clspec_local.using import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clspec.backend import Happening, Outcome
    from clspec.plan import Pipeline, Plan
    from clspec_local.account import Begun

FOLDER = "report"
RUN = "run.json"
INTERRUPTED = "interrupted"
"""The note of a step that was stopped since the run was asked to end."""
_TAIL, _LINES = 64 * 1024, 40
_BEFORE = 200
"""So many earlier runs are looked at for one of the same pipeline."""
_ON_THE_WAY = {"started", "progress", "retried", "warned", "finishing"}
"""The states after which another one comes."""
_NOT_MADE: dict[str, Any] = {
    "verdict": "missing",
    "reasons": [],
    "seeds": [],
    "training": {},
    "examples": {},
    "loop": {},
}


class Seen:
    """What happened in a run, as it is told; whoever else watches is told too."""

    def __init__(self, watch: Callable[[Happening], None]) -> None:
        self._watch = watch
        self._began = time.monotonic()
        self._started = datetime.now(tz=UTC).isoformat(timespec="seconds")
        self._begun: dict[str, float] = {}
        self._over: dict[str, Happening] = {}

    def tell(self, happening: Happening) -> None:
        """Keep when a step began and what became of it."""
        now = time.monotonic() - self._began
        if happening.state is State.STARTED:
            self._begun[happening.step] = now
        elif happening.state.value not in _ON_THE_WAY:
            self._over[happening.step] = happening
            if happening.seconds and happening.step not in self._begun:
                self._begun[happening.step] = max(0.0, now - happening.seconds)
        self._watch(happening)

    def ran(self, plan: Plan, pipeline: Pipeline, outcome: Outcome) -> Ran:
        """The run, once it is over."""
        stopped = [s for s, told in self._over.items() if told.note == INTERRUPTED and told.state is State.FAILED]
        steps = tuple(self._stepped(step) for step in dag.steps_of(pipeline))
        return Ran(
            run=outcome.run,
            spec=plan.name,
            pipeline=pipeline.name,
            began=self._started,
            seconds=time.monotonic() - self._began,
            exit_code=outcome.exit_code,
            failed=outcome.failed,
            log=_ends(outcome.folder, [outcome.failed] if outcome.failed else stopped),
            steps=steps,
            at_work=tuple(stopped),
        )

    def _stepped(self, step: Stepped) -> Stepped:
        """A step with what became of it."""
        told = self._over.get(step.id)
        if told is None:
            return structs.replace(step, state="unknown", began=self._begun.get(step.id))
        began = self._begun.get(step.id)
        return structs.replace(step, state=told.state.value, began=began, seconds=told.seconds, note=told.note)


def write(plan: Plan, pipeline: Pipeline, outcome: Outcome, seen: Seen) -> Outcome:
    """Write the page into the run's folder, with the same for programs, and say in the outcome where it lies.

    A plan that makes no report has no page.

    Raises:
        StateError: they cannot be written, or what the run made has not its form.
    """
    about = report_of(pipeline)
    if about is None:
        return outcome
    _write(outcome.folder, about, seen.ran(plan, pipeline, outcome), outcome.outputs, outcome.verdict)
    return replace(outcome, report=outcome.folder / FOLDER)


def report_of(pipeline: Pipeline) -> Report | None:
    """What the plan's report is told of what made the models; None where the plan makes no report."""
    step = next((step for step in pipeline.steps if step.kind is Kind.REPORT), None)
    if step is None:
        return None
    config = json.loads(step.config)
    return Report(
        step=step.id, output=step.outputs[0].name, spec=config["spec"], made_by=_made_by(config, pipeline.name)
    )


def write_afterwards(folder: Path, row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], why: str) -> None:
    """Write the page of a run that could not write it itself, from its folder and what the history tells of it.

    A run whose plan makes no report, or whose folder does not say how it began, has none.

    Raises:
        StateError: it cannot be written, or what the run made has not its form.
    """
    try:
        begun = account.begun(folder)
    except (OSError, ValueError):
        return
    if begun.report is None:
        return
    state = folder.parent.parent
    outputs = {
        step["id"]: {name: place_of(state, digest) for name, digest in json.loads(step["outputs"]).items()}
        for step in steps
    }
    judged = (outputs[step["id"]].get("verdict") for step in steps if step["kind"] == Kind.GATE.value)
    verdict = next((place for place in judged if place is not None and place.is_file()), None)
    _write(folder, begun.report, _ran_afterwards(folder, begun, row, steps, why), outputs, verdict)


def _ran_afterwards(
    folder: Path, begun: Begun, row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], why: str
) -> Ran:
    """A run that nobody watched to its end: a step with a log of which nothing is recorded was at work."""
    over = {step["id"]: step for step in steps}
    logs = {path.stem: path.stat() for path in folder.glob("*.log")}
    at_work = [step.id for step in begun.steps if step.id in logs and step.id not in over]
    found = []
    for step in begun.steps:
        is_lost = step.id in at_work
        told = over.get(step.id, {"state": "at work" if is_lost else "not run", "seconds": 0.0, "note": ""})
        found.append(
            Stepped(
                id=step.id,
                kind=step.kind,
                needs=step.needs,
                when=step.when,
                state=told["state"],
                seconds=told["seconds"],
                note="at work when the run ended" if is_lost else told["note"],
            )
        )
    failed = [step["id"] for step in steps if step["state"] == State.FAILED.value][:1]
    last = max((log.st_mtime for log in logs.values()), default=row["started"])
    return Ran(
        run=row["id"],
        spec=row["spec"],
        pipeline=row["pipeline"],
        began=datetime.fromtimestamp(row["started"], tz=UTC).isoformat(timespec="seconds"),
        seconds=max(0.0, last - row["started"]),
        exit_code=row["exit_code"],
        failed=next(iter(failed), ""),
        log=_ends(folder, failed or at_work),
        steps=tuple(found),
        at_work=tuple(at_work),
        why=why,
    )


def _write(
    folder: Path,
    about: Report,
    told: Ran,
    outputs: Mapping[str, Mapping[str, Path]],
    verdict: Path | None,
) -> None:
    """Write all that lies in the folder of a report."""
    place = folder / FOLDER
    try:
        place.mkdir(exist_ok=True)
        for name, text in _files(_content(about, outputs, verdict), told, folder).items():
            _put(place / name, text)
    except (OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else repr(error)
        message = f"run {told.run} ended with exit code {told.exit_code}, and no page of it can be made: {why}"
        raise StateError(message) from error


def _files(content: dict[str, Any], told: Ran, folder: Path) -> dict[str, str]:
    """What lies in the folder of a report, by name; the page comes last."""
    from clspec.report import junit, result  # noqa: PLC0415  # what only the end of a run needs
    from clspec.report.html import page  # noqa: PLC0415

    earlier, before = _before(folder, told)
    told = structs.replace(told, before=earlier)
    verdict = result.result(content, told)
    return {
        "report.json": _indented(content, 1),
        RUN: _indented(told.plain(), 1),
        "result.json": _indented(verdict, 2),
        "junit.xml": junit.suite(verdict),
        "report.html": page(content, told, before, _code_files(folder, told, content, before)),
    }


def _indented(value: dict[str, Any], indent: int) -> str:
    """JSON for people, by two programs in C: Python's own indents in Python, ten times as slowly."""
    text = json.dumps(value, allow_nan=False).encode()
    return msgspec.json.format(text, indent=indent).decode() + "\n"


def _put(place: Path, text: str) -> None:
    """A file that is whole or not there; a reader of an older one keeps what it has."""
    made = place.with_name(f".{place.name}.{os.getpid()}")
    made.write_text(text, encoding="utf-8", newline="")
    made.replace(place)


def _content(about: Report, outputs: Mapping[str, Mapping[str, Path]], verdict: Path | None) -> dict[str, Any]:
    """What the report's step told; of a run that did not get so far, what the plan says and what was judged."""
    made = outputs.get(about.step, {}).get(about.output)
    if made is not None:
        found: dict[str, Any] = json.loads((made / "report.json").read_bytes())
        return found
    judged = json.loads(verdict.read_bytes()) if verdict else {}
    return {**_NOT_MADE, **judged, "spec": about.spec, "made_by": about.made_by}


def _made_by(config: Mapping[str, Any], pipeline: str) -> dict[str, Any]:
    """What the report's step is told of what made the models; a plan made by hand may not say all of it."""
    nothing = {"code": "", "image": "", "params": {}, "seeds": [], "datasets": {}, "scenarios": []}
    roles = {"roles": {"training": "", "golden": ""}, "pipeline": pipeline}
    return {**nothing, **roles, **{name: value for name, value in config.items() if name not in {"shown", "steps"}}}


def _before(folder: Path, told: Ran) -> tuple[str, dict[str, Any] | None]:
    """The newest earlier run of the same pipeline that has a whole report, and that report's content."""
    earlier = sorted((f.name for f in folder.parent.iterdir() if f.name < folder.name), reverse=True)
    for name in earlier[:_BEFORE]:
        place = folder.parent / name / FOLDER
        with suppress(OSError, ValueError, LookupError, TypeError):
            run = ran.read(json.loads((place / RUN).read_bytes()))
            if (run.spec, run.pipeline) == (told.spec, told.pipeline):
                content: dict[str, Any] = json.loads((place / "report.json").read_bytes())
                if content["verdict"] != _NOT_MADE["verdict"] and "made_by" in content and "seeds" in content:
                    return name, content
    return "", None


def _code_files(
    folder: Path, told: Ran, content: Mapping[str, Any], before: Mapping[str, Any] | None
) -> Mapping[str, tuple[str | None, str | None]]:
    """The files of code that steps read and that are not what they were in the run before; nothing where none is."""
    if before is None or before["made_by"].get("code") == content["made_by"].get("code"):
        return {}
    from clspec_local import recall  # noqa: PLC0415  # SQLite once more, where the code has changed
    from clspec_local.history import HistoryError  # noqa: PLC0415

    with suppress(HistoryError):
        return recall.files_apart(folder.parent.parent, told.before, told.run)
    return {}


def _ends(folder: Path, steps: Sequence[str]) -> tuple[str, ...]:
    """The last lines of some steps' logs, each below its step's name where there are several."""
    found: list[str] = []
    for step in steps:
        found += [f"{step}:"] if len(steps) > 1 else []
        found += _end_of(folder / f"{step}.log")
    return tuple(found)


def _end_of(log: Path) -> list[str]:
    """The last lines of a log, without those that only tell progress."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"(the log cannot be read: {error.strerror})"]
    return [line for line in lines if not line.startswith('{"progress"')][-_LINES:]
