"""The lock must speak of this spec: every dataset pinned, and nothing stated differently."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.check.groups import all_there, groups
from clspec.check.samples import judged_on, pinned
from clspec.spec import resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.spec import Dataset


def _mend(facts: Facts, option: str = "") -> str:
    return f"run `clspec lock {shlex.quote(facts.document.path)}{option}`"


def lock_is_there(facts: Facts) -> Iterator[Diagnostic]:
    """There is a lock; one that cannot be read is told where it is read."""
    if facts.lock is None and facts.spec.datasets and not Path(facts.lock_path).exists():
        message = f"nothing is pinned: there is no {facts.lock_path}"
        yield facts.key_problem("CLS601", ("datasets",), message, _mend(facts))


def datasets_are_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Every dataset of the spec has a pin, made with the columns, key and group that the spec states."""
    if facts.lock is None:
        return
    for name in facts.spec.datasets:
        pin, dataset = facts.lock.datasets.get(name), resolved(facts.spec, name)
        at = ("datasets", name)
        if pin is None:
            yield facts.key_problem("CLS601", at, f"dataset `{name}` has no pin in {facts.lock_path}", _mend(facts))
        elif dataset is not None and _readable(facts, name, dataset):
            stated = {"columns": dataset.columns, "key": dataset.key, "group": dataset.group or ""}
            differing = [what for what, value in stated.items() if getattr(pin, what) != value]
            # A digest covers the columns and the order of the keys: with others it is another dataset.
            moved = {"columns", "key"} & set(differing)
            hint = _mend(facts, f" --update {name}") if moved else _mend(facts)
            if differing:
                what = " and ".join("other columns" if what == "columns" else f"another {what}" for what in differing)
                message = f"the pin of `{name}` was made with {what}"
                yield facts.key_problem("CLS602", at, message, hint)


def _readable(facts: Facts, name: str, dataset: Dataset) -> bool:
    """Whether the shape of a dataset is known, and makes sense; what does not is told elsewhere."""
    columns = dataset.columns or {}
    roles = {dataset.key, dataset.group or dataset.key}
    return roles <= columns.keys() and all(facts.intact("datasets", one) for one in _origins(facts, name))


def _origins(facts: Facts, name: str) -> Iterator[str]:
    """A dataset and all that it is `like`."""
    dataset = facts.spec.datasets.get(name)
    yield name
    while dataset is not None and dataset.like is not None:
        yield dataset.like
        dataset = facts.spec.datasets.get(dataset.like)


def sources_are_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Every source has the columns that it had when the lock was made."""
    if facts.lock is None:
        return
    for name, source in facts.spec.sources.items():
        pin = facts.lock.sources.get(name)
        if facts.intact("sources", name, "columns") and (pin is None or pin.columns != source.columns):
            what = "is not in" if pin is None else "has other columns than in"
            message = f"source `{name}` {what} {facts.lock_path}"
            yield facts.key_problem("CLS602", ("sources", name), message, _mend(facts))


def scenarios_are_counted(facts: Facts) -> Iterator[Diagnostic]:
    """The lock counts the rows of every selection as it stands; of several with one id, of the first."""
    golden = facts.spec.golden
    if facts.lock is None or golden.dataset not in facts.lock.datasets or not facts.intact("golden", "cluster_by"):
        return
    counted = {pin.scenario.cluster_by for pin in facts.lock.scenarios.values()}
    if counted and (golden.cluster_by or "") not in counted:
        at = ("golden", "cluster_by" if golden.cluster_by else "dataset")
        message = f"{facts.lock_path} counts {_clusters(counted)}, not {_clusters({golden.cluster_by or ''})}"
        yield facts.problem("CLS602", at, message, _mend(facts))
        return
    first: dict[str, int] = {}
    for group in groups(facts):
        mine = int(group.at[2])
        counts = (pinned(facts, group), *(count for _, count in judged_on(facts, group)))
        if first.setdefault(group.scenario.id, mine) == mine and None in counts:
            message = f"{facts.lock_path} does not count the rows of this selection"
            yield facts.problem("CLS602", (*group.at, "select"), message, _mend(facts))


def _clusters(columns: Iterable[str]) -> str:
    return " and ".join(f"clusters by `{column}`" if column else "rows" for column in sorted(columns))


def pins_are_used(facts: Facts) -> Iterator[Diagnostic]:
    """The lock pins nothing that the spec no longer has."""
    if facts.lock is None:
        return
    for section, pins in (("datasets", facts.lock.datasets), ("sources", facts.lock.sources)):
        there = section in facts.document.value
        if there is not (section in facts.written.value):
            continue
        at = (section,) if there else ()
        for name in pins:
            if name not in facts.declared(section) and not facts.unreadable(section):
                yield facts.key_problem("CLS604", at, f"{facts.lock_path} pins `{name}`, which is gone", _mend(facts))
    images = {facts.spec.code.image, *(e.code.image for e in facts.spec.environments.values() if e.code)}
    for tag in facts.lock.images:
        if facts.intact("code", "image") and facts.intact("environments") and tag not in images:
            yield facts.key_problem("CLS604", ("code",), f"{facts.lock_path} pins `{tag}`, which is gone", _mend(facts))
    known = {scenario.id for scenario in facts.spec.golden.scenarios}
    for name in facts.lock.scenarios:
        if name not in known and all_there(facts):
            message = f"{facts.lock_path} counts scenario `{name}`, which is gone"
            yield facts.key_problem("CLS604", ("golden", "scenarios"), message, _mend(facts))


RULES = (lock_is_there, datasets_are_pinned, sources_are_pinned, scenarios_are_counted, pins_are_used)
