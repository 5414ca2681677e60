"""The regression pipeline of an example, step by step in this process, up to its verdict."""

import json
import re
import shutil
import sys
from pathlib import Path

from clspec import api, graph
from clspec.plan import Kind
from clspec.step.program import main

SPECS = Path(__file__).resolve().parents[2] / "specs"
JUDGED_BY = {Kind.PIN, Kind.EXPECT, Kind.SNAPSHOT, Kind.TRAIN, Kind.PREDICT, Kind.BASELINE, Kind.EVALUATE, Kind.GATE}


def pinned(name, folder):
    """A copy of an example with data of its own, pinned."""
    shutil.copytree(SPECS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SPECS / f"{name}.yaml", folder)
    (folder / "pyproject.toml").write_text("")
    _forget(name)
    api.lock(str(folder / f"{name}.yaml"))
    return folder


def verdict(project, name, **changes):
    """What the gate says of the models that the spec makes, with other values for some of its keys in one line."""
    spec = project / f"{name}.yaml"
    text = (SPECS / f"{name}.yaml").read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"\b{key}: (\[[^]]*\]|[^,}}\n]+)", f"{key}: {value}", text, count=1)
        assert count == 1, key
    spec.write_text(text)
    (pipeline,) = (p for p in api.plan(str(spec)).pipelines if p.name == "regression")
    _forget(name)
    done = {}
    for step in graph.order(pipeline):
        if step.kind in JUDGED_BY:
            done[step.id] = project / "done" / step.id
            shutil.rmtree(done[step.id], ignore_errors=True)
            done[step.id].mkdir(parents=True)
            assert main(_arguments(step, project, name, done)) == 0, step.id
    return json.loads((done["gate"] / "verdict").read_text())


def _forget(name):
    """Let the example's modules be imported anew, from where a step looks for them."""
    for module, loaded in list(sys.modules.items()):
        if Path(getattr(loaded, "__file__", None) or "").parent.name == name:
            del sys.modules[module]


def _arguments(step, project, name, done):
    places = ["--store", str(project / ".clspec" / "store"), "--code", str(project / name), "--folder", str(project)]
    inputs = [f"--in={i.name}={done[i.step] / i.output}" for i in step.inputs if i.step in done]
    outputs = [f"--out={artifact.name}={done[step.id] / artifact.name}" for artifact in step.outputs]
    parameters = [f"--out-param={parameter}={done[step.id] / parameter}.txt" for parameter in _parameters(step)]
    return [step.kind.value, "--config", step.config, *places, *inputs, *outputs, *parameters]


def _parameters(step):
    return ("outcome",) if step.kind is Kind.GATE else ()


def verdicts(found):
    """Each scenario's verdicts over the seeds."""
    said = {}
    for seed in found["seeds"]:
        for scenario in seed["scenarios"]:
            said.setdefault(scenario["id"], set()).add(scenario["verdict"])
    return said


def checks(found, scenario, metric):
    """What was said of one metric of a scenario, for each seed."""
    return [
        check
        for seed in found["seeds"]
        for judged in seed["scenarios"]
        if judged["id"] == scenario
        for check in judged["checks"]
        if check["metric"] == metric
    ]
