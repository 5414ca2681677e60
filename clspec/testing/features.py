"""What a plan can say about a step or a start, one feature each: a target expresses it or reports that it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import has_errors
from clspec.plan import Artifact, ArtifactType, Event, Gpu, Kind, Plan, Resources, Retry, Secret, Toleration, Trigger
from clspec.testing.plans import GIB, IMAGE, chain, condition, plan_of, step, with_step

if TYPE_CHECKING:
    from clspec.backend import Backend, Bundle
    from clspec.diagnostic import Diagnostic

_Made = Callable[[], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Two plans that differ in this feature alone; `without` lacks all that it is a part of."""

    before: _Made
    after: _Made
    without: _Made


def _of_step(before: dict[str, Any], after: dict[str, Any]) -> Feature:
    return Feature(before=lambda: chain(**before), after=lambda: chain(**after), without=chain)


def _of_machine(**after: Any) -> Feature:
    return _of_step({}, {"resources": Resources(**after)})


def _of_gpu(**after: Any) -> Feature:
    before = Gpu(count=1)
    return _of_step({"resources": Resources(gpu=before)}, {"resources": Resources(gpu=replace(before, **after))})


def _of_plan(**after: Any) -> Feature:
    return Feature(before=chain, after=lambda: replace(chain(), **after), without=chain)


def _of_start(before: Trigger | None, after: Trigger) -> Feature:
    return Feature(before=lambda: _started(before), after=lambda: _started(after), without=chain)


def _started(trigger: Trigger | None) -> Plan:
    return plan_of(*chain().pipelines[0].steps, triggers=(trigger,) if trigger else ())


def _telling(*, always: bool) -> Plan:
    """A last step, which runs after the others, or however these end."""
    last = step("notify", Kind.NOTIFY, after=["predict"], pure=False, always=always)
    return plan_of(*chain().pipelines[0].steps, last)


def _reading(*, optional: bool) -> Plan:
    """A last step that reads what one under a condition made, or would have made."""
    registered = Artifact(name="registered", type=ArtifactType.METRICS)
    made = with_step(condition(), "register", outputs=(registered,)).pipelines[0].steps
    read = step("report", Kind.REPORT, reads=[("registered", "register", "registered")])
    inputs = tuple(replace(given, optional=optional) for given in read.inputs)
    return plan_of(*made, replace(read, inputs=inputs))


def _other_image() -> Plan:
    return with_step(chain(), "train", image=IMAGE.replace("0f", "1e"))


_NIGHTLY = Trigger(event=Event.SCHEDULE, cron="0 2 * * *")

FEATURES: dict[str, Feature] = {
    "cpu": _of_machine(cpu=4.0),
    "memory": _of_machine(memory=4 * GIB),
    "gpu": _of_machine(gpu=Gpu(count=1)),
    "gpu.count": _of_gpu(count=4),
    "gpu.resource": _of_gpu(resource="amd.com/gpu"),
    "gpu.model": _of_gpu(model="NVIDIA-H100-80GB-HBM3"),
    "gpu.memory": _of_gpu(memory=40 * GIB),
    "nodes": _of_machine(nodes=2),
    "shared_memory": _of_machine(shared_memory=GIB),
    "ephemeral_storage": _of_machine(ephemeral_storage=GIB),
    "node_selector": _of_machine(node_selector=(("pool", "train"),)),
    "tolerations": _of_machine(tolerations=(Toleration(key="gpu", operator="Exists"),)),
    "secrets": _of_step({}, {"secrets": (Secret(env="HF_TOKEN", name="hub", key="token"),)}),
    "retry": _of_step({}, {"retry": Retry(times=2)}),
    "timeout": _of_step({}, {"timeout": 3600}),
    "always": Feature(
        before=lambda: _telling(always=False),
        after=lambda: _telling(always=True),
        without=lambda: _telling(always=False),
    ),
    "optional": Feature(
        before=lambda: _reading(optional=False),
        after=lambda: _reading(optional=True),
        without=lambda: _reading(optional=False),
    ),
    "image": Feature(before=chain, after=_other_image, without=chain),
    "workdir": _of_plan(workdir="/srv/code"),
    "store": _of_plan(store="s3://elsewhere/cl"),
    "schedule": _of_start(None, _NIGHTLY),
    "schedule.cron": _of_start(_NIGHTLY, replace(_NIGHTLY, cron="0 3 * * *")),
    "schedule.time_zone": _of_start(_NIGHTLY, replace(_NIGHTLY, time_zone="Asia/Tokyo")),
    "code_change": _of_start(None, Trigger(event=Event.CODE_CHANGE, paths=("src/**",))),
    "data_change": _of_start(None, Trigger(event=Event.DATA_CHANGE, source="fleet")),
    "labels": _of_start(None, Trigger(event=Event.LABELS)),
}


def heard(backend: Backend, options: Any, feature: Feature) -> bool:
    """Whether the feature makes a difference, or all that it is a part of was reported as not expressed."""
    without, before, after = (
        _result(backend, options, make()) for make in (feature.without, feature.before, feature.after)
    )
    if _differ(before, after):
        return True
    return before[0] == without[0] and bool(before[1] - without[1])


def _differ(one: tuple[Any, set[Diagnostic]], other: tuple[Any, set[Diagnostic]]) -> bool:
    return bool(one[0] != other[0] or other[1] - one[1])


def _result(backend: Backend, options: Any, plan: Plan) -> tuple[Bundle | None, set[Diagnostic]]:
    found = set(backend.check(plan, options))
    return None if has_errors(found) else backend.emit(plan, options), found
