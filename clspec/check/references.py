"""Names must refer to something: datasets, sources, columns, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.diagnostic import did_you_mean
from clspec.spec import DataChange, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer


def datasets_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every place that names a dataset names one that is defined."""
    spec = facts.spec
    places: list[tuple[str, Pointer]] = [
        (dataset.like, ("datasets", name, "like")) for name, dataset in spec.datasets.items() if dataset.like
    ]
    if "training" in facts.document.value:
        places.append((spec.training.dataset, ("training", "dataset")))
    if "golden" in facts.document.value:
        places.append((spec.golden.dataset, ("golden", "dataset")))
    for name, at in places:
        if found := facts.unknown("datasets", name, at):
            yield found


def sources_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every place that names a source names one that is defined."""
    for index, trigger in enumerate(facts.spec.triggers):
        if isinstance(trigger, DataChange) and (
            found := facts.unknown("sources", trigger.source, ("triggers", index, "source"))
        ):
            yield found
    for name, dataset in facts.spec.datasets.items():
        if dataset.from_ and (found := facts.unknown("sources", dataset.from_, ("datasets", name, "from"))):
            yield found


def like_ends(facts: Facts) -> Iterator[Diagnostic]:
    """Following `like` ends at a dataset with columns of its own."""
    for name, own in facts.spec.datasets.items():
        chain, dataset = [name], facts.spec.datasets.get(name)
        while dataset is not None and dataset.like is not None and dataset.like not in chain:
            chain.append(dataset.like)
            dataset = facts.spec.datasets.get(dataset.like)
        if own.like is not None and dataset is not None and dataset.like == name:
            path = " -> ".join([*chain, name])
            yield facts.problem("CLS306", ("datasets", name, "like"), f"`like` goes in a circle: {path}")


def keys_are_columns(facts: Facts) -> Iterator[Diagnostic]:
    """The key and the group of a dataset are columns of it, and a key there is."""
    for name, own in facts.spec.datasets.items():
        dataset = resolved(facts.spec, name)
        if dataset is None or dataset.columns is None:
            continue
        at: Pointer = ("datasets", name)
        if dataset.key is None:
            yield facts.key_problem("CLS202", at, f"`{facts.document.where(at)}` needs `key`: what names a row")
        for role in ("key", "group"):
            column = getattr(own, role)
            if column is not None and column not in dataset.columns:
                yield _unknown_column(facts, column, dataset.columns, (*at, role), f"dataset `{name}`")
        kind = dataset.columns.get(dataset.key or "")
        if own.key is not None and kind not in {None, "string", "integer"}:
            yield facts.problem(
                "CLS313", (*at, "key"), f"the key `{own.key}` is of type {kind}", "a key is a string or an integer"
            )


def roles_are_columns(facts: Facts) -> Iterator[Diagnostic]:
    """Every role of a source names one of its columns."""
    for name, source in facts.spec.sources.items():
        for role in source.roles.__struct_fields__:
            column = getattr(source.roles, role)
            if column is not None and column not in source.columns:
                yield _unknown_column(
                    facts, column, source.columns, ("sources", name, "roles", role), f"source `{name}`"
                )


def label_is_a_column(facts: Facts) -> Iterator[Diagnostic]:
    """The truth stands in a column of what is learned from and of what is judged on."""
    label = facts.spec.task.label
    for name in (facts.spec.training.dataset, facts.spec.golden.dataset):
        dataset = resolved(facts.spec, name)
        if dataset is None or dataset.columns is None:
            continue
        if label not in dataset.columns:
            yield _unknown_column(facts, label, dataset.columns, ("task", "label"), f"dataset `{name}`")
        elif facts.spec.task.type == "classification" and dataset.columns[label] != "string":
            yield facts.problem(
                "CLS313",
                ("task", "label"),
                f"`{label}` of dataset `{name}` is of type {dataset.columns[label]}",
                "classes are strings",
            )


def cluster_is_a_column(facts: Facts) -> Iterator[Diagnostic]:
    """`cluster_by` names a column of the golden dataset."""
    column = facts.spec.golden.cluster_by
    columns = facts.columns(facts.spec.golden.dataset)
    if column is not None and column not in columns:
        yield _unknown_column(
            facts, column, columns, ("golden", "cluster_by"), f"dataset `{facts.spec.golden.dataset}`"
        )


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
                    "CLS313", at, f"`{column}` is {found} in source `{own.from_}` and {kind} in dataset `{name}`"
                )
        needed = [dataset.key, dataset.group, _label(facts)]
        missing = [c for c in dict.fromkeys(needed) if c and c in dataset.columns and c not in source.columns]
        if missing:
            names = ", ".join(f"`{column}`" for column in missing)
            yield facts.problem(
                "CLS313", at, f"source `{own.from_}` has no {names}, which dataset `{name}` cannot lack"
            )


def _label(facts: Facts) -> str | None:
    return facts.spec.task.label if "task" in facts.document.value else None


def _unknown_column(facts: Facts, column: str, known: dict[str, str], at: Pointer, place: str) -> Diagnostic:
    return facts.problem("CLS302", at, f"{place} has no column `{column}`", did_you_mean(column, known))


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
