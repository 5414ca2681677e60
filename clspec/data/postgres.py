"""A PostgreSQL query's answer, streamed. It can only read, and no message ever shows how the database is reached."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import table
from clspec.data.table import DataError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SPOKEN = ("uuid", "json", "jsonb", "citext", "unnamed<")
"""Types that are a text for the language; the last is what the driver calls an enumeration."""
_CAUSES = {
    "password authentication failed": "it refuses the user or the password",
    "Connection refused": "nothing listens there",
    "timeout expired": "it does not answer in time",
    "could not translate host name": "its host has no address",
    "no pg_hba.conf entry": "it lets nobody in from here",
    "does not exist": "there is no such database or user",
}
_BOUNDS = tuple(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (1, 9999))


def batches(dsn_env: str, query: str, columns: Mapping[str, str], origin: str) -> Iterator[pa.RecordBatch]:
    """What a query answers, with just these columns in their types; more columns are left out.

    A `numeric` is taken as a double where one is declared; `uuid`, `json` and enumerations are texts.

    Raises:
        UsageError: the variable is not set, or the driver is not installed.
        DataError: the database cannot be reached, refuses the query, or answers other columns or types.
    """
    connection = _connected(dsn_env, origin)
    with _told(origin), contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        whole = query.strip().rstrip(";")
        sql = f"SELECT {_selected(cursor, whole, columns, origin)} FROM (\n{whole}\n) AS answer"  # noqa: S608  # the spec's own query
        cursor.execute(sql)
        before = 0
        for batch in cursor.fetch_record_batch():
            found = table.conform(pa.Table.from_batches([batch]), columns, origin, before)
            _refuse_infinite(found, columns, origin)
            yield from found.to_batches()
            before += len(batch)


def _connected(dsn_env: str, origin: str) -> Any:
    dsn = os.environ.get(dsn_env)
    if not dsn:
        message = f"{origin}: the variable {dsn_env}, which says where the database is, is not set"
        raise UsageError(message)
    try:
        driver = importlib.import_module("adbc_driver_postgresql.dbapi")
    except ImportError as error:
        message = f"{origin} is a PostgreSQL query; its driver is not installed: pip install 'clspec[postgres]'"
        raise UsageError(message) from error
    try:
        return driver.connect(dsn)
    except driver.Error as error:
        known = (cause for words, cause in _CAUSES.items() if words in str(error))
        reason = next(known, "is its value a connection string or URI?")
    # outside the handler: the driver's own text, which can show parts of the value, is no part of this error
    message = f"{origin}: no connection to the database that {dsn_env} names: {reason}"
    raise DataError(message)


@contextlib.contextmanager
def _told(origin: str) -> Iterator[None]:
    """Turn what the driver raises while a query runs into a failure of the data, in the database's own words."""
    driver = importlib.import_module("adbc_driver_postgresql.dbapi")
    try:
        yield
    except (driver.Error, OSError, pa.ArrowException) as error:
        words = str(error).partition("ERROR:")[2] or str(error)
        message = f"{origin}: the database refuses the query: {words.strip().splitlines()[0]}"
    else:
        return
    raise DataError(message)


def _selected(cursor: Any, query: str, columns: Mapping[str, str], origin: str) -> str:
    """The columns of the answer as they are asked for, once their types are known to fit."""
    fields = {field.name: field for field in cursor.adbc_execute_schema(query)}
    names = [field.name for field in cursor.adbc_execute_schema(query)]
    empty = [pa.array([], type=_meant(fields[name], columns.get(name))) for name in names]
    table.conform(pa.Table.from_arrays(empty, names=names), columns, origin)
    return ", ".join(_cast(fields[name], kind) for name, kind in sorted(columns.items()))


def _postgres(field: pa.Field) -> str:
    kind: bytes = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    return kind.decode()


def _meant(field: pa.Field, kind: str | None) -> pa.DataType:
    """The type that a column has once it is cast."""
    if kind == "string" and _postgres(field).startswith(_SPOKEN):
        return pa.string()
    return pa.float64() if kind == "double" and _postgres(field) == "numeric" else field.type


def _cast(field: pa.Field, kind: str) -> str:
    name = '"' + field.name.replace('"', '""') + '"'
    wanted = {"string": "text", "double": "double precision"}.get(kind)
    return name if _meant(field, kind) == field.type else f"CAST({name} AS {wanted}) AS {name}"


def _refuse_infinite(rows: pa.Table, columns: Mapping[str, str], origin: str) -> None:
    """Make sure that no moment is one that only PostgreSQL knows.

    Raises:
        DataError: one is.
    """
    for name, kind in columns.items():
        if kind in {"timestamp", "date"}:
            smallest, largest = (pa.scalar(bound, rows.column(name).type) for bound in _BOUNDS)
            outside = pc.or_(pc.less(rows.column(name), smallest), pc.greater_equal(rows.column(name), largest))
            if pc.any(outside).as_py():
                message = f"{origin}: `{name}` holds moments outside the years 1 to 9998, such as `infinity`"
                raise DataError(message)
