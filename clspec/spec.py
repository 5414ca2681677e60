"""What the user wrote, as types: one class for each mapping of the language, and no judgement.

The published schema is the authority on shape; these types say the same to Python. Field docs are the schema's
descriptions. Keys that Python reserves have a trailing underscore here.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

Scalar = str | int | float | bool
Columns = dict[str, str]
Command = tuple[str, ...]


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the language: frozen, its keys known."""


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


# -- where data comes from -------------------------------------------------------------------------------------------


class Bounds(Record, frozen=True, kw_only=True):
    """A smallest and a largest value."""

    min: float | None = None
    max: float | None = None


class Drift(Record, frozen=True, kw_only=True):
    """How far columns may move from a dataset's, as population stability index."""

    columns: tuple[str, ...]
    against: str
    max_psi: float


class Expect(Record, frozen=True, kw_only=True):
    """Data gates."""

    rows: Bounds | None = None
    nulls: dict[str, float] = {}
    ranges: dict[str, Bounds] = {}
    drift: Drift | None = None


class Roles(Record, frozen=True, kw_only=True):
    """What the columns of a source mean."""

    id: str | None = None
    time: str | None = None
    group: str | None = None
    prediction: str | None = None
    confidence: str | None = None
    media: str | None = None


class SourceBase(Record, tag_field="type", frozen=True, kw_only=True):
    """What every source has."""

    columns: Columns
    roles: Roles = Roles()
    freshness: str | None = None
    expect: Expect | None = None


class ParquetSource(SourceBase, tag="parquet", frozen=True, kw_only=True):
    """Parquet files."""

    uri: str


class CsvSource(SourceBase, tag="csv", frozen=True, kw_only=True):
    """CSV files with a header line."""

    uri: str


class JsonlSource(SourceBase, tag="jsonl", frozen=True, kw_only=True):
    """Files with one JSON object a line."""

    uri: str


class PostgresSource(SourceBase, tag="postgres", frozen=True, kw_only=True):
    """A PostgreSQL query."""

    dsn_env: str
    query: str


class PythonSource(SourceBase, tag="python", frozen=True, kw_only=True):
    """A generator function, or a command, that yields rows."""

    entrypoint: str | None = None
    command: Command | None = None


Source = ParquetSource | CsvSource | JsonlSource | PostgresSource | PythonSource


class Dataset(Record, frozen=True, kw_only=True):
    """A versioned, append-only dataset."""

    columns: Columns | None = None
    like: str | None = None
    key: str | None = None
    group: str | None = None
    from_: str | None = field(default=None, name="from")
    pinned: bool = False
    expect: Expect | None = None


# -- what runs where -------------------------------------------------------------------------------------------------


class Toleration(Record, frozen=True, kw_only=True):
    """A taint that the machine may have."""

    key: str
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class Gpu(Record, frozen=True, kw_only=True):
    """GPUs."""

    count: int
    model: str = ""
    memory: str | None = None
    resource: str = "nvidia.com/gpu"


class Resources(Record, frozen=True, kw_only=True):
    """What a step needs of its machine."""

    cpu: float = 0.0
    memory: str | None = None
    gpu: Gpu | None = None
    nodes: int = 1
    shared_memory: str | None = None
    ephemeral_storage: str | None = None
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()


class KubernetesSecret(Record, frozen=True, kw_only=True):
    """Where a cluster finds a secret."""

    name: str
    key: str


class Secret(Record, frozen=True, kw_only=True):
    """A secret by reference."""

    env: str
    kubernetes: KubernetesSecret | None = None


class Retry(Record, frozen=True, kw_only=True):
    """When a step is tried again."""

    times: int
    for_: tuple[str, ...] = field(name="for")


class Place(Record, frozen=True, kw_only=True):
    """User code and where it runs: an entry point or a command, and what its steps need."""

    entrypoint: str | None = None
    command: Command | None = None
    resources: Resources = Resources()
    isolation: Literal["fork", "spawn"] = "fork"
    secrets: tuple[Secret, ...] = ()
    timeout: str | None = None
    retry: Retry | None = None


class Split(Record, frozen=True, kw_only=True):
    """The share of groups kept for validation."""

    validation: float


class Training(Place, frozen=True, kw_only=True):
    """How a model is made."""

    dataset: str
    split: Split = Split(validation=0.0)
    params: dict[str, Scalar | tuple[Scalar, ...]] = {}
    seeds: tuple[int, ...] = (1,)


class Inference(Place, frozen=True, kw_only=True):
    """How a model answers."""

    shards: int = 1


# -- what must never go wrong ----------------------------------------------------------------------------------------


class Check(Record, frozen=True, kw_only=True):
    """What must hold of a metric: exactly one of min, max and margin."""

    metric: str
    class_: str | None = field(default=None, name="class")
    min: float | None = None
    max: float | None = None
    margin: float | None = None
    max_gap: float | None = None
    gate: Literal["bound", "point"] = "bound"
    higher_is_better: bool | None = None
    range: tuple[float, float] | None = None


class Guard(Record, frozen=True, kw_only=True):
    """The paired negative of a scenario."""

    select: str
    checks: tuple[Check, ...]


class Scenario(Record, frozen=True, kw_only=True):
    """A situation that the model is judged on."""

    id: str
    select: str
    checks: tuple[Check, ...]
    must_pass: bool = True
    slices: tuple[str, ...] = ()
    for_each: str | None = None
    min_samples: int | None = None
    confidence: float | None = None
    guard: Guard | None = None


class Baseline(Record, frozen=True, kw_only=True):
    """What comparisons are against."""

    compare: str
    when_missing: str


class Defaults(Record, frozen=True, kw_only=True):
    """What holds for every scenario that says nothing else."""

    min_samples: int = 100
    confidence: float = 0.95


class Reuse(Record, frozen=True, kw_only=True):
    """How often the golden set may decide."""

    max_decisions: int


class Golden(Record, frozen=True, kw_only=True):
    """What the model must never get wrong."""

    dataset: str
    scenarios: tuple[Scenario, ...]
    baseline: Baseline | None = None
    cluster_by: str | None = None
    defaults: Defaults = Defaults()
    reuse: Reuse | None = None
    slices: dict[str, str] = {}


# -- how mistakes come back ------------------------------------------------------------------------------------------


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


# -- when, and for whom ----------------------------------------------------------------------------------------------


class TriggerBase(Record, tag_field="event", frozen=True, kw_only=True):
    """What starts a pipeline."""

    run: Literal["regression", "improvement"]


class CodeChange(TriggerBase, tag="code_change", frozen=True, kw_only=True):
    """Files of the repository changed."""

    paths: tuple[str, ...]


class Schedule(TriggerBase, tag="schedule", frozen=True, kw_only=True):
    """The clock says so."""

    cron: str
    time_zone: str = "UTC"


class DataChange(TriggerBase, tag="data_change", frozen=True, kw_only=True):
    """A source has new data."""

    source: str


class Labels(TriggerBase, tag="labels", frozen=True, kw_only=True):
    """Labels were finished."""


Trigger = CodeChange | Schedule | DataChange | Labels


class Notification(Record, frozen=True, kw_only=True):
    """Who is told of what."""

    on_event: tuple[str, ...]
    webhook_env: str
    format: Literal["slack", "json"] = "slack"


class CodeOverride(Record, frozen=True, kw_only=True):
    """Another image."""

    image: str | None = None
    workdir: str | None = None


class SourceOverride(Record, frozen=True, kw_only=True):
    """Another place of a source."""

    uri: str | None = None
    dsn_env: str | None = None
    query: str | None = None
    freshness: str | None = None


class PlaceOverride(Record, frozen=True, kw_only=True):
    """Where something runs instead."""

    resources: Resources | None = None
    isolation: Literal["fork", "spawn"] | None = None
    secrets: tuple[Secret, ...] | None = None
    timeout: str | None = None
    retry: Retry | None = None


class Environment(Record, frozen=True, kw_only=True):
    """What differs in one environment: places and machines, never gates."""

    store: str | None = None
    code: CodeOverride | None = None
    sources: dict[str, SourceOverride] = {}
    training: PlaceOverride | None = None
    inference: PlaceOverride | None = None


class Waiver(Record, frozen=True, kw_only=True):
    """A warning that is accepted for a while."""

    code: str
    path: str
    reason: str
    owner: str
    expires: str


class Spec(Record, frozen=True, kw_only=True):
    """The whole file."""

    apiVersion: str  # noqa: N815  # the language's own spelling
    kind: str
    metadata: Metadata
    store: str
    code: Code
    task: Task
    datasets: dict[str, Dataset]
    training: Training
    inference: Inference
    golden: Golden
    sources: dict[str, Source] = {}
    feedback: Feedback | None = None
    promotion: Promotion | None = None
    triggers: tuple[Trigger, ...] = ()
    notify: tuple[Notification, ...] = ()
    environments: dict[str, Environment] = {}
    waivers: tuple[Waiver, ...] = ()
    meta: Any | UnsetType = UNSET


def resolved(spec: Spec, name: str) -> Dataset | None:
    """A dataset with the columns, key and group that it takes over by `like`; None where that leads nowhere."""
    seen: set[str] = set()
    dataset = spec.datasets.get(name)
    own = dataset
    while dataset is not None and dataset.like is not None:
        if dataset.like in seen:
            return None
        seen.add(dataset.like)
        dataset = spec.datasets.get(dataset.like)
    if own is None or dataset is None:
        return None
    return Dataset(
        columns=dataset.columns,
        key=own.key or dataset.key,
        group=own.group or dataset.group,
        from_=own.from_,
        pinned=own.pinned,
        expect=own.expect,
    )
