"""A run history that is damaged: set aside, never deleted, and the results found again by the notes beside them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from clspec_local import account, records
from clspec_local.claim import RUNS
from clspec_local.history import NAME, History, HistoryDamaged, HistoryError

if TYPE_CHECKING:
    from pathlib import Path

_UNREADABLE = """
    SELECT 1 FROM result WHERE NOT (json_valid(digests) AND json_valid(parameters))
    UNION ALL SELECT 1 FROM step WHERE NOT (json_valid(outputs) AND json_valid(parameters) AND json_valid(reasons))
    LIMIT 1
"""
"""Asks for records that no run could read."""


def mend(state: Path) -> str:
    """Set a damaged history aside and begin a new one with the results that the notes tell of; in words, what was done.

    Of several runs that come upon the damage one mends it, and the others find it mended.

    Raises:
        OSError: the state folder cannot be written.
        HistoryError: the new history cannot be written.
    """
    lock = os.open(state / f"{NAME}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = state / NAME
        if _is_sound(path):
            return "the run history was damaged, and another run has mended it"
        aside = _set_aside(path)
        found = _found_again(state)
    finally:
        os.close(lock)
    return f"the run history was damaged: it is set aside as {aside.name}, {found} were found again without it"


def find_lost(state: Path) -> str:
    """Begin a new history where there is none and yet runs have been; in words what was done, nothing if nothing was.

    Raises:
        OSError: the state folder cannot be written.
        HistoryError: the new history cannot be written.
    """
    if (state / NAME).exists() or not (any((state / RUNS).glob("*/")) or (state / records.FOLDER).is_dir()):
        return ""
    lock = os.open(state / f"{NAME}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (state / NAME).exists():  # another run was first
            return ""
        return f"the run history was gone: {_found_again(state)} were found again without it"
    finally:
        os.close(lock)


def _is_sound(path: Path) -> bool:
    """Whether every page of a history can be read, and the tables are there."""
    try:
        with closing(History(path)), closing(sqlite3.connect(path, timeout=30)) as connection:
            pages = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            return pages and not connection.execute(_UNREADABLE).fetchone()
    except HistoryDamaged:
        return False
    except HistoryError:  # it is busy, or of a newer clspec: nothing that setting it aside would mend
        raise
    except sqlite3.DatabaseError:
        return False


def _set_aside(path: Path) -> Path:
    """Rename a history and what SQLite has put beside it."""
    stem = f"{NAME}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    number, aside = 1, path.with_name(stem)
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{stem}-{number}")
    for end in ("-wal", "-shm", ""):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + end))
    return aside


def _found_again(state: Path) -> str:
    """Record in a new history what the notes and the runs' own folders tell of; how many results and runs that is."""
    results = runs = 0
    with closing(History(state / NAME)) as history, history.together():
        for key, kind, digests, parameters, run in records.noted(state):
            history.keep(key, kind, digests, parameters, run)
            results += 1
        for kept in account.every(state / RUNS):
            history.put_back(asdict(kept.run), [asdict(step) for step in kept.steps])
            runs += 1
    return f"{results} results and {runs} runs"
