"""How fast the Kubeflow target emits, its self-check included, against the SDK's compiler: a ratio within one run.

python bench/kfp_emit.py [--steps 1000] [--larger 10000] [--no-sdk]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from clspec.plan import Artifact, ArtifactType, Input, Kind, Pipeline, Plan, Resources, Step, canonical
from clspec_kfp import Options, backend

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32
CONFIG = {"seed": 1, "params": {"lr": 3e-4, "epochs": 8}, "call": {"entrypoint": "model:train", "code": "ab" * 32}}
FASTER, GROWTH, MEGABYTES = 25, 12, 200


def plan(count: int) -> Plan:
    """A chain of steps, each of which reads what the one before it wrote, and has a machine of its own."""
    machine = Resources(cpu=2.0, memory=4 * 1024**3)
    steps = [
        Step(
            id=f"step-{number}",
            kind=Kind.SAMPLE,
            config=canonical({"spec": "bench", "number": number, **CONFIG}),
            needs=(f"step-{number - 1}",) if number else (),
            inputs=(Input(name="rows", step=f"step-{number - 1}", output="rows"),) if number else (),
            outputs=(Artifact(name="rows", type=ArtifactType.DATASET),),
            resources=machine,
            image=IMAGE,
        )
        for number in range(count)
    ]
    pipeline = Pipeline(name="improvement", steps=tuple(steps))
    return Plan(name="bench", spec="bench.yaml", store="s3://bench/cl", workdir="/app", pipelines=(pipeline,))


def ours(count: int) -> tuple[float, int]:
    """CPU seconds to emit a plan of so many steps that is there already, and the bytes."""
    made = plan(count)
    begin = time.process_time()
    bundle = backend.emit(made, Options())
    return time.process_time() - begin, sum(map(len, bundle.values()))


def theirs(count: int) -> tuple[float, int]:
    """CPU seconds that the SDK needs for the same chain, its imports not counted."""
    warnings.simplefilter("ignore")
    from kfp import compiler, dsl  # noqa: PLC0415  # only where it is compared with

    @dsl.container_component
    def sample(store: str, rows: dsl.Input[dsl.Dataset], made: dsl.Output[dsl.Dataset]) -> dsl.ContainerSpec:
        words = ["sample", "--config", canonical(CONFIG), "--store", store, rows.path, made.path]
        return dsl.ContainerSpec(image=IMAGE, command=["python", "-m", "clspec.step"], args=words)

    @dsl.container_component
    def first(store: str, made: dsl.Output[dsl.Dataset]) -> dsl.ContainerSpec:
        words = ["sample", "--config", canonical(CONFIG), "--store", store, made.path]
        return dsl.ContainerSpec(image=IMAGE, command=["python", "-m", "clspec.step"], args=words)

    begin = time.process_time()

    @dsl.pipeline(name="bench")
    def chain(store: str = "s3://bench/cl") -> None:
        last = first(store=store)
        for _ in range(count - 1):
            last = sample(store=store, rows=last.outputs["made"])
            last.set_cpu_limit("2").set_memory_limit("4Gi")

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "chain.yaml"
        compiler.Compiler().compile(chain, str(package))
        return time.process_time() - begin, package.stat().st_size


def apart(what: str, count: int) -> list[float]:
    """The same in a process of its own: seconds, bytes, and the most memory that it had, in MB."""
    words = [sys.executable, __file__, "--only", what, "--steps", str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Measure, print, and end with 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--larger", type=int, default=10_000)
    parser.add_argument("--no-sdk", action="store_true", help="do not run the SDK's compiler")
    parser.add_argument("--only", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        seconds, size = {"ours": ours, "theirs": theirs}[given.only](given.steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, size, peak]))
        return 0
    small = min(apart("ours", given.steps) for _ in range(5))
    large = min(apart("ours", given.larger) for _ in range(5))
    for count, (seconds, size, peak) in ((given.steps, small), (given.larger, large)):
        print(f"clspec  {count:>6} steps  {seconds:8.3f} s CPU  {size:>12,.0f} bytes  {peak:6.1f} MB at most")
    growth = large[0] / small[0]
    more = given.larger / given.steps
    print(f"growth  {growth:.1f} times the time for {more:.0f} times the steps (at most {GROWTH})")
    kept = growth <= GROWTH and large[2] <= MEGABYTES
    if not given.no_sdk:
        seconds, size, peak = apart("theirs", given.steps)
        print(f"kfp     {given.steps:>6} steps  {seconds:8.3f} s CPU  {size:>12,.0f} bytes  {peak:6.1f} MB at most")
        print(f"ratio   {seconds / small[0]:.1f} times faster (at least {FASTER})")
        kept = kept and seconds / small[0] >= FASTER
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
