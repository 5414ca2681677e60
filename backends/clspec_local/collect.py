"""Collection: what no kept run needs any more leaves this machine. Models and datasets in the store are not touched.

Of every pipeline the newest runs stay, and the newest that ended well; so does each run that registered a model, with
that model and its report. A result stays while a run that stays has used it. What goes is first forgotten, then moved
aside, then removed, so that whoever ends it in between leaves nothing that is half there: the next one goes on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.backend import Collected, Waste
from clspec_local import records
from clspec_local.claim import claim
from clspec_local.history import History
from clspec_local.page import FOLDER, RUN
from clspec_local.using import StateError, collected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.backend import Wanted

_TRASH = "trash-"
_HEX = re.compile(r"[0-9a-f]{64}")
_NOT_ASKED = """
    DELETE FROM parts
    WHERE key NOT IN (SELECT key FROM step WHERE key IS NOT NULL) AND key NOT IN (SELECT key FROM result)
"""
"""Forgets what results were made from that no run and no result tells of any more."""
_EVIDENCE = ("train", "report")
"""Of a run that stays only since it registered a model, the results of these steps stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run that the history or its folder tells of."""

    id: str
    about: tuple[str, str]
    """Spec and pipeline."""
    started: float
    passed: bool
    registered: bool
    at_work: bool
    known: bool = True
    """Whether the history has it; else it was lost, or forgotten by a collection that was killed, or is to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What goes, and what the history has to forget first."""

    waste: tuple[Waste, ...]
    runs: tuple[str, ...]
    keys: tuple[str, ...]


def waste(state: Path, wanted: Wanted, now: datetime) -> Collected:
    """What a collection would remove; nothing is touched.

    Raises:
        ClspecError: the history cannot be read.
    """
    if not (state / "history.sqlite").exists() and not (state / "runs").exists():
        return Collected(waste=(), runs=(), at_work=())
    runs = _runs(state)
    at_work = tuple(run.id for run in runs if run.at_work)
    return _told(_found(state, runs, wanted, now, alone=not at_work), at_work)


def collect(state: Path, wanted: Wanted, now: datetime) -> Collected:
    """Remove what no kept run needs. While a run is at work, only the folders of other runs go.

    Raises:
        ClspecError: the history or the folder cannot be used.
    """
    with collected(state) as alone:
        runs = _runs(state)
        at_work = tuple(run.id for run in runs if run.at_work)
        found = _found(state, runs, wanted, now, alone=alone and not at_work)
        try:
            _forget(state, found)
            aside = _moved_aside(state, [Path(entry.path) for entry in found.waste])
            if alone and not at_work:
                records.forget_empty(state)
        except OSError as error:
            message = f"the collection cannot go on: {error.strerror or error}: {error.filename or state}"
            raise StateError(message) from error
        for folder in (*aside, *state.glob(f"{_TRASH}*")):
            shutil.rmtree(folder, ignore_errors=True)
        return _told(found, at_work or (() if alone else ("a run",)))


def _told(found: _Found, at_work: tuple[str, ...]) -> Collected:
    return Collected(waste=found.waste, runs=found.runs, at_work=at_work)


# -- what there is ---------------------------------------------------------------------------------------------------


def _runs(state: Path) -> tuple[_Run, ...]:
    """All runs, the newest first."""
    History(state / "history.sqlite").close()  # made if it is not there, refused if it is no history of ours
    query = """
        SELECT id, spec, pipeline, started, exit_code,
            EXISTS (SELECT 1 FROM step WHERE step.run = run.id AND step.id = 'register' AND step.state = 'done')
        FROM run
    """
    folder = state / "runs"
    known = {
        str(name): _Run(
            id=str(name),
            about=(str(spec), str(pipeline)),
            started=float(started),
            passed=code == 0,
            registered=bool(registered),
            at_work=_is_at_work(folder / str(name)),
        )
        for name, spec, pipeline, started, code, registered in _ask(state, query)
    }
    others = (entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else ()
    strange = [_strange(entry) for entry in others if entry.name not in known]
    return tuple(sorted((*known.values(), *strange), key=lambda run: (run.started, run.id), reverse=True))


def _strange(folder: Path) -> _Run:
    """A run that the history does not know, as far as its own record tells."""
    about, started = ("", ""), folder.stat().st_mtime
    with suppress(OSError, ValueError, LookupError, TypeError):
        told = json.loads((folder / FOLDER / RUN).read_bytes())
        about = (str(told["spec"]), str(told["pipeline"]))
        started = datetime.fromisoformat(told["began"]).timestamp()
    return _Run(
        id=folder.name,
        about=about,
        started=started,
        passed=False,
        registered=False,
        at_work=_is_at_work(folder),
        known=False,
    )


def _is_at_work(folder: Path) -> bool:
    """Whether a living process holds a run's folder."""
    if not (folder / "claim").exists():
        return False
    try:
        descriptor = claim(folder)
    except OSError:
        return True  # nobody can tell
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _ask(state: Path, query: str) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(state / "history.sqlite", timeout=30)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error as error:
        message = f"the run history {state / 'history.sqlite'} cannot be read: {error}"
        raise StateError(message) from error


# -- what goes -------------------------------------------------------------------------------------------------------


def _found(state: Path, runs: tuple[_Run, ...], wanted: Wanted, now: datetime, *, alone: bool) -> _Found:
    """The runs that go, and, where no run is at work, the results that none of the others used."""
    kept = _kept(runs, wanted, now)
    stay = kept | {run.id for run in runs if run.registered or run.at_work or not (alone or run.known)}
    gone = tuple(run.id for run in runs if run.id not in stay)
    folders = (state / "runs" / name for name in gone)
    found = [_waste(folder, "run") for folder in folders if folder.is_dir()]
    if not alone:
        return _Found(waste=tuple(found), runs=gone, keys=())
    used, needed = _used(state, kept, stay - kept)
    found += [_waste(place, "result") for place in _artifacts(state) if place.name not in used]
    notes = sorted((state / records.FOLDER).glob("*/*.json"))
    found += [_waste(place, "note") for place in notes if place.stem not in needed]
    recorded = {str(key) for (key,) in _ask(state, "SELECT key FROM result")}
    return _Found(waste=tuple(found), runs=gone, keys=tuple(sorted(recorded - needed)))


def _kept(runs: tuple[_Run, ...], wanted: Wanted, now: datetime) -> set[str]:
    """The runs that stay with all that they used."""
    found: set[str] = set()
    oldest = now.timestamp() - wanted.older_than.total_seconds() if wanted.older_than is not None else now.timestamp()
    for about in {run.about for run in runs}:
        of = [run for run in runs if run.about == about]
        found |= {run.id for run in of[: wanted.keep]}
        found |= {run.id for run in [run for run in of if run.passed][:1]}
    return found | {run.id for run in runs if run.at_work or (wanted.older_than is not None and run.started > oldest)}


def _used(state: Path, kept: set[str], evidence: set[str]) -> tuple[set[str], set[str]]:
    """The digests and the keys of the results that runs have used: all of those that stay, some of the others'."""
    digests: set[str] = set()
    keys: set[str] = set()
    for run, key, kind, outputs in _ask(state, "SELECT run, key, kind, outputs FROM step"):
        if run in kept or (run in evidence and kind in _EVIDENCE):
            digests |= {str(digest).removeprefix("sha256:") for digest in json.loads(outputs).values()}
            keys.add(str(key))
    return digests, keys


def _artifacts(state: Path) -> Iterator[Path]:
    """Everything that lies where a result does, under its digest."""
    for place in sorted((state / "artifacts").glob("??/*")):
        if _HEX.fullmatch(place.name):
            yield place


def _waste(place: Path, why: str) -> Waste:
    return Waste(path=str(place), size=_size(place), why=why)


def _size(place: Path) -> int:
    files = (place, *place.rglob("*")) if place.is_dir() else (place,)
    total = 0
    for found in files:
        with suppress(OSError):  # another collection was first
            total += found.lstat().st_size if found.is_file() or found.is_symlink() else 0
    return total


# -- making it go ----------------------------------------------------------------------------------------------------


def _forget(state: Path, found: _Found) -> None:
    """Take results and runs out of the history, all or none; from here on nobody finds them."""
    if not found.keys and not found.runs:
        return
    try:
        with closing(sqlite3.connect(state / "history.sqlite", timeout=30)) as connection, connection:
            connection.executemany("DELETE FROM result WHERE key = ?", [(key,) for key in found.keys])
            for table, column in (("step", "run"), ("run", "id")):
                statement = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608  # two fixed names
                connection.executemany(statement, [(run,) for run in found.runs])
            connection.execute(_NOT_ASKED)
    except sqlite3.Error as error:
        message = f"the run history {state / 'history.sqlite'} cannot be written: {error}"
        raise StateError(message) from error


def _moved_aside(state: Path, places: Iterable[Path]) -> tuple[Path, ...]:
    """Move all of this out of the way at once: what is slow comes after."""
    folder = state / f"{_TRASH}{os.getpid()}-{datetime.now(tz=UTC):%H%M%S%f}"
    moved = False
    for number, place in enumerate(places):
        folder.mkdir(exist_ok=True)
        moved = True
        with suppress(FileNotFoundError):
            place.rename(folder / str(number))
    return (folder,) if moved else ()
