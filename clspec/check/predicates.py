"""Every predicate must be readable, be true or false, and look at columns that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import predicate
from clspec.check.groups import groups
from clspec.parse import Absent
from clspec.predicate.problem import UNKNOWN_COLUMN
from clspec.spec import EventAfter, Heuristic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer


def golden_columns(facts: Facts) -> dict[str, predicate.ColumnType]:
    """The columns of the golden dataset, as far as they can be read."""
    try:
        return typed(facts.columns(facts.spec.golden.dataset))
    except Absent:
        return {}


def typed(columns: Mapping[str, str]) -> dict[str, predicate.ColumnType]:
    """Columns as predicates know them."""
    return {name: predicate.ColumnType(kind) for name, kind in columns.items()}


def selections_are_understood(facts: Facts) -> Iterator[Diagnostic]:
    """Every selection and every slice makes sense on the golden dataset."""
    declared = facts.declared_columns("datasets", facts.spec.golden.dataset)
    columns = golden_columns(facts)
    for group in groups(facts):
        yield from _misunderstood(facts, (*group.at, "select"), group.select, columns, declared)
    for name, text in facts.spec.golden.slices.items():
        yield from _misunderstood(facts, ("golden", "slices", name), text, columns, declared)


def rules_are_understood(facts: Facts) -> Iterator[Diagnostic]:
    """Every condition of a feedback rule makes sense on what the model said in production."""
    if facts.spec.feedback is None:
        return
    name = facts.spec.feedback.source
    source = facts.spec.sources.get(name)
    columns = typed(source.columns) if source else {}
    declared = facts.declared_columns("sources", name)
    for index, rule in enumerate(facts.spec.feedback.rules):
        keys = ("when", "event") if isinstance(rule, EventAfter) else ("when",) if isinstance(rule, Heuristic) else ()
        for key in keys:
            yield from _misunderstood(facts, ("feedback", "rules", index, key), getattr(rule, key), columns, declared)


def acceptance_is_understood(facts: Facts) -> Iterator[Diagnostic]:
    """What an automatic label is accepted by makes sense on the columns that come with it."""
    teacher = facts.spec.feedback.auto_label if facts.spec.feedback else None
    if teacher is not None:
        at = ("feedback", "auto_label")
        declared = frozenset(teacher.columns) if facts.intact(*at, "columns") else None
        yield from _misunderstood(facts, (*at, "accept_if"), teacher.accept_if, typed(teacher.columns), declared)


def _misunderstood(
    facts: Facts,
    at: Pointer,
    text: str,
    columns: Mapping[str, predicate.ColumnType],
    declared: frozenset[str] | None,
) -> Iterator[Diagnostic]:
    """What is wrong with a predicate; not its columns where those, or the types of them, are unreadable."""
    for found in predicate.understand(text, columns)[1]:
        name = text[found.start : found.end]
        if found.code == UNKNOWN_COLUMN and (declared is None or (name in declared and name not in columns)):
            continue
        yield facts.problem(
            found.code, at, found.message, found.hint, facts.document.inside(at, found.start, found.end)
        )


OF_GOLDEN = (selections_are_understood,)
OF_LOOP = (rules_are_understood, acceptance_is_understood)
