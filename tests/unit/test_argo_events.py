"""Runs start on events: what is heard of, what it is compared with, and what starts a run may do nothing else."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from clspec.plan import Event, Trigger
from clspec.testing.plans import chain, plan_of
from clspec_argo import Options, backend, events

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("CLSPEC_ARGO_SCHEMAS") or ROOT.parent / "shared" / "data" / "argo")
TRIGGERS = (
    Trigger(event=Event.CODE_CHANGE, paths=("robotaxi/**", "*.yaml")),
    Trigger(event=Event.DATA_CHANGE, source="fleet"),
    Trigger(event=Event.LABELS),
)


def emitted(**options):
    plan = plan_of(*chain().pipelines[0].steps, triggers=TRIGGERS)
    chosen = Options(**options)
    return [d.code for d in backend.check(plan, chosen)], backend.emit(plan, chosen)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("robotaxi/**", "robotaxi/a/b.py", True),
        ("robotaxi/**", "other/robotaxi/b.py", False),
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "a/b.yaml", False),
        ("a.b", "axb", False),
        ("a?c", "abc", True),
    ],
)
def test_paths_are_compared_whole(glob, path, matches):
    found = re.search(f'"{events.pattern(glob)}"', json.dumps(["first", path, "last"]))
    assert (found is not None) is matches


def test_all_events_are_heard_of():
    told, bundle = emitted(github="acme/cars")
    assert told == []
    source = yaml.safe_load(bundle["regression.eventsource.yaml"])["spec"]
    assert set(source["webhook"]) == {"data", "labels"}
    assert source["github"]["code"]["repositories"] == [{"owner": "acme", "names": ["cars"]}]
    sensor = yaml.safe_load(bundle["regression.sensor.yaml"])["spec"]
    (trigger,) = sensor["triggers"]
    assert trigger["template"]["conditions"] == "code-1 || data-2 || labels-3"
    made = trigger["template"]["k8s"]["source"]["resource"]
    assert made["spec"] == {"workflowTemplateRef": {"name": "contract-regression"}}
    assert "parameters" not in trigger, "nothing of an event's content reaches a run"
    role = yaml.safe_load(bundle["access.starter.role.yaml"])
    assert role["rules"] == [{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create"]}]


def test_what_is_not_heard_of_is_told():
    assert emitted()[0] == ["CLS503"]
    told, bundle = emitted(events=False)
    assert told == ["CLS503"] * 3
    assert not [file for file in bundle if "sensor" in file or "starter" in file]


@pytest.mark.parametrize("kind", ["EventSource", "Sensor"])
def test_valid_for_argo_events(kind):
    path = SCHEMAS / "argo-events-schema.json"
    if not path.exists():
        pytest.skip(f"no schemas of Argo in {SCHEMAS}: set CLSPEC_ARGO_SCHEMAS")
    jsonschema = pytest.importorskip("jsonschema")
    whole = json.loads(path.read_text(encoding="utf-8"))
    schema = {"$ref": f"#/definitions/io.argoproj.events.v1alpha1.{kind}Spec", "definitions": whole["definitions"]}
    document = yaml.safe_load(emitted(github="acme/cars")[1][f"regression.{kind.lower()}.yaml"])
    found = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document["spec"])]
    assert found == []
