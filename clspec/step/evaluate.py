"""evaluate: count, for one model, what every check of every scenario counts. It judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.diagnostic import StepFailed
from clspec.stats.proportion import tally
from clspec.step.predict import JUDGED
from clspec.step.selection import Selector, refuse_unknown_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.step.job import Job

_EXAMPLES = 24


def run(job: Job) -> None:
    """Write `metrics`: for each scenario and its guard the rows selected, NULLs, and one tally for each check."""
    golden = job.read_rows("data")
    judged, said = _answers(job, golden)
    label = golden.column(job.config["task"]["label"])
    if label.null_count:
        message = f"{label.null_count} golden rows have no label"
        raise StepFailed(message)
    refuse_unknown_labels(label, job.config["task"]["classes"])
    rows = _Rows(job, golden, label.to_pylist(), said)
    scenarios = [
        {
            "id": scenario["id"],
            **rows.measured(scenario["select"], scenario["checks"]),
            "guard": rows.measured(**scenario["guard"]) if scenario["guard"] else None,
        }
        for scenario in job.config["scenarios"]
    ]
    job.write_json("metrics", {"model": judged, "rows": len(golden), "scenarios": scenarios})


def _answers(job: Job, golden: pa.Table) -> tuple[str, list[Any]]:
    """The digest of the model that was asked, and what it said of each golden row, from all shards.

    Raises:
        StepFailed: a row has no answer, or more than one, or the shards asked different models.
    """
    names = sorted((n for n in job.inputs if n.startswith("predictions-")), key=lambda n: int(n.rpartition("-")[2]))
    shards = [job.read_rows(name) for name in names]
    asked = {(shard.schema.metadata or {}).get(JUDGED, b"").decode() for shard in shards}
    if len(asked) != 1 or "" in asked:
        message = f"the predictions are not those of one model: {', '.join(sorted(asked)) or 'there are none'}"
        raise StepFailed(message)
    parts = pa.concat_tables(shards)
    key = job.config["key"]
    index = pc.index_in(golden.column(key).combine_chunks(), value_set=parts.column(key).combine_chunks())
    if index.null_count or len(parts) != len(golden):
        message = f"{len(parts)} predictions for {len(golden)} golden rows, {index.null_count} of which have none"
        raise StepFailed(message)
    found: list[Any] = parts.column(job.config["task"]["prediction"]).take(index).to_pylist()
    return asked.pop(), found


class _Rows:
    """Golden rows with their labels and what the model said of them."""

    def __init__(self, job: Job, golden: pa.Table, labels: list[Any], said: list[Any]) -> None:
        self._selector = Selector(golden, job.config["columns"])
        self._keys = golden.column(job.config["key"]).to_pylist()
        self._clusters = _clusters(golden, job.config["cluster_by"])
        self._labels = labels
        self._said = said

    def measured(self, select: str, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What a selection holds, and what each check counts on it."""
        holds = self._selector.select(select)
        chosen = [index for index, hold in enumerate(holds) if hold]
        counted = [self._counted(check, chosen) for check in checks]
        wrong = sorted({index for indices, _ in counted for index in indices})
        return {
            "selected": len(chosen),
            "nulls": sum(hold is None for hold in holds),
            "checks": [{**check, "tally": found} for check, (_, found) in zip(checks, counted, strict=True)],
            "wrong": [
                {"key": self._keys[index], "label": self._labels[index], "said": self._said[index]}
                for index in wrong[:_EXAMPLES]
            ],
        }

    def _counted(self, check: dict[str, Any], chosen: list[int]) -> tuple[list[int], dict[str, Any]]:
        """The rows that a check holds against the model, and its tally."""
        about = [index for index in chosen if self._is_about(check, index)]
        successes = [self._is_success(check, index) for index in about]
        clusters = None if self._clusters is None else [self._clusters[index] for index in about]
        found = tally(successes, clusters)
        bad = check["metric"] in {"false_positive_rate", "false_negative_rate"}
        wrong = [index for index, success in zip(about, successes, strict=True) if success is bad]
        return wrong, {
            "rows": found.rows,
            "successes": found.successes,
            "clusters": found.clusters,
            "effective": found.effective,
        }

    def _is_about(self, check: dict[str, Any], index: int) -> bool:
        """Whether a row is in the metric's denominator; the formulas stand in the catalog."""
        label, said, name = self._labels[index], self._said[index], check["class"]
        about: dict[str, bool] = {
            "accuracy": True,
            "recall": label == name,
            "false_negative_rate": label == name,
            "false_positive_rate": label != name,
            "precision": said == name,
        }
        return about[check["metric"]]

    def _is_success(self, check: dict[str, Any], index: int) -> bool:
        """Whether a row of the denominator is in the numerator."""
        label, said, name = self._labels[index], self._said[index], check["class"]
        success: dict[str, bool] = {
            "accuracy": said == label,
            "recall": said == name,
            "false_negative_rate": said != name,
            "false_positive_rate": said == name,
            "precision": label == name,
        }
        return success[check["metric"]]


def _clusters(golden: pa.Table, column: str | None) -> list[Any] | None:
    if column is None:
        return None
    values = golden.column(column)
    if values.null_count:
        message = f"{values.null_count} golden rows have no `{column}`, by which they are clustered"
        raise StepFailed(message)
    found: list[Any] = values.to_pylist()
    return found
