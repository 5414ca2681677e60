"""Parts of the spec in the words of a step's configuration and of the plan."""

from __future__ import annotations

from typing import Any

from clspec import plan, spec
from clspec.quantity import seconds, size


def source_config(whole: spec.Spec, name: str | None) -> dict[str, Any] | None:
    """What a step must know of a source to read it, or None where there is none."""
    if name is None:
        return None
    source = whole.sources[name]
    known: dict[str, Any] = {"name": name, "type": type(source).__struct_config__.tag, "columns": source.columns}
    if isinstance(source, spec.PythonSource):
        return {**known, "call": {"entrypoint": source.entrypoint, "command": _listed(source.command)}}
    if isinstance(source, spec.PostgresSource):
        return {**known, "dsn_env": source.dsn_env, "query": source.query}
    return {**known, "uri": source.uri}


def call(place: spec.Place, digest: str) -> dict[str, Any]:
    """User code and which bytes of it are meant."""
    return {"entrypoint": place.entrypoint, "command": _listed(place.command), "code": digest}


def _listed(command: tuple[str, ...] | None) -> list[str] | None:
    return None if command is None else list(command)


def measured(scenario: spec.Scenario) -> dict[str, Any]:
    """A scenario as the evaluation reads it: what to count, not what to demand."""
    return {
        "id": scenario.id,
        "select": scenario.select,
        "checks": [_counted(check) for check in scenario.checks],
        "guard": {"select": scenario.guard.select, "checks": [_counted(c) for c in scenario.guard.checks]}
        if scenario.guard
        else None,
    }


def _counted(check: spec.Check) -> dict[str, Any]:
    return {"metric": check.metric, "class": check.class_}


def demanded(check: spec.Check) -> dict[str, Any]:
    """A check as the gate reads it: what is demanded of what was counted."""
    return {
        "metric": check.metric,
        "class": check.class_,
        "kind": "min" if check.min is not None else "max",
        "threshold": check.min if check.min is not None else check.max,
        "gate": check.gate,
    }


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
