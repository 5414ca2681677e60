"""Names must refer to something: datasets, sources, columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.spec import DataChange, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

KEY_TYPES = ("string", "integer")
LABEL_TYPES = {"classification": ("string",), "regression": ("double", "integer")}
"""What the truth may be, by the type of the task; of a custom one only its own metrics know."""


def datasets_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every place that names a dataset names one that is defined."""
    places: list[tuple[str, Pointer]] = [
        (dataset["like"], ("datasets", name, "like"))
        for name, dataset in facts.document.value.get("datasets", {}).items()
        if "like" in dataset
    ]
    places += [(name, (role, "dataset")) for role, name in _roles(facts)]
    for name, at in places:
        if found := facts.unknown("datasets", name, at):
            yield found


def _roles(facts: Facts) -> list[tuple[str, str]]:
    """The sections that name a dataset, each with the name."""
    value = facts.document.value
    return [(section, value[section]["dataset"]) for section in ("training", "golden") if section in value]


def sources_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every place that names a source names one that is defined."""
    for index, trigger in enumerate(facts.spec.triggers):
        if isinstance(trigger, DataChange) and (
            found := facts.unknown("sources", trigger.source, ("triggers", index, "source"))
        ):
            yield found
    for name, dataset in facts.spec.datasets.items():
        if dataset.from_ is not None and (found := facts.unknown("sources", dataset.from_, ("datasets", name, "from"))):
            yield found


def like_ends(facts: Facts) -> Iterator[Diagnostic]:
    """Following `like` ends at a dataset with columns of its own; a circle is told once."""
    told: set[str] = set()
    for name in facts.spec.datasets:
        chain, dataset = [name], facts.spec.datasets.get(name)
        while dataset is not None and dataset.like is not None and dataset.like not in chain:
            chain.append(dataset.like)
            dataset = facts.spec.datasets.get(dataset.like)
        if dataset is not None and dataset.like == name and name not in told:
            told.update(chain)
            path = " -> ".join([*chain, name])
            hint = "give one of them `columns` of its own"
            yield facts.problem("CLS306", ("datasets", name, "like"), f"`like` goes in a circle: {path}", hint)


def keys_are_columns(facts: Facts) -> Iterator[Diagnostic]:
    """The key and the group of a dataset are columns of it, and a key there is."""
    for name, own in facts.spec.datasets.items():
        at: Pointer = ("datasets", name)
        if own.columns is not None and own.key is None and facts.intact("datasets", name, "key"):
            hint = "the column that tells one row from all others"
            yield facts.key_problem("CLS202", at, f"`{facts.document.where(at)}` needs `key`", hint)
        for role, column in (("key", own.key), ("group", own.group)):
            if column is not None and (found := facts.column_unknown("datasets", name, column, (*at, role))):
                yield found
        dataset = resolved(facts.spec, name)
        kind = dataset.columns.get(own.key or "") if dataset is not None and dataset.columns else None
        if kind not in {None, *KEY_TYPES}:
            yield facts.problem(
                "CLS313", (*at, "key"), f"the key `{own.key}` is of type {kind}", "a key is a string or an integer"
            )


def roles_are_columns(facts: Facts) -> Iterator[Diagnostic]:
    """Every role of a source names one of its columns."""
    for name, source in facts.spec.sources.items():
        for role in source.roles.__struct_fields__:
            column = getattr(source.roles, role)
            if column is not None and (
                found := facts.column_unknown("sources", name, column, ("sources", name, "roles", role))
            ):
                yield found


def label_is_a_column(facts: Facts) -> Iterator[Diagnostic]:
    """The truth stands in a column of what is learned from and of what is judged on; it is told once."""
    label, at = facts.spec.task.label, ("task", "label")
    for _, name in _roles(facts):
        if found := facts.column_unknown("datasets", name, label, at):
            yield found
            return
        dataset = resolved(facts.spec, name)
        kind = dataset.columns.get(label) if dataset is not None and dataset.columns else None
        wanted = LABEL_TYPES.get(facts.spec.task.type)
        if wanted and kind is not None and kind not in wanted:
            hint = "classes are strings" if wanted == ("string",) else "what a regression predicts is a number"
            yield facts.problem("CLS313", at, f"`{label}` of dataset `{name}` is of type {kind}", hint)
            return


def cluster_is_a_column(facts: Facts) -> Iterator[Diagnostic]:
    """`cluster_by` names a column of the golden dataset."""
    golden = facts.spec.golden
    if golden.cluster_by is not None and (
        found := facts.column_unknown("datasets", golden.dataset, golden.cluster_by, ("golden", "cluster_by"))
    ):
        yield found


def sources_fit(facts: Facts) -> Iterator[Diagnostic]:
    """What a dataset takes from a source has the dataset's types; columns that the source lacks are NULL."""
    for name, own in facts.spec.datasets.items():
        dataset, source = resolved(facts.spec, name), facts.spec.sources.get(own.from_ or "")
        if dataset is None or dataset.columns is None or source is None:
            continue
        at: Pointer = ("datasets", name, "from")
        for column, kind in dataset.columns.items():
            found = source.columns.get(column)
            if found is not None and found != kind:
                yield facts.problem(
                    "CLS313",
                    at,
                    f"`{column}` is {found} in source `{own.from_}` and {kind} in dataset `{name}`",
                    "give both the same type",
                    related=facts.related(("sources", own.from_ or "", "columns", column), f"{found} here"),
                )
        there = facts.declared_columns("sources", own.from_ or "") or source.columns
        needed = dict.fromkeys((dataset.key, dataset.group, _label(facts)))
        missing = [f"`{c}`" for c in needed if c in dataset.columns and c not in there]
        if missing:
            message = f"source `{own.from_}` has no {', '.join(missing)}, which dataset `{name}` cannot lack"
            yield facts.problem("CLS313", at, message, "key, group and label are never NULL")


def _label(facts: Facts) -> str | None:
    return facts.spec.task.label if "task" in facts.document.value else None


RULES = (
    datasets_exist,
    sources_exist,
    like_ends,
    keys_are_columns,
    roles_are_columns,
    label_is_a_column,
    cluster_is_a_column,
    sources_fit,
)
