"""`clspec check --fix` writes what is certain, where it belongs, and nothing else."""

import os
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec import api, mending
from clspec.cli import commands
from clspec.diagnostic import Fix, Span, UsageError
from clspec.shape import surely

DATA = Path(__file__).parents[1] / "data"
CASES = Path(__file__).parents[1] / "diagnostics"
DAY = date(2026, 11, 25)
WHOLE = (DATA / "full.yaml").read_text()

SLIPS = {
    "min_samples: 100": ("min_smaples: 100", "minSamples: 100", "min-samples: 100", "min_sample: 100"),
    "must_pass: true": ("must_pass: yes", "must_pas: true", "mustPass: true", 'must_pass: "true"', "must_pass: on"),
    "freshness: 24h": ("freshness: 24 hours", "freshness: 24hr", "freshnes: 24h", "freshness: '24 h'"),
    "timeout: 6h": ("timeout: 6 hours", "timeuot: 6h", "timeout: 6H"),
    "memory: 16Gi": ("memory: 16GiB", "memory: 16 Gi", "memroy: 16Gi"),
    "cluster_by: ride_id": ("clusterBy: ride_id", "cluster-by: ride_id"),
    "sampling:": ("sampleing:", "Sampling:"),
    "leakage_guard:": ("leakage_gaurd:", "leakageGuard:"),
    "votes: 2": ('votes: "2"', "vots: 2"),
    "max_wait: 14d": ("max_wait: 2 weeks", "max_wait: 14 days"),
}
"""What stands in the spec, and how it may be written wrongly so that what was meant is certain."""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    shutil.copytree(CASES / "code", tmp_path / "code")
    shutil.copy(CASES / "valid.lock", tmp_path / "spec.lock")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "robotaxi").symlink_to(DATA / "robotaxi")
    shutil.copy(DATA / "full.lock", folder / "spec.lock")
    return folder / "spec.yaml"


def spec(**changes):
    text = (CASES / "valid.yaml").read_text()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new, 1)
    Path("spec.yaml").write_text(text)
    return text


def fixed(text, place="spec.yaml"):
    Path(place).write_bytes(text.encode())
    return api.mended(str(place), None, DAY)


def test_every_slip_of_the_test_is_one():
    assert {slip for slips in SLIPS.values() for slip in slips if slip in WHOLE} == set()
    assert [right for right in SLIPS if right not in WHOLE] == []


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_slips_are_undone_to_the_byte_and_once_is_enough(whole, data, end, mark):
    chosen = data.draw(st.lists(st.sampled_from(sorted(SLIPS)), min_size=1, max_size=4, unique=True))
    slipped = WHOLE
    for right in chosen:
        slipped = slipped.replace(right, data.draw(st.sampled_from(SLIPS[right])), 1)
    before, after = (
        ("\ufeff" if mark else "") + text.replace("\n", end) for text in (slipped, WHOLE)
    )  # fmt: skip
    found = fixed(before, whole)
    assert found.after.text == after
    assert len(found.fixed) >= len(chosen)
    assert not any(one.is_error for one in found.after.diagnostics)
    again = fixed(found.after.text, whole)
    assert (again.changed, again.fixed) == (False, ())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=6), st.sampled_from("aeq:_' \n-2"))
def test_whatever_the_text_mending_adds_no_error_and_once_is_enough(whole, places, letter):
    text = WHOLE
    for at in places:
        text = text[:at] + letter + text[at + 1 :]
    found = fixed(text, whole)
    errors = [sum(one.is_error for one in checked.diagnostics) for checked in (found.before, found.after)]
    assert errors[1] <= errors[0]
    assert not fixed(found.after.text, whole).changed


words = st.text("ab\n c", max_size=8)


@given(words, st.lists(st.tuples(words, words, words), max_size=4))
def test_only_the_places_of_the_fixes_are_others(first, parts):
    text, wanted, fixes, at = first, first, [], 0
    for old, new, after in parts:
        at = len(text)
        spots = [(text[:end].count("\n") + 1, end - text.rfind("\n", 0, end)) for end in (at,)]
        text += old
        end = (text.count("\n") + 1, len(text) - text.rfind("\n"))
        fixes.append(Fix(Span(*spots[0], *end), new))
        text, wanted = text + after, wanted + new + after
    assert mending.with_fixes(text, fixes) == wanted
    assert mending.with_fixes(f"\ufeff{text}", fixes) == f"\ufeff{wanted}"


def test_a_fix_that_uncovers_errors_is_not_made():
    text = spec(
        a=("    - id: dogs\n", "    - identifier: dogs\n      id: cats\n"),
        b=("  scenarios:", "  scenarois:"),
        c=("metric: recall", "metrik: recall, mertic: 3, gate: 7"),
    )
    found = api.mended("spec.yaml", None, DAY)
    assert [one.code for one in found.before.diagnostics if one.is_error] == ["CLS201"]
    assert found.before.diagnostics[0].fix.text == "scenarios"
    assert found.after.text == text


def test_two_slips_of_one_key_are_not_both_mended():
    spec(a=("store: store", "stroe: store\nstor: store"))
    found = api.mended("spec.yaml", None, DAY)
    assert [one.fix.text for one in found.before.diagnostics if one.fix] == ["store"]


def test_a_key_that_is_given_is_not_given_again():
    spec(a=("store: store", "store: store\nstoer: other"))
    found = api.mended("spec.yaml", None, DAY)
    assert ([one.code for one in found.before.diagnostics], found.changed) == (["CLS201"], False)


@pytest.mark.parametrize(
    ("word", "known", "given", "meaning"),
    [
        ("mim", ["min", "max", "margin"], [], "min"),
        ("mix", ["min", "max", "margin"], [], None),
        ("mim", ["min", "max"], ["min"], None),
        ("max_gaps", ["max", "max_gap"], [], "max_gap"),
        ("zz", ["min", "max"], [], None),
        ("at", ["a", "as"], [], None),
        ("mni", ["min", "max"], [], "min"),
        ("minSamples", ["min_samples", "max_samples"], [], "min_samples"),
        ("", ["min"], [], None),
    ],
)
def test_what_is_surely_meant(word, known, given, meaning):
    assert surely.key(word, known, given) == meaning


@pytest.mark.parametrize(
    ("word", "known", "given", "meaning"),
    [
        ("dgo", ["cat", "dog"], [], "dog"),
        ("dogs", ["cat", "dog"], [], "dog"),
        ("Dog", ["cat", "dog"], [], "dog"),
        ("cut", ["cat", "cot"], [], None),
        ("dgo", ["cat", "dog"], ["dog"], None),
        ("golden2", ["golden"], [], None),
        ("golden_2024", ["golden_2023"], [], None),
        ("first-drive", ["first_drives"], [], None),
        ("first-drives", ["first_drives"], [], "first_drives"),
        ("first-drives", ["first_drives", "firstDrives"], [], None),
        ("ox", ["ax"], [], None),
        ("horse", ["house", "cat"], [], "house"),
        ("", ["cat"], [], None),
    ],
)
def test_which_name_is_surely_meant(word, known, given, meaning):
    assert surely.name(word, known, given) == meaning


REFERENCES = {
    "metric: recall, class: dog": (
        "metric: recal, class: dog",
        "metric: recall, class: dgo",
        "metric: Recall, class: dog",
    ),
    "dataset: canonical}": ("dataset: cannonical}", "dataset: 'canonicl'}", 'dataset: "Canonical"}'),
    "  dataset: golden\n": ("  dataset: goldn\n", "  dataset: golden_\n"),
    "like: canonical": ("like: canonicla", "like: canonica"),
    "key: id, from: photos": ("key: id, from: photo",),
    "label: label": ("label: lable", "label: 'labl'"),
    "select: \"label = 'dog'\"": ("select: \"lable = 'dog'\"", "select: \"Label = 'dog'\""),
    "type: classification": ("type: clasification", "type: Classification"),
    "type: python": ("type: pyhton", "type: 'Python'"),
    "kind: ContinuousLearning": ("kind: continuous-learning", "kind: ContinuousLerning"),
}
"""What stands in the small spec, and how a name in it may be written wrongly so that what was meant is certain."""


@pytest.mark.parametrize(("right", "wrong"), [(right, one) for right, some in REFERENCES.items() for one in some])
def test_a_name_of_something_that_is_not_there_is_mended_where_it_stands(right, wrong):
    whole = spec()
    spec(a=(right, wrong))
    found = api.mended("spec.yaml", None, DAY)
    assert [one for one in found.after.diagnostics if one.is_error] == []
    assert re.sub("['\"]", "", found.after.text) == re.sub("['\"]", "", whole)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class: dog, min", "class: horse, min"),
        ("class: dog, min: 0.9}", "class: dog, min: 0.9}, {metric: recall, class: dgo, min: 0.5}"),
        (
            "metric: recall, class: dog, min: 0.9}",
            "metric: recall, class: dog, min: 0.9}, {metric: recal, class: dog, min: 0.5}",
        ),
        ("  dataset: golden\n", "  dataset: golden2\n"),
        ("  dataset: golden\n", "  dataset: Canonical\n"),
        ("dataset: canonical}", "dataset: goldn}"),
        ("\"label = 'dog'\"", "\"label = 'dgo'\""),
        ("\"label = 'dog'\"", "\"label = 'dog' and lable = 'dog'\""),
        ("\"label = 'dog'\"", "\"l\\x61ble = 'dog'\""),
        ('training: {entrypoint: "model:train"', 'training: {entrypoint: "model:trian"'),
        ("type: classification", "type: class"),
        ("classes: [cat, dog]", "classes: [cat, dgo]"),
        ("columns: {id: string, label: string}, key", "columns: {id: string, lable: string}, key"),
    ],
)
def test_what_judges_is_not_guessed(old, new):
    text = spec(a=(old, new))
    found = api.mended("spec.yaml", None, DAY)
    assert any(one.is_error for one in found.before.diagnostics)
    assert found.after.text == text


def test_a_name_behind_an_alias_is_mended_once_where_it_is_written():
    spec(a=("class: dog, min", "class: &animal dgo, min"), b=("class: dog, max", "class: *animal, max"))
    found = api.mended("spec.yaml", None, DAY)
    assert "class: &animal dog, min" in found.after.text
    assert "class: *animal, max" in found.after.text
    assert [one for one in found.after.diagnostics if one.is_error] == []


@pytest.mark.parametrize(
    ("pattern", "text", "meaning"),
    [
        (surely.DURATION, "6 hours", "6h"),
        (surely.DURATION, "1.5h", "90m"),
        (surely.DURATION, "1h30m", "90m"),
        (surely.DURATION, "90sec", "90s"),
        (surely.DURATION, "2 weeks", "14d"),
        (surely.DURATION, "15M", None),  # minutes or months?
        (surely.DURATION, "90", None),
        (surely.DURATION, "0 s", None),
        (surely.DURATION, "0.3s", None),
        (surely.DURATION, "5 furlongs", None),
        (surely.DURATION, "about 5 s", None),
        (surely.MEMORY, "16GiB", "16Gi"),
        (surely.MEMORY, "512 mi", "512Mi"),
        (surely.MEMORY, "16GB", None),  # not 16 GiB
        (surely.MEMORY, "16G", None),
        (surely.MEMORY, "1.5Gi", None),
    ],
)
def test_units_are_mended_where_the_amount_stays_the_same(pattern, text, meaning):
    assert surely.quantity(pattern, text) == meaning


def command(*words):
    return commands.run(["check", "--as-of", DAY.isoformat(), *words])


def test_the_command_shows_and_then_writes(capsys):
    text = spec(a=("pinned: true}", "pinned: yes}  # a comment that stays"))
    assert command("spec.yaml") == 1
    assert "1 can be mended by `clspec check --fix`" in capsys.readouterr().out
    for option in ("--diff", "--dry-run"):
        assert command("spec.yaml", option) == 1
        out = capsys.readouterr().out
        assert "\n-  golden: {like: canonical, pinned: yes}  # a comment that stays\n" in out
        assert "\n+  golden: {like: canonical, pinned: true}  # a comment that stays\n" in out
        assert Path("spec.yaml").read_text() == text
    Path("spec.yaml").chmod(0o640)
    assert command("spec.yaml", "--fix") == 0
    told = capsys.readouterr()
    assert (told.out, "mended CLS203" in told.err) == ("spec.yaml: no problems\n", True)
    assert Path("spec.yaml").read_text() == text.replace("pinned: yes", "pinned: true")
    assert Path("spec.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in Path().iterdir()) == ["code", "spec.lock", "spec.yaml"]


def test_a_link_stays_one():
    spec(a=("pinned: true", "pinned: yes"))
    Path("spec.yaml").rename("real.yaml")
    Path("spec.yaml").symlink_to("real.yaml")
    assert command("spec.yaml", "--fix") == 0
    assert Path("spec.yaml").is_symlink()
    assert "pinned: true" in Path("real.yaml").read_text()


def test_what_somebody_else_wrote_meanwhile_is_kept():
    text = spec(a=("pinned: true", "pinned: yes"))
    found = api.mended("spec.yaml", None, DAY)
    Path("spec.yaml").write_text(f"{text}# more\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        mending.write(found)
    assert Path("spec.yaml").read_text() == f"{text}# more\n"


def test_a_spec_that_cannot_be_written_is_as_it_was(monkeypatch, capsys):
    text = spec(a=("pinned: true", "pinned: yes"))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert command("spec.yaml", "--fix") == 2
    assert "cannot write spec.yaml: No space left on device" in capsys.readouterr().err
    assert Path("spec.yaml").read_text() == text
    assert sorted(path.name for path in Path().iterdir()) == ["code", "spec.lock", "spec.yaml"]


def test_a_secret_beside_a_fix_is_not_shown(capsys):
    spec(a=("pinned: true}", "pinned: yes}  # https://me:hunter22@example.com/"))
    assert command("spec.yaml", "--diff") == 1
    told = capsys.readouterr()
    assert "+  golden: {like: canonical, pinned: true}  # https://me:********@example.com/" in told.out
    assert "hunter22" not in told.out + told.err


def test_no_comment_and_no_layout_is_lost():
    odd = "checks:   # why\n        -   {metrc:   recall,\n            class: dog, min: '0.9'}   # so"
    text = spec(a=("checks: [{metric: recall, class: dog, min: 0.9}]", odd))
    found = api.mended("spec.yaml", None, DAY)
    assert found.after.text == text.replace("metrc:", "metric:").replace("'0.9'", "0.9")
    assert re.findall("#.*", found.after.text) == ["# why", "# so"]
