"""What must happen: the plan that every target runs, free of any target's format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import Span  # noqa: TC001  # msgspec reads the annotations when a plan is read from a file

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(Enum):
    """What a step does; the step program has one module for each that is built."""

    PIN = "pin"
    EXPECT = "expect"
    SNAPSHOT = "snapshot"
    TRAIN = "train"
    PREDICT = "predict"
    BASELINE = "baseline"
    EVALUATE = "evaluate"
    GATE = "gate"
    REGISTER = "register"
    PROMOTE = "promote"
    INGEST = "ingest"
    GUARD = "guard"
    APPEND = "append"
    DECIDE = "decide"
    MINE = "mine"
    SAMPLE = "sample"
    AUTO_LABEL = "auto_label"
    ENQUEUE = "enqueue"
    REPORT = "report"
    NOTIFY = "notify"
    CONCLUDE = "conclude"


class ArtifactType(Enum):
    """What an artifact holds, checked edge by edge when a plan is made."""

    DATASET = "Dataset"
    MODEL = "Model"
    PREDICTIONS = "Predictions"
    METRICS = "Metrics"
    VERDICT = "Verdict"
    REPORT = "Report"


READS: dict[Kind, dict[str, ArtifactType]] = {
    Kind.PIN: {},
    Kind.EXPECT: {"pins": ArtifactType.METRICS},
    Kind.SNAPSHOT: {"pins": ArtifactType.METRICS},
    Kind.TRAIN: {"data": ArtifactType.DATASET, "validation": ArtifactType.DATASET, "golden": ArtifactType.DATASET},
    Kind.PREDICT: {"model": ArtifactType.MODEL, "data": ArtifactType.DATASET},
    Kind.BASELINE: {"standing": ArtifactType.METRICS, "data": ArtifactType.DATASET},
    Kind.EVALUATE: {
        "data": ArtifactType.DATASET,
        "predictions": ArtifactType.PREDICTIONS,
        "baseline": ArtifactType.PREDICTIONS,
    },
    Kind.GATE: {"metrics": ArtifactType.METRICS, "pins": ArtifactType.METRICS, "standing": ArtifactType.METRICS},
    Kind.REGISTER: {
        "model": ArtifactType.MODEL,
        "training": ArtifactType.METRICS,
        "metrics": ArtifactType.METRICS,
        "predictions": ArtifactType.PREDICTIONS,
        "pins": ArtifactType.METRICS,
        "standing": ArtifactType.METRICS,
        "verdict": ArtifactType.VERDICT,
    },
    Kind.PROMOTE: {"registered": ArtifactType.METRICS, "verdict": ArtifactType.VERDICT},
    Kind.INGEST: {"pins": ArtifactType.METRICS},
    Kind.GUARD: {"rows": ArtifactType.DATASET, "against": ArtifactType.DATASET},
    Kind.APPEND: {
        "rows": ArtifactType.DATASET,
        "dropped": ArtifactType.DATASET,
        "provenance": ArtifactType.DATASET,
    },
    Kind.DECIDE: {"appended": ArtifactType.METRICS, "standing": ArtifactType.METRICS},
    Kind.MINE: {"pins": ArtifactType.METRICS},
    Kind.SAMPLE: {"rows": ArtifactType.DATASET},
    Kind.AUTO_LABEL: {"rows": ArtifactType.DATASET},
    Kind.ENQUEUE: {"rows": ArtifactType.DATASET, "dropped": ArtifactType.DATASET},
    Kind.REPORT: {
        "verdict": ArtifactType.VERDICT,
        "training": ArtifactType.METRICS,
        "metrics": ArtifactType.METRICS,
        "loop": ArtifactType.METRICS,
        "standing": ArtifactType.METRICS,
        "golden": ArtifactType.DATASET,
    },
    Kind.NOTIFY: {
        "verdict": ArtifactType.VERDICT,
        "loop": ArtifactType.METRICS,
    },
    Kind.CONCLUDE: {"verdict": ArtifactType.VERDICT, "loop": ArtifactType.METRICS},
}
"""What each kind of step reads, by the first word of an input's name (`metrics-seed-1` is one of the metrics)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A named output of a step: a file or a directory, by its type.

    Datasets and predictions are Parquet files, models and reports directories, metrics and verdicts JSON files.
    """

    name: str
    type: ArtifactType


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A step's input: output `output` of step `step`, known to the reading step as `name`.

    The reading step is skipped where that step was, unless the input is `optional`: then it is missing.
    """

    name: str
    step: str
    output: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Run only if the one-word parameter `parameter` written by step `step` equals `equals`."""

    step: str
    parameter: str
    equals: str

    @property
    def sentence(self) -> str:
        """It in words."""
        return f"{self.parameter} of {self.step} is {self.equals}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """A Kubernetes taint that the step's machine may have."""

    key: str
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU hint: `count` devices under the cluster's resource name, of a model and memory (bytes) if given."""

    count: int
    resource: str = "nvidia.com/gpu"
    model: str = ""
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a step needs of its machine: cores, and bytes for each memory; zero or empty means not stated."""

    cpu: float = 0.0
    memory: int = 0
    gpu: Gpu | None = None
    nodes: int = 1
    shared_memory: int = 0
    ephemeral_storage: int = 0
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()

    @property
    def processes(self) -> int:
        """How many processes work on each of several machines: one for each GPU."""
        return max(1, self.gpu.count) if self.gpu else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a step that died of infrastructure (a signal, 75, 137, 143) is tried again."""

    times: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret by reference: variable `env`, on a cluster from key `key` of Kubernetes secret `name`."""

    env: str
    name: str = ""
    key: str = ""


class Isolation(Enum):
    """How a step gets its own process on this machine."""

    FORK = "fork"
    SPAWN = "spawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run of the step program. `config` (canonical JSON) and the inputs are all it may know.

    `needs` holds the ids of every step that must be over before this one, those of its inputs included.
    `parameters` are the one-word values it writes for conditions. `pure` says that its outputs follow from kind,
    config and inputs alone, so that an earlier result may stand in for a run. `origin` is its place in the spec.
    """

    id: str
    kind: Kind
    config: str
    needs: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    parameters: tuple[str, ...] = ()
    when: Condition | None = None
    resources: Resources = field(default_factory=Resources)
    secrets: tuple[Secret, ...] = ()
    isolation: Isolation = Isolation.FORK
    retry: Retry = field(default_factory=Retry)
    timeout: int | None = None
    """Seconds after which the step is ended."""
    image: str = ""
    pure: bool = True
    origin: Span | None = None
    where: str = ""
    """The dotted place in the spec: `training`, `golden.scenarios.dog-crossing`."""
    always: bool = False
    """Run it once all it needs is over, however that ended; its inputs are optional and its own end changes nothing."""


class Event(Enum):
    """What can start a pipeline."""

    CODE_CHANGE = "code_change"
    SCHEDULE = "schedule"
    DATA_CHANGE = "data_change"
    LABELS = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts a pipeline: an event, with `paths`, `cron` and `time_zone`, or `source` as the event needs."""

    event: Event
    paths: tuple[str, ...] = ()
    cron: str = ""
    time_zone: str = "UTC"
    source: str = ""
    origin: Span | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Steps that run together; `regression` moves code, `improvement` moves data."""

    name: str
    steps: tuple[Step, ...]
    triggers: tuple[Trigger, ...] = ()
    origin: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One spec, compiled. `spec` is the file as the user named it, for diagnostics only.

    `store` is a URI (with a scheme) or a path relative to the spec; `workdir` is where the code lies in the image.
    """

    name: str
    spec: str
    store: str
    workdir: str
    pipelines: tuple[Pipeline, ...]
    code_origin: Span | None = None
    """The place of `code` in the spec, for what concerns its image."""
    store_origin: Span | None = None

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name.

        Raises:
            KeyError: there is none.
        """
        for pipeline in self.pipelines:
            if pipeline.name == name:
                return pipeline
        raise KeyError(name)


def straight(plan: Plan) -> Plan:
    """The part of a plan for targets without optional inputs: no step that always runs, no pipeline that branches."""
    kept = (pipeline for pipeline in plan.pipelines if not branches(pipeline))
    return replace(
        plan,
        pipelines=tuple(replace(p, steps=tuple(step for step in p.steps if not step.always)) for p in kept),
    )


def branches(pipeline: Pipeline) -> bool:
    """Whether a step that is part of the run proper may find an input missing."""
    return any(entry.optional for step in pipeline.steps if not step.always for entry in step.inputs)


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII.

    Raises:
        ValueError: the value holds a NaN or an infinity.
    """
    return _CANONICAL.encode(value)


def joined(texts: Mapping[str, str]) -> str:
    """The canonical text of a mapping, from those of its values: one that several have is made once."""
    return "{" + ",".join(f"{canonical(key)}:{texts[key]}" for key in sorted(texts)) + "}"


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
"""Made once: `json.dumps` would make one for every value."""
