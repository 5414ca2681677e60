"""The one place where DuckDB is opened to scan files: it reads these files and reaches nothing else.

Files come from elsewhere, and DuckDB promises nothing for files that somebody prepared: whoever scans them does so in a
process of its own (`clspec.data.apart`), which is also what a timeout can end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from clspec.data.table import DataError
from clspec.diagnostic import StepFailed
from clspec.predicate import ColumnType, to_sql, understand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MEMORY = (192, 768, 3_072)
"""Megabytes that DuckDB may use before it goes on in the scratch folder; the next, where so many do not suffice."""
OutOfMemory = duckdb.OutOfMemoryException
_THREADS = 4
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "preserve_insertion_order": False,
    "max_expression_depth": 500,
    "disabled_optimizers": "statistics_propagation",
}
"""The smallest and the largest value that a Parquet file states leave NaN out. DuckDB concludes from them that a column
has no NaN, and then `conf >= 0.97` would hold for a score that is not a number: it must conclude nothing from them.
"""


@contextmanager
def opened(paths: Sequence[str], scratch: Path, memory: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that can read these files, and write nowhere but below `scratch` what memory cannot hold."""
    threads = min(len(os.sched_getaffinity(0)), _THREADS)
    config = {**_LOCKED_DOWN, "threads": threads, "memory_limit": f"{memory}MB", "temp_directory": str(scratch)}
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, paths))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


@contextmanager
def told(origin: str) -> Iterator[None]:
    """Turn what DuckDB raises while it scans files into a failure of the step.

    Raises:
        DataError: a file holds what cannot be read.
        StepFailed: memory or disk ran out.
    """
    try:
        yield
    except (OutOfMemory, MemoryError) as error:
        message = f"{origin}: its rows need more memory, or more room in the scratch folder, than there is"
        raise StepFailed(message) from error
    except duckdb.Error as error:
        message = f"{origin} cannot be read: {str(error).splitlines()[0]}"
        raise DataError(message) from error


def scan(paths: Sequence[str]) -> str:
    """What stands after FROM to read Parquet files, in this order."""
    return f"read_parquet([{', '.join(map(literal, paths))}], hive_partitioning = false)"


def name(column: str) -> str:
    """A column or a table in double quotes."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def condition(text: str, columns: Mapping[str, str]) -> str:
    """A predicate as SQL, printed from our own tree of it.

    Raises:
        DataError: it is none, or makes no sense on these columns; a compile would have refused it.
    """
    kinds = {column: ColumnType(kind) for column, kind in columns.items()}
    expression, problems = understand(text, kinds)
    if expression is None or problems:
        message = f"the plan holds a predicate that cannot be read: {text}"
        raise DataError(message)
    return to_sql(expression, kinds)


def as_text(column: str, kind: str) -> str:
    """The value of a column as text, as Arrow writes it.

    Raises:
        DataError: values of this type have no text that everyone writes alike.
    """
    quoted = name(column)
    if kind in {"double", "binary"}:
        message = f"`{column}` is {kind}: as an id, a key or a stratum a column must be of another type"
        raise DataError(message)
    if kind == "timestamp":
        return f"strftime(make_timestamp(epoch_us({quoted})), '%Y-%m-%d %H:%M:%S.%fZ')"
    return f"CAST({quoted} AS VARCHAR)"
