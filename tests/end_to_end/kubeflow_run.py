"""Runs emitted IR in Kubeflow's own local runner, and digests what it made."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import yaml

from clspec_local import artifacts

MARKER = "kfp.dsl.executor_main"
"""The runner takes only commands that mention this module of its own."""
RUN = """
import json, sys, warnings
warnings.simplefilter("ignore")
from kfp import components, local
from kfp.local import importer_handler  # which the runner needs and forgets to import
from kfp.local.orchestrator import enhanced_dag_orchestrator as orchestrator
package, root, parameters, seen, containers = sys.argv[1:]
evaluate = orchestrator.ConditionEvaluator.evaluate_condition
evaluated = []
def observe(condition, store):
    evaluated.append([condition, evaluate(condition, store)])
    return evaluated[-1][1]
orchestrator.ConditionEvaluator.evaluate_condition = staticmethod(observe)
if containers:
    from docker.models.containers import ContainerCollection
    made = ContainerCollection.run
    # The runner lets the engine remove each container, and takes one that is gone before it looks for a success.
    ContainerCollection.run = lambda self, **given: made(self, **{**given, "auto_remove": False})
    runner = local.DockerRunner(**json.loads(containers))
else:
    runner = local.SubprocessRunner(use_venv=False)
local.init(runner=runner, pipeline_root=root, workspace_root=root + "-workspace")
try:
    components.load_component_from_file(package)(**json.loads(parameters))
finally:
    open(seen, "w").write(json.dumps(evaluated))
"""


def here(spec, code, folder, as_of, prelude=""):
    """A copy of the IR whose steps run on this machine: all that an image and a cluster would bring is put in.

    `prelude` is Python that steps run first which speak with the cluster's API.
    """
    spec = copy.deepcopy(spec)
    for executor in spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        python, *module = container["command"]
        assert (python, module) == ("python", ["-m", "clspec.step.kubeflow"])
        words = container["args"]
        words[words.index("--code") + 1] = str(code)
        variables = {pair["name"]: pair["value"] for pair in container.get("env", ())}  # which the runner forgets
        start = f"# {MARKER}\nimport os; os.environ.update({variables})\n"
        start += prelude + "\n" if "--trainjob" in words else ""
        container["command"] = [sys.executable, "-c", start + _START]
        container["args"] = [*words, "--folder", str(folder)]
    return began(spec, as_of)


def contained(spec, as_of):
    """A copy of the IR for containers of its own images: with the variables that the runner forgets."""
    spec = copy.deepcopy(spec)
    for executor in spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        variables = [f"{pair['name']}={pair['value']}" for pair in container.get("env", ())]
        container["command"] = [*(["env", *variables] if variables else []), *container["command"]]
    return began(spec, as_of)


def began(spec, as_of):
    """A copy of the IR whose runs begin at this time: the runner knows no creation time."""
    spec = copy.deepcopy(spec)
    for task in _tasks(spec):
        parameters = task.get("inputs", {}).get("parameters", {})
        if "began" in parameters:
            assert parameters["began"]["runtimeValue"]["constant"] == "{{$.pipeline_job_create_time_utc}}"
            parameters["began"]["runtimeValue"]["constant"] = as_of
    return spec


_START = "import sys; from clspec.step.kubeflow import main; sys.exit(main(sys.argv[1:]))"


def _tasks(spec):
    for owner in (spec["root"], *spec["components"].values()):
        yield from owner.get("dag", {}).get("tasks", {}).values()


class Ran:
    """A run in Kubeflow's local runner."""

    def __init__(self, root, done, evaluated):
        self.ok = done.returncode == 0
        self.told = done.stdout + done.stderr
        self.evaluated = evaluated
        """Each condition that was looked at, and what it came to."""
        self.answers = {path.parent.name: path for path in root.rglob("executor_output.json")}

    @property
    def steps(self):
        """The steps that ended well."""
        return set(self.answers)

    def path(self, step, output):
        return Path(json.loads(self.answers[step].read_text())["artifacts"][output]["artifacts"][0]["uri"])

    def digests(self):
        """The digest of every artifact, by step and output."""
        return {
            (step, output): artifacts.digest(self.path(step, output))
            for step, answer in self.answers.items()
            for output in json.loads(answer.read_text())["artifacts"]
        }


def run(spec, folder, parameters, timeout=600, containers=None):
    """Run IR that `here` has prepared; or in containers, each with these arguments of the engine's."""
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(spec))
    root, seen = folder / "root", folder / "seen.json"
    if containers is not None:  # whose user is another
        for place in (root, folder / "root-workspace"):
            place.mkdir()
            place.chmod(0o777)
    words = [str(folder / "pipeline.yaml"), str(root), json.dumps(parameters), str(seen)]
    words.append(json.dumps(containers) if containers is not None else "")
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=False, timeout=timeout, cwd=folder
    )
    assert seen.exists(), done.stdout + done.stderr
    return Ran(root, done, json.loads(seen.read_text()))
