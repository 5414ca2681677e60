"""Where data comes from, and the datasets that it becomes."""

from __future__ import annotations

from msgspec import field

from clspec.spec.record import Columns, Command, Record


class Bounds(Record, frozen=True, kw_only=True):
    """A smallest and a largest value."""

    min: float | None = None
    max: float | None = None


class Drift(Record, frozen=True, kw_only=True):
    """How far columns may move from a dataset's, as population stability index."""

    columns: tuple[str, ...]
    against: str
    max_psi: float


class Expect(Record, frozen=True, kw_only=True):
    """Data gates."""

    rows: Bounds | None = None
    nulls: dict[str, float] = {}
    ranges: dict[str, Bounds] = {}
    drift: Drift | None = None


class Roles(Record, frozen=True, kw_only=True):
    """What the columns of a source mean."""

    id: str | None = None
    time: str | None = None
    group: str | None = None
    prediction: str | None = None
    confidence: str | None = None
    media: str | None = None


class SourceBase(Record, tag_field="type", frozen=True, kw_only=True):
    """What every source has."""

    columns: Columns
    roles: Roles = Roles()
    freshness: str | None = None
    expect: Expect | None = None


class ParquetSource(SourceBase, tag="parquet", frozen=True, kw_only=True):
    """Parquet files."""

    uri: str


class CsvSource(SourceBase, tag="csv", frozen=True, kw_only=True):
    """CSV files with a header line."""

    uri: str


class JsonlSource(SourceBase, tag="jsonl", frozen=True, kw_only=True):
    """Files with one JSON object a line."""

    uri: str


class PostgresSource(SourceBase, tag="postgres", frozen=True, kw_only=True):
    """A PostgreSQL query."""

    dsn_env: str
    query: str


class PythonSource(SourceBase, tag="python", frozen=True, kw_only=True):
    """A generator function, or a command, that yields rows."""

    entrypoint: str | None = None
    command: Command | None = None


Source = ParquetSource | CsvSource | JsonlSource | PostgresSource | PythonSource


class Dataset(Record, frozen=True, kw_only=True):
    """A versioned, append-only dataset."""

    columns: Columns | None = None
    like: str | None = None
    key: str | None = None
    group: str | None = None
    from_: str | None = field(default=None, name="from")
    pinned: bool = False
    expect: Expect | None = None
