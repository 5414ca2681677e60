"""What the language knows and this version does not carry out yet is refused, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_PLACES: tuple[tuple[str, ...], ...] = (("training",), ("inference",), ("feedback", "auto_label"))


def several_machines(facts: Facts) -> Iterator[Diagnostic]:
    """One step on several machines."""
    for place in _PLACES:
        found = facts.document.value
        for key in place:
            found = found.get(key, {})
        if found.get("resources", {}).get("nodes", 1) > 1:
            at: Pointer = (*place, "resources", "nodes")
            yield facts.key_problem("CLS801", at, "`nodes` over 1 is not supported yet", "remove it for now")


RULES = (several_machines,)
