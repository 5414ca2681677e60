"""Kill runs at random moments, again and again, and count what is done twice, taken torn, or left running.

    python bench/engine_kills.py [--kills N] [--seed N]

Each round starts a run of a plan whose steps leave a child in a session of its own, or two such runs at once, and sends
SIGKILL to the scheduler, to a step, to both, to any process below the scheduler, or to all of them. The control does
the same to a runner that writes its outputs in place and takes what is there for done: it must fail, or these kills
prove nothing. Ends with 1 if the engine fails, or if the control does not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine import CLSPEC, OWN, trainings

from clspec import code, planned
from clspec.plan import Pipeline, canonical
from clspec_local import artifacts

STEPS = 8
WORK = """
import os, time
from pathlib import Path


def train(data, validation, model_dir, seed):
    with open(os.environ["LC_NOTE"], "a") as stream:
        stream.write(f"{seed}\\n")
    if os.fork() == 0:  # as a loader of data may leave one
        os.setsid()
        os.execlp("sleep", "sleep", os.environ["LC_SLEEP"])
    with open(f"{model_dir}/model.txt", "w") as stream:
        for line in range(20):
            stream.write(f"{line}\\n")
            stream.flush()
            time.sleep(0.005)
"""
CONTROL = """
import os, sys, time
from pathlib import Path
for step in range(40):
    path = Path(sys.argv[1], f"{step}.txt")
    if not path.exists():
        with path.open("w") as stream:
            for line in range(20):
                stream.write(f"{line}\\n")
                stream.flush()
                time.sleep(0.005)
"""


KINDS = ("scheduler", "step", "both", "any", "all")
TWO_AT_ONCE = 0.25
"""How many of the rounds have a second run beside the first one."""


@dataclass
class Counted:
    """What has gone wrong."""

    redone: int = 0
    """Results that were made again though they were recorded, in a later run or in one at the same time."""
    lost: int = 0
    torn: int = 0
    orphans: int = 0

    def __str__(self) -> str:
        return f"{self.redone} redone, {self.lost} lost, {self.torn} torn, {self.orphans} orphans"


def below(pid: int) -> list[int]:
    """The processes below one."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  # the names are enough
        if entry.isdigit():
            with suppress(OSError):
                parent = int(Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        more = children.get(waiting.pop(), [])
        found += more
        waiting += more
    return found


def steps_of(pid: int) -> list[int]:
    """The steps at work below a scheduler: each leads a group of processes in its parent's session."""
    found = []
    for process in below(pid):
        with suppress(OSError):
            group, session = (os.getpgid(process), os.getsid(process))
            if group == process != session:
                found.append(process)
    return found


def victims(kind: str, pid: int, draw: random.Random) -> tuple[str, list[int]]:
    """What a kill hits, and what it is to be called: where no step comes, a kill of a step is one of the scheduler."""
    if kind in {"step", "both"}:
        deadline = time.monotonic() + 2
        while not (there := steps_of(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not there:
            return "scheduler", [pid]
        step = draw.choice(there)
        return kind, [step] if kind == "step" else [pid, step]
    everything = [pid, *below(pid)]
    return kind, {"scheduler": [pid], "any": [draw.choice(everything)], "all": everything}[kind]


def asleep(seconds: str) -> list[int]:
    """The `sleep`s of this bench, wherever they have come to hang."""
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208  # the names are enough
        if entry.isdigit():
            with suppress(OSError):
                if Path(f"/proc/{entry}/cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                    found.append(int(entry))
    return found


def project(scratch: Path) -> tuple[Path, list[str]]:
    plan, steps = trainings(scratch)
    root = scratch / "project" / "code"
    (root / "slow.py").write_text(WORK)
    snapshots = [replace(steps[f"snapshot-{name}"], inputs=(), needs=()) for name in ("golden", "training")]
    train = steps["train-seed-1"]
    call = {"entrypoint": "slow:train", "command": None, "code": code.digest(root)}
    configs = [{**json.loads(train.config), "seed": seed, "call": call} for seed in range(STEPS)]
    made = [replace(train, id=f"train-{seed}", config=canonical(config)) for seed, config in enumerate(configs)]
    folder = scratch / "kills"
    folder.mkdir()
    pipeline = Pipeline(name="regression", steps=(*snapshots, *made))
    (folder / "plan.json").write_text(planned.as_json(replace(plan, pipelines=(pipeline,))))
    place = ["--code", str(root), "--store", str(scratch / "project" / "store")]
    return folder, [*CLSPEC, "plan.json", "--jobs", "2", *place]


def recorded(folder: Path) -> dict[str, dict[str, str]]:
    """The results of trainings that are recorded, by key."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder / ".clspec" / "history.sqlite")) as history:
        rows = history.execute("SELECT key, digests FROM result WHERE kind = 'train'").fetchall()
        return {key: json.loads(digests) for key, digests in rows}
    return {}


def done_twice(folder: Path) -> int:
    """How many results were made by more than one run, of all that the history tells of."""
    query = "SELECT key FROM step WHERE state = 'done' AND kind = 'train' GROUP BY key HAVING count(*) > 1"
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder / ".clspec" / "history.sqlite")) as history:
        return len(history.execute(query).fetchall())
    return 0


def engine(scratch: Path, kills: int, draw: random.Random) -> Counted:
    counted = Counted()
    folder, command = project(scratch)
    note, seconds = folder / "note", f"{86_400 + os.getpid()}"
    own = {**OWN, "LC_NOTE": str(note), "LC_SLEEP": seconds}
    known: dict[str, dict[str, str]] = {}
    note.touch()
    killed = 0
    excused: set[int] = set()
    """What outlived a kill of everything: begun in the moment between the look at what there was and its end."""
    hit: dict[str, int] = dict.fromkeys((*KINDS, "beside another run"), 0)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    while killed < kills:
        count = 2 if draw.random() < TWO_AT_ONCE else 1
        process, *others = [subprocess.Popen(command, cwd=folder, env=own, **quiet) for _ in range(count)]
        time.sleep(draw.uniform(0.2, 3.0))
        kind, struck = victims(draw.choice(KINDS), process.pid, draw)
        for pid in struck:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for each in (process, *others):
            each.wait()
        killed += 1
        hit[kind] += 1
        hit["beside another run"] += len(others)
        deadline = time.monotonic() + 20
        while kind != "all" and set(asleep(seconds)) - excused and time.monotonic() < deadline:
            time.sleep(0.05)
        left = set(asleep(seconds)) - excused
        if kind == "all":  # the next run that comes so far as to tidy up ends these
            excused |= left
        elif left:
            counted.orphans += len(left)
            print(f"\nkill {killed}, of {kind}{' beside another run' * len(others)}: {len(left)} orphans")
        counted.redone += done_twice(folder)
        now = recorded(folder)
        counted.lost += len(known.keys() - now.keys())
        for digests in now.values():
            for digest in digests.values():
                name = digest.removeprefix("sha256:")
                place = folder / ".clspec" / "artifacts" / name[:2] / name
                counted.torn += not place.exists() or artifacts.digest(place) != digest
        known = now
        if len(known) == STEPS:  # all is done: what is done again now is done twice
            before = note.read_text()
            subprocess.run(command, cwd=folder, env=own, capture_output=True, check=True)
            counted.redone += len(note.read_text().split()) - len(before.split())
            counted.orphans += len(asleep(seconds))
            subprocess.run(["rm", "-rf", str(folder / ".clspec")], check=True)
            known = {}
        print(f"\r{killed} kills: {counted}", end="", flush=True)
    print()
    print("hit: " + ", ".join(f"{what} {times}" for what, times in hit.items()))
    return counted


def control(scratch: Path, kills: int, draw: random.Random) -> Counted:
    counted = Counted()
    for at in range(kills):
        folder = scratch / f"control-{at}"
        folder.mkdir()
        command = [sys.executable, "-c", CONTROL, str(folder)]
        process = subprocess.Popen(command)
        time.sleep(draw.uniform(0.1, 2.0))
        process.kill()
        process.wait()
        counted.torn += sum(path.read_text().count("\n") < 20 for path in folder.iterdir())
    return counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="clspec-kills-") as scratch:
        counted = engine(Path(scratch), given.kills, draw)
        torn = control(Path(scratch), 12, draw)
    print(f"engine, {given.kills} kills: {counted}")
    print(f"control, 12 kills: {torn}")
    return 0 if counted == Counted() and torn.torn else 1


if __name__ == "__main__":
    sys.exit(main())
