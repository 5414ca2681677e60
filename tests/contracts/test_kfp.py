"""Kubeflow keeps the contract: its documents are read back as a cluster would read them."""

import json
import re
from itertools import pairwise

import pytest
import yaml

import clspec_kfp
from clspec.plan import Condition, Event, Input, Trigger
from clspec.testing import BackendContract, ReadPipeline, ReadStep


class TestKfp(BackendContract):
    @pytest.fixture
    def backend(self):
        return clspec_kfp.backend

    def golden_folder(self, plan):
        return super().golden_folder(plan) / "kfp"

    def read_back(self, bundle):
        files = {file.removesuffix(".yaml"): text for file, text in bundle.items() if file.endswith(".yaml")}
        return {name: _pipeline(text, _triggers(name, bundle)) for name, text in files.items()}


def _triggers(name, bundle):
    runs = (json.loads(text) for file, text in bundle.items() if file.startswith(f"{name}.recurring-run"))
    crons = (run["trigger"]["cron_schedule"]["cron"].split() for run in runs)
    return frozenset(Trigger(event=Event.SCHEDULE, cron=" ".join(fields)) for _, *fields in crons)


def _pipeline(text, triggers):
    spec, *platform = yaml.safe_load_all(text)
    pods = platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platform else {}
    return ReadPipeline(steps=_Reader(spec, pods).steps, triggers=triggers)


class _Reader:
    """Walks the graphs from the root inwards; what a graph is given is followed to the step that made it."""

    def __init__(self, spec, pods):
        self._spec, self._pods = spec, pods
        self.steps = {}
        self._walk(spec["root"], {}, frozenset(), None)

    def _walk(self, owner, known, before, when):
        tasks = owner["dag"]["tasks"]
        for name, task in tasks.items():
            needs = before | {step for other in task.get("dependentTasks", ()) for step in self._inside(other, tasks)}
            given = task["inputs"].get("artifacts", {}) | task["inputs"].get("parameters", {})
            bound = {key: self._source(binding, known) for key, binding in given.items()}
            asked = self._condition(task, bound) or when
            component = self._spec["components"][task["componentRef"]["name"]]
            assert set(component["inputDefinitions"].get("artifacts", {})) == set(task["inputs"].get("artifacts", {}))
            if "dag" in component:
                self._walk(component, bound, needs, asked)
            else:
                sources = {key: bound[key] for key in task["inputs"].get("artifacts", {})}
                self.steps[name] = self._step(component, sources, needs, asked)

    def _inside(self, name, tasks):
        component = self._spec["components"][tasks[name]["componentRef"]["name"]]
        inner = component.get("dag", {}).get("tasks")
        return {name} if inner is None else {step for key in inner for step in self._inside(key, inner)}

    def _source(self, binding, known):
        """The step and its output behind a binding; None for what comes from the run itself."""
        ((kind, given),) = binding.items()
        if kind.startswith("taskOutput"):
            return given["producerTask"], given.get("outputArtifactKey") or given["outputParameterKey"]
        return known.get(given) if kind.startswith("componentInput") else None

    def _condition(self, task, bound):
        comparison = task.get("triggerPolicy", {}).get("condition")
        if comparison is None:
            return None
        equals = re.fullmatch(r"inputs\.parameter_values\['when'\] == '([^']*)'", comparison)[1]
        step, parameter = bound["when"]
        return Condition(step=step, parameter=parameter, equals=equals)

    def _step(self, component, sources, needs, when):
        label = component["executorLabel"]
        kind, config, taken = _command(self._spec["deploymentSpec"]["executors"][label]["container"])
        inputs = {Input(name=name, step=step, output=output) for name, (step, output) in sources.items()}
        written = component.get("outputDefinitions", {})
        return ReadStep(
            kind=kind,
            config=json.loads(config),
            needs=needs,
            inputs=frozenset(inputs | taken),
            outputs=frozenset(written.get("artifacts", ())),
            parameters=frozenset(written.get("parameters", ())),
            when=when,
            node_selector=self._pods.get(label, {}).get("nodeSelector", {}).get("labels", {}),
        )


def _command(container):
    """The step's kind, configuration and optional inputs; Kubernetes and the launcher expand nothing in them."""
    assert container["command"] == ["python", "-m", "clspec.step.kubeflow"]
    kind, flag, config, *rest = container["args"]
    assert flag == "--config"
    for sign in ("{{", "$(", "$$"):
        assert sign not in config
    taken = {word for before, word in pairwise(rest) if before == "--take"}
    found = (re.fullmatch("([^=]+)=([^/]+)/([^/]+)", word).groups() for word in taken)
    return kind, config, {Input(name=name, step=step, output=output, optional=True) for name, step, output in found}
