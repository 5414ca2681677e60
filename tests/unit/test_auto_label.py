"""auto_label: a teacher is asked only what it may be, answers everything once, and is believed only where accepted."""

import json
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec import code
from clspec.data.usercode import UserCodeFailed
from clspec.diagnostic import Refused, StepFailed
from clspec.step import auto_label
from clspec.step.job import Job

NOW = datetime(2026, 11, 25, tzinfo=UTC)
COLUMNS = {"id": "string", "grams": "double", "label": "string"}
TEACHER = """
import pyarrow.parquet as pq

def label(data):
    for row in pq.read_table(data).to_pylist():
        assert sorted(row) == ["grams", "id"], row
        said = "melon" if row["grams"] > 500 else "apple"
        yield {"id": row["id"], "label": said, "sure": None if row["grams"] == 0 else row["grams"] / 1000}
"""


@pytest.fixture
def ask(tmp_path):
    """Run the step over rows of (key, grams, more) with this teacher."""
    (tmp_path / "code").mkdir()

    def run(*rows, teacher=TEACHER, command=None, **config):
        sys.modules.pop("teacher", None)
        (tmp_path / "code/teacher.py").write_text(teacher)
        pq.write_table(candidates(*rows), tmp_path / "rows")
        call = {"entrypoint": None if command else "teacher:label", "command": command}
        settings = {
            "call": {**call, "code": code.digest(tmp_path / "code")},
            "dataset": {"name": "fruit", "columns": COLUMNS, "key": "id", "group": None},
            "task": {"type": "classification", "label": "label", "classes": ["apple", "melon"]},
            "columns": {"sure": "double"},
            "accept_if": "sure >= 0.9",
            "audit_rate": 0.5,
            "never_for": [],
            **config,
        }
        job = Job(
            config=settings,
            inputs={"rows": tmp_path / "rows"},
            outputs={"rows": tmp_path / "made", "teacher": tmp_path / "teacher"},
            store="",
            code=tmp_path / "code",
            folder=None,
            as_of=NOW,
        )
        auto_label.run(job)
        made = {row["id"]: row for row in pq.read_table(tmp_path / "made").to_pylist()}
        return made, json.loads((tmp_path / "teacher").read_text())

    return run


def candidates(*rows):
    rows = [(*row, {})[:3] for row in rows]
    text = pa.large_string()
    return pa.table(
        {
            "id": pa.array([key for key, *_ in rows], text),
            "grams": pa.array([grams for _, grams, _ in rows], pa.float64()),
            "label": pa.nulls(len(rows), text),
            "clspec.audit": pa.array([more.get("audit", False) for *_, more in rows], pa.bool_()),
            "clspec.label": pa.array([more.get("label") for *_, more in rows], text),
            "clspec.prediction": pa.array([more.get("prediction", "apple") for *_, more in rows], text),
        }
    )


def column(made, name):
    return {key: row[f"clspec.{name}"] for key, row in made.items()}


def test_a_label_counts_where_the_predicate_holds(ask):
    made, told = ask(("a", 950), ("b", 100), ("c", 0), ("d", float("nan")), ("e", 899.9))
    assert column(made, "auto_label") == dict(zip("abcde", ["melon", "apple", "apple", "apple", "melon"], strict=True))
    assert column(made, "auto_accepted") == dict.fromkeys("bcde", False) | {"a": True}
    assert (told["asked"], told["accepted"]) == (5, 1)
    assert told["refused"] == {"accept_if": 2, "accept_if_null": 2}
    assert told["by_class"]["melon"]["said"] == 2


def test_only_rows_that_need_a_label_are_asked(ask):
    made, told = ask(("a", 950), ("drawn", 950, {"audit": True}), ("known", 950, {"label": "apple"}))
    assert column(made, "auto_label") == {"a": "melon", "drawn": None, "known": None}
    assert column(made, "auto_accepted") == {"a": True, "drawn": False, "known": False}
    assert (told["rows"], told["asked"]) == (3, 1)


def test_what_no_teacher_may_decide_is_never_accepted(ask):
    made, told = ask(
        ("a", 950), ("b", 950, {"prediction": "melon"}), accept_if="sure >= 0.0", never_for=["melon"], audit_rate=1.0
    )
    assert column(made, "auto_accepted") == {"a": False, "b": False}
    made, told = ask(("b", 100, {"prediction": "melon"}), accept_if="sure >= 0.0", never_for=["melon"], audit_rate=1.0)
    assert (column(made, "auto_accepted"), told["refused"]) == ({"b": False}, {"never_for_prediction": 1})


def test_audits_are_a_stable_share_of_what_is_accepted(ask):
    rows = [(f"k{n:03}", 950) for n in range(400)]
    first, told = ask(*rows, audit_rate=0.25)
    again, _ = ask(*reversed(rows), audit_rate=0.25)
    more, _ = ask(*rows, audit_rate=0.5)
    audited = {key for key, was in column(first, "auto_audited").items() if was}
    assert audited == {key for key, was in column(again, "auto_audited").items() if was}
    assert audited < {key for key, was in column(more, "auto_audited").items() if was}
    assert 70 < len(audited) < 130
    assert told["audited"] == len(audited) == told["by_class"]["melon"]["audited"]
    assert all(column(first, "auto_accepted").values())
    assert not any(column(ask(*((k, 100) for k, _ in rows))[0], "auto_audited").values())


def test_without_rows_nobody_is_asked(ask):
    made, told = ask(("drawn", 1, {"audit": True}), teacher="def label(data):\n    raise RuntimeError\n")
    assert (column(made, "auto_label"), told["asked"]) == ({"drawn": None}, 0)
    assert ask()[0] == {}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("yield row", "1 of 2 rows no answer"),
        ("yield row; yield row; yield {**row, 'id': 'b'}", "0 of 2 rows no answer, 1 a second one"),
        ("yield row; yield {**row, 'id': 'z'}", r"1 of 2 rows no answer \(such as 'b'\).*1 answers are for no row"),
        ("yield row; yield {**row, 'id': None}", "1 answers are for no row"),
        ("yield row; yield {**row, 'id': 'b', 'label': 'pear'}", "'pear', which is not one of the classes"),
        ("yield row; yield {**row, 'id': 'b', 'label': None}", "gives 1 rows no `label`"),
        ("yield row; yield {'id': 'b', 'label': 'apple'}", "lacks `sure`"),
        ("raise ValueError('no')", "raised ValueError"),
    ],
)
def test_every_row_has_exactly_one_possible_answer(ask, lines, reason):
    teacher = f"def label(data):\n    row = {{'id': 'a', 'label': 'apple', 'sure': 1.0}}\n    {lines}\n"
    with pytest.raises(StepFailed, match=reason):
        ask(("a", 1), ("b", 2), teacher=teacher)


def test_a_command_can_teach(ask):
    teacher = TEACHER + (
        "\nif __name__ == '__main__':\n    import sys\n    import pyarrow as pa\n"
        "    pq.write_table(pa.Table.from_pylist(list(label(sys.argv[1]))), sys.argv[2])\n"
    )
    made, _ = ask(("a", 950), ("b", 1), teacher=teacher, command=[sys.executable, "teacher.py", "{data}", "{out}"])
    assert column(made, "auto_accepted") == {"a": True, "b": False}
    with pytest.raises(UserCodeFailed, match=r"wrote no \{out\}"):
        ask(("a", 950), command=[sys.executable, "-c", "pass"])


def test_other_code_than_the_plan_means_is_refused(ask):
    with pytest.raises(Refused, match="compile again"):
        ask(("a", 950), call={"entrypoint": "teacher:label", "command": None, "code": "sha256:" + "0" * 64})
