"""Kubeflow keeps the contract: its documents are read back as a cluster would read them."""

import json
import re

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
    tasks = spec["root"]["dag"]["tasks"]
    return ReadPipeline(steps={name: _step(name, task, spec, pods) for name, task in tasks.items()}, triggers=triggers)


def _step(name, task, spec, pods):
    component = spec["components"][task["componentRef"]["name"]]
    when = None
    if "dag" in component:
        ((inner, conditional),) = component["dag"]["tasks"].items()
        assert inner == name
        when = _condition(task, conditional)
        component = spec["components"][conditional["componentRef"]["name"]]
    kind, config = _command(spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"])
    sources = {given: bound["taskOutputArtifact"] for given, bound in task["inputs"].get("artifacts", {}).items()}
    assert set(component["inputDefinitions"].get("artifacts", {})) == set(sources)
    written = component.get("outputDefinitions", {})
    return ReadStep(
        kind=kind,
        config=json.loads(config),
        needs=frozenset(task.get("dependentTasks", ())),
        inputs=frozenset(
            Input(name=given, step=source["producerTask"], output=source["outputArtifactKey"])
            for given, source in sources.items()
        ),
        outputs=frozenset(written.get("artifacts", ())),
        parameters=frozenset(written.get("parameters", ())),
        when=when,
        node_selector=pods.get(component["executorLabel"], {}).get("nodeSelector", {}).get("labels", {}),
    )


def _condition(task, conditional):
    """What the group is given as `when`, and what its one task compares it with."""
    source = task["inputs"]["parameters"]["when"]["taskOutputParameter"]
    comparison = conditional["triggerPolicy"]["condition"]
    equals = re.fullmatch(r"inputs\.parameter_values\['when'\] == '([^']*)'", comparison)[1]
    return Condition(step=source["producerTask"], parameter=source["outputParameterKey"], equals=equals)


def _command(container):
    """The step's kind and configuration; Kubernetes and the launcher expand nothing in them."""
    assert container["command"] == ["python", "-m", "clspec.step"]
    kind, flag, config, *_ = container["args"]
    assert flag == "--config"
    for sign in ("{{", "$(", "$$"):
        assert sign not in config
    return kind, config
