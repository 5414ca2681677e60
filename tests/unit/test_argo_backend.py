"""The Argo target: what it emits is valid, means what the plan means, and changes no text.

The schemas of Argo are not part of this repository. `CLSPEC_ARGO_SCHEMAS` names the folder they lie in; without it,
`../shared/data/argo` beside the repository is looked at, and the tests that need them are skipped if it is not there.
"""

import copy
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

import clspec_argo
from clspec.backend import Backend
from clspec.diagnostic import Severity, Span, UsageError
from clspec.plan import (
    Artifact,
    ArtifactType,
    Condition,
    Event,
    Gpu,
    Input,
    Kind,
    Pipeline,
    Plan,
    Resources,
    Retry,
    Secret,
    Step,
    Toleration,
    Trigger,
    canonical,
)
from clspec_argo import Options, backend, emit, pod, text, yaml_text
from clspec_argo.validate import EmitError, findings
from tests.argo_cluster import Cluster, expanded, substituted

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("CLSPEC_ARGO_SCHEMAS") or ROOT.parent / "shared" / "data" / "argo")
IMAGE = "registry.example.com/perception@sha256:" + "0f3c" * 16
GI = 1 << 30

# -- plans -----------------------------------------------------------------------------------------------------------


def made(kind, step, reads=(), writes=(), **more):
    """A step; `reads` are triples name, step, output, and `writes` pairs of a name and a type."""
    inputs = tuple(Input(name=name, step=source, output=output) for name, source, output in reads)
    needs = {source.step for source in inputs} | set(more.pop("needs", ()))
    if more.get("when"):
        needs.add(more["when"].step)
    return Step(
        **{
            "id": step,
            "kind": kind,
            "config": canonical({"spec": "robotaxi", "step": step}),
            "needs": tuple(sorted(needs)),
            "inputs": inputs,
            "outputs": tuple(Artifact(name=name, type=type_) for name, type_ in writes),
            "image": IMAGE,
            "origin": Span(10, 1, 10, 9),
            "where": "training",
            **more,
        }
    )


PASSED = Condition(step="gate", parameter="verdict", equals="pass")
TYPES = ArtifactType


def steps(**changes):
    """The regression pipeline with two seeds; `changes` gives a step by its kind other fields."""
    train = changes.get("train", {})
    return (
        made(Kind.PIN, "pin", writes=[("pins", TYPES.METRICS)], **changes.get("pin", {})),
        made(
            Kind.SNAPSHOT,
            "snapshot-canonical",
            [("pins", "pin", "pins")],
            [("data", TYPES.DATASET), ("validation", TYPES.DATASET)],
        ),
        made(Kind.SNAPSHOT, "snapshot-golden", [("pins", "pin", "pins")], [("data", TYPES.DATASET)]),
        *(
            made(
                Kind.TRAIN,
                f"train-seed-{seed}",
                [
                    ("data", "snapshot-canonical", "data"),
                    ("validation", "snapshot-canonical", "validation"),
                    ("golden", "snapshot-golden", "data"),
                ],
                [("model", TYPES.MODEL), ("metrics", TYPES.METRICS)],
                **train,
            )
            for seed in (1, 2)
        ),
        *(
            made(
                Kind.PREDICT,
                f"predict-seed-{seed}",
                [("model", f"train-seed-{seed}", "model"), ("data", "snapshot-golden", "data")],
                [("predictions", TYPES.PREDICTIONS)],
            )
            for seed in (1, 2)
        ),
        *(
            made(
                Kind.EVALUATE,
                f"evaluate-seed-{seed}",
                [("data", "snapshot-golden", "data"), ("predictions-1", f"predict-seed-{seed}", "predictions")],
                [("metrics", TYPES.METRICS)],
            )
            for seed in (1, 2)
        ),
        made(
            Kind.GATE,
            "gate",
            [(f"metrics-seed-{seed}", f"evaluate-seed-{seed}", "metrics") for seed in (1, 2)],
            [("verdict", TYPES.VERDICT)],
            parameters=("verdict",),
        ),
        made(
            Kind.REGISTER,
            "register",
            [("model", "train-seed-1", "model"), ("verdict", "gate", "verdict")],
            when=PASSED,
            **changes.get("register", {}),
        ),
        made(
            Kind.REPORT,
            "report",
            [("verdict", "gate", "verdict"), ("training-seed-1", "train-seed-1", "metrics")],
            [("report", TYPES.REPORT)],
            **changes.get("report", {}),
        ),
        made(Kind.CONCLUDE, "conclude", [("verdict", "gate", "verdict")], needs=("report",)),
    )


NIGHTLY = Trigger(event=Event.SCHEDULE, cron="0 2 * * *", origin=Span(40, 5, 40, 9), where="triggers.1")


def plan(*, pipeline=None, **more):
    whole = pipeline or Pipeline(name="regression", steps=steps(), triggers=(NIGHTLY,), origin=Span(4, 1, 4, 9))
    given = {"name": "robotaxi", "spec": "robotaxi.yaml", "store": "s3://bucket/cl", "workdir": "/app", **more}
    return Plan(**given, pipelines=(whole,))


def of(*steps_, triggers=(), **more):
    pipeline = Pipeline(name="regression", steps=tuple(steps_), triggers=triggers, origin=Span(4, 1, 4, 9))
    return plan(pipeline=pipeline, **more)


LOADED = {
    "resources": Resources(
        cpu=3.5,
        memory=16 * GI,
        gpu=Gpu(count=2, model="NVIDIA-A100-SXM4-40GB"),
        shared_memory=8 * GI,
        ephemeral_storage=20 * GI + 1024,
        node_selector=(("pool", "no"), ("zone", "1e3")),
        tolerations=(
            Toleration(key="gpu", operator="Exists", effect="NoSchedule"),
            Toleration(key="team", value="perception"),
        ),
    ),
    "secrets": (Secret(env="HF_TOKEN", name="hub", key="token"),),
    "timeout": 21600,
    "retry": Retry(times=2),
}


def emitted(given=None, **options):
    given = given or plan()
    chosen = Options(**options)
    assert [d for d in backend.check(given, chosen) if d.is_error] == []
    return backend.emit(given, chosen)


def template(bundle, name):
    document = yaml.safe_load(bundle["regression.workflowtemplate.yaml"])
    return next(t for t in document["spec"]["templates"] if t["name"] == name)


def loaded():
    return of(*steps(train=LOADED), triggers=(NIGHTLY,))


def codes(given, **options):
    return [d.code for d in backend.check(given, Options(**options))]


# -- the backend and its files ---------------------------------------------------------------------------------------


def test_is_a_backend():
    assert isinstance(backend, Backend)
    assert (backend.name, backend.api_version, backend.options) == ("argo", 1, Options)


def test_files_of_a_pipeline():
    bundle = emitted()
    access = ["access.role.yaml", "access.rolebinding.yaml", "access.serviceaccount.yaml"]
    assert sorted(bundle) == [*access, "regression.cronworkflow.yaml", "regression.workflowtemplate.yaml"]
    cron = yaml.safe_load(bundle["regression.cronworkflow.yaml"])
    assert cron["metadata"]["name"] == "robotaxi-regression"
    assert cron["spec"]["schedules"] == ["0 2 * * *"]
    assert cron["spec"]["timezone"] == "UTC"
    assert cron["spec"]["workflowSpec"] == {"workflowTemplateRef": {"name": "robotaxi-regression"}}


def test_schedules_of_one_time_zone_share_an_object():
    zones = [("0 2 * * *", "UTC"), ("0 3 * * *", "Europe/Berlin"), ("0 4 * * 1", "UTC"), ("0 2 * * *", "UTC")]
    triggers = tuple(replace(NIGHTLY, cron=cron, time_zone=zone) for cron, zone in zones)
    bundle = emitted(of(*steps(), triggers=triggers))
    crons = {file: yaml.safe_load(content) for file, content in bundle.items() if "cron" in file}
    assert {
        file: (c["metadata"]["name"], c["spec"]["timezone"], c["spec"]["schedules"]) for file, c in crons.items()
    } == {
        "regression.cronworkflow.yaml": ("robotaxi-regression", "UTC", ["0 2 * * *", "0 4 * * 1"]),
        "regression.cronworkflow-2.yaml": ("robotaxi-regression-2", "Europe/Berlin", ["0 3 * * *"]),
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("0 2 * * 7", "0 2 * * 0"),
        ("0 2 * * 5-7", "0 2 * * 5,6,0"),
        ("0 2 * * FRI-7/2,1", "0 2 * * 5,0,1"),
        ("7 7 7 7 1-5", "7 7 7 7 1-5"),
        ("*/7 * * * */7", "*/7 * * * */7"),
    ],
)
def test_sunday_is_never_seven(written, read):
    assert emit.schedule(written) == read


def test_a_step_becomes_a_leaf_and_a_task():
    bundle = emitted()
    assert template(bundle, "evaluate-seed-1") == {
        "name": "evaluate-seed-1",
        "metadata": {"labels": {"clspec.dev/step": "evaluate-seed-1"}},
        "inputs": {
            "artifacts": [
                {"name": "data", "path": "/tmp/clspec/in/data"},
                {"name": "predictions-1", "path": "/tmp/clspec/in/predictions-1"},
            ]
        },
        "outputs": {
            "artifacts": [
                {
                    "name": "metrics",
                    "path": "/tmp/clspec/out/metrics",
                    "archive": {"none": {}},
                    "s3": {"key": "robotaxi/{{workflow.uid}}/evaluate-seed-1/metrics"},
                }
            ]
        },
        "container": {
            "image": IMAGE,
            "command": ["python", "-m", "clspec.step"],
            "args": [
                "evaluate",
                *("--config", '{"spec":"robotaxi","step":"evaluate-seed-1"}', "--code", "/app"),
                *("--store", "{{workflow.parameters.store}}"),
                *("--in", "data=/tmp/clspec/in/data", "--in", "predictions-1=/tmp/clspec/in/predictions-1"),
                *("--out", "metrics=/tmp/clspec/out/metrics"),
            ],
            "env": [{"name": "HOME", "value": "/tmp"}, {"name": "USER", "value": "clspec"}],
            "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        },
    }
    tasks = {task["name"]: task for task in template(bundle, "pipeline")["dag"]["tasks"]}
    assert tasks["evaluate-seed-1"] == {
        "name": "evaluate-seed-1",
        "template": "evaluate-seed-1",
        "depends": "predict-seed-1.Succeeded && snapshot-golden.Succeeded",
        "arguments": {
            "artifacts": [
                {"name": "data", "from": "{{tasks.snapshot-golden.outputs.artifacts.data}}"},
                {"name": "predictions-1", "from": "{{tasks.predict-seed-1.outputs.artifacts.predictions}}"},
            ]
        },
    }
    assert tasks["register"]["when"] == "'{{tasks.gate.outputs.parameters.verdict}}' == 'pass'"
    assert template(bundle, "pipeline")["dag"]["failFast"] is False


def test_an_output_and_a_parameter_of_one_name_are_two_files():
    gate = template(emitted(), "gate")
    assert gate["outputs"]["parameters"] == [
        {"name": "verdict", "valueFrom": {"path": "/tmp/clspec/parameters/verdict"}}
    ]
    assert gate["outputs"]["artifacts"][0]["path"] == "/tmp/clspec/out/verdict"
    assert gate["container"]["args"][-4:] == [
        *("--out", "verdict=/tmp/clspec/out/verdict", "--out-param", "verdict=/tmp/clspec/parameters/verdict")
    ]


def test_hints_reach_the_pod():
    leaf = template(emitted(loaded()), "train-seed-1")
    shared = {"cpu": "3500m", "memory": "16Gi", "ephemeral-storage": "20971521Ki"}
    assert leaf["container"]["resources"] == {"requests": shared, "limits": {**shared, "nvidia.com/gpu": "2"}}
    assert leaf["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "pool": "no", "zone": "1e3"}
    assert leaf["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "team", "operator": "Equal", "value": "perception"},
    ]
    assert leaf["activeDeadlineSeconds"] == "21600"
    assert leaf["volumes"] == [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert leaf["container"]["volumeMounts"][1] == {"name": "shared-memory", "mountPath": "/dev/shm"}
    secret = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    assert leaf["container"]["env"][-1] == secret
    retry = leaf["retryStrategy"]
    assert (retry["limit"], retry["retryPolicy"]) == ("2", "Always")
    assert retry["backoff"] == {"duration": "30s", "factor": "2", "cap": "10m"}


def test_a_secret_may_be_called_home():
    bundle = emitted(of(*steps(pin={"secrets": (Secret(env="HOME", name="a", key="b"),)})))
    env = template(bundle, "pin")["container"]["env"]
    assert [variable["name"] for variable in env] == ["USER", "HOME"]


def test_a_message_takes_its_webhook_from_where_the_spec_says_and_does_without_it():
    hooks = (Secret(env="BOARD"), Secret(env="TEAM", name="hooks", key="team"))
    tell = made(Kind.NOTIFY, "notify", needs=("report", "gate"), always=True, pure=False, secrets=hooks)
    env = template(emitted(of(*steps(), tell)), "notify")["container"]["env"]
    assert [variable["valueFrom"]["secretKeyRef"] for variable in env[-2:]] == [
        {"name": "clspec", "key": "BOARD", "optional": True},
        {"name": "hooks", "key": "team", "optional": True},
    ]


def test_options_do_what_they_say():
    bundle = emitted(
        loaded(),
        store="gs://other/place",
        service_account="learner",
        artifact_repository="repositories/fast",
        gpu_model_label="cloud.google.com/gke-accelerator",
        parallelism=4,
        run_as_user=1001,
        keep_seconds=60,
        deadline_seconds=86400,
    )
    spec = yaml.safe_load(bundle["regression.workflowtemplate.yaml"])["spec"]
    assert spec["arguments"]["parameters"][0] == {"name": "store", "value": "gs://other/place"}
    assert spec["serviceAccountName"] == "learner"
    assert spec["artifactRepositoryRef"] == {"configMap": "repositories", "key": "fast"}
    assert "cloud.google.com/gke-accelerator" in template(bundle, "train-seed-1")["nodeSelector"]
    assert spec["parallelism"] == 4
    assert spec["securityContext"]["runAsUser"] == 1001
    assert spec["ttlStrategy"] == {"secondsAfterCompletion": 60}
    assert spec["activeDeadlineSeconds"] == 86400
    plain = yaml.safe_load(emitted(keep_seconds=0, run_as_user=0)["regression.workflowtemplate.yaml"])["spec"]
    assert plain["serviceAccountName"] == "robotaxi"
    optional = {"artifactRepositoryRef", "parallelism", "activeDeadlineSeconds", "ttlStrategy"}
    assert optional & set(plain) == set()
    assert plain["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": "bucket/prefix"},
        {"store": "s3://{{workflow.name}}"},
        {"store": "s3://a b"},
        {"store": "s3://$(HOME)"},
        {"service_account": "A b"},
        {"artifact_repository": "a/"},
        {"artifact_repository": "{{a}}"},
        {"gpu_model_label": ""},
        {"parallelism": -1},
        {"run_as_user": -1},
        {"keep_seconds": -1},
        {"deadline_seconds": -5},
    ],
)
def test_options_are_refused(wrong):
    with pytest.raises(UsageError, match=f"--set {next(iter(wrong))}="):
        Options(**wrong)


# -- names, quantities -----------------------------------------------------------------------------------------------


def test_names_are_pod_safe_and_never_the_same():
    long = "predict-" + "a" * 60
    ids = ["train", long, long + "b", "a_b", "a-b", "A-b", "pipeline", "true", "in", "é", "7", "", "{{x}}", "a" * 40]
    once = text.names(ids, frozenset({"pipeline"}))
    taken = list(text.names(["a_b"], frozenset({"pipeline"})).values())
    again = text.names([*ids, *taken], frozenset({"pipeline"}))
    for names in (once, again):
        assert len(set(names.values())) == len(names)
        assert all(len(name) <= 40 and text.fits("name", name) for name in names.values())
        assert not {"pipeline", "true", "in"} & set(names.values())
    assert [once[i] for i in ("train", "a-b", "a" * 40)] == ["train", "a-b", "a" * 40]


def test_long_ids_are_followed_by_their_readers():
    long = "snapshot-" + "x" * 60
    bundle = emitted(
        of(
            made(Kind.SNAPSHOT, long, writes=[("data", TYPES.DATASET)]),
            made(Kind.PREDICT, "pipeline", [("data", long, "data")], [("predictions", TYPES.PREDICTIONS)]),
        )
    )
    assert ran(bundle).phases.keys() == set(
        text.names([long, "pipeline"], frozenset({"pipeline", "exit", "over"})).values()
    )


@pytest.mark.parametrize(
    ("size", "written"), [(GI, "1Gi"), (3 * GI // 2, "1536Mi"), (1 << 40, "1Ti"), (1024, "1Ki"), (1000, "1000")]
)
def test_bytes_are_exact(size, written):
    assert text.quantity(size) == written


@pytest.mark.parametrize(
    ("cpu", "written"), [(4.0, "4"), (0.5, "500m"), (0.07, "70m"), (1.1, "1100m"), (0.0001, "1m"), (2.00049, "2001m")]
)
def test_cores_are_never_fewer(cpu, written):
    assert text.cores(cpu) == written


# -- schemas and models ----------------------------------------------------------------------------------------------


@functools.cache
def validator(file):
    schema = SCHEMAS / file
    if not schema.exists():
        pytest.skip(f"no schemas of Argo in {SCHEMAS}: set CLSPEC_ARGO_SCHEMAS")
    jsonschema = pytest.importorskip("jsonschema")
    # check_schema takes seconds on these files, so the class is used bare
    return jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))


def bundles():
    conditional = of(
        *steps(register={"parameters": ("name",), "outputs": (Artifact(name="record", type=TYPES.METRICS),)}),
        made(Kind.REPORT, "after", [("record", "register", "record")], [("report", TYPES.REPORT)]),
        made(Kind.REPORT, "last", when=Condition(step="register", parameter="name", equals="candidate")),
    )
    local = plan(store="../.clspec/store")
    several = of(*steps(train={**LOADED, "resources": Resources(nodes=2, gpu=Gpu(count=8))}))
    given = [(plan(), {}), (loaded(), {"parallelism": 2, "artifact_repository": "a"}), (conditional, {}), (local, {})]
    given.append((several, {}))
    return [emitted(p, **options) for p, options in given]


def of_argo(bundle):
    """The objects of Argo Workflows."""
    documents = [yaml.safe_load(content) for content in bundle.values()]
    return [document for document in documents if document["kind"] in ("WorkflowTemplate", "CronWorkflow")]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("schema", ["crd-v4.1.2-{}.strict.min.json", "schema-v3.7.18.json"])
def test_valid_for_argo(number, schema):
    for document in of_argo(bundles()[number]):
        errors = validator(schema.format(document["kind"])).iter_errors(document)
        assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_the_schema_sees_mistakes():
    document = yaml.safe_load(emitted()["regression.workflowtemplate.yaml"])
    document["spec"]["templates"][1]["container"]["imge"] = "x"
    assert list(validator("crd-v4.1.2-WorkflowTemplate.strict.min.json").iter_errors(document))


@pytest.mark.parametrize("number", range(5))
def test_hera_drops_nothing(number):
    models = pytest.importorskip("hera.workflows.models")
    for document in of_argo(bundles()[number]):
        model = getattr(models, document["kind"]).model_validate(document)
        again = json.loads(model.model_dump_json(exclude_none=True, by_alias=True))
        assert as_text(again) == as_text(document)


def as_text(value):
    """Numbers as text: hera reads `limit: "2"` as a number."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return str(value)


# -- text ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "{{workflow.name}}",
    "{{=1+1}}",
    "{{{{workflow.uid}}}}",
    "{{ user }} {{{a}}",
    '"}], "args":["rm"], "x":["{{workflow.parameters.store}}',
    "{",
    "{{",
    "}}",
    "$(HOME) $$(HOME) $$ $ $(",
    "no",
    "1e3",
    "2024-01-01",
    "~",
    "a\nb\r\n\tc\0\a\v\x7f\x1b[31m",
    "\u202e\u2028\u2029\x85\ufeff\ud800",
    "😀 é \\u007b \\ \\\\ \" '",
    "- a: [b, #c] &d *e !f |\n  >g %h @i `j",
    "'; exit 1 #",
    "x " * 500,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_config_arrives_as_it_was_written(hostile):
    config = {"select": hostile, hostile: [hostile, {"nested": {hostile: hostile}}], "empty": {"a": {"b": {}}}}
    given = steps()
    given = (replace(given[0], config=canonical(config)), *given[1:])
    bundle = emitted(of(*given))
    scope = {
        "workflow.name": "NAME",
        "workflow.uid": "UID",
        "workflow.parameters.store": "s3://bucket/cl",
        "=1+1": "2",
        "user": "root",
    }
    leaf = substituted(template(bundle, "pin"), scope)
    arguments = [expanded(a, {"HOME": "/root"}) for a in leaf["container"]["args"]]
    assert json.loads(arguments[arguments.index("--config") + 1]) == config
    assert arguments[arguments.index("--store") + 1] == "s3://bucket/cl"
    benign = (replace(given[0], config=canonical({"a": 1})), *given[1:])
    assert shape(bundle) == shape(emitted(of(*benign))), "only the one argument may differ"


def test_json_that_is_not_canonical_is_escaped_too():
    written = text.escaped('{"a":"é\x7f😀{{{"}')
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == {"a": "é\x7f😀{{{"}


def shape(bundle):
    document = yaml.safe_load(bundle["regression.workflowtemplate.yaml"])
    document["spec"]["templates"][1]["container"]["args"][2] = ""
    return document


FIELDS = {
    "image": lambda t: of(*steps(pin={"image": f"{IMAGE.replace('perception', 'p' + t)}"})),
    "workdir": lambda t: plan(workdir="/app" + t),
    "store": lambda t: plan(store="s3://bucket/" + t),
    "selector key": lambda t: pinned(node_selector=((f"a{t}", "b"),)),
    "selector value": lambda t: pinned(node_selector=(("a", f"b{t}"),)),
    "toleration key": lambda t: pinned(tolerations=(Toleration(key=f"a{t}"),)),
    "toleration value": lambda t: pinned(tolerations=(Toleration(key="a", value=t),)),
    "gpu model": lambda t: pinned(gpu=Gpu(count=1, model=t)),
    "gpu resource": lambda t: pinned(gpu=Gpu(count=1, resource=f"a/{t}")),
    "secret name": lambda t: of(*steps(pin={"secrets": (Secret(env="A", name=f"a{t}", key="k"),)})),
    "secret key": lambda t: of(*steps(pin={"secrets": (Secret(env="A", name="a", key=f"k{t}"),)})),
    "secret variable": lambda t: of(*steps(pin={"secrets": (Secret(env=f"A{t}", name="a", key="k"),)})),
    "condition": lambda t: of(*steps()[:-3], replace(steps()[-3], when=replace(PASSED, equals=f"pass{t}"))),
    "parameter": lambda t: of(*steps(pin={"parameters": (f"p{t}",)})),
    "output": lambda t: of(made(Kind.PIN, "pin", writes=[(f"pins{t}", TYPES.METRICS)])),
    "cron": lambda t: of(*steps(), triggers=(replace(NIGHTLY, cron=f"0 2 * * *{t}"),)),
    "time zone": lambda t: of(*steps(), triggers=(replace(NIGHTLY, time_zone=f"UTC{t}"),)),
    "plan": lambda t: plan(name=f"a{t}"),
}


def pinned(**resources):
    return of(*steps(pin={"resources": Resources(**resources)}))


@pytest.mark.parametrize("hostile", ["{{workflow.name}}", "{{", "$(HOME)", "$$", "a\nb", "\x7f", "\u202e", "\ud800"])
@pytest.mark.parametrize("field", FIELDS)
def test_text_that_would_change_is_refused(field, hostile):
    found = [d for d in backend.check(FIELDS[field](hostile), Options()) if d.is_error]
    assert "CLS506" in [d.code for d in found]
    assert all(d.path == "robotaxi.yaml" for d in found)


@pytest.mark.parametrize(
    "given",
    [
        pinned(node_selector=(("a b", "c"),)),
        pinned(node_selector=(("a", "x" * 64),)),
        pinned(node_selector=(("", "a"),)),
        pinned(tolerations=(Toleration(key="a", operator="Is"),)),
        pinned(tolerations=(Toleration(key=""),)),
        pinned(tolerations=(Toleration(key="a", operator="Exists", value="b"),)),
        pinned(tolerations=(Toleration(key="a", effect="Never"),)),
        pinned(gpu=Gpu(count=1, model="NVIDIA A100 80GB")),
        pinned(gpu=Gpu(count=1, model="a"), node_selector=(("nvidia.com/gpu.product", "b"),)),
        pinned(nodes=2),
        of(*steps(pin={"secrets": (Secret(env="TOKEN"),)})),
        of(*steps(pin={"secrets": (Secret(env="TOKEN", name="hub"),)})),
        of(*steps(pin={"secrets": (Secret(env="A", name="a", key="k"), Secret(env="A", name="b", key="k"))})),
        of(*steps(pin={"secrets": (Secret(env="A-B", name="a", key="k"),)})),
        of(made(Kind.PIN, "pin", writes=[("a.b", TYPES.METRICS)])),
        of(*steps()[:-3], replace(steps()[-3], when=replace(PASSED, equals="it's"))),
        of(*steps()[:-3], replace(steps()[-3], when=replace(PASSED, equals=""))),
    ],
)
def test_what_has_no_form_is_refused(given):
    assert codes(given) == ["CLS508"]


def test_a_secret_without_a_place_says_what_to_add():
    (found,) = backend.check(of(*steps(pin={"secrets": (Secret(env="TOKEN"),)})), Options())
    assert "{env: TOKEN, kubernetes: {name: SECRET, key: KEY}}" in found.hint
    assert (found.span, found.where) == (Span(10, 1, 10, 9), "training")


# -- YAML ------------------------------------------------------------------------------------------------------------

TEXTS = [h for h in HOSTILE if "\ud800" not in h] + [
    *("y", "N", "Yes", "off", "NULL", "null", "", " ", "0o14", "0x1F", "1_000", "12:30:45", ".inf", "=", "<<", "a: b"),
    *("plain", "a/b.c-d", "-", "?", "#", "trailing ", " leading", "/tmp", "--config", "é", "\U0001f600", "x" * 5000),
]


def emit_of(given):
    return json.loads(json.dumps(dict(emit.documents(given, Options()))))


def test_text_stays_text_for_every_reader():
    document = {"texts": TEXTS, "loaded": emit_of(loaded())}
    written = yaml_text.dump(document)
    assert written.isascii()
    for event in yaml.parse(written):
        if isinstance(event, yaml.ScalarEvent) and event.style is None:
            word = (
                re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*", event.value)
                and event.value.lower() not in yaml_text._NOT_TEXT
            )
            assert word or event.value.isdigit() or event.value in ("true", "false"), event.value
    assert yaml.safe_load(written) == document
    dates = {"2024-01-01", "12:30:45"}  # yaml-rs takes even quoted ones for dates
    document["texts"] = [t for t in TEXTS if t not in dates]
    assert pytest.importorskip("yaml_rs").loads(yaml_text.dump(document)) == document


KEYS = st.text() | st.sampled_from(TEXTS) | st.text("{\\n\u00e9", min_size=990, max_size=1100)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=30,
)


@hypothesis.given(VALUES)
def test_whatever_is_written_is_read_by_two_other_programs(value):
    written = yaml_text.dump(value)
    assert yaml.load(written, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) == value
    assert written.isascii()


def test_only_plain_values_are_written():
    with pytest.raises(TypeError, match="holds no float"):
        yaml_text.dump({"a": [1.5]})


def test_the_same_bytes_for_every_hash_seed():
    program = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('case', sys.argv[1])\n"
        "case = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(case)\n"
        "print(case.fingerprint())\n"
    )
    seen = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, __file__]
        seen.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip())
    assert seen == {fingerprint()}


def fingerprint():
    whole = hashlib.sha256()
    for bundle in bundles():
        for file, content in bundle.items():
            whole.update(file.encode())
            whole.update(content.encode())
    return whole.hexdigest()


def test_nothing_heavy_is_imported():
    program = (
        "import clspec_argo, sys; print([m for m in sys.modules if m.split('.')[0] in "
        "('hera', 'argo_workflows', 'jsonschema', 'pydantic', 'networkx', 'numpy', 'kfp', 'pyarrow')])"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"


# -- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (plan(), []),
        (of(*(replace(s, image="") for s in steps())), ["CLS501"]),
        (of(*(replace(s, image="registry/perception:1.2") for s in steps())), ["CLS502"]),
        (of(*(replace(s, image="registry/perception@sha256:0f3c") for s in steps())), ["CLS502"]),
        (plan(workdir=""), ["CLS501"]),
        (plan(store="../.clspec/store"), ["CLS505", "CLS503"]),
        (of(*steps(), store="../.clspec/store"), ["CLS505"]),
        (of(*steps(train={"resources": Resources(gpu=Gpu(count=1, memory=40 * GI))})), ["CLS504"]),
        (of(*steps(), triggers=(Trigger(event=Event.CODE_CHANGE, paths=("a/**",), where="triggers.0"),)), ["CLS503"]),
        (of(*steps(), triggers=(Trigger(event=Event.DATA_CHANGE, source="fleet"),)), []),
        (of(*steps(), triggers=(Trigger(event=Event.LABELS),)), []),
        (plan(name="a" * 42), ["CLS507"]),
        (of(*steps(), name="a" * 53), ["CLS507"]),
        (plan(name="Robotaxi"), ["CLS506"]),
    ],
)
def test_what_argo_cannot_say_is_told_once(given, expected):
    assert codes(given) == expected


def test_names_that_just_fit():
    assert codes(plan(name="a" * 41)) == []
    assert codes(of(*steps(), name="a" * 52)) == []
    two = (NIGHTLY, replace(NIGHTLY, time_zone="Asia/Tokyo"))
    assert codes(of(*steps(), triggers=two, name="a" * 40)) == ["CLS507"]


def test_warnings_let_the_plan_through():
    given = plan(store="../.clspec/store")
    assert {d.severity for d in backend.check(given, Options())} == {Severity.WARNING}
    bundle = emitted(given)
    workflows = [file for file in bundle if file.startswith("regression")]
    assert workflows == ["regression.workflowtemplate.yaml"], "a schedule cannot give the store"
    document = yaml.safe_load(bundle["regression.workflowtemplate.yaml"])
    assert document["spec"]["arguments"]["parameters"][0] == {"name": "store"}
    assert codes(given, store="s3://bucket/cl") == []
    assert "regression.cronworkflow.yaml" in emitted(given, store="s3://bucket/cl")


@pytest.mark.parametrize(("uri", "given"), [("s3://bucket/cl", ""), ("store", " -p store=URI")])
def test_a_trigger_that_is_not_expressed_says_how_to_start_a_run(uri, given):
    trigger = Trigger(event=Event.CODE_CHANGE, paths=("a/**",), origin=Span(41, 5, 41, 9), where="triggers.0")
    found = [d for d in backend.check(of(*steps(), triggers=(trigger,), store=uri), Options()) if d.code == "CLS503"]
    assert [(d.span, d.where) for d in found] == [(Span(41, 5, 41, 9), "triggers.0")]
    assert f"`argo submit --from workflowtemplate/robotaxi-regression{given}`" in found[0].hint


def test_steps_of_one_place_are_told_once_and_of_two_twice():
    hinted = {"resources": Resources(gpu=Gpu(count=1, memory=GI))}
    assert codes(of(*steps(train=hinted))) == ["CLS504"]
    elsewhere = {**hinted, "origin": Span(30, 1, 30, 4), "where": "inference"}
    found = backend.check(of(*steps(train=hinted, report=elsewhere)), Options())
    assert [(d.code, d.span.line, d.where) for d in found] == [("CLS504", 10, "training"), ("CLS504", 30, "inference")]


def many(count):
    """A pipeline of that many steps, the last of which depends on words and data of the first."""
    first = made(Kind.GATE, "first", writes=[("verdict", TYPES.VERDICT)], parameters=("outcome",))
    between = [made(Kind.PIN, f"pin-{i}", needs=("first",)) for i in range(count - 3)]
    passed = Condition(step="first", parameter="outcome", equals="pass")
    given = made(Kind.REGISTER, "given", [("verdict", "first", "verdict")], when=passed, needs=("pin-7",))
    last = made(Kind.REPORT, "zlast", [("verdict", "first", "verdict")], needs=("given",))
    return of(first, *between, given, last)


@pytest.mark.parametrize("count", [199, 200, 450, 5000])
def test_many_steps_stay_under_every_cap(count):
    bundle = emitted(many(count))
    documents = of_argo(bundle)
    assert len(documents) == {199: 1, 200: 3, 450: 4, 5000: 27}[count]
    for document in documents:
        templates = document["spec"]["templates"]
        assert len(templates) <= 200
        assert max(len(t.get("dag", {}).get("tasks", ())) for t in templates) <= 200
        assert len(text.compact(document)) < 900_000


def test_a_pipeline_in_parts_means_the_same(tmp_path):
    bundle = emitted(many(210))
    for word, phase in (("pass", "Succeeded"), ("fail", "Skipped")):
        cluster = Cluster(bundle, None if word == "pass" else tmp_path, pod=None if word == "pass" else acted)
        cluster.run("robotaxi-regression", store=f"s3://bucket/{word}")
        assert cluster.phases["given"] == phase
        assert cluster.phases["zlast"] == "Succeeded"
        assert cluster.phases["part-2"] == "Succeeded"
    assert len(of_argo(emitted(many(450), argo_version="3.7"))) == 1


def test_everything_wrong_is_told_at_once():
    wrong = of(*(made(Kind.PIN, f"pin-{i}", image="") for i in range(20)), name="A", workdir="")
    assert sorted(codes(wrong)) == ["CLS501", "CLS501", "CLS506"]


def test_too_large_a_step_or_an_object():
    (found,) = backend.check(of(made(Kind.PIN, "pin", config=canonical("x" * 120_000))), Options())
    assert found.code == "CLS507"
    assert "`pin`" in found.message
    large = of(*(made(Kind.PIN, f"pin-{i}", config=canonical("x" * 100_000)) for i in range(9)))
    assert codes(large) == ["CLS507"]
    assert codes(of(*large.pipelines[0].steps[:3])) == ["CLS510"]


# -- our own check of what is emitted --------------------------------------------------------------------------------


def task(documents, name):
    dag = documents["regression.workflowtemplate.yaml"]["spec"]["templates"][0]["dag"]
    return next(t for t in dag["tasks"] if t["name"] == name)


def leaf(documents, name):
    templates = documents["regression.workflowtemplate.yaml"]["spec"]["templates"]
    return next(t for t in templates if t["name"] == name)


def spec(documents):
    return documents["regression.workflowtemplate.yaml"]["spec"]


def cron(documents):
    return documents["regression.cronworkflow.yaml"]["spec"]


def put(value, *place):
    """Set what lies at a place below a value."""
    for key in place[:-2]:
        value = value[key]
    value[place[-2]] = place[-1]


def args(documents, name):
    return leaf(documents, name)["container"]["args"]


def more_tasks(documents):
    tasks = spec(documents)["templates"][0]["dag"]["tasks"]
    tasks += [{"name": f"extra-{i}", "template": "pin"} for i in range(200)]


DEFECTS = {
    "no such entrypoint": lambda d: put(spec(d), "entrypoint", "nowhere"),
    "no entrypoint": lambda d: spec(d).pop("entrypoint"),
    "no such exit handler": lambda d: put(spec(d), "onExit", "nowhere"),
    "no such template": lambda d: put(task(d, "gate"), "template", "nowhere"),
    "template that nothing runs": lambda d: spec(d)["templates"].append({**leaf(d, "conclude"), "name": "orphan"}),
    "two templates of one name": lambda d: spec(d)["templates"].append(leaf(d, "pin")),
    "two types in one template": lambda d: put(leaf(d, "pin"), "suspend", {}),
    "no type": lambda d: leaf(d, "pin").pop("container"),
    "upper case in a name": lambda d: (put(leaf(d, "gate"), "name", "Gate"), put(task(d, "gate"), "template", "Gate")),
    "long name": lambda d: (put(leaf(d, "gate"), "name", "g" * 41), put(task(d, "gate"), "template", "g" * 41)),
    "bad object name": lambda d: put(d["regression.workflowtemplate.yaml"], "metadata", "name", "Robotaxi_regression"),
    "unknown task in depends": lambda d: put(task(d, "gate"), "depends", "nobody.Succeeded"),
    "unknown result in depends": lambda d: put(task(d, "conclude"), "depends", "gate.Passed && report.Succeeded"),
    "no result in depends": lambda d: put(task(d, "conclude"), "depends", "gate && report.Succeeded"),
    "unreadable depends": lambda d: put(task(d, "conclude"), "depends", "(gate.Succeeded && report.Succeeded"),
    "old dependencies": lambda d: put(task(d, "report"), "dependencies", ["gate"]),
    "cycle": lambda d: put(task(d, "pin"), "depends", "conclude.Succeeded"),
    "waits for itself": lambda d: put(task(d, "pin"), "depends", "pin.Succeeded"),
    "lost when its need is skipped": lambda d: put(
        task(d, "conclude"), "depends", "gate.Succeeded && report.Succeeded && register.Succeeded"
    ),
    "two tasks of one name": lambda d: spec(d)["templates"][0]["dag"]["tasks"].append(task(d, "pin")),
    "too many tasks": more_tasks,
    "too many templates": lambda d: spec(d)["templates"].extend(
        {**leaf(d, "pin"), "name": f"p-{i}"} for i in range(200)
    ),
    "no tasks": lambda d: put(spec(d)["templates"][0], "dag", "tasks", []),
    "artifact of no ancestor": lambda d: put(
        task(d, "predict-seed-1"), "arguments", "artifacts", 0, "from", "{{tasks.train-seed-2.outputs.artifacts.model}}"
    ),
    "artifact of no task": lambda d: put(
        task(d, "report"), "arguments", "artifacts", 0, "from", "{{tasks.nobody.outputs.artifacts.verdict}}"
    ),
    "artifact that is not written": lambda d: put(
        task(d, "report"), "arguments", "artifacts", 0, "from", "{{tasks.gate.outputs.artifacts.verdicts}}"
    ),
    "artifact from an expression": lambda d: put(
        task(d, "report"), "arguments", "artifacts", 0, "from", "{{=tasks.gate.outputs.artifacts.verdict}}"
    ),
    "input that is not given": lambda d: task(d, "report")["arguments"]["artifacts"].pop(),
    "argument that is not taken": lambda d: leaf(d, "report")["inputs"]["artifacts"].pop(),
    "input with a place of its own": lambda d: put(leaf(d, "report"), "inputs", "artifacts", 0, "s3", {"key": "a"}),
    "condition on what is not over": lambda d: put(task(d, "register"), "depends", "train-seed-1.Succeeded"),
    "condition on no parameter": lambda d: put(leaf(d, "gate"), "outputs", "parameters", []),
    "unquoted condition": lambda d: put(
        task(d, "register"), "when", "{{tasks.gate.outputs.parameters.verdict}} == pass"
    ),
    "half-quoted condition": lambda d: put(
        task(d, "register"), "when", "'{{tasks.gate.outputs.parameters.verdict}}' == pass"
    ),
    "condition with a quote": lambda d: put(
        task(d, "register"), "when", "'{{tasks.gate.outputs.parameters.verdict}}' == 'pass' || '1' == '1'"
    ),
    "condition on a skippable step without default": lambda d: put(
        task(d, "gate"), "when", task(d, "register")["when"]
    ),
    "braces in a config": lambda d: put(args(d, "train-seed-1"), 2, '{"a":"{{workflow.name}}"}'),
    "braces in an image": lambda d: put(leaf(d, "pin"), "container", "image", "{{workflow.name}}@sha256:0"),
    "braces in a selector": lambda d: put(leaf(d, "pin"), "nodeSelector", {"a": "{{workflow.name}}"}),
    "braces in a label": lambda d: put(spec(d), "podMetadata", "labels", {"a": "{{workflow.name}}"}),
    "braces in a store": lambda d: put(spec(d), "arguments", "parameters", 0, "value", "s3://{{workflow.name}}"),
    "undeclared parameter": lambda d: put(args(d, "pin"), 6, "{{workflow.parameters.shop}}"),
    "store without its flag": lambda d: args(d, "pin").pop(5),
    "config that is not JSON": lambda d: put(args(d, "pin"), 2, "{"),
    "variable of Kubernetes": lambda d: put(args(d, "pin"), 4, "/app/$(HOME)"),
    "variable in a key": lambda d: put(leaf(d, "pin"), "nodeSelector", {"$(HOME)": "a"}),
    "two dollars": lambda d: put(args(d, "pin"), 2, '"$$"'),
    "control character": lambda d: put(args(d, "pin"), 2, '"\x7f"'),
    "output parameter from two places": lambda d: put(
        leaf(d, "gate"), "outputs", "parameters", 0, "valueFrom", {"path": "/tmp/clspec/parameters/a", "jqFilter": "."}
    ),
    "output parameter from nowhere": lambda d: put(leaf(d, "gate"), "outputs", "parameters", 0, "valueFrom", {}),
    "two outputs of one name": lambda d: put(leaf(d, "train-seed-1"), "outputs", "artifacts", 0, "name", "metrics"),
    "two outputs in one file": lambda d: put(
        leaf(d, "train-seed-1"), "outputs", "artifacts", 0, "path", "/tmp/clspec/out/metrics"
    ),
    "an output in another": lambda d: put(
        leaf(d, "train-seed-1"), "outputs", "artifacts", 0, "path", "/tmp/clspec/out/metrics/model"
    ),
    "output on the read-only root": lambda d: put(leaf(d, "pin"), "outputs", "artifacts", 0, "path", "/out/pins"),
    "dot in an artifact's name": lambda d: put(leaf(d, "report"), "outputs", "artifacts", 0, "name", "a.b"),
    "two artifacts under one key": lambda d: put(
        leaf(d, "train-seed-2"),
        "outputs",
        "artifacts",
        0,
        "s3",
        leaf(d, "train-seed-1")["outputs"]["artifacts"][0]["s3"],
    ),
    "artifact with a bucket": lambda d: put(
        leaf(d, "pin"), "outputs", "artifacts", 0, "s3", {"key": "a", "bucket": "b"}
    ),
    "artifact in an archive": lambda d: leaf(d, "pin")["outputs"]["artifacts"][0].pop("archive"),
    "time limit on the order": lambda d: put(leaf(d, "pipeline"), "activeDeadlineSeconds", "60"),
    "retries on the order": lambda d: put(leaf(d, "pipeline"), "retryStrategy", {"limit": "1"}),
    "unknown retry policy": lambda d: put(leaf(d, "train-seed-1"), "retryStrategy", "retryPolicy", "Sometimes"),
    "retries without a limit": lambda d: leaf(d, "train-seed-1")["retryStrategy"].pop("limit"),
    "retries of everything": lambda d: leaf(d, "train-seed-1")["retryStrategy"].pop("expression"),
    "retries that end a running attempt": lambda d: put(
        leaf(d, "train-seed-1"), "retryStrategy", "backoff", "maxDuration", "1h"
    ),
    "no image": lambda d: leaf(d, "pin")["container"].pop("image"),
    "image by tag": lambda d: put(leaf(d, "pin"), "container", "image", "perception:1"),
    "no command": lambda d: put(leaf(d, "pin"), "container", "command", []),
    "mount of no volume": lambda d: spec(d).pop("volumes"),
    "two mounts at one path": lambda d: leaf(d, "pin")["container"]["volumeMounts"].append(
        {"name": "scratch", "mountPath": "/tmp"}
    ),
    "one variable twice": lambda d: leaf(d, "pin")["container"]["env"].append({"name": "HOME", "value": "/"}),
    "device in requests": lambda d: put(
        leaf(d, "train-seed-1"), "container", "resources", "requests", "nvidia.com/gpu", "2"
    ),
    "number for a quantity": lambda d: put(leaf(d, "train-seed-1"), "container", "resources", "limits", "memory", 16),
    "requests below limits": lambda d: put(
        leaf(d, "train-seed-1"), "container", "resources", "requests", "memory", "1Gi"
    ),
    "writable root": lambda d: put(leaf(d, "pin"), "container", "securityContext", {"runAsUser": 0}),
    "root user": lambda d: put(spec(d), "securityContext", "runAsUser", 0),
    "unknown pod cleaning": lambda d: put(spec(d), "podGC", "strategy", "Never"),
    "too large": lambda d: put(args(d, "pin"), 2, json.dumps("x" * 900_000)),
    "schedule of nothing": lambda d: put(cron(d), "schedules", []),
    "schedule of four fields": lambda d: put(cron(d), "schedules", ["0 2 * *"]),
    "schedule on day seven": lambda d: put(cron(d), "schedules", ["0 2 * * 5-7"]),
    "schedule without a time zone": lambda d: put(cron(d), "timezone", ""),
    "unknown concurrency policy": lambda d: put(cron(d), "concurrencyPolicy", "Queue"),
    "negative deadline": lambda d: put(cron(d), "startingDeadlineSeconds", -1),
    "schedule of no template": lambda d: put(cron(d), "workflowSpec", "workflowTemplateRef", "name", "nowhere"),
    "schedule with templates": lambda d: put(cron(d), "workflowSpec", "templates", []),
    "schedule that gives no store": lambda d: spec(d)["arguments"]["parameters"][0].pop("value"),
    "time limit that is no number": lambda d: put(leaf(d, "train-seed-1"), "activeDeadlineSeconds", "6h"),
    "retries at once": lambda d: leaf(d, "train-seed-1")["retryStrategy"]["backoff"].pop("duration"),
    "template that refers to another": lambda d: put(spec(d), "workflowTemplateRef", {"name": "a"}),
    "other version": lambda d: put(d["regression.workflowtemplate.yaml"], "apiVersion", "argoproj.io/v1"),
    "long template name": lambda d: put(d["regression.workflowtemplate.yaml"], "metadata", "name", "a" * 64),
    "long schedule name": lambda d: put(d["regression.cronworkflow.yaml"], "metadata", "name", "a" * 53),
    "unknown kind": lambda d: put(d["regression.cronworkflow.yaml"], "kind", "Cronflow"),
    "two objects of one name": lambda d: put(d, "copy.yaml", d["regression.cronworkflow.yaml"]),
}

FOUND = """
no such entrypoint: entrypoint: no template nowhere
no entrypoint: no entrypoint
no such exit handler: onExit: no template nowhere
no such template: task gate: no template nowhere
template that nothing runs: no task runs template orphan
two templates of one name: two templates pin
two types in one template: is of types
no type: is of types []
upper case in a name: a pod's name is made of the name
long name: a pod's name is made of the name
bad object name: is not a Kubernetes name
unknown task in depends: depends on unknown nobody
unknown result in depends: result 'Passed' does not exist
no result in depends: result '' may be any
unreadable depends: cannot be read
old dependencies: the old language
cycle: waits for itself
waits for itself: task pin: waits for itself
lost when its need is skipped: is lost when register is skipped
two tasks of one name: two tasks pin
too many tasks: 213 tasks
too many templates: 214 templates
no tasks: no tasks
artifact of no ancestor: train-seed-2 need not be over yet
artifact of no task: nobody need not be over yet
artifact that is not written: gate has none of artifacts verdicts
artifact from an expression: artifact verdict is from
input that is not given: is not given training-seed-1
argument that is not taken: is given training-seed-1
input with a place of its own: input verdict of report is kept nowhere
condition on what is not over: gate need not be over yet
condition on no parameter: gate has none of parameters verdict
unquoted condition: is not one quoted parameter and one quoted word
half-quoted condition: is not one quoted parameter and one quoted word
condition with a quote: is not one quoted parameter and one quoted word
condition on a skippable step without default: task register: parameter verdict of gate has no default
braces in a config: in the argument
braces in an image: image without a digest
braces in a selector: where no tag belongs
braces in a label: `{{workflow.name}}` outside a template
braces in a store: `{{workflow.name}}` outside a template
undeclared parameter: no parameter shop
store without its flag: --store is missing
config that is not JSON: --config is not JSON
variable of Kubernetes: Kubernetes would expand '/app/$(HOME)'
variable in a key: Kubernetes would expand '$(HOME)'
two dollars: Kubernetes would expand
control character: unprintable character
output parameter from two places: comes from ['path', 'jqFilter'], not from one place
output parameter from nowhere: comes from nowhere
two outputs of one name: two artifacts metrics
two outputs in one file: two files at /tmp/clspec/out/metrics
an output in another: another file lies in
output on the read-only root: is on the read-only root
dot in an artifact's name: artifact 'a.b': a name
two artifacts under one key: two artifacts under the key
artifact with a bucket: has no key, or more than a key
artifact in an archive: would be a tar archive
time limit on the order: activeDeadlineSeconds is not for this type
retries on the order: retryStrategy on a dag
time limit that is no number: activeDeadlineSeconds
unknown retry policy: retryPolicy
retries without a limit: retry without a limit
retries of everything: retry of everything
retries that end a running attempt: maxDuration ends the attempt under way
retries at once: backoff needs duration
no image: image without a digest
image by tag: image without a digest
no command: no command
mount of no volume: no volume scratch
two mounts at one path: two mounts at /tmp
one variable twice: two variables HOME
device in requests: device nvidia.com/gpu in requests
number for a quantity: memory 16 is not a quantity in quotes
requests below limits: memory of requests and limits differ
writable root: container is not locked down
root user: pods may run as root
unknown pod cleaning: podGC.strategy
too large: bytes of JSON
schedule of nothing: no schedule
schedule of four fields: schedule '0 2 * *'
schedule on day seven: schedule '0 2 * * 5-7'
schedule without a time zone: no timezone
unknown concurrency policy: concurrencyPolicy
negative deadline: startingDeadlineSeconds
schedule of no template: no WorkflowTemplate nowhere
schedule with templates: templates beside workflowTemplateRef
schedule that gives no store: never given store
template that refers to another: templates beside workflowTemplateRef
other version: not argoproj.io/v1alpha1
long template name: is longer than 63
long schedule name: is longer than 52
unknown kind: kind Cronflow
two objects of one name: two objects CronWorkflow robotaxi-regression
"""
"""What each of them is told as."""


def sound():
    return copy.deepcopy(emit_of(loaded()))


def test_what_is_emitted_is_sound():
    assert findings(sound()) == ()


@pytest.mark.parametrize(("name", "told"), [line.split(": ", 1) for line in FOUND.strip().splitlines()])
def test_a_planted_defect_is_found(name, told):
    documents = sound()
    DEFECTS[name](documents)
    assert any(told in finding for finding in findings(documents))


def test_every_defect_was_planted():
    assert {line.split(": ", 1)[0] for line in FOUND.strip().splitlines()} == set(DEFECTS)


def test_inputs_of_skipped_steps_must_be_optional():
    given = steps(register={"outputs": (Artifact(name="record", type=TYPES.METRICS),)})
    after = made(Kind.REPORT, "after", writes=[("report", TYPES.REPORT)], needs=("register",))
    optional = Input(name="record", step="register", output="record", optional=True)
    documents = copy.deepcopy(emit_of(of(*given, replace(after, inputs=(optional,)))))
    assert findings(documents) == ()
    leaf(documents, "after")["inputs"]["artifacts"][0].pop("optional")
    assert findings(documents)


def test_a_broken_emitter_is_not_believed(monkeypatch):
    broken = sound()
    DEFECTS["cycle"](broken)
    monkeypatch.setattr(clspec_argo, "documents", lambda *_: broken.items())
    with pytest.raises(EmitError, match="waits for itself") as caught:
        backend.emit(loaded(), Options())
    assert caught.value.found
    assert caught.value.exit_code == 2


# -- a run on a small Argo that reads the emitted YAML and nothing else ------------------------------------------------

FAKE_STEP = """
import argparse, json, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("kind")
for flag in ("--config", "--store", "--code", "--as-of", "--allow-both"):
    parser.add_argument(flag, required=not flag.startswith("--a"))
for flag in ("--in", "--in-optional", "--out", "--out-param"):
    parser.add_argument(flag, action="append", default=[], dest=flag.strip("-").replace("-", "_"))
given = vars(parser.parse_args())
config = json.loads(given["config"])
read = {}
for pair in given["in"] + given["in_optional"]:
    name, _, path = pair.partition("=")
    path = pathlib.Path(path)
    content = path.read_text() if path.is_file() else None
    read[name] = sorted(p.name for p in path.iterdir()) if path.is_dir() else content
if given["kind"] == "conclude" and json.loads(read["verdict"])["verdict"] != "pass":
    sys.exit(1)
for pair in given["out"]:
    name, _, path = pair.partition("=")
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name in ("model", "report"):
        path.mkdir()
        (path / "weights").write_text("w")
    elif name == "verdict":
        path.write_text(json.dumps({"verdict": given["store"].rpartition("/")[2]}))
    else:
        path.write_text(json.dumps({"by": config.get("step"), "read": read}))
for pair in given["out_param"]:
    name, _, path = pair.partition("=")
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(given["store"].rpartition("/")[2] + "\\n")
"""


def acted(cluster, task, container, root, leaf):
    """A pod that runs the fake step, its paths below the pod's own root."""
    del leaf
    assert container["command"] == ["python", "-m", "clspec.step"]
    assert container["volumeMounts"][0]["mountPath"] == "/tmp"
    root.mkdir(parents=True, exist_ok=True)
    program = cluster.folder / "step.py"
    program.write_text(FAKE_STEP, encoding="utf-8")
    arguments = [expanded(a, {}).replace("=/tmp/", f"={root}/tmp/") for a in container["args"]]
    ran = subprocess.run([sys.executable, str(program), *arguments], check=False, capture_output=True, text=True)
    assert ran.returncode in (0, 1), f"{task}: {ran.stderr}"
    return ran.returncode, "main: Error", "Succeeded" if ran.returncode == 0 else "Failed"


def ran(bundle, folder=None, exits=None, **parameters):
    return Cluster(bundle, folder, exits=exits, pod=acted if folder else None).run("robotaxi-regression", **parameters)


ALL = {step.id for step in steps()}


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_run_means_what_the_plan_means(tmp_path, verdict):
    cluster = ran(emitted(loaded()), tmp_path, store=f"s3://bucket/{verdict}")
    assert set(cluster.log) == ALL
    for step in steps():
        assert all(cluster.log.index(need) < cluster.log.index(step.id) for need in step.needs)
    assert cluster.phases["register"] == ("Succeeded" if verdict == "pass" else "Skipped")
    assert cluster.phases["conclude"] == ("Succeeded" if verdict == "pass" else "Failed")
    others = ALL - {"register", "conclude"}
    assert {cluster.phases[name] for name in others} == {"Succeeded"}
    bucket = tmp_path / "bucket" / "robotaxi" / "uid-1"
    files = {str(p.relative_to(bucket)) for p in bucket.rglob("*") if p.is_file()}
    written = {f"{s.id}/{o.name}" for s in steps() for o in s.outputs}
    folders = {f"{w}/weights" if w.endswith(("model", "report")) else w for w in written}
    assert files == folders
    metrics = json.loads((bucket / "evaluate-seed-2" / "metrics").read_text())
    assert json.loads(metrics["read"]["predictions-1"])["by"] == "predict-seed-2"
    assert json.loads(metrics["read"]["predictions-1"])["read"]["model"] == ["weights"]


def test_what_a_skipped_step_leaves(tmp_path):
    given = steps(register={"parameters": ("name",), "outputs": (Artifact(name="record", type=TYPES.METRICS),)})
    optional = Input(name="record", step="register", output="record", optional=True)
    after = made(Kind.REPORT, "after", writes=[("note", TYPES.METRICS)], needs=("register",), inputs=(optional,))
    hangs = made(Kind.REPORT, "hangs", [("record", "register", "record")])
    follows = made(Kind.REPORT, "follows", needs=("hangs",))
    named = made(Kind.REPORT, "named", when=Condition(step="register", parameter="name", equals="pass"))
    bundle = emitted(of(*given, after, hangs, follows, named))
    cluster = ran(bundle, tmp_path, store="s3://bucket/fail")
    assert (cluster.phases["after"], cluster.phases["follows"]) == ("Succeeded", "Succeeded")
    assert (cluster.phases["hangs"], cluster.phases["named"]) == ("Skipped", "Skipped")
    note = json.loads((tmp_path / "bucket/robotaxi/uid-1/after/note").read_text())
    assert note["read"] == {"record": None}
    passed = ran(bundle, tmp_path / "second", store="s3://bucket/pass")
    assert {passed.phases[name] for name in ("after", "hangs", "follows", "named")} == {"Succeeded"}


@pytest.mark.parametrize("end", [(0, "", "Succeeded"), (3, "", "Failed"), (-1, "", "Error")])
def test_what_always_runs_changes_nothing(end):
    verdict = Input(name="verdict", step="gate", output="verdict", optional=True)
    tell = made(Kind.NOTIFY, "notify", needs=("report", "gate"), inputs=(verdict,), always=True, pure=False)
    bundle = emitted(of(*steps(), tell))
    assert ran(bundle, exits={"notify": [end]}).phase == "Succeeded"
    failed = ran(bundle, exits={"notify": [end], "train-seed-1": [(3, "", "Failed")]})
    assert (failed.phase, failed.phases["gate"], failed.attempts["notify"]) == ("Failed", "Omitted", 1)
    assert template(bundle, "notify")["inputs"]["artifacts"] == [
        {
            "name": "verdict",
            "path": "/tmp/clspec/in/verdict",
            "optional": True,
            "archive": {"none": {}},
            "s3": {"key": "robotaxi/{{workflow.uid}}/gate/verdict"},
        }
    ]


def test_what_hangs_on_a_failed_step_does_not_run_and_the_rest_does():
    cluster = ran(emitted(), exits={"train-seed-2": [(3, "main: Error (exit code 3)", "Failed")]})
    assert cluster.phase == "Failed"
    omitted = {name for name, phase in cluster.phases.items() if phase == "Omitted"}
    assert omitted == {
        *("predict-seed-2", "evaluate-seed-2", "gate", "register", "report", "conclude"),
    }
    assert cluster.phases["evaluate-seed-1"] == "Succeeded"


LATE = "Pod was active on the node longer than the specified deadline"


@pytest.mark.parametrize(
    ("code", "message", "status", "retried"),
    [
        (75, "main: Error (exit code 75)", "Failed", True),
        (137, "main: OOMKilled (exit code 137)", "Failed", True),
        (143, "main: Error (exit code 143)", "Failed", True),
        (139, "main: Error (exit code 139)", "Failed", True),
        (-1, "The node was low on resource: memory.", "Failed", True),
        (0, "pod failed: wait container did not complete successfully", "Failed", True),
        (-1, "pod deleted", "Error", True),
        (-1, "init: Error (exit code 64): context deadline exceeded", "Error", True),
        (1, "main: Error (exit code 1)", "Failed", False),
        (2, "main: Error (exit code 2)", "Failed", False),
        (3, "main: Error (exit code 3)", "Failed", False),
        (137, LATE, "Failed", False),
        (143, LATE, "Failed", False),
        (-1, LATE, "Failed", False),
    ],
)
def test_only_infrastructure_is_tried_again(code, message, status, retried):
    ends = {"train-seed-1": [(code, message, status)]}
    cluster = ran(emitted(loaded()), exits=ends)
    assert cluster.attempts["train-seed-1"] == (2 if retried else 1)
    assert cluster.phases["train-seed-1"] == ("Succeeded" if retried else {"Error": "Errored"}.get(status, "Failed"))
    assert cluster.attempts["pin"] == 1


def test_attempts_have_a_limit():
    ends = {"train-seed-1": [(137, "", "Failed")] * 9}
    cluster = ran(emitted(loaded()), exits=ends)
    assert cluster.attempts["train-seed-1"] == 3
    assert cluster.phase == "Failed"


def test_a_run_must_be_given_a_store_that_the_cluster_sees():
    bundle = emitted(plan(store="../.clspec/store"))
    with pytest.raises(AssertionError, match="required parameter"):
        ran(bundle)
    assert ran(bundle, store="s3://bucket/pass").phase == "Succeeded"


def test_every_path_lies_on_the_writable_volume():
    for path in (pod.read_path("a"), pod.write_path("a"), pod.parameter_path("a")):
        assert path.startswith("/tmp/clspec/")
