"""Waivers: one warning at one place until a day, and nothing else."""

from datetime import date
from pathlib import Path

import pytest
from pets import DIAGNOSTICS, GONE, SCENARIO, judged, spec

from clspec import compile as pipe
from clspec.codes import CODES
from clspec.diagnostic import UsageError

DAY = date(2026, 11, 25)
NO_GUARD = {f"{SCENARIO}__guard": GONE}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty project with the code of the diagnostics' cases."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/model.py").write_text((DIAGNOSTICS / "code" / "model.py").read_text())


def waiver(**changes):
    made = {
        "code": "CLS412",
        "path": "golden.scenarios.dogs",
        "reason": "few cats",
        "owner": "pets@example.com",
        "expires": "2027-03-01",
    }
    return {**made, **changes}


def checked(value, day=DAY):
    judged({**value, "waivers": []})  # writes the lock
    judged(value)
    return pipe.read("spec.yaml", as_of=day)


def said(value, day=DAY):
    return [(d.code, d.where) for d in checked(value, day).diagnostics]


def test_a_warning_is_waived_and_counted():
    found = checked(spec(**NO_GUARD, waivers=[waiver()]))
    assert found.diagnostics == ()
    assert [(d.code, d.where) for d in found.waived] == [("CLS412", "golden.scenarios.dogs")]
    assert checked(spec(**NO_GUARD)).waived == ()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2027, 2, 28), []),
        (date(2027, 3, 1), [("CLS412", "golden.scenarios.dogs"), ("CLS702", "waivers.0.expires")]),
        (date(2030, 1, 1), [("CLS412", "golden.scenarios.dogs"), ("CLS702", "waivers.0.expires")]),
    ],
)
def test_a_waiver_holds_until_its_day(day, expected):
    assert said(spec(**NO_GUARD, waivers=[waiver()]), day) == expected


def test_an_expired_waiver_is_told_of_even_where_there_is_nothing_to_waive():
    assert said(spec(waivers=[waiver()]), date(2028, 1, 1)) == [("CLS702", "waivers.0.expires")]


@pytest.mark.parametrize(
    "path", ["golden", "golden.scenarios", "golden.scenarios.dogs.id", "golden.scenarios.dog", "golden.scenarios.*"]
)
def test_a_waiver_silences_nothing_but_its_own_place(path):
    expected = [("CLS412", "golden.scenarios.dogs"), ("CLS703", "waivers.0.path")]
    assert said(spec(**NO_GUARD, waivers=[waiver(path=path)])) == expected


def test_a_waiver_silences_nothing_but_its_own_code():
    found = checked(spec(**NO_GUARD, waivers=[waiver(code="CLS414")]))
    assert [d.code for d in found.diagnostics] == ["CLS412", "CLS703"]


def test_the_hint_names_the_place_that_was_meant():
    *_, unused = checked(spec(**NO_GUARD, waivers=[waiver(path="golden.scenario.dogs")])).diagnostics
    assert unused.hint == "did you mean `golden.scenarios.dogs`?"


@pytest.mark.parametrize("code", [name for name, entry in CODES.items() if entry.severity.value == "error"])
def test_no_error_can_be_waived(code):
    found = said(spec(waivers=[waiver(code=code)]))
    assert ("CLS701", "waivers.0.code") in found


def test_an_error_is_not_silenced():
    value = spec(training__dataset="other", waivers=[waiver(code="CLS301", path="training.dataset")])
    assert said(value) == [("CLS301", "training.dataset"), ("CLS701", "waivers.0.code")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"code": "CLS999"}, ("CLS301", "waivers.0.code")),
        ({"code": "412"}, ("CLS205", "waivers.0.code")),
        ({"expires": "2027-02-30"}, ("CLS205", "waivers.0.expires")),
        ({"expires": "soon"}, ("CLS205", "waivers.0.expires")),
        ({"expires": "20270301"}, ("CLS205", "waivers.0.expires")),
        ({"reason": ""}, ("CLS205", "waivers.0.reason")),
        ({"owner": GONE}, ("CLS202", "waivers.0")),
    ],
)
def test_a_waiver_says_what_until_when_why_and_who(changes, expected):
    made = {key: value for key, value in waiver(**changes).items() if value != GONE}
    found = said(spec(**NO_GUARD, waivers=[made]))
    assert expected in found
    assert ("CLS412", "golden.scenarios.dogs") in found


def test_whether_a_waiver_is_of_use_is_left_open_while_there_are_errors():
    assert said(spec(training__dataset="other", waivers=[waiver()])) == [("CLS301", "training.dataset")]


def test_a_spec_with_waivers_is_judged_as_of_a_day():
    judged(spec(**NO_GUARD, waivers=[waiver()]))
    with pytest.raises(UsageError, match=r"spec\.yaml has waivers: say as of which day"):
        pipe.read("spec.yaml")
    judged(spec())
    assert pipe.read("spec.yaml").diagnostics == ()


def test_a_waiver_of_a_target_s_warning_holds_for_that_target():
    made = waiver(code="CLS505", path="store")
    image = f"registry.example.com/pets@sha256:{0:064}"
    value = spec(code__image=image, code__workdir="/app", waivers=[made])
    assert said(value) == []  # another target might warn
    compiled = pipe.compile_for("spec.yaml", "argo", {}, as_of=DAY)
    assert "CLS505" not in {d.code for d in compiled.diagnostics}
    assert [d.code for d in compiled.checked.waived] == ["CLS505"]
    judged(spec(code__image=image, code__workdir="/app"))
    assert "CLS505" in {d.code for d in pipe.compile_for("spec.yaml", "argo", {}, as_of=DAY).diagnostics}


def test_a_warning_of_an_environment_is_waived_at_its_place():
    environments = {"prod": {"store": "store"}}
    made = waiver(code="CLS317", path="environments.prod.store")
    assert said(spec(environments=environments)) == [("CLS317", "environments.prod.store")]
    assert said(spec(environments=environments, waivers=[made])) == []
