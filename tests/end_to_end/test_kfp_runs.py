"""What is emitted for Kubeflow runs in its own local runner, and makes what a local run makes, byte for byte."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import kubeflow_run
import pytest
import test_loop
import yaml

from clspec import api
from clspec.plan import Retry
from clspec_kfp import Options, backend
from clspec_local import artifacts

pytest.importorskip("kfp", reason="Kubeflow's SDK is not installed (extra `kfp`)")

DATA = Path(__file__).resolve().parents[1] / "data"
NOW = test_loop.NOW
IMAGE = "image: registry.example.com/loop@sha256:" + "0f" * 32
HOOK = "notify:\n  - {on_event: [gate_failed, run_failed], webhook_env: CLSPEC_TEST_HOOK, format: slack}\n"
LOCAL = """
import json, sys
from datetime import datetime
from clspec import api
spec, pipeline, as_of = sys.argv[1:]
outcome = api.run(spec, pipeline, as_of=datetime.fromisoformat(as_of))
outputs = {step: {name: str(path) for name, path in made.items()} for step, made in outcome.outputs.items()}
print(json.dumps([outcome.exit_code, outputs]))
"""


@dataclass
class Project:
    """A spec in a folder of its own."""

    folder: Path
    spec: str
    code: str

    def copy(self, folder):
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    @property
    def path(self):
        return self.folder / self.spec

    def plan(self):
        return api.plan(str(self.path))

    def locally(self, pipeline, now=NOW):
        """The exit code of a local run, and the digest of everything that it made."""
        words = [sys.executable, "-c", LOCAL, self.spec, pipeline, now]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        code, outputs = json.loads(done.stdout.splitlines()[-1])
        made = ((step, name, path) for step, named in outputs.items() for name, path in named.items())
        return code, {(step, name): artifacts.digest(Path(path)) for step, name, path in made}

    def on_kubeflow(self, pipeline, folder, plan=None, now=NOW):
        """The same pipeline as it is emitted, in Kubeflow's runner."""
        bundle = backend.emit(plan or self.plan(), Options())
        spec, *_ = yaml.safe_load_all(bundle[f"{pipeline}.yaml"])
        prepared = kubeflow_run.here(spec, self.folder / self.code, self.path.parent, now)
        return kubeflow_run.run(prepared, folder, {"store": str(self.folder / ".clspec/store")})


def locked(folder, name, code, *edits):
    """A project of the test data, whose data is pinned."""
    shutil.copytree(DATA / name, folder, ignore=shutil.ignore_patterns("__pycache__", "*.lock"))
    made = Project(folder, f"{name}.yaml", code)
    text = made.path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    made.path.write_text(text)
    (folder / "pyproject.toml").write_text(f'[tool.clspec]\nspec = "{name}.yaml"\n')
    return made


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    """Nobody listens there: the message does not arrive, and changes nothing."""
    monkeypatch.setenv("CLSPEC_TEST_HOOK", "http://127.0.0.1:9/hook")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    made = locked(
        tmp_path_factory.mktemp("tiny") / "project", "tiny", "tiny", ("golden:\n  dataset", HOOK + "golden:\n  dataset")
    )
    test_loop.clspec(made.folder, "lock")
    return made


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    edit = ("code: {root: loop}", f"code: {{root: loop, {IMAGE}, workdir: /app/loop}}")
    made = locked(
        tmp_path_factory.mktemp("loop") / "project", "loop", "loop", edit, ("promotion:\n", HOOK + "promotion:\n")
    )
    test_loop.fleet(made.folder, "a", 60)
    complaint = {"event": "a-e001-0", "right": "go", "written": "2026-05-01T12:00:00Z"}
    (made.folder / "data" / "complaints.jsonl").write_text(json.dumps(complaint) + "\n")
    test_loop.clspec(made.folder, "lock")
    return made


# -- a pipeline in a row -----------------------------------------------------------------------------------------------


def test_a_verdict_that_passes(tiny, tmp_path):
    mine = tiny.copy(tmp_path / "mine")
    ran = tiny.copy(tmp_path / "theirs").on_kubeflow("regression", tmp_path / "run")
    assert ran.ok, ran.told
    assert ran.evaluated == [["inputs.parameter_values['when'] == 'pass'", True]]
    code, made = mine.locally("regression")
    assert code == 0
    assert ran.digests() == made
    assert {"register", "conclude", "notify"} <= ran.steps


def edited(project, folder, old, new):
    """The same project with other code."""
    made = project.copy(folder)
    model = made.folder / made.code / "model.py"
    text = model.read_text()
    assert old in text
    model.write_text(text.replace(old, new))
    return made


NEVER_BRAKES = ('answer or "brake"', '"go"')
READS_MODEL = '    model = json.loads(Path(model_dir, "model.json")'
COUNTS = "    seen: defaultdict"


def test_a_verdict_that_fails_skips_what_hangs_on_it_and_ends_the_run(tiny, tmp_path):
    mine = edited(tiny, tmp_path / "mine", *NEVER_BRAKES)
    ran = edited(tiny, tmp_path / "theirs", *NEVER_BRAKES).on_kubeflow("regression", tmp_path / "run")
    code, made = mine.locally("regression")
    assert code == 1
    assert not ran.ok
    assert "the verdict is fail" in ran.told
    assert ran.evaluated == [["inputs.parameter_values['when'] == 'pass'", False]]
    assert ran.digests() == made
    assert "register" not in ran.steps
    assert "gate_failed: the webhook in CLSPEC_TEST_HOOK was not told" in ran.told
    assert "notify" in ran.steps


def test_a_step_that_fails_ends_the_run_and_the_exit_step_still_runs(tiny, tmp_path):
    raising = "    raise RuntimeError('no camera')\n" + READS_MODEL
    broken = edited(tiny, tmp_path / "broken", READS_MODEL, raising)
    ran = broken.on_kubeflow("regression", tmp_path / "run")
    assert not ran.ok
    assert "no camera" in ran.told
    assert {"gate", "report", "register"}.isdisjoint(ran.steps)
    assert "run_failed: the webhook in CLSPEC_TEST_HOOK was not told" in ran.told
    assert "notify" in ran.steps


def test_a_step_is_tried_again(tiny, tmp_path):
    place = tmp_path / "died"
    once = f"""\
    place = Path({str(place)!r})
    if not place.exists():
        place.touch()
        raise RuntimeError("once")
"""
    flaky = edited(tiny, tmp_path / "flaky", COUNTS, once + COUNTS)
    plan = flaky.plan()
    first, *others = plan.pipelines
    steps = tuple(replace(s, retry=Retry(times=1)) if s.kind.value == "train" else s for s in first.steps)
    ran = flaky.on_kubeflow(
        "regression", tmp_path / "run", replace(plan, pipelines=(replace(first, steps=steps), *others))
    )
    assert place.exists(), ran.told
    assert ran.ok, ran.told
    assert {"train-seed-1", "train-seed-2", "conclude"} <= ran.steps


# -- the loop ----------------------------------------------------------------------------------------------------------


def answered(project):
    """Label everything in the queue, as a person would."""
    exported = project.folder / "queue.jsonl"
    test_loop.clspec(project.folder, "label", "export", str(exported))
    items = [json.loads(line) for line in exported.read_text().splitlines()]
    assert items
    said = [
        {"key": i["key"], "label": test_loop.truth(i["data"]["light"], i["data"]["gap"]), "by": "ann", "at": NOW}
        for i in items
    ]
    labels = project.folder / "labels.jsonl"
    labels.write_text("\n".join(map(json.dumps, said)) + "\n")
    test_loop.clspec(project.folder, "label", "import", str(labels))


def test_the_loop_with_and_without_a_new_model(loop, tmp_path):
    mine, theirs = loop.copy(tmp_path / "mine"), loop.copy(tmp_path / "theirs")
    for project in (mine, theirs):
        (project.folder / "labels.jsonl").touch()
    ran = theirs.on_kubeflow("improvement", tmp_path / "without")
    assert ran.ok, ran.told
    assert ran.evaluated == [["inputs.parameter_values['when'] == 'yes'", False]]
    code, made = mine.locally("improvement")
    assert code == 0
    assert ran.digests() == made
    assert {"train-seed-1", "gate", "register", "promote"}.isdisjoint(ran.steps)
    assert "no new model" in ran.told

    for project in (mine, theirs):
        answered(project)
    ran = theirs.on_kubeflow("improvement", tmp_path / "with")
    assert ran.ok, ran.told
    assert [found for _, found in ran.evaluated] == [True, True]
    code, made = mine.locally("improvement")
    assert code == 0
    assert {"gate", "register", "promote", "report", "notify"} <= ran.steps
    assert ran.digests() == made
    assert "awaiting approval by safety-board" in ran.told


def test_the_regression_of_a_loop_whose_first_model_is_refused(loop, tmp_path):
    mine = loop.copy(tmp_path / "mine")
    ran = loop.copy(tmp_path / "theirs").on_kubeflow("regression", tmp_path / "run")
    code, made = mine.locally("regression")
    assert (code, ran.ok) == (1, False)
    assert ran.digests() == made
    assert os.path.commonpath([ran.path("gate", "verdict"), tmp_path]) == str(tmp_path)
