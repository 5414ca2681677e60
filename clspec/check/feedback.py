"""Mistakes come back as data that fits, past the guard, to where the model learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check.roles import near, production
from clspec.diagnostic import did_you_mean
from clspec.spec import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.spec import Dataset

_AT = ("feedback",)


def names_exist(facts: Facts) -> Iterator[Diagnostic]:
    """The production source, the dataset that grows and those that nothing may leak from are defined."""
    feedback = facts.spec.feedback
    if feedback is None:
        return
    guard = feedback.leakage_guard
    places: list[tuple[str, str, Pointer]] = [("sources", feedback.source, (*_AT, "source"))]
    places += [("datasets", feedback.append_to, (*_AT, "append_to"))]
    for number, name in enumerate(guard.against if guard else ()):
        places.append(("datasets", name, (*_AT, "leakage_guard", "against", number)))
    for section, name, at in places:
        if found := facts.unknown(section, name, at):
            yield found


def nothing_passes_unguarded(facts: Facts) -> Iterator[Diagnostic]:
    """No row reaches the training data but past a guard that knows the golden rows."""
    feedback, golden = facts.spec.feedback, facts.spec.golden.dataset
    if feedback is None:
        return
    if feedback.leakage_guard is None:
        if facts.intact(*_AT, "leakage_guard"):
            message = "nothing keeps golden rows out of what is mined, labelled and appended"
            yield facts.key_problem("CLS421", _AT, message, f"add `leakage_guard: {{against: [{golden}]}}`")
    elif golden not in feedback.leakage_guard.against and facts.intact(*_AT, "leakage_guard", "against"):
        message = f"the guard does not know the golden dataset `{golden}`"
        yield facts.key_problem("CLS421", (*_AT, "leakage_guard", "against"), message, f"add `{golden}` to the list")


def appends_where_it_may(facts: Facts) -> Iterator[Diagnostic]:
    """What grows is what the model learns from, and no reviewed test."""
    feedback = facts.spec.feedback
    if feedback is None:
        return
    name, at = feedback.append_to, (*_AT, "append_to")
    dataset = facts.spec.datasets.get(name)
    learned = facts.spec.training.dataset
    if "golden" in facts.document.value and name == facts.spec.golden.dataset:
        message = f"`{name}` is the golden dataset, which nothing may append to"
        yield facts.problem("CLS422", at, message, f"write `append_to: {learned}`")
    elif dataset is not None and dataset.pinned:
        message = f"`{name}` is pinned: it stays as it was reviewed"
        hint = f"write `append_to: {learned}`" if learned != name else f"remove `pinned` from `datasets.{name}`"
        yield facts.problem("CLS422", at, message, hint)
    elif dataset is not None and name != learned:
        message = f"no model learns from `{name}`; `training.dataset` is `{learned}`"
        yield facts.problem("CLS422", at, message, f"write `append_to: {learned}`")


def mined_rows_fit(facts: Facts) -> Iterator[Diagnostic]:
    """A mined row has the key and the group of the dataset that it is for, and its types."""
    feedback, source = facts.spec.feedback, production(facts)
    if feedback is None or source is None:
        return
    name, at = feedback.append_to, (*_AT, "append_to")
    dataset = facts.dataset(name)
    there = facts.declared_columns("sources", feedback.source) or frozenset(source.columns)
    for role in ("key", "group"):
        column = getattr(dataset, role)
        if column is not None and column in (dataset.columns or {}) and column not in there:
            message = f"source `{feedback.source}` has no `{column}`, the {role} of `{name}`"
            hint = f"every mined row would lack its {role}: add the column to the source"
            yield facts.problem("CLS313", at, message, hint)
    for column, kind in (dataset.columns or {}).items():
        found = source.columns.get(column)
        if found is not None and found != kind:
            message = f"`{column}` is {found} in source `{feedback.source}` and {kind} in dataset `{name}`"
            yield facts.problem("CLS313", at, message, "give both the same type")


def golden_rows_can_be_told(facts: Facts) -> Iterator[Diagnostic]:
    """What is guarded has key and group as the dataset that grows, so that a leak can be seen."""
    feedback = facts.spec.feedback
    guard = feedback.leakage_guard if feedback else None
    if feedback is None or guard is None:
        return
    grown = facts.dataset(feedback.append_to)
    golden = facts.spec.golden.dataset if "golden" in facts.document.value else None
    for number, name in enumerate(guard.against):
        dataset = resolved(facts.spec, name)
        if dataset is None or name in {golden, feedback.append_to} or not facts.intact("datasets", name):
            continue  # of the golden dataset it is said where it is judged
        for role in ("key", "group"):
            if _kind(dataset, role) != _kind(grown, role):
                message = f"`{name}` and `{feedback.append_to}` have no {role} of one type"
                hint = "rows of both can only be told apart by key and group; `like` copies them"
                yield facts.problem("CLS409", (*_AT, "leakage_guard", "against", number), message, hint)


def _kind(dataset: Dataset, role: str) -> str | None:
    return (dataset.columns or {}).get(getattr(dataset, role) or "")


def media_are_there(facts: Facts) -> Iterator[Diagnostic]:
    """Near-duplicates are looked for in a column that all datasets concerned have."""
    feedback, source = facts.spec.feedback, production(facts)
    media = source.roles.media if source else None
    if feedback is None or media is None:
        return
    for at in near(facts):
        guard = feedback.leakage_guard.against if feedback.leakage_guard and at[1] == "leakage_guard" else ()
        for name in dict.fromkeys((feedback.append_to, *guard)):
            known = facts.declared_columns("datasets", name)
            if known is not None and media not in known:
                message = f"dataset `{name}` has no `{media}`, in which near-duplicates are looked for"
                yield facts.key_problem("CLS302", at, message, did_you_mean(media, known))
                continue
            kind = (facts.columns(name) if name in facts.spec.datasets else {}).get(media)
            if kind not in {None, "binary"}:
                message = f"`{media}` of dataset `{name}` is of type {kind}: an image is binary"
                yield facts.key_problem("CLS313", at, message, "give it the type that the source has")


def spread_is_possible(facts: Facts) -> Iterator[Diagnostic]:
    """A sample is spread over columns that are there, and counted by a group that there is."""
    feedback = facts.spec.feedback
    sampling = feedback.sampling if feedback else None
    if feedback is None or sampling is None:
        return
    at = (*_AT, "sampling")
    for number, column in enumerate(sampling.stratify_by):
        if column != "rule" and (
            found := facts.column_unknown("sources", feedback.source, column, (*at, "stratify_by", number))
        ):
            yield found
    grouped = facts.dataset(feedback.append_to).group or not facts.intact("datasets", feedback.append_to, "group")
    if sampling.max_per_group and not grouped:
        message = f"`max_per_group` needs a `group`, which dataset `{feedback.append_to}` lacks"
        yield facts.key_problem("CLS209", (*at, "max_per_group"), message, "give the dataset its `group`")


RULES = (
    names_exist,
    nothing_passes_unguarded,
    appends_where_it_may,
    mined_rows_fit,
    golden_rows_can_be_told,
    media_are_there,
    spread_is_possible,
)
