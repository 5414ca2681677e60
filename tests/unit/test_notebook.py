"""The page on notebooks is executed as one, in a real kernel; what a plan and a run show is looked at there."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from walkthrough import blocks

from clspec import api
from clspec.cli.arguments import parser
from clspec.notebook import shown
from clspec.plan import Kind, Pipeline, Plan, Step
from clspec.report.notebook import plan_html, run_html

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/notebooks.md").read_text(encoding="utf-8")
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of the page with what came of them."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    folder = tmp_path_factory.mktemp("notebook") / "project"
    shutil.copytree(ROOT / "tests/data/hello", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("")
    spec = folder / "hello.yaml"
    spec.write_text(spec.read_text().replace("seeds: [1, 2]", "seeds: [1]"))  # quicker, and the page says nothing of it
    cells = [nbformat.v4.new_code_cell(block.text) for block in blocks(PAGE) if block.language == "python"]
    book = nbformat.v4.new_notebook(cells=cells)
    where = {"metadata": {"path": str(folder)}}
    runner = client.NotebookClient(book, timeout=240, kernel_name="python3", resources=where)
    runner.execute()
    return [[output for output in cell.outputs if output.output_type != "stream"] for cell in book.cells]


def html(outputs):
    return outputs[-1]["data"]["text/html"]


@pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")
def test_a_plan_shows_its_steps_and_a_run_its_scenarios(executed):
    plan, run = html(executed[1]), html(executed[2])
    for step in ("pin", "train-seed-1", "gate", "conclude"):
        assert f">{step}</text>" in plan
    assert "✓ passed" in run
    assert "false_positive_rate melon" in run
    assert run.count('<svg class="gate"') == 2
    for text in (plan, run):
        assert "<script" not in text
    said = [block.text.strip() for block in blocks(PAGE) if block.language == "text"]
    assert executed[3][-1]["data"]["text/plain"] == said[0]
    assert executed[4][-1]["data"]["text/plain"] == "['register', 'report', 'conclude']"


def test_what_is_shown_is_well_formed_and_text(tmp_path):
    steps = (Step(id=HOSTILE, kind=Kind.PIN, config="{}"),)
    plan = Plan(name=HOSTILE, spec="s", store="s", workdir="/", pipelines=(Pipeline(name=HOSTILE, steps=steps),))
    text = plan_html(plan)
    assert "<script" not in text
    assert "\u202e" not in text
    ElementTree.fromstring(re.sub("<style>.*?</style>", "", text, flags=re.DOTALL))
    assert "✗ missing" in run_html("r", 3, None, HOSTILE)
    (tmp_path / "result.json").write_text("{")
    assert "✗ missing" in run_html("r", 0, tmp_path, "")


def test_a_pass_of_a_run_that_broke_is_not_shown_as_one(tmp_path):
    told = {"passed": False, "verdict": "pass", "reasons": [], "warnings": []}
    (tmp_path / "result.json").write_text(json.dumps(told))
    made_by = {"scenarios": []}
    (tmp_path / "report.json").write_text(json.dumps({"seeds": [], "made_by": made_by}))
    assert "✗ run failed" in run_html("r", 3, tmp_path, "register")


def test_a_value_learns_to_show_itself_and_is_otherwise_the_same():
    plan = Plan(name="p", spec="s", store="s", workdir="/", pipelines=())
    assert shown(plan) is plan
    assert plan == Plan(name="p", spec="s", store="s", workdir="/", pipelines=())
    assert "Plan of p" in plan._repr_html_()
    with pytest.raises(AttributeError):
        plan.name = "q"


def test_every_verb_of_the_page_is_one_on_both_sides(capsys):
    rows = re.findall(r"^\| (`[a-z].*?) \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 9
    for commands, functions in rows:
        first, *rest = (word.split()[0] for word in re.findall(r"`([^`]+)`", commands))
        verbs = [[first, *words.split()[1:2]] for words in re.findall(r"`([^`]+)`", commands)[:1]]
        group = first if first in {"data", "label"} else ""
        verbs = [*verbs, *([group, word] if group else [word] for word in rest)]
        for words in verbs:
            with pytest.raises(SystemExit) as ended:
                parser().parse_args([*(w for w in words if not w.startswith("-")), "--help"])
            assert ended.value.code == 0, words
        for name in re.findall(r"`([a-z_]+)", functions):
            assert name in api.__all__, name
    assert all(callable(getattr(api, name)) for name in api.__all__)
    capsys.readouterr()
