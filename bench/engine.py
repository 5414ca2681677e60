"""What the local engine costs, beside make, doit, snakemake, dvc and kfp.local, and beside this machine's own cost.

    python bench/engine.py [--steps N] [--rounds N] [--peers FOLDER] [--only NAME ...]

Peers are taken from `FOLDER/bin` and from the PATH; one that is not there is left out and named. What a row compares
ran in turns, and what stands in the table is the least of the rounds: CPU of the command and of all its processes, and
wall time. Gate on the ratios, and on CPU where others use the machine too. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import planned
from clspec.plan import Artifact, ArtifactType, Isolation, Kind, Pipeline, Plan, Step, canonical
from clspec_local import recall

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
CLSPEC = [sys.executable, "-m", "clspec", "run", "--local", "--progress", "plain"]
# Compiled modules are kept, as they are for whoever installed clspec.
OWN = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"DVC_NO_ANALYTICS": "1"}


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU and of wall time, and the most KiB that the process itself held."""

    cpu: float
    wall: float
    peak: int = 0


def cost(command: list[str], folder: Path) -> Cost:
    """What a command costs, with all the processes that it waited for."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=OWN, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} in {folder} ended with {process.returncode}:\n{told.decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss)


def least(costs: list[Cost]) -> Cost:
    return Cost(min(c.cpu for c in costs), min(c.wall for c in costs), max(c.peak for c in costs))


# -- plans -------------------------------------------------------------------------------------------------------------


def light(number: int, needs: tuple[str, ...], **config: object) -> Step:
    """A built-in step that does nothing: what is left is what a step costs."""
    text = canonical({"spec": "bench", "pipeline": "regression", "notify": [], "number": number, **config})
    return Step(id=f"s{number}", kind=Kind.NOTIFY, config=text, needs=needs)


def page(number: int, needs: tuple[str, ...]) -> Step:
    """A built-in step with an output: a folder of two files."""
    nothing = {"scenarios": [], "datasets": {}, "roles": {}, "params": {}, "seeds": [], "code": "", "image": ""}
    text = canonical({"spec": "bench", "pipeline": "regression", "number": number, **nothing})
    output = Artifact(name="report", type=ArtifactType.REPORT)
    return Step(id=f"s{number}", kind=Kind.REPORT, config=text, needs=needs, outputs=(output,))


def chain(folder: Path, count: int, make: object = light, **config: object) -> Path:
    """A folder with a plan of so many steps, each after the one before."""
    steps = [make(n, (f"s{n - 1}",) if n else (), **config) for n in range(count)]  # type: ignore[operator]
    return written(folder, steps)


def written(folder: Path, steps: list[Step]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline(name="regression", steps=tuple(steps))
    plan = Plan(name="bench", spec="bench.yaml", store="store", workdir="/app", pipelines=(pipeline,))
    (folder / "plan.json").write_text(planned.as_json(plan))
    return folder


def run(folder: Path, *more: str) -> Cost:
    return cost([*CLSPEC, "plan.json", "--jobs", "1", *more], folder)


def fresh(folder: Path, *more: str) -> Cost:
    """A run in a copy of a folder: ext4 looks through all that was deleted in the last seconds for each new file."""
    copy = folder.with_name(f"{folder.name}-{time.monotonic_ns()}")
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".clspec"))
    return run(copy, *more)


# -- peers -------------------------------------------------------------------------------------------------------------


def makefile(folder: Path, count: int) -> list[str]:
    rules = "".join(f"out/{n}.txt: {f'out/{n - 1}.txt' if n else ''}\n\t@echo {n} > $@\n" for n in range(count))
    (folder / "Makefile").write_text(f"all: out/{count - 1}.txt\n{rules}")
    return ["make", "-s"]


def dodo(folder: Path, count: int) -> list[str]:
    (folder / "dodo.py").write_text(f"""
def task_s():
    for n in range({count}):
        yield dict(name=str(n), actions=[f"echo {{n}} > out/{{n}}.txt"], targets=[f"out/{{n}}.txt"],
            **(dict(file_dep=[f"out/{{n - 1}}.txt"]) if n else dict(file_dep=["dodo.py"])))
""")
    return ["doit", "-v0"]


def snakefile(folder: Path, count: int) -> list[str]:
    rules = "".join(
        f"rule s{n}:\n"
        + (f"    input: 'out/{n - 1}.txt'\n" if n else "")
        + f"    output: 'out/{n}.txt'\n    shell: 'echo {n} > {{output}}'\n"
        for n in range(count)
    )
    (folder / "Snakefile").write_text(f"rule all:\n    input: 'out/{count - 1}.txt'\n{rules}")
    return ["snakemake", "-c", "1", "--quiet", "all"]


def dvc(folder: Path, count: int) -> list[str]:
    stages = "".join(
        f"  s{n}:\n    cmd: echo {n} > out/{n}.txt\n    outs: [out/{n}.txt]\n"
        + (f"    deps: [out/{n - 1}.txt]\n" if n else "")
        for n in range(count)
    )
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}")
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=folder, check=True, env=OWN)
    return ["dvc", "repro", "-q"]


def kfp(folder: Path, count: int) -> list[str]:
    calls = "\n".join(f"    t{n} = s(i={n})" + (f".after(t{n - 1})" if n else "") for n in range(count))
    (folder / "pipe.py").write_text(f"""
from kfp import dsl, local

@dsl.component(install_kfp_package=False)
def s(i: int) -> int:
    open(f"out/{{i}}.txt", "w").write(str(i))
    return i

@dsl.pipeline
def p():
{calls}

if __name__ == "__main__":
    local.init(local.SubprocessRunner(use_venv=False), enable_caching=True)
    p()
""")
    return [sys.executable, "pipe.py"]


PEERS = {"make": (makefile, 300), "doit": (dodo, 300), "snakemake": (snakefile, 100), "dvc": (dvc, 10), "kfp": (kfp, 5)}
"""Each with the number of steps that it is given: the slow ones get few."""


def has(name: str) -> bool:
    if name == "kfp":
        return (
            subprocess.run([sys.executable, "-c", "import kfp.local"], capture_output=True, check=False).returncode == 0
        )
    return shutil.which(name) is not None


def peer(name: str, scratch: Path, count: int) -> tuple[Path, list[str]]:
    folder = scratch / f"{name}-{count}-{time.monotonic_ns()}"
    (folder / "out").mkdir(parents=True)
    return folder, PEERS[name][0](folder, count)


# -- what is measured --------------------------------------------------------------------------------------------------


class Table:
    """Rows as they come, and whether every target holds."""

    def __init__(self) -> None:
        self.held = True

    def row(self, what: str, mine: float, other: float, whose: str, most: float | None = None) -> None:
        """A figure of ours beside another one, and how many times that it may be."""
        ratio = mine / other
        verdict = ""
        if most is not None:
            self.held = self.held and ratio <= most
            verdict = f"at most {most}: {'holds' if ratio <= most else 'MISSED'}"
        print(f"  {what:<52} {mine * 1000:10.2f} ms  {ratio:7.2f} x {whose:<34} {verdict}", flush=True)


LEAST = """
import hashlib, json, msgspec, os, sqlite3
plan = msgspec.json.decode(open("plan.json", "rb").read())["plan"]
for step in plan["pipelines"][0]["steps"]:
    hashlib.sha256(json.dumps(step, sort_keys=True).encode()).hexdigest()
for (made,) in sqlite3.connect(".clspec/history.sqlite").execute("SELECT digests FROM result"):
    for digest in json.loads(made).values():
        place = f".clspec/artifacts/{digest[7:9]}/{digest[7:]}"
        for name in ("", "/junit.xml", "/report.html", "/report.json", "/result.json"):
            os.stat(place + name)
"""
"""The least that any Python does to know that nothing has changed: it decides nothing, and tells and keeps nothing."""


def up_to_date(scratch: Path, table: Table, steps: int, rounds: int) -> None:
    """Steps that are up to date, each with an output that is checked, beside doit's check of its targets."""
    mine = chain(scratch / "pages", steps, page)
    run(mine)
    run(mine)  # the stamps are taken once the files have settled
    doit = peer("doit", scratch, steps) if has("doit") else None
    if doit:
        cost(doit[1], doit[0])
    seen: list[Cost] = []
    others: list[Cost] = []
    bare: list[Cost] = []
    for _ in range(rounds):
        seen.append(run(mine))
        bare.append(cost([sys.executable, "-c", LEAST], mine))
        if doit:
            others.append(cost(doit[1], doit[0]))
    best = least(seen)
    if doit:
        table.row(f"{steps} steps up to date, CPU", best.cpu, least(others).cpu, "doit", 0.6)
        table.row(f"{steps} steps up to date, wall", best.wall, least(others).wall, "doit")
        table.row("  of which is the least that Python takes, CPU", least(bare).cpu, least(others).cpu, "doit")
    table.row(f"memory of the scheduler (as MiB), {steps} steps", best.peak / 2**20, 60 / 1000, "60 MiB", 1.0)


def forked(loads: str, pause: float = 0.0) -> float:
    """Seconds of CPU for a fork and the exit of a process that has loaded some modules, with a pause after each.

    Without one, what a fork copies stays in the processor's caches from one to the next, as it does nowhere else.
    """
    program = f"""
import gc, os, resource, time
import {loads}
gc.collect(); gc.freeze()
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
best = 9.0
for _ in range(10):
    used = 0.0
    for _ in range(20):
        before = cpu()
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        used += cpu() - before
        time.sleep({pause})
    best = min(best, used / 20)
print(best)
"""
    alone = {
        **OWN,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
    }
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=alone, cwd=ROOT
    )
    return float(told.stdout)


def per_step(short: Path, long: Path, more: int, rounds: int, *place: str, loads: str = "") -> tuple[Cost, float]:
    """What one step more costs: a run of many less a run of few, neither of which finds anything done.

    And, taken in turns with it, the fork and exit of a process that has loaded what a step is forked from.
    """
    few, many, limits = [], [], [0.0]
    for _ in range(rounds):
        few.append(fresh(short, *place))
        many.append(fresh(long, *place))
        limits += [forked(loads)] if loads else []
    a, b = least(few), least(many)
    return Cost((b.cpu - a.cpu) / more, (b.wall - a.wall) / more), min(limits[1:], default=0.0)


def built_in(scratch: Path, table: Table, rounds: int) -> None:
    """A built-in step in a process of its own."""
    short, long = chain(scratch / "l10", 10), chain(scratch / "l310", 310)
    found, limit = per_step(short, long, 300, rounds, loads="clspec.step.program, clspec.step.notify")
    table.row("a built-in step, CPU", found.cpu, 0.003, "3 ms", 1.0)
    table.row("a built-in step, CPU", found.cpu, limit, "fork and exit of the same")
    table.row("a built-in step, wall", found.wall, 0.003, "3 ms", 1.0)


def with_torch(scratch: Path, table: Table, rounds: int) -> None:
    """The same where the warm process has loaded torch, because the step's code imports it."""
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode:
        print("  torch is not installed: left out")
        return
    call = {"entrypoint": "uses_torch:nothing", "command": None, "code": "sha256:any"}
    folders = []
    for count in (5, 105):
        folder = chain(scratch / f"t{count}", count, light, call=call)
        (folder / "code").mkdir(exist_ok=True)
        (folder / "code" / "uses_torch.py").write_text("import torch\n")
        folders.append(folder)
    loads = "clspec.step.program, torch, clspec.step.notify"
    found, limit = per_step(*folders, 100, rounds, "--code", "code", loads=loads)
    table.row("a built-in step beside torch, CPU", found.cpu, limit, "fork and exit of a process with torch", 1.3)
    table.row("a built-in step beside torch, wall", found.wall, limit, "the same", 1.3)
    apart = min(forked(loads, 0.003) for _ in range(rounds))
    table.row("a built-in step beside torch, CPU", found.cpu, apart, "the same, 3 ms apart from the next")


def beside_peers(scratch: Path, table: Table, rounds: int) -> None:
    """A step of ours beside a step of theirs; theirs run a shell's `echo`, ours a built-in step with a log."""
    mine, _ = per_step(chain(scratch / "l10", 10), chain(scratch / "l310", 310), 300, rounds)
    for name, (_, count) in PEERS.items():
        if not has(name):
            print(f"  {name} is not installed: left out")
            continue
        few, many = [], []
        for _ in range(min(rounds, 2)):
            folder, command = peer(name, scratch, 2)
            few.append(cost(command, folder))
            folder, command = peer(name, scratch, count + 2)
            many.append(cost(command, folder))
        cpu, wall = ((getattr(least(many), at) - getattr(least(few), at)) / count for at in ("cpu", "wall"))
        table.row("a step, CPU", mine.cpu, cpu, name)
        table.row("a step, wall", mine.wall, wall, name)


SPEC = """\
apiVersion: clspec.dev/v1alpha1
kind: ContinuousLearning
metadata: {name: bench}
store: store
code: {root: code}
task: {type: classification, label: label, classes: [a, b], prediction: said}
sources:
  drives: {type: python, entrypoint: "work:drives", columns: &columns {id: string, label: string}}
  golden_drives: {type: python, entrypoint: "work:golden_drives", columns: *columns}
datasets:
  drives: {columns: *columns, key: id, from: drives}
  golden: {like: drives, from: golden_drives, pinned: true}
training: {entrypoint: "work:train", dataset: drives}
inference: {entrypoint: "work:predict"}
golden:
  dataset: golden
  scenarios: [{id: any, select: "id is not null", checks: [{metric: accuracy, min: 0.5}]}]
"""
WORK = """\
def drives():
    return ({"id": f"drive-{n}", "label": "ab"[n % 2]} for n in range(4))
def golden_drives():
    return ({"id": f"golden-{n}", "label": "ab"[n % 2]} for n in range(120))
def predict(data, model_dir):
    return iter(())
def train(data, validation, model_dir, seed):
    open(f"{model_dir}/model.txt", "w").write(str(seed))
"""


def trainings(scratch: Path) -> tuple[Plan, dict[str, Step]]:
    """A project whose training is a command or a function of the user's, and the steps of its plan."""
    project = scratch / "project"
    (project / "code").mkdir(parents=True, exist_ok=True)
    (project / "code" / "work.py").write_text(WORK)
    (project / "spec.yaml").write_text(SPEC)
    for verb in (["lock", "spec.yaml"], ["compile", "spec.yaml", "--target", "local", "--out", "out"]):
        subprocess.run([sys.executable, "-m", "clspec", *verb], cwd=project, env=OWN, check=True, capture_output=True)
    plan = planned.read(project / "out" / "plan.json")
    return plan, {step.id: step for step in plan.pipeline("regression").steps}


NOTHING = ("sh", "-c", "'echo $0 > /dev/null'", "1")
"""What the command of the step does, without the step."""


def proving_make(scratch: Path, step: Step, command: list[str], state: Path) -> Callable[[int], Cost]:
    """Runs a Makefile whose rules do what a training by a command does: code, data and golden rows are proven."""
    (run, *_) = recall.runs(state)
    lies = {(s.id, name): made.place for s in recall.steps(state, run.id) for name, made in s.outputs.items()}
    read = [f"--in {entry.name}={lies[entry.step, entry.output]}" for entry in step.inputs]
    config = planned.msgspec.json.decode(step.config)
    config["call"] = {**config["call"], "entrypoint": None, "command": command}
    (scratch / "config.json").write_text(canonical(config))
    program = (
        f"{sys.executable} -P -m clspec.step train --config @{scratch}/config.json "
        f"--code {scratch}/project/code --store store"
    )

    def made(count: int) -> Cost:
        folder = scratch / f"proving-{time.monotonic_ns()}"
        folder.mkdir()
        rules = "".join(
            f"{n}/metrics:\n\t@{program} {' '.join(read)} --out model={n}/model --out metrics=$@ > /dev/null\n"
            for n in range(count)
        )
        (folder / "Makefile").write_text(f"all: {' '.join(f'{n}/metrics' for n in range(count))}\n{rules}")
        return cost(["make", "-s"], folder)

    return made


def user_steps(scratch: Path, table: Table, rounds: int) -> None:
    """A step that runs the user's command, and one that runs the user's function in a Python of its own."""
    plan, steps = trainings(scratch)
    snapshots = [replace(steps[f"snapshot-{name}"], inputs=(), needs=()) for name in ("golden", "training")]
    command = ["sh", "-c", "echo $0 > $1/model.txt", "{seed}", "{model_dir}"]

    def plan_of(count: int, name: str, isolation: Isolation, *, by_command: bool) -> Path:
        made = []
        for seed in range(count):
            step = steps["train-seed-1"]
            config = planned.msgspec.json.decode(step.config) | {"seed": seed}
            if by_command:
                config["call"] = {**config["call"], "entrypoint": None, "command": command}
            made.append(replace(step, id=f"train-{seed}", config=canonical(config), isolation=isolation))
        folder = scratch / f"{name}-{count}"
        folder.mkdir(exist_ok=True)
        pipeline = Pipeline(name="regression", steps=(*snapshots, *made))
        (folder / "plan.json").write_text(planned.as_json(replace(plan, pipelines=(pipeline,))))
        return folder

    place = ["--code", str(scratch / "project" / "code"), "--store", str(scratch / "project" / "store")]

    def each(name: str, isolation: Isolation, *, by_command: bool) -> Cost:
        few, many = [], []
        for _ in range(rounds):
            few.append(fresh(plan_of(2, name, isolation, by_command=by_command), *place))
            many.append(fresh(plan_of(22, name, isolation, by_command=by_command), *place))
        a, b = least(few), least(many)
        return Cost((b.cpu - a.cpu) / 20, (b.wall - a.wall) / 20)

    commands = each("command", Isolation.FORK, by_command=True)
    if has("make"):
        few, many = [], []
        for _ in range(rounds):
            few.append(cost(*reversed(peer("make", scratch, 2))))
            many.append(cost(*reversed(peer("make", scratch, 302))))
        table.row("a training by a command, CPU", commands.cpu, (least(many).cpu - least(few).cpu) / 300, "make", 2.0)
        run(plan_of(2, "command", Isolation.FORK, by_command=True), *place)
        same = proving_make(scratch, steps["train-seed-1"], command, scratch / "command-2" / ".clspec")
        few = [same(2) for _ in range(rounds)]
        many = [same(12) for _ in range(rounds)]
        proven = (least(many).cpu - least(few).cpu) / 10
        table.row("the same, CPU", commands.cpu, proven, "make that has the same proven")
    bare = least(
        [cost(["sh", "-c", f"for n in $(seq 200); do {' '.join(NOTHING)}; done"], ROOT) for _ in range(rounds)]
    )
    table.row("  of which is the command itself, CPU", bare.cpu / 200, commands.cpu, "the step")
    colds = each("cold", Isolation.SPAWN, by_command=False)
    limit = least(
        [cost([sys.executable, "-c", "import clspec.step.program, clspec.step.train"], ROOT) for _ in range(5)]
    )
    empty = least([cost([sys.executable, "-c", "pass"], ROOT) for _ in range(5)])
    table.row("a Python step, cold, CPU", colds.cpu, limit.cpu, "Python that imports the step program", 1.35)
    table.row("  of which is Python itself, CPU", empty.cpu, limit.cpu, "the same")


def long_chain(scratch: Path, table: Table, rounds: int) -> None:
    """Ten thousand steps in a row beside one thousand, up to date."""
    short, long = chain(scratch / "c1000", 1000), chain(scratch / "c10000", 10_000)
    a, b = run(short), run(long)
    table.row("10,000 new steps in a row, CPU", b.cpu, a.cpu, "1,000", 11.0)
    seen = [(run(short), run(long)) for _ in range(rounds)]
    one, ten = least([a for a, _ in seen]), least([b for _, b in seen])
    table.row("10,000 steps in a row up to date, CPU", ten.cpu, one.cpu, "1,000", 11.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    if given.peers:
        OWN["PATH"] = os.environ["PATH"] = f"{given.peers / 'bin'}:{os.environ['PATH']}"
    table = Table()
    parts = {
        "up-to-date": lambda at: up_to_date(at, table, given.steps, given.rounds),
        "built-in": lambda at: built_in(at, table, given.rounds),
        "torch": lambda at: with_torch(at, table, given.rounds),
        "user": lambda at: user_steps(at, table, given.rounds),
        "long": lambda at: long_chain(at, table, given.rounds),
        "peers": lambda at: beside_peers(at, table, given.rounds),
    }
    print(f"least of {given.rounds} rounds, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="clspec-bench-") as scratch:
        for name, part in parts.items():
            if not given.only or name in given.only:
                part(Path(scratch))
    return 0 if table.held else 1


if __name__ == "__main__":
    sys.exit(main())
