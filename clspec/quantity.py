"""The language's durations and memory sizes as numbers."""

from __future__ import annotations

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}


def seconds(duration: str) -> int:
    """`90s 15m 6h 14d` as seconds."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def size(memory: str) -> int:
    """`512Mi 16Gi` as bytes."""
    return int(memory[:-2]) * _BYTES[memory[-2:]]
