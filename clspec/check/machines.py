"""Several machines at once: for training alone, which is one computation; predictions are spread in shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_HINTS = {
    ("inference",): "spread it with `inference.shards`: each shard is a step of its own, on any machine",
    ("feedback", "auto_label"): "use `nodes: 1`",
}
"""What runs user code and is no training, and the way out."""


def only_training_spreads(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing but training asks for several machines."""
    for place, hint in _HINTS.items():
        found = facts.document.value
        for key in place:
            found = found.get(key, {})
        nodes = found.get("resources", {}).get("nodes", 1)
        if nodes > 1:
            at: Pointer = (*place, "resources", "nodes")
            message = f"`nodes: {nodes}`: only training runs on several machines at once"
            yield facts.key_problem("CLS520", at, message, hint)


RULES = (only_training_spreads,)
