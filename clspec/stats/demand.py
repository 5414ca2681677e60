"""What a check demands of the true value, and what rows say to it: a bound, the doubt left, and a sentence.

Three kinds of evidence: a tally of one model's rows, the rows gained and lost against the champion, and a value with
its error. Each answers the same four questions, so that a verdict and Holm's correction need not know which it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from clspec.catalog import (
    LATENCY_SHARE,
    MIN_CLUSTERS,
    BoundKind,
    CheckKind,
    Judged,
    error_rate,
    f1_of_jaccard,
    jaccard_of_f1,
    smallest_sufficient,
    smallest_sufficient_margin,
)
from clspec.stats import paired, proportion
from clspec.stats.limits import UNLIMITED, Limits
from clspec.stats.paired import Paired, difference_lower_bound, p_value_non_inferior
from clspec.stats.proportion import Tally, lower_bound, p_value_at_least, p_value_at_most, upper_bound
from clspec.stats.spread import (
    Spread,
    groups_needed,
    p_value_over,
    p_value_under,
    spread_lower_bound,
    spread_upper_bound,
)
from clspec.stats.wording import number, percent, plain, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a check demands of the true value: at least, at most, or no worse by the margin, shown on enough rows."""

    kind: CheckKind
    threshold: float
    """The margin, where the kind is one: the lower limit of challenger minus champion must be over minus it."""
    confidence: float
    min_samples: int
    judged: Judged = "proportion"
    """What the successes of a tally are, for a `min` or `max`; see `clspec.catalog`."""
    limits: Limits = UNLIMITED
    """The range of a metric that is judged by its spread; a difference has none."""

    def meets(self, value: float) -> bool:
        """Whether a bound, or a value judged as it stands, does what is demanded."""
        if self.kind == "margin":
            return value > -self.threshold
        return value >= self.threshold if self.kind == "min" else value <= self.threshold

    def against(self, value: float) -> str:
        """A value and how it stands to the threshold: `0.941 is under 0.95`."""
        text = shown(value, self.meets)
        if self.kind == "margin":
            return f"{text} is {'over' if self.meets(value) else 'not over'} {plain(0.0 - self.threshold)}"
        missed = "is under" if self.kind == "min" else "is over"
        return f"{text} {'meets' if self.meets(value) else missed} {plain(self.threshold)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What rows say to a demand."""

    estimate: float | None
    bound: float | None
    """None where the value has no bound of its own: a 99th percentile is judged by the share of rows within it."""
    passes: bool
    effective: float | None
    """How many independent rows the bound took these for."""
    p_value: float
    """The smallest error rate at which it would pass."""
    faultless: float
    """The same, had these rows been faultless, or equal to the champion's."""
    reason: str
    out_of_reach: str
    """Why not even a faultless result on these rows would do; empty where it would."""


def of_tally(demand: Demand, tally: Tally, value: float | None) -> Answer:
    """What one model's rows say: Clopper-Pearson's bound on the share behind the metric."""
    share = _share(demand)
    bound, p_value = _bound_and_doubt(share, tally)
    passes = bound >= share.threshold if share.kind == "min" else bound <= share.threshold
    estimate = tally.successes / tally.rows
    if demand.judged == "jaccard":
        estimate, bound = f1_of_jaccard(estimate), f1_of_jaccard(bound)
    is_quantile = demand.judged == "quantile"
    return Answer(
        estimate=value if is_quantile else estimate,
        bound=None if is_quantile else bound,
        passes=passes,
        effective=proportion.worth(tally, error_rate(demand.confidence)),
        p_value=p_value,
        faultless=_bound_and_doubt(share, _faultless(share, tally))[1],
        reason=_tally_sentence(demand, share, tally, bound),
        out_of_reach=_tally_out_of_reach(demand, share, tally),
    )


def of_paired(demand: Demand, pairs: Paired) -> Answer:
    """What the rows that champion and challenger answered say of the difference of their shares."""
    bound = difference_lower_bound(pairs, demand.confidence)
    units = float(pairs.rows if pairs.clusters is None else pairs.clusters)
    equal = replace(pairs, gained=0, lost=0, effective=units)
    independent = paired.worth(pairs, error_rate(demand.confidence))
    rows = f"{number(pairs.rows, 'row')}{_in_clusters(pairs.clusters, independent)}"
    return Answer(
        estimate=pairs.difference,
        bound=bound,
        passes=demand.meets(bound),
        effective=independent,
        p_value=p_value_non_inferior(pairs, demand.threshold),
        faultless=p_value_non_inferior(equal, demand.threshold),
        reason=f"{pairs.gained} gained and {pairs.lost} lost of {rows}; "
        f"the {percent(demand.confidence)} lower bound of the difference {demand.against(bound)}",
        out_of_reach=_paired_out_of_reach(demand, pairs),
    )


def of_spread(demand: Demand, seen: Spread) -> Answer:
    """What a value with its error says; for a margin it is the difference, positive where the challenger is better."""
    upper, margin = demand.kind == "max", demand.kind == "margin"
    limits = UNLIMITED if margin else demand.limits
    bound = (spread_upper_bound if upper else spread_lower_bound)(seen, demand.confidence, limits)
    threshold = -demand.threshold if margin else demand.threshold
    groups = f"{number(seen.groups, 'group')} of {number(seen.rows, 'row')}"
    reason = (
        f"{seen.value:.4g} with a standard error of {seen.error:.2g} over {groups}; the {percent(demand.confidence)} "
        f"{'upper' if upper else 'lower'} bound{' of the difference' if margin else ''} {demand.against(bound)}"
    )
    possible = limits.holds(seen.value)
    return Answer(
        estimate=seen.value,
        bound=bound,
        passes=possible and demand.meets(bound),
        effective=None,
        p_value=(p_value_under if upper else p_value_over)(seen, threshold, limits) if possible else 1.0,
        faultless=0.0,  # how small the error could have been, the rows do not say
        reason=reason if possible else f"the value {seen.value:.4g} is outside the metric's range",
        out_of_reach=(_spread_out_of_reach(seen) or _too_skewed(demand, seen)) if possible else "",
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """A demand, put to the share of successes of a tally."""

    kind: BoundKind
    threshold: float
    confidence: float


def _share(demand: Demand) -> _Share:
    kind: BoundKind = "max" if demand.kind == "max" else "min"
    if demand.judged == "quantile":
        return _Share("min", LATENCY_SHARE, demand.confidence)
    threshold = jaccard_of_f1(demand.threshold) if demand.judged == "jaccard" else demand.threshold
    return _Share(kind, threshold, demand.confidence)


def _bound_and_doubt(share: _Share, tally: Tally) -> tuple[float, float]:
    if share.kind == "min":
        return lower_bound(tally, share.confidence), p_value_at_least(tally, share.threshold)
    return upper_bound(tally, share.confidence), p_value_at_most(tally, share.threshold)


def _faultless(share: _Share, tally: Tally) -> Tally:
    """The same rows without an error, each cluster then worth one."""
    effective = tally.rows if tally.clusters is None else tally.clusters
    successes = tally.rows if share.kind == "min" else 0
    return replace(tally, successes=successes, effective=float(effective))


def _tally_sentence(demand: Demand, share: _Share, tally: Tally, bound: float) -> str:
    counted = {"proportion": "right" if demand.kind == "min" else "wrong", "jaccard": "of the class and called so"}
    independent = proportion.worth(tally, error_rate(demand.confidence))
    what = counted.get(demand.judged, f"within {plain(demand.threshold)}")
    rows = f"{tally.successes} of {tally.rows} {what}{_in_clusters(tally.clusters, independent)}"
    side = f"the {percent(demand.confidence)} {'lower' if share.kind == 'min' else 'upper'} bound"
    if demand.judged == "quantile":
        within = Demand(kind="min", threshold=share.threshold, confidence=share.confidence, min_samples=0)
        return f"{rows}; {side} of their share {within.against(bound)}"
    return f"{rows}; {side}{' of f1' if demand.judged == 'jaccard' else ''} {demand.against(bound)}"


def _in_clusters(clusters: int | None, independent: float) -> str:
    return "" if clusters is None else f" in {number(clusters, 'cluster')} (worth {independent:.0f} independent rows)"


def _tally_out_of_reach(demand: Demand, share: _Share, tally: Tally) -> str:
    needed = smallest_sufficient(share.kind, share.threshold, share.confidence)
    claim = f"at {'least' if demand.kind == 'min' else 'most'} {plain(demand.threshold)}"
    if needed is None:
        return f"no number of rows can show {claim} at {percent(demand.confidence)} confidence"
    return _short(
        "faultless", tally.rows, tally.clusters, needed, f"{claim} at {percent(demand.confidence)} confidence"
    )


def _paired_out_of_reach(demand: Demand, pairs: Paired) -> str:
    needed = smallest_sufficient_margin(demand.threshold, demand.confidence)
    claim = f"a difference over {plain(0.0 - demand.threshold)} at {percent(demand.confidence)} confidence"
    if needed is None:
        return f"no number of equal rows can show {claim}"
    return _short("equal", pairs.rows, pairs.clusters, needed, claim)


def _short(how: str, rows: int, clusters: int | None, needed: int, claim: str) -> str:
    have, unit = (rows, "row") if clusters is None else (clusters, "cluster")
    if have >= needed:
        return ""
    return f"even {number(have, f'{how} {unit}')} cannot show {claim}; {needed} are needed"


def _spread_out_of_reach(seen: Spread) -> str:
    if seen.groups < MIN_CLUSTERS:
        return f"only {number(seen.groups, 'group')} of rows to leave out, {MIN_CLUSTERS} are needed"
    if seen.error == 0:
        return "the value is the same whichever rows are left out, so that its error is unknown"
    if seen.freedom < 1:
        return "the value rests on one group of rows alone, so that its error is unknown"
    return ""


def _too_skewed(demand: Demand, seen: Spread) -> str:
    """Why a value without an end above says nothing yet: a few rows make most of it. Differences are more even."""
    if demand.kind == "margin" or demand.limits.high < inf:
        return ""
    needed = groups_needed(seen)
    if seen.groups >= needed:
        return ""
    return (
        f"a few rows make most of the value: with {seen.groups} groups of such skewed ones its bound is not to be "
        f"trusted, {needed} would be needed"
    )
