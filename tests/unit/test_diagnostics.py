"""Every code has a page, `clspec/pages/CODE.md`, whose examples are tried here: what fails gives exactly that code.

An example is put into `tests/diagnostics/valid.yaml` in place of the sections that it has, and checked with that lock
or with `CODE.lock` (`CODE.good.lock` for what passes). What is said of what fails stands in `CODE.out`. Words after an
example's language: `whole` takes it as it stands, `target=NAME` compiles it (with `set.KEY=VALUE`), `no-lock` leaves
the lock out, `lock` is the lock and `lock-with` a part added to it, `manifest` is a target's file, `escaped` reads
escapes such as `\\xff` as bytes, `padded=N` fills it up to N bytes. `CLSPEC_WRITE_DIAGNOSTICS=1` writes the `.out`
files anew.
"""

import json
import os
import re
import runpy
import shutil
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from clspec import api, backend, check, opening
from clspec import compile as pipe
from clspec.cli import commands
from clspec.codes import CODES
from clspec.compile import InvalidSpec
from clspec.diagnostic import Diagnostic, Severity, Span
from clspec.pages import page, parsed
from clspec.report.diagnostics import as_json, as_lines, as_text

CASES = Path(__file__).parents[1] / "diagnostics"
DAY = date(2026, 11, 25)
"""The day on which the cases are judged."""
WITHOUT_EXAMPLE = {
    "CLS530": "it is told where packages are missing that the tests have",
    "CLS509": "clspec's own targets say all of a plan; a test of its own tries it with one that runs steps in a row",
}
"""Codes that no text can show, each with the reason."""
CODES_WITH_EXAMPLE = sorted(CODES.keys() - WITHOUT_EXAMPLE.keys())

ALONGSIDE = {
    "CLS117": {"CLS114"},  # `<<` itself is warned of
    "CLS511": {"CLS512"},  # an entrypoint that is not there leaves a template that nothing runs
}
"""Codes that cannot stand alone, with those that come with them."""


def sections(text):
    """The sections of a spec in their order, each with its text; what stands before the first belongs to it."""
    found = {}
    name = ""
    for line in text.splitlines(keepends=True):
        name = key[1] if (key := re.match(r"([A-Za-z]\w*):", line)) else name
        found[name] = found.get(name, "") + line
    return found


def with_sections(base, text):
    """A text with some of its sections as another one has them, and those besides at its end."""
    mine, others = sections(base), sections(text)
    return "".join({**mine, **others}.values())


def made(code, examples, kind, folder):
    """Puts examples with their surroundings into a folder; returns the words that say how to judge them."""
    shutil.copytree(CASES / "code", folder / "code")
    locks = [CASES / f"{code}{kind}.lock", CASES / "valid.lock"]
    lock = next(place for place in locks if place.exists()).read_text()
    content, said = (CASES / "valid.yaml").read_text(), {}
    for example in examples:
        words = dict(word.partition("=")[::2] for word in example.words)
        said |= words
        if example.language != "yaml":
            (folder / example.words[0]).write_text(example.text)
        elif "lock" in words or "lock-with" in words:
            lock = example.text if "lock" in words else with_sections(lock, f"\n{example.text}")
        else:
            whole = words.keys() & {"whole", "manifest"}
            content = example.text if whole else with_sections(content, example.text)
    data = content.encode()
    if "escaped" in said:
        data = content.encode("latin-1", "strict").decode("unicode_escape").encode("latin-1")
    data += b"#" * (int(said.get("padded", 0)) - len(data))
    if "no-lock" not in said:
        (folder / f"{code}.lock").write_text(lock)
    (folder / f"{code}.yaml").write_bytes(data)
    return said


def judged(code, examples, kind, folder, monkeypatch):
    said = made(code, examples, kind, folder)
    monkeypatch.chdir(folder)
    path = f"{code}.yaml"
    if "manifest" in said:
        return tuple(backend.load(said["target"]).lint(Path(path).read_text(), path))
    if not (target := said.get("target")):
        return pipe.read(path, as_of=DAY).diagnostics
    assert pipe.read(path, as_of=DAY).diagnostics == ()
    try:
        settings = {word.removeprefix("set."): text for word, text in said.items() if word.startswith("set.")}
        return pipe.compile_for(path, target, settings, as_of=DAY).diagnostics
    except InvalidSpec as error:
        return error.diagnostics


@pytest.mark.parametrize("code", CODES_WITH_EXAMPLE)
def test_what_fails_is_told_of_in_the_words_beside_it(code, tmp_path, monkeypatch):
    found = judged(code, page(code).fails, "", tmp_path, monkeypatch)
    texts = {path.name: path.read_bytes().decode("utf-8", "replace") for path in tmp_path.glob("CLS*")}
    out = CASES / f"{code}.out"
    text = as_text(found, texts, colours=False)
    if os.environ.get("CLSPEC_WRITE_DIAGNOSTICS"):
        out.write_text(text, encoding="utf-8")
    assert text == out.read_text(encoding="utf-8")
    assert {d.code for d in found} == {code} | ALONGSIDE.get(code, set())


OF_MEANING = [code for code in CODES_WITH_EXAMPLE if code[3] in "346"]
PROD = """\
environments:
  prod:
    store: s3://bucket/prod
    code: {image: "registry.example.com/pets:prod", workdir: /app}
    sources: {photos: {freshness: 24h}}
    training: {timeout: 2h, secrets: [{env: TOKEN}], resources: {cpu: 3, memory: 2Gi}}
    inference: {timeout: 1h, isolation: spawn}
"""


@pytest.mark.parametrize("code", OF_MEANING)
def test_what_is_judged_once_is_the_same_in_every_environment(code, tmp_path, monkeypatch):
    made(code, page(code).fails, "", tmp_path)
    monkeypatch.chdir(tmp_path)
    text = with_sections(Path(f"{code}.yaml").read_text(), PROD)
    found = opening.opened(f"{code}.yaml", text=text)
    ones, others = (
        {(p.code, p.message, p.where) for rule in check._HERE for p in check._applied(rule, shaped.facts)}
        for shaped in (found.plain, found.elsewhere["prod"])
    )
    # That an image or an environment is of no use is no question of an environment.
    assert {one for one in others if one[0] != "CLS604"} <= ones


@pytest.mark.parametrize("code", CODES_WITH_EXAMPLE)
def test_what_passes_has_no_problem(code, tmp_path, monkeypatch):
    assert judged(code, page(code).passes, ".good", tmp_path, monkeypatch) == ()


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_why_and_how_to_mend_it(code):
    found = page(code)
    for text in (found.why, found.mend):
        assert len(text) > 20
        assert text.endswith(".")
    assert bool(found.fails) == bool(found.passes) == (code in CODES_WITH_EXAMPLE)
    assert found.fails != found.passes or not found.fails


def test_a_target_that_runs_steps_in_a_row_says_what_it_leaves_out():
    tried = api.plan(str(CASES.parent / "data" / "full.yaml"), day=DAY)
    found = tuple(backend.left_out(tried, "plain"))
    assert {one.code for one in found} == {"CLS509"}
    assert any("pipeline `improvement`" in one.message for one in found)
    assert all(one.hint and one.span for one in found)


def test_a_page_that_lacks_a_heading_is_refused():
    with pytest.raises(KeyError):
        parsed("why\n\n## Fails\n\n## Mend\n\nso\n")


def test_the_base_of_all_cases_has_no_problem(monkeypatch):
    monkeypatch.chdir(CASES)
    checked = api.check("valid.yaml")
    assert checked.diagnostics == ()
    assert [d for d in api.compile("valid.yaml", "local").diagnostics if d.is_error] == []


def test_every_code_has_a_page_and_every_page_a_code():
    names = {path.name for path in files("clspec.pages").iterdir() if path.name.endswith(".md")}
    assert names == {f"{code}.md" for code in CODES}
    assert WITHOUT_EXAMPLE.keys() <= CODES.keys()
    assert {path.stem for path in CASES.glob("CLS*.out")} == set(CODES_WITH_EXAMPLE)
    assert sorted(path.name for path in CASES.glob("CLS*.yaml")) == [], "an example stands in clspec/pages/CODE.md"


def test_every_lock_belongs_to_an_example():
    assert {path.name.partition(".")[0] for path in CASES.glob("CLS*.lock")} <= set(CODES_WITH_EXAMPLE)


def test_the_sources_name_no_code_that_the_table_lacks():
    root = Path(__file__).parents[2]
    texts = [
        path.read_text(encoding="utf-8") for room in ("clspec", "backends") for path in root.glob(f"{room}/**/*.py")
    ]
    named = {code for text in texts for code in re.findall(r"\bCLS[0-9]{3}\b", text)}
    assert len(texts) > 50
    assert named == CODES.keys()


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_the_line_shown_is_the_line_meant(odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CASES / "code", "code")
    shutil.copy(CASES / "valid.lock", "spec.lock")
    text = (CASES / "valid.yaml").read_text().replace("store: store", f"store: store # {odd}").replace("min:", "mim:")
    Path("spec.yaml").write_text(text, newline="")
    hidden, slip = api.check("spec.yaml").diagnostics
    assert (hidden.code, slip.code) == ("CLS104", "CLS201")
    shown = as_text((slip,), {"spec.yaml": text}, colours=False).splitlines()
    line, marks = shown[1], shown[2]
    assert line[marks.index("^") : marks.rindex("^") + 1] == "mim"


def test_a_byte_order_mark_and_carriage_returns_are_no_columns():
    text = (CASES / "valid.yaml").read_text().replace("kind:", "knd:").replace("\n", "\r\n")
    found = Diagnostic(
        code="CLS201", severity=Severity.ERROR, message="unknown", path="x.yaml", span=Span(2, 1, 2, 4), hint=""
    )
    shown = as_text((found,), {"x.yaml": f"\ufeff{text}"}, colours=False)
    assert shown.splitlines()[1:3] == ["    2 | knd: ContinuousLearning", "      | ^^^"]
    first = as_text((replace(found, span=Span(1, 1, 1, 11)),), {"x.yaml": f"\ufeff{text}"}, colours=False)
    assert first.splitlines()[1:3] == ["    1 | apiVersion: clspec.dev/v1alpha1", "      | ^^^^^^^^^^"]


def test_what_is_shown_stays_short_and_colours_are_asked_for():
    found = Diagnostic(code="CLS304", severity=Severity.ERROR, message="m" * 10_000, path="x.yaml", hint="h" * 10_000)
    plain = as_text((found,) * 300, {}, colours=False)
    assert max(map(len, plain.splitlines())) < 600
    assert "... and 100 more" in plain
    assert plain.endswith("300 errors\n")
    assert "\033" not in plain
    assert "\033[1;31m" in as_text((found,), {}, colours=True)
    assert json.loads(as_json((found,)))["diagnostics"][0]["message"] == "m" * 10_000


def test_nothing_from_a_spec_reaches_the_terminal_unseen():
    evil = "a\033[31mb\u202ec\u2028d\x00"
    found = Diagnostic(
        code="CLS304", severity=Severity.ERROR, message=evil, path=evil, span=Span(1, 1, 1, 3), hint=evil
    )
    for text in (as_text((found,), {evil: evil}, colours=False), as_lines((found,))):
        assert text.replace("\n", "").isprintable()
        assert "a\\x1b[31mb\\u202ec\\u2028d\\x00" in text


@pytest.mark.parametrize("code", CODES)
def test_a_code_explains_itself_in_whole_sentences(code):
    entry = CODES[code]
    assert re.fullmatch("CLS[1-9][0-9]{2}", code)
    assert entry.title
    assert not entry.title.endswith(".")
    assert entry.text.endswith(".")


def test_the_list_in_the_docs_is_up_to_date():
    root = Path(__file__).parents[2]
    made = runpy.run_path(str(root / "tools" / "diagnostics_page.py"))["text"]()
    assert made == (root / "docs" / "diagnostics.md").read_text(encoding="utf-8"), "python tools/diagnostics_page.py"


@pytest.mark.parametrize("code", CODES)
def test_explain_shows_all_of_a_page(code, capsys):
    assert commands.run(["explain", code.lower()]) == 0
    out = capsys.readouterr().out
    found = page(code)
    assert out.startswith(f"{code} ({CODES[code].severity.value}): {CODES[code].title}\n")
    for text in (CODES[code].text, found.why, found.mend):
        assert " ".join(text.split()) in " ".join(out.split())
    for example in (*found.fails, *found.passes):
        assert all(line.rstrip() in out for line in example.text.splitlines())
