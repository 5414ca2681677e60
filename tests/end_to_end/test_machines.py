"""A training on two machines as each target emits it: what comes out is what two processes here make, byte for byte."""

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import kubeflow_run
import pytest
import yaml
from argo_cluster import Cluster, real
from kubernetes_api import JOBS, Api

from clspec import api as clspec
from clspec_local import artifacts

DATA = Path(__file__).resolve().parents[1] / "data" / "pair"
NOW = "2026-05-02T00:00:00+00:00"
TOKEN = "a token of the hub that nobody shows"
SECRETS = {("hub", "token"): TOKEN}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The spec with its data pinned, and what a run on this machine makes of it."""
    folder = tmp_path_factory.mktemp("pair") / "project"
    shutil.copytree(DATA, folder, ignore=shutil.ignore_patterns("__pycache__"))
    words = [sys.executable, "-m", "clspec", "lock", "pair.yaml"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def locally(project):
    """The digest of everything that a run on this machine makes, by step and name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_TOKEN", TOKEN)
        outcome = clspec.run(str(project / "pair.yaml"), "regression", as_of=datetime.fromisoformat(NOW))
    assert outcome.exit_code == 0
    metrics = json.loads(outcome.outputs["train-seed-1"]["metrics"].read_text())
    assert (metrics["world"], metrics["rank"]) == (2, 0)
    assert metrics["rows"] > 400, "each learned from its share, and all shares make up the rows"
    assert metrics["accuracy"] > 0.9
    made = ((step, name, path) for step, named in outcome.outputs.items() for name, path in named.items())
    return {(step, name): artifacts.digest(path) for step, name, path in made}


def rights(*texts):
    """What the emitted roles let a launcher do."""
    documents = [found for text in texts for found in yaml.safe_load_all(text)]
    rules = [rule for found in documents if found["kind"] == "Role" for rule in found["rules"]]
    return {(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def looked_at(api, text):
    """One job was made and taken away, nothing is left behind, and no secret was told."""
    (name,) = {path.removeprefix(f"{JOBS}/") for verb, path in api.asked if verb == "DELETE"}
    assert api.deleted == [name]
    assert api.jobs == {}
    assert len([verb for verb, _ in api.asked if verb == "POST"]) == 1
    assert TOKEN not in text


def test_two_machines_on_argo(project, locally, tmp_path):
    bundle = clspec.compile(str(project / "pair.yaml"), "argo").bundle
    store = tmp_path / "store"
    shutil.copytree(project / ".clspec" / "store", store)
    allowed = rights(bundle["access.role.yaml"])
    api = Api(tmp_path / "api", code=project / "pair", secrets=SECRETS, allowed=allowed)
    with api.serving():
        cluster = Cluster(bundle, tmp_path, pod=real(project / "pair", api))
        cluster.run("pair-regression", began=NOW.replace("+00:00", "Z"), uid="run-1", store=str(store))
    assert cluster.phase == "Succeeded", cluster.errors
    place = tmp_path / "bucket" / "pair" / "run-1"
    made = {(step.name, output.name): artifacts.digest(output) for step in place.iterdir() for output in step.iterdir()}
    assert made == locally
    looked_at(api, "".join(bundle.values()))
    assert not list((store / "pair" / "handover").rglob("*.json"))


def test_two_machines_on_kubeflow(project, locally, tmp_path, monkeypatch):
    pytest.importorskip("kfp", reason="Kubeflow's SDK is not installed (extra `kfp`)")
    bundle = clspec.compile(str(project / "pair.yaml"), "kfp").bundle
    store = tmp_path / "store"
    shutil.copytree(project / ".clspec" / "store", store)
    spec, *_ = yaml.safe_load_all(bundle["regression.yaml"])
    allowed = rights(bundle["access.yaml"])
    api = Api(tmp_path / "api", code=project / "pair", secrets=SECRETS, allowed=allowed)
    prepared = kubeflow_run.here(spec, project / "pair", project, NOW, api.prelude)
    for name, value in api.variables.items():
        monkeypatch.setenv(name, value)
    with api.serving():
        ran = kubeflow_run.run(prepared, tmp_path / "run", {"store": str(store)})
    assert ran.ok, ran.told
    assert ran.digests() == locally
    looked_at(api, "".join(bundle.values()) + ran.told)
