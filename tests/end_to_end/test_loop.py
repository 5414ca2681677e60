"""The loop closes: a model that misses amber lights is refused, learns from its mistakes, and is promoted."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec.data.storage import storage_at

DATA = Path(__file__).resolve().parents[1] / "data" / "loop"
NOW = "2026-05-02T00:00:00Z"
BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
LIGHTS = ("red", "amber", "green", "amber")


def clspec(folder, *words, expected=0):
    done = subprocess.run(
        [sys.executable, "-m", "clspec", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == expected, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop") / "project"
    shutil.copytree(DATA, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "loop.yaml"\n')
    return folder


def truth(light, gap):
    return "brake" if light == "red" or gap < 20 else "go"


def fleet(folder, name, count, *, planted=()):
    """What production said: the first model knows no amber light, and brakes there without being sure."""
    rows = []
    for ride in range(count):
        for moment in range(6):
            light, gap = LIGHTS[(ride + moment) % 4], (11 * ride + 7 * moment) % 60
            knows = light != "amber"
            rows.append(
                {
                    "event": f"{name}-e{ride:03}-{moment}",
                    "at": BEGAN + timedelta(minutes=ride, seconds=moment),
                    "id": f"{name}-{ride:03}-{moment}",
                    "ride": f"{name}-{ride:03}",
                    "light": light,
                    "gap": gap,
                    "said": truth(light, gap) if knows else "brake",
                    "belief": 1.0 if knows else 0.5,
                    "jerk": 4.0 if not knows and truth(light, gap) == "go" else 0.5,
                }
            )
    rows += planted
    (folder / "data").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / f"fleet-{name}.parquet")
    return rows


def store(folder):
    return folder / ".clspec" / "store" / "loop"


def newest_report(folder):
    reports = sorted((folder / ".clspec" / "runs").glob("*/report/report.json"), key=lambda p: p.stat().st_mtime)
    return json.loads(reports[-1].read_text())


def improve(folder, expected=0):
    return clspec(folder, "run", "--local", "--pipeline", "improvement", "--as-of", NOW, expected=expected)


def test_the_loop_from_a_refused_model_to_a_promoted_one(project):
    golden = {
        "event": "planted-1",
        "at": BEGAN,
        "id": "golden-001-0",
        "ride": "elsewhere",
        "light": "amber",
        "gap": 30,
        "said": "brake",
        "belief": 0.5,
        "jerk": 0.1,
    }
    by_group = {**golden, "event": "planted-2", "id": "fresh", "ride": "golden-002"}
    fleet(project, "a", 60, planted=[golden, by_group])
    (project / "data" / "complaints.jsonl").write_text(
        json.dumps({"event": "a-e001-0", "right": "go", "written": "2026-05-01T12:00:00Z"}) + "\n"
    )
    clspec(project, "lock")
    told = clspec(project, "run", "--local", "--as-of", NOW, expected=1)
    assert "amber" in told
    told = improve(project)
    assert "no new model" in told or "0 of 60 new samples" in told
    report = newest_report(project)
    assert report["loop"]["dropped-mined"]["dropped"] == {"group": 1, "key": 1}
    exported = project / "queue.jsonl"
    clspec(project, "label", "export", str(exported))
    items = [json.loads(line) for line in exported.read_text().splitlines()]
    assert items
    assert not any("golden" in item["key"] or item["key"] == "fresh" for item in items)
    lines = [
        json.dumps({"key": i["key"], "label": truth(i["data"]["light"], i["data"]["gap"]), "by": "ann", "at": NOW})
        for i in items
    ]
    (project / "labels.jsonl").write_text("\n".join(lines) + "\n")
    clspec(project, "label", "import", str(project / "labels.jsonl"))
    told = improve(project)
    assert "awaiting approval by safety-board" in told or "safety-board" in told
    report = newest_report(project)
    assert report["verdict"] == "pass"
    models = clspec(project, "models")
    digest = report["loop"]["promoted"]["model"]
    assert digest[:19] in models or digest.removeprefix("sha256:")[:12] in models
    clspec(project, "promote", digest, "--stage", "champion", "--approved-by", "board", "--why", "amber is seen")
    lineage = clspec(project, "lineage", digest)
    assert "unsure" in lineage
    assert "a-e" in clspec(project, "lineage", digest, "--rows")
    clspec(project, "lock", "--from-champion")
    assert "pass" in clspec(project, "run", "--local", "--as-of", NOW)


def test_nothing_is_mined_twice_and_nothing_golden_is_learned(project):
    told = improve(project)
    report = newest_report(project)
    assert report["loop"]["sampled"] is not None, told
    queued = report["loop"]["queued"]
    assert queued
    held = pq.read_table(next((store(project) / "datasets" / "drives" / "parts").glob("*.parquet")))
    assert not any(key.startswith("golden") for key in held.column("id").to_pylist())


def test_the_loop_closes_in_a_bucket_too(s3, monkeypatch, tmp_path):
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    storage_at("s3://bucket").write("made", b"")  # with its first object the bucket is there
    folder = Path(shutil.copytree(DATA, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))
    spec = folder / "loop.yaml"
    spec.write_text(spec.read_text().replace("store: .clspec/store", "store: s3://bucket/loop"))
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "loop.yaml"\n')
    fleet(folder, "b", 40)
    (folder / "data" / "complaints.jsonl").write_text('{"event": "b-e001-0", "right": "go", "written": null}\n')
    clspec(folder, "lock")
    improve(folder)
    clspec(folder, "label", "export", "tasks.jsonl")
    items = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    answers = [{"key": i["key"], "label": truth(i["data"]["light"], i["data"]["gap"]), "by": "ann"} for i in items]
    (folder / "labels.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    clspec(folder, "label", "import", "labels.jsonl")
    improve(folder)
    report = newest_report(folder)
    assert report["verdict"] == "pass"
    clspec(folder, "promote", report["loop"]["promoted"]["model"], "--stage", "champion", "--approved-by", "board")
    assert "champion" in clspec(folder, "models")
    assert not (folder / ".clspec" / "store").exists()
