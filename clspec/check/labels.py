"""Labels say something that the model can learn, and somebody answers for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check.roles import production
from clspec.diagnostic import did_you_mean
from clspec.spec import HumanFeedback, Random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_RULES = ("feedback", "rules")


def _reports(facts: Facts) -> Iterator[tuple[HumanFeedback, Pointer]]:
    """The rules by which people's corrections come in."""
    if facts.spec.feedback is not None:
        for index, rule in enumerate(facts.spec.feedback.rules):
            if isinstance(rule, HumanFeedback):
                yield rule, (*_RULES, index)


def reports_can_be_joined(facts: Facts) -> Iterator[Diagnostic]:
    """A correction is found by a column that both sources have, of one type, and says the truth in another."""
    feedback, ours = facts.spec.feedback, production(facts)
    for rule, at in _reports(facts):
        if found := facts.unknown("sources", rule.source, (*at, "source")):
            yield found
            continue
        sides = [("join", feedback.source)] if feedback else []
        for key, name in (*sides, ("join", rule.source), ("label", rule.source)):
            if found := facts.column_unknown("sources", name, getattr(rule, key), (*at, key)):
                yield found
        theirs = facts.spec.sources.get(rule.source)
        kinds = {s.columns.get(rule.join) for s in (ours, theirs) if s} - {None}
        if len(kinds) > 1:
            message = f"`{rule.join}` is of type {' here and '.join(sorted(map(str, kinds)))} there"
            yield facts.problem("CLS313", (*at, "join"), message, "values of different types are never equal")


def reports_say_the_truth(facts: Facts) -> Iterator[Diagnostic]:
    """What people correct a label to is of the label's type."""
    if facts.spec.feedback is None:
        return
    wanted = facts.columns(facts.spec.feedback.append_to).get(facts.spec.task.label)
    for rule, at in _reports(facts):
        source = facts.spec.sources.get(rule.source)
        kind = source.columns.get(rule.label) if source else None
        if kind is not None and wanted is not None and kind != wanted:
            message = f"`{rule.label}` of source `{rule.source}` is of type {kind}, the label is of type {wanted}"
            yield facts.problem("CLS313", (*at, "label"), message, "give both the same type")


def absence_has_its_time(facts: Facts) -> Iterator[Diagnostic]:
    """That nobody complained says something only after a while, and then what it says must be known."""
    for rule, at in _reports(facts):
        for key, other in (("when_absent", "matures_after"), ("matures_after", "when_absent")):
            if getattr(rule, key) and not getattr(rule, other) and facts.intact(*_RULES):
                hint = {
                    "matures_after": "say after how long no correction will come: `matures_after: 90d`",
                    "when_absent": "say what a row is that nobody corrected: `when_absent: CLASS`",
                }[other]
                yield facts.key_problem("CLS209", (*at, key), f"`{key}` needs `{other}`", hint)


def labels_are_classes(facts: Facts) -> Iterator[Diagnostic]:
    """Every label that the loop names is one of the task's classes."""
    feedback, task = facts.spec.feedback, facts.spec.task
    if feedback is None or not facts.intact("task", "classes") or (task.type == "classification" and not task.classes):
        return
    named: list[tuple[str, Pointer]] = [
        (r.when_absent, (*at, "when_absent")) for r, at in _reports(facts) if r.when_absent
    ]
    if feedback.auto_label:
        at: Pointer = ("feedback", "auto_label", "never_for")
        named += [(name, (*at, number)) for number, name in enumerate(feedback.auto_label.never_for)]
    for name, at in named:
        if name not in task.classes:
            given = feedback.auto_label.never_for if at[-1] != "when_absent" and feedback.auto_label else ()
            fix = facts.meant(at, name, task.classes, given)
            yield facts.problem("CLS303", at, f"there is no class `{name}`", _classes(name, task.classes), fix=fix)
    for name in feedback.retrain_when.min_per_class if feedback.retrain_when else ():
        at = ("feedback", "retrain_when", "min_per_class", name)
        if name not in task.classes:
            yield facts.key_problem("CLS303", at, f"there is no class `{name}`", _classes(name, task.classes))


def _classes(name: str, classes: tuple[str, ...]) -> str:
    return did_you_mean(name, classes) if classes else "`task.classes` names none"


def somebody_decides(facts: Facts) -> Iterator[Diagnostic]:
    """Where several people label a row it is said what happens when they differ."""
    labelling = facts.spec.feedback.labelling if facts.spec.feedback else None
    at = ("feedback", "labelling")
    if labelling and labelling.votes > 1 and not labelling.on_disagreement and facts.intact(*at, "on_disagreement"):
        message = f"{labelling.votes} people may differ, and nothing says what happens then"
        hint = "add `on_disagreement: adjudicate`, or `drop`"
        yield facts.key_problem("CLS209", (*at, "votes"), message, hint)


def somebody_audits(facts: Facts) -> Iterator[Diagnostic]:
    """A share of the automatic labels is seen by people, else their mistakes become the truth."""
    teacher = facts.spec.feedback.auto_label if facts.spec.feedback else None
    if teacher is None or teacher.audit_rate > 0:
        return
    at = ("feedback", "auto_label")
    if teacher.max_disagreement is not None:
        message = "`max_disagreement` needs audits: nobody could disagree"
        yield facts.key_problem("CLS209", (*at, "max_disagreement"), message, "write an `audit_rate` over 0")
    else:
        message = "no person ever sees an automatic label"
        yield facts.problem("CLS424", (*at, "audit_rate"), message, "have a few checked: `audit_rate: 0.05`")


def teacher_adds_columns(facts: Facts) -> Iterator[Diagnostic]:
    """The columns of the auto-labeller come beside the key and the label, which it yields anyway."""
    feedback = facts.spec.feedback
    if feedback is None or feedback.auto_label is None:
        return
    dataset = facts.dataset(feedback.append_to)
    for name in feedback.auto_label.columns:
        if name in {dataset.key, facts.spec.task.label}:
            message = f"`{name}` is yielded anyway, as the {'key' if name == dataset.key else 'label'}"
            yield facts.key_problem("CLS313", ("feedback", "auto_label", "columns", name), message, "remove it")


def quality_is_estimated(facts: Facts) -> Iterator[Diagnostic]:
    """One rule looks without prejudice."""
    feedback = facts.spec.feedback
    if feedback and facts.intact(*_RULES) and not any(isinstance(rule, Random) for rule in feedback.rules):
        message = "all rules look where mistakes are expected; none says how good the model is in production"
        hint = "add a rule such as `{id: audit, type: random, rate: 0.001}`"
        yield facts.key_problem("CLS423", _RULES, message, hint)


RULES = (
    reports_can_be_joined,
    reports_say_the_truth,
    absence_has_its_time,
    labels_are_classes,
    somebody_decides,
    somebody_audits,
    teacher_adds_columns,
    quality_is_estimated,
)
