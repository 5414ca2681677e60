"""What the spec is called, where the user's code lies, and what the model does."""

from __future__ import annotations

from typing import Literal

from clspec.spec.record import Record


class Metadata(Record, frozen=True, kw_only=True):
    """What the spec is called and whose it is."""

    name: str
    owners: tuple[str, ...] = ()


class Code(Record, frozen=True, kw_only=True):
    """The user's code: a folder beside the spec, and the image it lies in on a cluster."""

    root: str
    image: str = ""
    workdir: str = ""


class Task(Record, frozen=True, kw_only=True):
    """What the model predicts; `label` is the truth's column, `prediction` and `score` what predict yields."""

    type: Literal["classification", "regression", "custom"]
    label: str
    classes: tuple[str, ...] = ()
    prediction: str = "pred"
    score: str | None = None
