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
import json
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--code", type=Path, required=True, help="the folder with the user's code")
parser.add_argument("--folder", type=Path, required=True, help="the folder of the spec, where its paths count from")
parser.add_argument("--store", default={store}, help="the store: a URI, or a path counted from the spec's folder")
parser.add_argument("--work", type=Path, default=Path("build/work"), help="where the steps leave their results")
given = parser.parse_args()
store = given.store if "://" in given.store else str((given.folder / given.store).resolve())


def out(step, name):
    """Where a step leaves an output or a parameter."""
    return given.work / step / name


def run(step, kind, config, inputs=(), outputs=(), parameters=(), when=None):
    """Run the step program; end this program with its exit code if it does not end well."""
    if when and out(when[0], when[1]).read_text() != when[2]:
        print(f"{{step}}: skipped, {{when[1]}} of {{when[0]}} is not {{when[2]}}", flush=True)
        return
    print(f"{{step}}: runs", flush=True)
    command = [sys.executable, "-m", "clspec.step", kind, "--config", json.dumps(config)]
    command += ["--store", store, "--code", str(given.code.resolve()), "--folder", str(given.folder.resolve())]
    for name, (producer, output) in dict(inputs).items():
        command += ["--in", f"{{name}}={{out(producer, output)}}"]
    for name in outputs:
        command += ["--out", f"{{name}}={{out(step, name)}}"]
    for name in parameters:
        command += ["--out-param", f"{{name}}={{out(step, name)}}"]
    ended = subprocess.run(command).returncode
    if ended:
        sys.exit(ended if ended > 0 else 128 - ended)

'''


def program(plan: Plan, pipeline: Pipeline) -> str:
    """The program's text: each step as one call, in the order of the graph."""
    head = _HEAD.format(title=plan.name, pipeline=pipeline.name, store=json.dumps(plan.store))
    return head + "\n".join(_call(step) for step in graph.order(pipeline))


def _call(step: Step) -> str:
    lines = [
        "",
        f"# {step.where}" if step.where else "#",
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
    return "\n".join([*lines, ")", ""])


def _text(value: str) -> str:
    return json.dumps(value)


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
