"""From golden rows to a verdict and one sentence that says why.

A check passes where its confidence bound meets the threshold, and nothing passes by default: what is missing fails, and
what so few rows cannot say is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import isnan
from typing import TYPE_CHECKING

from clspec.catalog import MIN_CLUSTERS, error_rate
from clspec.stats.correction import holm
from clspec.stats.demand import Answer, Demand, of_paired, of_spread, of_tally
from clspec.stats.wording import number, plain, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clspec.stats.paired import Paired
    from clspec.stats.proportion import Tally
    from clspec.stats.spread import Spread

__all__ = [
    "Case",
    "Demand",
    "Judgement",
    "Verdict",
    "judge",
    "judge_family",
    "judge_point",
    "not_compared",
    "worst",
]

_AGREEMENT = 1 + 1e-9
"""A bound and its p-value are computed by different series, which agree to this factor."""


class Verdict(Enum):
    """What a check, a scenario or a run came to, from the worst to the best."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARED = "not_compared"
    PASS = "pass"  # noqa: S105  # a verdict, not a password


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole from those of its parts; of no parts it is a fail, for nothing passes by default."""
    return min(verdicts, key=list(Verdict).index, default=Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A demand and what the golden rows say to it: one of three kinds of evidence, or none where it is missing."""

    demand: Demand
    tally: Tally | None = None
    """Its successes are the rows that the metric counts: right ones for a recall, wrong ones for a false positive rate,
    flips for a negative flip rate, rows within the threshold for a latency."""
    paired: Paired | None = None
    spread: Spread | None = None
    """For a margin, of the difference: positive where the challenger is better."""
    value: float | None = None
    """What to show where the tally is not it: the 99th percentile of the latencies."""
    nulls: int
    """Golden rows on which `select` was NULL: neither in nor out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict on one check, the numbers behind it and the reason, a plain sentence."""

    verdict: Verdict
    estimate: float | None
    bound: float | None
    """The one-sided confidence bound; None where the value was judged as it stands."""
    threshold: float
    """The margin, where it is one."""
    rows: int
    clusters: int | None
    effective: float | None
    """How many independent rows the bound took these for."""
    reason: str


def judge(case: Case) -> Judgement:
    """Judge a check at its one-sided confidence bound."""
    return _judged(case)[0]


def _judged(case: Case) -> tuple[Judgement, Answer | None]:
    """A check's judgement, and what the rows answered; None where nothing was judged."""
    demand, evidence = case.demand, case.tally or case.paired or case.spread
    if evidence is None or sum(e is not None for e in (case.tally, case.paired, case.spread)) > 1:
        return _failed(demand, 0, None, "there is no result"), None
    rows, clusters = evidence.rows, evidence.clusters
    if rows == 0:
        return _failed(demand, 0, clusters, "no rows selected"), None
    if isnan(demand.threshold):
        return _failed(demand, rows, clusters, "the threshold is not a number"), None
    answer = _answer(case)
    if answer is None:
        return _failed(demand, rows, clusters, "what was measured cannot answer what is demanded"), None
    seen = Judgement(
        verdict=Verdict.PASS if answer.passes else Verdict.FAIL,
        estimate=answer.estimate,
        bound=answer.bound,
        threshold=demand.threshold,
        rows=rows,
        clusters=clusters,
        effective=answer.effective,
        reason=answer.reason,
    )
    doubt = _too_few(demand, rows, clusters, case.nulls) or answer.out_of_reach
    return (replace(seen, verdict=Verdict.INCONCLUSIVE, reason=doubt) if doubt else seen), answer


def _answer(case: Case) -> Answer | None:
    """What the rows say; None where the evidence is not of the kind that the demand is about."""
    demand = case.demand
    if case.spread is not None:
        return of_spread(demand, case.spread)
    if case.paired is not None:
        return of_paired(demand, case.paired) if demand.kind == "margin" else None
    if case.tally is None or demand.kind == "margin" or demand.judged == "spread":
        return None
    return of_tally(demand, case.tally, case.value)


def not_compared(demand: Demand) -> Judgement:
    """The judgement of a comparison where there is no champion: shown, and never a pass."""
    return replace(_failed(demand, 0, None, "there is no champion to compare with"), verdict=Verdict.NOT_COMPARED)


def judge_point(demand: Demand, value: float | None, *, rows: int, clusters: int | None, nulls: int) -> Judgement:
    """Judge a value as it stands, without an allowance for chance; `value` is None where the result is missing."""
    if value is None:
        return _failed(demand, rows, clusters, "there is no result")
    if rows == 0:
        return _failed(demand, rows, clusters, "no rows selected")
    if isnan(value) or isnan(demand.threshold):
        return _failed(demand, rows, clusters, f"the {'value' if isnan(value) else 'threshold'} is not a number")
    seen = Judgement(
        verdict=Verdict.PASS if demand.meets(value) else Verdict.FAIL,
        estimate=value,
        bound=None,
        threshold=demand.threshold,
        rows=rows,
        clusters=clusters,
        effective=None,
        reason=f"the value {demand.against(value)}, judged as it stands",
    )
    doubt = _too_few(demand, rows, clusters, nulls)
    return replace(seen, verdict=Verdict.INCONCLUSIVE, reason=doubt) if doubt else seen


def judge_family(cases: Sequence[Case]) -> tuple[Judgement, ...]:
    """Judge checks that share one chance of a wrong pass: each must pass alone and after Holm's correction.

    All of them count, the inconclusive and the missing ones too, so that no result can choose its own family.
    """
    judged = [_judged(case) for case in cases]
    p_values = [_p_value(*pair) for pair in judged]
    adjusted = holm(p_values)
    return tuple(
        alone
        if alone.verdict is not Verdict.PASS or answer is None or _holds(case.demand, adjusted[index])
        else _uncertain(
            case.demand, alone, [*p_values[:index], answer.faultless, *p_values[index + 1 :]], adjusted, index
        )
        for index, (case, (alone, answer)) in enumerate(zip(cases, judged, strict=True))
    )


def _uncertain(
    demand: Demand, alone: Judgement, best: Sequence[float], adjusted: Sequence[float], index: int
) -> Judgement:
    """A check that passes alone and not among the others: a fail, unless these rows could not have done better."""
    family = f"Holm's correction for {len(best)} checks"
    if not _holds(demand, holm(best)[index]):
        reason = f"{alone.reason}, but under {family} even a faultless result on so few would not be enough"
        return replace(alone, verdict=Verdict.INCONCLUSIVE, reason=reason)
    alpha = error_rate(demand.confidence)
    p_value = shown(adjusted[index], lambda p: p <= alpha)
    reason = f"{alone.reason}, but not after {family}: p = {p_value} is over {plain(alpha)}"
    return replace(alone, verdict=Verdict.FAIL, reason=reason)


def _holds(demand: Demand, adjusted: float) -> bool:
    return adjusted <= error_rate(demand.confidence) * _AGREEMENT


def _p_value(seen: Judgement, answer: Answer | None) -> float:
    """The doubt that a judged bound leaves; where nothing was judged, all of it."""
    return 1.0 if answer is None or seen.verdict is Verdict.INCONCLUSIVE else answer.p_value


def _failed(demand: Demand, rows: int, clusters: int | None, reason: str) -> Judgement:
    return Judgement(
        verdict=Verdict.FAIL,
        estimate=None,
        bound=None,
        threshold=demand.threshold,
        rows=rows,
        clusters=clusters,
        effective=None,
        reason=reason,
    )


def _too_few(demand: Demand, rows: int, clusters: int | None, nulls: int) -> str:
    """Why these rows, whatever they hold, decide nothing; empty where they do."""
    if nulls:
        have = "row has" if nulls == 1 else "rows have"
        return f"{nulls} golden {have} a NULL in `select`; handle them with `is null`"
    if rows < demand.min_samples:
        return f"only {number(rows, 'row')}, {demand.min_samples} are needed"
    if clusters is not None and clusters < MIN_CLUSTERS:
        return f"only {number(clusters, 'cluster')}, {MIN_CLUSTERS} are needed"
    return ""
