"""Mining: the rows of production that the rules ask for and that nobody has seen yet, each once, on disk and in order.

It runs in a process of its own. First come the hits of all rules, as places in the source; then of each hit id the rows
that have it, of which the first by time counts; then what is known is left out; and only then are whole rows fetched.
"""

# ruff: noqa: S608  # the SQL is printed by `clspec.data.query` and `clspec.data.mining_rules`

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data import query, stream
from clspec.data.candidates import Candidates
from clspec.data.footers import Footers
from clspec.data.mining_rules import (
    AT,
    HITS,
    MOST_RULES,
    ROWS,
    Feedback,
    event_after,
    human_feedback,
    of_one_row,
    prediction_flip,
    said,
    told,
    unjudged,
)
from clspec.data.query import name
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

_ROWS_AT_ONCE = 2_000_000
"""So many rows are sorted in memory; their groups, predictions and times take it all."""
_MOST_PASSES = 8
_FOUND, _LATER, _MINED = '"clspec found"', '"clspec later"', '"clspec mined"'


def mine(  # noqa: PLR0913  # what another process is told
    *,
    config: Mapping[str, Any],
    files: Sequence[str],
    feedback: Mapping[str, Sequence[str]],
    known: Mapping[str, str],
    as_of: int,
    out: str,
    scratch: str,
) -> dict[str, Any]:
    """Write the candidates that a `mine` step's configuration asks for, and say how many there are and why.

    `files` are the source's, `feedback` those of each rule with such; `known` has the files of known keys and of the
    digests of erased ones; `as_of` is in microseconds since 1970.

    Raises:
        DataError: a file cannot be read, or holds values that cannot be.
        StepFailed: memory or disk ran out.
        UsageError: a rule asks for what the source does not have.
    """
    paths = [*files, *(path for several in feedback.values() for path in several), *known.values()]
    with query.told(f"source `{config['source']['name']}`"):
        footers = Footers.of(files)
        for memory in query.MEMORY:
            with (
                suppress(query.OutOfMemory),
                query.opened(paths, Path(scratch), memory) as database,
            ):
                work = _Mining(config, database, footers)
                work.scan(files)
                work.hit(feedback, as_of)
                work.choose(known)
                return work.write(Path(out))
        raise query.OutOfMemory


class _Mining:
    def __init__(self, config: Mapping[str, Any], database: duckdb.DuckDBPyConnection, footers: Footers) -> None:
        self._database = database
        self._footers = footers
        self._rules: list[Mapping[str, Any]] = config["rules"]
        if len(self._rules) > MOST_RULES:
            message = f"a spec can have at most {MOST_RULES} rules, not {len(self._rules)}"
            raise UsageError(message)
        self._bits = {rule["id"]: 1 << number for number, rule in enumerate(self._rules)}
        self._classes = tuple(config["task"]["classes"] or ())
        self._candidates = Candidates.of(config)
        self._source = replace(self._candidates.source, complete=self._complete())
        self._counts: dict[str, int] = {}

    def _complete(self) -> frozenset[str]:
        """The columns of the source without NULL, as far as the files' footers say so; moments are finite besides."""
        source = self._candidates.source
        full = {column for column in source.columns if self._footers.is_complete(column)}
        time = source.roles.get("time")
        return frozenset(full if time is None or self._footers.moments(time) else full - {time})

    def _run(self, sql: str) -> None:
        self._database.execute(sql)

    def _row(self, sql: str) -> tuple[Any, ...]:
        found = self._database.execute(sql).fetchone()
        assert found is not None
        return found

    def _number(self, sql: str) -> int:
        return int(self._row(sql)[0] or 0)

    # -- hits ----------------------------------------------------------------------------------------------------------

    def scan(self, files: Sequence[str]) -> None:
        """Have the rows of the source under one name, each with its place."""
        columns = ", ".join(map(name, sorted(self._source.columns)))
        place = f"(CAST(file_index AS BIGINT) << 40) + file_row_number AS {AT}"
        self._run(f"CREATE TEMP VIEW {ROWS} AS SELECT {columns}, {place} FROM {query.scan(files)}")

    def hit(self, feedback: Mapping[str, Sequence[str]], as_of: int) -> None:
        """Find the hits of every rule."""
        identity = name(self._source.id)
        empty = f"SELECT {identity} AS id, {AT} AS place, 0::BIGINT AS bits, ''::VARCHAR AS label, FALSE AS assumed"
        self._run(f"CREATE TEMP TABLE {HITS} AS {empty} FROM {ROWS} LIMIT 0")
        self._hit_alone()
        for rule in self._rules:
            bit = self._bits[rule["id"]]
            if rule["type"] == "event_after":
                statements = event_after(rule, bit, self._source)
            elif rule["type"] == "prediction_flip":
                statements = prediction_flip(rule, bit, self._source, self._passes)
            elif rule["type"] == "human_feedback":
                people = self._people(rule, feedback[rule["id"]])
                table = f"CREATE TEMP TABLE {told(rule)} AS {said(rule, people, as_of)}"
                statements = [table, *human_feedback(rule, bit, self._source, people, as_of)]
            else:
                continue
            for statement in statements:
                self._run(statement)

    @property
    def _passes(self) -> int:
        return max(1, min(_MOST_PASSES, -(-self._footers.rows // _ROWS_AT_ONCE)))

    def _hit_alone(self) -> None:
        """The hits of all rules that look at one row, in one pass."""
        asked = [(of_one_row(rule, self._source), self._bits[rule["id"]]) for rule in self._rules]
        alone = [f"CASE WHEN {holds} THEN {bit}::BIGINT ELSE 0 END" for holds, bit in asked if holds is not None]
        if alone:
            identity = name(self._source.id)
            rows = f"SELECT {identity} AS id, {AT} AS place, {' | '.join(alone)} AS bits FROM {ROWS}"
            self._run(
                f"INSERT INTO {HITS} SELECT r.*, NULL, NULL FROM ({rows}) AS r WHERE r.bits <> 0 AND r.id IS NOT NULL"
            )

    def _people(self, rule: Mapping[str, Any], files: Sequence[str]) -> Feedback:
        source = rule["feedback"]
        return Feedback(
            name=source["name"],
            columns=source["columns"],
            time=source["roles"].get("time"),
            files=query.scan(files),
            classes=self._classes,
        )

    # -- which of them are candidates ----------------------------------------------------------------------------------

    def choose(self, known: Mapping[str, str]) -> None:
        """Of rows with one id, and then with one key, keep the first by time; leave out what is known."""
        hit = f"{name(self._source.id)} IN (SELECT h.id FROM {HITS} AS h)"
        self._run(f"CREATE TEMP TABLE {_FOUND} AS SELECT {self._candidates.found()} FROM {ROWS} WHERE {hit}")
        self._counts["repeated"] = self._later("id")
        self._run(f"CREATE TEMP TABLE {_MINED} AS {self._candidates.joined(HITS, _FOUND, _LATER)}")
        self._counts["without_key"] = self._without("key IS NULL")
        self._run(f"DROP TABLE {_LATER}")
        self._counts["same_key"] = 0 if self._source.id == self._source.key else self._later("key", _MINED)
        if self._counts["same_key"]:
            self._without(f"place IN (SELECT place FROM {_LATER})")
        keys, digests = (query.scan([known[what]]) for what in ("keys", "erased"))
        seen = f"(key IN (SELECT key FROM {keys}) OR sha256(key) IN (SELECT digest FROM {digests}))"
        self._counts["known"] = self._without(seen)

    def _later(self, column: str, rows: str = _FOUND) -> int:
        """Find the rows that an earlier one with the same value of a column stands for; how many there are."""
        doubles = f"SELECT {column} FROM {rows} GROUP BY {column} HAVING count(*) > 1"
        order = f"row_number() OVER (PARTITION BY {column} ORDER BY time NULLS LAST, place)"
        several = f"SELECT place FROM {rows} WHERE {column} IN ({doubles}) QUALIFY {order} > 1"
        self._run(f"CREATE TEMP TABLE {_LATER} AS {several}")
        return self._number(f"SELECT count(*) FROM {_LATER}")

    def _without(self, condition: str) -> int:
        """Drop the rows of which this holds; how many there were."""
        return self._number(f"DELETE FROM {_MINED} WHERE {condition}")

    # -- what came of it -----------------------------------------------------------------------------------------------

    def write(self, out: Path) -> dict[str, Any]:
        """Write the candidates in the order of their keys, and say what came of every rule."""
        schema = self._candidates.schema
        relation = self._database.sql(self._candidates.whole(_MINED, _FOUND, ROWS))
        written = stream.write(out, schema, stream.typed(relation.to_arrow_reader(stream.rows_at_once(schema)), schema))
        return {
            "source": self._source.name,
            "rows": self._footers.rows,
            **self._seen(),
            **self._counts,
            "conflicting": self._number(f"SELECT count(*) FROM {_MINED} WHERE conflicting"),
            "candidates": written,
        }

    def _seen(self) -> dict[str, Any]:
        """What the source holds, and what every rule made of it; what the files' footers say is not counted again."""
        first, last = self._between()
        counted = [self._source.lacks(self._source.id), *(unjudged(rule, self._source) for rule in self._rules)]
        wanted = ", ".join(f"coalesce(count_if({each}), 0)" for each in counted)
        nameless, *unknown = self._row(f"SELECT {wanted} FROM {ROWS}")
        of_rules = zip(self._rules, unknown, strict=True)
        return {
            "time": {"min": first, "max": last},
            "without_id": nameless,
            "rules": {rule["id"]: {**self._of_rule(rule), "unjudged": count} for rule, count in of_rules},
        }

    def _between(self) -> tuple[str | None, str | None]:
        """The first and the last moment of the source."""
        column = self._source.roles.get("time")
        if column is None:
            return None, None
        time = self._source.time
        moments = (f"CAST(make_timestamp({bound}({time})) AS VARCHAR)" for bound in ("min", "max"))
        return self._footers.moments(column) or self._row(f"SELECT {', '.join(moments)} FROM {ROWS}")

    def _of_rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        bit = self._bits[rule["id"]]
        counts = {
            "type": rule["type"],
            "matched": self._number(f"SELECT count(*) FROM {HITS} WHERE bits & {bit} <> 0"),
            "new": self._number(f"SELECT count(*) FROM {_MINED} WHERE bits & {bit} <> 0"),
        }
        if rule["type"] == "human_feedback":
            states = self._database.execute(f"SELECT state, count(*) FROM {told(rule)} GROUP BY state").fetchall()
            counts |= {"labelled": 0, "contradictory": 0, "unknown": 0} | {
                "labelled" if state == "label" else state: count for state, count in states
            }
            counts["assumed"] = self._number(f"SELECT count(*) FROM {HITS} WHERE bits & {bit} <> 0 AND assumed")
        return counts
