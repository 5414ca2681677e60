"""How much each kind of change weighs: the one table, which the docs show as it stands here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """What a change needs: to be taken back or split, somebody's eye, or nothing."""

    BLOCK = "block"
    REVIEW = "review"
    INFO = "info"


RANK = {Level.BLOCK: 0, Level.REVIEW: 1, Level.INFO: 2}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of change."""

    level: Level
    title: str
    text: str


_B, _R, _I = Level.BLOCK, Level.REVIEW, Level.INFO

LEVELS: dict[str, Row] = {
    # what the model must never get wrong
    "scenario-removed": Row(_B, "a scenario is gone", "Nothing judges that situation any more."),
    "scenario-renamed": Row(_R, "a scenario has another id", "Same content under a new id: its history ends."),
    "scenario-added": Row(_I, "a scenario is new", "One more situation is judged."),
    "must-pass-removed": Row(_B, "a scenario need not pass any more", "`must_pass` went from true to false."),
    "must-pass-added": Row(_I, "a scenario must pass now", "`must_pass` went from false to true."),
    "check-removed": Row(_B, "a check is gone", "Also: another metric, class or kind of threshold. Of a must-pass."),
    "check-removed-advisory": Row(_R, "a check that need not pass is gone", "The same where the base need not pass."),
    "check-added": Row(_I, "a check is new", "One more demand."),
    "threshold-weaker": Row(_B, "a threshold is weaker", "Lower `min`, higher `max`, `margin` or `max_gap`."),
    "threshold-weaker-advisory": Row(_R, "a threshold that need not be met is weaker", "The same in a non-must-pass."),
    "threshold-stronger": Row(_I, "a threshold is stronger", "A model passes less easily."),
    "gate-point": Row(_R, "a check is judged without its bound", "`gate` went from bound to point."),
    "gate-bound": Row(_I, "a check is judged at its bound", "`gate` went from point to bound."),
    "metric-redefined": Row(_B, "a metric means something else", "Its direction or its range is another."),
    "selection-narrowed": Row(_B, "a must-pass judges fewer rows", "Rows are not selected any more, maybe others are."),
    "selection-narrowed-advisory": Row(_R, "a scenario judges fewer rows", "The same where it need not pass."),
    "selection-widened": Row(_R, "a scenario judges more rows", "More rows can hide what a few show."),
    "selection-unclear": Row(_R, "a scenario judges other rows", "The predicates cannot be compared by their trees."),
    "selection-nulls": Row(
        _R, "NULL is treated otherwise", "The same rows, but others leave the scenario inconclusive."
    ),
    "selection-same": Row(_I, "a selection is written otherwise", "It selects the same rows."),
    "guard-removed": Row(_B, "a guard is gone", "A model that always says the class would pass."),
    "guard-added": Row(_I, "a guard is new", "The paired negative is judged, too."),
    "slices-fewer": Row(_B, "a must-pass is judged on fewer slices", "Or per value no more, or by another column."),
    "slices-fewer-advisory": Row(_R, "a scenario is judged on fewer slices", "The same where it need not pass."),
    "slices-more": Row(_I, "a scenario is judged on more slices", "Each is a demand of its own."),
    "slice-gone": Row(_R, "a named slice is gone", "Reports lack it."),
    "slice-new": Row(_I, "a named slice is new", "Reports have it."),
    "fewer-samples": Row(_B, "fewer samples suffice", "`min_samples` is lower."),
    "more-samples": Row(_I, "more samples are needed", "`min_samples` is higher."),
    "confidence-lower": Row(_B, "less confidence suffices", "`confidence` is lower."),
    "confidence-higher": Row(_I, "more confidence is needed", "`confidence` is higher."),
    "clusters-removed": Row(_B, "clusters count as independent rows", "`cluster_by` is gone or another column."),
    "clusters-added": Row(_I, "rows are clustered", "`cluster_by` is new."),
    "baseline-weaker": Row(_B, "comparisons with the champion weigh less", "`baseline` is gone, or may be missing."),
    "baseline-changed": Row(_R, "comparisons are against something else", "`baseline.compare` is another."),
    "baseline-stronger": Row(_I, "comparisons with the champion weigh more", "`baseline` is new, or must be there."),
    "reuse-raised": Row(_B, "the golden set may decide more often", "`reuse.max_decisions` is higher or gone."),
    "reuse-lowered": Row(_I, "the golden set may decide less often", "`reuse.max_decisions` is lower or new."),
    "golden-replaced": Row(_B, "another golden set judges", "`golden.dataset` names another dataset."),
    "unpinned": Row(_B, "something is not pinned any more", "A dataset, an image, or the whole lock."),
    "pinned": Row(_I, "something is pinned", "It means the same bytes until the lock changes."),
    "golden-repinned": Row(_R, "the golden set has other rows", "Alone in a change: see results on both versions."),
    "golden-repinned-with-code": Row(
        _B, "the golden set moves together with what it judges", "Effects cannot be told apart: split the change."
    ),
    "training-repinned": Row(
        _R, "the training data has other rows", "Its pin moved; so did that of any other dataset."
    ),
    "both-moved": Row(_B, "code and data move together", "One dimension at a time: split the change."),
    "counts-edited": Row(_R, "the lock counts otherwise", "Though golden set and selection are as they were."),
    "counts-moved": Row(_I, "the lock counts other rows", "As the golden set or the selection is another."),
    "judge-changed": Row(_R, "the code that judges may have changed", "A metric is user code, and the code moved."),
    "seeds-fewer": Row(_B, "fewer seeds must pass", "All seeds must pass; fewer do."),
    "seeds-changed": Row(_R, "other seeds are tried", "Seeds can be picked; the first is the candidate."),
    "seeds-more": Row(_I, "more seeds must pass", "All seeds must pass; more do."),
    "truth-changed": Row(_B, "the truth is something else", "The task's type or label, a class less, a key or group."),
    "task-changed": Row(_R, "the task is another", "A class more, or another name of what is predicted."),
    # where data comes from
    "source-removed": Row(_R, "a source is gone", "Nothing is learned or mined from it."),
    "source-changed": Row(_R, "a source is another", "Its place, query, code, columns or roles."),
    "source-added": Row(_I, "a source is new", "It matters where something names it."),
    "dataset-removed": Row(_R, "a dataset is gone", "Its versions stay in the store."),
    "dataset-changed": Row(_R, "a dataset is another", "Its columns or its origin."),
    "dataset-added": Row(_I, "a dataset is new", "It matters where something names it."),
    "training-data": Row(_R, "training learns from other data", "Another dataset, or another split."),
    "data-gate-removed": Row(_B, "a data gate is gone", "Part of `expect`, or `freshness`."),
    "data-gate-weaker": Row(_R, "a data gate is weaker", "Bad data gets in more easily."),
    "data-gate-stronger": Row(_I, "a data gate is stronger or new", "Bad data gets in less easily."),
    # how mistakes come back
    "loop-removed": Row(_B, "mistakes do not come back as data", "`feedback` is gone."),
    "loop-added": Row(_R, "mistakes come back as data", "`feedback` is new: see what feeds training."),
    "loop-changed": Row(_R, "the loop works otherwise", "Its source, its target, sampling, labelling or duplicates."),
    "rule-removed": Row(_R, "a feedback rule is gone", "Those mistakes are not mined."),
    "rule-renamed": Row(_R, "a feedback rule has another id", "Same content under a new id."),
    "rule-added": Row(_I, "a feedback rule is new", "More is mined."),
    "rules-reordered": Row(_I, "feedback rules are in another order", "The first that mines a row names it."),
    "mining-narrowed": Row(_R, "less is mined", "A predicate, threshold or window finds fewer rows, or others."),
    "mining-widened": Row(_I, "more is mined", "A predicate, threshold or window finds more rows."),
    "mining-same": Row(_I, "a rule is written otherwise", "It finds the same rows."),
    "truth-by-default": Row(
        _R, "truth by default is another", "`matures_after`, `when_absent`, or where corrections lie."
    ),
    "audit-weaker": Row(_B, "production is audited less", "A `random` rule is gone or draws less."),
    "audit-stronger": Row(_I, "production is audited more", "A `random` rule is new or draws more."),
    "alarm-weaker": Row(_B, "the alarm is weaker", "It is gone or allows more errors."),
    "alarm-stronger": Row(_I, "the alarm is stronger", "It is new or allows fewer errors."),
    "leakage-weaker": Row(
        _B, "golden data is guarded less", "`leakage_guard`: gone, fewer datasets, a shorter distance."
    ),
    "leakage-changed": Row(_R, "golden data is guarded otherwise", "Another way of telling near-duplicates."),
    "leakage-stronger": Row(_I, "golden data is guarded more", "More datasets, or a larger distance."),
    "auto-label-weaker": Row(
        _B,
        "more is labelled without people",
        "`accept_if` wider, `never_for` shorter, fewer audits, more disagreement.",
    ),
    "auto-label-changed": Row(
        _R, "labels without people are others", "Newly there, by other code, or by an unclear rule."
    ),
    "auto-label-stronger": Row(_I, "less is labelled without people", "Or more of it is looked at by people."),
    "labelling-weaker": Row(_B, "people look less closely at labels", "Fewer votes; `labelling` is gone."),
    "gold-rate-lower": Row(_R, "labellers are checked less", "`gold_rate` is lower."),
    "labelling-stronger": Row(
        _I, "people look more closely at labels", "More votes, or more known answers among them."
    ),
    "budget-cut": Row(_R, "fewer rows are labelled", "`sampling` takes less."),
    "budget-raised": Row(_I, "more rows are labelled", "`sampling` takes more."),
    "retrain-looser": Row(_R, "retraining starts from less", "`retrain_when` is gone or asks for less."),
    "retrain-wait": Row(_R, "mistakes wait another time for retraining", "`retrain_when.max_wait` is another."),
    "retrain-stricter": Row(_I, "retraining starts from more", "`retrain_when` is new or asks for more."),
    # how a model gets out
    "approval-removed": Row(_B, "nobody approves any more", "A stage lost its `approval`."),
    "approval-changed": Row(_R, "somebody else approves", "A stage's `approval` names another."),
    "approval-added": Row(_I, "somebody approves", "A stage got an `approval`."),
    "stage-removed": Row(_B, "a stage of promotion is gone", "Or all of `promotion`."),
    "stages-reordered": Row(_R, "stages are in another order", "Models go up another way."),
    "stage-added": Row(_I, "a stage of promotion is new", "Or all of `promotion`."),
    # when, where and who
    "trigger-removed": Row(_R, "a run is not started any more", "A trigger is gone or names fewer paths."),
    "trigger-changed": Row(_R, "a run starts at other times", "A trigger is another."),
    "trigger-added": Row(_I, "a run starts more often", "A trigger is new."),
    "notice-removed": Row(_R, "somebody is told less", "A notification or one of its events is gone."),
    "notice-changed": Row(_R, "somebody is told otherwise", "A notification is another."),
    "notice-added": Row(_I, "somebody is told more", "A notification or an event is new."),
    "waiver-added": Row(_R, "a warning is waived", "A new waiver, or a later day; the base does not know it."),
    "waiver-changed": Row(_R, "a waiver says otherwise", "Its reason or its owner."),
    "waiver-removed": Row(_I, "a warning is waived no more", "Or until an earlier day."),
    "environment-removed": Row(_R, "an environment is gone", "What ran there has no spec."),
    "environment-added": Row(_R, "an environment is new", "Compared with the base as it is without one."),
    "store-moved": Row(_R, "the store is another", "Champion, decisions, queue and versions stay behind."),
    "secret-added": Row(_R, "a step gets another secret", "A secret is new or comes from elsewhere."),
    "secret-removed": Row(_I, "a step gets a secret less", "It cannot read it any more."),
    "image-changed": Row(_R, "another image runs", "Nobody sees in a digest what is in it."),
    "code-place": Row(_R, "other code runs", "`code.root`, an entry point or a command."),
    "code-changed": Row(_I, "the code is another", "Review it beside this; the gate judges what it makes."),
    "params-changed": Row(_I, "the model is made otherwise", "`training.params`; the gate judges what it makes."),
    "machine": Row(_I, "steps run on another machine", "Resources, timeouts, retries, isolation, shards."),
    "metadata": Row(_I, "what is said beside", "Owners, `meta`, order, the folder in the image."),
    "spec-removed": Row(_B, "a whole spec is gone", "Nothing that it demanded is demanded."),
    "spec-added": Row(_R, "a whole spec is new", "There is nothing to compare it with."),
    "unknown": Row(_R, "something that no rule knows", "A change is never passed over."),
}


def as_markdown() -> str:
    """The table as the docs show it."""
    ordered = sorted(LEVELS.items(), key=lambda entry: RANK[entry[1].level])
    lines = ["| level | change | what it is | what it means |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.level.value} | `{name}` | {row.title} | {row.text} |" for name, row in ordered]
    return "\n".join(lines) + "\n"
