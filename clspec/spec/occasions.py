"""When a run starts and who is told; what differs in an environment; which warnings are accepted."""

from __future__ import annotations

from typing import Literal

from clspec.spec.place import KubernetesSecret, Resources, Retry, Secret
from clspec.spec.record import Record


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
    kubernetes: KubernetesSecret | None = None
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
