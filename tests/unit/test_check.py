"""What a spec means: each rule on a spec that keeps it and on one that breaks it."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pets import (
    CHECK,
    DIAGNOSTICS,
    FLEET,
    GONE,
    LOOP,
    MINING,
    REPORTS,
    SCENARIO,
    in_check,
    judged,
    own_golden,
    pins,
    said,
    spec,
)

from clspec import api, lock
from clspec import compile as pipe
from clspec.check import RULES
from clspec.check.schedules import cron_complaint, time_zones
from clspec.diagnostic import Span
from clspec.load import load
from clspec_schema import schema


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty project with the code of the diagnostics' cases."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/model.py").write_text((DIAGNOSTICS / "code" / "model.py").read_text())


def test_the_base_is_valid():
    assert judged(spec()) == ()


def test_every_rule_has_a_word_on_what_it_demands():
    assert all(rule.__doc__ for rule in RULES)
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


# -- names -----------------------------------------------------------------------------------------------------------

EXTRA = {"type": "csv", "uri": "more.csv", "columns": {"id": "string", "label": "string"}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"datasets__golden__like": "canonical"}, []),
        ({"datasets__golden__like": "other"}, [("CLS301", "datasets.golden.like")]),
        ({"training__dataset": "other"}, [("CLS301", "training.dataset")]),
        ({"golden__dataset": "other"}, [("CLS301", "golden.dataset")]),
        ({"datasets__canonical__from": GONE}, []),
        ({"datasets__canonical__from": "other"}, [("CLS301", "datasets.canonical.from")]),
        ({"sources__more": EXTRA, "datasets__golden__from": "more"}, []),
        ({**LOOP, "triggers": [{"event": "data_change", "source": "fleet", "run": "improvement"}]}, []),
        (
            {**LOOP, "triggers": [{"event": "data_change", "source": "flet", "run": "improvement"}]},
            [("CLS301", "triggers.0.source")],
        ),
        ({"datasets__golden__like": "golden"}, [("CLS306", "datasets.golden.like")]),
        (
            {"datasets__a": {"like": "b"}, "datasets__b": {"like": "c"}, "datasets__c": {"like": "b"}},
            [("CLS306", "datasets.b.like")],
        ),
        ({"datasets__canonical__key": "idd"}, [("CLS302", "datasets.canonical.key")]),
        ({"datasets__canonical__key": GONE}, [("CLS202", "datasets.canonical")]),
        ({"datasets__golden__key": "label"}, []),
        ({"datasets__golden__key": "labl"}, [("CLS302", "datasets.golden.key")]),
        ({"datasets__canonical__group": "grp"}, [("CLS302", "datasets.canonical.group")]),
        ({"sources__photos__roles": {"id": "id", "group": "id"}}, []),
        ({"sources__photos__roles": {"id": "id", "time": "id"}}, [("CLS313", "sources.photos.roles.time")]),
        ({"sources__photos__roles": {"confidence": "id"}}, [("CLS313", "sources.photos.roles.confidence")]),
        (
            {"sources__photos__roles": {"id": "idd", "media": "x"}},
            [("CLS302", f"sources.photos.roles.{r}") for r in ("id", "media")],
        ),
        ({"task__label": "lbl"}, [("CLS302", "task.label")]),
        ({"golden__cluster_by": "id"}, []),
        ({"golden__cluster_by": "ride"}, [("CLS302", "golden.cluster_by")]),
        (
            {"datasets__canonical__columns__id": "double", "sources__photos__columns__id": "double"},
            [("CLS313", "datasets.canonical.key")],
        ),
        ({"sources__photos__columns__id": "integer"}, [("CLS313", "datasets.canonical.from")]),
        ({"sources__photos__columns__id": GONE}, [("CLS313", "datasets.canonical.from")]),
        ({"sources__photos__columns__label": GONE}, [("CLS313", "datasets.canonical.from")]),
        ({"datasets__canonical__columns__note": "string"}, []),
    ],
)
def test_names_refer_to_something(changes, expected):
    assert said(spec(**changes)) == expected


def test_a_label_that_is_no_string_is_told_at_the_task():
    changes = {"datasets__canonical__columns__label": "integer", "sources__photos__columns__label": "integer"}
    found = said(spec(**changes))
    assert found[0] == ("CLS313", "task.label")
    assert {code for code, _ in found[1:]} == {"CLS321"}


def test_with_many_names_no_hint_claims_that_there_are_none():
    many = {f"datasets__{word * 5}": {"like": "canonical"} for word in "abcdefghijklmn"}
    (found,) = judged(spec(training__dataset="zzz", **many))
    assert (found.code, found.hint) == ("CLS301", "")


# -- gates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({f"{SCENARIO}__must_pass": True}, []),
        ({f"{SCENARIO}__must_pass": False}, [("CLS401", "golden.scenarios")]),
        (
            {
                "golden__scenarios__1": {
                    "id": "all",
                    "must_pass": False,
                    "select": "label is not null",
                    "checks": [{"metric": "accuracy", "min": 0.5}],
                }
            },
            [],
        ),
        (
            {
                "golden__scenarios__1": {
                    "id": "dogs",
                    "select": "label is not null",
                    "checks": [{"metric": "accuracy", "min": 0.5}],
                }
            },
            [("CLS305", "golden.scenarios.dogs.id")],
        ),
        (in_check(metric="recal"), [("CLS304", "golden.scenarios.dogs.checks.0.metric")]),
        (in_check(**{"class": GONE}), [("CLS307", "golden.scenarios.dogs.checks.0.metric")]),
        (in_check(metric="precision"), []),
        (in_check(metric="accuracy"), [("CLS307", "golden.scenarios.dogs.checks.0.class")]),
        (in_check(**{"class": "cat"}), [("CLS412", "golden.scenarios.dogs")]),
        ({f"{SCENARIO}__guard__checks__0__class": "cat"}, [("CLS412", "golden.scenarios.dogs")]),
        (
            {f"{SCENARIO}__guard": GONE, CHECK: {"metric": "false_positive_rate", "class": "dog", "max": 0.1}},
            [("CLS412", "golden.scenarios.dogs")],
        ),
        (own_golden(id="integer"), [("CLS409", "datasets.golden")]),
        ({"datasets__canonical__group": "id", **own_golden(id="string")}, [("CLS409", "datasets.golden")]),
        (in_check(**{"class": "dgo"}), [("CLS303", "golden.scenarios.dogs.checks.0.class")]),
        ({f"{SCENARIO}__guard__checks__0__class": "dgo"}, [("CLS303", "golden.scenarios.dogs.guard.checks.0.class")]),
        ({f"{SCENARIO}__select": "label in ('dog', 'dgo')"}, [("CLS303", "golden.scenarios.dogs.select")]),
        ({f"{SCENARIO}__select": "label = 'dog' and id != 'dgo'"}, []),
        ({f"{SCENARIO}__select": "label != 'dgo'"}, []),
        ({"task__classes": GONE}, [("CLS202", "task")]),
        (in_check(min=0.0), [("CLS206", "golden.scenarios.dogs.checks.0.min")]),
        (in_check(min=95), [("CLS206", "golden.scenarios.dogs.checks.0.min")]),
        (in_check(min=-0.5), [("CLS206", "golden.scenarios.dogs.checks.0.min")]),
        ({f"{SCENARIO}__guard__checks__0__max": 1}, [("CLS206", "golden.scenarios.dogs.guard.checks.0.max")]),
        (in_check(min=GONE, max=0.9), [("CLS407", "golden.scenarios.dogs.checks.0.max")]),
        (in_check(metric="false_negative_rate", min=GONE, max=0.1), []),
        (in_check(metric="false_negative_rate"), [("CLS407", "golden.scenarios.dogs.checks.0.min")]),
        (in_check(min=1), [("CLS403", "golden.scenarios.dogs.checks.0.min")]),
        ({f"{SCENARIO}__guard__checks__0__max": 0}, [("CLS403", "golden.scenarios.dogs.guard.checks.0.max")]),
        (in_check(gate="bound"), []),
        (in_check(gate="point"), [("CLS406", "golden.scenarios.dogs.checks.0.gate")]),
        ({f"{SCENARIO}__guard": GONE}, [("CLS412", "golden.scenarios.dogs")]),
        ({"datasets__golden__pinned": False}, [("CLS404", "datasets.golden")]),
        ({"datasets__golden__pinned": GONE}, [("CLS404", "datasets.golden")]),
        ({"training__dataset": "golden"}, [("CLS405", "golden.dataset")]),
        ({f"{SCENARIO}__select": "label = "}, [("CLS320", "golden.scenarios.dogs.select")]),
        ({f"{SCENARIO}__select": "label"}, [("CLS321", "golden.scenarios.dogs.select")]),
        ({f"{SCENARIO}__select": "label = 'dog' or lighting = 'night'"}, [("CLS302", "golden.scenarios.dogs.select")]),
        ({f"{SCENARIO}__guard__select": "1 = 1 = 1"}, [("CLS320", "golden.scenarios.dogs.guard.select")]),
    ],
)
def test_a_gate_can_say_no(changes, expected):
    assert said(spec(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({f"{SCENARIO}__guard": GONE, f"{SCENARIO}__must_pass": False}, False),
        (in_check(metric="precision") | {f"{SCENARIO}__guard": GONE}, False),
        ({f"{CHECK}": {"metric": "accuracy", "min": 0.9}, f"{SCENARIO}__guard": GONE}, True),
        (
            {
                f"{CHECK}": {"metric": "accuracy", "min": 0.9},
                f"{SCENARIO}__guard": GONE,
                f"{SCENARIO}__select": "label is not null",
            },
            False,
        ),
        (
            {f"{SCENARIO}__checks__1": {"metric": "recall", "class": "cat", "min": 0.9}, f"{SCENARIO}__guard": GONE},
            False,
        ),
        (
            {
                f"{SCENARIO}__guard": {
                    "select": "label = 'dog'",
                    "checks": [{"metric": "recall", "class": "dog", "min": 0.8}],
                }
            },
            True,
        ),
        (in_check(metric="false_negative_rate", min=GONE, max=0.1) | {f"{SCENARIO}__guard": GONE}, True),
    ],
)
def test_the_easy_way_out_is_warned_of(changes, warned):
    found = judged(spec(**changes))
    assert ("CLS412" in {d.code for d in found}) is warned
    assert all(d.code in {"CLS412", "CLS401"} for d in found)


BASELINE = {"golden__baseline": {"compare": "champion", "when_missing": "fail"}}


def test_a_must_pass_of_comparisons_only_is_an_error():
    assert ("CLS402", "golden.scenarios.dogs.checks") in said(spec(**in_check(min=GONE, margin=0.02)))
    mixed = {f"{SCENARIO}__checks__1": {"metric": "recall", "class": "dog", "margin": 0.02}}
    assert said(spec(**mixed, **BASELINE)) == []
    flips = spec(**{CHECK: {"metric": "negative_flip_rate", "max": 0.02}}, **BASELINE)
    assert ("CLS402", "golden.scenarios.dogs.checks") in said(flips)


def test_a_point_is_judged_where_nothing_depends_on_it():
    extra = {"id": "all", "must_pass": False, "select": "label is not null"}
    extra["checks"] = [{"metric": "accuracy", "min": 0.99999, "gate": "point"}]
    assert judged(spec(golden__scenarios__1=extra)) == ()


def test_rows_of_one_group_are_not_independent():
    grouped = {"datasets__canonical__columns__owner": "string", "datasets__canonical__group": "owner"}
    grouped["sources__photos__columns__owner"] = "string"
    assert said(spec(**grouped)) == [("CLS414", "golden.dataset")]
    assert said(spec(**grouped, golden__cluster_by="owner")) == []


@pytest.mark.parametrize(
    ("rows", "clusters", "enough"), [(59, 1000, True), (58, 1000, False), (3000, 59, True), (3000, 58, False)]
)
def test_a_bound_must_be_within_reach_of_the_pinned_golden_set(rows, clusters, enough):
    changes = {"golden__defaults": {"min_samples": 1}} | in_check(min=0.95)
    if rows == 3000:
        changes["golden__cluster_by"] = "id"
    value = spec(**changes)
    found = judged(value, pins(value, rows, clusters))
    assert [d.where for d in found] == ([] if enough else ["golden.scenarios.dogs.checks.0.min"])
    if not enough:
        assert "takes 59 faultless" in found[0].message
        assert found[0].message.endswith("has 58")


def test_min_samples_and_clusters_must_be_there():
    value = spec(golden__defaults={"min_samples": 200})
    assert said(value, pins(value, rows=199)) == [
        ("CLS403", f"golden.scenarios.dogs{g}.select") for g in ("", ".guard")
    ]
    assert said(value, pins(value, rows=200)) == []
    own = spec(**{f"{SCENARIO}__min_samples": 300})
    assert {code for code, _ in said(own, pins(own, rows=299))} == {"CLS403"}
    clustered = spec(golden__cluster_by="id")
    assert said(clustered, pins(clustered, clusters=50)) == []
    assert {code for code, _ in said(clustered, pins(clustered, clusters=49))} == {"CLS403"}


def test_confidence_counts():
    value = spec(**in_check(min=0.95), golden__defaults={"min_samples": 1, "confidence": 0.99})
    (found,) = judged(value, pins(value, rows=89))
    assert "takes 90 faultless" in found.message
    own = spec(**in_check(min=0.95), **{f"{SCENARIO}__confidence": 0.9, f"{SCENARIO}__min_samples": 1})
    assert judged(own, pins(own, rows=45)) == ()


def test_a_predicate_is_underlined_where_it_is_wrong():
    select = "label = 'dog' and\nlable = 'cat'"
    Path("spec.yaml").write_text(
        (DIAGNOSTICS / "valid.yaml")
        .read_text()
        .replace("select: \"label = 'dog'\"", "select: |\n        label = 'dog' and\n        lable = 'cat'")
    )
    Path("spec.lock").write_text((DIAGNOSTICS / "valid.lock").read_text())
    (found,) = api.check("spec.yaml").diagnostics
    assert (found.code, found.span) == ("CLS302", Span(20, 9, 20, 14))
    assert select.splitlines()[1].startswith("lable")


# -- pins ------------------------------------------------------------------------------------------------------------


def test_no_lock_is_one_problem():
    Path("spec.yaml").write_text(json.dumps(spec(), indent=1))
    (found,) = api.check("spec.yaml").diagnostics
    assert (found.code, found.where, found.hint) == ("CLS601", "datasets", "run `clspec lock spec.yaml`")


@pytest.mark.parametrize(
    ("pinned_for", "expected"),
    [
        ({}, []),
        ({"datasets__golden": GONE}, [("CLS601", "datasets.golden")]),
        (
            {"datasets__canonical__columns__owner": "string"},
            [("CLS602", "datasets.canonical"), ("CLS602", "datasets.golden")],
        ),
        ({"datasets__golden__key": "label"}, [("CLS602", "datasets.golden")]),
        ({"datasets__golden__group": "label"}, [("CLS602", "datasets.golden")]),
        ({"sources__photos__columns__owner": "string"}, [("CLS602", "sources.photos")]),
        ({"sources__photos": GONE}, [("CLS602", "sources.photos")]),
        ({f"{SCENARIO}__select": "label in ('dog')"}, [("CLS602", "golden.scenarios.dogs.select")]),
        ({f"{SCENARIO}__guard": GONE}, [("CLS602", "golden.scenarios.dogs.guard.select")]),
        ({"golden__cluster_by": "id"}, [("CLS602", "golden.dataset")]),
        ({"datasets__old": {"like": "canonical"}}, [("CLS604", "datasets")]),
        ({"sources__old": EXTRA}, [("CLS604", "sources")]),
        (
            {f"{SCENARIO}__id": "cats"},
            [
                ("CLS604", "golden.scenarios"),
                ("CLS602", "golden.scenarios.dogs.select"),
                ("CLS602", "golden.scenarios.dogs.guard.select"),
            ],
        ),
    ],
)
def test_the_lock_must_speak_of_this_spec(pinned_for, expected):
    assert said(spec(), pins(spec(**pinned_for))) == expected


def test_the_hint_of_a_stale_pin_is_the_command_that_mends_it():
    regrouped = judged(spec(), pins(spec(datasets__golden__group="label")))
    assert [d.hint for d in regrouped] == ["run `clspec lock spec.yaml`"]
    other = judged(spec(), pins(spec(datasets__golden__key="label")))
    assert [d.hint for d in other] == ["run `clspec lock spec.yaml --update golden`"]


def test_an_image_that_is_gone_is_a_pin_without_use():
    pinned = dataclasses_replaced(pins(spec()), images={"registry.example.com/pets:1": f"sha256:{0:064}"})
    assert said(spec(), pinned) == [("CLS604", "code")]
    assert said(spec(code__image="registry.example.com/pets:1"), pinned) == []


def dataclasses_replaced(value, **changes):
    return type(value)(**{name: changes.get(name, getattr(value, name)) for name in value.__struct_fields__})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\ndatasets: {canonical: {digest: latest}}\n", "64 hexadecimal digits"),
        ("version: 0\n", "reads version 1"),
        ("version: 1\nimages: {a: b}\n", "64 hexadecimal digits"),
        ("version: one\n", "version"),
        ("- a\n", "mapping"),
        ("", "empty"),
        ("a: [\n", "closed"),
        ("version: 1\nsecrets: {}\n", "secrets"),
    ],
)
def test_a_lock_that_cannot_be_read_is_one_problem(text, words):
    Path("spec.yaml").write_text(json.dumps(spec(), indent=1))
    Path("spec.lock").write_text(text)
    (found,) = api.check("spec.yaml").diagnostics
    assert (found.code, found.path) == ("CLS603", "spec.lock")
    assert words in found.message


@pytest.mark.parametrize(
    "rest", ["", "datasets: {a: {quantum: true}}\n", "sections: [of, another, kind]\nversion: 3\n"]
)
def test_a_lock_of_a_newer_version_is_told_of_first_and_alone(rest):
    Path("spec.yaml").write_text(json.dumps(spec(), indent=1))
    Path("spec.lock").write_text(f"version: 2\n{rest}")
    (found,) = api.check("spec.yaml").diagnostics
    assert (found.code, found.path, found.span.line) == ("CLS605", "spec.lock", 1)
    assert "version 2" in found.message
    assert "newer" in found.hint


def test_a_lock_is_never_its_spec():
    assert lock.path_for("specs/robotaxi.yaml") == "specs/robotaxi.lock"
    assert lock.path_for("pets") == "pets.lock"
    assert lock.path_for("pets.lock") == "pets.lock.lock"


def test_what_a_lock_says_comes_back():
    made = pins(spec(golden__cluster_by="id"))
    document, found = load(lock.render(made), "spec.lock")
    assert found == ()
    assert lock.parse(document.value) == made


# -- entry points ----------------------------------------------------------------------------------------------------

TRAIN = "data, validation, model_dir, seed"
CODE = {
    "missing module": (None, "other:train", "CLS309"),
    "missing function": ("def fit(): ...", "train:train", "CLS309"),
    "fits": (f"def train({TRAIN}): ...", "train:train", None),
    "default": (f"def train({TRAIN}, epochs=1): ...", "train:train", None),
    "keyword only": (f"def train(*, {TRAIN}): ...", "train:train", None),
    "too few": ("def train(data, model_dir): ...", "train:train", "CLS311"),
    "too many": (f"def train({TRAIN}, epochs): ...", "train:train", "CLS311"),
    "too many keywords": (f"def train({TRAIN}, *, epochs): ...", "train:train", "CLS311"),
    "positional only": (f"def train({TRAIN}, /): ...", "train:train", "CLS311"),
    "positional only with default": (f"def train(extra=1, /, {TRAIN.replace(',', '=1,')}=1): ...", "train:train", None),
    "any keywords": ("def train(**anything): ...", "train:train", None),
    "any": ("def train(*a, **k): ...", "train:train", None),
    "any positional": ("def train(*a): ...", "train:train", "CLS311"),
    "async": (f"async def train({TRAIN}): ...", "train:train", "CLS309"),
    "decorated": (f"import functools\n@functools.cache\ndef train({TRAIN}): ...", "train:train", None),
    "class": (f"class train:\n    def __init__(self, {TRAIN}): ...", "train:train", "CLS309"),
    "assigned": ("train = print", "train:train", "CLS309"),
    "nested": (f"if True:\n    def train({TRAIN}): ...", "train:train", "CLS309"),
    "syntax error": ("def train(:", "train:train", "CLS310"),
    "zero byte": ("x = 1\0", "train:train", "CLS310"),
    "not UTF-8": (b'NAME = "\xff\xfe"', "train:train", "CLS310"),
    "declared encoding": (
        f"# -*- coding: latin-1 -*-\n# \xe9\ndef train({TRAIN}): ...".encode("latin-1"),
        "train:train",
        None,
    ),
    "unknown encoding": (b"# -*- coding: klingon -*-", "train:train", "CLS310"),
    "very deep": ("x = " + "(" * 300 + ")" * 300, "train:train", "CLS310"),
    "empty": ("", "train:train", "CLS309"),
    "generator": (f"def train({TRAIN}):\n    yield 1", "train:train", None),
}


@pytest.mark.parametrize("name", CODE)
def test_entry_points_are_read_not_run(name):
    text, entrypoint, expected = CODE[name]
    if text is not None:
        Path("code/train.py").write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
    found = said(spec(training__entrypoint=entrypoint))
    assert found == ([] if expected is None else [(expected, "training.entrypoint")])


FILES = {
    "package": ({"pkg/__init__.py": f"def train({TRAIN}): ..."}, "pkg:train", None),
    "module in a package": ({"pkg/sub/fit.py": f"def train({TRAIN}): ..."}, "pkg.sub.fit:train", None),
    "imported": ({"a.py": "from b import train", "b.py": f"def train({TRAIN}): ..."}, "a:train", None),
    "imported under another name": (
        {"a.py": "from b import fit as train", "b.py": f"def fit({TRAIN}): ..."},
        "a:train",
        None,
    ),
    "imported and unfit": ({"a.py": "from b import train", "b.py": "def train(): ..."}, "a:train", "CLS311"),
    "imported from nowhere": ({"a.py": "from numpy import train"}, "a:train", "CLS309"),
    "folder without a module": ({"pkg/notes.txt": ""}, "pkg:train", "CLS309"),
}


def write(files):
    for name, text in files.items():
        path = Path("code", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.mark.parametrize("name", FILES)
def test_entry_points_are_found_where_python_finds_them(name):
    files, entrypoint, expected = FILES[name]
    write(files)
    found = said(spec(training__entrypoint=entrypoint))
    assert found == ([] if expected is None else [(expected, "training.entrypoint")])


def test_two_modules_that_import_from_each_other_end():
    write({"a.py": "from b import train", "b.py": "from a import train"})
    assert said(spec(training__entrypoint="a:train")) == [("CLS309", "training.entrypoint")]


def test_a_package_may_pass_on_what_a_module_of_it_holds():
    write({"pkg/__init__.py": "from .fit import train", "pkg/fit.py": f"def train({TRAIN}): ..."})
    assert said(spec(training__entrypoint="pkg:train")) == []
    write({"pkg/__init__.py": "from .fit import train", "pkg/fit.py": "def train(): ..."})
    assert said(spec(training__entrypoint="pkg:train")) == [("CLS311", "training.entrypoint")]


def test_code_that_python_warns_of_is_read_in_silence():
    write({"train.py": f'PATTERN = "\\d"\ndef train({TRAIN}): ...'})
    assert said(spec(training__entrypoint="train:train")) == []


def test_a_comment_is_utf_8_as_well():
    Path("code/train.py").write_bytes(f"# \xff\ndef train({TRAIN}): ...".encode("latin-1"))
    assert said(spec(training__entrypoint="train:train")) == [("CLS310", "training.entrypoint")]


def test_code_is_read_as_it_is_now():
    write({"train.py": "def train(): ..."})
    assert said(spec(training__entrypoint="train:train")) == [("CLS311", "training.entrypoint")]
    write({"train.py": f"def train({TRAIN}): ..."})
    assert said(spec(training__entrypoint="train:train")) == []


def test_every_place_is_called_as_it_should_be():
    write({"none.py": "def nothing(): ..."})
    found = judged(spec(training__entrypoint="none:nothing", inference__entrypoint="none:nothing"))
    assert [d.hint for d in found] == [
        "it is called as `nothing(data=, validation=, model_dir=, seed=)`",
        "it is called as `nothing(data=, model_dir=)`",
    ]
    (source,) = judged(spec(sources__photos__entrypoint="model:predict"))
    assert (source.where, source.hint) == ("sources.photos.entrypoint", "it is called as `predict()`")


def test_parameters_reach_the_function():
    assert judged(spec(training__params={"epochs": 3})) == ()
    assert said(spec(training__params={"epoch": 3})) == [("CLS311", "training.entrypoint")]
    write({"train.py": f"def train({TRAIN}, epochs): ..."})
    broken = spec(training__entrypoint="train:train", training__params={"epochs": None})
    assert said(broken) == [("CLS203", "training.params.epochs")]
    commanded = spec(
        training__entrypoint=GONE, training__command=[*COMMAND, "{params.lr}"], training__params={"lr": None}
    )
    assert said(commanded) == [("CLS203", "training.params.lr")]
    assert said(spec(training__params={"seed": 3})) == [("CLS311", "training.params.seed")]


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("code", None),
        ("code/sub", None),
        ("./code", None),
        ("none", "CLS308"),
        ("code/model.py", "CLS308"),
        (".", "CLS315"),
        ("..", "CLS315"),
        ("/", "CLS315"),
        ("code/..", "CLS315"),
        ("x" * 300, "CLS308"),
    ],
)
def test_the_code_lies_in_a_folder_of_its_own(root, expected):
    Path("code/sub").mkdir()
    Path("code/sub/model.py").write_text(Path("code/model.py").read_text())
    assert said(spec(code__root=root)) == ([] if expected is None else [(expected, "code.root")])


def test_an_absolute_root_is_none_beside_the_spec(tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert said(spec(code__root=str(elsewhere))) == [("CLS315", "code.root")]


def test_nothing_leads_out_of_the_code_root(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "train.py"
    outside.write_text(f"def train({TRAIN}): ...\n")
    Path("code/train.py").symlink_to(outside)
    assert said(spec(training__entrypoint="train:train")) == [
        ("CLS315", "code.root"),
        ("CLS309", "training.entrypoint"),
    ]


def test_a_pipe_in_the_code_root_is_told_not_read():
    os.mkfifo("code/train.py")
    assert said(spec(training__entrypoint="train:train")) == [
        ("CLS315", "code.root"),
        ("CLS309", "training.entrypoint"),
    ]


COMMAND = ["Rscript", "train.R", "{data}", "{model_dir}"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"training__command": COMMAND}, []),
        ({"training__command": [*COMMAND, "--validation={validation}", "{seed}"]}, []),
        ({"training__command": [*COMMAND, "{dta}"]}, [("CLS312", "training.command.4")]),
        ({"training__command": [*COMMAND, "{data"]}, [("CLS312", "training.command.4")]),
        ({"training__command": [*COMMAND, "{}"]}, [("CLS312", "training.command.4")]),
        ({"training__command": COMMAND[:3]}, [("CLS312", "training.command")]),
        ({"training__command": [*COMMAND, "{out}"]}, [("CLS312", "training.command.4")]),
        ({"training__command": COMMAND, "training__seeds": [1, 2]}, [("CLS312", "training.command")]),
        ({"training__command": [*COMMAND, "{params.lr}"], "training__params": {"lr": 1}}, []),
        ({"training__command": COMMAND, "training__params": {"lr": 1}}, [("CLS312", "training.command")]),
        ({"training__command": [*COMMAND, "{params.lr}"]}, [("CLS312", "training.command.4")]),
        (
            {"training__command": [*COMMAND, "{params.lr}"], "training__params": {"lr": [1]}},
            [("CLS203", "training.params.lr")],
        ),
    ],
)
def test_a_command_holds_its_placeholders(changes, expected):
    assert said(spec(training__entrypoint=GONE, **changes)) == expected


def test_commands_of_other_places():
    predict = ["predict", "{data}", "{model_dir}", "{out}"]
    assert said(spec(inference__entrypoint=GONE, inference__command=predict)) == []
    assert said(spec(inference__entrypoint=GONE, inference__command=predict[:3])) == [("CLS312", "inference.command")]
    assert said(spec(sources__photos__entrypoint=GONE, sources__photos__command=["rows", "{out}"])) == []
    bad = spec(sources__photos__entrypoint=GONE, sources__photos__command=["rows", "{data}"])
    assert said(bad) == [("CLS312", "sources.photos.command"), ("CLS312", "sources.photos.command.1")]


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("store", None),
        ("s3://bucket/x", None),
        ("file:///x", None),
        ("ftp://x", "CLS315"),
        ("s3://key@bucket", "CLS315"),
        ("s3://key:word@bucket", "CLS316"),
    ],
)
def test_a_store_lies_where_it_can_be_reached(store, expected):
    assert said(spec(store=store)) == ([] if expected is None else [(expected, "store")])
    files = {"type": "csv", "uri": store, "columns": {"id": "string", "label": "string"}}
    assert said(spec(sources__photos=files)) == ([] if expected is None else [(expected, "sources.photos.uri")])


# -- schedules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cron",
    [
        "* * * * *",
        "0 2 * * *",
        "*/5 0-6/2 1,15 jan,JUL mon-fri",
        "0 0 29 2 *",
        "0 0 29,30 2 *",
        "0 0 31 2 1",
        "59 23 31 12 7",
        "5/10 * * * *",
        " 0  2 * * * ",
    ],
)
def test_schedules_that_come(cron):
    assert cron_complaint(cron) == ""


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "five fields, not 0"),
        ("@daily", "five fields, not 1"),
        ("0 0 2 * * *", "five fields, not 6"),
        ("60 * * * *", "`60` is not possible as the minute (0-59)"),
        ("0 24 * * *", "hour"),
        ("0 0 0 * *", "day of the month"),
        ("0 0 1 13 *", "month (1-12)"),
        ("0 0 * * 8", "day of the week"),
        ("0 0 * * mon,", "day of the week"),
        ("0 0 * * fri-mon", "day of the week"),
        ("0 0 L * *", "day of the month"),
        ("0 0 ? * *", "day of the month"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("\u0661 * * * *", "minute"),
        ("0 0 30 2 *", "no day 30 in month 2"),
        ("0 0 31 4,6 *", "no day 31 in month 4,6"),
        ("0 0 30,31 feb *", "no day 30,31 in month feb"),
        ("0 0 30-31 2 *", "no day 30-31 in month 2"),
    ],
)
def test_schedules_that_never_come(cron, words):
    assert words in cron_complaint(cron)
    if cron:
        triggers = [{"event": "schedule", "cron": cron, "run": "regression"}]
        assert said(spec(triggers=triggers)) == [("CLS314", "triggers.0.cron")]


def test_time_zones_are_those_of_the_world():
    assert {"UTC", "Europe/Berlin", "America/Los_Angeles"} <= time_zones()
    triggers = [
        {"event": "schedule", "cron": "0 2 * * *", "time_zone": zone, "run": "regression"}
        for zone in ("CET", "Mars/Base", "")
    ]
    found = judged(spec(triggers=triggers))
    assert [(d.code, d.where) for d in found] == [("CLS314", f"triggers.{n}.time_zone") for n in (1, 2)]


# -- several machines, and who is told -------------------------------------------------------------------------------


def test_predictions_are_not_spread_over_machines():
    (found,) = judged(spec(inference__resources={"nodes": 2}))
    assert (found.code, found.where, found.is_error) == ("CLS520", "inference.resources.nodes", True)
    assert "shards" in found.hint
    with pytest.raises(pipe.InvalidSpec):
        api.plan("spec.yaml")
    assert judged(spec(inference__resources={"nodes": 1}, training__resources={"nodes": 4})) == ()


def test_a_webhook_has_one_place():
    def told(*places):
        return spec(notify=[{"on_event": ["gate_failed"], "webhook_env": e, "kubernetes": p} for e, p in places])

    here, there = {"name": "hooks", "key": "team"}, {"name": "hooks", "key": "board"}
    assert judged(told(("A", here), ("A", here), ("B", there))) == ()
    (found,) = judged(told(("A", here), ("A", there)))
    assert (found.code, found.where, found.is_error) == ("CLS521", "notify.1.kubernetes", True)
    assert "key `team` of secret `hooks`" in found.message


# -- no key is accepted and ignored ----------------------------------------------------------------------------------


def leaves(part, path=()):
    """The path of every key of the language; `*` stands for a name of the user's own, an item is as its list."""
    while "$ref" in part:
        part = schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]]
    for branch in part.get("allOf", ()):
        yield from leaves(branch["then"], path)
    for key, below in part.get("properties", {}).items():
        yield (*path, key)
        yield from leaves(below, (*path, key))
    for below in part.get("patternProperties", {}).values():
        yield from leaves(below, (*path, "*"))
    if "items" in part:
        yield from leaves(part["items"], path)


FILES_SOURCE = {"type": "csv", "uri": "photos.csv", "columns": {"id": "string", "label": "string"}}
GPU = {"training__resources": {"gpu": {"count": 1}}}
TOLERATION = {"training__resources": {"tolerations": [{"key": "gpu"}]}}
GROUPED = {"datasets__canonical__columns__owner": "string", "sources__photos__columns__owner": "string"}
SCHEDULE = {"triggers": [{"event": "schedule", "cron": "0 2 * * *", "run": "regression"}]}
DATA_CHANGE = {**LOOP, "triggers": [{"event": "data_change", "source": "fleet", "run": "improvement"}]}
PATHS = {"triggers": [{"event": "code_change", "paths": ["code/**"], "run": "regression"}]}
SECRET = {"training__secrets": [{"env": "TOKEN", "kubernetes": {"name": "hub", "key": "token"}}]}
RUN = {"resources": {"cpu": 2}, "isolation": "spawn", "secrets": [{"env": "TOKEN"}], "timeout": "6h"}
RUN["retry"] = {"times": 2, "for": ["infrastructure"]}
OPTIONAL = {
    "must_pass": False,
    "select": "label is not null",
    "checks": [{"metric": "accuracy", "min": 0.5, "gate": "point"}],
}

OWN = {"metric": "python:model:mine", "min": 0.5, "higher_is_better": True, "range": [0, 1]}
OWN_MARGIN = {"metric": "python:model:mine", "margin": 0.1, "higher_is_better": True, "range": [0, 1]}
COMPARED = {f"{SCENARIO}__checks__1": {"metric": "recall", "class": "dog", "margin": 0.2}, **BASELINE}
SLICED = {"golden__slices": {"named": "id is not null"}}
GAP = {"golden__scenarios__1": {**OPTIONAL, "id": "all", "for_each": "id"}}
GAP["golden__scenarios__1"] |= {"checks": [{"metric": "accuracy", "min": 0.5, "max_gap": 0.2}]}
ALL_ROWS = ("sources__photos", "sources__fleet", "datasets__canonical")
EXPECT = {
    "rows.min": {"rows": {"min": 10}},
    "rows.max": {"rows": {"max": 10}},
    "nulls": {"nulls": {"conf": 0}},
    "ranges": {"ranges": {"conf": {"min": 0, "max": 1}}},
}
EXPECT_ID = {key: value for key, value in EXPECT.items() if key.startswith("rows")} | {"nulls": {"nulls": {"id": 0}}}
DRIFT = {"sources__fleet__expect": {"drift": {"columns": ["owner"], "against": "canonical", "max_psi": 0.2}}}
OTHER_DRIFT = {"columns": ["owner", "id"], "against": "golden", "max_psi": 0.3}
MATURES = {"feedback__rules__3__matures_after": "90d", "feedback__rules__3__when_absent": "cat"}
STAGES = {"promotion": {"stages": [{"alias": "shadow"}, {"alias": "champion"}]}}
TOLD = {"notify": [{"on_event": ["gate_failed"], "webhook_env": "HOOK"}]}
PLACED = {"notify": [{**TOLD["notify"][0], "kubernetes": {"name": "hooks", "key": "team"}}]}

CHANGES_THE_PLAN = {
    "metadata.name": ({}, {"metadata__name": "others"}),
    "store": ({}, {"store": "s3://bucket/pets"}),
    "code.root": ({}, {"code__root": "code/sub"}),
    "code.image": ({}, {"code__image": "registry.example.com/pets:1"}),
    "code.workdir": ({}, {"code__workdir": "/app"}),
    "task.label": (
        {"datasets__canonical__columns__truth": "string", "sources__photos__columns__truth": "string"},
        {"task__label": "truth"},
    ),
    "task.classes": ({}, {"task__classes": ["cat", "dog", "fish"]}),
    "task.prediction": ({}, {"task__prediction": "answer"}),
    "task.score": ({}, {"task__score": "conf"}),
    "sources.*.type": ({"sources__photos": FILES_SOURCE}, {"sources__photos__type": "jsonl"}),
    "sources.*.uri": ({"sources__photos": FILES_SOURCE}, {"sources__photos__uri": "others.csv"}),
    "sources.*.columns": ({}, {"sources__photos__columns__note": "string"}),
    "sources.*.entrypoint": ({}, {"sources__photos__entrypoint": "model:more"}),
    "sources.*.command": ({}, {"sources__photos__entrypoint": GONE, "sources__photos__command": ["x", "{out}"]}),
    "datasets.*.columns": ({}, {"datasets__canonical__columns__note": "string"}),
    "datasets.*.like": (
        {"datasets__other": {"columns": {"id": "string", "label": "string", "note": "string"}, "key": "id"}},
        {"datasets__golden__like": "other"},
    ),
    "datasets.*.key": ({}, {"datasets__canonical__key": "label"}),
    "datasets.*.group": (GROUPED | {"golden__cluster_by": "owner"}, {"datasets__canonical__group": "owner"}),
    "datasets.*.from": ({"sources__more": EXTRA}, {"datasets__canonical__from": "more"}),
    "training.entrypoint": ({}, {"training__entrypoint": "model:more_training"}),
    "training.command": ({}, {"training__entrypoint": GONE, "training__command": COMMAND}),
    "training.dataset": ({"datasets__other": {"like": "canonical"}}, {"training__dataset": "other"}),
    "training.split.validation": ({}, {"training__split": {"validation": 0.2}}),
    "training.params": ({}, {"training__params": {"epochs": 5}}),
    "training.seeds": ({}, {"training__seeds": [1, 2]}),
    **{f"training.{key}": ({}, {f"training__{key}": value}) for key, value in RUN.items()},
    **{f"inference.{key}": ({}, {f"inference__{key}": value}) for key, value in RUN.items()},
    "training.resources.cpu": ({}, {"training__resources": {"cpu": 3}}),
    "training.resources.memory": ({}, {"training__resources": {"memory": "4Gi"}}),
    "training.resources.gpu": ({}, GPU),
    "training.resources.gpu.count": (GPU, {"training__resources__gpu__count": 2}),
    "training.resources.gpu.model": (GPU, {"training__resources__gpu__model": "nvidia-a100"}),
    "training.resources.gpu.memory": (GPU, {"training__resources__gpu__memory": "40Gi"}),
    "training.resources.gpu.resource": (GPU, {"training__resources__gpu__resource": "amd.com/gpu"}),
    "training.resources.nodes": ({}, {"training__resources": {"nodes": 2}}),
    "training.resources.shared_memory": ({}, {"training__resources": {"shared_memory": "1Gi"}}),
    "training.resources.ephemeral_storage": ({}, {"training__resources": {"ephemeral_storage": "1Gi"}}),
    "training.resources.node_selector": ({}, {"training__resources": {"node_selector": {"pool": "train"}}}),
    "training.resources.tolerations": ({}, TOLERATION),
    "training.resources.tolerations.key": (TOLERATION, {"training__resources__tolerations__0__key": "x"}),
    "training.resources.tolerations.operator": (
        TOLERATION,
        {"training__resources__tolerations__0__operator": "Exists"},
    ),
    "training.resources.tolerations.value": (TOLERATION, {"training__resources__tolerations__0__value": "x"}),
    "training.resources.tolerations.effect": (TOLERATION, {"training__resources__tolerations__0__effect": "NoExecute"}),
    "training.secrets.env": (SECRET, {"training__secrets__0__env": "OTHER"}),
    "training.secrets.kubernetes.name": (SECRET, {"training__secrets__0__kubernetes__name": "x"}),
    "training.secrets.kubernetes.key": (SECRET, {"training__secrets__0__kubernetes__key": "x"}),
    "training.retry.times": ({"training__retry": RUN["retry"]}, {"training__retry__times": 3}),
    "inference.entrypoint": ({}, {"inference__entrypoint": "model:more_inference"}),
    "inference.command": (
        {},
        {"inference__entrypoint": GONE, "inference__command": ["x", "{data}", "{model_dir}", "{out}"]},
    ),
    "inference.shards": ({}, {"inference__shards": 2}),
    "golden.dataset": ({"datasets__other": {"like": "canonical", "pinned": True}}, {"golden__dataset": "other"}),
    "golden.cluster_by": ({}, {"golden__cluster_by": "id"}),
    "golden.defaults.min_samples": ({}, {"golden__defaults": {"min_samples": 200}}),
    "golden.defaults.confidence": ({}, {"golden__defaults": {"confidence": 0.9}}),
    "golden.scenarios.id": ({}, {f"{SCENARIO}__id": "hounds"}),
    "golden.scenarios.must_pass": (
        {"golden__scenarios__1": {**OPTIONAL, "id": "all", "checks": [{"metric": "accuracy", "min": 0.5}]}},
        {"golden__scenarios__1__must_pass": True},
    ),
    "golden.scenarios.select": ({}, {f"{SCENARIO}__select": "label in ('dog')"}),
    "golden.scenarios.min_samples": ({}, {f"{SCENARIO}__min_samples": 200}),
    "golden.scenarios.confidence": ({}, {f"{SCENARIO}__confidence": 0.9}),
    "golden.scenarios.checks.metric": ({}, in_check(metric="precision")),
    "golden.scenarios.checks.class": ({}, in_check(**{"class": "cat"})),
    "golden.scenarios.checks.min": ({}, in_check(min=0.8)),
    "golden.scenarios.checks.max": (in_check(metric="false_negative_rate", min=GONE, max=0.1), in_check(max=0.2)),
    "golden.scenarios.checks.gate": (
        {"golden__scenarios__1": {**OPTIONAL, "id": "all"}},
        {"golden__scenarios__1__checks__0__gate": "bound"},
    ),
    "golden.scenarios.guard": ({}, {f"{SCENARIO}__guard": GONE}),
    "golden.scenarios.guard.select": ({}, {f"{SCENARIO}__guard__select": "label in ('cat')"}),
    "golden.scenarios.guard.checks.max": ({}, {f"{SCENARIO}__guard__checks__0__max": 0.2}),
    "triggers.event": (SCHEDULE, PATHS),
    "triggers.paths": (PATHS, {"triggers__0__paths": ["code/*.py"]}),
    "triggers.cron": (SCHEDULE, {"triggers__0__cron": "0 3 * * *"}),
    "triggers.time_zone": (SCHEDULE, {"triggers__0__time_zone": "Europe/Berlin"}),
    "triggers.source": (DATA_CHANGE | {"sources__more": EXTRA}, {"triggers__0__source": "more"}),
    "triggers.run": (LOOP | SCHEDULE, {"triggers__0__run": "improvement"}),
    "task.type": (
        {"golden__scenarios__0__checks": [OWN], f"{SCENARIO}__guard": GONE},
        {"task__type": "custom"},
    ),
    "golden.baseline": (COMPARED, {"golden__baseline__when_missing": "absolute_only"}),
    "golden.baseline.when_missing": (COMPARED, {"golden__baseline__when_missing": "absolute_only"}),
    "golden.reuse.max_decisions": ({"golden__reuse": {"max_decisions": 5}}, {"golden__reuse__max_decisions": 6}),
    "golden.slices": (SLICED, {"golden__slices__named": "id = '1'"}),
    "golden.scenarios.slices": (SLICED, {f"{SCENARIO}__slices": ["named"]}),
    "golden.scenarios.for_each": ({}, {f"{SCENARIO}__for_each": "id"}),
    "golden.scenarios.checks.margin": (COMPARED, {f"{SCENARIO}__checks__1__margin": 0.1}),
    "golden.scenarios.checks.max_gap": (GAP, {"golden__scenarios__1__checks__0__max_gap": 0.3}),
    "golden.scenarios.checks.higher_is_better": (
        COMPARED | {f"{SCENARIO}__checks__1": OWN_MARGIN},
        {f"{SCENARIO}__checks__1__higher_is_better": False},
    ),
    "golden.scenarios.checks.range": ({f"{SCENARIO}__checks__1": OWN}, {f"{SCENARIO}__checks__1__range": [0, 2]}),
    "sources.*.freshness": (LOOP, {"sources__fleet__freshness": "24h"}),
    "sources.*.dsn_env": (LOOP, {"sources__reports__dsn_env": "OTHER_DSN"}),
    "sources.*.query": (LOOP, {"sources__reports__query": "select * from others"}),
    "sources.*.roles.id": (LOOP, {"sources__fleet__roles__id": "id"}),
    "sources.*.roles.time": (
        LOOP | {"sources__fleet__columns__seen": "timestamp"},
        {"sources__fleet__roles__time": "seen"},
    ),
    "sources.*.roles.group": (LOOP, {"sources__fleet__roles__group": "id"}),
    "sources.*.roles.prediction": (LOOP, {"sources__fleet__roles__prediction": "id"}),
    "sources.*.roles.confidence": (LOOP, {"sources__fleet__roles__confidence": "speed"}),
    "sources.*.roles.media": (
        LOOP | {f"{name}__columns__thumb": "binary" for name in ALL_ROWS},
        {"sources__fleet__roles__media": "thumb"},
    ),
    **{f"sources.*.expect.{key}": (LOOP, {"sources__fleet__expect": value}) for key, value in EXPECT.items()},
    **{f"datasets.*.expect.{key}": (LOOP, {"datasets__canonical__expect": value}) for key, value in EXPECT_ID.items()},
    **{
        f"sources.*.expect.drift.{key}": (LOOP | DRIFT, {f"sources__fleet__expect__drift__{key}": value})
        for key, value in OTHER_DRIFT.items()
    },
    "feedback.source": (LOOP | {"sources__other": FLEET}, {"feedback__source": "other"}),
    "feedback.append_to": (
        LOOP | {"datasets__other": {"like": "canonical"}},
        {"feedback__append_to": "other", "training__dataset": "other"},
    ),
    "feedback.rules": (LOOP, {"feedback__rules__5": GONE, "feedback__rules__4": MINING[5]}),
    "feedback.rules.id": (LOOP, {"feedback__rules__0__id": "flop"}),
    "feedback.rules.type": (LOOP, {"feedback__rules__0": {"id": "flip", "type": "heuristic", "when": "speed < 0"}}),
    "feedback.rules.window": (LOOP, {"feedback__rules__0__window": 4}),
    "feedback.rules.when": (LOOP, {"feedback__rules__1__when": "conf < 0.6"}),
    "feedback.rules.event": (LOOP, {"feedback__rules__1__event": "speed > 30"}),
    "feedback.rules.within": (LOOP, {"feedback__rules__1__within": "2s"}),
    "feedback.rules.source": (LOOP | {"sources__others": REPORTS}, {"feedback__rules__3__source": "others"}),
    "feedback.rules.join": (
        LOOP | {"sources__reports__columns__id": "string"},
        {"feedback__rules__3__join": "id"},
    ),
    "feedback.rules.label": (LOOP, {"feedback__rules__3__label": "inference_id"}),
    "feedback.rules.matures_after": (LOOP | MATURES, {"feedback__rules__3__matures_after": "80d"}),
    "feedback.rules.when_absent": (LOOP | MATURES, {"feedback__rules__3__when_absent": "dog"}),
    "feedback.rules.below": (LOOP, {"feedback__rules__4__below": 0.5}),
    "feedback.rules.rate": (LOOP, {"feedback__rules__5__rate": 0.02}),
    "feedback.rules.alarm.error_rate": (LOOP, {"feedback__rules__5__alarm__error_rate": 0.2}),
    "feedback.sampling.budget": (LOOP, {"feedback__sampling__budget": 50}),
    "feedback.sampling.stratify_by": (LOOP, {"feedback__sampling__stratify_by": ["rule"]}),
    "feedback.sampling.max_per_group": (LOOP, {"feedback__sampling__max_per_group": 4}),
    "feedback.sampling.dedupe.distance": (LOOP, {"feedback__sampling__dedupe__distance": 5}),
    "feedback.leakage_guard.against": (
        LOOP | {"datasets__other": {"like": "canonical"}},
        {"feedback__leakage_guard__against": ["golden", "other"]},
    ),
    "feedback.leakage_guard.near.distance": (LOOP, {"feedback__leakage_guard__near__distance": 5}),
    "feedback.auto_label": (LOOP, {"feedback__auto_label": GONE}),
    "feedback.auto_label.entrypoint": (LOOP, {"feedback__auto_label__entrypoint": "model:other_teacher"}),
    "feedback.auto_label.command": (
        LOOP,
        {"feedback__auto_label__entrypoint": GONE, "feedback__auto_label__command": ["label", "{data}", "{out}"]},
    ),
    "feedback.auto_label.columns": (LOOP, {"feedback__auto_label__columns__how_sure": "double"}),
    "feedback.auto_label.accept_if": (LOOP, {"feedback__auto_label__accept_if": "not sure"}),
    "feedback.auto_label.audit_rate": (LOOP, {"feedback__auto_label__audit_rate": 0.2}),
    "feedback.auto_label.max_disagreement": (LOOP, {"feedback__auto_label__max_disagreement": 0.2}),
    "feedback.auto_label.never_for": (LOOP, {"feedback__auto_label__never_for": ["cat"]}),
    **{f"feedback.auto_label.{key}": (LOOP, {f"feedback__auto_label__{key}": value}) for key, value in RUN.items()},
    "feedback.labelling.queue": (LOOP, {"feedback__labelling__queue": "label_studio"}),
    "feedback.labelling.votes": (LOOP, {"feedback__labelling__votes": 3}),
    "feedback.labelling.on_disagreement": (LOOP, {"feedback__labelling__on_disagreement": "drop"}),
    "feedback.labelling.gold_rate": (LOOP, {"feedback__labelling__gold_rate": 0.2}),
    "feedback.retrain_when.min_new_samples": (LOOP, {"feedback__retrain_when__min_new_samples": 200}),
    "feedback.retrain_when.min_per_class": (LOOP, {"feedback__retrain_when__min_per_class__dog": 20}),
    "feedback.retrain_when.max_wait": (LOOP, {"feedback__retrain_when__max_wait": "7d"}),
    "promotion.stages": (LOOP | STAGES, {"promotion__stages__0": GONE}),
    "promotion.stages.alias": (LOOP | STAGES, {"promotion__stages__0__alias": "canary"}),
    "promotion.stages.approval": (LOOP | STAGES, {"promotion__stages__1__approval": "board"}),
    "notify.on_event": (TOLD, {"notify__0__on_event": ["run_failed"]}),
    "notify.webhook_env": (TOLD, {"notify__0__webhook_env": "OTHER_HOOK"}),
    "notify.format": (TOLD, {"notify__0__format": "json"}),
    "notify.kubernetes.name": (PLACED, {"notify__0__kubernetes__name": "others"}),
    "notify.kubernetes.key": (PLACED, {"notify__0__kubernetes__key": "other"}),
}
"""For each key that is carried out: a spec, and the change of the key that must change what happens."""

DESCRIPTIVE = {
    "metadata.owners": "tells people whom to ask",
    "meta": "the free-form place",
    "datasets.*.pinned": "a promise that is demanded of the golden dataset (CLS404)",
    "apiVersion": "has one value",
    "kind": "has one value",
    "training.retry.for": "has one value",
    "inference.retry.for": "has one value",
    "golden.baseline.compare": "has one value",
    "feedback.sampling.dedupe.method": "has one value",
    "feedback.leakage_guard.near.method": "has one value",
    **{f"waivers.{key}": "silences a warning, which changes no plan" for key in ("code", "path", "expires")},
    "waivers.reason": "tells people why",
    "waivers.owner": "tells people whom to ask",
}
"""Keys that change nothing that happens, each with the reason."""

CONTAINERS = {"metadata", "code", "task", "sources", "datasets", "training", "training.split", "inference", "golden"}
CONTAINERS |= {
    "golden.defaults",
    "golden.scenarios",
    "golden.scenarios.checks",
    "golden.scenarios.guard.checks",
    "triggers",
}
CONTAINERS |= {"training.secrets.kubernetes", "inference.secrets.kubernetes", "notify.kubernetes"}
CONTAINERS |= {"golden.reuse", "promotion", "notify", "waivers", "environments", "sources.*.roles", "feedback"}
CONTAINERS |= {f"{place}.expect{part}" for place in ("sources.*", "datasets.*") for part in ("", ".rows", ".drift")}
CONTAINERS |= {"feedback.rules.alarm", "feedback.sampling", "feedback.sampling.dedupe", "feedback.leakage_guard"}
CONTAINERS |= {"feedback.leakage_guard.near", "feedback.labelling", "feedback.retrain_when"}
"""Keys that only hold others."""

REFUSED = {"inference.resources.nodes", "feedback.auto_label.resources.nodes"}
"""Keys that are refused wherever they mean something."""


def meant(value):
    """What a spec makes happen: its plan without places, and what its lock was made of."""
    errors = [d for d in judged(value) if d.is_error]
    assert errors == []

    def plain(part):
        if dataclasses.is_dataclass(part):
            fields = {f.name: plain(getattr(part, f.name)) for f in dataclasses.fields(part)}
            return {name: item for name, item in fields.items() if name not in {"origin", "where"}}
        return [plain(item) for item in part] if isinstance(part, tuple) else part

    return plain(api.plan("spec.yaml"))


@pytest.mark.parametrize("key", CHANGES_THE_PLAN)
def test_every_key_that_is_accepted_changes_what_happens(key):
    Path("code/sub").mkdir()
    Path("code/sub/model.py").write_text(Path("code/model.py").read_text() + "\n# other code\n")
    with Path("code/model.py").open("a") as file:
        file.write(f"\ndef more(): ...\ndef more_training({TRAIN}): ...\ndef more_inference(data, model_dir): ...\n")
        file.write("def other_teacher(data): ...\ndef mine(rows): ...\n")
    before, change = CHANGES_THE_PLAN[key]
    assert meant(spec(**before)) != meant(spec(**{**before, **change}))


def test_no_key_of_the_language_is_accepted_and_ignored():
    accounted = CHANGES_THE_PLAN.keys() | DESCRIPTIVE.keys() | CONTAINERS | REFUSED
    shared = {"resources", "secrets", "retry"}  # the same code carries them out for training and inference

    def alike(path):
        """The key whose meaning is shared, if it is another."""
        if path[0] == "environments":  # what stands there is merged into the rest: see test_environments.py
            return path[2:]
        if path[0] == "inference" and path[1] in shared:
            return ("training", *path[1:])
        if path[:2] == ("feedback", "auto_label") and path[2] in shared:
            return ("training", *path[2:])
        if path[:3] == ("golden", "scenarios", "guard"):  # a guard's checks are as its scenario's
            return ("golden", "scenarios", *path[3:])
        return ("sources", *path[1:]) if path[:3] == ("datasets", "*", "expect") else path

    def accounted_for(path):
        key = ".".join(path)
        if key in accounted or any(key.startswith(f"{refused}.") for refused in REFUSED):
            return True
        other = alike(path)
        return other != path and (len(other) < 2 or accounted_for(other))

    paths = set(leaves(schema()))
    assert len(paths) > 150
    assert sorted(".".join(path) for path in paths if not accounted_for(path)) == []
    names = {".".join(path) for path in paths}
    assert sorted(key for key in CHANGES_THE_PLAN.keys() | DESCRIPTIVE.keys() | CONTAINERS if key not in names) == []


# -- the command -----------------------------------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "clspec", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_check_says_what_is_wrong_and_leaves_with_1():
    judged(spec(training__dataset="cannonical"))
    done = run("check", "spec.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    assert "spec.yaml:45:14: error[CLS301]: there is no dataset `cannonical`\n" in done.stdout
    as_json = run("check", "spec.yaml", "--format", "json")
    assert as_json.returncode == 1
    found = json.loads(as_json.stdout)
    assert found["errors"] == 1
    assert found["diagnostics"][0]["code"] == "CLS301"
    assert found["diagnostics"][0]["line"] == 45


def test_warnings_alone_leave_with_0():
    judged(spec(**{f"{SCENARIO}__guard": GONE}))
    done = run("check", "spec.yaml")
    assert (done.returncode, "1 warning\n" in done.stdout) == (0, True)


def test_a_path_that_cannot_be_read_leaves_with_2():
    os.mkfifo("pipe.yaml")
    for path in ("none.yaml", "code", "pipe.yaml", "none/spec.yaml", "code/model.py/spec.yaml", "x" * 300):
        done = run("check", path)
        assert (done.returncode, done.stdout) == (2, ""), path
        assert done.stderr.startswith("clspec: cannot read ")
        assert "Traceback" not in done.stderr
