"""What is emitted runs in real containers of the image that `clspec image` builds, and makes what a local run makes."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import kubeflow_run
import pyarrow
import pytest
import yaml

import clspec
from clspec import api, code
from clspec_argo import Options as ArgoOptions
from clspec_argo import backend as argo
from clspec_kfp import Options as KubeflowOptions
from clspec_kfp import backend as kubeflow
from clspec_local import artifacts
from tests import containers
from tests.argo_cluster import Cluster

docker = pytest.importorskip("docker", reason="the engine's client is not installed (extra `dev`)")

DATA = Path(__file__).resolve().parents[1] / "data"
TINY = DATA / "tiny"
NOW = "2026-05-02T00:00:00Z"
WORKDIR = "/app/tiny"
NOTIFY = "notify:\n  - {on_event: [gate_failed, run_failed], webhook_env: HOOK, format: json}\n"
NEAR = """
    - id: near-things
      select: "gap < 20"
      checks: [{metric: recall, class: brake, min: 0.9}]
"""
CANARY = "canary-4f1c"
LOCAL = """
import json, sys
from datetime import datetime
from clspec import api
spec, pipeline, as_of = sys.argv[1:]
outcome = api.run(spec, pipeline, as_of=datetime.fromisoformat(as_of))
outputs = {step: {name: str(path) for name, path in made.items()} for step, made in outcome.outputs.items()}
print(json.dumps([outcome.exit_code, outputs]))
"""


@pytest.fixture(scope="module")
def engine():
    """The engine's client."""
    if why := containers.refusal():
        pytest.skip(why)
    client = docker.from_env(timeout=120)
    yield client
    client.close()


@pytest.fixture(scope="module")
def registry(engine, tmp_path_factory):
    del engine  # without one, nothing is to be kept
    with containers.registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@dataclass(frozen=True)
class Project:
    """A spec in a folder of its own, and what was said when its image was built."""

    folder: Path
    name: str
    said: str = ""
    of: str = "tiny"
    pipeline: str = "regression"

    @property
    def spec(self):
        return self.folder / f"{self.of}.yaml"

    @property
    def lock(self):
        return yaml.safe_load((self.folder / f"{self.of}.lock").read_text())

    @property
    def store(self):
        return self.folder / ".clspec" / "store"

    @property
    def image(self):
        """The image as a cluster is asked for it."""
        return f"{self.name}@{self.lock['images'][self.name]}"

    def copy(self, folder, *edits):
        shutil.copytree(self.folder, folder)
        text = self.spec.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        made = replace(self, folder=folder)
        made.spec.write_text(text)
        return made

    def clspec(self, *words, **variables):
        return subprocess.run(
            [sys.executable, "-m", "clspec", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **variables},
        )

    def locally(self):
        """The exit code of a local run, and the digest of everything that it made."""
        words = [sys.executable, "-c", LOCAL, self.spec.name, self.pipeline, NOW]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        code, outputs = json.loads(done.stdout.splitlines()[-1])
        made = ((step, name, path) for step, named in outputs.items() for name, path in named.items())
        return code, {(step, name): artifacts.digest(Path(path)) for step, name, path in made}


@pytest.fixture(scope="module")
def project(engine, registry, tmp_path_factory):
    """The smallest spec with an image, built and pushed; secrets lie everywhere but in the code."""
    folder = tmp_path_factory.mktemp("containers") / "project"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__", "*.lock"))
    name = f"{registry}/team/tiny:1"
    text = (folder / "tiny.yaml").read_text()
    text = re.sub(r"image: \S+", f"image: '{name}'", text).replace("workdir: /app/tiny", f"workdir: {WORKDIR}")
    text = text.replace("seeds: [1, 2]\n", "seeds: [1]\n  resources: {cpu: 1, memory: 768Mi, shared_memory: 8Mi}\n")
    text = text.replace("golden:\n  dataset", NOTIFY + "golden:\n  dataset")
    (folder / "tiny.yaml").write_text(text.rstrip("\n") + NEAR)
    shutil.copy(DATA / "again" / "again.py", folder / "tiny")  # so that one image serves both specs
    shutil.copy(DATA / "again" / "again.yaml", folder)
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "tiny.yaml"\n')
    (folder / ".env").write_text(f"TOKEN={CANARY}-beside\n")
    for place in (".git/config", "__pycache__/model.cpython-311.pyc"):
        (folder / "tiny" / place).parent.mkdir(exist_ok=True)
        (folder / "tiny" / place).write_text(f"{CANARY}-{place}\n")
    (folder / "tiny" / "answers.txt").symlink_to("rows.py")  # inside the root, so that it is code like the rest
    freeze = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    versions = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    (folder / "constraints.txt").write_text(
        "".join(f"{line}\n" for line in versions.splitlines() if "==" in line and not line.startswith("clspec"))
    )
    made = Project(folder, name)
    words = ("--base", containers.base(), "--constraint", "constraints.txt", "--engine", "docker", "--push")
    done = made.clspec("image", *words, HOME=str(folder), API_TOKEN=f"{CANARY}-variable")
    assert done.returncode == 0, done.stdout + done.stderr
    containers.open_to_all(folder / ".clspec")
    yield replace(made, said=done.stdout + done.stderr)
    engine.images.remove(name, force=True)


# -- the image ---------------------------------------------------------------------------------------------------------


def test_the_lock_says_which_bytes_the_registry_has(project, engine, registry):
    manifest = urllib.request.Request(
        f"http://{registry}/v2/team/tiny/manifests/1",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    with urllib.request.urlopen(manifest) as answer:
        digest = answer.headers["Docker-Content-Digest"]
    assert project.lock["images"] == {project.name: digest}
    assert f"its registry has it under {digest}" in project.said
    assert f"image: '{project.name}'" in project.spec.read_text()
    images = {step.image for step in api.plan(str(project.spec)).pipelines[0].steps}
    assert images == {project.image}
    assert engine.images.get(project.image).id == engine.images.get(project.name).id


LOOK = """
import json, os, pathlib, shutil, sys, clspec, pyarrow
from clspec import code
def writes(place):
    try:
        pathlib.Path(place, "new").write_text("")
        return True
    except OSError:
        return False
print(json.dumps({
    "user": os.getuid(), "groups": os.getgroups(), "home": os.path.expanduser("~"),
    "code": code.digest(pathlib.Path(sys.argv[1])),
    "found": [n for n in ("gcc", "cc", "c++", "clang", "make", "ld", "pip", "pip3") if shutil.which(n)],
    "writes": [place for place in ("/", "/app", sys.argv[1], "/opt/clspec", "/etc", "/tmp") if writes(place)],
    "versions": [clspec.__version__, pyarrow.__version__], "files": sorted(os.listdir(sys.argv[1])),
}))
"""


def look(engine, image, **settings):
    said = engine.containers.run(image, ["python", "-c", LOOK, WORKDIR], remove=True, network_mode="none", **settings)
    return json.loads(said)


def test_steps_are_nobody_in_particular_and_find_no_compiler(project, engine):
    found = look(engine, project.image, read_only=True, tmpfs={"/tmp": "mode=1777"}, cap_drop=["ALL"])
    assert found["writes"] == ["/tmp"]
    assert (found["user"], found["groups"], found["home"]) == (8737, [8737], "/tmp")
    assert found["found"] == []
    assert found["code"] == code.digest(project.folder / "tiny")
    assert found["files"] == ["again.py", "answers.txt", "model.py", "rows.py"]
    assert found["versions"] == [clspec.__version__, pyarrow.__version__]
    writable = look(engine, project.image)
    assert writable["writes"] == ["/tmp"], "even where the root can be written, the user of the steps cannot"
    assert look(engine, project.image, user="1000660000:0")["code"] == found["code"], "any user will do"


def test_no_secret_of_the_builder_is_in_the_image(project, engine):
    image = engine.images.get(project.image)
    told = json.dumps(image.history()) + json.dumps(image.attrs)
    assert code.digest(project.folder / "tiny") in told, "what a build is told does stand there"
    assert CANARY not in told
    assert CANARY.encode() in (project.folder / "tiny" / ".git" / "config").read_bytes()
    seen, rest = 0, b""
    for chunk in image.save(chunk_size=2**22):
        assert CANARY.encode() not in rest + chunk
        seen, rest = seen + len(chunk), chunk[-64:]
    assert seen > 100e6, "layers are saved as they are, not compressed"


# -- runs --------------------------------------------------------------------------------------------------------------

COARSE = ("params: {metres: 10}", "params: {metres: 100}")
"""Bands in which near and far things are one: things that are near are missed."""


@dataclass(frozen=True)
class Case:
    """A spec whose verdict is known, and what a local run of it makes."""

    project: Project
    passes: bool
    made: dict


@pytest.fixture(scope="module", params=[True, False], ids=["passes", "fails"])
def case(request, project, tmp_path_factory):
    edits = () if request.param else (COARSE,)
    found = project.copy(tmp_path_factory.mktemp("case") / "project", *edits)
    mine = found.copy(found.folder.parent / "mine")
    exit_code, made = mine.locally()
    assert exit_code == (0 if request.param else 1)
    assert {("train-seed-1", "model"), ("predict-seed-1", "predictions"), ("gate", "verdict")} <= set(made)
    return Case(found, request.param, made)


def on_kubeflow(project, engine, folder, *more):
    """The pipeline in Kubeflow's own runner, each step in a container that sees the store and these folders."""
    bundle = kubeflow.emit(api.plan(str(project.spec)), KubeflowOptions())
    spec, *_ = yaml.safe_load_all(bundle[f"{project.pipeline}.yaml"])
    containers.open_to_all(project.store)
    settings = {
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "environment": {"HOOK": "http://127.0.0.1:9/"},
        "mounts": [{"Type": "bind", "Source": str(place), "Target": str(place)} for place in (project.store, *more)],
        "labels": {"clspec-test": folder.parent.name},
    }
    try:
        prepared = kubeflow_run.contained(spec, NOW)
        return kubeflow_run.run(prepared, folder, {"store": str(project.store)}, containers=settings)
    finally:
        engine.containers.prune(filters={"label": f"clspec-test={folder.parent.name}"})


def test_kubeflow_in_containers(case, engine, tmp_path):
    pytest.importorskip("kfp", reason="Kubeflow's SDK is not installed (extra `kfp`)")
    ran = on_kubeflow(case.project.copy(tmp_path / "project"), engine, tmp_path / "run")
    assert ran.ok is case.passes, ran.told
    assert ran.evaluated == [["inputs.parameter_values['when'] == 'pass'", case.passes]]
    assert case.project.image in ran.told
    assert ran.digests() == case.made
    assert ("register" in ran.steps) is case.passes
    assert case.passes or "gate_failed: the webhook in HOOK was not told" in ran.told


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    heard: ClassVar[list] = []

    def do_POST(self):
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def hook():
    Hook.heard.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def on_argo(project, engine, folder, hook="http://127.0.0.1:9/", more=()):
    """The pipeline as the manifest says it, each template in a container of its own."""
    containers.open_to_all(project.store)
    pods = containers.Pods(engine, (project.store, *more), online=("notify",))
    bundle = argo.emit(api.plan(str(project.spec)), ArgoOptions())
    cluster = Cluster(bundle, folder, pod=pods, secrets={("clspec", "HOOK"): hook})
    cluster.run(f"{project.of}-{project.pipeline}", began=NOW, uid="uid-1", store=str(project.store))
    return cluster, pods


def kept(project, folder):
    """The digest of everything that a run on Argo left in its bucket."""
    place = folder / "bucket" / project.of / "uid-1"
    return {(step.name, path.name): artifacts.digest(path) for step in place.iterdir() for path in step.iterdir()}


def test_argo_in_containers(case, engine, hook, tmp_path):
    cluster, pods = on_argo(case.project.copy(tmp_path / "project"), engine, tmp_path / "run", hook)
    assert kept(case.project, tmp_path / "run") == case.made, cluster.errors
    assert (cluster.phase == "Succeeded") is case.passes, cluster.errors
    assert cluster.phases["register"] == ("Succeeded" if case.passes else "Skipped")
    assert [message["event"] for message in Hook.heard] == ([] if case.passes else ["gate_failed"])
    trained = pods.ran["train-seed-1"]
    assert (trained["Config"]["User"], trained["HostConfig"]["ReadonlyRootfs"]) == ("8737", True)
    assert (trained["HostConfig"]["NanoCpus"], trained["HostConfig"]["Memory"]) == (10**9, 768 * 2**20)
    assert trained["HostConfig"]["Tmpfs"] == {"/dev/shm": "size=8388608,mode=1777"}
    assert {name for name, ran in pods.ran.items() if ran["HostConfig"]["NetworkMode"] != "none"} <= {"notify"}


def test_other_code_than_the_image_has_is_refused(project, engine, tmp_path):
    moved = project.copy(tmp_path / "project")
    model = moved.folder / "tiny" / "model.py"
    model.write_text(model.read_text().replace('answer or "brake"', '"go"'))
    cluster, pods = on_argo(moved, engine, tmp_path / "run")
    assert cluster.phase == "Failed"
    told = "\n".join(cluster.errors)
    assert f"the code in {WORKDIR} is {code.digest(project.folder / 'tiny')}" in told
    assert "build the image again" in told
    assert 1 in {ran["State"]["ExitCode"] for ran in pods.ran.values()}


# -- a round of improvement --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stumbles(tmp_path_factory):
    """Where a training leaves that its machine was lost once; the same place for every run."""
    return tmp_path_factory.mktemp("stumbles")


@pytest.fixture(scope="module")
def taught(project, stumbles, tmp_path_factory):
    """A loop whose mistakes have been found and labelled, so that its next run trains; and what that makes here."""
    found = replace(project.copy(tmp_path_factory.mktemp("again") / "project"), of="again", pipeline="improvement")
    text = found.spec.read_text().replace("IMAGE", f"'{project.name}'").replace("STUMBLES", str(stumbles))
    found.spec.write_text(text)
    (found.folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "again.yaml"\n')
    done = found.clspec("lock", "--image", project.lock["images"][project.name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert found.locally()[0] == 0
    done = found.clspec("label", "export", "queue.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    items = [json.loads(line) for line in (found.folder / "queue.jsonl").read_text().splitlines()]
    lines = [
        {"key": i["key"], "label": "brake" if i["data"]["gap"] < 20 else "go", "by": "ann", "at": NOW} for i in items
    ]
    (found.folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = found.clspec("label", "import", "labels.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    exit_code, made = found.copy(found.folder.parent / "mine").locally()
    assert exit_code == 0
    assert {("train-seed-2", "model"), ("promote", "promoted"), ("gate", "verdict")} <= set(made)
    return Case(found, passes=True, made=made)


@pytest.fixture
def stumbling(stumbles):
    """A machine that is lost once, with whoever trains there."""
    containers.open_to_all(stumbles)
    lost = stumbles / "stumbled"
    lost.unlink(missing_ok=True)
    yield lost
    lost.unlink(missing_ok=True)


def test_the_loop_on_kubeflow_in_containers(taught, engine, stumbling, tmp_path):
    ran = on_kubeflow(taught.project.copy(tmp_path / "project"), engine, tmp_path / "run", stumbling.parent)
    assert ran.ok, ran.told
    assert [found for _, found in ran.evaluated] == [True, True]
    assert ran.digests() == taught.made
    assert stumbling.exists(), "one of the seeds was tried twice"
    assert {"train-seed-1", "train-seed-2", "promote", "report", "notify", "conclude"} <= ran.steps
    assert "promoted: the webhook in HOOK was not told" in ran.told


def test_the_loop_on_argo_in_containers(taught, engine, hook, stumbling, tmp_path):
    theirs = taught.project.copy(tmp_path / "project")
    cluster, pods = on_argo(theirs, engine, tmp_path / "run", hook, more=(stumbling.parent,))
    assert kept(theirs, tmp_path / "run") == taught.made, cluster.errors
    assert cluster.phase == "Succeeded", cluster.errors
    assert set(cluster.phases.values()) == {"Succeeded"}
    assert stumbling.exists()
    assert {name: tries for name, tries in cluster.attempts.items() if tries > 1} == {"train-seed-2": 2}
    assert [message["event"] for message in Hook.heard] == ["promoted"]
    assert {ran["State"]["ExitCode"] for ran in pods.ran.values()} == {0}
