"""How mistakes come back as data, and how a model is promoted."""

from __future__ import annotations

from clspec.spec.place import Place
from clspec.spec.record import Columns, Record


class Alarm(Record, frozen=True, kw_only=True):
    """When the estimate of production quality fails the run."""

    error_rate: float


class Rule(Record, tag_field="type", frozen=True, kw_only=True):
    """A rule that finds mistakes in production."""

    id: str


class PredictionFlip(Rule, tag="prediction_flip", frozen=True, kw_only=True):
    """A B A within `window` consecutive rows of a group."""

    window: int


class EventAfter(Rule, tag="event_after", frozen=True, kw_only=True):
    """An `event` row of the same group no later than `within` after a `when` row."""

    when: str
    event: str
    within: str


class Heuristic(Rule, tag="heuristic", frozen=True, kw_only=True):
    """Rows for which a predicate holds."""

    when: str


class HumanFeedback(Rule, tag="human_feedback", frozen=True, kw_only=True):
    """Rows that people corrected."""

    source: str
    join: str
    label: str
    matures_after: str | None = None
    when_absent: str | None = None


class LowConfidence(Rule, tag="low_confidence", frozen=True, kw_only=True):
    """Rows whose confidence is low."""

    below: float


class Random(Rule, tag="random", frozen=True, kw_only=True):
    """A random share of all rows: the only unbiased estimate of production quality."""

    rate: float
    alarm: Alarm | None = None


class Near(Record, frozen=True, kw_only=True):
    """What counts as a near-duplicate."""

    method: str
    distance: int


class Sampling(Record, frozen=True, kw_only=True):
    """Which mined rows are labelled."""

    budget: int
    stratify_by: tuple[str, ...] = ()
    max_per_group: int | None = None
    dedupe: Near | None = None


class LeakageGuard(Record, frozen=True, kw_only=True):
    """Datasets that nothing may leak from."""

    against: tuple[str, ...]
    near: Near | None = None


class AutoLabel(Place, frozen=True, kw_only=True):
    """Labels by a model, a share of them checked by people."""

    accept_if: str
    audit_rate: float
    columns: Columns = {}
    max_disagreement: float | None = None
    never_for: tuple[str, ...] = ()


class Labelling(Record, frozen=True, kw_only=True):
    """Labels by people."""

    queue: str
    votes: int = 1
    on_disagreement: str | None = None
    gold_rate: float = 0.0


class RetrainWhen(Record, frozen=True, kw_only=True):
    """When a new model is trained."""

    min_new_samples: int
    min_per_class: dict[str, int] = {}
    max_wait: str | None = None


class Feedback(Record, frozen=True, kw_only=True):
    """How mistakes come back as data."""

    source: str
    rules: tuple[PredictionFlip | EventAfter | Heuristic | HumanFeedback | LowConfidence | Random, ...]
    append_to: str
    sampling: Sampling | None = None
    leakage_guard: LeakageGuard | None = None
    auto_label: AutoLabel | None = None
    labelling: Labelling | None = None
    retrain_when: RetrainWhen | None = None


class Stage(Record, frozen=True, kw_only=True):
    """A stage of promotion."""

    alias: str
    approval: str | None = None


class Promotion(Record, frozen=True, kw_only=True):
    """How a model becomes champion."""

    stages: tuple[Stage, ...]
