"""Two people change one lock: git merges what it can, `clspec lock` what it cannot, and nobody's pin moves unseen."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec import api, lock
from clspec.diagnostic import UsageError
from clspec.load import load
from clspec.lock import Count, DatasetPin, Lock, ScenarioPin, SourcePin
from clspec.rejoining import rejoined

NAMES = ["adam", "bea", "carl", "dora", "emil"]


def pin(number, rows=10):
    return DatasetPin(
        digest=f"sha256:{number:064x}", rows=rows, columns={"id": "string", "label": "string"}, key="id", group="id"
    )


def scenario(rows):
    return ScenarioPin(scenario=Count(select="label = 'a'", rows=rows), guard=Count(select="label = 'b'", rows=rows))


def made(**changes):
    """A lock of two or three things of each kind; a change of None takes one out."""
    datasets = {name: pin(number) for number, name in enumerate(NAMES)}
    scenarios = {name: scenario(number) for number, name in enumerate(NAMES)}
    for name, value in changes.items():
        section = datasets if isinstance(value, DatasetPin) or name.isupper() else scenarios
        if value is None:
            section.pop(name.lower())
        else:
            section[name.lower()] = value
    return Lock(
        datasets=datasets,
        scenarios=scenarios,
        images={"repo/a:1": f"sha256:{1:064x}", "repo/b:1": f"sha256:{2:064x}"},
        sources={"s": SourcePin(columns={"id": "string"})},
    )


def git(*words, check=True):
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", *words],
        check=check, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def merged(folder, monkeypatch, base, ours, theirs):
    """Whether git merges two changes, and the file that it leaves."""
    monkeypatch.chdir(folder)
    git("init", "-q", "-b", "main")
    place = Path("spec.lock")

    def commit(found):
        place.write_text(lock.render(found))
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "change")

    commit(base)
    git("checkout", "-q", "-b", "theirs")
    commit(theirs)
    git("checkout", "-q", "main")
    commit(ours)
    done = git("merge", "-q", "theirs", check=False)
    return done.returncode == 0, place.read_text()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"BEA": pin(77, 99)}, {"CARL": pin(78, 98)}),
        ({"bea": scenario(77)}, {"carl": scenario(78)}),
        ({"BEA": None}, {"CARL": pin(78)}),
        ({"bea": None}, {"adam": scenario(78)}),
        ({"BERT": pin(77)}, {"CARL": pin(78)}),
        ({"BERT": pin(77)}, {"BEA": pin(78)}),
        ({"BERT": pin(77)}, {"DAN": pin(78)}),
        ({"aaron": scenario(77)}, {"adam": scenario(78)}),
        ({"zoe": scenario(77)}, {"emil": scenario(78)}),
        ({"EMIL": pin(77)}, {"adam": scenario(78)}),
    ],
)
def test_git_merges_changes_of_two_items_even_of_neighbours(ours, theirs, tmp_path, monkeypatch):
    clean, text = merged(tmp_path, monkeypatch, made(), made(**ours), made(**theirs))
    assert clean, text
    document, problems = load(text, "spec.lock")
    assert problems == ()
    assert lock.parse(document.value) == made(**ours, **theirs)
    assert text == lock.render(made(**ours, **theirs))


def test_two_new_items_in_one_gap_are_put_together_by_clspec(tmp_path, monkeypatch):
    ours, theirs = {"BERT": pin(77)}, {"BOB": pin(78)}
    clean, text = merged(tmp_path, monkeypatch, made(), made(**ours), made(**theirs))
    assert not clean
    assert rejoined(text, "spec.lock") == made(**ours, **theirs)


def test_two_changes_of_one_item_are_for_a_person(tmp_path, monkeypatch):
    clean, text = merged(tmp_path, monkeypatch, made(), made(BEA=pin(77)), made(BEA=pin(78)))
    assert not clean
    with pytest.raises(lock.LockError, match="both sides of the merge changed `bea` of `datasets`"):
        rejoined(text, "spec.lock")


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_the_command_puts_a_lock_in_conflict_together_and_moves_no_pin(style, tmp_path, monkeypatch):
    data = Path(__file__).parents[1] / "data" / "tiny"
    shutil.copytree(data, tmp_path / "spec")
    monkeypatch.chdir(tmp_path / "spec")
    api.lock("tiny.yaml")
    place = Path("tiny.lock")
    whole = place.read_text()
    start, end = "\n  drives:\n", "\n\n  golden:"
    block = whole[whole.index(start) + 1 : whole.index(end) + 1]
    base = f"||||||| base\n{'' if style == 'merge' else block}" if style != "merge" else ""
    marked = whole.replace(block, f"<<<<<<< ours\n{block}{base}=======\n{block}>>>>>>> theirs\n")
    place.write_text(marked)
    (found,) = api.check("tiny.yaml").diagnostics
    assert (found.code, "puts both sides together" in found.hint) == ("CLS603", True)
    assert api.lock("tiny.yaml").changes == ("both sides of the merge were put together",)
    assert place.read_text() == whole
    digest = json.dumps(whole.split("digest: ")[1][:71])[1:-1]
    place.write_text(marked.replace(digest, "sha256:" + 64 * "0", 1))
    with pytest.raises(UsageError, match="both sides of the merge changed `drives`"):
        api.lock("tiny.yaml")


def test_a_lock_that_cannot_be_read_moves_no_pin(tmp_path, monkeypatch):
    data = Path(__file__).parents[1] / "data" / "tiny"
    shutil.copytree(data, tmp_path / "spec")
    monkeypatch.chdir(tmp_path / "spec")
    broken = Path("tiny.lock").read_text().replace("digest: sha256:", "digest: md5:", 1)
    Path("tiny.lock").write_text(broken)
    with pytest.raises(api.InvalidSpec) as caught:
        api.lock("tiny.yaml")
    assert {found.code for found in caught.value.diagnostics} == {"CLS603"}
    assert Path("tiny.lock").read_text() == broken


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.integers(0, 99), st.integers(0, 99))
def test_a_lock_says_the_same_whatever_order_it_was_made_in(one, other, rows, more):
    found = Lock(
        datasets={name: pin(rows) for name in sorted(one)}, scenarios={name: scenario(more) for name in sorted(other)}
    )
    turned = Lock(
        datasets={name: pin(rows) for name in sorted(one, reverse=True)},
        scenarios={name: scenario(more) for name in sorted(other, reverse=True)},
    )
    text = lock.render(found)
    assert text == lock.render(turned)
    document, problems = load(text, "spec.lock")
    assert problems == ()
    assert lock.parse(document.value) == found
