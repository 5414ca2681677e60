"""The lock must speak of this spec: every dataset pinned, and nothing stated differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.check.scenarios import groups
from clspec.parse import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.lock import Count, DatasetPin


def _mend(facts: Facts) -> str:
    return f"run `clspec lock {facts.document.path}`"


def datasets_are_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Every dataset of the spec has a pin, made with the columns, key and group that the spec states."""
    for name in facts.spec.datasets:
        pin = facts.lock.datasets.get(name) if facts.lock else None
        at = ("datasets", name)
        if pin is None:
            yield facts.key_problem("CLS601", at, f"dataset `{name}` has no pin in {facts.lock_path}", _mend(facts))
            continue
        try:
            dataset = facts.dataset(name)
        except Absent:
            continue
        stated = {"columns": dataset.columns, "key": dataset.key, "group": dataset.group or ""}
        if differing := [what for what, value in stated.items() if getattr(pin, what) != value]:
            yield facts.key_problem(
                "CLS602",
                at,
                f"the pin of `{name}` was made with other {' and '.join(differing)}",
                _other_shape(facts, name, pin),
            )


def _other_shape(facts: Facts, name: str, pin: DatasetPin) -> str:
    """A digest covers the columns: another shape is another dataset."""
    if facts.dataset(name).columns == pin.columns:
        return _mend(facts)
    return f"{_mend(facts)} --update {name}` to pin a version with these columns".replace("` --update", " --update")


def sources_are_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """Every source has the columns that it had when the lock was made."""
    if facts.lock is None:
        return
    for name, source in facts.spec.sources.items():
        pin = facts.lock.sources.get(name)
        if pin is None or pin.columns != source.columns:
            what = "is not in" if pin is None else "has other columns than in"
            yield facts.key_problem(
                "CLS602", ("sources", name), f"source `{name}` {what} {facts.lock_path}", _mend(facts)
            )


def scenarios_are_counted(facts: Facts) -> Iterator[Diagnostic]:
    """The lock counts the rows of every selection as it stands."""
    if facts.lock is None or facts.spec.golden.dataset not in facts.lock.datasets:
        return
    cluster_by = facts.spec.golden.cluster_by or ""
    for scenario, select, _, at in groups(facts):
        pin = facts.lock.scenarios.get(scenario.id)
        count: Count | None = None
        if pin is not None:
            count = pin.guard if at[-1] == "guard" else pin.scenario
        if count is None or count.select != select or count.cluster_by != cluster_by:
            yield facts.problem(
                "CLS602", (*at, "select"), f"{facts.lock_path} does not count the rows of this selection", _mend(facts)
            )


def pins_are_used(facts: Facts) -> Iterator[Diagnostic]:
    """The lock pins nothing that the spec no longer has."""
    if facts.lock is None:
        return
    for section, pins in (("datasets", facts.lock.datasets), ("sources", facts.lock.sources)):
        at = (section,)
        for name in pins:
            if name not in facts.declared(section) and section in facts.document.value:
                yield facts.key_problem("CLS604", at, f"{facts.lock_path} pins `{name}`, which is gone", _mend(facts))
    known = {scenario.id for scenario in facts.spec.golden.scenarios}
    if len(known) < len(facts.written.value["golden"]["scenarios"]):
        return
    for name in facts.lock.scenarios:
        if name not in known:
            message = f"{facts.lock_path} counts scenario `{name}`, which is gone"
            yield facts.key_problem("CLS604", ("golden", "scenarios"), message, _mend(facts))


RULES = (datasets_are_pinned, sources_are_pinned, scenarios_are_counted, pins_are_used)
