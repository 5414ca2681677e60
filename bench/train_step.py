"""What a training costs as a step beside the same torch loop called by hand: robotaxi's, CPU time.

    python bench/train_step.py [--rounds N] [--epochs N]

Both are a Python of their own with the same variables, in turns; the least of the rounds counts. By hand means: import
the spec's `train.py`, call `train` with the same data, and no more. Both must make the same weights, byte for byte. The
third row is a whole `clspec run --local` that trains this one model again. Ends with 1 where the target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine import OWN, ROOT, Table, cost

from clspec import api, planned
from clspec.plan import canonical
from clspec.selection import Selection

if TYPE_CHECKING:
    from clspec.plan import Step

MOST = 1.05
TRAINING = "train-seed-1"
BY_HAND = """\
import json, sys
code, data, validation, model, params = sys.argv[1:]
sys.path.insert(0, code)
from train import train
train(data=data, validation=validation, model_dir=model, **json.loads(params))
"""


def site(scratch: Path) -> tuple[Step, dict[str, Path]]:
    """The training's step, and where what it reads lies."""
    shutil.copytree(ROOT / "specs", scratch / "specs", ignore=shutil.ignore_patterns(".clspec", "__pycache__"))
    spec = str(scratch / "specs" / "robotaxi.yaml")
    plan = planned.read(_compiled(spec, scratch))
    (step,) = (step for step in plan.pipeline("regression").steps if step.id == TRAINING)
    until = Selection(until=tuple(sorted({entry.step for entry in step.inputs})))
    made = api.run(spec, "regression", jobs=1, selection=until)
    if made.exit_code:
        sys.exit(f"what it reads could not be made: {made.folder}")
    return step, {entry.name: made.outputs[entry.step][entry.output] for entry in step.inputs}


def _compiled(spec: str, scratch: Path) -> Path:
    api.write(api.compile(spec, "local").bundle, scratch / "plan")
    return scratch / "plan" / planned.NAME


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, help="other than what the spec says")
    given = parser.parse_args()
    # What the engine gives a step that asks for two cores; by hand the same, so that only the step differs.
    OWN.update(
        {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    )
    with tempfile.TemporaryDirectory(prefix="clspec-bench-") as folder:
        scratch = Path(folder)
        step, read = site(scratch)
        config = planned.msgspec.json.decode(step.config)
        config["params"] |= {"epochs": given.epochs} if given.epochs else {}
        code = scratch / "specs" / "robotaxi"
        ours, theirs = scratch / "ours", scratch / "by-hand"
        as_step = [sys.executable, "-P", "-m", "clspec.step", "train", "--config", canonical(config), "--progress"]
        as_step += ["--store", str(scratch / ".clspec" / "store"), "--code", str(code)]
        as_step += [word for name, path in read.items() for word in ("--in", f"{name}={path}")]
        as_step += [word for name in ("model", "metrics") for word in ("--out", f"{name}={ours / name}")]
        params = json.dumps({**config["params"], "seed": config["seed"]})
        by_hand = [
            sys.executable,
            "-c",
            BY_HAND,
            str(code),
            str(read["data"]),
            str(read["validation"]),
            str(theirs),
            params,
        ]
        run = [sys.executable, "-m", "clspec", "run", "--local", str(scratch / "specs" / "robotaxi.yaml")]
        run += ["--only", TRAINING, "--force", TRAINING, "--progress", "plain"]
        costs = _in_turns(given.rounds, {"step": as_step, "hand": by_hand, "run": [] if given.epochs else run}, theirs)
        same = [(place / "model.safetensors").read_bytes() for place in (ours / "model", theirs)]
        if same[0] != same[1]:
            sys.exit("the step and the call by hand made different models: they cannot be compared")
    table = Table()
    hand = min(costs["hand"])
    print(f"least of {given.rounds} rounds, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    table.row("robotaxi's training as a step, CPU", min(costs["step"]), hand, "the same by hand")
    if costs["run"]:
        table.row("a whole run that trains this model, CPU", min(costs["run"]), hand, "the same by hand", MOST)
    return 0 if table.held else 1


def _in_turns(rounds: int, commands: dict[str, list[str]], theirs: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            if command:
                theirs.mkdir(exist_ok=True)
                found[name].append(cost(command, ROOT).cpu)
    return found


if __name__ == "__main__":
    sys.exit(main())
