"""From golden rows to a verdict and one sentence that says why.

A check passes where its confidence bound meets the threshold, and nothing passes by default: what is missing fails, and
what so few rows cannot say is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from math import isnan
from typing import TYPE_CHECKING

from clspec.catalog import MIN_CLUSTERS, BoundKind, error_rate, smallest_sufficient
from clspec.stats.correction import holm
from clspec.stats.proportion import Tally, lower_bound, p_value_at_least, p_value_at_most, upper_bound, worth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
class Demand:
    """What a check demands of the true value: at least or at most the threshold, shown on enough rows."""

    kind: BoundKind
    threshold: float
    confidence: float
    min_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A demand and what the golden rows say to it."""

    demand: Demand
    tally: Tally | None
    """Its successes are the rows that the metric counts: right ones for a recall, wrong ones for a false positive rate.
    None where the result is missing."""
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
    rows: int
    clusters: int | None
    effective: float | None
    """How many independent rows the bound took these for."""
    reason: str


def judge(case: Case) -> Judgement:
    """Judge a proportion at its one-sided confidence bound."""
    demand, tally = case.demand, case.tally
    if tally is None:
        return _failed(demand, 0, None, "there is no result")
    if tally.rows == 0:
        return _failed(demand, 0, tally.clusters, "no rows selected")
    if isnan(demand.threshold):
        return _failed(demand, tally.rows, tally.clusters, "the threshold is not a number")
    bound = (lower_bound if demand.kind == "min" else upper_bound)(tally, demand.confidence)
    seen = Judgement(
        verdict=Verdict.PASS if _meets(demand.kind, bound, demand.threshold) else Verdict.FAIL,
        estimate=tally.successes / tally.rows,
        bound=bound,
        threshold=demand.threshold,
        rows=tally.rows,
        clusters=tally.clusters,
        effective=worth(tally, error_rate(demand.confidence)),
        reason=_sentence(demand, tally, bound),
    )
    doubt = _too_few(demand, tally.rows, tally.clusters, case.nulls) or _out_of_reach(demand, tally)
    return replace(seen, verdict=Verdict.INCONCLUSIVE, reason=doubt) if doubt else seen


def judge_point(demand: Demand, value: float | None, *, rows: int, clusters: int | None, nulls: int) -> Judgement:
    """Judge a value as it stands, without an allowance for chance; `value` is None where the result is missing."""
    if value is None:
        return _failed(demand, rows, clusters, "there is no result")
    if rows == 0:
        return _failed(demand, rows, clusters, "no rows selected")
    if isnan(value) or isnan(demand.threshold):
        return _failed(demand, rows, clusters, f"the {'value' if isnan(value) else 'threshold'} is not a number")
    seen = Judgement(
        verdict=Verdict.PASS if _meets(demand.kind, value, demand.threshold) else Verdict.FAIL,
        estimate=value,
        bound=None,
        threshold=demand.threshold,
        rows=rows,
        clusters=clusters,
        effective=None,
        reason=f"the value {_against(demand, value)}, judged as it stands",
    )
    doubt = _too_few(demand, rows, clusters, nulls)
    return replace(seen, verdict=Verdict.INCONCLUSIVE, reason=doubt) if doubt else seen


def judge_family(cases: Sequence[Case]) -> tuple[Judgement, ...]:
    """Judge checks that share one chance of a wrong pass: each must pass alone and after Holm's correction.

    All of them count, the inconclusive and the missing ones too, so that no result can choose its own family.
    """
    alone = [judge(case) for case in cases]
    p_values = [_p_value(*pair) for pair in zip(cases, alone, strict=True)]
    adjusted = holm(p_values)
    return tuple(
        seen
        if seen.verdict is not Verdict.PASS or _holds(case, adjusted[index])
        else _uncertain(case, seen, p_values, index)
        for index, (case, seen) in enumerate(zip(cases, alone, strict=True))
    )


def _uncertain(case: Case, alone: Judgement, p_values: Sequence[float], index: int) -> Judgement:
    """A check that passes alone and not among the others: a fail, unless these rows could not have done better."""
    best = (*p_values[:index], _p_value(_faultless(case), alone), *p_values[index + 1 :])
    family = f"Holm's correction for {len(p_values)} checks"
    if not _holds(case, holm(best)[index]):
        reason = f"{alone.reason}, but under {family} even a faultless result on so few would not be enough"
        return replace(alone, verdict=Verdict.INCONCLUSIVE, reason=reason)
    alpha = error_rate(case.demand.confidence)
    p_value = _shown("max", holm(p_values)[index], alpha)
    reason = f"{alone.reason}, but not after {family}: p = {p_value} is over {_plain(alpha)}"
    return replace(alone, verdict=Verdict.FAIL, reason=reason)


def _holds(case: Case, adjusted: float) -> bool:
    return adjusted <= error_rate(case.demand.confidence) * _AGREEMENT


def _p_value(case: Case, seen: Judgement) -> float:
    """The doubt that a judged bound leaves; where nothing was judged, all of it."""
    if case.tally is None or seen.bound is None or seen.verdict is Verdict.INCONCLUSIVE:
        return 1.0
    tail = p_value_at_least if case.demand.kind == "min" else p_value_at_most
    return tail(case.tally, case.demand.threshold)


def _faultless(case: Case) -> Case:
    """The same rows without an error, each cluster then worth one."""
    tally = case.tally
    if tally is None:
        return case
    effective = tally.rows if tally.clusters is None else tally.clusters
    successes = tally.rows if case.demand.kind == "min" else 0
    return replace(case, tally=replace(tally, successes=successes, effective=float(effective)))


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


def _meets(kind: BoundKind, value: float, threshold: float) -> bool:
    return value >= threshold if kind == "min" else value <= threshold


def _too_few(demand: Demand, rows: int, clusters: int | None, nulls: int) -> str:
    """Why these rows, whatever they hold, decide nothing; empty where they do."""
    if nulls:
        have = "row has" if nulls == 1 else "rows have"
        return f"{nulls} golden {have} a NULL in `select`; handle them with `is null`"
    if rows < demand.min_samples:
        return f"only {_number(rows, 'row')}, {demand.min_samples} are needed"
    if clusters is not None and clusters < MIN_CLUSTERS:
        return f"only {_number(clusters, 'cluster')}, {MIN_CLUSTERS} are needed"
    return ""


def _out_of_reach(demand: Demand, tally: Tally) -> str:
    """Why not even a faultless result on these rows would do; empty where it would."""
    needed = smallest_sufficient(demand.kind, demand.threshold, demand.confidence)
    claim = f"at {'least' if demand.kind == 'min' else 'most'} {_plain(demand.threshold)}"
    if needed is None:
        return f"no number of rows can show {claim} at {_percent(demand)} confidence"
    have, unit = (tally.rows, "row") if tally.clusters is None else (tally.clusters, "cluster")
    if have >= needed:
        return ""
    faultless = _number(have, f"faultless {unit}")
    return f"even {faultless} cannot show {claim} at {_percent(demand)} confidence; {needed} are needed"


def _sentence(demand: Demand, tally: Tally, bound: float) -> str:
    counted, side = ("right", "lower") if demand.kind == "min" else ("wrong", "upper")
    rows = f"{tally.successes} of {tally.rows} {counted}"
    if tally.clusters is not None:
        independent = worth(tally, error_rate(demand.confidence))
        rows += f" in {_number(tally.clusters, 'cluster')} (worth {independent:.0f} independent rows)"
    return f"{rows}; the {_percent(demand)} {side} bound {_against(demand, bound)}"


def _against(demand: Demand, value: float) -> str:
    """`0.941 is under 0.95`: a value and how it stands to the threshold."""
    stands = (
        "meets" if _meets(demand.kind, value, demand.threshold) else "is under" if demand.kind == "min" else "is over"
    )
    return f"{_shown(demand.kind, value, demand.threshold)} {stands} {_plain(demand.threshold)}"


def _shown(kind: BoundKind, value: float, threshold: float) -> str:
    """A value with three decimals, or as many more as it takes to see on which side of the threshold it stands."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 18))
    same = (text for text in texts if _meets(kind, float(text), threshold) == _meets(kind, value, threshold))
    return next(same, repr(value))


def _plain(value: float) -> str:
    return format(Decimal(repr(value)).normalize(), "f")


def _percent(demand: Demand) -> str:
    return format((100 * Decimal(repr(demand.confidence))).normalize(), "f") + " %"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
