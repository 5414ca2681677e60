"""One check on one selection of golden rows: what it counts there, for the challenger and against the champion."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clspec import catalog
from clspec.data import usercode
from clspec.diagnostic import StepFailed
from clspec.stats.paired import paired
from clspec.stats.proportion import tally
from clspec.stats.spread import spread
from clspec.step import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clspec.step.metrics import Answers, Truth

CUSTOM = "python:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Golden rows with what challenger and champion said of them."""

    truth: Truth
    challenger: Answers
    champion: Answers | None
    """None where there is no champion, or no check compares with one."""
    clusters: list[Any] | None
    """Each row's cluster; None where rows are independent."""
    told: Callable[[Answers, Sequence[int]], list[dict[str, Any]]]
    """Rows as a metric of the user's reads them: what was said of them among their own columns."""
    code: Path | None
    """Where metrics of the user's are; None where none is asked for."""

    def count(self, check: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
        """What a check counts on some rows: at most one of `tally`, `paired` and `spread`, and `problem` if none.

        Raises:
            StepFailed: the answers lack what the metric needs, or a metric of the user's failed.
        """
        clusters = None if self.clusters is None else [self.clusters[i] for i in rows]
        found: dict[str, Any] = {
            **check,
            "rows": len(rows),
            "clusters": None if clusters is None else len(set(clusters)),
            "value": self.value(check, self.challenger, rows),
            "champion": None if self.champion is None else self.value(check, self.champion, rows),
            "tally": None,
            "paired": None,
            "spread": None,
            "problem": None,
        }
        if rows and (self.champion is not None or not compares(check)):
            found |= self._counted(check, rows)
        return found

    def value(self, check: dict[str, Any], answers: Answers, rows: Sequence[int]) -> float | None:
        """A check's metric of one model on some rows, or None where these do not define it.

        Raises:
            StepFailed: the answers lack what the metric needs, or a metric of the user's failed.
        """
        if not rows:
            return None
        if check["metric"] == "negative_flip_rate":
            if self.champion is None:
                return None
            return len(metrics.flips(self.truth, answers, self.champion, rows)) / len(rows)
        found = self._value(check, answers, rows)
        return found if math.isfinite(found) else None

    def against(self, check: dict[str, Any], rows: Sequence[int]) -> list[int]:
        """The rows that a check holds against the challenger, where single rows can be held against it."""
        metric, name = check["metric"], check["class"]
        labels, said = self.truth.labels, self.challenger.said
        if metric == "negative_flip_rate":
            return [] if self.champion is None else metrics.flips(self.truth, self.challenger, self.champion, rows)
        if not _is_share(metric):
            return []
        good = check["higher_is_better"]
        about = [i for i in rows if metrics.is_about(metric, name, labels[i], said[i])]
        return [i for i in about if metrics.is_success(metric, name, labels[i], said[i]) is not good]

    def _value(self, check: dict[str, Any], answers: Answers, rows: Sequence[int]) -> float:
        metric = check["metric"]
        if not metric.startswith(CUSTOM):
            return metrics.value(metric, check["class"], self.truth, answers, rows)
        entrypoint = metric.removeprefix(CUSTOM)
        if self.code is None:
            message = f"`{metric}` runs user code, and the plan does not say which"
            raise StepFailed(message)
        found = usercode.call(self.code, entrypoint, {"rows": self.told(answers, rows)})
        value = _number(found)
        if value is None or not math.isfinite(value):
            message = f"`{entrypoint}` must return a finite float, not {found!r:.60}, on {len(rows)} rows"
            raise usercode.UserCodeFailed(message)
        return value

    def _counted(self, check: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
        known = catalog.METRICS.get(check["metric"])
        how: str | None = "spread" if known is None else known.compared if check["margin"] else known.judged
        if how == "paired":
            return {"paired": asdict(self._paired(check, rows))}
        if how == "spread":
            return self._spread(check, rows)
        if how is None:
            message = f"`{check['metric']}` cannot have a `margin`: give it a `max`"
            raise StepFailed(message)
        return {"tally": asdict(self._tally(check, rows))}

    def _tally(self, check: dict[str, Any], rows: Sequence[int]) -> Any:
        metric, name, labels, said = check["metric"], check["class"], self.truth.labels, self.challenger.said
        if metric == "latency_p99":
            took = metrics.seconds(self.challenger)
            return self._of(rows, [took[i] <= check["limit"] for i in rows])
        if metric == "negative_flip_rate":
            flipped = set(self.against(check, rows))
            return self._of(rows, [i in flipped for i in rows])
        about = [i for i in rows if metrics.is_about(metric, name, labels[i], said[i])]
        return self._of(about, [metrics.is_success(metric, name, labels[i], said[i]) for i in about])

    def _of(self, rows: Sequence[int], successes: list[bool]) -> Any:
        return tally(successes, None if self.clusters is None else [self.clusters[i] for i in rows])

    def _paired(self, check: dict[str, Any], rows: Sequence[int]) -> Any:
        """Rows that only the challenger has right in the metric's sense, and rows that only the champion has."""
        assert self.champion is not None
        metric, name, labels = check["metric"], check["class"], self.truth.labels
        about = [i for i in rows if metrics.is_about(metric, name, labels[i], None)]
        good = check["higher_is_better"]
        mine, theirs = (
            [metrics.is_success(metric, name, labels[i], answers.said[i]) is good for i in about]
            for answers in (self.challenger, self.champion)
        )
        gained = [new and not old for new, old in zip(mine, theirs, strict=True)]
        lost = [old and not new for new, old in zip(mine, theirs, strict=True)]
        return paired(gained, lost, None if self.clusters is None else [self.clusters[i] for i in about])

    def _spread(self, check: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
        """The value, or by how much the challenger's is better, and how far it moves as groups of rows are left out."""
        champion = self.champion if check["margin"] else None
        better = 1 if check["higher_is_better"] else -1

        def statistic(chosen: Sequence[int]) -> float:
            picked = [rows[i] for i in chosen]
            mine = self._value(check, self.challenger, picked)
            return mine if champion is None else better * (mine - self._value(check, champion, picked))

        try:
            seen = spread(statistic, len(rows), None if self.clusters is None else [self.clusters[i] for i in rows])
        except ValueError as error:  # not every group of rows defines the value
            return {"problem": str(error)}
        return {"spread": asdict(seen)}


def compares(check: dict[str, Any]) -> bool:
    """Whether a check sets the challenger against the champion."""
    known = catalog.METRICS.get(check["metric"])
    return bool(check["margin"]) or (known is not None and known.comparison)


def _is_share(metric: str) -> bool:
    known = catalog.METRICS.get(metric)
    return known is not None and known.judged in {"proportion", "jaccard"}


def _number(found: Any) -> float | None:
    """A number of Python's or numpy's as a float; None where it is no number, or too large to be one."""
    plain = found.item() if type(found).__module__ == "numpy" and hasattr(found, "item") else found
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return None
    try:
        return float(plain)
    except OverflowError:
        return None
