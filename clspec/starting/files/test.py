"""The spec has no problems, the code does what it is asked for, and the golden scenarios pass."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clspec import api

FOLDER = Path(__file__).resolve().parents[1]
SPEC = str(FOLDER / "clspec.yaml")
sys.path.insert(0, str(FOLDER / "$root"))

import data  # noqa: E402  # the code root is no package
import model  # noqa: E402


def test_the_spec_has_no_problems():
    assert api.check(SPEC).diagnostics == ()


def test_a_model_that_was_trained_finds_a_leak(tmp_path):
    rows = pa.Table.from_pylist(list(data.history()))
    pq.write_table(rows, tmp_path / "rows.parquet")
    told = model.train(
        data=tmp_path / "rows.parquet",
        validation=tmp_path / "rows.parquet",
        model_dir=tmp_path,
        seed=1,
        rounds=300,
        step=0.5,
    )
    assert told["validation_accuracy"] > 0.9
    answers = {answer["id"]: answer["said"] for answer in model.predict(tmp_path / "rows.parquet", tmp_path)}
    assert len(answers) == len(rows)
    assert answers["plant-000-00"] == "leaking"
    assert answers["plant-000-01"] == "sound"


def test_the_golden_scenarios_pass():
    assert api.run(SPEC).exit_code == 0
