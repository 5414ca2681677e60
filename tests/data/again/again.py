"""A model that is taught amber lights once, and a machine that dies while it learns from them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import model
import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGAN = datetime(2026, 5, 1, tzinfo=UTC)


def drives() -> Iterator[dict[str, str | int]]:
    """What is learned from at first: no amber light."""
    return (row for row in rows.drives() if row["light"] != "amber")


def fleet() -> Iterator[dict[str, str | int | float | datetime]]:
    """What production said: it brakes at every amber light, without being sure."""
    for number, row in enumerate(rows.more_drives()):
        knows = row["light"] != "amber"
        yield {
            "event": f"e{number:03}",
            "at": _BEGAN + timedelta(minutes=number),
            "id": f"fleet-{row['id']}",
            "ride": f"fleet-{row['ride']}",
            "light": row["light"],
            "gap": row["gap"],
            "said": row["label"] if knows else "brake",
            "belief": 1.0 if knows else 0.5,
        }


def train(data: str, validation: str, model_dir: str, seed: int, stumbles: str) -> dict[str, float]:
    """Learn as ever; but the first time that seed 2 does in the presence of that folder, its machine is lost."""
    place = Path(stumbles)
    if seed == 2 and place.is_dir() and not (place / "stumbled").exists():
        (place / "stumbled").touch()
        os._exit(75)
    return model.train(data, validation, model_dir, seed)
