"""How long a plan takes to become Argo manifests, self-check included, in CPU time; ratios are of one run.

Beside it: the same objects by PyYAML's C writer alone, and the same DAG built with hera and written by its `to_yaml`.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import yaml

from clspec.plan import Artifact, ArtifactType, Input, Kind, Pipeline, Plan, Step, canonical
from clspec_argo import Options, backend, emit

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32
_DATA = (Artifact(name="metrics", type=ArtifactType.METRICS),)


def plan_of(count: int) -> Plan:
    """Steps in rows of ten, each step reading from one of the row before."""
    return Plan(
        name="bench",
        spec="bench.yaml",
        store="s3://bucket/cl",
        workdir="/app",
        pipelines=(Pipeline(name="regression", steps=tuple(map(_step, range(count)))),),
    )


def _step(number: int) -> Step:
    before = f"step-{number - 10}" if number >= 10 else ""
    return Step(
        id=f"step-{number}",
        kind=Kind.PREDICT,
        config=canonical({"spec": "bench", "seed": number, "select": "label = 'pedestrian'"}),
        needs=(before,) if before else (),
        inputs=(Input(name="metrics", step=before, output="metrics"),) if before else (),
        outputs=_DATA,
        image=IMAGE,
    )


def seconds(work: Callable[[], Any]) -> float:
    """The CPU time of the best of three."""
    found = []
    for _ in range(3):
        gc.collect()
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def with_hera(plan: Plan) -> str:
    """The same containers and tasks through hera's models."""
    from hera.workflows import DAG, Artifact, Container, Workflow  # noqa: PLC0415  # a second that ours does not take

    steps = plan.pipelines[0].steps
    with Workflow(generate_name="bench-", entrypoint="pipeline") as made:
        leaves = {
            step.id: Container(
                name=step.id,
                image=step.image,
                command=["python", "-m", "clspec.step"],
                args=[step.kind.value, "--config", step.config, "--code", plan.workdir, "--store", plan.store],
                inputs=[Artifact(name="metrics", path="/tmp/clspec/in/metrics")] if step.inputs else None,
                outputs=[Artifact(name="metrics", path="/tmp/clspec/out/metrics")],
            )
            for step in steps
        }
        with DAG(name="pipeline"):
            for step in steps:
                source = f"{{{{tasks.{step.needs[0]}.outputs.artifacts.metrics}}}}" if step.needs else ""
                arguments = [Artifact(name="metrics", from_=source)] if source else []
                leaves[step.id](arguments=arguments, depends=f"{step.needs[0]}.Succeeded" if step.needs else None)
    return made.to_yaml()


def by_pyyaml(plan: Plan) -> None:
    """The objects, written by libyaml."""
    for document in emit.documents(plan, Options()).values():
        yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, width=1_000_000)


def peak(plan: Plan) -> float:
    """The most memory that an emit takes, in MB."""
    tracemalloc.start()
    backend.emit(plan, Options())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    small, large = plan_of(1_000), plan_of(10_000)
    with_hera(plan_of(2))  # its import
    ours, theirs, libyaml = (seconds(lambda f=f: f(small)) for f in (_emit, with_hera, by_pyyaml))
    print(f"1,000 steps: {ours:.3f} s; hera {theirs:.3f} s ({theirs / ours:.1f}x), libyaml {libyaml:.3f} s")
    print(f"  check and emit: {seconds(lambda: (backend.check(small, Options()), _emit(small))):.3f} s")
    longer = seconds(lambda: _emit(large))
    print(f"10,000 steps: {longer:.3f} s ({longer / ours:.1f}x), peak {peak(large):.0f} MB")


def _emit(plan: Plan) -> None:
    backend.emit(plan, Options())


if __name__ == "__main__":
    main()
