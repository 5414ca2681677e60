"""What the champion says of golden rows: from the store, from its own code, or not at all."""

import json

import pyarrow.parquet as pq
import pytest
import test_step_program
from test_step_program import COLUMNS, RECORD, TASK, assert_said, model_digest, register, row

bench = test_step_program.bench
ROWS = [row("a"), row("b", label="dog"), row("c")]
GOLDEN = "sha256:901d"
SAYS = """
import json, pathlib
import pyarrow.parquet as pq
def predict(data, model_dir):
    said = json.loads(pathlib.Path(model_dir, "deep", "answer.json").read_text())
    for r in pq.read_table(data).to_pylist():
        assert "label" not in r
        yield {"id": r["id"], "pred": said, "conf": 0.5}
"""


def champion(bench, word="cat"):
    """A model in the store that says one word, and its standing; it has not seen the golden rows."""
    bench.write_module("user", SAYS)
    folder = bench.path("made")
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "deep/answer.json").write_text(json.dumps(word))
    digest = model_digest(folder)
    place = bench.store / "spec/models" / digest.removeprefix("sha256:") / "files/deep"
    place.mkdir(parents=True, exist_ok=True)
    (place / "answer.json").write_text(json.dumps(word))
    return {"number": 1, "model": digest, "code": bench.digest()}


def baseline(bench, standing, rows=ROWS, golden=GOLDEN, **changes):
    """Run the step; gives how it ended."""
    bench.path("predictions").unlink(missing_ok=True)
    if not (bench.code / "user.py").exists():
        bench.write_module("user", SAYS)
    call = {"entrypoint": "user:predict", "command": None, "code": bench.digest()}
    config = {"task": TASK, "key": "id", "columns": COLUMNS, "call": call, "golden": golden, **changes}
    inputs = {"data": bench.put_rows("data", rows), "standing": bench.put("standing", standing)}
    ended = bench.run("baseline", config, inputs=inputs, outputs=["predictions"])
    assert bench.path("predictions").exists() is (ended.code == 0)
    return ended


def whose(bench):
    return pq.read_schema(bench.path("predictions")).metadata[b"clspec.model"].decode()


def kept(bench):
    return sorted(bench.store.rglob("golden/*.parquet"))


def test_without_a_champion_nobody_answers(bench):
    assert baseline(bench, {"champion": None}).code == 0
    assert bench.rows("predictions") == []
    assert pq.read_schema(bench.path("predictions")).names == ["conf", "id", "pred"]
    assert whose(bench) == "none"
    assert kept(bench) == []


def test_a_champion_is_asked_once_and_its_answers_are_kept(bench):
    standing = {"champion": champion(bench)}
    assert baseline(bench, standing).code == 0
    first = bench.rows("predictions")
    assert first == [{"conf": 0.5, "id": name, "pred": "cat"} for name in "abc"]
    assert whose(bench) == standing["champion"]["model"]
    assert [path.name for path in kept(bench)] == ["901d.parquet"]
    bench.write_module("user", "def predict(data, model_dir):\n    raise ValueError\n")
    assert baseline(bench, standing).code == 0, "other code, which is not asked"
    assert (bench.rows("predictions"), whose(bench)) == (first, standing["champion"]["model"])


def test_other_code_may_not_speak_for_the_champion(bench):
    standing = {"champion": champion(bench)}
    bench.write_module("user", SAYS + "\n# changed\n")
    ended = baseline(bench, standing)
    assert_said(ended, 1, "has not answered golden version sha256:901d", standing["champion"]["code"])
    assert_said(ended, 1, "One dimension at a time", "go back to the champion's code")
    assert kept(bench) == []


def test_another_golden_version_is_asked_about_anew(bench):
    standing = {"champion": champion(bench)}
    assert baseline(bench, standing).code == 0
    assert baseline(bench, standing, [*ROWS, row("d")], "sha256:2").code == 0
    assert len(bench.rows("predictions")) == 4
    assert [path.name for path in kept(bench)] == ["2.parquet", "901d.parquet"]


def test_what_a_registered_model_said_is_its_baseline(bench):
    config = {**RECORD, "datasets": {"d": "sha256:d", "golden": GOLDEN}}
    assert register(bench, config=config).code == 0
    digest = bench.json("registered")["model"]
    standing = {"champion": {"number": 1, "model": digest, "code": "sha256:gone"}}
    assert baseline(bench, standing, ROWS[:1], task={**TASK, "score": None}).code == 0
    assert (bench.rows("predictions"), whose(bench)) == ([{"id": "a", "pred": "cat"}], digest)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda place: place.write_text('"dog"'), "not the model sha256:"),
        (lambda place: place.unlink(), "left no file"),
        (lambda place: place.with_name("more").write_text("x"), "not the model sha256:"),
    ],
)
def test_a_champion_whose_files_changed_is_not_asked(bench, change, text):
    standing = {"champion": champion(bench)}
    change(next(bench.store.rglob("answer.json")))
    assert_said(baseline(bench, standing), 3, text)
    assert kept(bench) == []


def test_a_champion_of_another_number_of_answers_is_refused(bench):
    standing = {"champion": champion(bench)}
    assert baseline(bench, standing, ROWS[:2]).code == 0
    assert_said(baseline(bench, standing), 3, "2 predictions for 3 golden rows, 1 of which have none")


def test_kept_answers_of_another_model_are_refused(bench):
    first, second = champion(bench), champion(bench, "dog")
    assert baseline(bench, {"champion": first}).code == 0
    (path,) = kept(bench)
    other = bench.store / "spec/models" / second["model"].removeprefix("sha256:") / "golden"
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())
    assert_said(baseline(bench, {"champion": second}), 3, f"holds predictions of {first['model']}")
    (other / path.name).write_text("no")
    assert_said(baseline(bench, {"champion": second}), 3, "cannot be read as Parquet")


def test_kept_answers_without_what_the_task_needs_now_are_asked_for_again(bench):
    standing = {"champion": champion(bench)}
    without = SAYS.replace(', "conf": 0.5', "")
    bench.write_module("user", without)
    standing["champion"]["code"] = bench.digest()
    assert baseline(bench, standing, task={**TASK, "score": None}).code == 0
    assert_said(baseline(bench, standing), 3, "lacks `conf`")
    bench.write_module("user", SAYS)
    assert_said(baseline(bench, standing), 1, "has not answered golden version")


def test_latency_of_another_day_is_no_baseline(bench):
    standing = {"champion": champion(bench)}
    assert baseline(bench, standing, latency=True).code == 0
    assert "clspec.latency" not in pq.read_schema(bench.path("predictions")).names


@pytest.mark.parametrize("standing", [{}, {"champion": {}}, {"champion": "sha256:x"}, {"champion": {"model": "x"}}])
def test_a_standing_that_does_not_say_is_refused(bench, standing):
    assert_said(baseline(bench, standing), 3, "the standing does not say which model is the champion")


def test_a_champion_that_changes_itself_is_refused(bench):
    standing = {"champion": champion(bench)}
    bench.write_module("user", SAYS + '    pathlib.Path(model_dir, "x").write_text("")\n')
    standing["champion"]["code"] = bench.digest()
    assert_said(baseline(bench, standing), 3, "the code changed its input `model`")
    assert kept(bench) == []
