"""The page of a run in a real browser, and what lies beside it: runs of a small project that fail, pass and break."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import browser
import jinja2
import pytest
from test_report import HOSTILE, check, content, ended, scenario

from clspec import api
from clspec.cli.commands import run as clspec
from clspec.report.compiled import Compiled
from clspec.report.html import page
from clspec.report.ran import Stepped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")
LAMPS = Path(__file__).parents[1] / "data" / "lamps"
WIDTHS = (1280, 375)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lamps") / "project"
    shutil.copytree(LAMPS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("")
    api.lock(str(folder / "lamps.yaml"))
    return folder


@pytest.fixture(scope="module")
def runs(project):
    """One run that is refused, one that passes after a parameter has changed, and one whose training raises."""
    spec, code = project / "lamps.yaml", project / "code/lamps.py"
    found = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        files = ["--junit", str(project / "out/j.xml"), "--json", str(project / "out/v.json")]
        found["exit code"] = clspec(["run", "--local", str(spec), *files])
        spec.write_text(spec.read_text().replace("cut: 250", "cut: 120"))
        found["pass"] = api.run(str(spec))
        text = code.read_text()
        code.write_text(text.replace("    history = ", "    raise ValueError('no epochs today')\n    history = "))
        found["broken"] = api.run(str(spec))
        code.write_text(text)
    found["fail"] = min((project / ".clspec/runs").iterdir()) / "report"
    return found


def read(folder, name):
    return json.loads((folder / name).read_text())


# -- what lies beside the page -----------------------------------------------------------------------------------------


def test_the_verdict_goes_where_it_is_asked_for(project, runs):
    assert runs["exit code"] == 1
    told = json.loads((project / "out/v.json").read_text())
    assert (told["format"], told["verdict"], told["passed"]) == ("clspec-result/1", "fail", False)
    assert told["run"]["exit_code"] == 1
    assert told["scenarios"][0]["checks"][0]["estimate"] == 0.0
    tree = ElementTree.parse(project / "out/j.xml").getroot()
    assert int(tree.get("failures")) == 3
    assert tree[0].get("name") == "lamps.regression"


def test_the_report_itself_knows_nothing_of_the_machine(runs):
    made = runs["pass"].outputs["report"]["report"]
    assert {path.name for path in made.iterdir()} == {"junit.xml", "report.html", "report.json", "result.json"}
    text = (made / "report.html").read_text()
    assert "Steps and times" not in text
    assert f"<title>The {len(read(made, 'report.json')['steps'])} steps of pipeline regression</title>" in text
    assert "knows neither what became of those after it nor how long any took" in text
    assert read(made, "result.json")["run"] is None
    assert read(made, "report.json") == read(runs["pass"].report, "report.json")
    assert "Steps and times" in (runs["pass"].report / "report.html").read_text()


def test_a_passed_run_tells_what_changed_and_how_it_came_out(runs):
    text = (runs["pass"].report / "report.html").read_text()
    assert "Since the last run" in text
    assert '<tr><th scope="row">params.cut</th><td>250</td><td>120</td></tr>' in text
    assert "(better)" in text


def test_a_refused_run_shows_the_rows_and_a_training_its_epochs(runs):
    told = read(runs["fail"], "report.json")
    assert told["training"]["1"]["history"][0] == {"epoch": 1.0, "loss": 0.5}
    assert len(told["pictures"]["images"]) == 12
    text = (runs["fail"] / "report.html").read_text()
    assert text.count("<img ") == 24, "the scenario of the lit lamps shows them, and so does that of all"
    assert "loss by epoch: seed 1 from 0.5 to 0.1667" in text


def test_a_run_that_broke_has_a_page_that_says_where(runs):
    outcome = runs["broken"]
    assert outcome.exit_code == 3
    text = (outcome.report / "report.html").read_text()
    assert 'class="answer fail"' in text
    assert "no epochs today" in text
    assert "No model was judged." in text
    told = read(outcome.report, "result.json")
    assert (told["verdict"], told["passed"]) == ("missing", False)
    states = {name: step["state"] for name, step in told["run"]["steps"].items()}
    assert states["report"] == "not run"
    assert states[outcome.failed] == "failed"
    tree = ElementTree.parse(outcome.report / "junit.xml").getroot()
    assert int(tree.get("errors")) == 2


def test_files_that_cannot_be_written_are_refused_before_anything_runs(project, capsys):
    before = list((project / ".clspec/runs").iterdir())
    assert clspec(["run", "--local", str(project / "lamps.yaml"), "--json", str(project)]) == 2
    assert "--json" in capsys.readouterr().err
    words = ["run", "--target", "argo", "--host", "http://localhost:1", "--junit", "x.xml", str(project / "lamps.yaml")]
    assert clspec(words) == 2
    assert "part of the artifact `report`" in capsys.readouterr().err
    assert list((project / ".clspec/runs").iterdir()) == before


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    if browser.PROGRAM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    found = browser.Browser()
    yield found
    found.close()


@pytest.fixture(scope="module")
def pages(runs, tmp_path_factory):
    """Pages of every kind, one of them full of hostile texts."""
    folder = tmp_path_factory.mktemp("pages")
    odd = scenario(check("fail", 0.1, title=HOSTILE, reason=HOSTILE * 20), name=HOSTILE)
    made = content(odd, verdict="fail", reasons=[HOSTILE * 20], warnings=["w" * 900], seeds=(1, 2))
    row = {"key": "k" * 300, "label": HOSTILE, "said": HOSTILE}
    made["examples"] = {"1": {HOSTILE: {"scenario": [row], "guard": []}}}
    first = Stepped(id="a" * 90, kind="pin", state="done")
    steps = (first, Stepped(id=HOSTILE, kind="x", needs=(first.id,), state="failed"))
    place = folder / "hostile.html"
    place.write_text(page(made, ended(3, HOSTILE, *steps), content(scenario(check()))), encoding="utf-8")
    told = {"fail": runs["fail"], "pass": runs["pass"].report, "broken": runs["broken"].report}
    return {**{name: where / "report.html" for name, where in told.items()}, "hostile": place}


PAGES = ("fail", "pass", "broken", "hostile")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_asks_nobody_complains_of_nothing_and_fits(chromium, pages, name, width):
    chromium.open(pages[name], width)
    assert chromium.requests() == []
    assert chromium.complaints() == []
    assert chromium.ask("document.documentElement.scrollWidth <= window.innerWidth")
    assert chromium.ask("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert chromium.ask("document.querySelectorAll('script').length") == 1


def test_a_page_is_whole_without_script(chromium, pages):
    chromium.open(pages["fail"], script=False)
    assert chromium.complaints() == []
    chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    assert chromium.ask("document.querySelectorAll('button, input').length") == 0
    assert chromium.ask("document.querySelectorAll('table.sortable tbody tr').length") == 6


_CONTRAST = """
(() => {
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const numbers = (text) => text.match(/[0-9.]+/g).map(Number);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const found = numbers(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest("script, style, title")) continue;
    const style = getComputedStyle(node);
    const ink = node.closest("svg") ? style.fill : style.color;
    const paper = node.closest("svg.dag") ? getComputedStyle(document.querySelector("svg.dag rect")).fill : null;
    const [one, other] = [light(numbers(ink).slice(0, 3)), light(paper ? numbers(paper) : ground(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) bad.push([node.tagName, node.className.toString(), node.textContent.slice(0, 40), ratio]);
  }
  return bad;
})()
"""


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", ["fail", "pass", "broken"])
def test_every_text_stands_out_from_its_ground(chromium, pages, name, colours):
    """The ratio 4.5 of WCAG 2.2, criterion 1.4.3, for all text."""
    chromium.open(pages[name], colours=colours)
    chromium.ask("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    assert chromium.ask("document.querySelectorAll('body *').length") > 100
    assert chromium.ask(_CONTRAST) == []


def test_a_page_is_used_by_keyboard_in_the_order_in_which_it_is_read(chromium, pages):
    chromium.open(pages["fail"])
    seen = []
    for _ in range(60):
        chromium.press("Tab")
        told = chromium.ask(
            "(() => { const at = document.activeElement, box = at.getBoundingClientRect();"
            " return at === document.body ? null : [at.textContent.trim().slice(0, 30) || at.placeholder,"
            " box.top + scrollY, getComputedStyle(at).outlineStyle !== 'none' && box.width > 0]; })()"
        )
        if told is None:
            break
        seen.append(told)
    names = [name for name, _, _ in seen]
    assert names[0] == "Skip to the verdict"
    assert "What stands against" in names
    assert "scenario" in names, "tables are sorted by keyboard"
    assert all(outlined for _, _, outlined in seen), seen
    tops = [top for _, top, _ in seen[1:]]
    assert all(later >= earlier - 40 for earlier, later in pairwise(tops)), seen


def test_the_skip_link_leads_to_the_verdict(chromium, pages):
    chromium.open(pages["fail"])
    chromium.press("Tab")
    chromium.press("Enter")
    assert chromium.ask("document.activeElement.id") == "answer"


def test_headings_do_not_skip_and_tables_say_what_their_cells_are(chromium, pages):
    for name in PAGES:
        chromium.open(pages[name])
        levels = chromium.ask("[...document.querySelectorAll('h1, h2, h3')].map((head) => Number(head.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
        assert chromium.ask("[...document.querySelectorAll('th')].every((head) => head.scope)")
        assert chromium.ask("[...document.images].every((image) => image.alt)")
        assert chromium.ask("[...document.querySelectorAll('svg')].every((one) => one.querySelector('title'))")
        ids = chromium.ask("[...document.querySelectorAll('nav a, a.skip')].map((link) => link.hash.slice(1))")
        assert chromium.ask(f"{json.dumps(ids)}.every((name) => document.getElementById(name))")


def test_a_table_is_sorted_and_filtered(chromium, pages):
    chromium.open(pages["fail"])
    rows = "[...document.querySelectorAll('table.checks tbody tr')].filter((row) => !row.hidden)"
    shown = rows + ".map((row) => row.cells[{}].textContent.trim())"
    chromium.ask("document.querySelectorAll('table.checks th button')[3].click()")
    values = [float(text) for text in chromium.ask(shown.format(3))]
    assert values == sorted(values)
    chromium.ask("document.querySelectorAll('table.checks th button')[3].click()")
    assert [float(text) for text in chromium.ask(shown.format(3))] == values[::-1]
    chromium.ask(
        "(() => { const field = document.querySelector('label.filter input'); field.value = 'failed lit-lamps';"
        " field.dispatchEvent(new Event('input')); })()"
    )
    assert set(chromium.ask(shown.format(0))) == {"lit-lamps"}
    assert chromium.ask("document.querySelector('label.filter output').textContent") == "2 of 6 rows"
    assert chromium.complaints() == []


@pytest.mark.parametrize("name", ["fail", "pass"])
def test_a_page_prints_with_all_that_was_folded(chromium, pages, name):
    chromium.open(pages[name])
    assert chromium.printed().startswith(b"%PDF-")
    assert chromium.ask("[...document.querySelectorAll('details')].every((folded) => folded.open)")


# -- the template, compiled --------------------------------------------------------------------------------------------


def rendered(folder, text, monkeypatch, *, options=()):
    """What a template says, and how often it was compiled for that."""
    compiled = []
    environment = jinja2.Environment(
        autoescape=True, loader=jinja2.DictLoader({"a.jinja": text}), bytecode_cache=Compiled(folder, options)
    )
    plain = environment.compile
    monkeypatch.setattr(environment, "compile", lambda *args: compiled.append(args) or plain(*args))
    return environment.get_template("a.jinja").render(word="<b>"), len(compiled)


def test_a_template_is_compiled_once_for_its_text_and_options(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert rendered(tmp_path, "1 {{ word }}", monkeypatch) == ("1 &lt;b&gt;", 1)
    assert rendered(tmp_path, "1 {{ word }}", monkeypatch) == ("1 &lt;b&gt;", 0)
    assert rendered(tmp_path, "2 {{ word }}", monkeypatch) == ("2 &lt;b&gt;", 1)
    assert rendered(tmp_path, "2 {{ word }}", monkeypatch, options="other") == ("2 &lt;b&gt;", 1)
    (file,) = (tmp_path / "__pycache__").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert rendered(tmp_path, "2 {{ word }}", monkeypatch, options="other") == ("2 &lt;b&gt;", 1), "a torn one"


def test_no_template_is_kept_where_python_keeps_no_modules(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(tmp_path, "{{ word }}", monkeypatch)[1] == 1
    assert not list(tmp_path.iterdir())
