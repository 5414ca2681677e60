"""The history of runs on this machine: which ran, what became of each step, and which results can be used again."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = 1
_TABLES = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, spec TEXT NOT NULL, pipeline TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, exit_code INTEGER
) STRICT;
CREATE TABLE step (
    run TEXT NOT NULL REFERENCES run (id), id TEXT NOT NULL, state TEXT NOT NULL,
    key TEXT, seconds REAL NOT NULL, note TEXT NOT NULL, PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE result (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, digests TEXT NOT NULL, parameters TEXT NOT NULL, run TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


class HistoryError(ClspecError):
    """The history cannot be read or written."""


class History:
    """Runs, their steps and their results, in one SQLite file.

    Raises:
        HistoryError: the file is no history, is of a newer clspec, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # steps take seconds, a commit takes 0.4 ms
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _prepare(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            for statement in _TABLES.strip().split(";\n"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA}")
        self._connection.execute("COMMIT")
        if found > SCHEMA:
            message = f"{self._path} was written by a newer clspec: install that one, or\n{self._way_out()}"
            raise HistoryError(message)

    def _failed(self, error: Exception) -> HistoryError:
        message = f"the run history {self._path} cannot be used: {error}"
        surroundings = isinstance(error, sqlite3.OperationalError | OSError)
        # What the disk or another process does is mended there; a file that is no history has to go.
        return HistoryError(message if surroundings else f"{message}\n{self._way_out()}")

    def _way_out(self) -> str:
        name = self._path.name
        return f"move it away (and {name}-wal, {name}-shm): the next run starts a new one, and makes everything anew"

    @contextmanager
    def together(self) -> Iterator[None]:
        """Record all that is recorded inside, or nothing of it; one inside another is part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self._write("BEGIN IMMEDIATE", ())
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._write("COMMIT", ())

    def seconds(self, spec: str, pipeline: str) -> dict[str, float]:
        """How long each step of a pipeline took when it last ran, as far as its latest runs say."""
        query = """
            SELECT step.id, step.seconds FROM step JOIN run ON run.id = step.run
            WHERE step.state = 'done' AND run.id IN (
                SELECT id FROM run WHERE spec = ? AND pipeline = ? ORDER BY started DESC LIMIT 10
            ) ORDER BY run.started
        """
        return {str(name): float(seconds) for name, seconds in self._ask(query, (spec, pipeline))}

    def begin(self, run: str, spec: str, pipeline: str) -> None:
        """Record that a run has begun."""
        self._write(
            "INSERT INTO run (id, spec, pipeline, started) VALUES (?, ?, ?, ?)", (run, spec, pipeline, time.time())
        )

    def end(self, run: str, exit_code: int) -> None:
        """Record how a run ended."""
        self._write("UPDATE run SET ended = ?, exit_code = ? WHERE id = ?", (time.time(), exit_code, run))

    def step(  # noqa: PLR0913  # the columns of a row
        self, run: str, name: str, state: str, *, key: str | None, seconds: float, note: str
    ) -> None:
        """Record what became of a step."""
        self._write("INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?)", (run, name, state, key, seconds, note))

    def result(self, key: str) -> tuple[dict[str, str], dict[str, str]] | None:
        """The digests and the parameters recorded under a key, if any."""
        for digests, parameters in self._ask("SELECT digests, parameters FROM result WHERE key = ?", (key,)):
            return json.loads(digests), json.loads(parameters)
        return None

    def unended(self) -> list[str]:
        """The runs that have no end yet: at work, or killed."""
        return [str(run) for (run,) in self._ask("SELECT id FROM run WHERE ended IS NULL", ())]

    def keep(self, key: str, kind: str, digests: Mapping[str, str], parameters: Mapping[str, str], run: str) -> None:
        """Record a result whose outputs lie in their place."""
        values = (key, kind, json.dumps(dict(digests)), json.dumps(dict(parameters)), run)
        self._write("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)", values)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _ask(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
