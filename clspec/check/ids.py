"""What has a name has one of its own, so that a verdict or a label says whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.diagnostic import Related

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic


def ids_are_unique(facts: Facts) -> Iterator[Diagnostic]:
    """Every scenario has an id of its own."""
    names = (scenario.id for scenario in facts.spec.golden.scenarios)
    yield from _repeated(facts, ("golden", "scenarios"), "id", names)


def rule_ids_are_unique(facts: Facts) -> Iterator[Diagnostic]:
    """Every feedback rule has an id of its own."""
    if facts.spec.feedback is not None:
        yield from _repeated(facts, ("feedback", "rules"), "id", (rule.id for rule in facts.spec.feedback.rules))


def aliases_are_unique(facts: Facts) -> Iterator[Diagnostic]:
    """Every stage of promotion has an alias of its own."""
    if facts.spec.promotion is not None:
        names = (stage.alias for stage in facts.spec.promotion.stages)
        yield from _repeated(facts, ("promotion", "stages"), "alias", names)


def _repeated(facts: Facts, section: tuple[str, str], key: str, names: Iterable[str]) -> Iterator[Diagnostic]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            place = facts.document.span((*section, first[name], key))
            message = f"`{name}` is already the {key} in line {place.line}"
            hint, related = f"give it an {key} of its own", (Related(place, "first given here"),)
            yield facts.problem("CLS305", (*section, index, key), message, hint, related=related)


RULES = (ids_are_unique, rule_ids_are_unique, aliases_are_unique)
