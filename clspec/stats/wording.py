"""Numbers in the sentences of verdicts: as written by the user, or exact enough to see which side they stand on."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def shown(value: float, stands: Callable[[float], bool]) -> str:
    """A value with three decimals, or as many more as it takes to see on which side of the threshold it stands."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 18))
    return next((text for text in texts if stands(float(text)) == stands(value)), repr(value))


def plain(value: float) -> str:
    """A threshold as a person would write it."""
    return format(Decimal(repr(value)).normalize(), "f")


def percent(share: float) -> str:
    """A confidence, `95 %`."""
    return format((100 * Decimal(repr(share))).normalize(), "f") + " %"


def number(count: int, what: str) -> str:
    """A count and its noun, `1 row` or `3 rows`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
