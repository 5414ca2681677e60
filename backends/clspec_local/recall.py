"""What the history tells of runs: to be read by people and programs, never by the engine; nothing is written."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import UsageError, did_you_mean
from clspec.runs import Log, Output, Run, Stepped, Tree, Why
from clspec.selection import Selection
from clspec_local.artifacts import place_of
from clspec_local.claim import held_by
from clspec_local.history import NAME, History, HistoryDamaged, Reading
from clspec_local.reasons import differences

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.runs import Difference


def runs(state: Path) -> tuple[Run, ...]:
    """The runs that a state folder tells of, the newest first."""
    with closing(Reading(state / NAME)) as history:
        return tuple(_run(state, row) for row in history.runs())


def steps(state: Path, run: str) -> tuple[Stepped, ...]:
    """What became of each step of a run, in the order of the pipeline."""
    with closing(Reading(state / NAME)) as history:
        return tuple(_stepped(state, row) for row in history.steps(run))


def explain(state: Path, run: str, step: str) -> Why:
    """Why a step ran in a run, or did not: beside the run that it was compared with then, or the last one before.

    Raises:
        UsageError: there is no such run or step.
    """
    with closing(Reading(state / NAME)) as history:
        every = [_run(state, row) for row in history.runs()]
        found = _named(every, run)
        about = _step(state, history, found, step)
        before = next((one for one in every if one.id == about.compared), None) or _last(history, every, found, step)
        compared = None
        if before is not None:
            old = history.parts(_step(state, history, before, step).key)
            new = history.parts(about.key)
            compared = tuple(differences(old, new)) if old is not None and new is not None else None
        return Why(run=found, step=about, before=before, differences=compared)


def apart(state: Path, one: str, other: str) -> dict[str, tuple[Difference, ...] | None]:
    """How what each step was made from differs between two runs that both have it; None where that is not known."""
    found: dict[str, tuple[Difference, ...] | None] = {}
    with closing(Reading(state / NAME)) as history:
        first = {row["id"]: row["key"] for row in history.steps(one)}
        for row in history.steps(other):
            keys = first.get(row["id"]), row["key"]
            if row["id"] not in first or keys == (None, None):
                continue
            old, new = (history.parts(key) if key else None for key in keys)
            same: tuple[Difference, ...] | None = () if keys[0] == keys[1] else None
            found[row["id"]] = tuple(differences(old, new)) if old is not None and new is not None else same
    return found


def files_apart(state: Path, one: str, other: str) -> dict[str, tuple[str | None, str | None]]:
    """The files of user code that differ between two runs, with their digests, as far as a step of both can reach them.

    None stands for a file that a step did not reach then, or does not now.
    """
    found: dict[str, tuple[str | None, str | None]] = {}
    with closing(Reading(state / NAME)) as history:
        first = {row["id"]: row["key"] for row in history.steps(one)}
        for row in history.steps(other):
            before, now = first.get(row["id"]), row["key"]
            if before is None or now is None or before == now:
                continue
            old, new = history.parts(before), history.parts(now)
            if old is not None and new is not None:
                changed = {*old.code.items()} ^ {*new.code.items()}
                found |= {name: (old.code.get(name), new.code.get(name)) for name, _ in changed}
    return dict(sorted(found.items()))


def logs(state: Path, run: str, step: str) -> Log:
    """Where a step's log lies: where it was up to date, the one of the run that made it.

    Raises:
        UsageError: there is no such run or step, or no log.
    """
    with closing(Reading(state / NAME)) as history:
        every = [_run(state, row) for row in history.runs()]
        found = _named(every, run)
        path = found.folder / f"{step}.log"
        row = next((row for row in history.steps(found.id) if row["id"] == step), None)
    if path.is_file():
        return Log(path=path, run=found.id, is_open=found.is_running and row is None)
    if row is None:
        known = {one.stem for one in found.folder.glob("*.log")} | {one.id for one in steps(state, found.id)}
        hint = did_you_mean(step, known) or f"`clspec show {found.id}` lists them"
        message = f"run {found.id} has no step `{step}` that has begun: {hint}"
        raise UsageError(message)
    maker = str(row["made_in"])
    elsewhere = state / "runs" / maker / f"{step}.log"
    if maker and maker != found.id and elsewhere.is_file():
        return Log(path=elsewhere, run=maker, is_open=False)
    made = f", was made in run {maker}, whose log is gone" if maker and maker != found.id else " and has no log"
    message = f"`{step}` was {row['state']} in run {found.id}{made}"
    raise UsageError(message)


def is_held(folder: Path) -> bool:
    """Whether a living process has claimed a run's folder; asked without claiming it."""
    with suppress(OSError):
        return held_by(folder) != 0
    return False


def _named(every: list[Run], name: str) -> Run:
    for run in every:
        if run.id == name:
            return run
    hint = did_you_mean(name, [run.id for run in every]) or "`clspec runs` lists them"
    message = f"there is no run `{name}`: {hint}"
    raise UsageError(message)


def _step(state: Path, history: History, run: Run, step: str) -> Stepped:
    rows = history.steps(run.id)
    for row in rows:
        if row["id"] == step:
            return _stepped(state, row)
    if run.is_running and (run.folder / f"{step}.log").exists():
        message = f"`{step}` is still at work in run {run.id}"
        raise UsageError(message)
    hint = did_you_mean(step, [row["id"] for row in rows]) or f"`clspec show {run.id}` lists them"
    message = f"run {run.id} has no step `{step}`: {hint}"
    raise UsageError(message)


def _last(history: History, every: list[Run], run: Run, step: str) -> Run | None:
    """The newest run before this one in which it is known what the step was made from."""
    alike = (run.spec, run.pipeline, run.environment)
    for one in every:
        if one.started < run.started and (one.spec, one.pipeline, one.environment) == alike:
            for row in history.steps(one.id):
                if row["id"] == step and row["key"]:
                    return one
    return None


def _run(state: Path, row: dict[str, Any]) -> Run:
    folder = state / "runs" / row["id"]
    try:
        return Run(
            id=row["id"],
            spec=row["spec"],
            file=row["file"],
            pipeline=row["pipeline"],
            environment=row["environment"],
            started=row["started"],
            ended=row["ended"],
            exit_code=row["exit_code"],
            is_running=row["exit_code"] is None and is_held(folder),
            verdict=row["verdict"],
            selection=Selection(**{name: tuple(names) for name, names in json.loads(row["selection"]).items()}),
            is_whole=bool(row["whole"]),
            tree=_tree(row["tree"]),
            tree_at_end=_tree(row["tree_at_end"]),
            folder=folder,
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        message = f"what {state / NAME} says of run {row['id']} cannot be read: {error!r}"
        raise HistoryDamaged(message) from error


def _tree(text: str | None) -> Tree | None:
    if text is None:
        return None
    found = json.loads(text)
    return Tree(**{**found, "dirty": tuple(found["dirty"])})


def _stepped(state: Path, row: dict[str, Any]) -> Stepped:
    try:
        places = {name: (digest, place_of(state, digest)) for name, digest in json.loads(row["outputs"]).items()}
        return Stepped(
            id=row["id"],
            kind=row["kind"],
            state=row["state"],
            seconds=row["seconds"],
            note=row["note"],
            reasons=tuple(json.loads(row["reasons"])),
            compared=row["compared"],
            outputs={n: Output(digest=d, place=place, is_there=place.exists()) for n, (d, place) in places.items()},
            parameters=json.loads(row["parameters"]),
            key=row["key"] or "",
            made_in=row["made_in"],
        )
    except (ValueError, TypeError, AttributeError) as error:
        message = f"what {state / NAME} says of step `{row['id']}` cannot be read: {error!r}"
        raise HistoryDamaged(message) from error
