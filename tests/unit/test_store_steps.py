"""The steps that look at the store before and after a model is made: pin, append, decide, promote."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec.data import table
from clspec.data.decisions import Decisions
from clspec.data.erasure import erase
from clspec.data.queue import Queue
from clspec.data.queue_state import State
from clspec.data.stages import Change, Stage
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape
from clspec.diagnostic import Refused, StepFailed
from clspec.step import append, decide, pin, promote
from clspec.step.decide import judged
from clspec.step.job import Job, Paths

COLUMNS = {"id": "string", "ride": "string", "label": "string"}
SHAPE = Shape(columns=COLUMNS, key="id", group="ride")
DATASET = {"name": "d", "columns": COLUMNS, "key": "id", "group": "ride", "from": None}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400
GOLDEN = "sha256:" + "9" * 64
MODEL = "sha256:" + "a" * 64
PROVENANCE = {
    **dict.fromkeys(("id", "event", "rules", "origin", "by", "teacher"), "string"),
    "votes": "integer",
    "queued_at": "timestamp",
    "labelled_at": "timestamp",
}
DROPPED = dict.fromkeys(("key", "cause", "dataset", "value"), "string")


def row(name, label="cat"):
    return {"id": name, "ride": f"ride of {name}", "label": label}


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.storage = storage_at(str(folder / "store"))
        self.dataset = Dataset(self.storage, "spec", "d")
        self.queue = Queue(self.storage, "spec")

    def held(self, *rows_):
        return self.dataset.append(table.from_rows(rows_, COLUMNS, "x"), SHAPE, "x").version

    def run(self, step, config, inputs=None, outputs=(), **given):
        places = {}
        for name, value in (inputs or {}).items():
            places[name] = self.folder / f"in-{name}"
            if isinstance(value, pa.Table):
                pq.write_table(value, places[name])
            else:
                places[name].write_text(json.dumps(value))
        job = Job(
            config={"spec": "spec", **config},
            inputs=Paths("--in", places),
            outputs=Paths("--out", {name: self.folder / f"out-{name}" for name in outputs}),
            store=str(self.folder / "store"),
            code=None,
            folder=None,
            as_of=NOW,
            **given,
        )
        step.run(job)
        return {name: json.loads((self.folder / f"out-{name}").read_text()) for name in outputs} | job.parameters

    def register(self, model=MODEL, against=None, **made_by):
        made = {
            "pipeline": "regression",
            "code": "code-1",
            "params": {"lr": 1},
            "image": "",
            "datasets": {"d": "sha256:d", "g": GOLDEN},
            "roles": {"training": "d", "golden": "g"},
            **made_by,
        }
        champion = {"number": 1, "model": against} if against else None
        record = {"model": model, "made_by": made, "verdict": {"verdict": "pass", "champion": champion}}
        self.storage.create(f"spec/models/{model[7:]}/records/r.json", json.dumps(record).encode())
        return made

    def promote(self, model=MODEL, stages=(), *, compares=True, verdict="pass", golden=GOLDEN):
        config = {"stages": list(stages), "golden": golden, "compares": compares}
        judged = {"verdict": verdict, "seeds": [{"model": model}]}
        inputs = {"registered": {"model": model, "record": "r", "golden": GOLDEN}, "verdict": judged}
        return self.run(promote, config, inputs, ("promoted",))["promoted"]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


# -- pin ---------------------------------------------------------------------------------------------------------------


def pinned(bench, digest, *, pipeline="regression", reuse=None, allow_both=None, **record):
    moving = pipeline == "improvement"
    made = {
        "pipeline": pipeline,
        "code": "code-1",
        "params": {"lr": 1},
        "image": "",
        "datasets": {"d": None if moving else digest, "g": GOLDEN},
        "roles": {"training": "d", "golden": "g"},
        **record,
    }
    shape = {key: DATASET[key] for key in ("columns", "key", "group", "from")}
    dataset = {**shape, "digest": None, "first": digest} if moving else {**shape, "digest": digest}
    config = {"datasets": {"d": dataset}, "code": "c", "pipeline": pipeline, "record": made}
    config |= {"reuse": reuse, "golden": GOLDEN}
    return bench.run(pin, config, outputs=("pins", "standing"), allow_both=allow_both)


def test_without_a_champion_nothing_is_compared(bench):
    version = bench.held(row("a"))
    found = pinned(bench, version.digest, code="another")
    assert found["pins"] == {"d": {"digest": version.digest, "rows": 1}}
    standing = {"champion": None, "pipeline": "regression", "code": "another", "params": {"lr": 1}, "image": ""}
    assert found["standing"].pop("data")["d"]["by_origin"] == {"added": 1}
    assert found["standing"] == {**standing, "moved": [], "allow_both": None}


def test_the_champion_as_it_stands(bench):
    version = bench.held(row("a"))
    bench.register(datasets={"d": version.digest, "g": GOLDEN})
    bench.promote()
    found = pinned(bench, version.digest)["standing"]
    assert (found["champion"]["number"], found["champion"]["model"], found["moved"]) == (1, MODEL, [])
    assert found["champion"]["datasets"] == {"d": version.digest, "g": GOLDEN}
    assert found["champion"]["roles"] == {"training": "d", "golden": "g"}
    assert pinned(bench, version.digest, code="code-2")["standing"]["moved"] == ["code"]


def test_code_and_data_do_not_move_at_once(bench):
    first = bench.held(row("a"))
    second = bench.held(row("b"))
    bench.register(datasets={"d": second.digest, "g": GOLDEN})
    bench.promote()
    assert pinned(bench, first.digest)["standing"]["moved"] == ["training"], "data alone may be older"
    moved = rf"the code was code-1 and is code-2; .*the training data was {second.digest} and is {first.digest}"
    with pytest.raises(Refused, match=rf"both moved since champion {MODEL}.*{moved}.*lock SPEC --from-champion"):
        pinned(bench, first.digest, code="code-2")
    third = bench.held(row("c"))
    with pytest.raises(Refused, match="Move one of them at a time, or say --allow-both") as raised:
        pinned(bench, third.digest, params={"lr": 2})
    assert "--from-champion" not in str(raised.value)
    allowed = {"by": "ann", "why": "both"}
    found = pinned(bench, third.digest, params={"lr": 2}, image="i@x", allow_both=allowed)["standing"]
    assert (found["moved"], found["allow_both"]) == (["params", "image", "training"], allowed)


def test_new_golden_data_is_data(bench):
    version = bench.held(row("a"))
    bench.register(datasets={"d": version.digest, "g": "sha256:older"})
    change = Change(model=MODEL, action="promote", by="t", why="", at="", compared_with=None, record="r")
    Stage(bench.storage, "spec", "champion").add(change, after=0)
    assert pinned(bench, version.digest)["standing"]["moved"] == ["golden"]
    with pytest.raises(Refused, match="the golden data was sha256:older and is"):
        pinned(bench, version.digest, image="another")


@pytest.mark.parametrize("moved", [{"code": "code-2"}, {"params": {"lr": 2}}, {"image": "i"}])
def test_the_improvement_pipeline_takes_the_champions_code(bench, moved):
    first = bench.held(row("a"))
    newest = bench.held(row("b"))
    bench.register(datasets={"d": first.digest, "g": GOLDEN})
    bench.promote()
    found = pinned(bench, first.digest, pipeline="improvement")
    assert found["pins"]["d"]["digest"] == newest.digest
    assert found["standing"]["moved"] == []
    word, value = next(iter(moved.items()))
    now = f"`lr` was 1 and is {value['lr']}" if word == "params" else f"is {value}"
    with pytest.raises(Refused, match=rf"its code is the champion's, but .*{word}.* and is .*--allow-both") as raised:
        pinned(bench, first.digest, pipeline="improvement", **moved)
    assert now in str(raised.value)
    assert pinned(bench, first.digest, pipeline="improvement", allow_both={"by": "a", "why": "b"}, **moved)


def test_a_golden_version_that_decided_too_often(bench):
    version, decisions = bench.held(row("a")), Decisions(bench.storage, "spec")
    for n in range(2):
        pinned(bench, version.digest, reuse={"max_decisions": 2})
        decisions.record(GOLDEN, {"models": [str(n)], "verdict": "fail", "training": "x", "pipeline": "regression"})
    with pytest.raises(Refused, match=r"`g` at sha256:9+ has decided 2 times, and `golden.reuse` allows 2: add fresh"):
        pinned(bench, version.digest, reuse={"max_decisions": 2})


def test_a_pin_to_erased_rows(bench):
    version = bench.held(row("a"), row("b"))
    erase(bench.dataset, ["b"], "")
    with pytest.raises(Refused, match=r"pins dataset `d` to version 1, which holds rows that were erased.*--update d"):
        pinned(bench, version.digest)


# -- append ------------------------------------------------------------------------------------------------------------


def appended(bench, rows, dropped=(), provenance=None):
    told = provenance if provenance is not None else [{"id": r["id"], "event": f"e-{r['id']}"} for r in rows]
    nothing = dict.fromkeys(PROVENANCE)
    columns = {**COLUMNS, "clspec.id": "string"}
    inputs = {
        "rows": table.from_rows([{**r, "clspec.id": f"e-{r['id']}"} for r in rows], columns, "x"),
        "dropped": table.from_rows(
            [{"key": key, "cause": "key", "dataset": "g", "value": key} for key in dropped], DROPPED, "x"
        ),
        "provenance": table.from_rows([{**nothing, **entry} for entry in told], PROVENANCE, "x"),
    }
    config = {"dataset": DATASET, "code": "c", "task": {"label": "label"}}
    return bench.run(append, config, inputs, ("pins", "appended"))


def enqueued(bench, *names):
    rows = table.from_rows(
        [{**row(name, None), "clspec.rule": "r", "clspec.label": "cat"} for name in names],
        {**COLUMNS, "clspec.rule": "string", "clspec.label": "string"},
        "x",
    )
    bench.queue.enqueue(rows, "id", votes_needed=1, gold=0.0, at=NOW)


def state(bench, name):
    return bench.queue.contents().items[name].state


def test_labelled_rows_become_a_version_and_leave_the_queue(bench):
    bench.held(row("a"))
    enqueued(bench, "b", "c", "g")
    found = appended(bench, [row("b"), row("c", "dog")], dropped=["g"])
    newest = bench.dataset.newest()
    assert found["pins"] == {"d": {"digest": newest.digest, "rows": 3}}
    assert found["appended"] == {
        "dataset": "d",
        "version": 2,
        "digest": newest.digest,
        "rows": 3,
        "new": 2,
        "known": 0,
        "conflicts": [],
        "conflicting": 0,
        "erased": 0,
        "dropped": 1,
    }
    assert set(bench.dataset.rows(newest).column_names) == set(COLUMNS)
    assert bench.dataset.provenance(newest).column("event").to_pylist() == ["e-b", "e-c"]
    assert [state(bench, name) for name in "bcg"] == [State.APPENDED, State.APPENDED, State.REJECTED]


def test_a_step_killed_before_the_queue_heard_runs_again(bench, monkeypatch):
    bench.held(row("a"))
    enqueued(bench, "b")
    with monkeypatch.context() as patched:
        patched.setattr(Queue, "append_done", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            appended(bench, [row("b")])
    assert (bench.dataset.newest().rows, state(bench, "b")) == (2, State.LABELLED)
    found = appended(bench, [row("b")])["appended"]
    assert (found["version"], found["new"], found["known"], state(bench, "b")) == (2, 0, 1, State.APPENDED)
    assert bench.dataset.provenance(bench.dataset.newest()).num_rows == 1


def test_a_row_that_the_dataset_has_otherwise_is_named_and_the_others_go_in(bench):
    bench.held(row("a"), row("b", "dog"))
    enqueued(bench, "b", "c")
    found = appended(bench, [row("b"), row("c")])["appended"]
    assert (found["new"], found["conflicts"], found["conflicting"]) == (1, ["b"], 1)
    newest = bench.dataset.rows(bench.dataset.newest()).to_pylist()
    assert [(r["id"], r["label"]) for r in newest] == [("a", "cat"), ("b", "dog"), ("c", "cat")]
    assert (state(bench, "b"), bench.queue.contents().items["b"].rejected) == (State.REJECTED, "conflict")
    assert state(bench, "c") is State.APPENDED


def test_no_new_rows_make_no_version(bench):
    version = bench.held(row("a"))
    found = appended(bench, [])
    assert found["pins"]["d"]["digest"] == version.digest
    assert (found["appended"]["version"], found["appended"]["new"]) == (1, 0)
    assert len(bench.dataset.versions()) == 1


def test_erased_rows_do_not_come_back_by_labels(bench):
    bench.held(row("a"), row("b"))
    erase(bench.dataset, ["b"], "")
    found = appended(bench, [row("b"), row("c")])["appended"]
    assert (found["new"], found["erased"]) == (1, 1)


def test_a_row_without_a_label_is_no_labelled_row(bench):
    bench.held(row("a"))
    with pytest.raises(StepFailed, match="1 rows of 2 came as labelled and have no `label`: nothing was appended"):
        appended(bench, [row("b"), row("c", None)])
    assert len(bench.dataset.versions()) == 1


# -- decide ------------------------------------------------------------------------------------------------------------

RULE = {"min_new_samples": 3, "min_per_class": {"dog": 1}, "max_wait": 14 * DAY}


def decided(bench, pinned_, rule=RULE, champion=None):
    config = {"retrain_when": rule, "dataset": DATASET, "label": "label", "pinned": pinned_, "golden": GOLDEN}
    inputs = {"appended": {"digest": bench.dataset.newest().digest}, "standing": {"champion": champion}}
    found = bench.run(decide, config, inputs, ("decision",))
    assert found["retrain"] == ("yes" if found["decision"]["retrain"] else "no")
    return found["decision"]


def test_what_is_new_since_the_pin(bench):
    first = bench.held(row("a"), row("b", "dog"))
    told = [
        {"id": "c", "labelled_at": NOW - timedelta(days=3), "queued_at": NOW - timedelta(days=9)},
        {"id": "e", "queued_at": NOW - timedelta(days=2)},
    ]
    appended(bench, [row("c"), row("e")], provenance=told)
    found = decided(bench, first.digest)
    assert found["reason"] == "2 of 3 new samples; dog 0 of 1; oldest waits 3 d of 14 d"
    assert (found["retrain"], found["new"], found["per_class"]) == (False, 2, {"cat": 2})
    assert (found["oldest_wait"], found["since_version"]) == (3 * DAY, 1)
    appended(bench, [row("f", "dog")])
    assert decided(bench, first.digest)["retrain"] is True
    assert decided(bench, bench.dataset.newest().digest)["new"] == 0


def test_the_newest_that_was_learned_from_or_judged_counts(bench):
    first, second = bench.held(row("a")), bench.held(row("b"))
    bench.held(row("c"))
    bench.held(row("d"))
    assert decided(bench, first.digest, None)["new"] == 3
    champion = {"datasets": {"d": second.digest, "g": GOLDEN}}
    assert decided(bench, first.digest, None, champion)["new"] == 2
    third = bench.dataset.versions()[2]
    judged_on = {"models": ["m"], "verdict": "fail", "pipeline": "improvement", "training": third.digest}
    Decisions(bench.storage, "spec").record("sha256:another golden version", judged_on)
    assert decided(bench, first.digest, None, champion)["new"] == 2
    Decisions(bench.storage, "spec").record(GOLDEN, judged_on)
    assert decided(bench, first.digest, None, champion)["new"] == 1, "a model that failed is not trained again"
    assert decided(bench, "sha256:not in this store", None)["new"] == 1


def test_a_pass_that_was_never_promoted_is_made_again(bench):
    first, second = bench.held(row("a")), bench.held(row("b"))
    bench.register(datasets={"d": second.digest, "g": GOLDEN})
    passed = {"models": [MODEL], "verdict": "pass", "pipeline": "improvement", "training": second.digest}
    Decisions(bench.storage, "spec").record(GOLDEN, passed)
    assert decided(bench, first.digest, None)["retrain"] is True, "killed after its gate"
    bench.promote(stages=[{"alias": "champion", "approval": "board"}])
    assert decided(bench, first.digest, None)["retrain"] is False, "it waits for an approval, not for another run"
    assert Decisions(bench.storage, "spec").count(GOLDEN) == 1, "it was one decision"


def test_a_pass_against_a_champion_that_was_replaced_is_judged_again(bench):
    first, second, third = bench.held(row("a")), bench.held(row("b")), bench.held(row("c"))
    other = "sha256:" + "b" * 64
    bench.register(datasets={"d": second.digest, "g": GOLDEN})
    bench.register(other, datasets={"d": third.digest, "g": GOLDEN})
    bench.promote()
    passed = {"models": [other], "verdict": "pass", "pipeline": "improvement", "training": third.digest}
    Decisions(bench.storage, "spec").record(GOLDEN, passed)
    with pytest.raises(Refused, match="run again, so that the two are compared"):
        bench.promote(other)
    champion = {"datasets": {"d": second.digest, "g": GOLDEN}}
    assert decided(bench, first.digest, None, champion)["retrain"] is True, "running again compares them"


def test_erased_rows_are_not_new_and_make_no_others_new(bench):
    first = bench.held(row("a"), row("b"))
    bench.held(row("c"), row("d"))
    erase(bench.dataset, ["b", "c"], "")
    assert decided(bench, first.digest, None)["new"] == 1


@pytest.mark.parametrize(
    ("new", "per_class", "wait", "retrain"),
    [
        (0, {}, None, False),
        (0, {}, 99 * DAY, False),
        (3, {"dog": 1}, None, True),
        (3, {"cat": 3}, None, False),
        (2, {"dog": 2}, None, False),
        (1, {"cat": 1}, 14 * DAY, True),
        (1, {"cat": 1}, 14 * DAY - 1, False),
    ],
)
def test_when_it_is_worth_a_model(new, per_class, wait, retrain):
    assert judged(RULE, new, per_class, wait)[0] is retrain


def test_without_a_rule_any_new_sample_will_do():
    assert judged(None, 1, {}, None) == (True, "1 new samples")
    assert judged(None, 0, {}, None) == (False, "0 new samples")


def test_durations_are_told_in_whole_units():
    rule = {**RULE, "min_per_class": {}, "max_wait": 90}
    assert judged(rule, 1, {}, 59)[1] == "1 of 3 new samples; oldest waits 59 s of 1 min"
    assert judged({**rule, "max_wait": 6 * 3600}, 1, {}, 0)[1].endswith("oldest waits 0 s of 6 h")


# -- promote -----------------------------------------------------------------------------------------------------------


def test_a_step_goes_as_far_as_nobody_has_to_approve(bench, capsys):
    bench.register()
    stages = [{"alias": "shadow", "approval": None}, {"alias": "champion", "approval": "safety-board"}]
    told = {"model": MODEL, "reached": ["shadow"], "awaiting": "champion", "approval": "safety-board"}
    assert bench.promote(stages=stages) == told
    assert bench.promote(stages=stages) == told
    assert "`champion` awaits approval by safety-board" in capsys.readouterr().out
    assert len(Stage(bench.storage, "spec", "shadow").history()) == 1
    assert Stage(bench.storage, "spec", "champion").history() == ()


def test_without_stages_a_pass_makes_the_champion(bench):
    bench.register()
    assert bench.promote() == {"model": MODEL, "reached": ["champion"], "awaiting": None, "approval": None}
    (change,) = Stage(bench.storage, "spec", "champion").history()
    assert (change.model, change.at, change.record) == (MODEL, NOW.isoformat(), "r")


def test_what_did_not_pass_is_not_promoted(bench):
    bench.register()
    with pytest.raises(Refused, match="the verdict is inconclusive: nothing is promoted"):
        bench.promote(verdict="inconclusive")
    with pytest.raises(Refused, match="has no passing verdict on the golden version that the lock pins"):
        bench.promote(golden="sha256:another")
    with pytest.raises(StepFailed, match=r"has no record r of model sha256:b+, which this run registered"):
        bench.promote("sha256:" + "b" * 64)
    assert Stage(bench.storage, "spec", "champion").history() == ()


def test_a_step_whose_champion_was_replaced_meanwhile(bench):
    other = "sha256:" + "b" * 64
    bench.register()
    bench.register(other)
    bench.promote()
    with pytest.raises(Refused, match="was judged against no champion, the champion is now aaaaaaaaaaaa: run again"):
        bench.promote(other)
    assert bench.promote(other, compares=False)["reached"] == ["champion"]
