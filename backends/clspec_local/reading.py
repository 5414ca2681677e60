"""SQLite files for whoever may only read: nothing is written beside them, and they may lie where nothing can be."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads; to an empty database where there is no such file.

    Raises:
        sqlite3.Error: the file cannot be read, or is no database.
    """
    if not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None)
    wanted = "mode=ro" if os.path.lexists(f"{path}-wal") else "immutable=1"  # SQLite would put a log there to read it
    try:
        return _opened(path, wanted)
    except sqlite3.OperationalError:
        with suppress(OSError):  # a log that nobody has finished, in a folder that cannot be written
            if os.path.getsize(f"{path}-wal") == 0:  # noqa: PTH202
                return _opened(path, "immutable=1")
        raise


def _opened(path: Path, wanted: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{wanted}", timeout=30, isolation_level=None, uri=True)
    try:
        connection.execute("PRAGMA user_version").fetchone()  # the file is opened by the first question
    except sqlite3.Error:
        connection.close()
        raise
    return connection
