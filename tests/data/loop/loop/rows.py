"""Drives towards a traffic light, made by counting, so that every machine makes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEEN = ("red", "green", "green")
_ALL = ("red", "amber", "green", "amber")


def drives() -> Iterator[dict[str, str | int]]:
    """What is learned from at first: 100 rides of 6 moments, none at an amber light."""
    return rides("drive", 100, _SEEN)


def golden_drives() -> Iterator[dict[str, str | int]]:
    """What is judged on: 240 other rides of 4 moments, amber lights among them."""
    return rides("golden", 240, _ALL, moments=4)


def truth(light: str, gap: int) -> str:
    """What would have been right."""
    return "brake" if light == "red" or gap < 20 else "go"  # metres


def rides(name: str, count: int, lights: tuple[str, ...], moments: int = 6) -> Iterator[dict[str, str | int]]:
    """So many rides, each under a name of its own."""
    for ride in range(count):
        for moment in range(moments):
            light = lights[(ride + moment) % len(lights)]
            gap = (7 * ride + 13 * moment) % 60
            yield {
                "id": f"{name}-{ride:03}-{moment}",
                "ride": f"{name}-{ride:03}",
                "light": light,
                "gap": gap,
                "label": truth(light, gap),
            }
