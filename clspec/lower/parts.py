"""Parts of the spec in the words of a step's configuration and of the plan."""

from __future__ import annotations

from typing import Any

import msgspec

from clspec import plan, spec
from clspec.quantity import seconds, size


def source_config(whole: spec.Spec, name: str | None) -> dict[str, Any] | None:
    """What a step must know of a source to read it, or None where there is none."""
    if name is None:
        return None
    source = whole.sources[name]
    known: dict[str, Any] = {"name": name, "type": type(source).__struct_config__.tag, "columns": source.columns}
    if isinstance(source, spec.PythonSource):
        return {**known, "call": {"entrypoint": source.entrypoint, "command": listed(source.command)}}
    if isinstance(source, spec.PostgresSource):
        return {**known, "dsn_env": source.dsn_env, "query": source.query}
    return {**known, "uri": source.uri}


def call(place: spec.Place, digest: str) -> dict[str, Any]:
    """User code and which bytes of it are meant."""
    return {"entrypoint": place.entrypoint, "command": listed(place.command), "code": digest}


def listed(value: Any) -> Any:
    """A value as JSON has it: a tuple is a list there."""
    return list(value) if isinstance(value, tuple) else value


def expected(whole: spec.Spec, name: str) -> dict[str, Any]:
    """A source with what is expected of it, and what its columns mean."""
    source = whole.sources[name]
    return {
        **(source_config(whole, name) or {}),
        "roles": msgspec.to_builtins(source.roles),
        "freshness": seconds(source.freshness) if source.freshness else None,
        "expect": expected_of(source.expect) if source.expect else None,
    }


def expected_of(expect: spec.Expect) -> dict[str, Any]:
    """A data gate in plain values."""
    found: dict[str, Any] = msgspec.to_builtins(expect)
    return found


def placed(place: spec.Place) -> dict[str, Any]:
    """Where a step with user code runs."""
    return {
        "resources": _resources(place.resources),
        "secrets": tuple(
            plan.Secret(env=s.env, name=s.kubernetes.name, key=s.kubernetes.key)
            if s.kubernetes
            else plan.Secret(env=s.env)
            for s in place.secrets
        ),
        "isolation": plan.Isolation(place.isolation),
        "retry": plan.Retry(times=place.retry.times if place.retry else 0),
        "timeout": seconds(place.timeout) if place.timeout else None,
    }


def _resources(wanted: spec.Resources) -> plan.Resources:
    gpu = wanted.gpu
    return plan.Resources(
        cpu=wanted.cpu,
        memory=_size(wanted.memory),
        gpu=plan.Gpu(count=gpu.count, resource=gpu.resource, model=gpu.model, memory=_size(gpu.memory))
        if gpu
        else None,
        nodes=wanted.nodes,
        shared_memory=_size(wanted.shared_memory),
        ephemeral_storage=_size(wanted.ephemeral_storage),
        node_selector=tuple(sorted(wanted.node_selector.items())),
        tolerations=tuple(
            plan.Toleration(key=t.key, operator=t.operator, value=t.value, effect=t.effect) for t in wanted.tolerations
        ),
    )


def _size(memory: str | None) -> int:
    return size(memory) if memory else 0
