"""The demonstration of the README, as it is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the demonstration trains with torch")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo():
    return subprocess.run([sys.executable, "tools/demo.py"], cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_ends_well_and_shows_both_verdicts(demo):
    assert demo.returncode == 0, demo.stdout[-3000:] + demo.stderr[-3000:]
    assert [line for line in demo.stdout.splitlines() if line.startswith("verdict:")] == [
        "verdict: fail",
        "verdict: pass",
    ]


def test_every_seed_fails_the_dogs_alone_first_and_nothing_after(demo):
    assert demo.returncode == 0
    reports = sorted((ROOT / "build/demo/.clspec/runs").glob("*/report/report.json"), key=lambda p: p.stat().st_mtime)
    first, mined, second = (json.loads(path.read_text()) for path in reports)
    assert (mined["verdict"], mined["seeds"]) == ("not judged", [])
    assert mined["loop"]["decision"]["retrain"] is False
    fine = {"pass", "not_compared"}
    failed = [{s["id"] for s in seed["scenarios"] if s["verdict"] not in fine} for seed in first["seeds"]]
    assert failed == [{"dog-crossing"}] * 3
    assert {s["verdict"] for seed in second["seeds"] for s in seed["scenarios"]} == {"pass", "not_compared"}
    assert second["verdict"] == "pass"
    assert first["made_by"]["code"] == second["made_by"]["code"]  # one dimension moved
    assert first["made_by"]["datasets"]["golden"] == second["made_by"]["datasets"]["golden"]
    assert second["loop"]["appended"]["digest"] != first["made_by"]["datasets"]["canonical"]
    assert second["loop"]["promoted"]["awaiting"] == "champion"


def test_a_model_is_registered_only_on_the_pass(demo):
    assert demo.returncode == 0
    records = list((ROOT / "build/demo/.clspec/store").glob("*/models/*/records/*.json"))
    assert len(records) == 1
    assert json.loads(records[0].read_text())["verdict"]["verdict"] == "pass"


def test_it_leaves_the_checkout_as_it_was(demo):
    assert demo.returncode == 0
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "specs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""
