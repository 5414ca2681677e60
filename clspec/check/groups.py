"""The selections of a spec that are judged: each scenario's own, and its guard's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Pointer
    from clspec.spec import Check, Guard, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A selection and what must hold of it. Where its scenario is not `intact`, something broken was cut out of it."""

    scenario: Scenario
    select: str
    checks: tuple[Check, ...]
    at: Pointer
    guard: bool
    intact: bool

    def places(self) -> Iterator[tuple[Check, Pointer]]:
        """Each check with its place."""
        for number, check in enumerate(self.checks):
            yield check, (*self.at, "checks", number)


@lru_cache(maxsize=2)
def groups(facts: Facts) -> tuple[Group, ...]:
    """Every selection that is judged, in the order of the spec; twenty rules ask for them."""
    return tuple(_groups(facts))


def _groups(facts: Facts) -> Iterator[Group]:
    whole = intact(facts)
    for index, scenario in enumerate(facts.spec.golden.scenarios):
        at: Pointer = ("golden", "scenarios", index)
        halves: list[tuple[Scenario | Guard, Pointer]] = [(scenario, at)]
        if scenario.guard is not None:
            halves.append((scenario.guard, (*at, "guard")))
        for half, place in halves:
            yield Group(
                scenario=scenario,
                select=half.select,
                checks=half.checks,
                at=place,
                guard=half is not scenario,
                intact=index in whole,
            )


def intact(facts: Facts) -> frozenset[int]:
    """The positions of the scenarios of which nothing was cut out: copies of a document share what they leave alone."""
    read = facts.spec.golden.scenarios
    written = {id(scenario) for scenario in facts.written.value["golden"]["scenarios"]}
    ours = facts.document.value["golden"]["scenarios"]
    return frozenset(index for index in range(len(read)) if id(ours[index]) in written)


def all_there(facts: Facts) -> bool:
    """Whether no scenario is missing or lacks a part."""
    return facts.intact("golden", "scenarios")
