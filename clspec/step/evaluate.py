"""evaluate: count, for one model, what every check of every scenario counts. It judges nothing.

`metrics` holds `model`, `compared` (whether a champion was asked for), `champion` (its digest, or null), `rows`, and
for each scenario its `cases` (one for each slice and each value of `for_each`, or the one selection), its `guard`, what
every named slice of the spec holds, the first rows that were `wrong`, and those `flipped`: the champion had them right.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clspec.data import usercode
from clspec.diagnostic import StepFailed
from clspec.step import demands, golden, metrics, predict
from clspec.step.counts import CUSTOM, Judged
from clspec.step.metrics import Answers, Truth
from clspec.step.selection import Selector, both, groups, refuse_no_numbers, refuse_unknown_labels
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from clspec.step.job import Job

_EXAMPLES = 24


def run(job: Job) -> None:
    """Write `metrics`: for each scenario its cases, its guard and the named slices, and what each check counts."""
    rows = job.read_rows("data")
    predictions = golden.joined(job)
    baseline = job.read_rows("baseline") if job.has("baseline") else None
    champion = None if baseline is None or golden.asked(baseline) == golden.NOBODY else baseline
    with _own_code(job):
        judged = _judged(job, rows, predictions, champion)
        golden_rows = _Golden(job, rows, judged)
        scenarios = [golden_rows.scenario(scenario) for scenario in job.config["scenarios"]]
    job.write_json(
        "metrics",
        {
            "model": golden.asked(predictions),
            "compared": baseline is not None,
            "champion": None if champion is None else golden.asked(champion),
            "rows": len(rows),
            "scenarios": scenarios,
        },
    )


@contextmanager
def _own_code(job: Job) -> Iterator[None]:
    """Where metrics of the user's are called, the code must be the plan's, before and after."""
    if job.config.get("code") is None:
        yield
        return
    with unchanged(replace(job, config={**job.config, "call": {"code": job.config["code"]}}), "data"):
        yield


def _judged(job: Job, rows: pa.Table, predictions: pa.Table, champion: pa.Table | None) -> Judged:
    """The golden rows with what was said of them.

    Raises:
        StepFailed: a row has no label, no cluster or no answer.
    """
    task = job.config["task"]
    label = rows.column(task["label"])
    if label.null_count:
        message = f"{label.null_count} golden rows have no label"
        raise StepFailed(message)
    if task["type"] == "classification":
        refuse_unknown_labels(label, task["classes"])
    if task["type"] == "regression":
        refuse_no_numbers(label, task["label"])
    clusters = _clusters(rows, job.config["cluster_by"])
    return Judged(
        truth=Truth(labels=label.to_pylist(), classes=tuple(task["classes"])),
        challenger=_answers(job, rows, predictions),
        champion=None if champion is None else _answers(job, rows, champion),
        clusters=clusters,
        told=_teller(job, rows),
        code=job.code_root() if job.config.get("code") else None,
    )


def _answers(job: Job, rows: pa.Table, given: pa.Table) -> Answers:
    """What a model said, in the order of the golden rows.

    Raises:
        StepFailed: a row has no answer, or more than one, or no score.
    """
    task, key = job.config["task"], job.config["key"]
    named = {name: predict.class_score(task, name) for name in task["classes"]} if task["score"] else {}
    known = {name: column for name, column in named.items() if column in given.column_names}
    timed = [predict.LATENCY] if predict.LATENCY in given.column_names else []
    score = [task["score"]] if task["score"] else []
    found = golden.aligned(given, rows.column(key), key, [task["prediction"], *score, *known.values(), *timed])
    return Answers(
        said=found.column(task["prediction"]).to_pylist(),
        scores=found.column(task["score"]).to_pylist() if score else None,
        class_scores={name: found.column(column).to_pylist() for name, column in known.items()},
        seconds=found.column(predict.LATENCY).to_pylist() if timed else None,
    )


def _teller(job: Job, rows: pa.Table) -> Callable[[Answers, Sequence[int]], list[dict[str, Any]]]:
    """Rows for a metric of the user's; fresh ones each time, so that it may do with them what it likes."""
    task = job.config["task"]
    custom = any(check["metric"].startswith(CUSTOM) for check in _checks(job))
    plain = rows.to_pylist() if custom else []

    def told(answers: Answers, chosen: Sequence[int]) -> list[dict[str, Any]]:
        score = {} if answers.scores is None else {task["score"]: answers.scores}
        return [
            {**plain[i], task["prediction"]: answers.said[i], **{name: of[i] for name, of in score.items()}}
            for i in chosen
        ]

    return told


def _checks(job: Job) -> Iterator[dict[str, Any]]:
    for scenario in job.config["scenarios"]:
        yield from (*scenario["checks"], *(scenario["guard"]["checks"] if scenario["guard"] else ()))


def _clusters(rows: pa.Table, column: str | None) -> list[Any] | None:
    if column is None:
        return None
    values = rows.column(column)
    if values.null_count:
        message = f"{values.null_count} golden rows have no `{column}`, by which they are clustered"
        raise StepFailed(message)
    found: list[Any] = values.to_pylist()
    return found


@dataclass(frozen=True, slots=True)
class _Selected:
    """Which rows a predicate selects, and of how many it says neither yes nor no."""

    rows: list[int]
    nulls: int


class _Golden:
    """Golden rows that scenarios select from."""

    def __init__(self, job: Job, rows: pa.Table, judged: Judged) -> None:
        self._selector = Selector(rows, job.config["columns"])
        self._named, self._cluster_by = job.config["slices"], job.config["cluster_by"]
        self._slices = {name: self._selector.select(text) for name, text in self._named.items()}
        self._rows = rows
        self._keys = rows.column(job.config["key"]).to_pylist()
        self._judged = judged

    def scenario(self, asked: dict[str, Any]) -> dict[str, Any]:
        """All that a scenario counts."""
        holds, checks = self._selector.select(asked["select"]), asked["checks"]
        return {
            "id": asked["id"],
            "asked": demands.counted(asked, self._named, self._cluster_by),
            "cases": list(self._cases(asked, holds)),
            "slices": [self._slice(name, both(holds, of), checks) for name, of in self._slices.items()],
            "guard": self._guard(**asked["guard"]) if asked["guard"] else None,
            **self._examples(_selected(holds).rows, checks),
        }

    def _guard(self, select: str, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        selected = _selected(self._selector.select(select))
        return {**self._counted(selected, checks), **self._examples(selected.rows, checks)}

    def _cases(self, asked: dict[str, Any], holds: list[bool | None]) -> Iterator[dict[str, Any]]:
        """What is judged: a slice or a group at a time. Where there is no group at all, the empty selection is."""
        for name in asked["slices"] or [None]:
            chosen = _selected(holds if name is None else both(holds, self._slices[name]))
            parts = groups(self._rows.column(asked["for_each"]), chosen.rows) if asked["for_each"] else {}
            for group, rows in parts.items():
                case = self._counted(_Selected(rows, chosen.nulls), asked["checks"])
                yield {"slice": name, "group": {"value": group}, "of": len(chosen.rows), **case}
            if not parts:
                case = self._counted(chosen, asked["checks"])
                yield {"slice": name, "group": None, "of": len(chosen.rows), **case}

    def _counted(self, selected: _Selected, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {
            "selected": len(selected.rows),
            "nulls": selected.nulls,
            "checks": [self._judged.count(check, selected.rows) for check in checks],
        }

    def _examples(self, rows: Sequence[int], checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The first rows that speak against the model; of errors by number, the rows furthest from their labels."""
        wrong = sorted({index for check in checks for index in self._judged.against(check, rows)})
        if any(check["metric"] in {"mae", "rmse"} for check in checks):
            wrong = self._furthest(rows)
        return {"wrong": [self._said(index) for index in wrong[:_EXAMPLES]], "flipped": self._flipped(rows)}

    def _furthest(self, rows: Sequence[int]) -> list[int]:
        said, labels = self._judged.challenger.said, self._judged.truth.labels
        return sorted(rows, key=lambda index: -abs(said[index] - labels[index]))

    def _said(self, index: int) -> dict[str, Any]:
        judged = self._judged
        return {
            "key": self._keys[index],
            "label": judged.truth.labels[index],
            "said": judged.challenger.said[index],
        }

    def _flipped(self, rows: Sequence[int]) -> dict[str, Any] | None:
        """The rows that the champion has right and the challenger has wrong; None where nobody was compared."""
        judged = self._judged
        if judged.champion is None or not judged.truth.classes:
            return None
        found = metrics.flips(judged.truth, judged.challenger, judged.champion, rows)
        return {
            "count": len(found),
            "rows": [{**self._said(index), "champion": judged.champion.said[index]} for index in found[:_EXAMPLES]],
        }

    def _slice(self, name: str, holds: list[bool | None], checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A named slice of a scenario, told and not judged."""
        selected = _selected(holds)
        return {
            "name": name,
            "rows": len(selected.rows),
            "nulls": selected.nulls,
            "checks": [
                {"metric": check["metric"], "class": check["class"], "value": self._told(check, selected.rows)}
                for check in checks
            ],
        }

    def _told(self, check: dict[str, Any], rows: Sequence[int]) -> float | None:
        """A value that is only told: a metric of the user's that has none on these rows fails nothing."""
        try:
            return self._judged.value(check, self._judged.challenger, rows)
        except usercode.UserCodeFailed:
            return None


def _selected(holds: Sequence[bool | None]) -> _Selected:
    return _Selected([i for i, hold in enumerate(holds) if hold], sum(hold is None for hold in holds))
