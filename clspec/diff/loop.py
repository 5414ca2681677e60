"""What changes to the loop weigh: what is mined, who says what is true, and how a model gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check.predicates import typed
from clspec.diff.change import ABSENT
from clspec.diff.judging import Rules, always, listed, number, presence, related
from clspec.diff.places import placed
from clspec.predicate.compare import Relation

if TYPE_CHECKING:
    from clspec.diff.leaves import Leaf
    from clspec.diff.view import View
    from clspec.predicate import ColumnType


def _rule(leaf: Leaf) -> str:
    kind = (leaf.old if leaf.added is False else leaf.new)["type"]
    if kind == "random":
        return "audit-stronger" if leaf.added else "audit-weaker"
    if leaf.removed:
        return "rule-removed"
    return "truth-by-default" if kind == "human_feedback" else "rule-added"


def _type(leaf: Leaf) -> str:
    return "audit-weaker" if leaf.old == "random" else "mining-narrowed"


def _production(view: View) -> dict[str, ColumnType]:
    """The columns that the conditions of rules look at."""
    feedback = view.spec.feedback
    source = view.spec.sources.get(feedback.source) if feedback else None
    return typed(source.columns) if source else {}


def _condition(leaf: Leaf) -> str:
    if leaf.added or leaf.removed:
        return "mining-narrowed"  # the rule is of another type, which finds other rows
    found = related(leaf, _production(leaf.base), _production(leaf.head)).selected
    return {Relation.SAME: "mining-same", Relation.WIDER: "mining-widened"}.get(found, "mining-narrowed")


def _taught(view: View) -> dict[str, ColumnType]:
    """The columns that acceptance looks at."""
    feedback = view.spec.feedback
    return typed(feedback.auto_label.columns) if feedback and feedback.auto_label else {}


def _acceptance(leaf: Leaf) -> str:
    found = related(leaf, _taught(leaf.base), _taught(leaf.head)).selected
    return {
        Relation.SAME: "mining-same",
        Relation.NARROWER: "auto-label-stronger",
        Relation.UNKNOWN: "auto-label-changed",
    }.get(found, "auto-label-weaker")


def _order(leaf: Leaf) -> str | None:
    """The order of those that both have; who came and went is told by itself."""
    if ABSENT in (leaf.old, leaf.new):
        return None
    old, new = ([one for one in mine if one in other] for mine, other in ((leaf.old, leaf.new), (leaf.new, leaf.old)))
    if old == new:
        return None
    return "stages-reordered" if leaf.path[0] == "promotion" else "rules-reordered"


_NEVER_MORE = {"up": "auto-label-weaker", "down": "auto-label-stronger"}
_MORE_IS_SAFER = {"up": "auto-label-stronger", "down": "auto-label-weaker"}
_WIDER = {"up": "mining-widened", "down": "mining-narrowed", "added": "mining-narrowed", "removed": "mining-narrowed"}
_F = "feedback"
_RULE = f"{_F}.rules.*"
_TEACHER = f"{_F}.auto_label"

RULES: Rules = (
    (_F, presence(added="loop-added", removed="loop-removed", changed="unknown")),
    (f"{_F}.source", always("loop-changed")),
    (f"{_F}.append_to", always("loop-changed")),
    (f"{_F}.order", _order),
    (_RULE, _rule),
    (f"{_RULE}.type", _type),
    (f"{_RULE}.when", _condition),
    (f"{_RULE}.event", _condition),
    (f"{_RULE}.below", number(**_WIDER)),
    (f"{_RULE}.window", number(**_WIDER)),
    (f"{_RULE}.within", number(**_WIDER)),
    (
        f"{_RULE}.rate",
        number(up="audit-stronger", down="audit-weaker", added="audit-stronger", removed="audit-weaker"),
    ),
    (f"{_RULE}.alarm", presence(added="alarm-stronger", removed="alarm-weaker", changed="unknown")),
    (
        f"{_RULE}.alarm.error_rate",
        number(up="alarm-weaker", down="alarm-stronger", added="alarm-stronger", removed="alarm-weaker"),
    ),
    *((f"{_RULE}.{key}", always("truth-by-default")) for key in ("source", "join", "label", "when_absent")),
    (f"{_RULE}.matures_after", always("truth-by-default")),
    (f"{_F}.sampling", presence(added="budget-cut", removed="loop-changed", changed="unknown")),
    (
        f"{_F}.sampling.budget",
        number(up="budget-raised", down="budget-cut", added="budget-cut", removed="budget-raised"),
    ),
    (
        f"{_F}.sampling.max_per_group",
        number(up="budget-raised", down="budget-cut", added="budget-cut", removed="budget-raised"),
    ),
    (f"{_F}.sampling.**", always("loop-changed")),
    (f"{_F}.leakage_guard", presence(added="leakage-stronger", removed="leakage-weaker", changed="unknown")),
    (
        f"{_F}.leakage_guard.against",
        listed(fewer="leakage-weaker", more="leakage-stronger", same="metadata"),
    ),
    (f"{_F}.leakage_guard.near", presence(added="leakage-stronger", removed="leakage-weaker", changed="unknown")),
    (
        f"{_F}.leakage_guard.near.distance",
        number(up="leakage-stronger", down="leakage-weaker", added="leakage-stronger", removed="leakage-weaker"),
    ),
    (f"{_F}.leakage_guard.near.method", always("leakage-changed")),
    (_TEACHER, presence(added="auto-label-changed", removed="auto-label-stronger", changed="unknown")),
    (f"{_TEACHER}.accept_if", _acceptance),
    (f"{_TEACHER}.audit_rate", number(**_MORE_IS_SAFER, added="auto-label-stronger", removed="auto-label-weaker")),
    (
        f"{_TEACHER}.max_disagreement",
        number(**_NEVER_MORE, added="auto-label-stronger", removed="auto-label-weaker"),
    ),
    (f"{_TEACHER}.never_for", listed(fewer="auto-label-weaker", more="auto-label-stronger", same="metadata")),
    *((f"{_TEACHER}.{key}", always("auto-label-changed")) for key in ("entrypoint", "command", "columns.**")),
    *placed(_TEACHER),
    (f"{_F}.labelling", presence(added="labelling-stronger", removed="labelling-weaker", changed="unknown")),
    (
        f"{_F}.labelling.votes",
        number(up="labelling-stronger", down="labelling-weaker", added="unknown", removed="unknown"),
    ),
    (
        f"{_F}.labelling.gold_rate",
        number(up="labelling-stronger", down="gold-rate-lower", added="unknown", removed="unknown"),
    ),
    (f"{_F}.labelling.*", always("loop-changed")),
    (f"{_F}.retrain_when", presence(added="retrain-stricter", removed="retrain-looser", changed="unknown")),
    (f"{_F}.retrain_when.max_wait", number(**dict.fromkeys(("up", "down", "added", "removed"), "retrain-wait"))),
    *(
        (
            f"{_F}.retrain_when.{key}",
            number(up="retrain-stricter", down="retrain-looser", added="retrain-stricter", removed="retrain-looser"),
        )
        for key in ("min_new_samples", "min_per_class.*")
    ),
    ("promotion", presence(added="stage-added", removed="stage-removed", changed="unknown")),
    ("promotion.order", _order),
    ("promotion.stages.*", presence(added="stage-added", removed="stage-removed", changed="unknown")),
    (
        "promotion.stages.*.approval",
        presence(added="approval-added", removed="approval-removed", changed="approval-changed"),
    ),
)
