"""Breast tumours under the microscope: the Wisconsin diagnostic data, in three parts that share no case.

Real data: 569 fine needle aspirates, 212 of them malignant, each described by thirty measurements of its cell nuclei
(W. Wolberg, W. Street and O. Mangasarian, 1995; UCI, CC BY 4.0), as scikit-learn ships it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from sklearn.datasets import load_breast_cancer

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASSES = ("benign", "malignant")
FAMILIES = ("mean", "error", "worst")
"""Each measurement is there as its mean over a sample, its standard error, and the mean of the three largest."""

_GOLDEN = {"malignant": 64, "benign": 107}
_CLINIC = {"malignant": 24, "benign": 40}


class Case(NamedTuple):
    """One case: its number in the published order, its measurements by name, and what it was."""

    case_id: str
    measured: dict[str, float]
    label: str


def learned() -> Iterator[dict[str, object]]:
    """Yield the 334 cases to learn from."""
    return (_row(case) for case in _parts()["learned"])


def golden() -> Iterator[dict[str, object]]:
    """Yield the 171 cases to judge on, 64 of them malignant."""
    return (_row(case) for case in _parts()["golden"])


def clinic() -> list[Case]:
    """Return the 64 cases that the simulated clinic draws its patients from."""
    return _parts()["clinic"]


def _row(case: Case) -> dict[str, object]:
    return {"case_id": case.case_id, "patient_id": case.case_id, **case.measured, "label": case.label}


def _parts() -> dict[str, list[Case]]:
    """Deal the cases out by a stable hash of their numbers, each class by itself."""
    parts: dict[str, list[Case]] = {"learned": [], "golden": [], "clinic": []}
    cases = _cases()
    for label in CLASSES:
        own = sorted((c for c in cases if c.label == label), key=lambda c: hashlib.sha256(c.case_id.encode()).digest())
        judged, seen = _GOLDEN[label], _GOLDEN[label] + _CLINIC[label]
        parts["golden"] += own[:judged]
        parts["clinic"] += own[judged:seen]
        parts["learned"] += own[seen:]
    return {name: sorted(part) for name, part in parts.items()}


def _cases() -> list[Case]:
    found = load_breast_cancer()
    names = [_name(name) for name in found.feature_names]
    labels = [{"benign": "benign", "malignant": "malignant"}[str(name)] for name in found.target_names]
    return [
        Case(f"wdbc-{number:03d}", dict(zip(names, values, strict=True)), labels[target])
        for number, (values, target) in enumerate(zip(found.data.tolist(), found.target.tolist(), strict=True))
    ]


def _name(published: str) -> str:
    """`mean concave points` as `mean_concave_points`, and `radius error` as `error_radius`, like the others."""
    if published.endswith(" error"):
        published = f"error {published.removesuffix(' error')}"
    return published.replace(" ", "_")
