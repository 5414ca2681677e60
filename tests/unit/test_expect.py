"""Data gates: what is not as expected stops the run and is named, all of it at once."""

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec.data import drift, table
from clspec.data.drift import measured, psi
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.data.versions import Dataset, Shape

COLUMNS = {"id": "string", "ts": "timestamp", "conf": "double", "light": "string"}
SHAPE = Shape(columns=COLUMNS, key="id", group=None)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = {"rows": None, "nulls": {}, "ranges": {}, "drift": None}


def psi_of(reference, now, kind="double"):
    with duckdb.connect() as connection:
        for name, values in (("reference", reference), ("rows", now)):
            connection.register(name, table.from_rows([{"x": value} for value in values], {"x": kind}, name))
        return measured(connection, ("reference", "rows"), "x", kind)


def textbook(expected, found):
    """The index of two lists of counts, by its formula, without a thought for empty cells."""
    e, a = np.array(expected) / sum(expected), np.array(found) / sum(found)
    return float(np.sum((a - e) * np.log(a / e)))


# -- the index ---------------------------------------------------------------------------------------------------------


def test_categories_by_the_formula():
    assert psi_of(["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 70, "string") == pytest.approx(
        textbook([60, 40], [30, 70])
    )
    with_null = psi_of(["a"] * 90 + [None] * 10, ["a"] * 50 + [None] * 50, "string")
    assert with_null == pytest.approx(textbook([90, 10], [50, 50])), "NULL is a category"
    assert psi_of([True] * 3 + [False], [True] + [False] * 3, "boolean") == pytest.approx(math.log(3))


def test_a_cell_that_is_empty_on_one_side_counts_half_a_row():
    new = psi_of(["a"] * 100, ["a"] * 90 + ["b"] * 10, "string")
    assert new == pytest.approx((0.9 - 1) * math.log(0.9) + (0.1 - 0.005) * math.log(0.1 / 0.005))
    assert math.isfinite(psi_of(["a"], ["b"], "string"))


def test_numbers_by_the_reference_s_deciles():
    draws = np.random.default_rng(1)
    before, after = draws.normal(0, 1, 5000), draws.normal(0.5, 1.3, 3000)
    edges = np.quantile(before, np.arange(1, 10) / 10, method="inverted_cdf")
    counts = [np.bincount(np.searchsorted(edges, values, side="left"), minlength=10) for values in (before, after)]
    assert psi_of(before.tolist(), after.tolist()) == pytest.approx(textbook(*counts))
    assert psi_of(before.tolist(), draws.permutation(before).tolist()) == 0
    assert psi_of(before.tolist(), draws.normal(0, 1, 3000).tolist()) < 0.02
    assert psi_of(before.tolist(), (before + 1).tolist()) > 0.25


def test_a_pile_of_equal_numbers_is_seen_to_move():
    for kind, moved in (("double", -1.0), ("integer", -1)):
        assert psi_of([0] * 100, [moved] * 100, kind) > 1, "below the lowest decile is not at it"
    assert psi_of([0] * 90 + list(range(1, 11)), [0] * 90 + list(range(1, 11)), "integer") == 0
    zeros = psi_of([0] * 80 + [5] * 20, [0] * 40 + [5] * 60, "integer")
    assert zeros == pytest.approx(textbook([80, 20], [40, 60]))


def test_missing_numbers_and_no_numbers_are_cells():
    numbers = [float(n) for n in range(100)]
    assert psi_of([*numbers, *[None] * 5], [*numbers, *[None] * 90]) > 0.25
    assert psi_of([*numbers, *[math.nan] * 5], [*numbers, *[math.nan] * 90]) > 0.25
    assert psi_of([None] * 9, [None] * 9) == 0
    assert psi_of([math.inf, -math.inf, 1.0], [math.inf, -math.inf, 1.0]) == 0


@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_times_have_deciles_too(kind):
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(100)]
    days = [day.date() for day in days] if kind == "date" else days
    assert psi_of(days, days, kind) == 0
    assert psi_of(days[:50], days[50:], kind) > 1


def test_what_has_no_cells(monkeypatch):
    with pytest.raises(DataError, match="`x` is binary, of which no drift can be told"):
        psi_of([b"a"], [b"a"], "binary")
    monkeypatch.setattr(drift, "_MOST_CATEGORIES", 3)
    with pytest.raises(DataError, match="`x` has more than 3 different values"):
        psi_of(list("abcd"), ["a"], "string")
    with pytest.raises(DataError, match="there are no rows"):
        psi_of([], ["a"], "string")


values = st.lists(st.none() | st.sampled_from([math.nan, 0.0, 1.0]) | st.floats(-5, 5), min_size=1, max_size=30)


@given(values, values)
@settings(deadline=None, max_examples=60)
def test_the_index_is_never_negative_and_every_row_has_one_cell(before, after):
    assert psi_of(before, after) >= 0
    assert psi_of(before, before) == 0
    with duckdb.connect() as connection:
        connection.register("rows", table.from_rows([{"x": value} for value in after], {"x": "double"}, "t"))
        cells = drift._cells(
            '"x"', sorted(value for value in before if value is not None and not math.isnan(value))[:9]
        )
        assert sum(drift._numbers(connection, "rows", cells).values()) == len(after)
    assert psi({("value", "a"): 3}, {("value", "a"): 5}) == 0


# -- the step ----------------------------------------------------------------------------------------------------------


class Project:
    """A source in a file, a dataset in a store, and the step as every target runs it."""

    def __init__(self, folder):
        self.folder = folder
        self.write([self.row(n) for n in range(100)])
        self.dataset = Dataset(storage_at(str(folder / "store")), "spec", "canonical")
        self.version = self.dataset.append(self.table([self.row(n) for n in range(100)]), SHAPE, "test").version

    @staticmethod
    def row(number, **changes):
        plain = {"id": f"i{number}", "ts": NOW - timedelta(minutes=number), "conf": number / 100}
        return {**plain, "light": "day" if number % 2 else "night", **changes}

    @staticmethod
    def table(rows):
        return table.from_rows(rows, COLUMNS, "test")

    def write(self, rows):
        pq.write_table(self.table(rows), self.folder / "fleet.parquet")

    def expect(self, expect=None, freshness=None, datasets=(), pins=None):
        source = {"name": "fleet", "type": "parquet", "uri": "fleet.parquet", "columns": COLUMNS}
        source |= {"roles": {"time": "ts"}, "freshness": freshness, "expect": expect and {**NOTHING, **expect}}
        named = {"name": "canonical", "columns": COLUMNS, "key": "id", "group": None}
        config = {"spec": "spec", "sources": [source], "code": "sha256:none"}
        config["datasets"] = [{**named, "expect": {**NOTHING, **one}} for one in datasets]
        (self.folder / "pins").write_text(json.dumps(pins or {}))
        command = [sys.executable, "-m", "clspec.step", "expect", "--config", json.dumps(config)]
        command += ["--store", str(self.folder / "store"), "--folder", str(self.folder), "--as-of", NOW.isoformat()]
        command += ["--in", f"pins={self.folder / 'pins'}", "--out", f"expectations={self.folder / 'told'}"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def told(self):
        return json.loads((self.folder / "told").read_text())["checks"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def assert_failed(ended, *texts):
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    assert f"{len(texts)} of " in ended.stderr
    for text in texts:
        assert text in ended.stderr, ended.stderr
        assert f"NOT AS EXPECTED: {text}" in ended.stdout


WHOLE = {
    "rows": {"min": 50, "max": 200},
    "nulls": {"conf": 0.0, "light": 0.1},
    "ranges": {"conf": {"min": 0, "max": 1}},
    "drift": {"columns": ["light", "conf", "ts"], "against": "canonical", "max_psi": 0.25},
}


def test_what_is_as_expected_is_told_with_its_thresholds(project):
    ended = project.expect(WHOLE, freshness=60, datasets=[{"rows": {"min": 100, "max": None}}])
    assert (ended.returncode, ended.stderr) == (0, "")
    told = project.told()
    assert [(one["of"], one["check"], one["column"], one["value"]) for one in told] == [
        ("source `fleet`", "rows", None, 100),
        ("source `fleet`", "nulls", "conf", 0),
        ("source `fleet`", "nulls", "light", 0),
        ("source `fleet`", "range", "conf", 0),
        ("source `fleet`", "drift", "light", 0),
        ("source `fleet`", "drift", "conf", 0),
        ("source `fleet`", "drift", "ts", 0),
        ("source `fleet`", "freshness", "ts", 0),
        ("dataset `canonical`", "rows", None, 100),
    ]
    assert (told[0]["threshold"], told[4]["threshold"]) == ({"min": 50, "max": 200}, {"max": 0.25})
    assert ended.stdout.count("ok: ") == len(told)


def test_all_that_is_not_as_expected_is_named_at_once(project):
    changes = [{"conf": None}] * 10 + [{"conf": 1.5}, {"conf": math.nan}, {"conf": math.inf}] + [{}] * 20
    project.write([project.row(n + 100, light="dusk", **one) for n, one in enumerate(changes)])
    assert_failed(
        project.expect(WHOLE, freshness=3600, datasets=[{"rows": {"min": 101}}]),
        "source `fleet`: 33 rows, between 50 and 200 expected",
        "source `fleet`: `conf` is NULL in 10 of 33 rows (30.30%), at most 0.00% expected",
        "source `fleet`: 23 of 23 values of `conf` are not between 0 and 1: from 1.13 to inf",
        "source `fleet`: the PSI of `light` against version 1 of dataset `canonical` is ",
        "source `fleet`: the PSI of `conf` against version 1 of dataset `canonical` is ",
        "source `fleet`: the PSI of `ts` against version 1 of dataset `canonical` is ",
        "source `fleet`: the newest `ts` is 6000 s old, at most 3600 s is expected",
        "dataset `canonical`: 100 rows, at least 101 expected",
    )
    assert not (project.folder / "told").exists()


def test_nothing_is_never_enough(project):
    project.write([])
    assert_failed(project.expect({"rows": {"max": 5}}), "source `fleet`: 0 rows, between 1 and 5 expected")
    assert_failed(project.expect(freshness=9), "source `fleet`: no row has a `ts` up to 2026-03-01T12:00:00+00:00")
    project.write([project.row(n, light=None, conf=None) for n in range(3)])
    ended = project.expect({"ranges": {"conf": {"min": 0, "max": None}}, "nulls": {"conf": 1.0}})
    assert_failed(
        ended,
        "source `fleet`: `light` is NULL in all 3 rows; where that is meant, say `nulls: {light: 1}`",
        "source `fleet`: `conf` has no value that could be at least 0",
    )
    assert project.expect({"nulls": {"conf": 1.0, "light": 1.0}}).returncode == 0
    project.dataset = None
    ended = project.expect(datasets=[{"drift": {"columns": ["light"], "against": "other", "max_psi": 0.1}}])
    assert (ended.returncode, ended.stderr.count("drift is measured against dataset `other`")) == (1, 1)


def test_no_number_is_out_of_every_range(project):
    project.write([project.row(1, conf=math.nan), project.row(2)])
    ended = project.expect({"ranges": {"conf": {"min": None, "max": 1e9}}})
    assert_failed(ended, "source `fleet`: 1 of 2 values of `conf` are not at most 1000000000: from 0.02 to 0.02")
    assert_failed(
        project.expect({"ranges": {"light": {"min": 0, "max": None}}}), "source `fleet`: `light` is string: only num"
    )


def test_rows_of_the_future_make_nothing_fresh(project):
    project.write([project.row(0, ts=NOW + timedelta(days=9)), project.row(1, ts=NOW - timedelta(hours=2))])
    assert_failed(
        project.expect(freshness=3600),
        "source `fleet`: the newest `ts` is 7200 s old, at most 3600 s is expected (1 rows are later than the run",
    )
    assert project.expect(freshness=7200).returncode == 0


def test_drift_is_from_what_the_run_has_pinned(project):
    more = [project.row(n, light="dusk") for n in range(1000, 2000)]
    newer = project.dataset.append(project.table(more), SHAPE, "test").version
    expect = {"drift": {"columns": ["light"], "against": "canonical", "max_psi": 0.25}}
    assert_failed(project.expect(expect), "source `fleet`: the PSI of `light` against version 2")
    pins = {"canonical": {"digest": project.version.digest, "rows": 100}}
    assert project.expect(expect, pins=pins).returncode == 0
    gone = {"canonical": {"digest": newer.digest[:-3] + "bad", "rows": 100}}
    ended = project.expect(expect, pins=gone)
    assert (ended.returncode, "does not hold at sha256:" in ended.stderr) == (1, True)


def test_what_names_no_column_fails(project):
    drifting = {"columns": ["speed", "light"], "against": "canonical", "max_psi": 0.25}
    assert_failed(
        project.expect({"drift": drifting, "nulls": {"sped": 0.5}, "ranges": {"seed": {"min": 0, "max": None}}}),
        "source `fleet`: `sped` is no column, so that its NULLs cannot be counted",
        "source `fleet`: `seed` is no column: only numbers have a range",
        "source `fleet`: the drift is unknown: `speed` is no column here and no column in",
    )


def test_a_column_of_bytes_without_a_value(project, tmp_path):
    rows = pa.table({"id": ["a"], "frame": pa.array([None], pa.binary())})
    pq.write_table(rows, tmp_path / "fleet.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "COLUMNS", {"id": "string", "frame": "binary"})
        assert_failed(project.expect({"rows": {"min": 1}}), "source `fleet`: `frame` is NULL in all 1 rows")
