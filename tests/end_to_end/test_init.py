"""`clspec init`: what it writes runs at once, and nothing that was there is touched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clspec import api, starting
from clspec.cli import commands
from clspec.diagnostic import StepFailed, UsageError

WRITTEN = [
    ".github/workflows/clspec.yml",
    ".gitignore",
    "clspec.lock",
    "clspec.yaml",
    "learning/data.py",
    "learning/model.py",
    "tests/test_clspec.py",
]


def call(folder, *command):
    """A command as one types it, with this environment's programs first."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def clspec(folder, *words):
    return call(folder, sys.executable, "-m", "clspec", *words)


def git(folder, *words):
    done = call(folder, "git", *words)
    assert done.returncode == 0, done.stderr


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(
        str(path.relative_to(folder)) for path in found if not {".git", ".clspec", "__pycache__"} & {*path.parts}
    )


def test_in_an_empty_folder_it_runs_at_once(tmp_path):
    folder = tmp_path / "Pump House 2"
    done = clspec(tmp_path, "init", "Pump House 2")
    assert done.returncode == 0, done.stderr
    assert "cd 'Pump House 2' && clspec run --local\n" in done.stdout
    assert files(folder) == WRITTEN
    assert clspec(folder, "check").stdout == "clspec.yaml: no problems\n"
    assert yaml.safe_load((folder / "clspec.yaml").read_text())["metadata"]["name"] == "pump-house-2"
    ran = clspec(folder, "run", "--local")
    assert (ran.returncode, "verdict: pass" in ran.stdout) == (0, True), ran.stderr
    assert "warning" not in ran.stderr
    tested = call(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "3 passed" in tested.stdout, tested.stdout
    again = clspec(folder, "init")
    assert again.returncode == 2
    assert "nothing is overwritten:\n  clspec.yaml\n" in again.stderr


def test_in_a_project_it_fits_in_and_touches_nothing(tmp_path):
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "config", "user.email", "ada@example.com")
    git(tmp_path, "config", "user.name", "Ada")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "pumps"\nversion = "1"\nrequires-python = ">=3.12"\n\n[tool.pytest.ini_options]\n'
        'filterwarnings = ["error"]\n'
    )
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_other.py").write_text("def test_it(): assert True\n")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    done = clspec(tmp_path, "init")
    assert done.returncode == 0, done.stderr
    assert "note: add `.clspec/` and `build/` to .gitignore" in done.stdout
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert set(files(tmp_path)) == {*before, *WRITTEN}
    assert yaml.safe_load((tmp_path / "clspec.yaml").read_text())["metadata"]["owners"] == ["ada@example.com"]
    workflow = yaml.load((tmp_path / ".github/workflows/clspec.yml").read_text(), Loader=yaml.BaseLoader)
    assert workflow["on"]["push"] == {"branches": ["trunk"]}
    steps = workflow["jobs"]["regression"]["steps"]
    assert steps[1]["with"] == {"python-version": "3.12"}
    assert [step["run"] for step in steps if step.get("run", "").startswith("pip")] == [
        "pip install 'clspec[run]' pytest -e \".\""
    ]
    assert clspec(tmp_path, "check").returncode == 0
    tested = call(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not golden")
    assert "3 passed, 1 deselected" in tested.stdout, tested.stdout
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "begin")
    assert clspec(tmp_path, "diff").returncode == 0


def test_every_command_of_the_workflow_is_one_that_there_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = starting.started(tmp_path)
    text = made.texts[tmp_path / ".github/workflows/clspec.yml"]
    runs = [line.partition("run: ")[2] for line in text.splitlines() if "run: clspec " in line]
    assert len(runs) == 3
    for command in runs:
        words = command.replace('"origin/$GITHUB_BASE_REF"', "origin/main").split()[1:]
        from clspec.cli.arguments import parser

        assert parser().parse_args(words).verb == words[0]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Pump House", "pump-house"), ("2024_pumps", "pumps"), ("...", "model"), ("é", "model"), ("a" * 60, "a" * 50)],
)
def test_the_name_is_the_folders_in_the_form_of_a_name(folder, name, tmp_path):
    made = starting.started(tmp_path / folder)
    spec = yaml.safe_load(made.texts[made.folder / "clspec.yaml"])
    assert spec["metadata"]["name"] == name


def test_below_a_repository_the_workflow_goes_to_its_root(tmp_path, monkeypatch, capsys):
    git(tmp_path, "init", "-q")
    (tmp_path / "models" / "pumps").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "models" / "pumps")
    assert commands.run(["init"]) == 0
    assert "clspec run --local clspec.yaml\n" in capsys.readouterr().out
    workflow = yaml.safe_load((tmp_path / ".github/workflows/clspec-pumps.yml").read_text())
    assert workflow["defaults"]["run"]["working-directory"] == "models/pumps"
    assert api.check("clspec.yaml").diagnostics == ()


@pytest.mark.parametrize(
    "there", ["clspec.yaml", "learning", "learning/data.py", "tests/test_clspec.py", "clspec.lock"]
)
def test_where_anything_is_there_nothing_is_written(there, tmp_path):
    place = tmp_path / there
    place.parent.mkdir(exist_ok=True)
    place.mkdir() if there == "learning" else place.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="nothing is overwritten"):
        api.init(str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before
    assert there == "learning" or place.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path):
    (tmp_path / "clspec.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="nothing is overwritten"):
        api.init(str(tmp_path))
    assert not (tmp_path / "elsewhere").exists()


def test_a_beginning_that_fails_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "tests").write_text("a file where a folder is needed")
    with pytest.raises(UsageError, match="nothing was written"):
        api.init(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]
    monkeypatch.setattr(api, "lock", lambda path: (_ for _ in ()).throw(StepFailed(path)))
    with pytest.raises(StepFailed):
        api.init(str(tmp_path / "new" / "project"))
    assert [path.name for path in tmp_path.iterdir()] == ["tests"]


def test_there_is_no_force(capsys):
    with pytest.raises(SystemExit):
        commands.run(["init", "--force"])
    assert "--force" in capsys.readouterr().err


def test_owners_and_branches_that_would_break_the_files_are_left_out(tmp_path):
    git(tmp_path, "init", "-q", "-b", "ma'in}")
    git(tmp_path, "config", "user.email", 'x"y@example.com')
    made = starting.started(tmp_path)
    assert "owners" not in yaml.safe_load(made.texts[tmp_path / "clspec.yaml"])["metadata"]
    workflow = yaml.load(made.texts[tmp_path / ".github/workflows/clspec.yml"], Loader=yaml.BaseLoader)
    assert workflow["on"]["push"]["branches"] == ["main"]
    assert json.dumps(workflow)
