"""The label queue: a fold over events that any number of writers may add to, whoever is killed meanwhile."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec.data.queue import Queue
from clspec.data.queue_log import Log
from clspec.data.queue_state import DISAGREEMENT, DROP, UNUSABLE, Event, Item, State, Vote, fold, voted
from clspec.data.queue_votes import Fate, answer
from clspec.data.storage import storage_at
from clspec.data.table import DataError
from clspec.diagnostic import Refused

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CLASSES = ("cat", "dog")


def candidates(*keys, **columns):
    text = pa.large_string()
    made = {
        "id": pa.array(keys, text),
        "frame": pa.array([f"picture of {key}".encode() for key in keys], pa.large_binary()),
        "label": pa.nulls(len(keys), text),
        "clspec.id": pa.array([f"event-{key}" for key in keys], text),
        "clspec.rule": pa.array(["unsure"] * len(keys), text),
        "clspec.audit": pa.array([False] * len(keys), pa.bool_()),
        "clspec.label": pa.nulls(len(keys), text),
    }
    made.update({name.replace("__", "."): pa.array(values) for name, values in columns.items()})
    return pa.table(made)


def strings(*texts):
    return pa.array(texts, pa.large_string())


@pytest.fixture
def queue(tmp_path):
    return Queue(storage_at(str(tmp_path / "store")), "spec")


def enqueue(queue, *keys, votes=1, gold=0.0, at=NOW, **more):
    return queue.enqueue(candidates(*keys), "id", votes_needed=votes, gold=gold, at=at, **more)


def says(key, label, by, at=None, note=None):
    given = {"key": key, "label": label, "by": by, "note": note, "at": at and at.isoformat()}
    return answer("line 1", given, None)


def vote(queue, *answers, source="file", now=NOW, classes=CLASSES):
    return [outcome.fate for outcome in queue.vote(answers, classes, source, now)]


def state(queue, key):
    return queue.contents().items[key].state


def events(queue):
    return len(queue.log.read())


# -- what goes in ------------------------------------------------------------------------------------------------------


def test_rows_are_enqueued_once_whoever_enqueues_them_again(queue):
    assert enqueue(queue, "b", "a", "b") == {"new": 2, "open": 2, "labelled": 0, "known": 0, "erased": 0, "gold": 0}
    assert enqueue(queue, "a", "c") == {"new": 1, "open": 1, "labelled": 0, "known": 1, "erased": 0, "gold": 0}
    assert enqueue(queue, "a", "b", "c")["new"] == 0
    assert events(queue) == 2
    assert queue.known_keys().to_pylist() == ["a", "b", "c"]
    assert [item.event for item in queue.items(State.OPEN)] == ["event-a", "event-b", "event-c"]
    held = queue.rows(["c", "nobody", "a"])
    assert held.column("id").to_pylist() == ["c", "a"]
    assert held.column("frame").to_pylist() == [b"picture of c", b"picture of a"]


def test_nothing_is_enqueued_where_nothing_came(queue):
    assert enqueue(queue)["new"] == 0
    assert (events(queue), queue.known_keys().to_pylist()) == (0, [])


def test_whole_numbers_are_keys_too(queue):
    rows = candidates("x", "y").set_column(0, "id", pa.array([10, 9]))
    queue.enqueue(rows, "id", votes_needed=1, gold=0, at=NOW)
    assert queue.known_keys().to_pylist() == ["10", "9"]
    assert vote(queue, answer("line 1", {"key": 9, "label": "cat"}, "ann")) == [Fate.STORED]


def test_a_row_without_a_key_is_none(queue):
    with pytest.raises(DataError, match="1 rows have no key"):
        enqueue(queue, "a", None)


def test_a_label_that_came_along_is_final_until_people_are_heard_of(queue):
    queue.enqueue(
        candidates("a", clspec__label=["dog"], clspec__origin=["feedback:r"]), "id", votes_needed=1, gold=0, at=NOW
    )
    (item,) = queue.items(State.LABELLED)
    assert (item.label, item.origin, item.labelled_at) == ("dog", "feedback:r", NOW)
    assert vote(queue, says("a", "cat", "ann")) == [Fate.LATE]
    assert queue.items(State.LABELLED)[0].label == "dog"


# -- votes -------------------------------------------------------------------------------------------------------------


def test_two_who_agree_finish_an_item(queue):
    enqueue(queue, "a", votes=2)
    assert vote(queue, says("a", "dog", "ann")) == [Fate.STORED]
    assert state(queue, "a") is State.OPEN
    assert vote(queue, says("a", "dog", "bob")) == [Fate.STORED]
    (item,) = queue.items(State.LABELLED)
    assert (item.label, item.origin, item.unanimous) == ("dog", "people", True)


def test_one_person_is_one_vote(queue):
    enqueue(queue, "a", votes=2)
    assert vote(queue, says("a", "dog", "Ann\u00e9"), says("a", "dog", " Anne\u0301 ")) == [Fate.STORED, Fate.SAME]
    assert state(queue, "a") is State.OPEN


def test_those_who_disagree_wait_for_a_decision(queue):
    enqueue(queue, "a", "b", votes=2)
    vote(queue, says("a", "dog", "ann"), says("a", "cat", "bob"))
    item = queue.contents().items["a"]
    assert (item.state, item.waits) == (State.OPEN, True)
    decision = Vote(key="a", label="cat", by="eve", at=NOW, note=None, source="review")
    assert queue.adjudicate(decision)
    assert not queue.adjudicate(decision)
    assert (queue.items(State.LABELLED)[0].label, queue.items(State.LABELLED)[0].unanimous) == ("cat", False)
    assert vote(queue, says("a", "dog", "joe")) == [Fate.LATE]
    with pytest.raises(Refused, match="nothing to decide about `b`: it is open"):
        queue.adjudicate(replace(decision, key="b"))
    with pytest.raises(Refused, match="has no `c`"):
        queue.adjudicate(replace(decision, key="c"))


def test_a_dissenter_who_is_convinced_ends_the_disagreement(queue):
    enqueue(queue, "a", votes=2)
    vote(queue, says("a", "dog", "ann"), says("a", "cat", "bob"))
    assert vote(queue, says("a", "dog", "bob"), source="later", now=NOW + timedelta(hours=1)) == [Fate.CHANGED]
    assert queue.items(State.LABELLED)[0].label == "dog"


def test_where_disagreement_drops_the_row_it_is_rejected(queue):
    enqueue(queue, "a", votes=2, on_disagreement=DROP)
    vote(queue, says("a", "dog", "ann"), says("a", "cat", "bob"))
    assert queue.contents().items["a"].verdict == (State.REJECTED, DISAGREEMENT)
    assert vote(queue, says("a", "dog", "bob"), source="later") == [Fate.LATE]


def test_what_nobody_can_tell_is_rejected(queue):
    enqueue(queue, "a", "b", "c")
    assert vote(queue, says("a", "unusable", "ann"), says("b", None, "ann", note="too dark")) == [Fate.STORED] * 2
    assert vote(queue, says("c", "unusable", "ann"), classes=("unusable",)) == [Fate.STORED]
    items = queue.contents().items
    assert [items[key].verdict for key in "abc"] == [
        (State.REJECTED, UNUSABLE),
        (State.REJECTED, UNUSABLE),
        (State.LABELLED, "unusable"),
    ]


def test_a_vote_may_be_changed_until_a_run_takes_it(queue):
    enqueue(queue, "a")
    later = NOW + timedelta(hours=1)
    vote(queue, says("a", "dog", "ann", at=NOW))
    assert vote(queue, says("a", "cat", "ann", at=later)) == [Fate.CHANGED]
    assert vote(queue, says("a", "dog", "ann", at=NOW - timedelta(hours=1))) == [Fate.OLDER]
    assert queue.items(State.LABELLED)[0].label == "cat"
    assert len(queue.items(State.LABELLED)[0].votes) == 3
    queue.take(CLASSES)
    assert vote(queue, says("a", "dog", "ann", at=later + timedelta(hours=1))) == [Fate.LATE]
    assert queue.items(State.LABELLED)[0].label == "cat"
    assert queue.items(State.LABELLED)[0].late[0].label == "dog"


def test_the_last_word_in_a_file_is_the_last_word(queue):
    enqueue(queue, "a")
    lines = [says("a", "dog", "ann"), says("a", "cat", "ann"), says("a", "dog", "ann")]
    assert vote(queue, *lines) == [Fate.STORED, Fate.CHANGED, Fate.CHANGED]
    assert queue.items(State.LABELLED)[0].label == "dog"
    assert vote(queue, *lines, now=NOW + timedelta(days=1)) == [Fate.SAME] * 3


def test_an_old_file_that_comes_again_changes_nothing(queue):
    enqueue(queue, "a")
    first, second = says("a", "dog", "ann"), says("a", "cat", "ann")
    vote(queue, first, source="one")
    vote(queue, second, source="two", now=NOW + timedelta(hours=1))
    assert vote(queue, first, source="one", now=NOW + timedelta(hours=2)) == [Fate.SAME]
    assert vote(queue, second, source="copy of two", now=NOW + timedelta(hours=2)) == [Fate.SAME]
    assert (queue.items(State.LABELLED)[0].label, events(queue)) == ("cat", 3)


def test_a_third_opinion_comes_too_late(queue):
    enqueue(queue, "a", votes=2)
    vote(queue, says("a", "dog", "ann"), says("a", "dog", "bob"))
    assert vote(queue, says("a", "cat", "eve")) == [Fate.LATE]
    assert queue.items(State.LABELLED)[0].label == "dog"


@pytest.mark.parametrize(
    ("given", "fate"),
    [
        ({"key": "nobody", "label": "dog", "by": "ann"}, Fate.UNKNOWN_KEY),
        ({"key": "a", "label": "dgo", "by": "ann"}, Fate.UNKNOWN_CLASS),
        ({"key": "a", "label": "dog"}, Fate.NO_NAME),
        ({"key": "a", "label": "dog", "by": "a,b"}, Fate.MALFORMED),
        ({"key": "a", "label": "dog", "by": "ann\n"}, Fate.STORED),
        ({"key": "a", "label": "dog", "by": "an\nn"}, Fate.MALFORMED),
        ({"key": "a", "label": ["dog"], "by": "ann"}, Fate.MALFORMED),
        ({"key": "a", "label": True, "by": "ann"}, Fate.MALFORMED),
        ({"key": "a", "label": "dog", "by": "ann", "at": "yesterday"}, Fate.MALFORMED),
        ({"key": "a", "label": "dog", "by": "ann", "at": "9999-01-01"}, Fate.MALFORMED),
        ({"key": "a", "label": "dog", "by": "ann", "at": "0001-01-01T00:00:00+14:00"}, Fate.MALFORMED),
        ({"key": "a", "label": "\ud800", "by": "ann"}, Fate.MALFORMED),
        ({"key": None, "label": "dog", "by": "ann"}, Fate.MALFORMED),
        ({"key": "a", "label": None, "by": "ann"}, Fate.UNANSWERED),
    ],
)
def test_every_line_has_an_outcome(queue, given, fate):
    enqueue(queue, "a")
    assert vote(queue, answer("line 1", given, None)) == [fate]
    assert (state(queue, "a") is State.LABELLED) == (fate is Fate.STORED)


def test_the_good_lines_are_stored_beside_the_bad(queue):
    enqueue(queue, "a", "b")
    lines = [says("a", "dog", "ann"), says("z", "dog", "ann"), says("b", "cow", "ann"), says("b", "cat", "ann")]
    assert vote(queue, *lines) == [Fate.STORED, Fate.UNKNOWN_KEY, Fate.UNKNOWN_CLASS, Fate.STORED]
    assert [(item.key, item.label) for item in queue.items(State.LABELLED)] == [("a", "dog"), ("b", "cat")]


# -- what becomes of items ---------------------------------------------------------------------------------------------


def test_labels_are_taken_appended_and_never_open_again(queue):
    enqueue(queue, "a", "b")
    vote(queue, says("a", "dog", "ann"))
    taken = queue.take(CLASSES)
    assert [item.key for item in taken.of(State.LABELLED) if item.taken] == ["a"]
    before = events(queue)
    assert queue.take(CLASSES) == taken
    assert events(queue) == before
    assert (queue.append_done(strings("a"), "sha256:1"), queue.append_done(strings("a"), "sha256:2")) == (1, 0)
    assert (queue.reject(strings("a", "b", "new"), "leak"), queue.reject(strings("b", "new"), "leak")) == (2, 0)
    items = queue.contents().items
    assert [items[key].state for key in ("a", "b", "new")] == [State.APPENDED, State.REJECTED, State.REJECTED]
    assert items["a"].label == "dog"
    assert queue.known_keys().to_pylist() == ["a", "b", "new"]
    assert enqueue(queue, "new", "a")["new"] == 0


def test_a_label_that_is_no_class_any_more_is_not_taken(queue):
    enqueue(queue, "a")
    vote(queue, says("a", "dog", "ann"))
    assert queue.take(("cat",)).items["a"].taken is None
    assert queue.take(()).items["a"].taken == "dog"


def test_erased_rows_are_gone_from_all_payloads_and_never_come_back(queue, tmp_path):
    enqueue(queue, "secret-key", "b")
    vote(queue, says("secret-key", "dog", "ann", note="secret-note"), says("b", "dog", "ann"))
    queue.take(CLASSES)
    assert (queue.erase(strings("secret-key")), queue.erase(strings("secret-key"))) == (1, 0)
    assert queue.known_keys().to_pylist() == ["b"]
    assert queue.is_erased(strings("secret-key", "b")).to_pylist() == [True, False]
    assert enqueue(queue, "secret-key", "b")["erased"] == 1
    assert vote(queue, says("secret-key", "cat", "bob")) == [Fate.UNKNOWN_KEY]
    assert (queue.reject(strings("secret-key"), "leak"), queue.append_done(strings("secret-key"), "x")) == (0, 0)
    for key in queue.garbage():
        queue.storage.delete(key)
    assert state(queue, "b") is State.LABELLED
    assert queue.garbage() == ()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"secret" not in stored
    assert b"picture of secret-key" not in stored
    assert queue.rows(["secret-key", "b"]).column("id").to_pylist() == ["b"]


def test_erasing_twice_in_a_row_keeps_what_stands_for_what(queue):
    enqueue(queue, "a", "b", "c")
    assert [queue.erase(strings(key)) for key in ("a", "b", "nobody")] == [1, 1, 0]
    for key in queue.garbage():
        queue.storage.delete(key)
    assert queue.known_keys().to_pylist() == ["c"]
    assert queue.is_erased(strings("a", "b", "c", "nobody")).to_pylist() == [True, True, False, True]


def test_a_reader_whom_an_erasure_overtakes_reads_again(queue, monkeypatch):
    enqueue(queue, "a", "b")
    read, overtaken = Log.payload, []

    def overtaking(log, digest):
        if not overtaken:
            overtaken.append(digest)
            queue.erase(strings("a"))
            for key in queue.garbage():
                queue.storage.delete(key)
        return read(log, digest)

    monkeypatch.setattr(Log, "payload", overtaking)
    assert sorted(queue.contents().items) == ["b"]
    assert overtaken


def test_a_payload_that_is_swept_before_its_event_is_written_again(queue, monkeypatch):
    write = Log._put

    def swept(log, content):
        digest = write(log, content)
        log.storage.delete(log._key(digest))
        monkeypatch.setattr(Log, "_put", write)
        return digest

    monkeypatch.setattr(Log, "_put", swept)
    assert enqueue(queue, "a")["new"] == 1
    assert queue.known_keys().to_pylist() == ["a"]


def test_a_payload_that_was_changed_or_removed_is_named(queue):
    enqueue(queue, "a")
    (index,) = [event.content["payloads"]["index"] for event in queue.log.read()]
    key = f"spec/queue/payloads/{index}.parquet"
    content = queue.storage.read(key)
    queue.storage.write(key, content + b"x")
    with pytest.raises(DataError, match="was changed"):
        queue.contents()
    queue.storage.delete(key)
    with pytest.raises(DataError, match="is gone"):
        queue.contents()


def test_an_event_from_the_future_is_not_skipped(queue):
    Log(queue.storage, "spec").add({"event": "teleported"}, {}, after=0)
    with pytest.raises(DataError, match="event `teleported`"):
        queue.contents()


# -- gold questions ----------------------------------------------------------------------------------------------------


def test_gold_questions_are_finished_rows_asked_again(queue):
    enqueue(queue, *"abcdefgh", gold=0.5)
    assert not any(item.gold for item in queue.contents().items.values())
    vote(queue, *(says(key, "dog", "ann") for key in "abcdefgh"))
    queue.take(CLASSES)
    assert enqueue(queue, "i", "j", gold=1 / 3)["gold"] == 1
    (gold,) = [item for item in queue.contents().items.values() if item.gold]
    assert vote(queue, says(gold.key, "cat", "bob"), says("i", "cat", "bob")) == [Fate.STORED, Fate.STORED]
    after = queue.contents().items[gold.key]
    assert (after.state, after.label, [said.label for said in after.answers]) == (State.LABELLED, "dog", ["cat"])
    assert vote(queue, says(gold.key, "cat", "ann"), source="other") == [Fate.LATE]
    assert enqueue(queue, "i", "j", gold=0.9)["gold"] == 0


def test_small_batches_have_their_share_of_gold_questions_too(queue):
    keys = [f"k{n:03}" for n in range(200)]
    enqueue(queue, *keys)
    vote(queue, *(says(key, "dog", "ann") for key in keys))
    queue.take(CLASSES)
    asked = sum(enqueue(queue, f"n{n}", gold=0.25)["gold"] for n in range(60))
    assert 10 < asked < 32
    assert enqueue(queue, "last", gold=1.0)["gold"] == 200 - asked


# -- the fold ----------------------------------------------------------------------------------------------------------

KEYS = ("a", "b", "c")


@st.composite
def histories(draw):
    """For each key a history of its own, all of them to be interleaved at will."""
    return [draw(st.lists(st.tuples(st.just(key), moves), max_size=6)) for key in KEYS]


moves = st.one_of(
    st.tuples(
        st.just("voted"), st.sampled_from(["cat", "dog", None]), st.sampled_from(["ann", "bob"]), st.integers(0, 3)
    ),
    st.tuples(st.just("adjudicated"), st.sampled_from(["cat", "dog"])),
    st.tuples(st.sampled_from(["taken", "rejected", "appended"])),
)


def event(key, move):
    kind, *rest = move
    if kind in {"voted", "adjudicated"}:
        label, by, hour = (*rest, "eve", 0)[:3]
        row = {"key": key, "label": label, "by": by, "at": NOW + timedelta(hours=hour), "note": None, "source": "f"}
        return Event(kind=kind, content={}, payloads={"votes": [row]})
    name = "labels" if kind == "taken" else "keys"
    content = {"reason": "leak", "digest": "sha256:1"}
    return Event(kind=kind, content=content, payloads={name: [{"key": key, "label": "dog"}]})


def enqueued(*keys):
    index = [{"key": key, "rule": "r"} for key in keys]
    content = {"at": NOW.isoformat(), "needed": 2, "on_disagreement": "adjudicate", "champion": None}
    return Event(kind="enqueued", content=content, payloads={"index": index, "gold": []})


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_independent_events_does_not_matter(found, chance):
    one_by_one = [event(*move) for history in found for move in history]
    mixed, rest = [], [list(history) for history in found if history]
    while rest:
        history = chance.choice(rest)
        mixed.append(event(*history.pop(0)))
        rest = [left for left in rest if left]
    assert fold([enqueued(*KEYS), *one_by_one]) == fold([*map(enqueued, KEYS), *mixed])


votes = st.lists(st.tuples(st.sampled_from(["cat", "dog", None]), st.integers(0, 99)), min_size=1, max_size=6)


@given(votes, st.permutations(range(6)))
def test_the_newest_vote_of_a_labeller_stands_in_whatever_order_they_came(said, order):
    unique = [Vote(key="a", label=label, by="ann", at=NOW + timedelta(hours=n * 100 + hour), note=None, source="f")
              for n, (label, hour) in enumerate(said)]  # fmt: skip
    item = Item(key="a", needed=2)
    for number in order:
        if number < len(unique):
            item = voted(item, unique[number])
    assert item.standing == {"ann": unique[-1]}


@given(histories())
@settings(max_examples=50)
def test_an_item_that_is_appended_or_rejected_stays_so(found):
    events_ = [enqueued(*KEYS)]
    seen = {}
    for move in itertools.chain(*found):
        events_.append(event(*move))
        items = fold(events_).items
        for key, before in seen.items():
            assert items[key].state in {before, State.APPENDED}
        final = {key: item.state for key, item in items.items() if item.appended or item.rejected}
        seen.update(final)


# -- several writers ---------------------------------------------------------------------------------------------------

WRITER = """
import json, sys
from datetime import UTC, datetime
import pyarrow as pa
from clspec.data.queue import Queue
from clspec.data.queue_votes import answer
from clspec.data.storage import storage_at
queue = Queue(storage_at(sys.argv[1]), "spec")
now = datetime(2026, 11, 25, tzinfo=UTC)
print("ready", flush=True)
for line in sys.stdin:
    what, source, keys = json.loads(line)
    if what == "enqueue":
        queue.enqueue(pa.table({"id": pa.array(keys, pa.large_string())}), "id", votes_needed=1, gold=0, at=now)
    else:
        answers = [answer("x", {"key": key, "label": "dog", "by": source}, None) for key in keys]
        queue.vote(answers, ["dog"], source, now)
    print("done", flush=True)
"""


def writer(store, **more):
    command = [sys.executable, "-c", WRITER, store]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)


def tell(process, *order):
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()


def test_two_processes_that_write_at_once_lose_and_double_nothing(uri):  # the fixture
    rounds = 8
    storage_at(uri).write("the bucket", b"exists")
    writers = [writer(uri) for _ in range(2)]
    try:
        assert [process.stdout.readline() for process in writers] == ["ready\n"] * 2
        for n in range(rounds):
            for number, process in enumerate(writers):  # half of the rows are the same
                tell(process, "enqueue", "", [f"{n}-{number}", f"{n}-both"])
            assert [process.stdout.readline() for process in writers] == ["done\n"] * 2
            for number, process in enumerate(writers):
                tell(process, "vote", f"w{number}", [f"{n}-0", f"{n}-1", f"{n}-both"])
            assert [process.stdout.readline() for process in writers] == ["done\n"] * 2
    finally:
        for process in writers:
            process.stdin.close()
            process.wait()
            process.stdout.close()
    queue = Queue(storage_at(uri), "spec")
    contents = queue.contents()
    assert sorted(contents.items) == sorted(f"{n}-{who}" for n in range(rounds) for who in ("0", "1", "both"))
    for item in contents.items.values():
        assert item.state is State.LABELLED
        assert sorted(vote.by for vote in item.voices) == ["w0", "w1"]
    assert len(queue.rows(sorted(contents.items))) == 3 * rounds


def test_a_writer_killed_at_any_moment_leaves_all_of_a_file_or_nothing(tmp_path):
    store = str(tmp_path / "store")
    queue = Queue(storage_at(store), "spec")
    keys = [f"k{n}" for n in range(100)]
    enqueue(queue, *keys)
    landed = 0
    for n in range(20):
        process = writer(store, start_new_session=True)
        try:
            assert process.stdout.readline() == "ready\n"
            tell(process, "vote", f"w{n}", keys)
            time.sleep(n * 0.004)
            os.kill(process.pid, signal.SIGKILL)
        finally:
            process.wait()
            process.stdin.close()
            process.stdout.close()
        voices = {sum(vote.by == f"w{n}" for vote in item.voices) for item in queue.contents().items.values()}
        assert voices in ({0}, {1})
        landed += voices == {1}
        answers = [says(key, "dog", f"w{n}") for key in keys]
        vote(queue, *answers, source=f"w{n}")
        assert all(sum(v.by == f"w{n}" for v in item.voices) == 1 for item in queue.contents().items.values())
    assert landed < 20, "no process was killed before it was done: the test sees nothing"
    assert events(queue) == 21
