"""The tables of the run history, and how those of an older clspec become these."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_FIRST = (
    """CREATE TABLE run (
        id TEXT PRIMARY KEY, spec TEXT NOT NULL, pipeline TEXT NOT NULL,
        started REAL NOT NULL, ended REAL, exit_code INTEGER
    ) STRICT""",
    """CREATE TABLE step (
        run TEXT NOT NULL REFERENCES run (id), id TEXT NOT NULL, state TEXT NOT NULL,
        key TEXT, seconds REAL NOT NULL, note TEXT NOT NULL, PRIMARY KEY (run, id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE result (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, digests TEXT NOT NULL, parameters TEXT NOT NULL, run TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)
"""Runs, what became of their steps, and what can be used again."""

_TOLD = (
    "ALTER TABLE run ADD COLUMN file TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE run ADD COLUMN environment TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE run ADD COLUMN selection TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE run ADD COLUMN whole INTEGER NOT NULL DEFAULT 1",  # before, there were no partial runs
    "ALTER TABLE run ADD COLUMN verdict TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE run ADD COLUMN tree TEXT",
    "ALTER TABLE run ADD COLUMN tree_at_end TEXT",
    "ALTER TABLE step ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE step ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE step ADD COLUMN reasons TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE step ADD COLUMN compared TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE step ADD COLUMN outputs TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE step ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE step ADD COLUMN made_in TEXT NOT NULL DEFAULT ''",
    """UPDATE step SET
            kind = result.kind, outputs = result.digests, parameters = result.parameters, made_in = result.run
        FROM result WHERE result.key = step.key AND step.state IN ('done', 'up to date')""",
    "CREATE TABLE parts (key TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX run_by_time ON run (spec, pipeline, started)",
)
"""What a run was a run of, and why its steps ran."""

STEPS = (_FIRST, _TOLD)
"""What turns each form into the next one; nothing is form 0."""
SCHEMA = len(STEPS)


def bring_up_to_date(connection: sqlite3.Connection) -> int:
    """Make the tables those of this clspec, and return the number of the form that was found.

    A number above `SCHEMA` is of a newer clspec; its tables stay as they are.
    """
    found = form(connection)
    if found >= SCHEMA:
        return found
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = form(connection)  # another run may have been first
        for statements in STEPS[found:]:
            for statement in statements:
                connection.execute(statement)
        if found < SCHEMA:
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise
    return found


def form(connection: sqlite3.Connection) -> int:
    """The number of the form that the tables have."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
