"""The hello example of docs/entry-points.md: it is what the page shows, and it runs from end to end."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clspec import api
from clspec.check.entrypoints import PREDICT, TRAIN

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "tests/data/hello"
PAGE = (ROOT / "docs/entry-points.md").read_text(encoding="utf-8")
SPECS = ["hello", "hello-command"]


@pytest.fixture
def project(tmp_path):
    """The example as a newcomer would have it: copied into a folder of its own."""
    folder = tmp_path / "project"
    shutil.copytree(HELLO, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("")
    return folder


def call(project, *command):
    """A command as one types it, with this environment's programs first."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=project, env={**os.environ, "PATH": programs}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SPECS)
def test_it_has_no_problem_but_the_missing_lock(project, name):
    assert {found.code for found in api.check(str(project / f"{name}.yaml")).diagnostics} == {"CLS601"}
    call(project, "clspec", "lock", f"{name}.yaml")
    assert api.check(str(project / f"{name}.yaml")).diagnostics == ()


def test_it_runs_with_clspec_run_and_commands_make_the_model_that_functions_make(project):
    models = []
    for name in SPECS:
        call(project, "clspec", "lock", f"{name}.yaml")
        assert "verdict: pass" in call(project, "clspec", "run", "--local", f"{name}.yaml")
        models += [
            record.parent.parent.name for record in (project / "store" / name / "models").glob("*/records/*.json")
        ]
    assert len(models) == 2
    assert len(set(models)) == 1


def test_it_runs_as_a_plain_program(project):
    """Each step by the step program alone, its paths relative: the engine has no part in it."""
    call(project, "clspec", "lock", "hello-command.yaml")
    call(project, "clspec", "compile", "hello-command.yaml", "--target", "local", "-o", "out")
    said = call(project, "python", "out/regression.py", "--code", "code", "--folder", ".", "--work", "work")
    assert ": registered" in said
    assert json.loads((project / "work/gate/verdict").read_text())["verdict"] == "pass"
    answers = pq.read_table(project / "work/predict-seed-2/predictions")
    assert (len(answers), set(answers.column_names)) == (240, {"id", "said", "belief"})
    report = json.loads((project / "work/report/report/report.json").read_text())
    assert report["examples"]["1"] == {"melons": {"scenario": [], "guard": []}}


def test_the_page_shows_the_example_as_it_is():
    blocks = re.findall(r"```(?:yaml|python)\n(.*?)```", PAGE, re.DOTALL)
    for name in ("hello.yaml", "code/fruit.py", "code/commands.py"):
        text = (HELLO / name).read_text(encoding="utf-8")
        shown = "".join(line for line in text.splitlines(keepends=True) if "yaml-language-server" not in line)
        assert any(block.strip() == shown.removeprefix("#\n").strip() for block in blocks), name
    with_commands = (HELLO / "hello-command.yaml").read_text(encoding="utf-8")
    for line in next(block for block in blocks if "command: [python" in block).strip().splitlines():
        assert line.strip() in with_commands, line


def test_the_page_names_every_argument():
    for name in (*TRAIN, *PREDICT):
        assert f"`{name}`" in PAGE
    for placeholder in ("{data}", "{validation}", "{model_dir}", "{seed}", "{params.NAME}", "{out}"):
        assert f"`{placeholder}`" in PAGE
