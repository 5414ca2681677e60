"""Every predicate must be readable, be true or false, and look at columns that are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clspec import predicate
from clspec.check.groups import groups
from clspec.diagnostic import Fix
from clspec.parse import Absent
from clspec.predicate.problem import UNKNOWN_COLUMN
from clspec.shape import surely
from clspec.spec import EventAfter, Heuristic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer, Span


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
        span = facts.document.inside(at, found.start, found.end)
        fix = _column_meant(facts, at, name, span, columns) if found.code == UNKNOWN_COLUMN else None
        yield facts.problem(found.code, at, found.message, found.hint, span, fix=fix)


def _column_meant(
    facts: Facts, at: Pointer, name: str, span: Span, columns: Mapping[str, predicate.ColumnType]
) -> Fix | None:
    """What mends the name of a column where it stands in a predicate as it is, without quotes and escapes.

    Not by a column that the predicate asks for already: then another one may be meant.
    """
    text = facts.document.text_of(at)
    as_it_is = span.line == span.end_line and span.end_column - span.column == len(name)
    if not as_it_is or not name.isidentifier() or text.startswith("*") or facts.recurs(name):
        return None
    meant = surely.name(name, columns, re.findall(r"\w+", text))
    return Fix(span, meant) if meant is not None and meant.isidentifier() and meant.isascii() else None


OF_GOLDEN = (selections_are_understood,)
OF_LOOP = (rules_are_understood, acceptance_is_understood)
