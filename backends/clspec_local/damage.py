"""A run history that is damaged: set aside, never deleted, and the results found again by the notes beside them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from clspec_local import records
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
        count = _found_again(state)
    finally:
        os.close(lock)
    return f"the run history was damaged: it is set aside as {aside.name}, {count} results were found again without it"


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


def _found_again(state: Path) -> int:
    """Record in a new history what the notes tell of; how many results that is."""
    count = 0
    with closing(History(state / NAME)) as history, history.together():
        for key, kind, digests, parameters, run in records.noted(state):
            history.keep(key, kind, digests, parameters, run)
            count += 1
    return count
