"""What a candidate row holds: a dataset's columns, and beside them why it was mined and what is known of it."""

# ruff: noqa: S608  # the SQL is printed by `clspec.data.query`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clspec.data import table
from clspec.data.mining_rules import AT, Source
from clspec.data.query import as_text, literal, name
from clspec.data.table import DataError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "binary": "BLOB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The candidates that one `mine` step writes."""

    source: Source
    columns: Mapping[str, str]
    """The dataset's."""
    label: str
    rules: Sequence[Mapping[str, Any]]
    strata: tuple[str, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Candidates:
        """Those that a step's configuration asks for.

        Raises:
            DataError: a column is of another type in the dataset, or DuckDB cannot tell two columns apart.
            UsageError: a column that there must be is not in the source.
        """
        told, dataset = config["source"], config["dataset"]
        source = Source(name=told["name"], columns=told["columns"], roles=told["roles"], key=dataset["key"])
        strata = tuple(column for column in config["stratify_by"] if column != "rule")
        _refuse_twins(source)
        for column in (source.key, *strata):
            if column not in source.columns:
                message = f"source `{source.name}` has no column `{column}`, so that no candidate could be told by it"
                raise UsageError(message)
        for column, kind in dataset["columns"].items():
            if column != config["label"] and source.columns.get(column, kind) != kind:
                message = f"`{column}` of source `{source.name}` is not {kind}, as dataset `{dataset['name']}` has it"
                raise DataError(message)
        return cls(
            source=source, columns=dataset["columns"], label=config["label"], rules=config["rules"], strata=strata
        )

    @property
    def schema(self) -> pa.Schema:
        """Their Arrow schema."""
        return pa.schema(
            [
                *table.schema(self.columns),
                *(
                    table.schema({f"clspec.{what}": kind}).field(0)
                    for what, kind in (
                        ("id", "string"),
                        ("time", "timestamp"),
                        ("rule", "string"),
                        ("rules", "string"),
                        ("audit", "boolean"),
                        ("prediction", "string"),
                        ("confidence", "double"),
                        ("label", "string"),
                        ("origin", "string"),
                        *((f"by.{column}", "string") for column in self.strata),
                    )
                ),
            ]
        )

    def found(self) -> str:
        """What is fetched at once of a row with a hit id: all but images and the like, which only candidates need."""
        source = self.source
        parts = [
            f"{name(source.id)} AS id",
            f"{AT} AS place",
            f"{source.time} AS time",
            f"{as_text(source.id, source.columns[source.id])} AS text",
            f"{as_text(source.key, source.columns[source.key])} AS key",
            f"{self._role('prediction', 'VARCHAR')} AS prediction",
            f"{self._role('confidence', 'DOUBLE')} AS confidence",
            *(f"{name(column)} AS {name(f'column {column}')}" for column in self._fetched(binary=False)),
            *(
                f"{as_text(column, source.columns[column])} AS {name(f'stratum {number}')}"
                for number, column in enumerate(self.strata)
            ),
        ]
        return ", ".join(parts)

    def _role(self, role: str, kind: str) -> str:
        column = self.source.roles.get(role)
        return f"CAST({name(column) if column else 'NULL'} AS {kind})"

    def _fetched(self, *, binary: bool) -> list[str]:
        """The dataset's columns that the source has; the label is not taken from it."""
        return [
            column
            for column, kind in sorted(self.columns.items())
            if column in self.source.columns and column != self.label and (kind == "binary") == binary
        ]

    def joined(self, hits: str, found: str, later: str) -> str:
        """The hits that stand for their id, one row for each place: all rules that hit it, and the label it has.

        A label that people gave goes before one that their silence gives. Two that differ are none.
        """
        both = ", ".join(
            f"{bound}(label) FILTER ({condition}) AS {bound}_{what}, "
            f"min(bits) FILTER (label IS NOT NULL AND {condition}) AS by_{what}"
            for what, condition in (("given", "NOT assumed"), ("assumed", "assumed"))
            for bound in ("min", "max")
        )
        one = f"SELECT place, bit_or(bits) AS bits, {both} FROM {hits} GROUP BY place"
        which = "CASE WHEN min_given IS NULL THEN {assumed} ELSE {given} END"
        alike = which.format(assumed="min_assumed = max_assumed", given="min_given = max_given")
        label = which.format(assumed="min_assumed", given="min_given")
        by = which.format(assumed="by_assumed", given="by_given")
        return (
            f"SELECT f.place, f.key, f.time, h.bits, coalesce(NOT ({alike}), FALSE) AS conflicting, "
            f"CASE WHEN {alike} THEN {label} END AS label, CASE WHEN {alike} THEN {by} END AS by "
            f"FROM {found} AS f JOIN ({one}) AS h ON f.place = h.place ANTI JOIN {later} AS l ON f.place = l.place"
        )

    def whole(self, mined: str, found: str, rows: str) -> str:
        """All columns of all candidates, in the order of their keys."""
        images = self._fetched(binary=True)
        joined = f"FROM {mined} AS m JOIN {found} AS f ON m.place = f.place"
        if images:
            joined += f" JOIN {rows} AS r ON m.place = r.{AT}"
        own = [f"{self._own(column, kind)} AS {name(column)}" for column, kind in sorted(self.columns.items())]
        bits = {rule["id"]: 1 << number for number, rule in enumerate(self.rules)}
        hit = [f"CASE WHEN m.bits & {bit} <> 0 THEN {literal(rule)} END" for rule, bit in bits.items()]
        audit = sum(bits[rule["id"]] for rule in self.rules if rule["type"] == "random")
        origins = " ".join(f"WHEN {bit} THEN {literal(f'feedback:{rule}')}" for rule, bit in bits.items())
        told = {
            "id": "f.text",
            "time": "make_timestamp(f.time)",
            "rule": f"coalesce({', '.join(hit)})",
            "rules": f"concat_ws(',', {', '.join(hit)})",
            "audit": f"m.bits & {audit} <> 0",
            "prediction": "f.prediction",
            "confidence": "f.confidence",
            "label": "m.label",
            "origin": f"CASE m.by {origins} END",
            **{f"by.{column}": f"f.{name(f'stratum {number}')}" for number, column in enumerate(self.strata)},
        }
        reserved = [f"{sql} AS {name(f'clspec.{what}')}" for what, sql in told.items()]
        return f"SELECT {', '.join([*own, *reserved])} {joined} ORDER BY m.key, f.text"

    def _own(self, column: str, kind: str) -> str:
        """A column of the dataset: the label as far as it is known, NULL where the source has none."""
        if column == self.label:
            return f"CAST(m.label AS {_SQL_TYPES[kind]})"
        if column not in self.source.columns:
            return f"CAST(NULL AS {_SQL_TYPES[kind]})"
        return f"r.{name(column)}" if kind == "binary" else f"f.{name(f'column {column}')}"


def _refuse_twins(source: Source) -> None:
    folded: dict[str, str] = {}
    for column in source.columns:
        twin = folded.setdefault(column.lower(), column)
        if twin != column:
            message = f"`{column}` and `{twin}` of source `{source.name}` differ in case alone: rename one of them"
            raise DataError(message)
