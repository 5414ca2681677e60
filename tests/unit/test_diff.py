"""What changes weigh: several hundred with a known right answer, and what moves outside of a spec's text."""

import itertools
import re
from pathlib import Path

import mutations as known
import pytest

from clspec.diff import LEVELS, Level, NotCompared, compare, read
from clspec.diff.levels import as_markdown


def compared(tmp_path, before, after, locks=(None, None), name="full"):
    """The changes from one document to another, and the two places."""
    sides = (("a", before, locks[0]), ("b", after, locks[1]))
    places = [known.written(tmp_path / side, name, value, lock) for side, value, lock in sides]
    return compare(*(read(str(place)) for place in places))


def rows(changes):
    return [change.row for change in changes]


@pytest.mark.parametrize("name", known.SPECS)
def test_nothing_that_weakens_is_missed_and_nothing_harmless_alarms(name, tmp_path):
    base = read(str(known.written(tmp_path / "base", name, known.document(name))))
    missed, alarms, refused, count = [], [], [], 0
    for label, value, answer in known.mutations(name):
        count += 1
        try:
            found = compare(base, read(str(known.written(tmp_path / "head", name, value))))
        except NotCompared:
            refused.append(label)
            continue
        level = found[0].level if found else None
        wanted = {known.WEAKER: {Level.BLOCK}, known.LOOK: {Level.BLOCK, Level.REVIEW}, known.FINE: {None, Level.INFO}}
        if level not in wanted[answer]:
            (alarms if answer == known.FINE else missed).append((label, level, rows(found)))
        elif answer == known.LOOK and level is Level.BLOCK:
            alarms.append((label, level, rows(found)))
        assert "unknown" not in rows(found), label
    print(f"{name}: {count} changes, {len(missed)} missed, {len(alarms)} false alarms {alarms}, refused {refused}")  # noqa: T201  # what `pytest -s` shows
    assert count >= 150
    assert missed == []
    assert alarms == []
    assert refused == []


@pytest.mark.parametrize("name", known.SPECS)
def test_the_same_spec_has_no_changes_however_it_is_written(name, tmp_path):
    text, _ = known.SPECS[name]
    place = known.written(tmp_path / "a", name, known.document(name))
    other = known.written(tmp_path / "b", name, known.document(name))
    other.write_text(text.read_text())
    assert compare(read(str(place)), read(str(other))) == ()


def test_every_change_of_two_is_told_as_it_is_alone(tmp_path):
    """Changes do not hide each other: of every pair of the first ones, both are told."""
    base = read(str(known.written(tmp_path / "base", "loop", known.document("loop"))))
    paths = {
        "threshold-weaker": (("golden", "scenarios", "amber", "checks", 0, "min"), 0.5),
        "clusters-removed": (("golden", "cluster_by"), known.GONE),
        "audit-weaker": (("feedback", "rules", "audit", "rate"), 0.0001),
        "approval-removed": (("promotion", "stages", "champion", "approval"), known.GONE),
        "params-changed": (("training", "params", "metres"), 3),
        "store-moved": (("store",), "elsewhere"),
    }
    for one, other in itertools.combinations(paths, 2):
        value = known.changed(known.changed(known.document("loop"), *paths[one]), *paths[other])
        found = compare(base, read(str(known.written(tmp_path / "head", "loop", value))))
        assert sorted(rows(found)) == sorted((one, other))


def test_both_places_are_shown_and_the_heaviest_comes_first(tmp_path):
    value = known.changed(known.document("full"), ("golden", "scenarios", "occluded-cyclist", "checks", 0, "min"), 0.8)
    value = known.changed(value, ("metadata", "owners"), [])
    weaker, owners = compared(tmp_path, known.document("full"), value)
    assert (weaker.row, weaker.old, weaker.new) == ("threshold-weaker", 0.9, 0.8)
    assert weaker.where == "golden.scenarios.occluded-cyclist.checks.recall[cyclist] min.value"
    for place, text in ((weaker.base, "0.9"), (weaker.head, "0.8")):
        line = Path(place.path).read_text().splitlines()[place.span.line - 1]
        assert line[place.span.column - 1 : place.span.end_column - 1] == text
    assert owners.level is Level.INFO


def test_a_change_is_judged_by_what_the_base_demands(tmp_path):
    """A scenario that need not pass any more is no excuse for its weaker threshold."""
    here = ("golden", "scenarios", "occluded-cyclist")
    value = known.changed(known.document("full"), (*here, "must_pass"), new=False)
    value = known.changed(value, (*here, "checks", 0, "min"), 0.5)
    found = compared(tmp_path, known.document("full"), value)
    assert sorted(rows(found)) == ["must-pass-removed", "threshold-weaker"]


def test_of_a_renamed_scenario_only_the_name_may_change(tmp_path):
    here = ("golden", "scenarios", "occluded-cyclist")
    value = known.changed(known.document("full"), (*here, "checks", 0, "min"), 0.5)
    value = known.changed(value, (*here, "id"), "cyclist")
    assert sorted(rows(compared(tmp_path, known.document("full"), value))) == ["scenario-added", "scenario-removed"]


# -- environments -----------------------------------------------------------------------------------------------------


def test_what_moves_into_an_environment_is_seen_there(tmp_path):
    value = known.changed(known.document("full"), ("environments", "prod", "training"), {"secrets": [{"env": "MORE"}]})
    (found,) = compared(tmp_path, known.document("full"), value)
    assert (found.row, found.environment) == ("secret-added", "prod")
    assert found.head.span.line > 0
    assert "in environment `prod`" in found.sentence


def test_a_place_that_only_moves_from_the_spec_into_every_environment_is_told_of_the_spec(tmp_path):
    before = known.document("full")
    value = known.changed(before, ("training", "timeout"), known.GONE)
    value = known.changed(value, ("environments", "prod", "training"), {"timeout": "6h"})
    (found,) = compared(tmp_path, before, value)
    assert (found.row, found.where, found.environment) == ("machine", "training.timeout", "")


PLACE = {
    "resources": {"cpu": 1, "memory": "1Gi"},
    "isolation": "spawn",
    "secrets": [{"env": "OTHER", "kubernetes": {"name": "hub", "key": "token"}}],
    "timeout": "99h",
    "retry": {"times": 9, "for": ["infrastructure"]},
}
ELSEWHERE = {
    ("store",): "s3://elsewhere/store",
    ("code", "image"): "registry.example.com/perception:latest",
    ("code", "workdir"): "/elsewhere",
    ("sources", "fleet", "uri"): "elsewhere/*.parquet",
    ("sources", "fleet", "freshness"): "9d",
    **{(section, key): value for section in ("training", "inference") for key, value in PLACE.items()},
}
"""All that an environment may say of this spec."""


@pytest.mark.parametrize("path", ELSEWHERE, ids=".".join)
@pytest.mark.parametrize("known_before", [False, True])
def test_a_change_weighs_no_less_for_being_written_into_an_environment(path, known_before, tmp_path):
    value = known.document("full")
    value.pop("environments", None)
    here = known.changed(value, path, ELSEWHERE[path])
    there = known.changed(value, ("environments", "stage", *path), ELSEWHERE[path])
    before = {**value, "environments": {"stage": {}}} if known_before else value
    direct, moved = compared(tmp_path / "1", value, here), compared(tmp_path / "2", before, there)
    assert direct
    assert set(rows(direct)) <= set(rows(moved))
    assert min(list(Level).index(one.level) for one in moved) <= min(list(Level).index(one.level) for one in direct)


def test_an_environment_that_is_new_is_compared_with_the_base_as_it_is(tmp_path):
    value = known.changed(known.document("full"), ("environments", "stage"), {"store": "s3://other/cl"})
    found = compared(tmp_path, known.document("full"), value)
    assert sorted((c.row, c.environment) for c in found) == [("environment-added", ""), ("store-moved", "stage")]


def test_an_environment_that_is_gone_is_told(tmp_path):
    value = known.changed(known.document("full"), ("environments",), known.GONE)
    assert "environment-removed" in rows(compared(tmp_path, known.document("full"), value))


# -- the lock and the code --------------------------------------------------------------------------------------------

LOCK = (known.ROOT / "specs" / "robotaxi.lock").read_text()


def repinned(dataset):
    """The lock with another digest for a dataset."""
    start = LOCK.index(f"\n  {dataset}:\n")
    return LOCK[:start] + re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{7:064x}", LOCK[start:], count=1)


def moved(tmp_path, lock, path=None, new=None, code=""):
    value = known.document("robotaxi")
    after = value if path is None else known.changed(value, path, new)
    places = [
        known.written(tmp_path / side, "robotaxi", one, held)
        for side, one, held in (("a", value, LOCK), ("b", after, lock))
    ]
    if code:
        (places[1].parent / "robotaxi" / "train.py").write_text(code)
    return compare(*(read(str(place)) for place in places))


LEARNT_FROM = known.document("robotaxi")["training"]["dataset"]


def test_pins_that_move_alone_are_to_be_looked_at(tmp_path):
    assert rows(moved(tmp_path, repinned("golden"))) == ["golden-repinned"]
    (found,) = moved(tmp_path, repinned(LEARNT_FROM))
    assert found.row == "training-repinned"
    assert Path(found.head.path).suffix == ".lock"
    assert "digest" in found.where


@pytest.mark.parametrize(
    "also",
    [
        {"code": "raise SystemExit('this is never run')\n"},
        {"path": ("training", "params", "epochs"), "new": 3},
        {"path": ("code", "image"), "new": f"registry.example.com/perception@sha256:{5:064x}"},
    ],
    ids=["code", "params", "image"],
)
def test_pins_that_move_with_what_makes_models_are_stopped(tmp_path, also):
    assert "golden-repinned-with-code" in rows(moved(tmp_path, repinned("golden"), **also))
    assert "both-moved" in rows(moved(tmp_path / "other", repinned(LEARNT_FROM), **also))


def test_another_dataset_and_other_code_are_both_moved(tmp_path):
    value = known.changed(known.document("loop"), ("datasets", "more"), {"like": "drives", "from": "drives"})
    value = known.changed(value, ("training", "dataset"), "more")
    assert "both-moved" not in rows(compared(tmp_path / "one", known.document("loop"), value, name="loop"))
    value = known.changed(value, ("training", "params", "metres"), 3)
    assert "both-moved" in rows(compared(tmp_path / "two", known.document("loop"), value, name="loop"))


def test_code_alone_is_only_told(tmp_path):
    assert [(c.row, c.level) for c in moved(tmp_path, LOCK, code="x = 1\n")] == [("code-changed", Level.INFO)]


def test_counts_written_by_hand_are_seen(tmp_path):
    count = re.search(r"rows: (\d+)\n      select: label = 'dog'", LOCK)
    forged = LOCK[: count.start(1)] + "99999" + LOCK[count.end(1) :]
    assert rows(moved(tmp_path, forged)) == ["counts-edited"]


def test_a_lock_that_is_gone_is_stopped(tmp_path):
    places = [known.written(tmp_path / side, "robotaxi", known.document("robotaxi"), LOCK) for side in "ab"]
    places[1].with_suffix(".lock").unlink()
    assert rows(compare(*(read(str(place)) for place in places))) == ["unpinned"]


# -- what cannot be compared ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "apiVersion: clspec.dev/v2\nkind: ContinuousLearning\n", "[1]", "kind: x\n"],
    ids=["empty", "broken", "newer", "a list", "no spec"],
)
def test_a_side_that_cannot_be_read_is_no_side_without_changes(tmp_path, text):
    place = known.written(tmp_path, "loop", known.document("loop"))
    place.write_text(text)
    with pytest.raises(NotCompared):
        read(str(place))


def test_a_part_of_the_wrong_shape_is_not_passed_over(tmp_path):
    value = known.changed(known.document("loop"), ("golden", "scenarios", "amber", "checks", 0, "min"), "high")
    with pytest.raises(NotCompared) as caught:
        read(str(known.written(tmp_path, "loop", value)))
    assert caught.value.diagnostics
    broken = known.written(tmp_path / "lock", "loop", known.document("loop"), "version: [")
    with pytest.raises(NotCompared, match="lock"):
        read(str(broken))


def test_a_secret_is_not_repeated(tmp_path):
    value = known.changed(known.document("loop"), ("store",), "s3://me:hunter2hunter2@bucket/x")
    (found,) = compared(tmp_path, known.document("loop"), value, name="loop")
    assert found.row == "store-moved"
    assert "hunter2" not in repr(found)


# -- the table --------------------------------------------------------------------------------------------------------


def test_the_docs_show_the_table_as_it_is():
    assert as_markdown() in (known.ROOT / "docs" / "review.md").read_text()


def test_every_row_can_be_found():
    """A row that no rule names would be a promise that nobody keeps."""
    sources = "".join(
        path.read_text() for path in (known.ROOT / "clspec" / "diff").glob("*.py") if path.name != "levels.py"
    )
    sources += (known.ROOT / "clspec" / "comparing.py").read_text()
    named = {row for row in LEVELS if f'"{row}"' in sources}
    implied = {f"{row}-advisory" for row in named}
    assert set(LEVELS) - named - implied == set()
