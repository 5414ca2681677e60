"""The robotaxi's own code on Kubeflow: both pipelines, with torch, make what they make here, byte for byte.

It is the example as it stands, but for its size: one seed, one epoch, fewer rides, and bounds that so few frames
can prove. What is compared is every artifact of every step, between a local run and Kubeflow's own runner.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_kfp_runs import Project
from test_loop import clspec

pytest.importorskip("kfp", reason="Kubeflow's SDK is not installed (extra `kfp`)")
pytest.importorskip("torch", reason="the robotaxi learns with torch")

SPECS = Path(__file__).resolve().parents[2] / "specs"
SMALLER = {
    "seeds: [1, 2, 3]": "seeds: [1]",
    "epochs: 10": "epochs: 1",
    "min_samples: 100": "min_samples: 5",
    "margin: 0.05": "margin: 0.5",
    "min: 0.95": "min: 0.05",
    "min: 0.90": "min: 0.05",
    "max: 0.05": "max: 0.95",
    "rows: {min: 1000}": "rows: {min: 10}",
    "max_psi: 0.25": "max_psi: 9.0",
}
FEWER = {"rides=750": "rides=75", "rides=1600": "rides=400"}


@pytest.fixture(scope="module")
def taxi(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taxi") / "project"
    shutil.copytree(SPECS / "robotaxi", folder / "specs" / "robotaxi", ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in (("robotaxi.yaml", SMALLER), ("robotaxi/scenes.py", FEWER)):
        text = (SPECS / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / "specs" / name).write_text(text, encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "specs/robotaxi.yaml"\n')
    clspec(folder, "lock")
    return Project(folder, "specs/robotaxi.yaml", "specs/robotaxi")


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    """Nobody listens there: the message does not arrive, and changes nothing."""
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "http://127.0.0.1:9/hook")


def test_both_pipelines_make_the_same_bytes_as_here(taxi, tmp_path):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    mine, theirs = taxi, taxi.copy(tmp_path / "theirs")
    code, made = mine.locally("regression", now)
    ran = theirs.on_kubeflow("regression", tmp_path / "regression", now=now)
    assert ran.ok is (code == 0), ran.told
    assert ran.digests() == made
    assert {"train-seed-1", "predict-seed-1", "gate", "report", "notify"} <= ran.steps

    drive = [sys.executable, "fleet.py", "--model", str(ran.path("train-seed-1", "model")), "--rides", "60"]
    for project in (mine, theirs):
        data = ["--out", str(project.folder / "specs/data/robotaxi"), "--plant-golden", "9"]
        subprocess.run([*drive, *data], cwd=project.folder / project.code, check=True, capture_output=True)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    code, made = mine.locally("improvement", now)
    ran = theirs.on_kubeflow("improvement", tmp_path / "improvement", now=now)
    assert (code, ran.ok) == (0, True), ran.told
    assert ran.digests() == made
    assert {"mine", "guard-mined", "sample", "auto-label", "enqueue", "decide", "report", "notify"} <= ran.steps
