"""auto_label: a teacher labels what no person has; its labels count where the spec accepts them, some are audited."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clspec.data import table, usercode
from clspec.data.queue_rows import RESERVED, texts
from clspec.step.selection import Selector
from clspec.step.snapshot import write
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.step.job import Job

_TELL_EVERY = 1_000
_ACCEPTED = "accepted"


def run(job: Job) -> None:
    """Write `rows`, with what the teacher says of each that it was asked, and `teacher`, how many became of which."""
    rows = job.read_rows("rows")
    asked = _to_ask(rows)
    answers = _answers(job, rows.filter(asked))
    verdicts = _verdicts(job, rows.filter(asked), answers)
    keys = texts(rows.filter(asked).column(job.config["dataset"]["key"])).to_pylist()
    audited = [
        verdict == _ACCEPTED and _share(key) < job.config["audit_rate"]
        for key, verdict in zip(keys, verdicts, strict=True)
    ]
    said = answers.column(job.config["task"]["label"]).cast(pa.large_string()).to_pylist()
    write(_told(rows, asked, said, verdicts, audited), job, "rows")
    job.write_json("teacher", _counts(len(rows), said, verdicts, audited))


def _to_ask(rows: pa.Table) -> pa.ChunkedArray:
    """Which rows a teacher labels: none that an audit drew, and none whose label is known."""
    drawn = pc.fill_null(rows.column("clspec.audit"), False)  # noqa: FBT003  # the value, not a switch
    return pc.and_(pc.invert(drawn), pc.is_null(rows.column("clspec.label")))


def _share(key: str) -> float:
    """A stable number in [0, 1) for a row, of its own for this purpose."""
    return int.from_bytes(hashlib.sha256(f"audited:{key}".encode()).digest()[:8], "big") / 2**64


def _answers(job: Job, rows: pa.Table) -> pa.Table:
    """What the teacher says of every row, in their order.

    Raises:
        Refused: the code is not the code that the plan means.
        UserCodeFailed: it does not answer every row once, with a label that there is, or it changes its input.
    """
    label, dataset = job.config["task"]["label"], job.config["dataset"]
    kind = "string" if job.config["task"]["type"] == "classification" else dataset["columns"][label]
    wanted = {**job.config["columns"], dataset["key"]: dataset["columns"][dataset["key"]], label: kind}
    if len(rows) == 0:
        return table.schema(wanted).empty_table()
    hidden = [name for name in rows.column_names if name.startswith(RESERVED) or name == label]
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data.parquet")
        pq.write_table(rows.drop_columns(hidden), data)
        with unchanged(job, "rows"):
            found = _asked(job, data, Path(scratch, "answers.parquet"), wanted, len(rows))
    return _matched(found, rows.column(dataset["key"]), job)


def _asked(job: Job, data: Path, out: Path, wanted: dict[str, str], count: int) -> pa.Table:
    call = job.config["call"]
    if call["entrypoint"] is not None:
        given = usercode.rows(job.code_root(), call["entrypoint"], {"data": str(data)})
        return table.from_rows(_progress(job, given, count), wanted, f"`{call['entrypoint']}`")
    usercode.command(job.code_root(), call["command"], {"data": str(data), "out": str(out)})
    if not out.is_file():
        message = "the command wrote no {out}"
        raise usercode.UserCodeFailed(message)
    try:
        return table.conform(pq.read_table(out), wanted, "what the command wrote to {out}")
    except pa.ArrowException as error:
        message = f"what the command wrote to {{out}} is no Parquet file: {error}"
        raise usercode.UserCodeFailed(message) from error


def _progress(job: Job, answers: Iterator[Any], count: int) -> Iterator[Any]:
    for number, answer in enumerate(answers):
        if number % _TELL_EVERY == 0:
            job.tell(number, count, "rows")
        yield answer
    job.tell(count, count, "rows")


def _matched(answers: pa.Table, keys: pa.ChunkedArray, job: Job) -> pa.Table:
    """The answers in the order of the rows.

    Raises:
        UserCodeFailed: an answer is missing, given twice, for no row, or its label is not possible.
    """
    key, label = job.config["dataset"]["key"], job.config["task"]["label"]
    given, meant = answers.column(key).combine_chunks(), keys.combine_chunks()
    twice = len(given) - given.null_count - len(pc.unique(given.drop_null()))
    unknown = int(pc.sum(pc.invert(pc.is_in(given, value_set=meant))).as_py() or 0)
    missing = meant.filter(pc.invert(pc.is_in(meant, value_set=given)))
    if twice or unknown or len(missing):
        named = f" (such as {missing[0].as_py()!r:.60})" if len(missing) else ""
        message = (
            f"auto_label gives {len(missing)} of {len(meant)} rows no answer{named}, {twice} a second one, "
            f"and {unknown} answers are for no row that was asked: every row has exactly one"
        )
        raise usercode.UserCodeFailed(message)
    _possible(answers.column(label), job.config["task"], label)
    return answers.take(pc.index_in(meant, value_set=given))


def _possible(labels: pa.ChunkedArray, task: dict[str, Any], name: str) -> None:
    if labels.null_count:
        message = f"auto_label gives {labels.null_count} rows no `{name}`"
        raise usercode.UserCodeFailed(message)
    strange = sorted(set(pc.unique(labels).to_pylist()) - set(task["classes"] or ()))
    if task["type"] == "classification" and strange:
        message = f"auto_label answers {strange[0]!r:.60}, which is not one of the classes {', '.join(task['classes'])}"
        raise usercode.UserCodeFailed(message)


def _verdicts(job: Job, rows: pa.Table, answers: pa.Table) -> list[str]:
    """For each row whether the teacher's label is accepted, or the cause why not."""
    columns, never = job.config["columns"], set(job.config["never_for"])
    holds = Selector(_without_nan(answers), columns).select(job.config["accept_if"])
    said = answers.column(job.config["task"]["label"]).to_pylist()
    predicted = rows.column("clspec.prediction").to_pylist()
    return [_verdict(*row, never) for row in zip(said, predicted, holds, strict=True)]


def _without_nan(answers: pa.Table) -> pa.Table:
    """NaN as NULL: DuckDB holds NaN for the largest of numbers, which would be the best of confidences."""
    for number, field in enumerate(answers.schema):
        if pa.types.is_floating(field.type):
            column = answers.column(number)
            known = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
            answers = answers.set_column(number, field, known)
    return answers


def _verdict(said: Any, predicted: str | None, holds: bool | None, never: set[str]) -> str:  # noqa: FBT001  # SQL's truth
    if said in never:
        return "never_for"
    if predicted in never:
        return "never_for_prediction"
    if holds is None:
        return "accept_if_null"
    return _ACCEPTED if holds else "accept_if"


def _told(
    rows: pa.Table, asked: pa.ChunkedArray, said: Sequence[str], verdicts: Sequence[str], audited: Sequence[bool]
) -> pa.Table:
    """All rows, with what became of those that the teacher was asked."""
    places = iter(range(len(said)))
    at = [next(places) if was else None for was in asked.to_pylist()]
    labels = [None if n is None else said[n] for n in at]
    accepted = [n is not None and verdicts[n] == _ACCEPTED for n in at]
    checked = [n is not None and audited[n] for n in at]
    return (
        rows.append_column("clspec.auto_label", pa.array(labels, type=pa.large_string()))
        .append_column("clspec.auto_accepted", pa.array(accepted, type=pa.bool_()))
        .append_column("clspec.auto_audited", pa.array(checked, type=pa.bool_()))
    )


def _counts(rows: int, said: Sequence[str], verdicts: Sequence[str], audited: Sequence[bool]) -> dict[str, Any]:
    accepted = [label for label, verdict in zip(said, verdicts, strict=True) if verdict == _ACCEPTED]
    checked = Counter(label for label, was in zip(said, audited, strict=True) if was)
    taken, all_ = Counter(accepted), Counter(said)
    return {
        "rows": rows,
        "asked": len(said),
        "accepted": len(accepted),
        "audited": sum(audited),
        "refused": dict(sorted(Counter(v for v in verdicts if v != _ACCEPTED).items())),
        "by_class": {
            label: {"said": all_[label], "accepted": taken[label], "audited": checked[label]} for label in sorted(all_)
        },
    }
