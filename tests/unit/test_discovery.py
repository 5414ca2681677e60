"""Backends of other distributions: found, and named when they cannot be used; nobody else suffers from them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLSPEC = Path(sys.executable).with_name("clspec")
BUILT_IN = ("argo", "kfp", "local")

SOUND = """\
from __future__ import annotations

import dataclasses
from clspec.backend import API_VERSION, Capabilities


@dataclasses.dataclass(frozen=True)
class Options:
    tint: str = "grey"


class Backend:
    name = "tiny"
    api_version = API_VERSION
    options = Options
    capabilities = Capabilities(can=("say hello",), cannot=("say goodbye",))

    def check(self, plan, options):
        return ()

    def emit(self, plan, options):
        return {"hello.txt": f"{plan.name} in {options.tint}\\n"}


backend = Backend()
"""


def install(  # noqa: PLR0913  # what a distribution says
    site, distribution, code, *, name="tiny", value="{module}:backend", version="0.3"
):
    """A distribution as an installer leaves it: its module, and what it says about itself."""
    module = distribution.replace("-", "_")
    (site / f"{module}.py").write_text(code)
    about = site / f"{module}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(f"[clspec.backends]\n{name} = {value.format(module=module)}\n")


def clspec(site, *arguments):
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        [CLSPEC, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def listed(text):
    """What `clspec targets` says about each target."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.split()[0]
            found[name] = ""
        found[name] += line + "\n"
    return found


def test_a_sound_one_is_listed_and_compiles(tmp_path):
    install(tmp_path, "clspec-tiny", SOUND)
    ended = clspec(tmp_path, "targets")
    assert (ended.returncode, ended.stderr) == (0, "")
    found = listed(ended.stdout)
    assert set(found) == {*BUILT_IN, "tiny"}
    assert found["tiny"].splitlines() == [
        "tiny  (from clspec-tiny 0.3)",
        "  can    say hello",
        "  cannot say goodbye",
        "  option --set tint=str (default: 'grey')",
    ]
    out = tmp_path / "out"
    ended = clspec(tmp_path, "compile", "specs/robotaxi.yaml", "-t", "tiny", "--set", "tint=red", "-o", out)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (out / "hello.txt").read_text() == "robotaxi-perception in red\n"


def broken(old="", new="", **more):
    assert old in SOUND
    return (SOUND.replace(old, new, 1) if old else SOUND), more


UNUSABLE = {
    "raises": (("import this_is_nowhere\n", {}), "cannot be imported from `clspec_tiny:backend`: ModuleNotFoundError"),
    "syntax": (("def\n", {}), "cannot be imported from `clspec_tiny:backend`: SyntaxError"),
    "exits": (("import sys\nsys.exit(0)\n", {}), "cannot be imported from `clspec_tiny:backend`: SystemExit(0)"),
    "lacks": (broken("backend = Backend()", ""), "cannot be imported from `clspec_tiny:backend`: AttributeError"),
    "points nowhere": (broken(value="clspec_tiny_gone:backend"), "cannot be imported from `clspec_tiny_gone:backend`"),
    "older": (broken("= API_VERSION", "= 0"), "speaks backend protocol 0, this clspec speaks 1"),
    "newer": (broken("= API_VERSION", "= 2"), "speaks backend protocol 2, this clspec speaks 1"),
    "text": (broken("= Backend()", "= 'tiny'"), "is not a backend: str has no `api_version`"),
    "class": (
        broken("= Backend()", "= Backend"),
        "is not a backend: Backend is a class, and its entry point must name an instance",
    ),
    "without emit": (broken("def emit", "def omit"), "is not a backend: Backend lacks `emit`"),
    "other name": (broken('"tiny"', '"small"'), "calls itself `small`: its entry point must have that name"),
    "options": (broken("options = Options", "options = {}"), "is not a backend: its `options` are no dataclass"),
    "capabilities": (
        broken("= Capabilities(", "= dict("),
        "is not a backend: its `capabilities` are no `clspec.backend.Capabilities`",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_one_is_named_and_the_others_are_listed(tmp_path, name):
    (code, more), told = UNUSABLE[name]
    install(tmp_path, "clspec-tiny", code, **more)
    ended = clspec(tmp_path, "targets")
    assert (ended.returncode, ended.stderr) == (2, "")
    found = listed(ended.stdout)
    assert set(found) == {*BUILT_IN, "tiny"}
    assert f"unusable: target `tiny` of clspec-tiny 0.3 {told}" in found["tiny"]
    assert all("unusable" not in found[other] and "  can    " in found[other] for other in BUILT_IN)
    ended = clspec(tmp_path, "compile", "specs/robotaxi.yaml", "-t", "tiny", "-o", tmp_path / "out")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"clspec: target `tiny` of clspec-tiny 0.3 {told}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("group", "told"), [("clspec.backends", True), ("console_scripts", False)])
def test_entry_points_that_cannot_be_read_are_told_if_they_are_ours(tmp_path, group, told):
    install(tmp_path, "clspec-tiny", SOUND)
    entry_points = tmp_path / "clspec_tiny-0.3.dist-info" / "entry_points.txt"
    entry_points.write_text(f"[{group}]\ntiny clspec_tiny:backend\n")
    ended = clspec(tmp_path, "targets")
    found = listed(ended.stdout)
    assert (ended.returncode, ended.stderr) == (2 if told else 0, "")
    assert set(found) == ({*BUILT_IN, "clspec-tiny"} if told else set(BUILT_IN))
    if told:
        assert "unusable: the entry points of clspec-tiny 0.3 cannot be read: TypeError" in found["clspec-tiny"]


def test_a_distribution_without_a_name_is_named_by_its_place(tmp_path):
    install(tmp_path, "clspec-tiny", "raise RuntimeError('at import')\n")
    (tmp_path / "clspec_tiny-0.3.dist-info" / "METADATA").unlink()
    ended = clspec(tmp_path, "targets")
    assert ended.returncode == 2
    assert f"of a distribution without a name at {tmp_path}" in listed(ended.stdout)["tiny"]


def test_an_unusable_one_is_in_nobodys_way(tmp_path):
    install(tmp_path, "clspec-tiny", "raise RuntimeError('at import')\n")
    ended = clspec(tmp_path, "compile", "specs/robotaxi.yaml", "-t", "local", "-o", tmp_path / "out")
    assert ended.returncode == 0
    assert (tmp_path / "out" / "regression.py").exists()


@pytest.mark.parametrize("name", ["tiny", "kfp"])
def test_two_of_one_name_are_both_named(tmp_path, name):
    code = SOUND.replace('"tiny"', f'"{name}"')
    install(tmp_path, "clspec-tiny", code, name=name)
    install(tmp_path, "some-other", code, name=name, version="2.0")
    ended = clspec(tmp_path, "targets")
    found = listed(ended.stdout)
    assert ended.returncode == 2
    assert set(found) == {*BUILT_IN, name}
    assert "clspec-tiny 0.3" in found[name]
    assert "some-other 2.0" in found[name]
    assert f"unusable: target `{name}` is offered by " in found[name]
    ended = clspec(tmp_path, "compile", "specs/robotaxi.yaml", "-t", name, "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert "clspec-tiny 0.3" in ended.stderr
    assert "some-other 2.0" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_the_first_on_the_path_hides_others_of_its_name(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    install(first, "clspec-tiny", SOUND, version="0.4")
    install(second, "clspec_tiny", SOUND, version="0.3")
    ended = clspec(f"{first}{os.pathsep}{second}", "targets")
    assert ended.returncode == 0
    assert "tiny  (from clspec-tiny 0.4)\n" in listed(ended.stdout)["tiny"]


def test_a_slip_in_a_name_is_told(tmp_path):
    install(tmp_path, "clspec-tiny", SOUND)
    ended = clspec(tmp_path, "compile", "specs/robotaxi.yaml", "-t", "tinny", "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert ended.stderr == "clspec: no target `tinny`: did you mean `tiny`?\n"
