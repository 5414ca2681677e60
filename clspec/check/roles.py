"""What is asked of a source must be told by its columns: which says when, of which group, what the model said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clspec.check.references import KEY_TYPES, LABEL_TYPES
from clspec.spec import EventAfter, HumanFeedback, LowConfidence, PredictionFlip, Random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Rule, Source

_TYPES: dict[str, tuple[str, ...]] = {"id": KEY_TYPES, "time": ("timestamp",), "confidence": ("double",)}
_WORDS = {
    "id": "names a row",
    "time": "says when",
    "group": "says which rows belong together",
    "prediction": "holds what the model said",
    "confidence": "holds how sure it was",
    "media": "holds the image",
}


class Need(NamedTuple):
    """A role that a source must have, and what asks for it."""

    source: str
    role: str
    what: str
    at: Pointer


def roles_have_their_types(facts: Facts) -> Iterator[Diagnostic]:
    """A role's column can hold what the role means."""
    for name, source in facts.spec.sources.items():
        for role in source.roles.__struct_fields__:
            kind = source.columns.get(getattr(source.roles, role) or "")
            wanted = _wanted(facts, name, role)
            if kind is not None and wanted and kind not in wanted:
                message = f"`{getattr(source.roles, role)}` is of type {kind}; `{role}` takes {' or '.join(wanted)}"
                yield facts.problem("CLS313", ("sources", name, "roles", role), message, "name another column")


def _wanted(facts: Facts, name: str, role: str) -> tuple[str, ...]:
    """The types that a role's column may have; none where any will do."""
    if role == "prediction" and "task" in facts.document.value:
        return LABEL_TYPES.get(facts.spec.task.type, ())
    if role == "media" and any(need.source == name and need.role == role for need in needs(facts)):
        return ("binary",)
    return _TYPES.get(role, ())


def roles_are_given(facts: Facts) -> Iterator[Diagnostic]:
    """Every source has the roles that its use needs."""
    for need in needs(facts):
        source = facts.spec.sources.get(need.source)
        if source is None or getattr(source.roles, need.role) or not facts.intact("sources", need.source, "roles"):
            continue
        message = f"{need.what} needs to know which column of `{need.source}` {_WORDS[need.role]}"
        hint = f"add `roles: {{{need.role}: COLUMN}}` to `sources.{need.source}`"
        yield facts.problem("CLS318", need.at, message, hint)


def needs(facts: Facts) -> Iterator[Need]:
    """Every role that something asks for."""
    for name, source in facts.spec.sources.items():
        if source.freshness:
            yield Need(name, "time", "`freshness`", ("sources", name, "freshness"))
    feedback = facts.spec.feedback
    if feedback is None:
        return
    yield Need(feedback.source, "id", "`feedback`", ("feedback", "source"))
    for index, rule in enumerate(feedback.rules):
        for role in _of_rule(rule):
            kind = type(rule).__struct_config__.tag
            yield Need(feedback.source, role, f"`{kind}`", ("feedback", "rules", index, "type"))
    for at in near(facts):
        yield Need(feedback.source, "media", f"`{at[-1]}`", at)


def _of_rule(rule: Rule) -> tuple[str, ...]:
    if isinstance(rule, PredictionFlip):
        return "time", "group", "prediction"
    if isinstance(rule, EventAfter):
        return "time", "group"
    if isinstance(rule, LowConfidence):
        return ("confidence",)
    if isinstance(rule, Random) and rule.alarm:
        return ("prediction",)
    if isinstance(rule, HumanFeedback) and rule.matures_after:
        return ("time",)
    return ()


def near(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """The places that ask for near-duplicates."""
    feedback = facts.spec.feedback
    if feedback is not None and feedback.sampling and feedback.sampling.dedupe:
        yield "feedback", "sampling", "dedupe"
    if feedback is not None and feedback.leakage_guard and feedback.leakage_guard.near:
        yield "feedback", "leakage_guard", "near"


def production(facts: Facts) -> Source | None:
    """The source with what the model said, if it can be read."""
    return facts.spec.sources.get(facts.spec.feedback.source) if facts.spec.feedback else None


RULES = (roles_have_their_types, roles_are_given)
