"""What changes to the rest of a spec weigh: data, code, machines, occasions, and who is told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from clspec.diff.judging import Judge, Rules, always, listed, number, presence, told_elsewhere

if TYPE_CHECKING:
    from clspec.diff.leaves import Leaf


def _seeds(leaf: Leaf) -> str:
    old, new = list(leaf.old), list(leaf.new)
    if len(set(new)) < len(set(old)):
        return "seeds-fewer"
    return "seeds-more" if new[: len(old)] == old else "seeds-changed"


def _classes(leaf: Leaf) -> str:
    return listed(fewer="truth-changed", more="task-changed", same="metadata")(leaf) or "unknown"


def _secrets(leaf: Leaf) -> str:
    """Those that a step may read; the same one from elsewhere is another."""
    return "secret-removed" if all(one in leaf.old for one in leaf.new) else "secret-added"


def _pinned(leaf: Leaf) -> str:
    return "pinned" if leaf.new else "unpinned"


def _expires(leaf: Leaf) -> str:
    """A waiver that holds longer is one that the base has not; a day that is none is an error told elsewhere."""
    try:
        return "waiver-removed" if date.fromisoformat(leaf.new) < date.fromisoformat(leaf.old) else "waiver-added"
    except ValueError:
        return "waiver-added"


def placed(below: str) -> Rules:
    """Where user code runs."""
    return (
        (f"{below}.secrets", _secrets),
        *((f"{below}.{key}", always("machine")) for key in ("resources.**", "isolation", "timeout", "retry.**")),
    )


def _gates(below: str) -> Rules:
    """What is expected of data."""
    gone = presence(added="data-gate-stronger", removed="data-gate-removed", changed="data-gate-weaker")
    high: Judge = _gate(more_is_stricter=False)
    low: Judge = _gate(more_is_stricter=True)
    return (
        (f"{below}.expect", gone),
        (f"{below}.expect.rows", gone),
        (f"{below}.expect.rows.min", low),
        (f"{below}.expect.rows.max", high),
        (f"{below}.expect.nulls.*", high),
        (f"{below}.expect.ranges.*", gone),
        (f"{below}.expect.ranges.*.min", low),
        (f"{below}.expect.ranges.*.max", high),
        (f"{below}.expect.drift", gone),
        (f"{below}.expect.drift.max_psi", high),
        (
            f"{below}.expect.drift.columns",
            listed(fewer="data-gate-removed", more="data-gate-stronger", same="metadata"),
        ),
        (f"{below}.expect.drift.against", always("data-gate-weaker")),
        (
            f"{below}.freshness",
            number(
                up="data-gate-weaker",
                down="data-gate-stronger",
                added="data-gate-stronger",
                removed="data-gate-removed",
            ),
        ),
    )


def _gate(*, more_is_stricter: bool) -> Judge:
    up, down = "data-gate-weaker", "data-gate-stronger"
    if more_is_stricter:
        up, down = down, up
    return number(up=up, down=down, added="data-gate-stronger", removed="data-gate-removed")


RULES: Rules = (
    ("metadata.name", always("store-moved")),
    ("metadata.owners", always("metadata")),
    ("meta.**", always("metadata")),
    ("store", always("store-moved")),
    ("code.root", always("code-place")),
    ("code.image", always("image-changed")),
    ("code.workdir", always("machine")),
    ("task.type", always("truth-changed")),
    ("task.label", always("truth-changed")),
    ("task.classes", _classes),
    ("task.*", always("task-changed")),
    ("sources.*", presence(added="source-added", removed="source-removed", changed="unknown")),
    *_gates("sources.*"),
    *(
        (f"sources.*.{key}", always("source-changed"))
        for key in ("type", "uri", "dsn_env", "query", "entrypoint", "command", "columns.**", "roles.**")
    ),
    ("datasets.*", presence(added="dataset-added", removed="dataset-removed", changed="unknown")),
    ("datasets.*.key", always("truth-changed")),
    (
        "datasets.*.group",
        presence(added="dataset-changed", removed="truth-changed", changed="truth-changed"),
    ),
    ("datasets.*.pinned", _pinned),
    *_gates("datasets.*"),
    *((f"datasets.*.{key}", always("dataset-changed")) for key in ("columns.**", "from", "like")),
    ("training.dataset", always("training-data")),
    ("training.split.**", always("training-data")),
    ("training.params.**", always("params-changed")),
    ("training.seeds", _seeds),
    *placed("training"),
    *placed("inference"),
    ("inference.shards", always("machine")),
    *(
        (f"{place}.{key}", always("code-place"))
        for place in ("training", "inference")
        for key in ("entrypoint", "command")
    ),
    ("triggers.*", presence(added="trigger-added", removed="trigger-removed", changed="unknown")),
    ("triggers.*.paths", listed(fewer="trigger-removed", more="trigger-added", same="metadata")),
    ("triggers.**", always("trigger-changed")),
    ("notify.*", presence(added="notice-added", removed="notice-removed", changed="unknown")),
    ("notify.*.on_event", listed(fewer="notice-removed", more="notice-added", same="metadata")),
    ("notify.**", always("notice-changed")),
    ("waivers.*", presence(added="waiver-added", removed="waiver-removed", changed="unknown")),
    ("waivers.*.expires", _expires),
    ("waivers.**", always("waiver-changed")),
    ("environments", told_elsewhere),
)
