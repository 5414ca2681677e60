"""`clspec new-backend` makes what passes the contract on its first day; docs/adding-a-backend.md takes it further."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from clspec import scaffold

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-backend.md").read_text(encoding="utf-8")
PYTEST = "python -m pytest"
INSTALL = "pip install --editable '.[dev]'"


@dataclass
class Place:
    """A folder with the distribution in it, and a copy of the examples beside."""

    folder: Path
    name: str = "acme"

    @property
    def distribution(self):
        return self.folder / f"clspec-{self.name}"

    def shell(self, command, folder=None):
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        known = os.pathsep.join([str(self.distribution), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PATH": tools, "PYTHONPATH": known, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        words = ["sh", "-c", command]
        return subprocess.run(
            words, cwd=folder or self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def install(self):
        """What `pip install --editable .` leaves, without the network: the metadata beside the package."""
        project = tomllib.loads((self.distribution / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        about = self.distribution / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        about.mkdir()
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (about / "METADATA").write_text(head, encoding="utf-8")
        offered = project["entry-points"]["clspec.backends"]
        lines = ["[clspec.backends]", *(f"{name} = {value}" for name, value in offered.items())]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def replace(self, path, old, new):
        file = self.distribution / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has not exactly once:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    shutil.copytree(ROOT / "specs", tmp_path / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    return Place(tmp_path)


# -- the first day -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acme", "my-own-cloud2"])
def test_it_passes_the_contract_on_its_first_day(tmp_path, name):
    place = Place(tmp_path, name)
    made = place.shell(f"clspec new-backend {name}")
    assert made.returncode == 0, made.stderr
    files = sorted(p.relative_to(tmp_path).as_posix() for p in place.distribution.rglob("*") if p.is_file())
    assert sorted(made.stdout.split("\n\n")[0].splitlines()) == files
    assert len(files) == 11
    for file in files:
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert not re.search(r"@\w+@", text), file
    assert f'{name} = "clspec_{name.replace("-", "_")}:backend"' in (place.distribution / "pyproject.toml").read_text()
    place.install()
    targets = place.shell("clspec targets")
    assert targets.returncode == 0, targets.stdout
    assert f"{name}  (from clspec-{name} 0.1.0)\n" in targets.stdout
    tested = place.shell(f"{PYTEST} -q -rs -p no:cacheprovider", place.distribution)
    assert tested.returncode == 0, tested.stdout
    assert "failed" not in tested.stdout
    skipped = re.findall(r"the target refuses the plan `([\w-]+)`", tested.stdout)
    assert set(skipped) == {"condition", "secrets", "regression"}, "it skips what it declares and refuses"


def test_a_spec_that_needs_more_is_refused_with_its_place(place):
    scaffold.make("acme", place.distribution)
    place.install()
    ended = place.shell("clspec compile specs/robotaxi.yaml -t acme -o out")
    assert ended.returncode == 2
    assert "error[CLS508]: step `register` has a condition, and target `acme` knows none yet" in ended.stderr
    assert "`clspec targets` lists what `acme` cannot; `clspec run --local` and other targets can" in ended.stderr
    assert not (place.folder / "out").exists()


@pytest.mark.parametrize(
    "name", ["", "Acme", "a_b", "1a", "-a", "a-", "a--b", "a b", "../a", "a/b", "é", "x" * 41, "a\n"]
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(scaffold.UsageError, match="can be no target"):
        scaffold.make(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_as_it_is(tmp_path):
    place = Place(tmp_path)
    for name, said in (("kfp", "there is a target `kfp` already"), ("schema", "there is a package `clspec_schema`")):
        ended = place.shell(f"clspec new-backend {name}")
        assert (ended.returncode, said in ended.stderr, ended.stdout) == (2, True, "")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my own")
    ended = place.shell("clspec new-backend acme --out mine")
    assert (ended.returncode, ended.stderr) == (
        2,
        "clspec: mine is there already, and is left as it is: name another place with --out\n",
    )
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "README.md"]
    (tmp_path / "empty").mkdir()
    assert place.shell("clspec new-backend acme --out empty").returncode == 0
    assert (tmp_path / "empty" / "clspec_acme" / "emit.py").exists()
    (tmp_path / "file").write_text("")
    assert place.shell("clspec new-backend acme --out file/deeper").returncode == 2
    assert place.shell("clspec new-backend acme --out file").returncode == 2
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


# -- the page ----------------------------------------------------------------------------------------------------

_FENCE = r"```{}\n(.*?)^```$\n"
_TOKEN = re.compile(
    r"(?P<edit>^In `(?P<edited>[^`]+)`, |^)?(?:and )?instead of\n\n"
    + _FENCE.format("py").replace("(", "(?P<old>", 1)
    + r"\nwrite(?: nothing|\n\n"
    + _FENCE.format("py").replace("(", "(?P<new>", 1)
    + r")"
    + r"|^`(?P<file>[^`\n]+)`\n\n"
    + _FENCE.format("python").replace("(", "(?P<text>", 1)
    + r"|"
    + "^"
    + _FENCE.format("console").replace("(", "(?P<commands>", 1),
    re.MULTILINE | re.DOTALL,
)


def changes():
    """What the page does, in its order: `(edit, path, old, new)`, `(file, path, text)` and `(run, command)`."""
    path = ""
    for found in _TOKEN.finditer(PAGE):
        path = found["edited"] or path
        if found["old"] is not None:
            yield "edit", path, found["old"], found["new"] or ""
        elif found["file"]:
            yield "file", found["file"], found["text"]
        else:
            for line in found["commands"].splitlines():
                yield "run", line.removeprefix("$ ")


def test_every_block_of_the_page_is_a_change_or_a_command():
    kinds = [change[0] for change in changes()]
    blocks = len(re.findall(r"^```(?:py|python|console)$", PAGE, re.MULTILINE))
    edits = [change for change in changes() if change[0] == "edit"]
    consoles = len(re.findall(r"^```console$", PAGE, re.MULTILINE))
    assert sum(2 if change[3] else 1 for change in edits) + kinds.count("file") + consoles == blocks
    assert len(edits) >= 18


def test_the_page_leads_to_a_backend_that_keeps_more_of_the_contract(place):
    folder, told = place.folder, {}
    for kind, *said in changes():
        if kind == "edit":
            place.replace(*said)
        elif kind == "file":
            (place.distribution / said[0]).write_text(said[1], encoding="utf-8")
        elif said[0].startswith("cd "):
            folder = place.folder / said[0].removeprefix("cd ")
            shutil.move(place.folder / "specs", folder / "specs")
        elif said[0] == INSTALL:
            place.install()
        else:
            command, _, expected = said[0].partition("   # exit code ")
            ended = place.shell(command, folder)
            assert ended.returncode == int(expected or 0), f"{command}\n{ended.stdout}\n{ended.stderr}"
            told.setdefault(command, []).append(ended.stdout + ended.stderr)
    tests = told[PYTEST]
    passed = [int(re.search(r"(\d+) passed", text)[1]) for text in tests]
    assert passed == sorted(passed)
    assert len(tests) == 4
    assert "skipped" in tests[0]
    assert "skipped" not in tests[-1]
    assert "option --set python=str (default: 'python')" in told["clspec targets"][-1]
    first = json.loads((folder / "build/conditions/regression.json").read_text())
    assert not (folder / "build/conditions/improvement.json").exists()
    assert {c["step"]: c.get("when") for c in first["commands"]}["register"] == {
        "file": "gate/outcome",
        "holds": "pass",
    }
    last = json.loads((folder / "build/options/improvement.json").read_text())
    assert {c["command"][0] for c in last["commands"]} == {"python3.12"}
    assert [c["step"] for c in last["commands"] if c.get("always")] == ["notify"]
    regression = json.loads((folder / "build/options/regression.json").read_text())
    (folder / "wrong.json").write_text(json.dumps(regression | {"commands": regression["commands"][1:]}, indent=2))
    for text, said in ((None, "reads from `pin`, which no command before it is"), ("a: 1\n", "no list of commands")):
        if text:
            (folder / "wrong.json").write_text(text)
        ended = place.shell("clspec lint-manifest -t acme wrong.json", folder)
        assert (ended.returncode, said in ended.stdout) == (1, True)


def test_the_list_that_the_page_ends_with_runs_to_the_verdict(place):
    """Run by what its docstring asks of a runner, it means the same as a local run."""
    for kind, *said in changes():
        if kind == "edit":
            place.replace(*said)
        elif kind == "file":
            (place.distribution / said[0]).write_text(said[1], encoding="utf-8")
        elif said[0].startswith("clspec new-backend"):
            scaffold.make("acme", place.distribution)
            place.install()
    shutil.copytree(ROOT / "tests" / "data" / "tiny", place.folder / "project")
    assert place.shell("clspec compile project/tiny.yaml -t acme -o out").returncode == 0
    document = json.loads((place.folder / "out" / "regression.json").read_text())
    tiny, work = place.folder / "project", place.folder / "work"
    ran, failed = [], False
    for entry in document["commands"]:
        (work / entry["step"]).mkdir(parents=True)
        when = entry.get("when")
        if (failed and not entry.get("always")) or (when and (work / when["file"]).read_text() != when["holds"]):
            continue
        words = entry["command"] + [
            "--store",
            str(place.folder / "store"),
            "--code",
            str(tiny / "tiny"),
            "--folder",
            str(tiny),
        ]
        ended = subprocess.run([sys.executable, *words[1:]], cwd=work, capture_output=True, text=True, check=False)
        failed = failed or ended.returncode != 0
        ran.append(entry["step"])
    assert not failed, ended.stderr
    assert ran[-1] == "conclude"
    assert "register" in ran
    assert (work / "gate" / "outcome").read_text() == "pass"
