"""What the Argo target emits means what `clspec run --local` means: run from the manifest alone, results are equal."""

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec import api
from tests.argo_cluster import Cluster, real

DATA = Path(__file__).resolve().parents[1] / "data" / "loop"
NOW = datetime(2026, 5, 2, tzinfo=UTC)
BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
LIGHTS = ("red", "amber", "green", "amber")
IMAGE = "registry.example.com/loop@sha256:" + "0f" * 32
NOTIFIED = """
notify:
  - {on_event: [gate_failed, run_failed, promoted, awaiting_approval, alarm], webhook_env: HOOK, format: json}
"""


def fleet(count):
    """What production said: the first model knows no amber light, and brakes there without being sure."""
    for ride in range(count):
        for moment in range(6):
            light, gap = LIGHTS[(ride + moment) % 4], (11 * ride + 7 * moment) % 60
            knows, right = light != "amber", truth(light, gap)
            yield {
                "event": f"e{ride:03}-{moment}",
                "at": BEGAN + timedelta(minutes=ride, seconds=moment),
                "id": f"{ride:03}-{moment}",
                "ride": f"ride-{ride:03}",
                "light": light,
                "gap": gap,
                "said": right if knows else "brake",
                "belief": 1.0 if knows else 0.5,
                "jerk": 4.0 if not knows and right == "go" else 0.5,
            }


def truth(light, gap):
    return "brake" if light == "red" or gap < 20 else "go"


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    heard: ClassVar[list] = []

    def do_POST(self):
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(scope="module")
def hook():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The loop's spec as a cluster takes it: an image, and sources by absolute URIs."""
    folder = tmp_path_factory.mktemp("argo") / "project"
    shutil.copytree(DATA, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "loop.yaml"\n')
    (folder / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(list(fleet(60))), folder / "data" / "fleet-a.parquet")
    told = {"event": "e001-0", "right": "go", "written": "2026-05-01T12:00:00Z"}
    (folder / "data" / "complaints.jsonl").write_text(json.dumps(told) + "\n")
    text = (folder / "loop.yaml").read_text().replace("uri: data/", f"uri: {folder}/data/")
    text = text.replace("code: {root: loop}", f"code: {{root: loop, image: '{IMAGE}', workdir: /app}}")
    (folder / "loop.yaml").write_text(text + NOTIFIED)
    ran = subprocess.run(
        [sys.executable, "-m", "clspec", "lock", "loop.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return folder


def digest(path):
    """The bytes of a file, or of everything below a folder by its place."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else ""
        whole.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    return whole.hexdigest()


def locally(project, pipeline):
    """The digests of all that a run on this machine makes, and its exit code."""
    outcome = api.run(str(project / "loop.yaml"), pipeline, jobs=2, as_of=NOW)
    made = {(step, name): digest(path) for step, paths in outcome.outputs.items() for name, path in paths.items()}
    return made, outcome.exit_code


def on_argo(project, pipeline, bundle, folder, secrets):
    cluster = Cluster(bundle, folder, pod=real(project / "loop"), secrets=secrets)
    cluster.run(
        f"loop-{pipeline}", began=NOW.isoformat().replace("+00:00", "Z"), uid=folder.name, store=str(folder / "store")
    )
    place = folder / "bucket" / "loop" / folder.name
    made = {(step.name, output.name): digest(output) for step in place.iterdir() for output in step.iterdir()}
    return cluster, made


def answered(project):
    """Label all that is queued, as a person would."""
    clspec(project, "label", "export", "queue.jsonl")
    items = [json.loads(line) for line in (project / "queue.jsonl").read_text().splitlines()]
    lines = [
        {"key": i["key"], "label": truth(i["data"]["light"], i["data"]["gap"]), "by": "ann", "at": NOW.isoformat()}
        for i in items
    ]
    (project / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    clspec(project, "label", "import", "labels.jsonl")


def clspec(project, *words):
    command = [sys.executable, "-m", "clspec", *words]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def both(project, pipeline, folder, hook, monkeypatch):
    """A pipeline here and on Argo, from the same store; the cluster, after all of its results were compared."""
    bundle = api.compile(str(project / "loop.yaml"), "argo", {}).bundle
    store = project / ".clspec" / "store"
    store.mkdir(parents=True, exist_ok=True)
    shutil.copytree(store, folder / "store")
    Hook.heard.clear()
    monkeypatch.setenv("HOOK", hook)
    local, code = locally(project, pipeline)
    monkeypatch.delenv("HOOK")
    cluster, remote = on_argo(project, pipeline, bundle, folder, {("clspec", "HOOK"): hook})
    different = {key for key in local.keys() | remote.keys() if local.get(key) != remote.get(key)}
    assert different == set(), cluster.errors
    assert (cluster.phase == "Succeeded") is (code == 0), cluster.errors
    told = len(Hook.heard) // 2
    assert Hook.heard[:told] == Hook.heard[told:]
    return cluster, [message["event"] for message in Hook.heard[:told]]


def test_a_refused_model(project, tmp_path, hook, monkeypatch):
    cluster, events = both(project, "regression", tmp_path, hook, monkeypatch)
    assert cluster.phase == "Failed"
    assert (cluster.phases["register"], cluster.phases["conclude"]) == ("Skipped", "Failed")
    assert (cluster.phases["notify"], cluster.phases["over"]) == ("Succeeded", "Succeeded")
    assert events == ["gate_failed"]


def test_the_loop_without_and_with_a_new_model(project, tmp_path, hook, monkeypatch):
    (tmp_path / "idle").mkdir()
    (tmp_path / "learns").mkdir()
    idle, _ = both(project, "improvement", tmp_path / "idle", hook, monkeypatch)
    learning = ("snapshot-training", "train-seed-1", "evaluate-seed-2", "baseline", "gate", "register", "promote")
    assert {idle.phases[name] for name in learning} == {"Skipped"}
    assert idle.phases["report"] == "Succeeded"
    answered(project)
    learns, events = both(project, "improvement", tmp_path / "learns", hook, monkeypatch)
    assert set(learns.phases.values()) == {"Succeeded"}
    assert events == ["promoted", "awaiting_approval"]


def test_earlier_results_stand_in_and_a_refusal_stays_one(project, tmp_path, hook):
    """Twice the same, then the same golden rows judged by another threshold: no verdict is ever an earlier one."""
    folder = tmp_path / "a"
    folder.mkdir()
    shutil.copytree(project / ".clspec" / "store", folder / "store")
    cached = {}

    def run(uid):
        bundle = api.compile(str(project / "loop.yaml"), "argo", {"memoize_seconds": "600"}).bundle
        cluster = Cluster(bundle, folder, pod=real(project / "loop"), secrets={("clspec", "HOOK"): hook})
        cluster.cached = cached
        cluster.run("loop-regression", began="2026-05-02T00:00:00Z", uid=uid, store=str(folder / "store"))
        assert cluster.phases["gate"] == "Succeeded", cluster.errors
        return cluster

    first, again = run("first"), run("again")
    kept = {f"{kind}-seed-{seed}" for kind in ("train", "predict", "evaluate") for seed in (1, 2)}
    assert (first.hits, set(again.hits)) == ([], kept)
    assert (first.phase, again.phase) == ("Failed", "Failed"), "a refusal stays one"
    assert again.phases["register"] == "Skipped"
    assert {"gate", "report", "conclude", "snapshot-golden", "pin"} <= again.attempts.keys()
    assert not kept & again.attempts.keys()
    place = folder / "bucket" / "loop"
    for step in ("gate", "report", "snapshot-golden"):
        assert digest(place / "first" / step) == digest(place / "again" / step)
    text = (project / "loop.yaml").read_text()
    try:
        (project / "loop.yaml").write_text(text.replace("class: go, min: 0.90", "class: go, min: 0.91"))
        other = run("other")
        assert set(other.hits) >= {name for name in kept if "evaluate" not in name}
        assert "gate" in other.attempts
        assert other.phase == "Failed"
    finally:
        (project / "loop.yaml").write_text(text)
