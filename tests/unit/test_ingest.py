"""enqueue and ingest: rows go before people and come back with their labels, and audits tell of production."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import beta

from clspec.data import agreement
from clspec.data.queue import Queue
from clspec.data.queue_state import Item, State, Vote
from clspec.data.queue_votes import answer
from clspec.data.sequence import Sequence
from clspec.data.table import DataError
from clspec.step import enqueue, ingest
from clspec.step.job import Job

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CLASSES = ["cat", "dog"]
COLUMNS = {"id": "string", "ride": "string", "frame": "binary", "label": "string"}
DATASET = {"name": "d", "columns": COLUMNS, "key": "id", "group": "ride"}
TASK = {"type": "classification", "label": "label", "classes": CLASSES, "prediction": "pred", "score": None}
LABELLING = {"queue": "files", "votes": 1, "on_disagreement": None, "gold_rate": 0.0}
RULES = [{"id": "audit", "type": "random", "alarm": 0.1}, {"id": "unsure", "type": "low_confidence", "alarm": None}]


class Loop:
    """A store, and the two steps beside it."""

    def __init__(self, folder):
        self.folder, self.now, self.number = folder, NOW, 0
        self.labelling, self.rules, self.max_disagreement, self.task = dict(LABELLING), RULES, None, TASK

    @property
    def queue(self):
        return Queue(self.job({}, {}, []).storage, "spec")

    def job(self, config, inputs, outputs):
        self.number += 1
        made = {name: self.folder / f"{self.number}-{name}" for name in outputs}
        return Job(
            config={"spec": "spec", "dataset": DATASET, **config},
            inputs=inputs,
            outputs=made,
            store=str(self.folder / "store"),
            code=None,
            folder=None,
            as_of=self.now,
        )

    def enqueue(self, *rows, dropped=()):
        pq.write_table(candidates(*rows), self.folder / "rows")
        names = ("key", "cause", "dataset", "value")
        pq.write_table(
            pa.table({name: pa.array(dropped, pa.large_string()) for name in names}), self.folder / "dropped"
        )
        config = {"labelling": self.labelling, "classes": CLASSES, "rules": ["audit", "unsure"]}
        inputs = {"rows": self.folder / "rows", "dropped": self.folder / "dropped"}
        job = self.job(config, inputs, ["queued"])
        enqueue.run(job)
        return json.loads(job.outputs["queued"].read_text())

    def ingest(self):
        config = {
            "task": self.task,
            "labelling": self.labelling,
            "rules": self.rules,
            "max_disagreement": self.max_disagreement,
        }
        job = self.job(config, {}, ["rows", "provenance", "labels"])
        ingest.run(job)
        rows, provenance = (pq.read_table(job.outputs[name]) for name in ("rows", "provenance"))
        return rows, provenance, json.loads(job.outputs["labels"].read_text())

    def vote(self, by, **labels):
        answers = [answer("x", {"key": key, "label": label, "by": by}, None) for key, label in labels.items()]
        self.queue.vote(answers, CLASSES, by, self.now)


def row(key, ride=None, rule="unsure", prediction="cat", week=0, **more):
    return {"id": key, "ride": ride or f"ride-{key}", "rule": rule, "prediction": prediction, "week": week, **more}


def candidates(*rows):
    def column(name, kind, default=None):
        return pa.array([entry.get(name, default) for entry in rows], kind)

    text = pa.large_string()
    times = [NOW + timedelta(weeks=entry["week"]) if entry["week"] is not None else None for entry in rows]
    return pa.table(
        {
            "id": column("id", text),
            "ride": column("ride", text),
            "frame": pa.array([b"bytes"] * len(rows), pa.large_binary()),
            "label": pa.nulls(len(rows), text),
            "clspec.id": pa.array([f"event-{entry['id']}" for entry in rows], text),
            "clspec.time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "clspec.rule": column("rule", text),
            "clspec.rules": pa.array([entry.get("rules", entry["rule"]) for entry in rows], text),
            "clspec.audit": pa.array([entry["rule"] == "audit" for entry in rows], pa.bool_()),
            "clspec.prediction": column("prediction", text),
            "clspec.confidence": column("confidence", pa.float64(), 0.5),
            "clspec.label": column("label", text),
            "clspec.origin": column("origin", text),
            "clspec.auto_label": column("auto", text),
            "clspec.auto_accepted": pa.array(["auto" in entry for entry in rows], pa.bool_()),
            "clspec.auto_audited": column("audited", pa.bool_(), default=False),
        }
    )


@pytest.fixture
def loop(tmp_path):
    return Loop(tmp_path)


# -- enqueue -----------------------------------------------------------------------------------------------------------


def test_people_are_asked_of_what_nobody_knows_and_of_what_is_audited(loop):
    queued = loop.enqueue(
        row("open"),
        row("said", label="dog", origin="feedback:reports"),
        row("taught", auto="dog"),
        row("checked", auto="dog", audited=True),
        row("drawn", rule="audit", label="dog", origin="feedback:reports"),
        row("strange", label="cow", origin="feedback:reports"),
        dropped=["golden"],
    )
    items = loop.queue.contents().items
    assert {key: (item.state, item.label, item.origin) for key, item in items.items()} == {
        "open": (State.OPEN, None, None),
        "said": (State.LABELLED, "dog", "feedback:reports"),
        "taught": (State.LABELLED, "dog", "auto"),
        "checked": (State.OPEN, None, None),
        "drawn": (State.OPEN, None, None),
        "strange": (State.OPEN, None, None),
        "golden": (State.REJECTED, None, None),
    }
    assert items["golden"].rejected == "leak"
    assert (queued["new"], queued["leaks"], queued["waiting"], queued["unknown_class"]) == (6, 1, 4, {"cow": 1})
    assert queued["by_origin"] == {"auto": 1, "feedback:reports": 1}
    assert queued["by_rule"] == {"audit": {"open": 1}, "unsure": {"labelled": 2, "open": 3}}
    assert "golden" in loop.queue.known_keys().to_pylist()


def test_enqueueing_again_changes_nothing(loop):
    rows = [row("a"), row("b", auto="dog")]
    first, again = loop.enqueue(*rows, dropped=["g"]), loop.enqueue(*rows, dropped=["g"])
    assert (again["new"], again["known"], again["leaks"]) == (0, 2, 0)
    assert again["states"] == first["states"]
    assert len(loop.queue.log.read()) == 2


def test_gold_questions_are_told_of(loop):
    loop.labelling["gold_rate"] = 0.5
    assert loop.enqueue(row("a"))["gold_note"].startswith("no gold question is asked")
    loop.vote("ann", a="dog")
    loop.ingest()
    queued = loop.enqueue(row("b"))
    assert (queued["gold"], queued["gold_questions"], queued["gold_note"]) == (1, 1, None)
    loop.vote("bob", a="cat", b="cat")
    rows, _, labels = loop.ingest()
    assert labels["gold"] == {"bob": {"answered": 1, "right": 0, "accuracy": 0.0}}
    assert dict(zip(rows["id"].to_pylist(), rows["label"].to_pylist(), strict=True)) == {"a": "dog", "b": "cat"}


# -- ingest ------------------------------------------------------------------------------------------------------------


def test_an_empty_queue_gives_empty_tables_with_their_columns(loop):
    rows, provenance, labels = loop.ingest()
    assert (len(rows), len(provenance), labels["new"], labels["oldest_waiting"]) == (0, 0, 0, None)
    assert set(rows.column_names) == {*COLUMNS, *ingest.RESERVED}
    assert "event" in provenance.column_names
    assert labels["alarms"] == []
    assert labels["audits"]["audit"]["rate"] is None
    assert labels["notes"] == ["none of 0 audited rows is labelled yet: nothing can be said"]


def test_finished_labels_come_back_with_their_origin(loop):
    loop.labelling["votes"] = 2
    loop.enqueue(row("a", rules="unsure,swerve"), row("b"), row("taught", auto="cat"))
    loop.now += timedelta(hours=2)
    loop.vote("bob", a="dog", b="dog")
    loop.vote("ann", a="dog")
    rows, provenance, labels = loop.ingest()
    assert rows["id"].to_pylist() == ["a", "taught"]
    assert rows["label"].to_pylist() == rows["clspec.label"].to_pylist() == ["dog", "cat"]
    assert rows["clspec.origin"].to_pylist() == ["people", "auto"]
    assert rows["frame"].to_pylist() == [b"bytes"] * 2
    said = {entry["id"]: entry for entry in provenance.to_pylist()}
    assert said["a"] == {
        "id": "a",
        "event": "event-a",
        "rules": "unsure,swerve",
        "origin": "people",
        "by": "ann,bob",
        "votes": 2,
        "queued_at": NOW,
        "labelled_at": NOW + timedelta(hours=2),
        "teacher": None,
    }
    assert (said["taught"]["by"], said["taught"]["teacher"], said["taught"]["votes"]) == ("", "cat", 0)
    assert (labels["new"], labels["open"], labels["oldest_waiting"]) == (2, 1, 7200.0)
    assert labels["by_origin"] == {"auto": 1, "people": 1}
    assert labels["by_rule"] == {"swerve": 1, "unsure": 2}


def test_rows_come_back_until_a_dataset_has_them(loop):
    loop.enqueue(row("a"))
    loop.vote("ann", a="dog")
    first, again = loop.ingest()[0], loop.ingest()[0]
    assert first.equals(again)
    loop.now += timedelta(hours=1)
    loop.queue.append_done(first["id"], "sha256:1")
    assert len(loop.ingest()[0]) == 0


def test_what_disagrees_waits_and_what_was_erased_is_gone(loop):
    loop.labelling["votes"] = 2
    loop.enqueue(row("a"), row("b"))
    loop.vote("ann", a="dog", b="dog")
    loop.vote("bob", a="cat", b="dog")
    loop.queue.erase(pa.array(["b"], pa.large_string()))
    rows, _, labels = loop.ingest()
    assert (len(rows), labels["disagreements"], labels["open"]) == (0, 1, 1)
    assert labels["agreement"]["items"] == 1


def test_a_key_that_provenance_needs_for_itself_is_refused():
    with pytest.raises(DataError, match="the key `votes`"):
        ingest._provenance([], {"key": "votes", "columns": {"votes": "string"}})


# -- what audits say ---------------------------------------------------------------------------------------------------


def audited(loop, wrong, right, **more):
    first = len(loop.queue.contents().items)
    keys = [f"{first + n:04}" for n in range(wrong + right)]
    loop.enqueue(*(row(key, rule="audit", prediction="cat", **more) for key in keys))
    loop.vote("ann", **{key: "dog" if n < wrong else "cat" for n, key in enumerate(keys)})


def test_an_audit_rate_has_exact_bounds_and_an_alarm(loop):
    audited(loop, wrong=30, right=70)
    loop.enqueue(row("later", rule="audit"))
    found = loop.ingest()[2]
    audit = found["audits"]["audit"]
    assert (audit["sampled"], audit["labelled"], audit["errors"], audit["rate"]) == (101, 100, 30, 0.3)
    assert audit["lower"] == pytest.approx(beta.ppf(0.05, 30, 71), abs=1e-3)
    assert audit["upper"] == pytest.approx(beta.ppf(0.95, 31, 70), abs=1e-3)
    (alarm,) = found["alarms"]
    assert alarm.startswith("audit: the model was wrong in 30 of 100 audited rows (0.300), over the alarm's 0.1; ")


def test_an_estimate_over_the_alarm_that_may_be_chance_is_a_note(loop):
    audited(loop, wrong=4, right=26)
    found = loop.ingest()[2]
    assert found["alarms"] == []
    assert "4 of 30 audited rows (0.133), over the alarm's 0.1, which may be chance" in found["notes"][0]


def test_rows_of_one_group_are_not_independent(loop):
    audited(loop, wrong=20, right=0, ride="one")
    audited(loop, wrong=0, right=20, ride="two")
    clustered = loop.ingest()[2]["audits"]["audit"]
    assert clustered["rate"] == 0.5
    assert clustered["lower"] < 0.1 < clustered["upper"]


def test_unusable_rows_and_those_without_a_prediction_are_no_errors(loop):
    audited(loop, wrong=0, right=5)
    loop.enqueue(row("dark", rule="audit"), row("mute", rule="audit", prediction=None))
    loop.queue.vote([answer("x", {"key": "dark", "label": "unusable", "by": "ann"}, None)], CLASSES, "f", NOW)
    loop.vote("ann", mute="dog")
    audit = loop.ingest()[2]["audits"]["audit"]
    assert (audit["sampled"], audit["labelled"], audit["errors"]) == (7, 5, 0)


def test_weeks_are_those_of_the_rows(loop):
    audited(loop, wrong=2, right=0, week=0)
    audited(loop, wrong=0, right=3, week=1)
    audited(loop, wrong=1, right=0, week=None)
    weeks = loop.ingest()[2]["audits"]["audit"]["weeks"]
    assert [(week["week"], week["errors"], week["labelled"]) for week in weeks] == [
        ("2026-W48", 2, 2),
        ("2026-W49", 0, 3),
        ("unknown", 1, 1),
    ]


def test_the_alarm_is_about_the_newest_champion_that_enough_is_known_of(loop):
    stages = Sequence(loop.queue.storage, "spec/stages/champion")
    stages.add({"model": "sha256:old"}, after=0)
    audited(loop, wrong=30, right=10)
    stages.add({"model": "sha256:new"}, after=1)
    loop.now += timedelta(days=1)
    audited(loop, wrong=0, right=19)
    found = loop.ingest()[2]
    assert (found["audits"]["audit"]["judged"]["champion"], len(found["alarms"])) == ("sha256:old", 1)
    audited(loop, wrong=0, right=1)
    found = loop.ingest()[2]
    assert (found["audits"]["audit"]["judged"]["champion"], found["alarms"]) == ("sha256:new", [])
    assert found["audits"]["audit"]["errors"] == 30


def test_a_teacher_is_checked_by_people(loop):
    loop.max_disagreement = 0.1
    keys = [f"t{n:02}" for n in range(20)]
    loop.enqueue(*(row(key, auto="cat", audited=True) for key in keys))
    loop.vote("ann", **dict.fromkeys(keys[:5], "dog"), **dict.fromkeys(keys[5:19], "cat"))
    found = loop.ingest()[2]
    assert (found["alarms"], found["auto_audit"]["labelled"]) == ([], 19)
    assert "fewer than 20 are too few to say" in found["auto_audit"]["note"]
    loop.vote("ann", **{keys[19]: "cat"})
    found = loop.ingest()[2]
    assert found["auto_audit"]["rate"] == 0.25
    (alarm,) = found["alarms"]
    assert alarm.startswith("people contradict the teacher in 5 of 20 audited labels (0.250), more than the 0.1 that ")


def test_where_labels_are_numbers_they_come_back_as_numbers(loop, monkeypatch):
    monkeypatch.setitem(DATASET, "columns", {**COLUMNS, "label": "double"})
    loop.task = {**TASK, "type": "regression", "classes": []}
    loop.enqueue(row("a"))
    loop.queue.vote([answer("x", {"key": "a", "label": 2.5, "by": "ann"}, None)], (), "f", NOW)
    rows, _, labels = loop.ingest()
    assert (rows["label"].to_pylist(), rows["clspec.label"].to_pylist(), labels["audits"]) == ([2.5], ["2.5"], {})


# -- agreement ---------------------------------------------------------------------------------------------------------


def units(*raters):
    return [[value for value in unit if value != "."] for unit in zip(*raters, strict=True)]


@pytest.mark.parametrize(
    ("raters", "expected"),
    [
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_krippendorffs_examples(raters, expected):
    """Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: sections A, B and C (nominal)."""
    assert agreement.alpha(units(*raters)) == pytest.approx(expected, abs=5e-4)


def test_alpha_at_its_ends():
    assert agreement.alpha([["a", "a"], ["b", "b"]]) == 1
    assert agreement.alpha([["a", "b"], ["b", "a"]]) == pytest.approx(-0.5)
    assert agreement.alpha([["a", "a"], ["a", "a"], ["b"]]) is None
    assert agreement.alpha([]) is None


def test_agreement_counts_the_standing_votes():
    def vote(by, label, hours=0):
        return Vote(key="k", label=label, by=by, at=NOW + timedelta(hours=hours), note=None, source="f")

    both = Item(key="k", votes=(vote("ann", "dog"), vote("ann", "cat", 1), vote("bob", None)))
    found = agreement.agreement([both, Item(key="l", votes=(vote("ann", "dog"),))])
    assert (found["items"], found["votes"], found["classes"]) == (1, 2, {"cat": 1, "unusable": 1})
