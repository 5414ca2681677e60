"""What a scenario asks for, as a digest, so that a verdict says by which gates it was reached."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping


def counted(scenario: Mapping[str, Any], slices: Mapping[str, str], cluster_by: str | None) -> str:
    """Of a scenario as the evaluation reads it: which rows it selects, in which clusters, and what it counts there."""
    named = {name: slices[name] for name in scenario["slices"]}
    return _digest({"scenario": scenario, "slices": named, "cluster_by": cluster_by})


def demanded(scenario: Mapping[str, Any]) -> str:
    """Of a scenario as the gate reads it: what it demands of what was counted."""
    return _digest(scenario)


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()
