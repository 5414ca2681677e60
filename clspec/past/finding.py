"""A run by the word that a person has for it: `latest`, its id, or the first letters of it; and all that it was."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import UsageError, did_you_mean
from clspec.outset import runner
from clspec.project import root_of, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.runs import Log, Output, Run, Stepped, Why

LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run with all that became of its steps."""

    run: Run
    steps: tuple[Stepped, ...]

    def output(self, kind: str, name: str) -> Output | None:
        """What the first step of a kind made under a name, if any did."""
        return next((s.outputs[name] for s in self.steps if s.kind == kind and name in s.outputs), None)

    @property
    def verdict(self) -> Mapping[str, Any] | None:
        """The gate's judgement; None where there is none, or it is no longer kept."""
        return read(self.output("gate", "verdict"))


def read(output: Output | None) -> dict[str, Any] | None:
    """A JSON output; None where it is not kept any more, or is not what was made."""
    if output is None or not output.is_there:
        return None
    try:
        found = json.loads(output.place.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def state(path: str | None) -> Path:
    """The state folder of a spec's project, or of the folder that this process is in."""
    return state_of(path) if path is not None else root_of(Path.cwd()) / ".clspec"


def runs(path: str | None) -> tuple[Run, ...]:
    """The runs of a spec, or of the project that this process is in, the newest first.

    Raises:
        UsageError: there is no such spec.
    """
    place = state(path)
    found = runner().history(place)
    if path is None:
        return tuple(found)
    if not Path(path).is_file():
        message = f"there is no spec {path}"
        raise UsageError(message)
    file = os.path.relpath(Path(path).resolve(), place.parent)
    return tuple(run for run in found if run.file == file)


def named(word: str, every: Sequence[Run]) -> Run:
    """The run that a word means.

    Raises:
        UsageError: it means none, or several.
    """
    if not every:
        message = "there was no run yet: begin one with `clspec run --local`"
        raise UsageError(message)
    if word == LATEST:
        return every[0]
    exact = [run for run in every if run.id == word]
    found = exact or [run for run in every if word and run.id.startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"`{run.id}`" for run in found[:5]) + (", ..." if len(found) > 5 else "")  # noqa: PLR2004
        message = f"`{word}` begins the names of {len(found)} runs: {names}"
        raise UsageError(message)
    hint = did_you_mean(word, [LATEST, *(run.id for run in every)]) or "`clspec runs` lists them"
    message = f"there is no run `{word}`: {hint}"
    raise UsageError(message)


def told(run: Run) -> Told:
    """A run with its steps."""
    return Told(run=run, steps=tuple(runner().steps(_state(run), run.id)))


def why(step: str, word: str | None, every: Sequence[Run]) -> Why:
    """Why a step ran in a run, or did not; without a word, in the newest run in which its turn had come.

    Raises:
        UsageError: there is no such run or step.
    """
    if word is not None:
        run = named(word, every)
        return runner().explain(_state(run), run.id, step)
    known: dict[str, None] = {}
    for run in every:
        for one in runner().steps(_state(run), run.id):
            if one.id == step and one.state not in {"left out", "not run", "taken"}:
                return runner().explain(_state(run), run.id, step)
            known[one.id] = None
    named(LATEST, every)
    message = f"no run has a step `{step}`: {did_you_mean(step, known) or '`clspec show latest` lists those of a run'}"
    if step in known:
        message = f"`{step}` has not run yet"
    raise UsageError(message)


def logs(run: Run, step: str) -> Log:
    """Where the log of a step lies.

    Raises:
        UsageError: there is no such step, or it has no log.
    """
    return runner().logs(_state(run), run.id, step)


def _state(run: Run) -> Path:
    return run.folder.parent.parent
