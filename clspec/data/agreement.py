"""How far labellers agree with each other, and with answers that are known."""

from __future__ import annotations

from collections import Counter
from math import fsum
from typing import TYPE_CHECKING, Any

from clspec.data.queue_state import UNUSABLE, newest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from clspec.data.queue_state import Item


def alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal values: 1 where all agree, 0 where they agree as often as by chance.

    alpha = 1 - D_o / D_e over units with at least two values, where D_o is the share of pairs within a unit that
    differ, each unit's pairs weighted by its number of values, and D_e that share over all pairs of values:
    Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C.

    Takes the values that each unit was given. None where no pair could differ: nothing was said twice, or only one
    value was ever given.
    """
    counts = [Counter(unit) for unit in units if len(unit) > 1]
    total = sum(counts, Counter())
    n = total.total()
    expected = n * n - sum(count * count for count in total.values())
    if expected == 0:
        return None
    observed = fsum(_different(count) / (count.total() - 1) for count in counts)
    return 1 - (n - 1) * observed / expected


def _different(counts: Counter[Hashable]) -> int:
    """Ordered pairs of values of a unit that differ."""
    return counts.total() ** 2 - sum(count * count for count in counts.values())


def agreement(items: Iterable[Item]) -> dict[str, Any]:
    """Alpha over the items that at least two people have judged, and how often each label was given there."""
    judged = [item for item in items if len(item.standing) > 1]
    units = [[vote.label or UNUSABLE for vote in item.standing.values()] for item in judged]
    said = Counter(label for unit in units for label in unit)
    return {"alpha": alpha(units), "items": len(judged), "votes": said.total(), "classes": dict(sorted(said.items()))}


def gold_accuracy(items: Iterable[Item]) -> dict[str, dict[str, Any]]:
    """For each labeller, how many gold questions were answered, and how many of these right."""
    answered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for item in items:
        for name, vote in newest(item.answers).items():
            answered[name] += 1
            right[name] += vote.label == item.label
    return {
        name: {"answered": count, "right": right[name], "accuracy": right[name] / count}
        for name, count in sorted(answered.items())
    }
