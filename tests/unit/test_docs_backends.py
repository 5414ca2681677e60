"""docs/backends.md is true: its distribution is laid out, found, compiled with, run, and keeps the contract."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:^`([^`\n]+)`\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = "pip install --editable ."


def blocks():
    """What the page shows: files by their name, and commands in their order."""
    files, commands = {}, []
    for name, language, text in BLOCK.findall(PAGE):
        if language == "console":
            commands += [line.removeprefix("$ ") for line in text.splitlines()]
        else:
            assert name, f"a block that is neither a file nor commands:\n{text}"
            files[name] = text
    return files, commands


@dataclass
class Distribution:
    """The distribution of the page in a folder, beside a copy of the example."""

    folder: Path

    def shell(self, command, **variables):
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self):
        """What `pip install --editable .` leaves, without the network: the metadata beside the module."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        about = self.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        about.mkdir()
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (about / "METADATA").write_text(head, encoding="utf-8")
        lines = [
            line
            for group, entries in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
        ]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def edit(self, old, new):
        module = self.folder / "clspec_shell.py"
        text = module.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        module.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def distribution(tmp_path):
    for name, text in blocks()[0].items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "specs", tmp_path / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    return Distribution(tmp_path)


def test_every_block_of_the_page_is_used():
    files, commands = blocks()
    assert set(files) == {"pyproject.toml", "clspec_shell.py", "tests/test_contract.py"}
    assert commands[0] == INSTALL
    assert len(BLOCK.findall(PAGE)) * 2 == len(re.findall("^```", PAGE, re.MULTILINE))


def test_every_command_of_the_page_works(distribution):
    _, commands = blocks()
    said = {}
    for command in commands:
        if command == INSTALL:
            distribution.install()
            continue
        ended = distribution.shell(command)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        said[command] = ended.stdout + ended.stderr
    assert "shell  (from clspec-shell 0.1.0)\n" in said["clspec targets"]
    assert "  option --set python=str (default: 'python')\n" in said["clspec targets"]
    compiled = next(text for command, text in said.items() if command.startswith("clspec compile"))
    assert "build/shell/regression.sh\n" in compiled
    assert "a script does not keep `gpu`" in compiled
    script = (distribution.folder / "build" / "shell" / "regression.sh").read_text(encoding="utf-8")
    assert script.count("python3 -m clspec.step") == 17
    last = said[commands[-1]]
    assert " passed" in last
    assert "failed" not in last
    assert "skipped" not in last
    assert sorted(p.name for p in (distribution.folder / "tests" / "goldens").iterdir()) == [
        "regression",
        "single-step",
    ]


@pytest.mark.parametrize("good", [True, False], ids=["passes", "fails"])
def test_its_script_runs_to_the_verdict(distribution, good):
    distribution.install()
    tiny = Path(shutil.copytree(ROOT / "tests" / "data" / "tiny", distribution.folder / "project"))
    if not good:
        model = tiny / "tiny" / "model.py"
        text = model.read_text(encoding="utf-8")
        assert 'answer or "brake"' in text
        model.write_text(text.replace('answer or "brake"', '"go"'), encoding="utf-8")
    assert distribution.shell("clspec compile project/tiny.yaml -t shell -o run").returncode == 0
    ended = distribution.shell(
        "cd run && sh regression.sh", CODE=str(tiny / "tiny"), SPEC=str(tiny), STORE=str(tiny / "s")
    )
    assert ended.returncode == (0 if good else 1), ended.stderr
    assert ended.stdout.split()[-1] == "conclude"
    assert ("register" in ended.stdout.split()) is good
    assert (distribution.folder / "run" / "gate" / "outcome").read_text() == ("pass" if good else "fail")


END = '    return "\\n".join(lines) + "\\n"\n'


def comment(value):
    """The end of a script, with a comment that holds a value."""
    return f'    lines.append(f"# {{{value}}}")\n{END}'


SLIPS = {
    "a hash decides the order": (
        "for step in graph.order(pipeline):",
        "for step in sorted(graph.order(pipeline), key=lambda step: hash(step.id)):",
        "nothing_of_this_machine",
    ),
    "the host": ("#!/bin/sh\n", "#!/bin/sh\n# from {__import__('socket').gethostname()}\n", "nothing_of_this_machine"),
    "the date": (END, comment("__import__('datetime').date.today()"), "nothing_of_this_machine"),
    "the user": (END, comment("__import__('getpass').getuser()"), "nothing_of_this_machine"),
    "the place": (END, comment("__import__('os').getcwd()"), "nothing_of_this_machine"),
    "the process": (END, comment("__import__('os').getpid()"), "nothing_of_this_machine"),
    "a random number": (END, comment("__import__('random').random()"), "same_bytes"),
    "a heavy import": ("from shlex import quote\n", "from shlex import quote\nimport networkx\n", "nothing_heavy"),
    "a path that leads out": ('{f"{pipeline.name}.sh": ', '{f"../{pipeline.name}.sh": ', "paths_are_safe"),
    "an absolute path": ('{f"{pipeline.name}.sh": ', '{f"/{pipeline.name}.sh": ', "paths_are_safe"),
    "a carriage return": ("set -eu\n", "set -eu\\r\n", "paths_are_safe"),
    "a lost step": (
        "for step in graph.order(pipeline):",
        "for step in graph.order(pipeline)[1:]:",
        "every_step_and_edge",
    ),
    "a wrong order": (
        "for step in graph.order(pipeline):",
        "for step in reversed(graph.order(pipeline)):",
        "every_step_and_edge",
    ),
    "a lost edge": ("for given in step.inputs)", "for given in step.inputs[:1])", "every_step_and_edge"),
    "a lost condition": (
        "        if step.when:\n            lines.append(f'if",
        "        if False:\n            lines.append(f'if",
        "every_step_and_edge",
    ),
    "two pipelines in one file": ('{f"{pipeline.name}.sh": ', '{"run.sh": ', "every_step_and_edge"),
    "quotes by hand": ("--config {quote(step.config)}", "--config '{step.config}'", "hostile_texts"),
    "any word in a condition": ("not step.when.equals.isalnum()", "False", "hostile_texts"),
    "a hint in silence": ('"gpu", ', "", "nothing_is_dropped_in_silence[gpu]"),
    "a trigger in silence": ("for trigger in pipeline.triggers:", "for trigger in ():", "every_start"),
    "a step that always runs in silence": (
        '[*left_out(plan, "shell")]',
        "[]",
        "what_is_left_out_is_reported[always]",
    ),
    "a branch in silence": ('[*left_out(plan, "shell")]', "[]", "what_is_left_out_is_reported[optional]"),
    "a judgement that passes nothing": (
        "\n\ndef problems(plan,",
        "\n    def lint(self, text, path):\n        return []\n\n\ndef problems(plan,",
        "lint_takes_what_is_emitted",
    ),
    "a retry in silence": ('["retry"] * bool(step.retry.times)', "[]", "nothing_is_dropped_in_silence[retry]"),
    "a code of its own": (
        "        return found\n",
        "        import dataclasses\n        return [dataclasses.replace(one, code='SHELL1') for one in found]\n",
        "diagnostics_can_be_looked_up",
    ),
    "another file's path": (
        'place = {"path": plan.spec,',
        'place = {"path": "spec.yaml",',
        "diagnostics_can_be_looked_up",
    ),
    "a refusal of everything": ("> 131_000", "> 1", "takes_what_it_supports"),
    "options that change": ("@dataclass(frozen=True)", "@dataclass", "options_are_a_frozen"),
    "an option that no text can be": ('python: "str"', 'python: "list"', "options_are_a_frozen"),
    "a plan that is changed": (
        "    def emit(self, plan, options):\n",
        "    def emit(self, plan, options):\n        object.__setattr__(plan, 'name', 'mine')\n",
        "stays_as_it_is",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_the_contract_notices(distribution, slip):
    old, new, noticed = SLIPS[slip]
    distribution.edit(old, new)
    distribution.install()
    chosen = noticed.partition("[")[0]
    ended = distribution.shell(
        f"python -m pytest -q -p no:cacheprovider tests -k '{chosen}'", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )
    assert ended.returncode == 1, ended.stdout
    assert re.search(f"^FAILED .*{re.escape(noticed)}", ended.stdout, re.MULTILINE), ended.stdout


def test_a_declared_limit_is_expected_and_an_undeclared_one_is_not(distribution):
    distribution.edit("not step.when.equals.isalnum()", "True")
    distribution.install()
    command = "python -m pytest -q -p no:cacheprovider tests -k 'takes_what_it_supports'"
    ended = distribution.shell(command, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert sorted(re.findall(r"^FAILED .*\[([-\w]+)\]", ended.stdout, re.MULTILINE)) == ["condition", "regression"]
    contract = distribution.folder / "tests" / "test_contract.py"
    old = "(BackendContract):\n"
    contract.write_text(contract.read_text().replace(old, old + "    supports_conditions = False\n"))
    ended = distribution.shell(command, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert ended.returncode == 0, ended.stdout
