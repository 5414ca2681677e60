"""What the user wrote, as types: one class for each mapping of the language, and no judgement.

The published schema is the authority on shape; these types say the same to Python. Field docs are the schema's
descriptions. Keys that Python reserves have a trailing underscore here.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from clspec.spec.data import (
    Bounds,
    CsvSource,
    Dataset,
    Drift,
    Expect,
    JsonlSource,
    ParquetSource,
    PostgresSource,
    PythonSource,
    Roles,
    Source,
    SourceBase,
)
from clspec.spec.feedback import (
    Alarm,
    AutoLabel,
    EventAfter,
    Feedback,
    Heuristic,
    HumanFeedback,
    Labelling,
    LeakageGuard,
    LowConfidence,
    Near,
    PredictionFlip,
    Promotion,
    Random,
    RetrainWhen,
    Rule,
    Sampling,
    Stage,
)
from clspec.spec.golden import Baseline, Check, Defaults, Golden, Guard, Reuse, Scenario
from clspec.spec.occasions import (
    CodeChange,
    CodeOverride,
    DataChange,
    Environment,
    Labels,
    Notification,
    PlaceOverride,
    Schedule,
    SourceOverride,
    Trigger,
    TriggerBase,
    Waiver,
)
from clspec.spec.place import (
    Gpu,
    Inference,
    KubernetesSecret,
    Place,
    Resources,
    Retry,
    Secret,
    Split,
    Toleration,
    Training,
)
from clspec.spec.project import Code, Metadata, Task
from clspec.spec.record import Columns, Command, Record, Scalar

__all__ = [
    "Alarm",
    "AutoLabel",
    "Baseline",
    "Bounds",
    "Check",
    "Code",
    "CodeChange",
    "CodeOverride",
    "Columns",
    "Command",
    "CsvSource",
    "DataChange",
    "Dataset",
    "Defaults",
    "Drift",
    "Environment",
    "EventAfter",
    "Expect",
    "Feedback",
    "Golden",
    "Gpu",
    "Guard",
    "Heuristic",
    "HumanFeedback",
    "Inference",
    "JsonlSource",
    "KubernetesSecret",
    "Labelling",
    "Labels",
    "LeakageGuard",
    "LowConfidence",
    "Metadata",
    "Near",
    "Notification",
    "ParquetSource",
    "Place",
    "PlaceOverride",
    "PostgresSource",
    "PredictionFlip",
    "Promotion",
    "PythonSource",
    "Random",
    "Record",
    "Resources",
    "RetrainWhen",
    "Retry",
    "Reuse",
    "Roles",
    "Rule",
    "Sampling",
    "Scalar",
    "Scenario",
    "Schedule",
    "Secret",
    "Source",
    "SourceBase",
    "SourceOverride",
    "Spec",
    "Split",
    "Stage",
    "Task",
    "Toleration",
    "Training",
    "Trigger",
    "TriggerBase",
    "Waiver",
    "resolved",
]


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
