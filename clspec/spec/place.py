"""User code and where it runs: entry points, resources, secrets; training and inference."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from clspec.spec.record import Command, Record, Scalar


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
