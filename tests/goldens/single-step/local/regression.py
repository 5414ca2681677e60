"""contract: pipeline regression, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python regression.py --code DIR --folder DIR [--store URI] [--work DIR]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", type=Path, required=True, help="the folder with the user's code")
parser.add_argument("--folder", type=Path, required=True, help="the folder of the spec, where its paths count from")
parser.add_argument("--store", default="s3://perception/cl", help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())


def out(step, name):
    """Where a step leaves an output or a parameter."""
    return given.work / step / name


def run(step, kind, config, inputs=(), outputs=(), parameters=(), when=None):
    """Run the step program; end this program with its exit code if it does not end well."""
    if when and out(when[0], when[1]).read_text() != when[2]:
        print(f"{step}: skipped, {when[1]} of {when[0]} is not {when[2]}", flush=True)
        return
    print(f"{step}: runs", flush=True)
    command = [sys.executable, "-m", "clspec.step", kind, "--config", json.dumps(config)]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    for name, (producer, output) in dict(inputs).items():
        command += ["--in", f"{name}={out(producer, output)}"]
    for name in outputs:
        command += ["--out", f"{name}={out(step, name)}"]
    for name in parameters:
        command += ["--out-param", f"{name}={out(step, name)}"]
    ended = subprocess.run(command).returncode
    if ended:
        sys.exit(ended if ended > 0 else 128 - ended)


# steps.conclude
run(
    "conclude",
    "conclude",
    config={
        "spec": "contract",
    },
)
