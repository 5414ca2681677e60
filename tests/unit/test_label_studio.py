"""Label Studio's JSON as its own export writes it: what of it is an answer, and what is not."""

import json

import pytest

from clspec.data import label_studio
from clspec.data.queue_votes import Answer, Refusal


def choice(*labels, **more):
    value = {"choices": list(labels)}
    return {"id": "x", "from_name": "label", "to_name": "photo", "type": "choices", "value": value, **more}


def annotation(*results, by=7, **more):
    return {
        "id": 1001,
        "completed_by": by,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-25T10:00:00.000001Z",
        "updated_at": "2026-11-25T11:00:00.000002Z",
        "lead_time": 4.2,
        **more,
    }


def read(*annotations, by=None, **task):
    made = {"id": 3, "data": {"photo": "x", "clspec_key": "k"}, "annotations": list(annotations), **task}
    return label_studio.from_tasks(json.dumps([made]).encode(), "tasks.json", by)


def test_an_annotation_is_a_vote_of_who_completed_it():
    (found,) = read(annotation(choice("dog")))
    assert isinstance(found, Answer)
    assert (found.key, found.label, found.by, found.place) == ("k", "dog", "7", "task 1, annotation 1")
    assert found.at.isoformat() == "2026-11-25T11:00:00.000002+00:00"


def test_two_annotations_are_two_votes():
    people = [{"id": 1, "email": "ann@example.com", "first_name": "Ann"}, {"id": 2, "email": ""}]
    found = read(annotation(choice("dog"), by=people[0]), annotation(choice("cat"), by=people[1]))
    assert [(one.label, one.by) for one in found] == [("dog", "ann@example.com"), ("cat", "2")]


def test_a_name_is_needed_and_may_be_given():
    assert read(annotation(choice("dog"), by=None), by="ann")[0].by == "ann"
    assert read(annotation(choice("dog"), by=None))[0].by is None


def test_a_note_may_say_that_nobody_can_tell():
    text = {"from_name": "note", "to_name": "photo", "type": "textarea", "value": {"text": ["too dark"]}}
    (found,) = read(annotation(text))
    assert (found.label, found.note) == (None, "too dark")


@pytest.mark.parametrize(
    "found",
    [
        read(),
        read(annotation()),
        read(annotation(choice("dog"), was_cancelled=True)),
        read(annotations=None),
        read(annotation({"type": "rectanglelabels", "value": {"rectanglelabels": ["dog"]}})),
    ],
)
def test_what_is_no_answer_yet(found):
    assert [(one.key, one.label, one.note) for one in found] == [("k", None, None)]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (read(annotation(choice("dog", "cat"))), "2 choices where one text is needed"),
        (read(annotation(choice("dog"), choice("cat"))), "2 choices"),
        (read(annotation(choice(7))), "where one text is needed"),
        (read(annotation({"type": "choices", "value": None})), "where one text is needed"),
        (read("nonsense"), "it is no annotation"),
        (read(annotation(result=None)), "it is no annotation"),
        (read(annotation(choice("dog"), updated_at="soon")), "no ISO 8601 time"),
        (read(annotations="x"), "`annotations` are no list"),
        (read(data={"photo": "x"}), "has no `data.clspec_key`"),
        (read(data=None), "has no `data.clspec_key`"),
        (read(annotation(choice("dog")), data={"clspec_key": [1]}), "names no row"),
    ],
)
def test_what_cannot_be_an_answer(found, reason):
    (refusal,) = found
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason


def test_tasks_hold_the_data_and_nothing_else():
    text = label_studio.to_tasks([("=k", {"n": 1, "x": float("inf"), "clspec_key": "a column", "b": b"GIF8x"})])
    assert json.loads(text) == [
        {
            "id": 1,
            "data": {"n": 1, "x": "inf", "clspec_key": "=k", "b": "data:image/gif;base64,R0lGOHg="},
            "annotations": [],
        }
    ]


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"RIFF1234WEBPVP8", ".webp"),
        (b"RIFF1234WAVEfmt", ".wav"),
        (b"RIFF", ".bin"),
        (b"", ".bin"),
    ],
)
def test_media_are_known_by_how_they_begin(content, ending):
    assert label_studio.media_type(content)[1] == ending
