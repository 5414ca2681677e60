"""Which step to begin first: the one with the longest path to the end behind it, by what the steps took before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.plan import Step


def urgency(steps: Sequence[Step], seconds: Mapping[str, float]) -> dict[str, float]:
    """For each step the seconds from its beginning to the end of the longest path that begins with it.

    `steps` stand in order. A step that never ran is taken to last as long as the others usually did.
    """
    usual = sorted(seconds.values())[len(seconds) // 2] if seconds else 1.0
    longest: dict[str, float] = {}
    for step in reversed(steps):
        longest[step.id] = longest.get(step.id, 0.0) + seconds.get(step.id, usual)
        for need in step.needs:
            longest[need] = max(longest.get(need, 0.0), longest[step.id])
    return longest
