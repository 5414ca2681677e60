"""What changes to the golden part of a spec weigh: what must never be got wrong, and how surely that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check.predicates import golden_columns
from clspec.diff.judging import Rules, always, by_base, listed, number, presence, related
from clspec.predicate.compare import Relation

if TYPE_CHECKING:
    from clspec.diff.leaves import Leaf


def _selection(leaf: Leaf) -> str:
    found = related(leaf, golden_columns(leaf.base.facts), golden_columns(leaf.head.facts))
    if found.selected is Relation.SAME:
        return "selection-same" if found.unknown is Relation.SAME else "selection-nulls"
    return {
        Relation.NARROWER: "selection-narrowed",
        Relation.OTHER: "selection-narrowed",
        Relation.WIDER: "selection-widened",
        Relation.UNKNOWN: "selection-unclear",
    }[found.selected]


def _named_slice(leaf: Leaf) -> str:
    """A slice is judged where a scenario of the base names it; elsewhere it is only reported."""
    if leaf.added:
        return "slice-new"
    using = [one for one in leaf.base.spec.golden.scenarios if leaf.path[2] in one.slices]
    if leaf.removed:
        return "slice-gone"  # a scenario that named it has changed, too
    found = _selection(leaf)
    critical = any(one.must_pass for one in using)
    return f"{found}-advisory" if found == "selection-narrowed" and not critical else found


def _when_missing(leaf: Leaf) -> str:
    return "baseline-stronger" if leaf.new == "fail" else "baseline-weaker"


def _must_pass(leaf: Leaf) -> str:
    return "must-pass-added" if leaf.new else "must-pass-removed"


def _gate(leaf: Leaf) -> str:
    return "gate-bound" if leaf.new == "bound" else "gate-point"


def _threshold(leaf: Leaf) -> str:
    """A `min` is stronger when higher, every other kind when lower."""
    question = leaf.path[leaf.path.index("checks") + 1].partition("#")[0]
    higher = leaf.new > leaf.old
    return "threshold-stronger" if higher == question.endswith(" min") else "threshold-weaker"


_CHECK = by_base(presence(added="check-added", removed="check-removed", changed="unknown"), "check-removed")
_SELECT = by_base(_selection, "selection-narrowed")
_GAP = by_base(
    number(up="threshold-weaker", down="threshold-stronger", added="threshold-stronger", removed="threshold-weaker"),
    "threshold-weaker",
)
_SAMPLES = number(up="more-samples", down="fewer-samples", added="more-samples", removed="fewer-samples")
_CONFIDENCE = number(
    up="confidence-higher", down="confidence-lower", added="confidence-higher", removed="confidence-lower"
)
_ONE = "golden.scenarios.*"


def _checks(below: str) -> Rules:
    return (
        (f"{below}.checks.*", _CHECK),
        (f"{below}.checks.*.value", by_base(_threshold, "threshold-weaker")),
        (f"{below}.checks.*.max_gap", _GAP),
        (f"{below}.checks.*.gate", _gate),
        (f"{below}.checks.*.higher_is_better", always("metric-redefined")),
        (f"{below}.checks.*.range", always("metric-redefined")),
    )


RULES: Rules = (
    ("golden.dataset", always("golden-replaced")),
    ("golden.baseline", presence(added="baseline-stronger", removed="baseline-weaker", changed="baseline-changed")),
    ("golden.baseline.compare", always("baseline-changed")),
    ("golden.baseline.when_missing", _when_missing),
    (
        "golden.cluster_by",
        presence(added="clusters-added", removed="clusters-removed", changed="clusters-removed"),
    ),
    ("golden.reuse", presence(added="reuse-lowered", removed="reuse-raised", changed="unknown")),
    (
        "golden.reuse.max_decisions",
        number(up="reuse-raised", down="reuse-lowered", added="reuse-lowered", removed="reuse-raised"),
    ),
    ("golden.defaults.min_samples", _SAMPLES),
    ("golden.defaults.confidence", _CONFIDENCE),
    ("golden.slices.*", _named_slice),
    (_ONE, presence(added="scenario-added", removed="scenario-removed", changed="unknown")),
    (f"{_ONE}.must_pass", _must_pass),
    (f"{_ONE}.select", _SELECT),
    (
        f"{_ONE}.slices",
        by_base(listed(fewer="slices-fewer", more="slices-more", same="metadata"), "slices-fewer"),
    ),
    (
        f"{_ONE}.for_each",
        by_base(presence(added="slices-more", removed="slices-fewer", changed="slices-fewer"), "slices-fewer"),
    ),
    (f"{_ONE}.min_samples", _SAMPLES),
    (f"{_ONE}.confidence", _CONFIDENCE),
    (f"{_ONE}.guard", presence(added="guard-added", removed="guard-removed", changed="unknown")),
    (f"{_ONE}.guard.select", _SELECT),
    *_checks(_ONE),
    *_checks(f"{_ONE}.guard"),
)
