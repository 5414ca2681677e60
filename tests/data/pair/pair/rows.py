"""Drives towards a traffic light, made by counting, so that every machine makes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIGHTS = ("red", "amber", "green", "green")


def drives() -> Iterator[dict[str, str | int]]:
    """What is learned from: 100 rides of 6 moments."""
    return _rides("drive", 100)


def more_drives() -> Iterator[dict[str, str | int]]:
    """A second version's worth: 20 more rides."""
    return _rides("more", 20)


def golden_drives() -> Iterator[dict[str, str | int]]:
    """What is judged on: 120 other rides of 4 moments."""
    return _rides("golden", 120, moments=4)


def _rides(name: str, count: int, moments: int = 6) -> Iterator[dict[str, str | int]]:
    for ride in range(count):
        for moment in range(moments):
            light = _LIGHTS[(ride + moment) % len(_LIGHTS)]
            gap = (7 * ride + 13 * moment) % 60
            yield {
                "id": f"{name}-{ride:03}-{moment}",
                "ride": f"{name}-{ride:03}",
                "light": light,
                "gap": gap,
                "label": "brake" if light == "red" or gap < 20 else "go",
            }
