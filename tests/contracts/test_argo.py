"""Argo keeps the contract: its objects are read back as its controller would read them."""

import json
import re
from itertools import pairwise

import pytest
import yaml

import clspec_argo
from clspec.plan import Condition, Event, Input, Trigger
from clspec.testing import BackendContract, ReadPipeline, ReadStep


class TestArgo(BackendContract):
    @pytest.fixture
    def backend(self):
        return clspec_argo.backend

    def golden_folder(self, plan):
        return super().golden_folder(plan) / "argo"

    def read_back(self, bundle):
        objects = [yaml.safe_load(text) for text in bundle.values()]
        crons = [made for made in objects if made["kind"] == "CronWorkflow"]
        return {
            made["metadata"]["labels"]["clspec.dev/pipeline"]: _pipeline(made, crons)
            for made in objects
            if made["kind"] == "WorkflowTemplate"
        }


def _pipeline(made, crons):
    templates = {template["name"]: template for template in made["spec"]["templates"]}
    tasks = templates[made["spec"]["entrypoint"]]["dag"]["tasks"]
    mine = (
        cron["spec"]
        for cron in crons
        if cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] == made["metadata"]["name"]
    )
    return ReadPipeline(
        steps={task["name"]: _step(task, templates[task["template"]]) for task in tasks},
        triggers=frozenset(
            Trigger(event=Event.SCHEDULE, cron=schedule, time_zone=spec["timezone"])
            for spec in mine
            for schedule in spec["schedules"]
        ),
    )


def _step(task, template):
    kind, config = _command(template)
    given = {entry["name"]: entry["from"] for entry in task.get("arguments", {}).get("artifacts", ())}
    taken = [entry["name"] for entry in template.get("inputs", {}).get("artifacts", ())]
    assert sorted(given) == sorted(taken)
    outputs = template.get("outputs", {})
    return ReadStep(
        kind=kind,
        config=json.loads(config),
        needs=frozenset(re.findall(r"([-a-z0-9]+)\.Succeeded", task.get("depends", ""))),
        inputs=frozenset(Input(name=name, step=_of(tag)[0], output=_of(tag)[2]) for name, tag in given.items()),
        outputs=frozenset(output["name"] for output in outputs.get("artifacts", ())),
        parameters=frozenset(output["name"] for output in outputs.get("parameters", ())),
        when=_condition(task["when"]) if "when" in task else None,
        node_selector=template.get("nodeSelector", {}),
    )


def _of(tag):
    """The task, the sort and the name of an output that a tag stands for."""
    return re.fullmatch(r"\{\{tasks\.([^.}]+)\.outputs\.([^.}]+)\.([^.}]+)\}\}", tag).groups()


def _condition(text):
    tag, equals = re.fullmatch(r"'(\{\{[^']*\}\})' == '([^']*)'", text).groups()
    step, sort, parameter = _of(tag)
    assert sort == "parameters"
    return Condition(step=step, parameter=parameter, equals=equals)


def _command(template):
    """The step's kind and configuration, and that neither Argo nor Kubernetes expands anything in them."""
    container = template["container"]
    assert container["command"] == ["python", "-m", "clspec.step"]
    kind, *arguments = container["args"]
    config = dict(pairwise(arguments))["--config"]
    for sign in ("{{", "$"):
        assert sign not in config
    return kind, config
