"""Plans made by hand, each with one thing that a target can get wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import Span
from clspec.plan import (
    Artifact,
    ArtifactType,
    Condition,
    Event,
    Gpu,
    Input,
    Kind,
    Pipeline,
    Plan,
    Resources,
    Retry,
    Secret,
    Step,
    Toleration,
    Trigger,
    canonical,
)
from clspec.testing.hostile import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32
SPEC = "specs/contract.yaml"
GIB = 1024**3

_Read = tuple[str, str, str]
_Write = tuple[str, ArtifactType]


def step(  # noqa: PLR0913  # a step has this many parts
    name: str,
    kind: Kind,
    *,
    reads: Iterable[_Read] = (),
    writes: Iterable[_Write] = (),
    after: Iterable[str] = (),
    config: object = None,
    when: Condition | None = None,
    **more: Any,
) -> Step:
    """A step: `reads` is (name, step, output), `writes` is (name, type), `after` is what else must be over."""
    inputs = tuple(Input(name=given, step=producer, output=output) for given, producer, output in reads)
    needs = {*after, *(given.step for given in inputs), *((when.step,) if when else ())}
    return Step(
        id=name,
        kind=kind,
        config=canonical({"spec": "contract", **(config if isinstance(config, dict) else {})}),
        needs=tuple(sorted(needs)),
        inputs=inputs,
        outputs=tuple(Artifact(name=output, type=type_) for output, type_ in writes),
        when=when,
        image=IMAGE,
        where=f"steps.{name}",
        **more,
    )


def plan_of(*steps: Step, triggers: Iterable[Trigger] = (), name: str = "contract") -> Plan:
    """A plan of one pipeline, `regression`."""
    return Plan(
        name=name,
        spec=SPEC,
        store="s3://perception/cl",
        workdir="/app",
        pipelines=(pipeline("regression", steps, triggers),),
    )


def pipeline(name: str, steps: Iterable[Step], triggers: Iterable[Trigger] = ()) -> Pipeline:
    """Steps and triggers, each given a line of its own in the spec."""
    return Pipeline(
        name=name,
        steps=tuple(replace(given, origin=Span(10 + at, 1, 10 + at, 9)) for at, given in enumerate(steps)),
        triggers=tuple(
            replace(given, origin=Span(900 + at, 1, 900 + at, 9), where=f"triggers[{at}]")
            for at, given in enumerate(triggers)
        ),
        origin=Span(3, 1, 3, 9),
    )


def single_step() -> Plan:
    """One step that reads and writes nothing."""
    return plan_of(step("conclude", Kind.CONCLUDE, pure=False))


def chain(**of_training: Any) -> Plan:
    """Steps in a row; the keywords are parts of its step `train`."""
    return plan_of(*_row(**of_training))


def _row(**of_training: Any) -> tuple[Step, ...]:
    return (
        step("pin", Kind.PIN, writes=[("pins", ArtifactType.METRICS)], pure=False),
        _snapshot("snapshot"),
        _train("train", "snapshot", 1, **of_training),
        step(
            "predict",
            Kind.PREDICT,
            reads=[("model", "train", "model")],
            writes=[("predictions", ArtifactType.PREDICTIONS)],
        ),
    )


def _snapshot(name: str) -> Step:
    return step(
        name,
        Kind.SNAPSHOT,
        reads=[("pins", "pin", "pins")],
        writes=[("data", ArtifactType.DATASET), ("validation", ArtifactType.DATASET)],
        config={"dataset": name, "split": {"validation": 0.1}, "none": None, "list": [], "yes": True, "large": 2**70},
    )


def _train(name: str, data: str, seed: int, **more: Any) -> Step:
    return step(
        name,
        Kind.TRAIN,
        reads=[("data", data, "data"), ("validation", data, "validation")],
        writes=[("model", ArtifactType.MODEL), ("metrics", ArtifactType.METRICS)],
        config={"seed": seed, "params": {"lr": 3e-4, "epochs": 8, "layers": [[1, 2], {"a": 1.0}], "empty": {}}},
        **more,
    )


def diamond() -> Plan:
    """One step, two that hang on it, one that hangs on both."""
    left, right = ("metrics-left", "left", "metrics"), ("metrics-right", "right", "metrics")
    return plan_of(
        *_row()[:2],
        _evaluated("right"),
        _evaluated("left"),
        step("gate", Kind.GATE, reads=[left, right], writes=[("verdict", ArtifactType.VERDICT)]),
    )


def _evaluated(name: str) -> Step:
    return step(name, Kind.EVALUATE, reads=[("data", "snapshot", "data")], writes=[("metrics", ArtifactType.METRICS)])


def seeds() -> Plan:
    """Twelve steps side by side, and one that reads them all."""
    trained = [_train(f"train-seed-{seed}", "snapshot", seed) for seed in range(1, 13)]
    read = [(f"training-{made.id}", made.id, "metrics") for made in trained]
    report = step("report", Kind.REPORT, reads=read, writes=[("report", ArtifactType.REPORT)])
    return plan_of(*_row()[:2], *trained, report)


def condition(equals: str = "pass") -> Plan:
    """A step that runs only on a word that an earlier one wrote, and a step after it."""
    return plan_of(
        *_row()[:2],
        step(
            "gate", Kind.GATE, after=["snapshot"], writes=[("verdict", ArtifactType.VERDICT)], parameters=("outcome",)
        ),
        step("register", Kind.REGISTER, when=Condition(step="gate", parameter="outcome", equals=equals), pure=False),
        step("conclude", Kind.CONCLUDE, after=["register"], pure=False),
    )


def gpu() -> Plan:
    """A step with every hint about its machine."""
    machine = Resources(
        cpu=3.5,
        memory=16 * GIB,
        gpu=Gpu(count=2, model="NVIDIA-A100-SXM4-40GB", memory=40 * GIB),
        shared_memory=8 * GIB,
        ephemeral_storage=20 * GIB,
        node_selector=(("pool", "train"),),
        tolerations=(
            Toleration(key="gpu", operator="Exists", effect="NoSchedule"),
            Toleration(key="team", value="perception"),
        ),
    )
    return chain(resources=machine, retry=Retry(times=2), timeout=21_600)


def secrets() -> Plan:
    """A step with three secrets, two of them from one place."""
    return chain(
        secrets=(
            Secret(env="HF_TOKEN", name="hub", key="token"),
            Secret(env="HF_USER", name="hub", key="user"),
            Secret(env="DSN", name="reports", key="dsn"),
        )
    )


def triggers() -> Plan:
    """A pipeline that starts on everything there is."""
    return plan_of(*_row(), triggers=EVENTS)


EVENTS = (
    Trigger(event=Event.SCHEDULE, cron="0 2 * * *"),
    Trigger(event=Event.SCHEDULE, cron="30 6 * * 1-5", time_zone="Europe/Berlin"),
    Trigger(event=Event.CODE_CHANGE, paths=("robotaxi/**", "robotaxi.yaml")),
    Trigger(event=Event.DATA_CHANGE, source="fleet"),
    Trigger(event=Event.LABELS),
)


def hostile() -> Plan:
    """Every hostile text in one configuration."""
    made = chain()
    config = canonical({"texts": list(TEXTS), "keys": dict.fromkeys(TEXTS, "benign"), "lines": "\n".join(TEXTS)})
    return with_step(made, "train", config=config)


def pipelines() -> Plan:
    """Two pipelines whose steps have the same ids."""
    made = chain()
    return replace(made, pipelines=(*made.pipelines, pipeline("improvement", _row()[:3])))


def regression() -> Plan:
    """A regression as it is compiled: seeds, shards, evaluation, a gate, registration and a report."""
    steps = [step("pin", Kind.PIN, writes=[("pins", ArtifactType.METRICS)], pure=False)]
    steps += [_snapshot("snapshot-training"), _snapshot("snapshot-golden")]
    machine = Resources(cpu=2.0, memory=4 * GIB, gpu=Gpu(count=1), shared_memory=GIB)
    for seed in (1, 2):
        steps.append(_train(f"train-seed-{seed}", "snapshot-training", seed, resources=machine, timeout=900))
        steps += [_shard(seed, shard) for shard in (1, 2)]
        steps.append(_evaluation(seed))
    verdict = ("verdict", "gate", "verdict")
    read = [(f"metrics-seed-{seed}", f"evaluate-seed-{seed}", "metrics") for seed in (1, 2)]
    steps += [
        step("gate", Kind.GATE, reads=read, writes=[("verdict", ArtifactType.VERDICT)], parameters=("outcome",)),
        step(
            "register",
            Kind.REGISTER,
            reads=[("model", "train-seed-1", "model"), verdict],
            when=Condition(step="gate", parameter="outcome", equals="pass"),
            pure=False,
        ),
        step("report", Kind.REPORT, reads=[verdict], writes=[("report", ArtifactType.REPORT)]),
        step("conclude", Kind.CONCLUDE, reads=[verdict], after=["register", "report"], pure=False),
    ]
    return plan_of(*steps, triggers=EVENTS[:1], name="robotaxi-perception")


def _shard(seed: int, shard: int) -> Step:
    return step(
        f"predict-seed-{seed}-shard-{shard}",
        Kind.PREDICT,
        reads=[("model", f"train-seed-{seed}", "model"), ("data", "snapshot-golden", "data")],
        writes=[("predictions", ArtifactType.PREDICTIONS)],
        config={"shard": shard, "shards": 2},
    )


def _evaluation(seed: int) -> Step:
    shards = [(f"predictions-{at}", f"predict-seed-{seed}-shard-{at}", "predictions") for at in (1, 2)]
    return step(
        f"evaluate-seed-{seed}",
        Kind.EVALUATE,
        reads=[("data", "snapshot-golden", "data"), *shards],
        writes=[("metrics", ArtifactType.METRICS)],
        config={"scenarios": [{"id": "night", "select": "label = 'pedestrian' and lighting = 'night'"}]},
    )


def with_step(plan: Plan, name: str, **changes: Any) -> Plan:
    """The plan with parts of one step of its first pipeline changed."""
    first, *others = plan.pipelines
    steps = tuple(replace(given, **changes) if given.id == name else given for given in first.steps)
    return replace(plan, pipelines=(replace(first, steps=steps), *others))


PLANS: dict[str, Callable[[], Plan]] = {
    "single-step": single_step,
    "chain": chain,
    "diamond": diamond,
    "seeds": seeds,
    "condition": condition,
    "gpu": gpu,
    "secrets": secrets,
    "triggers": triggers,
    "hostile": hostile,
    "pipelines": pipelines,
    "regression": regression,
}
