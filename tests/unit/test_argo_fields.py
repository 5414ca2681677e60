"""Names and types of fields in manifests from anywhere: a slip is an error at its line, what is right is none."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clspec.diagnostic import Severity, UsageError
from clspec_argo import backend, fields, lint
from tests.argo_made import TYPES, manifest

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("CLSPEC_ARGO_SCHEMAS") or ROOT.parent / "shared" / "data" / "argo")
IMAGE = "registry.example.com/tool@sha256:" + "0f" * 32
FLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "flow-"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "a", "value": "1"}]},
        "templates": [
            {"name": "main", "dag": {"tasks": [{"name": "say", "template": "say"}]}},
            {
                "name": "say",
                "retryStrategy": {"limit": "2", "retryPolicy": "Always", "backoff": {"duration": "1m"}},
                "outputs": {"artifacts": [{"name": "a", "path": "/a", "archive": {"none": {}}, "s3": {"key": "k"}}]},
                "container": {"image": IMAGE, "command": ["a"], "resources": {"limits": {"cpu": "1"}}},
            },
        ],
    },
}


def told_by(source):
    """What knows the fields: hera, or a schema of Argo's."""
    if source == "hera":
        pytest.importorskip("hera.workflows")
        return ()
    paths = sorted(SCHEMAS.glob(source))
    if not paths:
        pytest.skip(f"no schemas of Argo in {SCHEMAS}: set CLSPEC_ARGO_SCHEMAS")
    return tuple(map(str, paths))


SOURCES = ("hera", "crd-*.json", "schema.json", "schema-v3.7.18.json")


def errors(document, schemas):
    return [found for found in lint(json.dumps(document, indent=1), "m.yaml", schemas) if found.is_error]


def put(document, place, value):
    for step in place[:-1]:
        document = document[step]
    if value is None:
        del document[place[-1]]
    else:
        document[place[-1]] = value


SAY = ("spec", "templates", 1)
TASK = ("spec", "templates", 0, "dag", "tasks", 0)
SLIPS = {
    "unknown": [
        (("spec", "entrypont"), "main"),
        (("spec", "onexit"), "main"),
        (("spec", "servicAccountName"), "a"),
        (("spec", "podGc"), {"strategy": "OnPodSuccess"}),
        (("spec", "ttlStrategy"), {"secondsAfterComplete": 1}),
        (("spec", "arguments", "paramters"), []),
        (("spec", "arguments", "parameters", 0, "val"), "1"),
        (("spec", "artifactRepositoryRef"), {"configmap": "a"}),
        (("spec", "volumes"), [{"name": "a", "emptydir": {}}]),
        ((*SAY, "retryStrategy", "limits"), "2"),
        ((*SAY, "retryStrategy", "backoff", "maxduration"), "1h"),
        ((*SAY, "output"), {}),
        ((*SAY, "outputs", "artifacts", 0, "s3", "keys"), "a"),
        ((*SAY, "outputs", "artifacts", 0, "archive"), {"non": {}}),
        ((*SAY, "container", "imge"), "a"),
        ((*SAY, "container", "arg"), ["a"]),
        ((*SAY, "container", "resources", "limit"), {"cpu": "1"}),
        ((*SAY, "container", "env"), [{"name": "A", "valeu": "1"}]),
        ((*SAY, "container", "env"), [{"name": "A", "valueFrom": {"secretKeyref": {"name": "a", "key": "b"}}}]),
        ((*SAY, "container", "volumeMounts"), [{"name": "a", "mountpath": "/a"}]),
        ((*SAY, "container", "securityContext"), {"readOnlyRootFileSystem": True}),
        ((*SAY, "synchronisation"), {}),
        ((*SAY, "nodeselector"), {"a": "b"}),
        ((*SAY, "memoize"), {"key": "a", "maxAge": "1h", "cache": {"configmap": {"name": "a"}}}),
        ((*TASK, "depend"), "a"),
        ((*TASK, "withItem"), ["a"]),
        ((*TASK, "argument"), {}),
        ((*TASK, "templateref"), {}),
    ],
    "type": [
        (("spec", "entrypoint"), ["main"]),
        (("spec", "parallelism"), "many"),
        (("spec", "suspend"), "yes please"),
        (("spec", "nodeSelector"), ["a"]),
        (("spec", "arguments"), [{"name": "a"}]),
        (("spec", "volumes"), {"name": "a"}),
        ((*SAY, "retryStrategy"), "twice"),
        ((*SAY, "retryStrategy", "limit"), [2]),
        ((*SAY, "container", "image"), 1),
        ((*SAY, "container", "command"), "echo"),
        ((*SAY, "container", "args"), [{"a": 1}]),
        ((*SAY, "container", "env"), {"A": "1"}),
        ((*SAY, "container", "tty"), "true"),
        ((*SAY, "container", "resources", "limits"), ["cpu"]),
        ((*SAY, "daemon"), "no"),
        ((*SAY, "metadata"), {"labels": ["a"]}),
        ((*TASK, "arguments"), "a"),
        ((*TASK, "depends"), ["a"]),
    ],
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_right_is_no_error(source):
    schemas = told_by(source)
    assert errors(FLOW, schemas) == []
    seen = {"".join(sorted(TYPES & t.keys())) for n in range(300) for t in _templates(manifest(n))} - {""}
    assert seen == set(TYPES)
    for number in range(300):
        document = manifest(number)
        if source == "crd-*.json" and document["kind"] == "ClusterWorkflowTemplate":
            continue
        if source == "schema-v3.7.18.json":  # it wants a key of the ConfigMap, which its Argo does not look at
            for template in _templates(document):
                template.pop("memoize", None)
        assert [f.message for f in errors(document, schemas)] == [], number


TYPES = set(TYPES)


def _templates(document):
    spec = document["spec"].get("workflowSpec", document["spec"])
    return [template for template in spec["templates"] if template["name"].startswith("leaf")]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("sort", SLIPS)
def test_a_slip_is_an_error_at_its_line(source, sort):
    schemas = told_by(source)
    for place, value in SLIPS[sort]:
        document = copy.deepcopy(FLOW)
        put(document, place, value)
        text = yaml.safe_dump(document, sort_keys=False)
        found = [f for f in lint(text, "m.yaml", schemas) if f.is_error]
        named = [f for f in found if any(part in f.message for part in _words(value, place))]
        assert named, (place, value, [f.message for f in found])
        assert all(f.path == "m.yaml" and f.span is not None for f in found)
        assert any(f.span.line > 4 for f in named), "it stands at its own line"


def _words(value, place):
    """A word of what is to be told: the field, or one below it."""
    inner = value
    while isinstance(inner, (dict, list)) and inner:
        inner = next(reversed(inner.items()))[1] if isinstance(inner, dict) else inner[-1]
    names = [str(place[-1]), *_keys(value)]
    return [f"`{name}`" for name in names] + ["this: "]


def _keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((*SAY, "retryStrategy", "retryPolicy"), "Sometimes"),
        (("spec", "podGC"), {"strategy": "Never"}),
        ((*SAY, "container", "imagePullPolicy"), "Perhaps"),
    ],
)
def test_what_is_none_of_the_words_is_an_error_where_the_schema_lists_them(place, value):
    document = copy.deepcopy(FLOW)
    put(document, place, value)
    found = [f.message for f in errors(document, told_by("crd-*.json"))]
    assert place[-1] == "imagePullPolicy" or any("is not one of" in message for message in found)


def test_a_close_name_is_named():
    document = copy.deepcopy(FLOW)
    put(document, (*SAY, "container", "imge"), "a")
    for source in ("hera", "schema.json"):
        (found,) = errors(document, told_by(source))
        assert found.message == "there is no field `imge` here: did you mean `image`?"


@pytest.mark.parametrize(
    "place",
    [
        ((*SAY, "pendingTimeout"), "1h"),
        (("spec", "executorPlugins"), []),
        ((*SAY, "outputs", "artifacts", 0, "s3", "addressingStyle"), "path"),
        ((*SAY, "retryStrategy", "limit"), 2),
        ((*SAY, "activeDeadlineSeconds"), 60),
        ((*SAY, "container", "resources", "limits", "cpu"), 1),
        ((*SAY, "container", "livenessProbe"), {"httpGet": {"port": "web"}}),
        ((*SAY, "container", "workingDir"), None),
    ],
)
def test_what_hera_does_not_know_or_reads_too_narrowly_is_no_error(place):
    told_by("hera")
    document = copy.deepcopy(FLOW)
    where, value = place
    if value is not None:
        put(document, where, value)
    else:
        document["spec"]["templates"][1]["container"]["workingDir"] = None  # null says nothing
    assert errors(document, ()) == []


def test_that_fields_were_not_judged_is_told(monkeypatch):
    fields._of_hera.cache_clear()
    fields.fields.cache_clear()
    monkeypatch.setitem(sys.modules, "hera.workflows.models", None)
    try:
        found = lint(yaml.safe_dump(FLOW), "m.yaml")
        told = [f for f in found if f.code == "CLS530"]
        assert [(f.severity, f.path) for f in told] == [(Severity.WARNING, "m.yaml")]
        assert "clspec[lint]" in told[0].hint
        assert [f for f in found if f.is_error] == []
    finally:
        fields._of_hera.cache_clear()
        fields.fields.cache_clear()


def test_of_argo_events_nobody_knows_all_fields():
    sensor = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": "s"},
        "spec": {
            "dependencies": [{"name": "a", "eventSourceName": "x", "eventName": "y"}],
            "triggers": [{"template": {"name": "go", "k8s": {"operation": "create", "source": {"resource": {}}}}}],
        },
    }
    assert [f.code for f in lint(yaml.safe_dump(sensor))] == ["CLS530"]
    sensor["spec"]["dependencies"][0]["eventName"] = ["y"]
    schemas = told_by("argo-events-schema.json")
    assert any("eventName" in f.message for f in errors(sensor, schemas))


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  names: {kind: Workflow}
  versions:
  - name: v1alpha1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              entrypoint: {type: string}
              arguments: {type: object, x-kubernetes-preserve-unknown-fields: true}
              templates:
                type: array
                items:
                  type: object
                  properties:
                    name: {type: string}
                    dag: {type: object, x-kubernetes-preserve-unknown-fields: true}
                    container: {type: object, x-kubernetes-preserve-unknown-fields: true}
                    outputs: {type: object, x-kubernetes-preserve-unknown-fields: true}
                    retryStrategy:
                      type: object
                      properties:
                        limit: {x-kubernetes-int-or-string: true}
                        retryPolicy: {type: string, enum: [Always]}
                        backoff: {type: object, properties: {duration: {type: string}}}
"""


def test_a_custom_resource_definition_is_a_schema_too(tmp_path):
    (tmp_path / "crd.yaml").write_text(DEFINITION)
    schemas = (str(tmp_path / "crd.yaml"),)
    assert errors(FLOW, schemas) == []
    document = copy.deepcopy(FLOW)
    put(document, (*SAY, "retryStrategy", "limt"), 1)
    put(document, ("spec", "parallelism"), 1)
    assert {f.message.split(":")[0] for f in errors(document, schemas)} == {
        "there is no field `limt` here",
        "there is no field `parallelism` here",
    }


@pytest.mark.parametrize("content", ["", "[1]", "a: b", "{", "kind: Pod"])
def test_what_is_no_schema_is_wrong_use(tmp_path, content):
    (tmp_path / "schema.yaml").write_text(content)
    with pytest.raises(UsageError, match="--schema"):
        lint(yaml.safe_dump(FLOW), "m.yaml", (str(tmp_path / "schema.yaml"),))


def test_from_the_command_line(tmp_path):
    (tmp_path / "crd.yaml").write_text(DEFINITION)
    document = copy.deepcopy(FLOW)
    put(document, ("spec", "parallelism"), 1)
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "clspec", "lint-manifest", "--target", "argo", "--schema", "crd.yaml", "m.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "there is no field `parallelism` here" in ran.stdout
    command[4:8] = ["--target", "kfp", "--schema", "crd.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "leave --schema out" in ran.stderr) == (2, True)


def test_our_own_objects_have_the_fields_that_are_there():
    from clspec.testing.plans import PLANS
    from clspec_argo import Options

    for make in PLANS.values():
        plan = make()
        options = Options(memoize_seconds=60)
        if any(d.is_error for d in backend.check(plan, options)):
            continue
        for file, text in backend.emit(plan, options).items():
            if "workflow" in file:
                assert [f for f in lint(text, file) if f.is_error] == []
                assert json.dumps([f.message for f in lint(text, file) if f.code == "CLS512"]) == "[]"
