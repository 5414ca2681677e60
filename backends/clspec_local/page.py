"""The page of a run on this machine: the report's with the times, the states and the run before, which we alone know.

The report is a result like any other and follows from its inputs alone. What is written here lies beside it, in the
run's own folder, and is never taken for a result. A run that ended before its report has a page too, made of what there
is: it says what failed, and is never green.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.backend import State
from clspec.plan import Kind
from clspec.report import dag, ran
from clspec.report.ran import Ran
from clspec_local.using import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clspec.backend import Happening, Outcome
    from clspec.plan import Pipeline, Plan, Step

FOLDER = "report"
RUN = "run.json"
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


@dataclass(slots=True)
class Seen:
    """What happened in a run, as it is told; whoever else watches is told too."""

    watch: Callable[[Happening], None]
    _began: float = field(default_factory=time.monotonic)
    _started: str = field(default_factory=lambda: datetime.now(tz=UTC).isoformat(timespec="seconds"))
    _begun: dict[str, float] = field(default_factory=dict)
    _over: dict[str, Happening] = field(default_factory=dict)

    def tell(self, happening: Happening) -> None:
        """Keep when a step began and what became of it."""
        now = time.monotonic() - self._began
        if happening.state is State.STARTED:
            self._begun[happening.step] = now
        elif happening.state.value not in _ON_THE_WAY:
            self._over[happening.step] = happening
            if happening.seconds and happening.step not in self._begun:
                self._begun[happening.step] = max(0.0, now - happening.seconds)
        self.watch(happening)

    def ran(self, plan: Plan, pipeline: Pipeline, outcome: Outcome) -> Ran:
        """The run, once it is over."""
        steps = tuple(
            replace(
                step,
                state=self._over[step.id].state.value if step.id in self._over else "unknown",
                began=self._begun.get(step.id),
                seconds=self._over[step.id].seconds if step.id in self._over else 0.0,
                note=self._over[step.id].note if step.id in self._over else "",
            )
            for step in dag.steps_of(pipeline)
        )
        return Ran(
            run=outcome.run,
            spec=plan.name,
            pipeline=pipeline.name,
            began=self._started,
            seconds=time.monotonic() - self._began,
            exit_code=outcome.exit_code,
            failed=outcome.failed,
            log=tuple(_end_of(outcome.log)) if outcome.log else (),
            steps=steps,
        )


def write(plan: Plan, pipeline: Pipeline, outcome: Outcome, seen: Seen) -> Outcome:
    """Write the page into the run's folder, with the same for programs, and say in the outcome where it lies.

    A plan that makes no report has no page.

    Raises:
        StateError: they cannot be written, or what the run made has not its form.
    """
    step = next((step for step in pipeline.steps if step.kind is Kind.REPORT), None)
    if step is None:
        return outcome
    folder = outcome.folder / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        told = seen.ran(plan, pipeline, outcome)
        for name, text in _files(_content(step, pipeline.name, outcome), told, outcome.folder).items():
            _put(folder / name, text)
    except (OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else repr(error)
        message = f"run {outcome.run} ended with exit code {outcome.exit_code}, and no page of it can be made: {why}"
        raise StateError(message) from error
    return replace(outcome, report=folder)


def _files(content: dict[str, Any], told: Ran, folder: Path) -> dict[str, str]:
    """What lies in the folder of a report, by name; the page comes last."""
    from clspec.report import junit, result  # noqa: PLC0415  # what only the end of a run needs
    from clspec.report.html import page  # noqa: PLC0415

    earlier, before = _before(folder, told)
    told = replace(told, before=earlier)
    verdict = result.result(content, told)
    return {
        "report.json": json.dumps(content, indent=1) + "\n",
        RUN: _indented(told.plain(), 1),
        "result.json": _indented(verdict, 2),
        "junit.xml": junit.suite(verdict),
        "report.html": page(content, told, before),
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


def _content(step: Step, pipeline: str, outcome: Outcome) -> dict[str, Any]:
    """What the report's step told; of a run that did not get so far, what the plan says and what was judged."""
    made = outcome.outputs.get(step.id, {}).get(step.outputs[0].name)
    if made is not None:
        found: dict[str, Any] = json.loads((made / "report.json").read_bytes())
        return found
    config = json.loads(step.config)
    verdict = json.loads(outcome.verdict.read_bytes()) if outcome.verdict else {}
    return {**_NOT_MADE, **verdict, "spec": config["spec"], "made_by": _made_by(config, pipeline)}


def _made_by(config: Mapping[str, Any], pipeline: str) -> dict[str, Any]:
    """What the report's step is told of what made the models; a plan made by hand may not say all of it."""
    nothing = {"code": "", "image": "", "params": {}, "seeds": [], "datasets": {}, "scenarios": []}
    roles = {"roles": {"training": "", "golden": ""}, "pipeline": pipeline}
    return {**nothing, **roles, **{name: value for name, value in config.items() if name != "shown"}}


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


def _end_of(log: Path) -> list[str]:
    """The last lines of a log, without those that only tell progress."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"(the log cannot be read: {error.strerror})"]
    return [line for line in lines if not line.startswith('{"progress"')][-_LINES:]
