"""The history of runs on this machine: which ran, what became of each step, and which results can be used again."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from clspec.diagnostic import ClspecError
from clspec_local import keys, schema
from clspec_local.reading import read_only

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clspec.runs import Tree
    from clspec.selection import Selection

NAME = "history.sqlite"
"""The history's file, in the state folder."""
Sync = Literal["FULL", "NORMAL"]
"""Whether a commit waits for the disk."""
_CORRUPT, _NO_DATABASE = 11, 26
_RAN = "('done', 'up to date', 'said no', 'failed')"
"""The states of a step whose turn had come, and of which it is known what it was made from."""


class HistoryError(ClspecError):
    """The history cannot be read or written."""


class HistoryDamaged(HistoryError):
    """The file is no history any more: something else has written to it, or the disk has lost a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is recorded of a run when it begins."""

    run: str
    spec: str
    file: str
    pipeline: str
    environment: str
    selection: Selection
    is_whole: bool
    tree: Tree | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """What is recorded of a step that is over."""

    step: str
    place: int
    """Its number in the order of the pipeline."""
    kind: str
    state: str
    key: str | None
    seconds: float = 0.0
    note: str = ""
    reasons: tuple[str, ...] = ()
    compared: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    made_in: str = ""


class Recorded(NamedTuple):
    """What is recorded under a key: the digests of the outputs, the parameters, and the run that made them."""

    digests: dict[str, str]
    parameters: dict[str, str]
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a step was in an earlier run: how it ended, what it was made from, and what it made."""

    run: str
    state: str
    key: str
    parts: keys.Parts | None
    """None where they were not recorded, or were by another clspec in another form."""
    digests: dict[str, str]
    parameters: dict[str, str]


class History:
    """Runs, their steps and their results, in one SQLite file.

    Raises:
        HistoryDamaged: the file is no history.
        HistoryError: it is of a newer clspec, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._sync: Sync = "FULL"
            found = schema.bring_up_to_date(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise failed(path, error) from error
        refuse_newer(path, found)

    @contextmanager
    def together(self, sync: Sync = "FULL") -> Iterator[None]:
        """Record all that is recorded inside, or nothing of it; one inside another is part of that one.

        A loss of power may take what was recorded with NORMAL, and all that came after it, as if it had never been.
        """
        if self._connection.in_transaction:
            yield
            return
        if sync != self._sync:
            self._write(f"PRAGMA synchronous = {sync}", ())
            self._sync = sync
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

    def begin(self, beginning: Beginning) -> None:
        """Record that a run has begun."""
        self._write(
            "INSERT INTO run (id, spec, pipeline, started, file, environment, selection, whole, tree) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                beginning.run,
                beginning.spec,
                beginning.pipeline,
                time.time(),
                beginning.file,
                beginning.environment,
                json.dumps(asdict(beginning.selection)),
                int(beginning.is_whole),
                _tree(beginning.tree),
            ),
        )

    def end(self, run: str, exit_code: int, verdict: str = "", tree: Tree | None = None) -> None:
        """Record how a run ended, the gate's word if there was one, and what its files were then."""
        with self.together():
            self._write(
                "UPDATE run SET ended = ?, exit_code = ?, verdict = ?, tree_at_end = ? WHERE id = ?",
                (time.time(), exit_code, verdict, _tree(tree), run),
            )

    def over(self, run: str, overs: Sequence[Over]) -> None:
        """Record what became of steps."""
        rows = [
            (
                run,
                over.step,
                over.state,
                over.key,
                over.seconds,
                over.note,
                over.place,
                over.kind,
                json.dumps(over.reasons),
                over.compared,
                json.dumps(dict(over.digests)),
                json.dumps(dict(over.parameters)),
                over.made_in,
            )
            for over in overs
        ]
        statement = (
            "INSERT OR REPLACE INTO step (run, id, state, key, seconds, note, place, kind, reasons, compared, outputs, "
            "parameters, made_in) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        try:
            self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise failed(self._path, error) from error

    def recalled(self, spec: str, pipeline: str) -> dict[str, Recorded]:
        """What the newest run of a pipeline has made or used, by key, where it is recorded what the key is made of.

        It is asked for at once what would else be asked for step by step.
        """
        query = """
            SELECT result.key, result.digests, result.parameters, result.run
            FROM step JOIN result ON result.key = step.key JOIN parts ON parts.key = step.key
            WHERE step.run = (SELECT id FROM run WHERE spec = ? AND pipeline = ? ORDER BY started DESC LIMIT 1)
        """
        rows = self._ask(query, (spec, pipeline))
        return {str(key): self._recorded(*more) for key, *more in rows}

    def result(self, key: str) -> Recorded | None:
        """What is recorded under a key, if anything."""
        for digests, parameters, run in self._ask("SELECT digests, parameters, run FROM result WHERE key = ?", (key,)):
            return self._recorded(digests, parameters, run)
        return None

    def _recorded(self, digests: str, parameters: str, run: str) -> Recorded:
        return Recorded(self._mapping(digests), self._mapping(parameters), run)

    def unended(self) -> list[str]:
        """The runs that have no end yet: at work, or killed."""
        return [str(run) for (run,) in self._ask("SELECT id FROM run WHERE ended IS NULL", ())]

    def keep(self, key: str, kind: str, digests: Mapping[str, str], parameters: Mapping[str, str], run: str) -> None:
        """Record a result whose outputs lie in their place."""
        values = (key, kind, json.dumps(dict(digests)), json.dumps(dict(parameters)), run)
        self._write("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)", values)

    def made_from(self, key: str, parts: str) -> None:
        """Record what a key is the digest of."""
        self._write("INSERT OR IGNORE INTO parts VALUES (?, ?)", (key, parts))

    def knows_parts(self, key: str) -> bool:
        """Whether it is recorded what a key is the digest of."""
        return bool(self._ask("SELECT 1 FROM parts WHERE key = ?", (key,)))

    def parts(self, key: str) -> keys.Parts | None:
        """What a key is the digest of, if that is recorded in the present form."""
        for (text,) in self._ask("SELECT text FROM parts WHERE key = ?", (key,)):
            with suppress(ValueError, TypeError):
                return keys.from_json(text)
        return None

    def earlier(self, spec: str, pipeline: str, environment: str, step: str, *, made: bool = False) -> Earlier | None:
        """The step in the newest run in which its turn had come, or, if that is meant, that has what it makes."""
        states = "('done', 'up to date') AND step.key IS NOT NULL" if made else _RAN
        query = f"""
            SELECT run.id, step.state, COALESCE(step.key, ''), step.outputs, step.parameters
            FROM run JOIN step ON step.run = run.id
            WHERE run.spec = ? AND run.pipeline = ? AND run.environment = ? AND step.id = ?
                AND step.state IN {states}
            ORDER BY run.started DESC LIMIT 1
        """  # noqa: S608  # constants
        for run, state, key, digests, parameters in self._ask(query, (spec, pipeline, environment, step)):
            return Earlier(
                run=run,
                state=state,
                key=key,
                parts=self.parts(key),
                digests=self._mapping(digests),
                parameters=self._mapping(parameters),
            )
        return None

    def run(self, run: str) -> dict[str, Any]:
        """One run, column by column."""
        (found,) = self._rows("SELECT * FROM run WHERE id = ?", (run,))
        return found

    def put_back(self, run: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
        """Record a run as it was recorded before, with its steps, if it is not known."""
        with self.together():
            for table, rows in (("run", [run]), ("step", steps)):
                for row in rows:
                    columns, holes = ", ".join(row), ", ".join("?" * len(row))
                    statement = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({holes})"  # noqa: S608  # fixed names
                    self._write(statement, tuple(row.values()))

    def runs(self) -> list[dict[str, Any]]:
        """Every run, the newest first, column by column."""
        return self._rows("SELECT * FROM run ORDER BY started DESC, id DESC", ())

    def steps(self, run: str) -> list[dict[str, Any]]:
        """What became of each step of a run, in the order of the pipeline, column by column."""
        return self._rows("SELECT * FROM step WHERE run = ? ORDER BY place, id", (run,))

    def _rows(self, query: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
        try:
            found = self._connection.execute(query, values)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]
        except sqlite3.Error as error:
            raise failed(self._path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _mapping(self, text: str) -> dict[str, str]:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise HistoryDamaged(_damaged(self._path, error)) from error
        if not isinstance(found, dict):
            raise HistoryDamaged(_damaged(self._path, ValueError("a record is no object")))
        return found

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise failed(self._path, error) from error

    def _ask(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise failed(self._path, error) from error


class Reading(History):
    """The same for whoever may write nothing; what an older clspec has written is brought up to date in memory.

    Raises:
        HistoryError: see above.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = read_only(path)
            found = schema.form(self._connection)
            if found < schema.SCHEMA:
                with closing(self._connection) as old:
                    self._connection = sqlite3.connect(":memory:", isolation_level=None)
                    old.backup(self._connection)
                schema.bring_up_to_date(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise failed(path, error) from error
        refuse_newer(path, found)


def _tree(tree: Tree | None) -> str | None:
    return None if tree is None else json.dumps(asdict(tree))


def failed(path: Path, error: Exception) -> HistoryError:
    """What an error of SQLite or of the system says of the history."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    strange = isinstance(error, sqlite3.OperationalError) and str(error).startswith(
        ("no such ", "table ", "duplicate ")
    )
    if code in {_CORRUPT, _NO_DATABASE} or strange:
        return HistoryDamaged(_damaged(path, error))
    return HistoryError(f"the run history {path} cannot be used: {error}")


def _damaged(path: Path, error: Exception) -> str:
    return f"the run history {path} is damaged ({error}): the next run sets it aside and finds the results again"


def refuse_newer(path: Path, form: int) -> None:
    """Make sure that the tables are of this clspec.

    Raises:
        HistoryError: they are of a newer one.
    """
    if form > schema.SCHEMA:
        message = (
            f"the run history {path} was written by a newer clspec: install that one, or\n"
            f"move it away (and {path.name}-wal, {path.name}-shm): the next run starts a new one"
        )
        raise HistoryError(message)


_LAST = 9
"""So many of the last runs of a step say how long it takes."""
_TIMES = """
SELECT run.pipeline, step.id, step.seconds FROM step JOIN run ON run.id = step.run
WHERE run.spec = ? AND step.state = 'done' ORDER BY run.started DESC
"""


def seconds(path: Path, spec: str) -> dict[tuple[str, str], float]:
    """How long each step of a spec took that ran to its end, by pipeline and step; nothing where there is no history.

    Raises:
        HistoryError: there is one, and it cannot be read.
    """
    import statistics  # noqa: PLC0415  # 5 ms that no run needs

    if not path.is_file():
        return {}
    times: dict[tuple[str, str], list[float]] = {}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            for pipeline, step, took in connection.execute(_TIMES, (spec,)):
                times.setdefault((pipeline, step), []).append(took)
    except sqlite3.Error as error:
        raise failed(path, error) from error
    return {step: statistics.median(found[:_LAST]) for step, found in times.items()}
