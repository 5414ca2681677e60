"""Manifests from anywhere: what Argo would refuse is an error at its line; what it takes is none."""

import copy

import pytest
import yaml

from clspec.diagnostic import Severity
from clspec_argo import events, house, lint, rules
from tests.argo_made import manifest

FLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: flow-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: size, value: "1", enum: ["1", "2"]}]}
  onExit: last
  volumes: [{name: work, emptyDir: {}}]
  templates:
    - name: main
      dag:
        tasks:
          - {name: a, template: say, arguments: {parameters: [{name: text, value: "{{workflow.parameters.size}}"}]}}
          - name: b
            template: say
            depends: a.Succeeded || a.Skipped
            when: "{{tasks.a.outputs.parameters.said}} == yes"
            arguments: {parameters: [{name: text, value: "{{tasks.a.outputs.parameters.said}}"}]}
          - {name: c, templateRef: {name: other, template: x}, depends: b, withItems: [1, 2]}
          - {name: d, template: list, depends: c.AnySucceeded}
    - name: list
      steps:
        - - {name: one, template: say, arguments: {parameters: [{name: text, value: "{{item}}"}]}, withItems: [a, b]}
        - - {name: two, template: make, arguments: {artifacts: [{name: data, raw: {data: x}}]}}
    - name: say
      inputs: {parameters: [{name: text}]}
      outputs: {parameters: [{name: said, valueFrom: {path: /tmp/said}}]}
      retryStrategy: {limit: 2, retryPolicy: OnFailure}
      activeDeadlineSeconds: 60
      container: {image: alpine, command: [echo], args: ["{{inputs.parameters.text}} {{ user }} {{workflow.uid}}"]}
    - name: make
      inputs: {artifacts: [{name: data, path: /in/data}]}
      script: {image: alpine, command: [sh], source: "echo {{inputs.artifacts.data.path}}"}
    - name: apply
      resource: {action: create, manifest: "kind: Job"}
    - {name: last, container: {image: alpine, volumeMounts: [{name: work, mountPath: /work}]}}
"""
CRON = """
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 2 * * *", "@daily"]
  timezone: Europe/Berlin
  concurrencyPolicy: Replace
  workflowSpec: {workflowTemplateRef: {name: other}}
"""
SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: s}
spec:
  dependencies: [{name: a, eventSourceName: x, eventName: y}]
  triggers: [{template: {name: go, conditions: a, k8s: {operation: create, source: {resource: {}}}}}]
"""


def errors(text):
    return [found for found in lint(text) if found.is_error]


@pytest.mark.parametrize("text", [FLOW, CRON, SENSOR, FLOW + "---" + CRON])
def test_what_argo_takes_is_no_error(text):
    assert errors(text) == []


def test_what_we_would_not_do_is_a_warning():
    told = [found.message for found in lint(FLOW) if found.severity is Severity.WARNING]
    assert any("image without a digest" in message for message in told)
    assert any("is not one quoted parameter" in message for message in told)


def of(document, name):
    return next(t for t in document["spec"]["templates"] if t["name"] == name)


def task(document, name):
    return next(t for t in of(document, "main")["dag"]["tasks"] if t["name"] == name)


PLANTED = {
    "no template nowhere": lambda d: d["spec"].update(entrypoint="nowhere"),
    "no entrypoint": lambda d: d["spec"].pop("entrypoint"),
    "onExit: no template": lambda d: d["spec"].update(onExit="nowhere"),
    "templates beside": lambda d: d["spec"].update(workflowTemplateRef={"name": "x"}),
    "is of types": lambda d: of(d, "say").update(suspend={}),
    "a template is of one": lambda d: of(d, "last").pop("container"),
    "two templates": lambda d: d["spec"]["templates"].append(of(d, "last")),
    "template 'a_b'": lambda d: of(d, "apply").update(name="a_b"),
    "longer than 128": lambda d: of(d, "apply").update(name="a" * 129),
    "not a Kubernetes name": lambda d: d["metadata"].update(name="A_b"),
    "longer than 63": lambda d: d["metadata"].update(name="a" * 64),
    "has no value": lambda d: d["spec"]["arguments"]["parameters"][0].pop("value"),
    "empty enum": lambda d: d["spec"]["arguments"]["parameters"][0].update(enum=[]),
    "none of its enum": lambda d: d["spec"]["arguments"]["parameters"][0].update(value="3"),
    "says `from`": lambda d: of(d, "make")["inputs"]["artifacts"][0].update({"from": "{{x}}"}),
    "no git.repo": lambda d: of(d, "make")["inputs"]["artifacts"][0].update(git={}),
    "has no path": lambda d: of(d, "make")["inputs"]["artifacts"][0].pop("path"),
    "no input txt": lambda d: of(d, "say")["container"].update(args=["{{inputs.parameters.txt}}"]),
    "no parameter sizes": lambda d: of(d, "say")["container"].update(args=["{{workflow.parameters.sizes}}"]),
    "a workflow has no nam": lambda d: of(d, "say")["container"].update(args=["{{workflow.nam}}"]),
    "`{{item}}` without items": lambda d: task(d, "b").update(when="{{item}} == 1"),
    "b need not be over yet": lambda d: task(d, "a").update(when="{{tasks.b.outputs.parameters.said}} == 1"),
    "has none of parameters sad": lambda d: task(d, "b").update(when="{{tasks.a.outputs.parameters.sad}} == 1"),
    "there are no steps here": lambda d: task(d, "b").update(when="{{steps.a.outputs.parameters.said}} == 1"),
    "is not given text": lambda d: task(d, "a").pop("arguments"),
    "depends on unknown z": lambda d: task(d, "b").update(depends="z"),
    "'Passed' does not exist": lambda d: task(d, "b").update(depends="a.Passed"),
    "which has no items": lambda d: task(d, "b").update(depends="a.AnySucceeded"),
    "waits for itself": lambda d: task(d, "a").update(depends="d"),
    "cannot be read": lambda d: task(d, "b").update(depends="(a.Succeeded"),
    "no tasks": lambda d: of(d, "main")["dag"].update(tasks=[]),
    "target: no task": lambda d: of(d, "main")["dag"].update(target="z"),
    "do not go with depends": lambda d: task(d, "c").update(dependencies=["a"]),
    "begins with a letter": lambda d: task(d, "d").update(name="1d"),
    "two lists of items": lambda d: task(d, "c").update(withParam="[]"),
    "either count or end": lambda d: (task(d, "c").pop("withItems"), task(d, "c").update(withSequence={})),
    "not from one place": lambda d: of(d, "say")["outputs"]["parameters"][0].update(valueFrom={"default": "x"}),
    "of a container comes from path": lambda d: of(d, "say")["outputs"]["parameters"][0].update(
        valueFrom={"parameter": "x"}
    ),
    "comes from nowhere": lambda d: of(d, "say")["outputs"]["parameters"][0].pop("valueFrom"),
    "timeout is not for": lambda d: of(d, "main").update(timeout="1h"),
    "parallelism is not for": lambda d: of(d, "say").update(parallelism=1),
    "not a number of seconds": lambda d: of(d, "say").update(activeDeadlineSeconds="6h"),
    "no image": lambda d: of(d, "say")["container"].pop("image"),
    "two mounts at /work": lambda d: of(d, "last")["container"]["volumeMounts"].append(
        {"name": "work", "mountPath": "/work"}
    ),
    "no volume play": lambda d: of(d, "last")["container"]["volumeMounts"][0].update(name="play"),
    "main is reserved": lambda d: of(d, "last").update(sidecars=[{"name": "main", "image": "x"}]),
    "has no name": lambda d: of(d, "last").update(initContainers=[{"image": "x"}]),
    "action 'make'": lambda d: of(d, "apply")["resource"].update(action="make"),
    "manifest is not YAML": lambda d: of(d, "apply")["resource"].update(manifest="a: [b"),
    "both manifest": lambda d: of(d, "apply")["resource"].update(manifestFrom={}),
    "retryPolicy 'Sometimes'": lambda d: of(d, "say")["retryStrategy"].update(retryPolicy="Sometimes"),
    "limit 'often'": lambda d: of(d, "say")["retryStrategy"].update(limit="often"),
    "podGC.strategy": lambda d: d["spec"].update(podGC={"strategy": "Never"}),
    "hook x has no expression": lambda d: d["spec"].update(hooks={"x": {"template": "last"}}),
    "a metric has `help`": lambda d: of(d, "say").update(
        metrics={"prometheus": [{"name": "a", "counter": {"value": "1"}}]}
    ),
    "a label has a key": lambda d: of(d, "say").update(
        metrics={"prometheus": [{"name": "a", "help": "x", "counter": {"value": "1"}, "labels": [{"value": "1"}]}]}
    ),
    "does not know resourcesDuration": lambda d: of(d, "say").update(
        metrics={
            "prometheus": [
                {"name": "a", "help": "x", "gauge": {"realtime": True, "value": "{{resourcesDuration.cpu}}"}}
            ]
        }
    ),
    "a metric is a counter": lambda d: of(d, "say").update(metrics={"prometheus": [{"name": "a", "help": "x"}]}),
    "podResources is for pods": lambda d: of(d, "main").update(podResources={}),
    "resourceClaims is for pods": lambda d: of(d, "list").update(resourceClaims=[]),
    "pendingTimeout is not for": lambda d: of(d, "main").update(pendingTimeout="1h"),
    "lies in ['raw', 's3']": lambda d: of(d, "make")["inputs"]["artifacts"][0].update(
        raw={"data": "x"}, s3={"key": "a"}
    ),
    "lies at /work": lambda d: of(d, "last").update(
        inputs={"artifacts": [{"name": "a", "path": "/work", "optional": True}]}
    ),
    "of a dag comes from parameter": lambda d: of(d, "main").update(
        outputs={"parameters": [{"name": "a", "valueFrom": {"path": "/a"}}]}
    ),
    "of a resource comes from jqFilter": lambda d: of(d, "apply").update(
        outputs={"parameters": [{"name": "a", "valueFrom": {"path": "/a"}}]}
    ),
    "of a dag comes from nowhere": lambda d: of(d, "main").update(outputs={"artifacts": [{"name": "a"}]}),
    "has a path, and a steps has no files": lambda d: of(d, "list").update(
        inputs={"artifacts": [{"name": "a", "path": "/a", "optional": True}]}
    ),
    "two tasks a": lambda d: of(d, "main")["dag"]["tasks"].append(dict(task(d, "a"))),
    "no input data": lambda d: of(d, "say")["container"].update(args=["{{inputs.artifacts.data.path}}"]),
    "runs ['template', 'templateRef']": lambda d: task(d, "a").update(templateRef={"name": "x", "template": "y"}),
    "templateRef has no template": lambda d: task(d, "c")["templateRef"].pop("template"),
    "two arguments text": lambda d: task(d, "a")["arguments"]["parameters"].append({"name": "text", "value": "1"}),
    "artifact data comes from nowhere": lambda d: of(d, "list")["steps"][1][0]["arguments"]["artifacts"][0].pop("raw"),
    "two volumes work": lambda d: d["spec"]["volumes"].append({"name": "work"}),
    "pendingTimeout": lambda d: of(d, "list").update(pendingTimeout="1h"),
    "memoize: the key": lambda d: of(d, "last").update(
        memoize={"key": "a.b", "maxAge": "1h", "cache": {"configMap": {"name": "x"}}}
    ),
    "memoize: maxAge": lambda d: of(d, "last").update(
        memoize={"key": "a", "maxAge": "1d", "cache": {"configMap": {"name": "x"}}}
    ),
    "memoize names no cache": lambda d: of(d, "last").update(memoize={"key": "a", "maxAge": "1h"}),
    "not a Prometheus name": lambda d: of(d, "say").update(
        metrics={"prometheus": [{"name": "a-b", "help": "x", "counter": {"value": "1"}}]}
    ),
    "only cpu, memory and hugepages": lambda d: of(d, "say").update(podResources={"limits": {"nvidia.com/gpu": 1}}),
    "'2GB' is not a quantity": lambda d: of(d, "say")["container"].update(resources={"limits": {"memory": "2GB"}}),
    "in requests without": lambda d: of(d, "say")["container"].update(resources={"requests": {"nvidia.com/gpu": 1}}),
    "Argo 4 has no `mutex`": lambda d: d["spec"].update(synchronization={"mutex": {"name": "x"}}),
    "memoize has no key": lambda d: of(d, "say").update(memoize={"cache": {"configMap": {"name": "x"}}}),
    "at most 200": lambda d: d["spec"]["templates"].extend({**of(d, "last"), "name": f"x-{i}"} for i in range(200)),
    "apiVersion": lambda d: d.update(apiVersion="argoproj.io/v1"),
}


@pytest.mark.parametrize("told", PLANTED)
def test_a_planted_defect_is_an_error(told):
    document = yaml.safe_load(FLOW)
    PLANTED[told](document)
    found = errors(yaml.safe_dump(document))
    assert any(told in one.message for one in found), [one.message for one in found]


CRONS = {
    "no schedule": {"schedules": []},
    "fields, not five": {"schedules": ["0 2 * *"]},
    "not between 0 and 6": {"schedules": ["0 2 * * 7"]},
    "timezone": {"timezone": "Mars/Base"},
    "concurrencyPolicy": {"concurrencyPolicy": "Queue"},
    "is negative": {"startingDeadlineSeconds": -1},
    "`schedules`, a list": {"schedule": "0 2 * * *"},
    "no workflowSpec": {"workflowSpec": None},
}


@pytest.mark.parametrize("told", CRONS)
def test_a_schedule_that_never_runs_is_an_error(told):
    document = yaml.safe_load(CRON)
    document["spec"].update(CRONS[told])
    assert any(told in found.message for found in errors(yaml.safe_dump(document)))


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "a: 1\na: 2", "kind: Pod\napiVersion: v1", "\0"])
def test_what_was_not_judged_is_never_green(text):
    assert errors(text)


def test_a_finding_stands_at_its_line():
    (found,) = errors(FLOW.replace("template: say\n", "template: nobody\n"))
    assert (found.span.line, found.where) == (15, "spec.templates.0.dag.tasks.1")


@pytest.mark.parametrize("number", range(100))
def test_what_hera_makes_is_no_error(number):
    workflows = pytest.importorskip("hera.workflows")
    with workflows.Workflow(generate_name=f"made-{number}-", entrypoint="flow") as made:
        leaf = workflows.Container(
            name="leaf",
            image="alpine",
            command=["echo"],
            args=["{{inputs.parameters.text}}"],
            inputs=[workflows.Parameter(name="text", default="x") if number % 2 else workflows.Parameter(name="text")],
            outputs=[workflows.Parameter(name="out", value_from={"path": "/tmp/out"})],
            retry_strategy=workflows.RetryStrategy(limit=number % 5) if number % 3 else None,
            active_deadline_seconds=60 if number % 7 else None,
        )
        flow = workflows.DAG if number % 4 else workflows.Steps
        with flow(name="flow"):
            last = None
            for step in range(1 + number % 6):
                text = last.get_parameter("out") if last and number % 5 else "hello"
                task_ = leaf(name=f"t{step}", arguments={"text": text})
                if last and number % 4:
                    last >> task_
                last = task_
    assert errors(made.to_yaml()) == []


def test_linting_changes_nothing():
    document = yaml.safe_load(FLOW)
    before = copy.deepcopy(document)
    lint(yaml.safe_dump(document))
    assert document == before


WRONG = (
    [],
    ["a"],
    [["a"]],
    {},
    {"a": [1]},
    "x",
    "",
    -1,
    True,
    None,
    [None],
    [{}],
    [{"name": ["a"]}],
    {"name": {}},
    1.5,
)


def places(value, place=()):
    yield place
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*place, index))


@pytest.mark.parametrize("number", range(3))
def test_whatever_stands_where_it_should_not_is_judged_and_no_fault(number):
    whole = manifest(number) if number else yaml.safe_load(FLOW)
    for place in list(places(whole))[1:]:
        for wrong in WRONG:
            document = copy.deepcopy(whole)
            holder = document
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = wrong
            for judge in (rules.judge, house.judge, events.judge):
                list(judge(document))  # a rule that trips over a type would show the user a traceback


@pytest.mark.parametrize(
    "text", ["2024-01-01: a", "1: a", "true: a", "? [a]\n: b", "a: 2024-01-01", "a: !!binary aGk="]
)
def test_keys_and_values_of_other_types_are_no_fault(text):
    head = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\nspec:\n  entrypoint: a\n  templates:\n"
    )
    lint(
        f"{head}  - {{name: a, container: {{image: a}}}}\n  labels:\n"
        + "".join(f"    {x}\n" for x in text.splitlines())
    )
