"""How long a plan takes to become Argo manifests, self-check included, in CPU time; ratios are of one run.

Beside it: hera, which builds and writes the very same templates (that they are equal is looked at first), hera with a
bare DAG that has none of the settings of a pod, and the same objects as dicts by PyYAML's C writer alone. It ends with
1 if a target is missed.
"""

from __future__ import annotations

import gc
import sys
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
_FLAT = Options(argo_version="3.7")
"""One object, as hera makes one."""


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


def once(work: Callable[[], Any]) -> float:
    """CPU time."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def with_hera(plan: Plan) -> str:
    """The same templates, built from hera's classes and written by its `to_yaml`."""
    from hera.workflows import (  # noqa: PLC0415  # a second that ours does not take
        Artifact,
        Container,
        EmptyDirVolume,
        Env,
        NoneArchiveStrategy,
        S3Artifact,
        WorkflowTemplate,
    )
    from hera.workflows.models import Capabilities, SecurityContext, VolumeMount  # noqa: PLC0415

    def leaf(step: Step) -> Container:
        paths = [f"{source.name}=/tmp/clspec/in/{source.name}" for source in step.inputs]
        arguments = [step.kind.value, "--config", step.config, "--code", plan.workdir]
        arguments += ["--store", "{{workflow.parameters.store}}"]
        arguments += [word for path in paths for word in ("--in", path)]
        return Container(
            name=step.id,
            labels={"clspec.dev/step": step.id},
            image=step.image,
            command=["python", "-m", "clspec.step"],
            args=[*arguments, "--out", "metrics=/tmp/clspec/out/metrics"],
            env=[Env(name="HOME", value="/tmp"), Env(name="USER", value="clspec")],
            volume_mounts=[VolumeMount(name="scratch", mount_path="/tmp")],
            security_context=SecurityContext(
                allow_privilege_escalation=False,
                capabilities=Capabilities(drop=["ALL"]),
                read_only_root_filesystem=True,
            ),
            inputs=[Artifact(name="metrics", path="/tmp/clspec/in/metrics")] if step.inputs else None,
            outputs=[
                S3Artifact(
                    name="metrics",
                    path="/tmp/clspec/out/metrics",
                    archive=NoneArchiveStrategy(),
                    key=f"bench/{{{{workflow.uid}}}}/{step.id}/metrics",
                )
            ],
        )

    scratch = EmptyDirVolume(name="scratch")
    with WorkflowTemplate(name="bench-regression", entrypoint="pipeline", volumes=[scratch]) as made:
        return _written(made, plan, {step.id: leaf(step) for step in plan.pipelines[0].steps})


def with_bare_hera(plan: Plan) -> str:
    """The same DAG of templates that hold an image, a command and one artifact each way."""
    from hera.workflows import Artifact, Container, Workflow  # noqa: PLC0415

    def leaf(step: Step) -> Container:
        return Container(
            name=step.id,
            image=step.image,
            command=["python", "-m", "clspec.step"],
            args=[step.kind.value, "--config", step.config, "--code", plan.workdir, "--store", plan.store],
            inputs=[Artifact(name="metrics", path="/tmp/clspec/in/metrics")] if step.inputs else None,
            outputs=[Artifact(name="metrics", path="/tmp/clspec/out/metrics")],
        )

    with Workflow(generate_name="bench-", entrypoint="pipeline") as made:
        return _written(made, plan, {step.id: leaf(step) for step in plan.pipelines[0].steps})


def _written(made: Any, plan: Plan, leaves: dict[str, Any]) -> str:
    from hera.workflows import DAG, Artifact  # noqa: PLC0415

    with DAG(name="pipeline", fail_fast=False):
        for step in plan.pipelines[0].steps:
            source = f"{{{{tasks.{step.needs[0]}.outputs.artifacts.metrics}}}}" if step.needs else ""
            arguments = [Artifact(name="metrics", from_=source)] if source else []
            leaves[step.id](arguments=arguments, depends=f"{step.needs[0]}.Succeeded" if step.needs else None)
    return str(made.to_yaml())


def by_pyyaml(plan: Plan) -> None:
    """The objects as dicts, written by libyaml; nothing is checked."""
    for document in dict(emit.documents(plan, Options())).values():
        yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, width=1_000_000)


def by_us(plan: Plan) -> None:
    """The objects as the compiler gives them, checked."""
    backend.emit(plan, Options())


def peak(plan: Plan) -> float:
    """The most memory that an emit takes, in MB."""
    tracemalloc.start()
    by_us(plan)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def templates(text: str) -> dict[str, Any]:
    """The templates of an object by name."""
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {template["name"]: template for template in loaded["spec"]["templates"]}


def same(plan: Plan) -> bool:
    """Whether hera writes just the templates that we do."""
    ours, theirs = (
        templates(backend.emit(plan, _FLAT)["regression.workflowtemplate.yaml"]),
        templates(with_hera(plan)),
    )
    for found in (ours, theirs):
        found["pipeline"]["dag"]["tasks"].sort(key=lambda task: task["name"])
        found["pipeline"].pop("failFast", None)  # hera says it twice
    return ours == theirs


def best(works: dict[str, Callable[[Plan], Any]], plan: Plan) -> dict[str, float]:
    """The best CPU time of each of five turns, in which they take turns, so that a busy moment hits them all."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(5):
        for name, work in works.items():
            found[name].append(once(lambda work=work: work(plan)))
    return {name: min(times) for name, times in found.items()}


def _long(small: Plan, large: Plan) -> tuple[float, float]:
    """A thousand steps ten times, and ten thousand once: so that what else the machine does hits both alike."""
    return once(lambda: [by_us(small) for _ in range(10)]), once(lambda: by_us(large))


def main() -> int:
    if not same(plan_of(50)):
        print("hera does not write the same templates: nothing can be compared")
        return 1
    small, large = plan_of(1_000), plan_of(10_000)
    works = {"ours": by_us, "hera": with_hera, "bare": with_bare_hera, "libyaml": by_pyyaml}
    taken = best(works, small)
    ours = taken["ours"]
    tenfold, longer = (min(times) for times in zip(*(_long(small, large) for _ in range(3)), strict=True))
    most = peak(large)
    print(f"1,000 steps, checked and written: {ours:.3f} s of CPU time")
    print(f"  hera's to_yaml, the same templates: {taken['hera']:.3f} s ({taken['hera'] / ours:.1f}x, at least 10)")
    print(f"  hera's to_yaml, bare templates:     {taken['bare']:.3f} s ({taken['bare'] / ours:.1f}x)")
    libyaml = taken["libyaml"]
    print(f"  dicts and CSafeDumper, unchecked:   {libyaml:.3f} s ({libyaml / ours:.1f}x, at least 1)")
    print(f"10,000 steps: {longer:.3f} s ({10 * longer / tenfold:.1f}x, at most 12), peak {most:.0f} MB (under 200)")
    met = (taken["hera"] >= 10 * ours, libyaml >= ours, longer <= 1.2 * tenfold, most < 200)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
