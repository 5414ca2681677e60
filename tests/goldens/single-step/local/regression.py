"""contract: pipeline regression, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python regression.py --code DIR --folder DIR [--store URI] [--work DIR]
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", type=Path, required=True, help="the folder with the user's code")
parser.add_argument("--folder", type=Path, required=True, help="the folder of the spec, where its paths count from")
parser.add_argument("--store", default="s3://perception/cl", help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--as-of", default=None, help="when the run began, ISO 8601; now where it is not given")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
begun = given.as_of or datetime.now(tz=UTC).isoformat(timespec="seconds")
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(128 + number))  # not without ending the step


done, skipped = set(), set()
last = []
"""Steps that run at the end, however the others ended."""


def out(step, name):
    """Where a step leaves an output or a parameter."""
    return given.work / step / name


def skip(inputs, when, optional):
    """Why a step has nothing to do, if so."""
    reads = [producer for name, (producer, _) in dict(inputs).items() if name not in optional]
    for producer in (*reads, *([when[0]] if when else [])):
        if producer in skipped:
            return f"{producer} was skipped"
    if when and out(when[0], when[1]).read_text() != when[2]:
        return f"{when[1]} of {when[0]} is not {when[2]}"
    return ""


def run(step, kind, config, always=False, **rest):
    """Run the step program; end this program with its exit code if it does not end well."""
    if always:
        last.append(lambda: perform(step, kind, config, **rest))
    elif ended := perform(step, kind, config, **rest):
        finish(ended)


def finish(code):
    """Run what always runs, whose own end changes nothing, and leave."""
    for step in last:
        step()
    sys.exit(code)


def perform(
    step, kind, config, inputs=(), outputs=(), parameters=(), when=None, optional=(), impure=False,
    cpu=1.0, memory=None, timeout=None, retries=0,
):
    """Run the step program, again where the machine failed it; give its exit code."""
    if reason := skip(inputs, when, optional):
        print(f"{step}: skipped, {reason}", flush=True)
        skipped.add(step)
        return 0
    settings = out(step, ".config.json")  # a file, since an argument has a longest length
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(config))
    command = [sys.executable, "-m", "clspec.step", kind, "--config", f"@{settings}"]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    command += ["--as-of", begun] if impure else []
    for name, (producer, output) in dict(inputs).items():
        if producer in done or name not in optional:  # what an earlier run left there is none of this run's
            command += ["--in", f"{name}={out(producer, output)}"]
    for name in outputs:
        command += ["--out", f"{name}={out(step, name)}"]
    for name in parameters:
        command += ["--out-param", f"{name}={out(step, name)}"]
    for left in range(retries, -1, -1):
        print(f"{step}: runs", flush=True)
        ended, broken = attempt(command, cpu, memory, timeout)
        if ended == 0 and not broken:
            done.add(step)
            return 0
        print(f"{step}: {broken or f'ended with {ended}'}", file=sys.stderr, flush=True)
        infrastructure = ended < 0 or ended in (75, 137, 143)
        if broken or not infrastructure or not left:
            break
    return 3 if broken else ended if ended > 0 else 128 - ended


def attempt(command, cpu, memory, timeout):
    """Run a command once; give its exit code (negative for a signal) and the limit that it broke, if it did."""
    threads = str(max(1, int(min(cpu, os.cpu_count() or 1))))
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    started, broken = time.monotonic(), ""
    process = subprocess.Popen(command, env={**os.environ, **variables}, start_new_session=True)
    try:
        while not broken:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(0.2), broken
            if timeout is not None and time.monotonic() - started > timeout:
                broken = f"it ran longer than its timeout of {timeout} s"
            elif memory is not None and occupied(process.pid) > memory:
                broken = f"it used more than its memory of {memory} bytes"
    finally:  # whatever it started ends with it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait(), broken


def occupied(session):
    """Bytes of memory that the processes of a session hold."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/statm"):
        with contextlib.suppress(OSError):
            if os.getsid(int(file.parent.name)) == session:
                total += int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


# steps.conclude
run(
    "conclude",
    "conclude",
    config={
        "spec": "contract",
    },
    impure=True,
)

finish(0)
