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
        starts = [made for made in objects if made["kind"] in ("CronWorkflow", "Sensor")]
        return {
            made["metadata"]["labels"]["clspec.dev/pipeline"]: _pipeline(made, starts)
            for made in objects
            if made["kind"] == "WorkflowTemplate"
        }


def _pipeline(made, starts):
    templates = {template["name"]: template for template in made["spec"]["templates"]}
    tasks = templates[made["spec"]["entrypoint"]]["dag"]["tasks"]
    steps = {task["name"]: _step(task, templates[task["template"]]) for task in tasks}
    ends = templates[made["spec"]["onExit"]]["dag"]["tasks"] if "onExit" in made["spec"] else ()
    for task in ends:
        if "container" in templates[task["template"]]:
            steps[task["name"]] = _last(templates[task["template"]], frozenset(steps))
    name = made["metadata"]["name"]
    return ReadPipeline(steps=steps, triggers=frozenset(t for start in starts for t in _triggers(start, name)))


def _triggers(start, name):
    spec = start["spec"]
    if start["kind"] == "CronWorkflow":
        if spec["workflowSpec"]["workflowTemplateRef"]["name"] == name:
            for schedule in spec["schedules"]:
                yield Trigger(event=Event.SCHEDULE, cron=schedule, time_zone=spec["timezone"])
        return
    (trigger,) = spec["triggers"]
    if trigger["template"]["k8s"]["source"]["resource"]["spec"]["workflowTemplateRef"]["name"] != name:
        return
    for heard in spec["dependencies"]:
        assert heard["name"] in trigger["template"]["conditions"].split(" || ")
        values = heard.get("filters", {}).get("data", [{}])[0].get("value", [])
        if heard["eventName"] == "data":
            yield Trigger(event=Event.DATA_CHANGE, source=values[0].removeprefix("^").removesuffix("$"))
        elif heard["eventName"] == "labels":
            yield Trigger(event=Event.LABELS)


def _last(template, all_others):
    """A step that runs once all others are over, and fetches what they kept by its key."""
    kind, config = _command(template)
    taken = template.get("inputs", {}).get("artifacts", ())
    inputs = {i["name"]: (i["s3"]["key"].split("/"), i.get("optional", False)) for i in taken}
    return ReadStep(
        kind=kind,
        config=json.loads(config),
        needs=all_others,
        inputs=frozenset(Input(name=n, step=k[2], output=k[3], optional=o) for n, (k, o) in inputs.items()),
    )


def _step(task, template):
    kind, config = _command(template)
    given = {entry["name"]: entry["from"] for entry in task.get("arguments", {}).get("artifacts", ())}
    taken = [entry["name"] for entry in template.get("inputs", {}).get("artifacts", ())]
    assert sorted(given) == sorted(taken)
    outputs = template.get("outputs", {})
    may_lack = {entry["name"] for entry in template.get("inputs", {}).get("artifacts", ()) if entry.get("optional")}
    return ReadStep(
        kind=kind,
        config=json.loads(config),
        needs=frozenset(re.findall(r"([-a-z0-9]+)\.Succeeded", task.get("depends", ""))),
        inputs=frozenset(
            Input(name=name, step=_of(tag)[0], output=_of(tag)[2], optional=name in may_lack)
            for name, tag in given.items()
        ),
        outputs=frozenset(output["name"] for output in outputs.get("artifacts", ())),
        parameters=frozenset(output["name"] for output in outputs.get("parameters", ())),
        when=_condition(task["when"].split(" && ")[-1]) if "when" in task else None,
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
