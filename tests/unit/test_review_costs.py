"""What a change costs, where there is a history of runs; and the review from Python."""

import json
import subprocess
from datetime import date
from pathlib import Path

import mutations as known
import pytest

from clspec import api
from clspec.diagnostic import UsageError
from clspec.diff import Failure, Review
from clspec.project import state_of
from clspec.report.review import as_json, as_text
from clspec.selection import Selection
from clspec_local.history import Beginning, History, Over

DAY = date(2026, 11, 25)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A repository with the robotaxi spec."""
    monkeypatch.chdir(tmp_path)
    known.written(tmp_path / "specs", "robotaxi", known.document("robotaxi"))
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "x"], ["checkout", "-qb", "topic"]):
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words]
        subprocess.run(git, check=True, capture_output=True)
    return tmp_path / "specs" / "robotaxi.yaml"


def history(spec, runs):
    """A history in which steps took so many seconds, a run after the other."""
    kept = History(state_of(str(spec)) / "history.sqlite")
    for number, steps in enumerate(runs):
        kept.begin(
            Beginning(
                run=f"r{number}",
                spec="robotaxi-perception",
                file="specs/robotaxi.yaml",
                pipeline="regression",
                environment="",
                selection=Selection(),
                is_whole=True,
                tree=None,
            )
        )
        for place, (step, (state, seconds)) in enumerate(steps.items()):
            kept.over(
                f"r{number}", [Over(step=step, place=place, kind="train", state=state, key=None, seconds=seconds)]
            )
    kept.close()


def change(spec):
    value = json.loads(spec.read_text())
    value["training"]["resources"] = {"cpu": 4, "gpu": {"count": 2}}
    value["training"]["timeout"] = "1h"
    spec.write_text(json.dumps(value, indent=1))


def costs(spec):
    found = api.diff(str(spec), "HEAD", DAY)
    assert isinstance(found, Review)
    return found, {one.pipeline: one for one in found.costs.after}


def test_without_a_history_only_limits_are_known(project):
    change(project)
    found, after = costs(project)
    assert (after["regression"].seen, found.costs.note) == (0, "")
    assert "by earlier runs" not in as_text([found], colours=False)


def test_what_steps_took_is_told_for_what_is_asked_now(project):
    steps = [{"train-seed-1": ("done", seconds)} for seconds in (3600, 1800, 36000)]
    history(project, [*steps, {"train-seed-1": ("failed", 1), "train-seed-2": ("up to date", 2)}])
    change(project)
    found, after = costs(project)
    assert after["regression"].seen == 1
    assert after["regression"].seen_gpu_hours == pytest.approx(2)
    assert after["regression"].seen_core_hours == pytest.approx(4)
    assert {one.pipeline: one for one in found.costs.before}["regression"].seen_gpu_hours == 1
    text = as_text([found], colours=False)
    assert "by earlier runs of 1 of them 2 GPU-hours and 4 core-hours" in text
    told = json.loads(as_json([found]))["specs"][0]["cost"]["after"]["regression"]
    assert told["seen_gpu_hours"] == pytest.approx(2)


def test_a_history_that_cannot_be_read_is_said_and_stops_nothing(project):
    change(project)
    place = state_of(str(project)) / "history.sqlite"
    place.parent.mkdir(parents=True)
    place.write_text("no database")
    found, after = costs(project)
    assert after["regression"].gpu_hours > 0
    assert str(place) in found.costs.note
    assert "what runs took is not known" in as_text([found], colours=False)
    assert place.read_text() == "no database"


def test_looking_at_the_history_makes_none(project):
    change(project)
    costs(project)
    assert not state_of(str(project)).exists()


def test_a_branch_is_reviewed_from_python(project):
    assert api.review("main", day=DAY) == ()
    change(project)
    (found,) = api.review("main", day=DAY)
    assert isinstance(found, Review)
    assert found.changes
    assert api.review("main", [str(project)], DAY) == (found,)
    with pytest.raises(UsageError, match="neither here nor at"):
        api.review("main", ["specs/other.yaml"], DAY)


def test_what_cannot_be_compared_is_a_failure_and_no_exception(project):
    project.write_text("- no spec\n")
    found = api.diff(str(project), "HEAD", DAY)
    assert isinstance(found, Failure)
    assert found.problems
    assert Path(found.spec).name == "robotaxi.yaml"
