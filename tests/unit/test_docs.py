"""The pages are true: their commands are commands, their YAML has the language's shape, and the site can be built."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from walkthrough import blocks, follow

from clspec.cli.arguments import parser
from clspec.load import load
from clspec.lsp import language

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
_INDENTED = re.compile(r"^    (clspec [^\n]*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"^\.\.\.$")


def page(path):
    return path.read_text(encoding="utf-8")


def commands(text):
    """The command lines of a page that call clspec."""
    lines = [line for block in blocks(text) if block.language == "console" for line in block.text.splitlines()]
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [one.strip() for line in typed for one in re.split(r"&&|\||;", line) if one.strip().startswith("clspec ")]


def refused(words, capsys):
    """Why a command line is none, or nothing."""
    try:
        parser().parse_args(words)
    except SystemExit as ended:
        return capsys.readouterr().err if ended.code else ""
    return ""


@pytest.mark.parametrize("path", [one for one in PAGES if one.name != "tutorial.md"], ids=lambda path: path.name)
def test_commands_are_commands(path, capsys):
    for command in commands(page(path)):
        assert not refused(shlex.split(command, comments=True)[1:], capsys), f"{path.name}: {command}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_verbs_in_a_list_of_commands_are_verbs(path, capsys):
    for line in _INDENTED.findall(page(path)):
        verb, *rest = line.partition("  ")[0].split()[1:]
        for below in rest[0].split("|") if rest and "|" in rest[0] and rest[0].islower() else [""]:
            assert not refused([*filter(None, (verb, below)), "--help"], capsys), f"{path.name}: {line}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_yaml_has_the_shape_of_the_language(path):
    for block in blocks(page(path)):
        if block.language != "yaml" or ".github" in block.title or "jobs:" in block.text or "repos:" in block.text:
            continue
        if all(line.startswith("#") for line in block.text.splitlines()):
            continue
        document, problems = load(block.text, path.name)
        assert document is not None, problems
        sections = document.value
        if block.title.endswith("under `sources:`") or block.title.endswith("under sources:"):
            sections = {"sources": sections}
        known = language.schema()["properties"]
        for section in sections:
            assert section in known, f"{path.name}: there is no section `{section}`"
        _fits(sections, (), sections, path.name)


def _fits(value, at, whole, name):
    """Every key of a fragment is one of the language, and every listed value is listed."""
    part = language.part_at(at, whole)
    assert part is not None, f"{name}: the language has nothing at {'.'.join(map(str, at))}"
    listed = language.values_of(part)
    if listed and not isinstance(value, dict | list):
        assert value in listed, f"{name}: {value!r} at {'.'.join(map(str, at))} is none of {listed}"
    for step, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if _PLACEHOLDER.match(str(step)) or at[:1] == ("meta",) or at[1:] == ("params",):
            continue
        _fits(below, (*at, step), whole, name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_other_blocks_are_what_they_say(path):
    readers = {"python": ast.parse, "toml": tomllib.loads, "json": json.loads}
    for block in blocks(page(path)):
        if (read := readers.get(block.language)) is not None:
            read(block.text)


def test_a_wrong_page_is_noticed():
    with pytest.raises(AssertionError):
        _fits({"golden": {"datset": "x"}}, (), {"golden": {"datset": "x"}}, "page")
    with pytest.raises(AssertionError):
        _fits({"training": {"isolation": "thread"}}, (), {"training": {"isolation": "thread"}}, "page")
    assert commands("```console\n$ clspec lock && clspec check\n```\n") == ["clspec lock", "clspec check"]


def test_the_reference_is_made_of_the_schema():
    made = runpy.run_path(str(ROOT / "tools" / "reference.py"))["reference"]()
    assert page(ROOT / "docs" / "language.md") == made, "run: python tools/reference.py"


def test_the_tutorial_can_be_followed(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    follow(page(ROOT / "docs" / "tutorial.md"), tmp_path)


def test_a_page_that_promises_too_much_is_noticed(tmp_path):
    follow("```console\n$ echo a; exit 3\na\n$ echo $?\n3\n$ printf 'a\\nb\\nc'\na\n...\n$ true\n```\n", tmp_path)
    for wrong in ("$ echo b\na", "$ false", "$ false\n$ true", "$ false\n$ echo $?\n0", "$ printf 'a\\nb'\na"):
        with pytest.raises(AssertionError):
            follow(f"```console\n{wrong}\n```\n", tmp_path)


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("myst_parser", reason="the site's generator is not installed")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial.html").is_file()
