"""Secrets that steps are given appear nowhere: not in what is printed, kept, reported or written into the store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clspec import api

DATA = Path(__file__).resolve().parents[1] / "data"
NOW = "2026-05-02T00:00:00Z"
GIVEN = ("HUB_TOKEN", "MODEL_TOKEN", "TEACHER_TOKEN", "HOOK")
OTHERS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "PGPASSWORD",
    "ARGO_TOKEN",
    "GITHUB_TOKEN",
    "CLSPEC_CLUSTER_TOKEN",
    *(f"UNTOLD_{number}" for number in range(8)),
)
CANARIES = {name: f"canary-{number:02}-{'s3cr3t' * 3}" for number, name in enumerate((*GIVEN, *OTHERS))}
USES = """
def use(variable):
    token = os.environ[variable]
    assert token, "the secret has arrived"
    assert not [name for name in os.environ if name.startswith("UNTOLD")], "and no other"
    if Path(FAILS, variable).exists():
        raise RuntimeError("no camera")


def train(data, validation, model_dir, seed, stumbles):
    if seed == 2:
        use("HUB_TOKEN")
    return learn(data, validation, model_dir, seed, stumbles)


def predict(data, model_dir):
    use("MODEL_TOKEN")
    return model.predict(data, model_dir)


def label(data):
    use("TEACHER_TOKEN")
    return teacher.label(data)
"""
PLACES = (
    ("  params: {stumbles: STUMBLES}\n", "  params: {stumbles: nowhere}\n  secrets: [{env: HUB_TOKEN}]\n"),
    ('{entrypoint: "model:predict"}', '{entrypoint: "again:predict", secrets: [{env: MODEL_TOKEN}]}'),
    (
        "  labelling: ",
        '  auto_label: {entrypoint: "again:label", columns: {sure: double}, accept_if: "sure > 0.9"}\n  labelling: ',
    ),
    ('"sure > 0.9"}', '"sure > 0.9", audit_rate: 0.2, secrets: [{env: TEACHER_TOKEN}]}'),
    (", image: IMAGE, workdir: /app/tiny", ""),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canaries") / "project"
    shutil.copytree(DATA / "tiny" / "tiny", folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(DATA / "loop" / "loop" / "teacher.py", folder / "tiny")
    code = (DATA / "again" / "again.py").read_text().replace("import model\n", "import model\nimport teacher\n")
    code = code.replace("def train(", "def learn(")
    (folder / "fails").mkdir()
    (folder / "tiny" / "again.py").write_text(code + USES.replace("FAILS", repr(str(folder / "fails"))))
    text = (DATA / "again" / "again.yaml").read_text()
    for old, new in PLACES:
        assert old in text
        text = text.replace(old, new)
    (folder / "again.yaml").write_text(text)
    (folder / "pyproject.toml").write_text('[tool.clspec]\nspec = "again.yaml"\n')
    ran(folder, "lock", expected=0)
    return folder


def ran(folder, *words, expected):
    surroundings = {**os.environ, **CANARIES, "HOOK": f"http://127.0.0.1:9/{CANARIES['HOOK']}"}
    words = [sys.executable, "-m", "clspec", *words]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=surroundings)
    said = done.stdout + done.stderr
    assert done.returncode == expected, said
    assert [name for name, canary in CANARIES.items() if canary in said] == []
    return said


def leaks(folder):
    """The files below a folder that hold a secret, and how many were looked at."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [
        (path, name) for path in files for name, canary in CANARIES.items() if canary.encode() in path.read_bytes()
    ]
    return found, len(files)


def run(folder, pipeline, expected):
    words = ("run", "--local", "--pipeline", pipeline, "--as-of", NOW, "--jobs", "2")
    said = ran(folder, *words, expected=expected)
    found, looked = leaks(folder)
    assert found == []
    assert looked > 20
    return said


def test_every_kind_that_is_given_a_secret_is_run_here(project):
    kinds = {
        step.kind.value for p in api.plan(str(project / "again.yaml")).pipelines for step in p.steps if step.secrets
    }
    assert kinds == {"train", "predict", "auto_label", "notify"}


def test_no_secret_is_shown_or_kept(project):
    """First where the code that was told them fails, of which the logs show where, then where it does not."""
    assert len(CANARIES) == 20
    for pipeline, variable in (
        ("regression", "HUB_TOKEN"),
        ("regression", "MODEL_TOKEN"),
        ("improvement", "TEACHER_TOKEN"),
    ):
        (project / "fails" / variable).touch()
        shown = logs(project, run(project, pipeline, 3))
        assert f'use("{variable}")' in shown
        (project / "fails" / variable).unlink()
    assert "gate_failed: the webhook in HOOK was not told" in logs(project, run(project, "regression", 1))
    run(project, "improvement", 0)


def test_a_canary_would_be_found(project):
    planted = project / ".clspec" / "planted.log"
    planted.write_text(f"token {CANARIES['HUB_TOKEN']}")
    try:
        assert leaks(project)[0] == [(planted, "HUB_TOKEN")]
    finally:
        planted.unlink()


def logs(folder, said):
    """What was said, and the logs of all steps."""
    return said + "".join(path.read_text() for path in (folder / ".clspec" / "runs").rglob("*.log"))
