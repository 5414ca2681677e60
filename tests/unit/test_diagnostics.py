"""Every code has a spec that shows it: `tests/diagnostics/<CODE>.yaml`, and what is said of it in `<CODE>.out`.

A case is `valid.yaml` with one thing wrong, checked with its own lock or else `valid.lock`. A comment in its first line
may say how it is made: `# target: NAME KEY=VALUE ...` compiles it, `# with PATH: TEXT` puts a file beside it, `# no lock` leaves the
lock out, `# escaped` reads escapes such as `\\xff` as bytes, `# padded: N` fills it up to N bytes.
`CLSPEC_WRITE_DIAGNOSTICS=1` writes the `.out` files anew.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from clspec import api
from clspec import compile as pipe
from clspec.codes import CODES
from clspec.compile import InvalidSpec
from clspec.diagnostic import Diagnostic, Severity, Span
from clspec.report.diagnostics import as_json, as_lines, as_text

CASES = Path(__file__).parents[1] / "diagnostics"
DAY = date(2026, 11, 25)
"""The day on which the cases are judged."""
CODES_WITH_CASE = sorted(path.stem for path in CASES.glob("CLS*.yaml"))

WITHOUT_CASE = {
    "CLS509": "clspec's own targets say all of a plan; this is for those of others that run one step after another",
    "CLS511": "it is about manifests, not specs",
    "CLS512": "it is about manifests, not specs",
    "CLS530": "it is about manifests, not specs",
}
"""Codes that no spec can show, each with the reason."""

ALONGSIDE = {
    "CLS117": {"CLS114"},  # `<<` itself is warned of
}
"""Codes that cannot stand alone, with those that come with them."""


def made(code: str, folder: Path) -> str:
    """Puts a case with its surroundings into a folder; returns the target it is for, if any."""
    source = CASES / f"{code}.yaml"
    content = source.read_bytes()
    word, _, value = content.split(b"\n", 1)[0].decode().removeprefix("# ").partition(": ")
    lock = source.with_suffix(".lock")
    shutil.copytree(CASES / "code", folder / "code")
    if word == "escaped":
        content = content.decode().encode("latin-1", "strict").decode("unicode_escape").encode("latin-1")
    elif word == "padded":
        content += b"#" * (int(value) - len(content))
    elif word.startswith("with "):
        (folder / word.removeprefix("with ")).write_text(value + "\n")
    if word != "no lock":
        shutil.copy(lock if lock.exists() else CASES / "valid.lock", folder / f"{code}.lock")
    (folder / f"{code}.yaml").write_bytes(content)
    return value if word == "target" else ""


def judged(code: str, folder: Path, monkeypatch):
    target = made(code, folder)
    monkeypatch.chdir(folder)
    path = f"{code}.yaml"
    if not target:
        return pipe.read(path, as_of=DAY).diagnostics
    assert pipe.read(path, as_of=DAY).diagnostics == ()
    name, *settings = target.split()
    try:
        return pipe.compile_for(path, name, dict(each.split("=") for each in settings), as_of=DAY).diagnostics
    except InvalidSpec as error:
        return error.diagnostics


@pytest.mark.parametrize("code", CODES_WITH_CASE)
def test_a_case_is_told_of_in_the_words_beside_it(code, tmp_path, monkeypatch):
    found = judged(code, tmp_path, monkeypatch)
    texts = {path.name: path.read_bytes().decode("utf-8", "replace") for path in tmp_path.glob("CLS*")}
    out = CASES / f"{code}.out"
    text = as_text(found, texts, colours=False)
    if os.environ.get("CLSPEC_WRITE_DIAGNOSTICS"):
        out.write_text(text, encoding="utf-8")
    assert text == out.read_text(encoding="utf-8")
    assert {d.code for d in found} == {code} | ALONGSIDE.get(code, set())


def test_the_base_of_all_cases_has_no_problem(monkeypatch):
    monkeypatch.chdir(CASES)
    checked = api.check("valid.yaml")
    assert checked.diagnostics == ()
    assert [d for d in api.compile("valid.yaml", "local").diagnostics if d.is_error] == []


def test_every_code_has_a_case_or_a_reason():
    assert set(CODES_WITH_CASE) | WITHOUT_CASE.keys() == CODES.keys()
    assert not set(CODES_WITH_CASE) & WITHOUT_CASE.keys()
    assert {path.stem for path in CASES.glob("CLS*.out")} == set(CODES_WITH_CASE)


def test_every_lock_belongs_to_a_case():
    assert {path.stem for path in CASES.glob("CLS*.lock")} <= set(CODES_WITH_CASE)


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
