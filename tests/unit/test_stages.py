"""Going up and back: who may hold a stage, one winner for each number, and nothing approved by nobody."""

import json
import subprocess
import sys

import pytest

from clspec.data.models import Models
from clspec.data.promotion import Ladder, Said, champion, passing, roll_back, rungs
from clspec.data.stages import Stage
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.diagnostic import Refused, UsageError

SAID = Said(by="ann", why="because", at="2026-01-01T00:00:00+00:00")
GOLDEN = "sha256:" + "9" * 64
A, B, C = ("sha256:" + letter * 64 for letter in "abc")
TWO = [{"alias": "shadow", "approval": None}, {"alias": "champion", "approval": "board"}]


def register(storage, model, against=None, *, golden=GOLDEN, verdict="pass", **made_by):
    roles = {"training": "d", "golden": "g"}
    made = {"pipeline": "regression", "code": "c", "params": {}, "image": "", "roles": roles, **made_by}
    made.setdefault("datasets", {"d": "sha256:t", "g": golden})
    judged = {"verdict": verdict, "champion": {"number": 1, "model": against} if against else None}
    record = {"model": model, "made_by": made, "verdict": judged}
    name = f"{len(list(storage.keys('spec/models')))}-{model[7:15]}"
    storage.create(f"spec/models/{model[7:]}/records/{name}.json", json.dumps(record).encode())
    return Models(storage, "spec").records(model)[-1]


@pytest.fixture
def storage(tmp_path):
    return storage_at(str(tmp_path))


def ladder(storage, stages=(), *, compares=True):
    return Ladder(storage=storage, spec="spec", rungs=rungs(stages), compares=compares)


def held(storage, alias="champion"):
    return [(c.action, c.model) for c in Stage(storage, "spec", alias).history()]


def test_without_stages_there_is_the_champion(storage):
    found = ladder(storage).climb(register(storage, A), SAID)
    assert (found.reached, found.awaiting) == (("champion",), None)
    assert held(storage) == [("promote", A)]
    now = champion(storage, "spec")
    assert (now.number, now.change.model, now.record.name) == (1, A, now.change.record)
    assert (now.change.by, now.change.why, now.change.at, now.change.compared_with) == (
        *["ann", "because"],
        SAID.at,
        None,
    )


def test_a_stage_with_approval_waits_for_it(storage):
    record, stairs = register(storage, A), ladder(storage, TWO)
    for _ in range(2):  # again changes nothing
        found = stairs.climb(record, SAID)
        assert (found.reached, found.awaiting.alias, found.awaiting.approval) == (("shadow",), "champion", "board")
    assert (held(storage, "shadow"), held(storage)) == ([("promote", A)], [])
    found = stairs.approve(record, "champion", SAID)
    assert (found.reached, found.awaiting) == (("shadow", "champion"), None)
    (change,) = Stage(storage, "spec", "champion").history()
    assert (change.by, change.approval) == ("ann", "board")
    assert stairs.climb(record, SAID).awaiting is None


def test_approval_takes_a_model_up_the_open_stages_below(storage):
    ladder(storage, TWO).approve(register(storage, A), "champion", SAID)
    assert held(storage, "shadow") == held(storage) == [("promote", A)]


def test_no_stage_is_left_out_whose_approval_is_missing(storage):
    stages = [{"alias": "shadow", "approval": "team"}, TWO[1]]
    record = register(storage, A)
    with pytest.raises(Refused, match=r"has not been approved for `shadow`.*--stage shadow --approved-by NAME"):
        ladder(storage, stages).approve(record, "champion", SAID)
    assert held(storage) == []
    ladder(storage, stages).approve(record, "shadow", SAID)
    ladder(storage, stages).approve(record, "champion", SAID)
    assert held(storage) == [("promote", A)]
    with pytest.raises(UsageError, match="there is no stage `champoin`: did you mean `champion`"):
        ladder(storage, stages).approve(record, "champoin", SAID)


def test_who_was_judged_against_an_older_champion_is_refused(storage):
    ladder(storage).climb(register(storage, A), SAID)
    ladder(storage).climb(register(storage, B, A), SAID)
    for against, said in ((A, "was judged against aaaaaaaaaaaa"), (None, "was judged against no champion")):
        with pytest.raises(Refused, match=rf"{said}, the champion is now bbbbbbbbbbbb: run again"):
            ladder(storage).climb(register(storage, C, against), SAID)
    assert held(storage) == [("promote", A), ("promote", B)]
    ladder(storage, compares=False).climb(register(storage, C, A), SAID)
    assert held(storage)[-1] == ("promote", C)


def test_another_judgement_of_the_champion_is_a_change_of_its_own(storage):
    ladder(storage).climb(register(storage, A, code="one"), SAID)
    ladder(storage).climb(register(storage, A, A, code="two"), SAID)
    found = champion(storage, "spec")
    assert (found.number, found.record.made_by["code"]) == (2, "two")


def test_a_rollback_goes_to_the_model_before_and_twice_goes_twice_as_far(storage):
    for model, against in ((A, None), (B, A), (C, B)):
        ladder(storage).climb(register(storage, model, against), SAID)
    stage = Stage(storage, "spec", "champion")
    assert [change.model for change in roll_back(stage, SAID)] == [C, B]
    assert champion(storage, "spec").record.model == B
    assert [change.model for change in roll_back(stage, SAID)] == [B, A]
    with pytest.raises(Refused, match="has had no other model before"):
        roll_back(stage, SAID)
    assert held(storage)[3:] == [("rollback", B), ("rollback", A)]
    with pytest.raises(Refused, match="the champion is now aaaaaaaaaaaa"):
        ladder(storage).climb(register(storage, C, B), SAID)


def test_what_was_rolled_back_goes_up_again_only_by_name(storage):
    ladder(storage).climb(register(storage, A), SAID)
    record = register(storage, B, A)
    ladder(storage).climb(record, SAID)
    roll_back(Stage(storage, "spec", "champion"), SAID)
    ladder(storage).climb(record, SAID)  # a step that runs once more
    assert held(storage)[-1] == ("rollback", A)
    ladder(storage).approve(record, "champion", SAID)
    assert held(storage)[-1] == ("promote", B)
    assert [change.model for change in roll_back(Stage(storage, "spec", "champion"), SAID)] == [B, A]


def test_a_rollback_of_a_stage_that_somebody_changes_just_now_is_refused(storage, monkeypatch):
    for model, against in ((A, None), (B, A)):
        ladder(storage).climb(register(storage, model, against), SAID)
    stage = Stage(storage, "spec", "champion")
    record, history = register(storage, C, B), stage.history()
    monkeypatch.setattr(Stage, "history", lambda _: history)
    ladder(storage, compares=False)  # the present champion changes behind the back of who looks
    Stage(storage, "spec", "champion").add(history[0], after=2)
    with pytest.raises(Refused, match="was changed by somebody else just now"):
        roll_back(stage, SAID)
    assert record.model == C


def test_only_a_pass_on_the_pinned_golden_version_counts(storage):
    old, new = register(storage, A, golden="sha256:old"), register(storage, A)
    assert passing([old, new], A, GOLDEN) == new
    failed = register(storage, B, verdict="fail")
    for records, model in (([old], A), ([failed], B), ([], C)):
        with pytest.raises(Refused, match="has no passing verdict on the golden version that the lock pins"):
            passing(records, model, GOLDEN)


def test_a_model_is_named_by_its_first_digits(storage):
    one, two = "sha256:" + "ab" * 32, "sha256:" + "ac" * 32
    for model in (one, two):
        register(storage, model)
    models = Models(storage, "spec")
    assert [models.named(word) for word in ("ab", "sha256:ac", two)] == [one, two, two]
    with pytest.raises(UsageError, match="`a` names 2 models: abababababab, acacacacacac; give more digits"):
        models.named("a")
    for word in ("b", "sha256:ff"):
        with pytest.raises(UsageError, match=f"no registered model begins with `{word}`"):
            models.named(word)
    for word in ("", "../..", "AB", "sha256:"):
        with pytest.raises(UsageError, match="names no model"):
            models.named(word)


def test_files_without_a_record_are_no_model(storage):
    storage.write("spec/models/" + "d" * 64 + "/files/m.json", b"{}")
    assert Models(storage, "spec").digests() == ()


def test_what_cannot_be_read_is_named(storage):
    register(storage, A)
    (key,) = storage.keys("spec/models")
    for text in ("", "{", "[]", '{"model": "sha256:x"}', '{"verdict": 1, "made_by": {}}'):
        storage.write(key, text.encode())
        with pytest.raises(DataError, match=r"is (no|a) record of"):
            Models(storage, "spec").records(A)
    storage.write("spec/stages/champion/00000001.json", b'{"model": 1}')
    with pytest.raises(DataError, match="entry 1 is no change of a stage"):
        champion(storage, "spec")


def test_a_champion_without_a_record_is_named(storage):
    ladder(storage).climb(register(storage, A), SAID)
    (key,) = storage.keys("spec/models")
    storage.delete(key)
    with pytest.raises(DataError, match="has no record of the champion"):
        champion(storage, "spec")


# -- at once -----------------------------------------------------------------------------------------------------------

PROMOTER = """
import sys
from clspec.data.models import Models
from clspec.data.promotion import Ladder, Said, rungs
from clspec.data.storage import storage_at
from clspec.diagnostic import Refused
for line in sys.stdin:
    spec, model, compares = line.split()
    storage = storage_at(sys.argv[1])
    (record,) = Models(storage, spec).records(model)
    ladder = Ladder(storage=storage, spec=spec, rungs=rungs([]), compares=compares == "yes")
    try:
        ladder.climb(record, Said(by="t", why="", at="now"))
        print("won", flush=True)
    except Refused as error:
        print(error, flush=True)
"""


@pytest.mark.parametrize("compares", ["yes", "no"])
def test_of_two_promotions_at_once_one_is_champion_for_each_number(tmp_path, compares):
    storage, models = storage_at(str(tmp_path)), ["sha256:" + f"{n}" * 64 for n in range(4)]
    start = [sys.executable, "-c", PROMOTER, str(tmp_path)]
    promoters = [subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in models]
    try:
        for round_ in range(20):
            spec = f"spec{round_}"
            for model in models:
                made_by = {"datasets": {"d": "t", "g": GOLDEN}, "roles": {"training": "d", "golden": "g"}}
                record = {"model": model, "made_by": made_by, "verdict": {"verdict": "pass", "champion": None}}
                storage.create(f"{spec}/models/{model[7:]}/records/r.json", json.dumps(record).encode())
            for process, model in zip(promoters, models, strict=True):
                process.stdin.write(f"{spec} {model} {compares}\n")
                process.stdin.flush()
            said = [process.stdout.readline().strip() for process in promoters]
            history = [change.model for change in Stage(storage, spec, "champion").history()]
            won = [model for model, words in zip(models, said, strict=True) if words == "won"]
            if compares == "yes":
                assert won == history
                assert len(history) == 1
                assert sum("was judged against no champion, the champion is now" in words for words in said) == 3
            else:
                assert sorted(history) == sorted(won) == models
    finally:
        for process in promoters:
            process.stdin.close()
            process.wait(timeout=30)
            process.stdout.close()
