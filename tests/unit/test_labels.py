"""`clspec label`: what people are shown, what they send back, and what becomes of every line of it."""

import base64
import csv
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec import api, labels
from clspec.cli import label as verb
from clspec.data import queue_files
from clspec.data.queue_state import State
from clspec.data.queue_votes import Answer, Fate
from clspec.diagnostic import Refused, UsageError

HELLO = Path(__file__).parents[1] / "data/hello"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\nnot much of a picture"
HOSTILE = [
    "=cmd|'/c calc'!A1",
    "'=1+1",
    "''=1+1",
    "'plain",
    "+1",
    "-1",
    "@SUM(A1)",
    'say "yes", please',
    "two\nlines",
    "two\r\nlines",
    "a\rb",
    "\ttab",
    "a;b",
    "\u202eltr",
    "\u00fcber",
    "\U0001f415",
    " padded ",
    "../../etc/passwd",
    "null",
    "0012",
    "1e5",
]
FEEDBACK = """
feedback:
  source: stall
  rules:
    - {id: unsure, type: low_confidence, below: 0.4}
    - {id: audit, type: random, rate: 0.1}
  labelling: {queue: files, votes: 2, on_disagreement: adjudicate}
  append_to: fruit
"""


@pytest.fixture
def facts(tmp_path):
    """The hello project with a loop."""
    shutil.copytree(HELLO, tmp_path / "hello", dirs_exist_ok=True)
    spec = tmp_path / "hello/hello.yaml"
    text = spec.read_text()
    columns = "{id: string, grams: double, label: string}"
    wide = "{id: string, grams: double, photo: binary, said: string, label: string}"
    assert columns in text
    stall = (
        '  stall: {type: parquet, uri: "stall/*.parquet", columns: {id: string, grams: double, photo: binary, '
        "said: string, belief: double}, roles: {id: id, prediction: said, confidence: belief}}\n\ndatasets:"
    )
    text = text.replace(columns, wide).replace("\ndatasets:", stall)
    spec.write_text(text + FEEDBACK)
    checked = api.check(str(spec))
    assert checked.facts is not None, [d.message for d in checked.diagnostics]
    return checked.facts


def fill(facts, *keys, votes=2, **columns):
    text = pa.large_string()
    made = {
        "id": pa.array(keys, text),
        "grams": pa.array([1.5] * len(keys), pa.float64()),
        "photo": pa.array([PNG] * len(keys), pa.large_binary()),
        "said": pa.array(["a secret"] * len(keys), text),
        "label": pa.nulls(len(keys), text),
        "clspec.id": pa.array(keys, text),
        "clspec.rule": pa.array(["unsure"] * len(keys), text),
        "clspec.prediction": pa.array(["a secret"] * len(keys), text),
        "clspec.auto_label": pa.array(["a secret"] * len(keys), text),
        **columns,
    }
    labels.queue(facts).enqueue(pa.table(made), "id", votes_needed=votes, gold=0, at=NOW)


def out(facts, file, **more):
    given = {"form": None, "media": None, "limit": None, "by": None, **more}
    return labels.export(facts, file, **given)


def back(facts, file, **more):
    return labels.take_in(facts, file, **{"form": None, "by": None, "now": NOW, **more})


def fates(imported):
    return [outcome.fate for outcome in imported.outcomes]


def lines_of(file):
    return file.read_text(encoding="utf-8").splitlines()


def state_of(facts, key):
    return labels.contents(facts).items[key].state


# -- there and back again ----------------------------------------------------------------------------------------------


def answer_jsonl(file):
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**line, "label": "melon", "by": "ann"}) + "\n" for line in lines))


def answer_csv(file):
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "label": "melon", "by": "ann"} for row in rows)


def answer_tasks(file):
    tasks = json.loads(file.read_text())
    for task in tasks:
        choice = {"from_name": "label", "to_name": "photo", "type": "choices", "value": {"choices": ["melon"]}}
        task["annotations"] = [
            {"completed_by": {"id": 1, "email": "ann"}, "result": [choice], "was_cancelled": False}
            | {"created_at": "2026-11-25T11:00:00.123456Z"}
        ]
    file.write_text(json.dumps(tasks))


@pytest.mark.parametrize(
    ("name", "fill_in"), [("q.jsonl", answer_jsonl), ("q.csv", answer_csv), ("q.json", answer_tasks)]
)
def test_questions_go_out_and_come_back_with_every_key(facts, tmp_path, name, fill_in):
    fill(facts, *HOSTILE)
    file = tmp_path / name
    assert out(facts, file, media=tmp_path / "media").questions == len(HOSTILE)
    assert fates(back_or_none(facts, file)) == [Fate.UNANSWERED] * len(HOSTILE)
    fill_in(file)
    assert fates(back(facts, file)) == [Fate.STORED] * len(HOSTILE)
    assert fates(back(facts, file, now=NOW + timedelta(days=2))) == [Fate.SAME] * len(HOSTILE)
    said = {item.key: [vote.label for vote in item.votes] for item in labels.contents(facts).items.values()}
    assert said == {key: ["melon"] for key in HOSTILE}


def back_or_none(facts, file):
    found = back(facts, file)
    assert found.refused is None
    return found


@pytest.mark.parametrize("form", ["jsonl", "csv", "label-studio"])
def test_no_labeller_sees_what_a_model_or_a_teacher_says(facts, tmp_path, form):
    fill(facts, "a", "b")
    file = tmp_path / "q.txt"
    out(facts, file, form=form, media=tmp_path / "media")
    text = file.read_text()
    for told in ("secret", "said", "unsure", "clspec.", "gold", "belief"):
        assert told not in text
    assert "grams" in text


def test_gold_questions_look_like_all_others(facts, tmp_path):
    fill(facts, *(f"old{n}" for n in range(8)), votes=1)
    first = tmp_path / "first.jsonl"
    out(facts, first)
    answer_jsonl(first)
    back(facts, first)
    queue = labels.queue(facts)
    queue.take(["apple", "melon"])
    rows = pa.table({"id": pa.array(["new1", "new2"], pa.large_string()), "grams": [1.5, 1.5]})
    queue.enqueue(rows, "id", votes_needed=1, gold=0.5, at=NOW)
    out(facts, tmp_path / "second.jsonl", by="bob")
    lines = [json.loads(line) for line in lines_of(tmp_path / "second.jsonl")]
    assert len(lines) == 4
    assert {tuple(line) for line in lines} == {("key", "label", "by", "note", "data")}
    out(facts, tmp_path / "third.jsonl", by="ann")  # the answers are hers
    assert len(lines_of(tmp_path / "third.jsonl")) == 2


def test_media_lie_in_files_named_by_their_content_or_in_the_line(facts, tmp_path):
    fill(facts, "../../evil", "b")
    assert out(facts, tmp_path / "q.jsonl", media=tmp_path / "media").media == 1
    (photo,) = (tmp_path / "media").iterdir()
    assert (photo.suffix, photo.read_bytes()) == (".png", PNG)
    assert {json.loads(line)["data"]["photo"] for line in lines_of(tmp_path / "q.jsonl")} == {str(photo)}
    out(facts, tmp_path / "inline.jsonl")
    line = json.loads(lines_of(tmp_path / "inline.jsonl")[0])
    assert base64.b64decode(line["data"]["photo"]) == PNG
    out(facts, tmp_path / "inline.json")
    task = json.loads((tmp_path / "inline.json").read_text())[0]
    assert task["data"]["photo"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    with pytest.raises(UsageError, match="a table holds no media: say --media DIR"):
        out(facts, tmp_path / "inline.csv")


def test_a_file_with_answers_is_never_written_over(facts, tmp_path):
    fill(facts, "a")
    (tmp_path / "q.jsonl").write_text("answers")
    with pytest.raises(UsageError, match="is there already, and may hold answers"):
        out(facts, tmp_path / "q.jsonl")
    assert (tmp_path / "q.jsonl").read_text() == "answers"


def test_nobody_is_asked_twice_and_no_more_than_wanted(facts, tmp_path):
    with pytest.raises(Refused, match="nothing waits"):
        out(facts, tmp_path / "none.jsonl")
    fill(facts, *"abcd")
    out(facts, tmp_path / "ann.jsonl", by="ann", limit=3)
    answer_jsonl(tmp_path / "ann.jsonl")
    back(facts, tmp_path / "ann.jsonl")
    assert out(facts, tmp_path / "ann2.jsonl", by="ann").questions == 1
    assert out(facts, tmp_path / "bob.jsonl", by="bob").questions == 4


# -- what comes back broken --------------------------------------------------------------------------------------------

LINES = [
    ('{"key": "a", "label": "melon", "by": "ann"}', Fate.STORED),
    ('{"key": "a", "label": "apple", "by": "ann"}', Fate.CHANGED),
    ('{"key": "zz", "label": "melon", "by": "ann"}', Fate.UNKNOWN_KEY),
    ('{"key": "b", "label": "pear", "by": "ann"}', Fate.UNKNOWN_CLASS),
    ('{"key": "b", "label": "melon"}', Fate.NO_NAME),
    ('{"key": "b", "lable": "melon", "by": "ann"}', Fate.MALFORMED),
    ('{"key": "b", "label": "melon", "label": "apple", "by": "ann"}', Fate.MALFORMED),
    ('{"key": "b", "label": NaN, "by": "ann"}', Fate.MALFORMED),
    ('["b", "melon"]', Fate.MALFORMED),
    ("{" * 100_000, Fate.MALFORMED),
    ('{"key": "b", "label": "\\ud800", "by": "ann"}', Fate.MALFORMED),
    ('{"key": "b", "label": null, "by": "ann", "note": "too dark"}', Fate.STORED),
    ('{"key": "c", "label": null}', Fate.UNANSWERED),
]


def test_every_line_is_counted_and_the_bad_ones_are_kept_apart(facts, tmp_path):
    fill(facts, "a", "b", "c", votes=1)
    file = tmp_path / "back.jsonl"
    file.write_text("\n\n".join(line for line, _ in LINES) + "\r\n")
    found = back(facts, file)
    assert fates(found) == [fate for _, fate in LINES]
    assert found.refused == tmp_path / "back.jsonl.refused.jsonl"
    refused = [json.loads(line) for line in found.refused.read_text().splitlines()]
    assert [entry["outcome"] for entry in refused] == [fate.value for _, fate in LINES if fate.refused]
    assert refused[1]["place"] == "line 7"
    assert refused[1]["given"]["label"] == "pear"
    assert (state_of(facts, "a"), state_of(facts, "b")) == (State.LABELLED, State.REJECTED)


@pytest.mark.parametrize(
    ("text", "fate"),
    [
        ("key,label,by\r\na,melon,ann\r\n", [Fate.STORED]),
        ("\ufeffkey;label;by\na;melon;ann\n\n;;\n", [Fate.STORED]),
        ("label\tkey\tby\nmelon\ta\tann\n", [Fate.STORED]),
        ("key,label,by\na,melon\nb,melon,ann\n", [Fate.MALFORMED, Fate.STORED]),
        ('key,label,by\na,"melon,ann\nb,melon,ann\n', [Fate.MALFORMED]),
        ('key,label,by\na,"mel"on,ann\nb,melon,ann\n', [Fate.MALFORMED, Fate.STORED]),
        ("key,label,by\na,,ann\nb,melon,ann\n", [Fate.UNANSWERED, Fate.STORED]),
    ],
)
def test_tables_as_spreadsheets_write_them(facts, tmp_path, text, fate):
    fill(facts, "a", "b")
    (tmp_path / "back.csv").write_bytes(text.encode())
    assert fates(back(facts, tmp_path / "back.csv")) == fate


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", b"id,class\na,melon\n", "no first row with the columns `key` and `label`"),
        ("x.csv", b"key,label,labl\na,melon,x\n", "has a column `labl`"),
        ("x.csv", b"key,label,label\na,melon,x\n", "has a column twice"),
        ("x.csv", "key,label\n\u00e4,melon\n".encode("latin-1"), "is not UTF-8"),
        ("x.csv", b"key,label\n", "holds no answers"),
        ("x.csv", b"", "no first row"),
        ("x.jsonl", b"\n\n", "holds no answers"),
        ("x.json", b"{}", "is a JSON dict"),
        ("x.json", b"[]", "holds no answers"),
        ("x.json", b"[1", "is no JSON"),
        ("x.txt", b"x", "say its --format"),
    ],
)
def test_files_that_are_no_answers(facts, tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        back(facts, tmp_path / name)


def test_a_file_that_is_not_there(facts, tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        back(facts, tmp_path / "none.jsonl")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_escaped_for_spreadsheets_comes_back(text):
    assert queue_files.unescaped(queue_files.escaped(text)) == text
    assert queue_files.escaped(text)[:1] not in {*"=+-@\t\r\n|%"} or not text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_any_key_survives_a_table(keys):
    text = queue_files.to_csv([(key, {"a,b": key, "n": 1.5}) for key in keys], "ann")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [queue_files.unescaped(row["data.a,b"]) for row in rows] == keys
    found = queue_files.from_csv(text.encode(), "x.csv", None)
    assert [answer.key for answer in found if isinstance(answer, Answer)] == keys


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_any_key_survives_lines(keys):
    text = queue_files.to_jsonl([(key, {"x": key, "nan": float("nan")}) for key in keys], None)
    assert [answer.key for answer in queue_files.from_jsonl(text.encode(), "x", "ann")] == keys


# -- where people disagree ---------------------------------------------------------------------------------------------


def test_disagreement_is_listed_and_decided(facts):
    fill(facts, "a")
    for by, said in (("ann", "melon"), ("bob", "apple")):
        labels.queue(facts).vote(
            queue_files.from_jsonl(json.dumps({"key": "a", "label": said, "by": by}).encode(), "x", None),
            ["apple", "melon"],
            by,
            NOW,
        )
    assert [item.key for item in labels.disputed(facts)] == ["a"]
    decide = {"by": "eve", "note": None, "now": NOW}
    with pytest.raises(UsageError, match="`aple` is no class: did you mean `apple`"):
        labels.adjudicate(facts, "a", label="aple", **decide)
    assert labels.adjudicate(facts, "a", label="apple", **decide)
    assert not labels.adjudicate(facts, "a", label="apple", **decide)
    assert labels.disputed(facts) == ()
    assert labels.contents(facts).items["a"].label == "apple"


def test_a_spec_without_a_loop_has_no_queue():
    bare = api.check(str(HELLO / "hello.yaml")).facts
    with pytest.raises(UsageError, match="has no `feedback`, and so no label queue"):
        labels.contents(bare)


# -- the command line --------------------------------------------------------------------------------------------------


class Shell:
    """The verb `label`, with a spec whose pins need not be there."""

    def __init__(self, facts, monkeypatch, capsys):
        self._capsys = capsys
        monkeypatch.setattr(verb.specs, "facts", lambda _: facts)

    def __call__(self, *words):
        import argparse

        parser = argparse.ArgumentParser()
        verb.add_arguments(parser.add_subparsers(dest="verb"))
        code = verb.run(parser.parse_args(["label", *map(str, words)]))
        return code, self._capsys.readouterr().out


@pytest.fixture
def shell(facts, monkeypatch, capsys):
    return Shell(facts, monkeypatch, capsys)


def test_the_verb_from_export_to_review(shell, facts, tmp_path):
    fill(facts, "a", "b\u202e")
    assert shell("list") == (
        0,
        "open            2\nlabelled        0\nappended        0\nrejected        0\nerased          0\n",
    )
    code, told = shell("export", tmp_path / "q.jsonl", "--by", "ann", "--spec", "x.yaml")
    assert (code, f"clspec label import {tmp_path / 'q.jsonl'} --spec x.yaml" in told) == (0, True)
    assert shell("import", tmp_path / "q.jsonl") == (
        1,
        f"      2 unanswered\nno question in {tmp_path / 'q.jsonl'} is answered\n",
    )
    answer_jsonl(tmp_path / "q.jsonl")
    assert shell("import", tmp_path / "q.jsonl") == (0, "      2 stored\n")
    (tmp_path / "bob.csv").write_text("key,label\na,apple\nc,apple\n")
    code, told = shell("import", tmp_path / "bob.csv", "--by", "bob")
    assert (code, told.splitlines()[:3]) == (
        1,
        ["      1 stored", "      1 refused: unknown key", "  line 3: the queue has no `c`"],
    )
    assert shell("review")[1] == "a\tann: melon, bob: apple\n"
    assert "people disagree about 1" in shell("list")[1]
    with pytest.raises(UsageError, match="a decision has a label and a name"):
        shell("review", "a", "--label", "apple")
    assert shell("review", "a", "--label", "apple", "--by", "eve") == (0, "a: apple, decided by eve\n")
    assert shell("review", "a", "--label", "apple", "--by", "eve") == (0, "a: apple, decided by eve before\n")
    assert shell("review") == (0, "people disagree about nothing\n")
    assert shell("list", "--state", "labelled")[1] == "a\tunsure\tapple\t2 of 2 votes\n"
    assert shell("list", "--state", "open")[1] == "b\\u202e\tunsure\t-\t1 of 2 votes\n"
