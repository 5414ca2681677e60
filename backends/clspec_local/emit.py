"""A pipeline as a plain Python program that a person can read and run without the engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clspec import graph

if TYPE_CHECKING:
    from clspec.plan import Pipeline, Plan, Step

_HEAD = '''\
"""{title}: pipeline {pipeline}, one step after the other.

Made by `clspec compile --target local`. It needs an environment with clspec's `run` extra and the user's code:

    python {pipeline}.py --code DIR --folder DIR [--store URI] [--work DIR]
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
parser.add_argument("--store", default={store}, help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--as-of", default=None, help="when the run began, ISO 8601; now where it is not given")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
begun = given.as_of or datetime.now(tz=UTC).isoformat(timespec="seconds")
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(128 + number))  # not without ending the step
{secrets}

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
            return f"{{producer}} was skipped"
    if when and out(when[0], when[1]).read_text() != when[2]:
        return f"{{when[1]}} of {{when[0]}} is not {{when[2]}}"
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
        print(f"{{step}}: skipped, {{reason}}", flush=True)
        skipped.add(step)
        return 0
    settings = out(step, ".config.json")  # a file, since an argument has a longest length
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(config))
    command = [sys.executable, "-m", "clspec.step", kind, "--config", f"@{{settings}}"]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    command += ["--as-of", begun] if impure else []
    for name, (producer, output) in dict(inputs).items():
        if producer in done or name not in optional:  # what an earlier run left there is none of this run's
            command += ["--in", f"{{name}}={{out(producer, output)}}"]
    for name in outputs:
        command += ["--out", f"{{name}}={{out(step, name)}}"]
    for name in parameters:
        command += ["--out-param", f"{{name}}={{out(step, name)}}"]
    for left in range(retries, -1, -1):
        print(f"{{step}}: runs", flush=True)
        ended, broken = attempt(command, cpu, memory, timeout)
        if ended == 0 and not broken:
            done.add(step)
            return 0
        print(f"{{step}}: {{broken or f'ended with {{ended}}'}}", file=sys.stderr, flush=True)
        infrastructure = ended < 0 or ended in (75, 137, 143)
        if broken or not infrastructure or not left:
            break
    return 3 if broken else ended if ended > 0 else 128 - ended


def attempt(command, cpu, memory, timeout):
    """Run a command once; give its exit code (negative for a signal) and the limit that it broke, if it did."""
    threads = str(max(1, int(min(cpu, os.cpu_count() or 1))))
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    started, broken = time.monotonic(), ""
    process = subprocess.Popen(command, env={{**os.environ, **variables}}, start_new_session=True)
    try:
        while not broken:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(0.2), broken
            if timeout is not None and time.monotonic() - started > timeout:
                broken = f"it ran longer than its timeout of {{timeout}} s"
            elif memory is not None and occupied(process.pid) > memory:
                broken = f"it used more than its memory of {{memory}} bytes"
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

'''


_MISSING = """\
missing = [name for name in ({names},) if name not in os.environ]
if missing:
    parser.error("secrets are read from variables that are not set: " + ", ".join(missing))
"""


def program(plan: Plan, pipeline: Pipeline) -> str:
    """The program's text: each step as one call, in the order of the graph."""
    head = _HEAD.format(title=plan.name, pipeline=pipeline.name, store=_text(plan.store), secrets=_secrets(pipeline))
    return head + "\n".join(_call(step) for step in graph.order(pipeline)) + "\nfinish(0)\n"


def _secrets(pipeline: Pipeline) -> str:
    """A look for every secret before anything runs; nothing if there are none."""
    names = sorted({secret.env for step in pipeline.steps for secret in step.secrets if not step.always})
    return _MISSING.format(names=", ".join(map(_text, names))) if names else ""


def _call(step: Step) -> str:
    lines = [
        "",
        f"# {step.where.encode('unicode_escape').decode()}" if step.where else "#",
        "run(",
        f"    {_text(step.id)},",
        f"    {_text(step.kind.value)},",
    ]
    lines.append(f"    config={_python(step.config)},")
    if step.inputs:
        pairs = ", ".join(f"{_text(i.name)}: ({_text(i.step)}, {_text(i.output)})" for i in step.inputs)
        lines.append(f"    inputs={{{pairs}}},")
    if step.outputs:
        lines.append(f"    outputs=[{', '.join(_text(a.name) for a in step.outputs)}],")
    if step.parameters:
        lines.append(f"    parameters=[{', '.join(_text(name) for name in step.parameters)}],")
    if step.when:
        when = ", ".join(_text(part) for part in (step.when.step, step.when.parameter, step.when.equals))
        lines.append(f"    when=({when}),")
    if names := [i.name for i in step.inputs if i.optional]:
        lines.append(f"    optional=[{', '.join(map(_text, names))}],")
    if not step.pure:
        lines.append("    impure=True,")
    if step.always:
        lines.append("    always=True,")
    limits = {
        "cpu": step.resources.cpu or None,
        "memory": step.resources.memory or None,
        "timeout": step.timeout,
        "retries": step.retry.times or None,
    }
    lines += [f"    {name}={value!r}," for name, value in limits.items() if value is not None]
    return "\n".join([*lines, ")", ""])


def _text(value: str) -> str:
    """A Python literal in ASCII: JSON's, unless JSON would spell a character beyond U+FFFF as two."""
    return json.dumps(value) if max(value, default="") <= "\uffff" else ascii(value)


def _python(config: str) -> str:
    """A configuration as a Python value, laid out to be read; ASCII, keys sorted."""
    return _value(json.loads(config), 4)


def _value(value: object, indent: int) -> str:
    pad = " " * (indent + 4)
    if isinstance(value, dict) and value:
        body = "".join(f"{pad}{_text(k)}: {_value(v, indent + 4)},\n" for k, v in sorted(value.items()))
        return "{\n" + body + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        body = "".join(f"{pad}{_value(item, indent + 4)},\n" for item in value)
        return "[\n" + body + " " * indent + "]"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, indent) for item in value) + "]"
    return _text(value) if isinstance(value, str) else repr(value)
