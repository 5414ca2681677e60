"""The Kubeflow target against Kubeflow's own SDK: its parsers, its compiler and its local runner."""

import copy
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import types
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from clspec import backend as protocol
from clspec.diagnostic import Span
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
from clspec_kfp import Options, SelfCheckError, backend, document, schedule, text
from clspec_kfp.validate import faults

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32
GIB = 1024**3
TRAINING = Span(30, 1, 40, 1)

HOSTILE = [
    "{{workflow.name}}",
    "{{$}}",
    "{{$.inputs.parameters['store']}}",
    "{{{{=1+1}}",
    "\\{{",
    "$(POD_NAME)",
    "$$(POD_NAME)",
    "$$$",
    "a 'quoted' \"text\" \\ with $1",
    "line\nbreak\r\n---\n...\n# no comment",
    "\u2028\u202e\u0085\x00\x1b[31m",
    "pédestrian 🚶",
    "no",
    "1e3",
    "0o17",
    "2026-11-23",
    " trailing ",
    '{"Concat": ["a"]}',
    "x" * 5000,
]


# -- plans -------------------------------------------------------------------------------------------------------


def step(name, kind, *, reads=(), after=(), writes=(), **more):
    """A step of the test's plan; `reads` is `(input, step, output)`, `writes` is `(output, type)`."""
    inputs = tuple(Input(name=given, step=producer, output=output) for given, producer, output in reads)
    needs = tuple(dict.fromkeys([*(given.step for given in inputs), *after]))
    outputs = tuple(Artifact(name=output, type=kind_of) for output, kind_of in writes)
    settings = {"image": IMAGE, "where": kind.value, "config": "{}"} | more
    return Step(id=name, kind=kind, inputs=inputs, needs=needs, outputs=outputs, **settings)


def regression(**of_training):
    """A small regression pipeline with two seeds; the keywords change both of its training steps."""
    dataset, model = ArtifactType.DATASET, ArtifactType.MODEL
    training = {"origin": TRAINING, "where": "training"} | of_training
    steps = [step("pin", Kind.PIN, writes=[("pins", ArtifactType.REPORT)], pure=False)]
    steps += [
        step(
            f"snapshot-{name}",
            Kind.SNAPSHOT,
            reads=[("pins", "pin", "pins")],
            writes=[("dataset", dataset)],
            config=canonical({"dataset": name}),
        )
        for name in ("canonical", "golden")
    ]
    for seed in (1, 2):
        steps += [
            step(
                f"train-{seed}",
                Kind.TRAIN,
                reads=[("data", "snapshot-canonical", "dataset")],
                writes=[("model", model)],
                config=canonical({"seed": seed}),
                **training,
            ),
            step(
                f"predict-{seed}",
                Kind.PREDICT,
                reads=[("model", f"train-{seed}", "model"), ("data", "snapshot-golden", "dataset")],
                writes=[("predictions", ArtifactType.PREDICTIONS)],
            ),
            step(
                f"evaluate-{seed}",
                Kind.EVALUATE,
                reads=[("predictions", f"predict-{seed}", "predictions"), ("data", "snapshot-golden", "dataset")],
                writes=[("metrics", ArtifactType.METRICS)],
            ),
        ]
    steps += [
        step(
            "gate",
            Kind.GATE,
            reads=[("metrics-1", "evaluate-1", "metrics"), ("metrics-2", "evaluate-2", "metrics")],
            writes=[("judgement", ArtifactType.VERDICT)],
            parameters=("verdict",),
        ),
        step(
            "register",
            Kind.REGISTER,
            reads=[("model", "train-1", "model"), ("judgement", "gate", "judgement")],
            when=Condition(step="gate", parameter="verdict", equals="pass"),
            pure=False,
        ),
        step(
            "report",
            Kind.REPORT,
            reads=[("judgement", "gate", "judgement")],
            after=["register"],
            writes=[("report", ArtifactType.REPORT)],
            pure=False,
        ),
        step("conclude", Kind.CONCLUDE, reads=[("judgement", "gate", "judgement")], after=["report"], pure=False),
    ]
    return Pipeline(name="regression", steps=tuple(steps))


def plan(pipeline=None, **changes):
    settings = {
        "name": "robotaxi-perception",
        "spec": "specs/robotaxi.yaml",
        "store": "s3://perception/cl",
        "workdir": "/app",
    }
    return Plan(pipelines=(pipeline or regression(),), **(settings | changes))


FULL = {
    "resources": Resources(
        cpu=4.0,
        memory=16 * GIB,
        gpu=Gpu(count=2, model="NVIDIA-A100-SXM4-80GB"),
        shared_memory=8 * GIB,
        node_selector=(("pool", "train"),),
        tolerations=(Toleration(key="gpu", operator="Exists", effect="NoSchedule"), Toleration(key="a", value="b")),
    ),
    "secrets": (
        Secret(env="HF_TOKEN", name="hub", key="token"),
        Secret(env="HF_USER", name="hub", key="user"),
        Secret(env="WANDB", name="wandb", key="key"),
    ),
    "timeout": 6 * 3600,
    "retry": Retry(times=2),
}


def emitted(of_plan=None, options=None):
    """The documents of the plan's one pipeline, read back from the text."""
    of_plan = of_plan or plan()
    bundle = backend.emit(of_plan, options or Options())
    return list(yaml.safe_load_all(bundle[f"{of_plan.pipelines[0].name}.yaml"]))


def codes(of_plan, options=None):
    return [(problem.code, problem.is_error) for problem in backend.check(of_plan, options or Options())]


def with_step(pipeline, name, **changes):
    changed = tuple(replace(s, **changes) if s.id == name else s for s in pipeline.steps)
    return replace(pipeline, steps=changed)


# -- Kubeflow's own SDK -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kfp():
    """The parts of the SDK that judge us; it is 116 MB and an extra, so that it may be absent."""
    load = pytest.importorskip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports warn of deprecations in theirs
        return types.SimpleNamespace(
            compiler=load("kfp.compiler", reason="the SDK is not installed (extra `kfp`)"),
            components=load("kfp.components"),
            dsl=load("kfp.dsl"),
            kubernetes=load("kfp.kubernetes", reason="kfp-kubernetes is not installed (extra `kfp`)"),
            local=load("kfp.local"),
            server=load("kfp_server_api"),
            parse=load("google.protobuf.json_format").ParseDict,
            pod=load("kfp.kubernetes.kubernetes_executor_config_pb2"),
            spec=load("kfp.pipeline_spec.pipeline_spec_pb2"),
            orchestrator=load("kfp.local.orchestrator.enhanced_dag_orchestrator"),
        )


def parse_strictly(kfp, documents):
    """Every protobuf parser that has a say; an unknown key or a wrong type raises."""
    spec, *platform = documents
    kfp.parse(spec, kfp.spec.PipelineSpec())
    kfp.parse(spec["deploymentSpec"], kfp.spec.PipelineDeploymentConfig())
    for other in platform:
        kfp.parse(other, kfp.spec.PlatformSpec())
        for config in other["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
            kfp.parse(config, kfp.pod.KubernetesExecutorConfig())


@pytest.mark.parametrize(
    "pipeline",
    [regression(), regression(**FULL), with_step(regression(), "train-1", config=canonical(HOSTILE))],
    ids=["bare", "full", "hostile"],
)
def test_the_sdk_reads_what_is_emitted(kfp, pipeline):
    documents = emitted(plan(pipeline))
    parse_strictly(kfp, documents)
    component = kfp.components.load_component_from_text(yaml.safe_dump(documents[0]))
    assert component.component_spec.name == "robotaxi-perception-regression"
    assert list(component.component_spec.inputs) == ["store"]
    assert component.component_spec.inputs["store"].default == "s3://perception/cl"


def test_what_a_pod_needs_is_said_as_the_sdk_says_it(kfp, tmp_path):
    """The oracle: the same task written with the SDK's own calls gives the same resources, policies and pod."""

    @kfp.dsl.container_component
    def gate(verdict: kfp.dsl.OutputPath(str)):
        return kfp.dsl.ContainerSpec(image=IMAGE, command=["python"], args=[verdict])

    @kfp.dsl.container_component
    def train(store: str):
        return kfp.dsl.ContainerSpec(image=IMAGE, command=["python"], args=[store])

    @kfp.dsl.pipeline(name="oracle")
    def oracle(store: str = "s3://perception/cl"):
        verdict = gate().outputs["verdict"]
        with kfp.dsl.If(verdict == "pass"):
            task = train(store=store)
        task.set_cpu_limit("4").set_memory_limit("16Gi")
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)
        task.set_retry(2, backoff_duration="10s", backoff_factor=2.0, backoff_max_duration="3600s")
        kubernetes = kfp.kubernetes
        kubernetes.add_node_selector(task, "pool", "train")
        kubernetes.add_node_selector(task, "nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB")
        kubernetes.add_toleration(task, key="gpu", operator="Exists", effect="NoSchedule")
        kubernetes.add_toleration(task, key="a", operator="Equal", value="b")
        kubernetes.empty_dir_mount(task, "dshm", "/dev/shm", medium="Memory", size_limit="8Gi")
        kubernetes.use_secret_as_env(task, "hub", {"token": "HF_TOKEN", "user": "HF_USER"})
        kubernetes.use_secret_as_env(task, "wandb", {"key": "WANDB"})
        kubernetes.set_timeout(task, 6 * 3600)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kfp.compiler.Compiler().compile(oracle, str(tmp_path / "oracle.yaml"))
    theirs, their_platform = yaml.safe_load_all((tmp_path / "oracle.yaml").read_text())
    ours, our_platform = emitted(plan(regression(**FULL)))

    def container(spec, label):
        return spec["deploymentSpec"]["executors"][label]["container"]

    assert container(ours, "exec-train-1")["resources"] == container(theirs, "exec-train")["resources"]
    executors = "platforms", "kubernetes", "deploymentSpec", "executors"
    for key in executors:
        their_platform, our_platform = their_platform[key], our_platform[key]
    assert our_platform["exec-train-1"] == their_platform["exec-train"]
    task = theirs["components"]["comp-condition-1"]["dag"]["tasks"]["train"]
    assert ours["root"]["dag"]["tasks"]["train-1"]["retryPolicy"] == task["retryPolicy"]
    assert ours["root"]["dag"]["tasks"]["train-1"]["cachingOptions"] == task["cachingOptions"]
    assert ours["root"]["inputDefinitions"]["parameters"]["store"].items() >= (
        theirs["root"]["inputDefinitions"]["parameters"]["store"].items()
    )
    condition = theirs["root"]["dag"]["tasks"]["condition-1"]["triggerPolicy"]["condition"]
    register = ours["components"]["dag-register"]["dag"]["tasks"]["register"]
    assert register["triggerPolicy"]["condition"] == condition.replace("pipelinechannel--gate-verdict", "when")
    assert ours["schemaVersion"] == theirs["schemaVersion"]


FAKE_STEP = """
import hashlib, json, os, pathlib, sys
marker, kind, *rest = sys.argv[1:]
assert marker == "kfp.dsl.executor_main"
given = dict(zip(rest[::2], rest[1::2], strict=True))
executor = json.loads(given["--executor-input"])
outputs = executor["outputs"]
path = pathlib.Path(outputs["outputFile"])
seen = {"step": path.parent.name, "kind": kind, "config": json.loads(given["--config"]), "store": given["--store"],
        "code": given["--code"], "inputs": {}}
for name, value in executor["inputs"].get("artifacts", {}).items():
    content = pathlib.Path(value["artifacts"][0]["uri"]).read_text()
    seen["inputs"][name] = json.loads(content)["by"]
with open(os.environ["FAKE_LOG"], "a") as log:
    print(json.dumps(seen), file=log)
path.parent.mkdir(parents=True, exist_ok=True)
written = {"parameterValues": {}, "artifacts": outputs.get("artifacts", {})}
for value in written["artifacts"].values():
    file = pathlib.Path(value["artifacts"][0]["uri"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"by": seen["step"]}))
for name in outputs.get("parameters", {}):
    written["parameterValues"][name] = os.environ["FAKE_VERDICT"]
path.write_text(json.dumps(written))
sys.exit(kind == "conclude" and os.environ["FAKE_VERDICT"] != "pass")
"""


@pytest.mark.filterwarnings("ignore:Task .* settings .* have no effect in the current local runner:UserWarning")
@pytest.mark.filterwarnings("ignore:You may be attemping to run a task that uses custom:RuntimeWarning")
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_kfp_runs_it_and_the_verdict_decides(kfp, tmp_path, monkeypatch, verdict):
    """A real run of the emitted text by the SDK's runner; only what a container would hold is replaced."""
    pipeline = with_step(regression(), "train-2", config=canonical({"hostile": HOSTILE}))
    (spec,) = emitted(plan(pipeline))
    (tmp_path / "fake.py").write_text(FAKE_STEP)
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor["container"]["command"] == ["python", "-m", "clspec.step"]
        # the runner takes only commands that mention its own module
        executor["container"]["command"] = ["python3", str(tmp_path / "fake.py"), "kfp.dsl.executor_main"]
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_VERDICT", verdict)
    evaluated, warned = [], []
    evaluate = kfp.orchestrator.ConditionEvaluator.evaluate_condition

    def observe(condition, store):
        evaluated.append((condition, evaluate(condition, store)))
        return evaluated[-1][1]

    monkeypatch.setattr(kfp.orchestrator.ConditionEvaluator, "evaluate_condition", staticmethod(observe))
    monkeypatch.setattr(logging, "warning", lambda *args: warned.append(args))
    runner = kfp.local.SubprocessRunner(use_venv=False)
    kfp.local.init(runner=runner, pipeline_root=str(tmp_path / "root"), workspace_root=str(tmp_path / "workspace"))
    component = kfp.components.load_component_from_text(yaml.safe_dump(spec))
    if verdict == "pass":
        component(store="s3://elsewhere/cl")
    else:
        with pytest.raises(RuntimeError, match=r"Inner task failed: .*conclude"):
            component(store="s3://elsewhere/cl")

    ran = {seen["step"]: seen for seen in map(json.loads, (tmp_path / "log").read_text().splitlines())}
    expected = {s.id for s in pipeline.steps} - ({"register"} if verdict == "fail" else set())
    assert set(ran) == expected
    # an error in an expression counts as false there and is only logged
    assert evaluated == [("inputs.parameter_values['when'] == 'pass'", verdict == "pass")]
    assert warned == []
    for s in pipeline.steps:
        if s.id in ran:
            seen = ran[s.id]
            assert seen["inputs"] == {given.name: given.step for given in s.inputs}
            assert seen["config"] == json.loads(s.config)
            assert (seen["kind"], seen["store"], seen["code"]) == (s.kind.value, "s3://elsewhere/cl", "/app")


def test_a_skipped_step_does_not_skip_what_follows():
    """Kubeflow skips whatever depends on a skipped task: the condition must not lie on a task that others wait for."""
    (spec,) = emitted()
    tasks = spec["root"]["dag"]["tasks"]
    assert not any("triggerPolicy" in task for task in tasks.values())
    assert tasks["report"]["dependentTasks"] == ["gate", "register"]
    assert tasks["register"]["componentRef"] == {"name": "dag-register"}
    inner = spec["components"]["dag-register"]["dag"]["tasks"]
    assert list(inner) == ["register"]
    assert "dependentTasks" not in inner["register"]


# -- what is emitted ---------------------------------------------------------------------------------------------


def test_it_is_a_backend():
    assert isinstance(backend, protocol.Backend)
    assert protocol.load("kfp") is backend
    assert backend.api_version == 1
    assert backend.check(plan(), Options()) == ()


def read_back(spec):
    """Steps and edges as a reader of the file sees them."""
    edges = set()
    for name, task in spec["root"]["dag"]["tasks"].items():
        for given, binding in task["inputs"].get("artifacts", {}).items():
            source = binding["taskOutputArtifact"]
            edges.add((source["producerTask"], source["outputArtifactKey"], name, given))
    return set(spec["root"]["dag"]["tasks"]), edges


def test_every_step_and_edge_is_there():
    pipeline = regression()
    (spec,) = emitted(plan(pipeline))
    steps, edges = read_back(spec)
    assert steps == {s.id for s in pipeline.steps}
    assert edges == {(given.step, given.output, s.id, given.name) for s in pipeline.steps for given in s.inputs}
    for s in pipeline.steps:
        task = spec["root"]["dag"]["tasks"][s.id]
        assert set(s.needs) <= set(task.get("dependentTasks", []))
        component = spec["components"][f"comp-{s.id}"]
        assert set(component.get("outputDefinitions", {}).get("artifacts", {})) == {output.name for output in s.outputs}
        if s.id != "register":
            assert task["cachingOptions"] == ({"enableCache": True} if s.pure else {})


def test_artifacts_have_types_that_kubeflow_shows_and_promise_no_more():
    (spec,) = emitted()
    titles = {
        name: artifact["artifactType"]["schemaTitle"]
        for component in spec["components"].values()
        for name, artifact in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    assert titles == {"dataset": "system.Dataset", "model": "system.Model"} | dict.fromkeys(
        ("pins", "predictions", "metrics", "judgement", "report"), "system.Artifact"
    )
    assert set(document.SCHEMA_TITLES) == set(ArtifactType)


def test_a_step_that_is_not_pure_is_never_cached():
    (spec,) = emitted()
    assert spec["components"]["dag-register"]["dag"]["tasks"]["register"]["cachingOptions"] == {}


def test_a_store_that_a_pod_cannot_reach_is_asked_for():
    for store in ("../.clspec/store", "file:///data/store"):
        local = plan(store=store)
        assert codes(local) == [("CLS505", False)]
        (spec,) = emitted(local)
        assert spec["root"]["inputDefinitions"]["parameters"]["store"].keys() == {"parameterType", "description"}
        assert store not in backend.emit(local, Options())["regression.yaml"]


@pytest.mark.parametrize(
    ("size", "said"), [(16 * GIB, "16Gi"), (GIB // 2, "512Mi"), (3 * 1024, "3Ki"), (1000, "1000"), (2048 * GIB, "2Ti")]
)
def test_memory_is_said_exactly(size, said):
    assert text.quantity(size) == said


@pytest.mark.parametrize(("count", "said"), [(4.0, "4"), (0.5, "500m"), (1.25, "1250m"), (0.001, "1m"), (0.0001, "1m")])
def test_cores_are_said_to_a_thousandth(count, said):
    assert text.cores(count) == said


def test_only_what_is_stated_is_asked_for():
    need = Resources(memory=GIB, gpu=Gpu(count=1, resource="amd.com/gpu"))
    (spec,) = emitted(plan(regression(resources=need)))
    container = spec["deploymentSpec"]["executors"]["exec-train-1"]["container"]
    gpu = {"type": "amd.com/gpu", "count": "1", "resourceType": "amd.com/gpu", "resourceCount": "1"}
    assert container["resources"] == {
        "memoryLimit": 1.073741824,
        "resourceMemoryLimit": "1Gi",
        "accelerator": gpu,
    }
    assert "resources" not in spec["deploymentSpec"]["executors"]["exec-pin"]["container"]


def test_the_pod_of_a_conditional_step_is_kept():
    pipeline = with_step(regression(), "register", secrets=(Secret(env="T", name="registry", key="token"),))
    _, platform = emitted(plan(pipeline))
    assert list(platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]) == ["exec-register"]


def test_the_model_of_a_gpu_selects_a_node_under_the_label_of_the_cluster():
    of_plan = plan(regression(resources=Resources(gpu=Gpu(count=1, model="L4"))))
    labels = {}
    for label in ("nvidia.com/gpu.product", "cloud.google.com/gke-accelerator"):
        _, platform = emitted(of_plan, Options(gpu_model_label=label))
        pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train-1"]
        labels |= pod["nodeSelector"]["labels"]
    assert labels == {"nvidia.com/gpu.product": "L4", "cloud.google.com/gke-accelerator": "L4"}
    assert len(emitted(of_plan, Options(gpu_model_label=""))) == 1
    assert codes(of_plan, Options(gpu_model_label="")) == [("CLS504", False)]


def test_options_do_something():
    documents = emitted(options=Options(pipeline_root="s3://bucket/runs"))
    assert documents[0]["defaultPipelineRoot"] == "s3://bucket/runs"
    assert codes(plan(), Options(pipeline_root="/runs")) == [("CLS508", True)]
    assert codes(plan(), Options(gpu_model_label="a b")) == [("CLS508", True)]


# -- schedules ---------------------------------------------------------------------------------------------------


def at(cron, time_zone="UTC"):
    return Trigger(event=Event.SCHEDULE, cron=cron, time_zone=time_zone, origin=Span(80, 1, 81, 1), where="triggers")


def test_a_schedule_becomes_a_recurring_run_that_the_server_knows(kfp):
    pipeline = replace(regression(**FULL), triggers=(at("0 2 * * *"), at("30 4 * * 1-5")))
    options = Options(pipeline_root="s3://bucket/runs")
    bundle = backend.emit(plan(pipeline), options)
    assert sorted(bundle) == ["regression.recurring-run-2.json", "regression.recurring-run.json", "regression.yaml"]
    body = json.loads(bundle["regression.recurring-run.json"])
    client = kfp.server.ApiClient()
    run = client.deserialize(types.SimpleNamespace(data=json.dumps(body)), "V2beta1RecurringRun")
    assert client.sanitize_for_serialization(run) == body
    assert run.trigger.cron_schedule.cron == "0 0 2 * * *"
    assert (run.mode, run.max_concurrency, run.display_name) == ("ENABLE", "1", "robotaxi-perception-regression")
    spec, platform = emitted(plan(pipeline), options)
    assert run.pipeline_spec == {"pipeline_spec": spec, "platform_spec": platform}
    assert run.runtime_config.pipeline_root == "s3://bucket/runs"
    assert json.loads(bundle["regression.recurring-run-2.json"])["trigger"]["cron_schedule"]["cron"] == (
        "0 30 4 * * 1-5"
    )


def test_without_a_platform_document_a_recurring_run_holds_the_pipeline_alone():
    bundle = backend.emit(plan(replace(regression(), triggers=(at("0 2 * * *"),))), Options())
    body = json.loads(bundle["regression.recurring-run.json"])
    assert [body["pipeline_spec"]] == list(yaml.safe_load_all(bundle["regression.yaml"]))
    assert body["runtime_config"] == {"parameters": {}}


@pytest.mark.parametrize(
    ("cron", "six"),
    [
        ("0 2 * * *", "0 0 2 * * *"),
        ("*/7 1-7 7 7 7", "0 */7 1-7 7 7 0"),
        ("0 0 * * 5-7", "0 0 0 * * 0,5,6"),
        ("0 0 * * 1-7/2", "0 0 0 * * 0,1,3,5"),
        ("0 0 * * 0,7", "0 0 0 * * 0,0"),
        ("0 0 * * MON-FRI", "0 0 0 * * MON-FRI"),
        ("0 0 * * */2", "0 0 0 * * */2"),
    ],
)
def test_a_schedule_means_the_same_days_there(cron, six):
    assert schedule.six_fields(cron) == six


# -- what is warned of and what is refused -----------------------------------------------------------------------


def check_training(**changes):
    return codes(plan(regression(**changes)))


def test_what_is_lost_is_said_once_for_each_place():
    """Both seeds come from one line of the spec."""
    need = Resources(gpu=Gpu(count=1, memory=40 * GIB), ephemeral_storage=20 * GIB)
    found = backend.check(plan(regression(resources=need, retry=Retry(times=2))), Options())
    assert [problem.code for problem in found] == ["CLS504"] * 3
    assert {(p.path, p.span, p.where) for p in found} == {("specs/robotaxi.yaml", TRAINING, "training")}
    shown = " ".join(problem.message for problem in found)
    assert "any failure" in shown
    assert "ephemeral_storage" in shown
    assert "memory" in shown


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"resources": Resources(nodes=2)}, "CLS508"),
        ({"resources": Resources(gpu=Gpu(count=1, resource="NVIDIA_TESLA_A100"))}, "CLS508"),
        ({"resources": Resources(gpu=Gpu(count=1, resource="{{x}}/gpu"))}, "CLS506"),
        ({"resources": Resources(gpu=Gpu(count=1, model="NVIDIA A100"))}, "CLS508"),
        ({"resources": Resources(node_selector=(("pool", "a b"),))}, "CLS508"),
        ({"resources": Resources(node_selector=(("pool", "{{workflow.name}}"),))}, "CLS506"),
        ({"resources": Resources(tolerations=(Toleration(key="gpu", value="{{x}}"),))}, "CLS506"),
        (
            {"resources": Resources(gpu=Gpu(count=1, model="L4"), node_selector=(("nvidia.com/gpu.product", "T4"),))},
            "CLS508",
        ),
        ({"secrets": (Secret(env="HF_TOKEN"),)}, "CLS508"),
        ({"secrets": (Secret(env="HF_TOKEN", name="hub"),)}, "CLS508"),
        ({"secrets": (Secret(env="HF_TOKEN", name="{{x}}", key="token"),)}, "CLS506"),
        ({"config": canonical({"text": "x" * 131_072})}, "CLS507"),
    ],
)
def test_what_would_not_run_or_run_otherwise_is_refused(changes, code):
    config = changes.pop("config", None)
    pipeline = regression(**changes)
    of_plan = plan(with_step(pipeline, "train-1", config=config) if config else pipeline)
    found = [problem for problem in backend.check(of_plan, Options()) if problem.is_error]
    assert code in {problem.code for problem in found}
    assert {problem.span for problem in found} == {TRAINING}
    assert len({problem.message for problem in found}) == len(found)


def test_images_are_refused_once_and_not_once_for_each_step():
    def images(image):
        steps = tuple(replace(s, image=image) for s in regression().steps)
        return codes(plan(replace(regression(), steps=steps)))

    assert images("") == [("CLS501", True)]
    assert images("registry.example.com/perception:latest") == [("CLS502", True)]
    assert images("registry.example.com/perception@sha256:0f3c") == [("CLS502", True)]
    assert images(f"{IMAGE}0") == images(f"{IMAGE}\n") == images(f"a {IMAGE}") == [("CLS502", True)]
    assert images("registry.example.com/{{x}}@sha256:" + "0f" * 32) == [("CLS506", True)]
    assert codes(plan(workdir="")) == [("CLS501", True)]


@pytest.mark.parametrize("sign", ["{{x}}", "$(HOME)", "a$$b"])
def test_texts_that_cannot_be_escaped_are_refused(sign):
    assert codes(plan(store=f"s3://bucket/{sign}")) == [("CLS506", True)]
    assert codes(plan(workdir=f"/app/{sign}")) == [("CLS506", True)]
    assert ("CLS506", True) in codes(plan(), Options(pipeline_root=f"s3://{sign}"))


@pytest.mark.parametrize(
    ("name", "code"), [("a" * 118, "CLS507"), ("Robotaxi", "CLS506"), ("robotaxi\n", "CLS506"), ("-x", "CLS506")]
)
def test_names_that_the_cluster_refuses_are_refused(name, code):
    assert codes(plan(name=name)) == [(code, True)]
    assert codes(plan(name="a" * 117)) == []


def test_triggers_that_kubeflow_lacks_are_said():
    events = tuple(
        Trigger(event=event, where="triggers", origin=Span(70 + number, 1, 71 + number, 1))
        for number, event in enumerate((Event.CODE_CHANGE, Event.DATA_CHANGE, Event.LABELS))
    )
    found = backend.check(plan(replace(regression(), triggers=events)), Options())
    assert [(problem.code, problem.is_error) for problem in found] == [("CLS503", False)] * 3
    assert [problem.span.line for problem in found] == [70, 71, 72]
    for event, problem in zip(("code_change", "data_change", "labels"), found, strict=True):
        assert event in problem.message


def test_a_time_zone_that_cannot_be_said_is_said():
    def zone(name):
        return codes(plan(replace(regression(), triggers=(at("0 2 * * *", name),))))

    assert zone("Europe/Berlin") == [("CLS503", False)]
    assert zone("UTC") == zone("Etc/UTC") == []


def test_what_a_skipped_step_would_have_written_cannot_be_read():
    pipeline = with_step(regression(), "register", outputs=(Artifact(name="record", type=ArtifactType.REPORT),))
    reads = (Input(name="record", step="register", output="record"),)
    pipeline = with_step(pipeline, "conclude", inputs=reads)
    assert codes(plan(pipeline)) == [("CLS508", True)]


@pytest.mark.parametrize("word", ["it's", "a b", "", "{{x}}"])
def test_a_condition_compares_with_one_plain_word(word):
    when = Condition(step="gate", parameter="verdict", equals=word)
    assert codes(plan(with_step(regression(), "register", when=when))) == [("CLS506", True)]


def test_a_file_too_large_to_upload_is_refused():
    heavy = step("pin", Kind.PIN, config=canonical({"text": "x" * 130_000}))
    steps = tuple(replace(heavy, id=f"pin-{number}") for number in range(270))
    found = codes(plan(Pipeline(name="regression", steps=steps)))
    assert found == [("CLS507", True)]
    assert codes(plan(Pipeline(name="regression", steps=steps[:200]))) == []


# -- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_texts_arrive_as_they_are(value):
    config = canonical({value: [value, {"nested": value}]})
    documents = emitted(plan(with_step(regression(), "train-1", config=config)))
    args = documents[0]["deploymentSpec"]["executors"]["exec-train-1"]["container"]["args"]
    argument = args[args.index("--config") + 1]
    assert json.loads(argument) == json.loads(config)
    for sign in ("{{", "$(", "$$"):
        assert sign not in argument
    other = emitted(plan(with_step(regression(), "train-1", config="{}")))
    other[0]["deploymentSpec"]["executors"]["exec-train-1"]["container"]["args"] = args
    assert documents == other


class Core(yaml.SafeLoader):
    """A reader of YAML 1.2's core schema, which sees numbers in `1e3` and `0o17` and no boolean in `no`."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # as PyYAML has it


Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), None)
Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), None)
Core.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), None
)
Core.add_implicit_resolver("tag:clspec,2026:octal", re.compile(r"^0(?:o[0-7]+|x[0-9a-fA-F]+)$"), None)
Core.add_constructor("tag:clspec,2026:octal", lambda _loader, node: int(node.value, 0))

AMBIGUOUS = [
    *HOSTILE,
    "y",
    "N",
    "on",
    "Off",
    "NULL",
    "~",
    "",
    "1_000",
    "0755",
    "1:30",
    ".5",
    "5.",
    "+1",
    "0x1f",
    "=",
    "<<",
]


def test_every_yaml_reader_sees_the_same_strings():
    tree = [{"list": AMBIGUOUS, "keys": dict.fromkeys(AMBIGUOUS, "x"), "numbers": [4.0, 17.179869184, 1e-05, 3, True]}]
    written = text.dump(tree)
    assert list(yaml.safe_load_all(written)) == tree
    assert list(yaml.load_all(written, Loader=Core)) == tree
    assert written.isascii()
    # Go's yaml.v2, under much of Kubernetes, also sees booleans in these
    assert text.dump([{"a": "y", "b": "N"}]) == text.HEADER + "a: 'y'\nb: 'N'\n"


def test_the_bytes_do_not_depend_on_libyaml():
    documents = document.documents(plan(regression(**FULL)), regression(**FULL), Options())
    keys = filter(None, AMBIGUOUS)  # the two differ in an empty key, which no mapping here can have
    for tree in (documents, [{"list": AMBIGUOUS, "keys": dict.fromkeys(keys, "x"), "empty": [{}, []]}]):
        slow, fast = (text.dump(tree, text.dumper_on(base)) for base in (yaml.SafeDumper, yaml.CSafeDumper))
        assert slow == fast == text.dump(tree)


def test_a_text_stays_on_its_line_and_keys_in_their_order():
    words = "word " * 100
    assert text.dump([{"b": words, "a": 1}]) == text.HEADER + f"a: 1\nb: '{words}'\n"


def test_equal_values_are_written_out_and_not_aliased():
    written = backend.emit(plan(regression(**FULL)), Options())["regression.yaml"]
    assert not re.search(r"[&*]id[0-9]", written)


def bundle_digest():
    pipeline = replace(regression(**FULL), triggers=(at("0 2 * * *"),))
    bundle = backend.emit(plan(pipeline), Options(pipeline_root="s3://bucket/runs"))
    return hashlib.sha256(json.dumps(bundle, sort_keys=True).encode()).hexdigest()


def test_the_same_plan_gives_the_same_bytes_without_kfp_or_protobuf():
    program = (
        "import sys, test_kfp_backend as t; t.codes(t.plan());"
        "print(t.bundle_digest(), [m for m in sys.modules if m.split('.')[0] in ('kfp', 'google')])"
    )
    seen = set()
    for seed in ("0", "1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        seen.add(done.stdout)
    assert seen == {f"{bundle_digest()} []\n"}


# -- the self-check ----------------------------------------------------------------------------------------------


def at_path(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def put(*path_and_value):
    *path, key, value = path_and_value
    return lambda tree: at_path(tree, path).__setitem__(key, value)


def drop(*path):
    return lambda tree: at_path(tree, path[:-1]).__delitem__(path[-1])


def move(*path_and_name):
    *path, key, name = path_and_name
    return lambda tree: at_path(tree, path).__setitem__(name, at_path(tree, path).pop(key))


TASKS = (0, "root", "dag", "tasks")
EXECUTORS = (0, "deploymentSpec", "executors")
COMPONENTS = (0, "components")
TRAIN = (*EXECUTORS, "exec-train-1", "container")
INNER = (*COMPONENTS, "dag-register", "dag", "tasks", "register")
PODS = (1, "platforms", "kubernetes", "deploymentSpec", "executors")
EDGE = (*TASKS, "predict-1", "inputs", "artifacts", "model", "taskOutputArtifact")
POD = (*PODS, "exec-train-1")

MUTATIONS = {
    "a missing executor": (drop(*EXECUTORS, "exec-train-1"), "unknown executor"),
    "a missing component": (drop(*COMPONENTS, "comp-train-1"), "unknown component"),
    "an unknown producer": (put(*EDGE, "producerTask", "nobody"), "is unknown"),
    "an unknown output": (put(*EDGE, "outputArtifactKey", "nothing"), "is unknown"),
    "a cycle": (put(*TASKS, "pin", "dependentTasks", ["conclude"]), "waits for itself"),
    "an unknown dependency": (put(*TASKS, "gate", "dependentTasks", ["nobody"]), "unknown task"),
    "a producer that is not waited for": (drop(*TASKS, "predict-1", "dependentTasks"), "not waited for"),
    "another schema version": (put(0, "schemaVersion", "2.0.0"), "schemaVersion"),
    "a bad name": (put(0, "pipelineInfo", "name", "Robotaxi"), "DNS-1123"),
    "a name with a newline": (put(0, "pipelineInfo", "name", "robotaxi\n"), "DNS-1123"),
    "a name too long": (put(0, "pipelineInfo", "name", "a" * 129), "128"),
    "an unreadable condition": (put(*INNER, "triggerPolicy", "condition", "verdict = pass"), "condition"),
    "a condition on nothing": (
        put(*INNER, "triggerPolicy", "condition", "inputs.parameter_values['x'] == 'pass'"),
        "condition",
    ),
    "an undeclared placeholder": (put(*TRAIN, "args", ["{{$.inputs.parameters['x']}}"]), "nothing is declared"),
    "a placeholder that nothing replaces": (put(*TRAIN, "args", ["{{$.pipeline_root}}"]), "`{{`"),
    "a part that nothing replaces": (
        put(*TRAIN, "args", ["{{$.inputs.artifacts['data'].metadata}}"]),
        "`{{`",
    ),
    "a part of something else": (put(*TRAIN, "args", ["{{$.inputs.artifacts['data'].output_file}}"]), "declared"),
    "an expanded variable": (put(*TRAIN, "args", ["$(HOME)"]), "`$(`"),
    "a halved dollar": (put(*TRAIN, "args", ["$$"]), "`$$`"),
    "a pod for no executor": (move(*PODS, "exec-train-1", "exec-train-9"), "unknown executor"),
    "another artifact type": (
        put(*COMPONENTS, "comp-train-1", "outputDefinitions", "artifacts", "model", "artifactType", "schemaTitle", "x"),
        "another type",
    ),
    "a missing input": (drop(*TASKS, "predict-1", "inputs", "artifacts", "model"), "lacks its input"),
    "an input too many": (
        put(*TASKS, "predict-1", "inputs", "parameters", "more", {"componentInputParameter": "store"}),
        "does not declare",
    ),
    "an unbound input": (put(*TASKS, "predict-1", "inputs", "artifacts", "model", {}), "0 times"),
    "an unknown input of the run": (
        put(*TASKS, "pin", "inputs", "parameters", "store", "componentInputParameter", "shop"),
        "is unknown",
    ),
    "an unknown key of the pipeline": (put(0, "sdkversion", "x"), "unknown key"),
    "an unknown key of a container": (put(*TRAIN, "arguments", []), "unknown key"),
    "an unknown key of a pod": (put(*POD, "nodeSelectors", {}), "unknown key"),
    "an unknown key beside the platforms": (put(1, "plattforms", {}), "unknown key"),
    "another platform": (move(1, "platforms", "kubernetes", "k8s"), "`kubernetes` is missing"),
    "a wrong type": (put(*TRAIN, "args", "x"), "not a list"),
    "a number for a string": (put(*POD, "activeDeadlineSeconds", 7), "int instead of str"),
    "a pod that is no mapping": (put(*PODS, "exec-train-1", []), "not a mapping"),
    "no command": (put(*TRAIN, "command", []), "no command"),
    "no image": (put(*TRAIN, "image", ""), "no image"),
    "no tasks": (put(0, "root", "dag", "tasks", {}), "no tasks"),
    "an exit task": (
        put(*TASKS, "conclude", "triggerPolicy", {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}),
        "unknown key",
    ),
    "an accelerator in one form": (drop(*TRAIN, "resources", "accelerator", "resourceType"), "is missing"),
    "two accelerators": (put(*TRAIN, "resources", "accelerator", "resourceCount", "1"), "two different"),
    "memory in one form": (drop(*TRAIN, "resources", "resourceMemoryLimit"), "one form"),
    "cpu in one form": (drop(*TRAIN, "resources", "cpuLimit"), "one form"),
    "a shared component": (put(*TASKS, "train-2", "componentRef", "name", "comp-train-1"), "used by 2 tasks"),
    "a shared executor": (put(*COMPONENTS, "comp-train-2", "executorLabel", "exec-train-1"), "used by 2 components"),
    "a component that does nothing": (drop(*COMPONENTS, "comp-train-2", "executorLabel"), "either"),
    "a task under another name": (put(*TASKS, "pin", "taskInfo", "name", "pinned"), "calls itself"),
    "two secrets in one": (put(*POD, "secretAsEnv", 0, "secretName", "x"), "two secrets"),
    "a pod without needs": (put(*PODS, "exec-train-1", {}), "says nothing"),
    "a platform without pods": (put(*PODS[:-1], "executors", {}), "says nothing"),
    "a third document": (lambda tree: tree.append({}), "3 documents"),
    "no document": (lambda tree: tree.clear(), "0 documents"),
    "a document that is none": (put(0, None), "not a mapping"),
}


def good():
    return copy.deepcopy(document.documents(plan(regression(**FULL)), regression(**FULL), Options()))


def test_what_holds_together_has_no_faults():
    assert faults(good()) == ()
    assert faults(good()[:1]) == ()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_slip_is_found(name):
    mutate, said = MUTATIONS[name]
    documents = good()
    mutate(documents)
    found = faults(documents)
    assert any(said in line for line in found), found


def test_no_key_can_be_lost_or_renamed_unseen():
    """Every mapping entry that is not optional by nature: dropping it, or giving it another name, is a fault."""
    free = re.compile(
        r"cachingOptions(/enableCache)?$|defaultValue$|description$|isOptional$|retryPolicy$|resources$|accelerator$"
        r"|triggerPolicy$|tolerations(/\d/\w+)?$|nodeSelector(/labels/.*)?$|emptyDirMounts$|secretAsEnv$"
        r"|activeDeadlineSeconds$|^1/.*/executors/[^/]+$|outputDefinitions(/(artifacts|parameters)(/\w+)?)?$|dependentTasks$"
    )

    def paths(tree, path=()):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
        for key, value in items:
            yield (*path, key)
            yield from paths(value, (*path, key))

    missed = []
    for path in paths(good()):
        if isinstance(path[-1], int) or free.search("/".join(map(str, path))):
            continue
        documents = good()
        drop(*path)(documents)
        if not faults(documents):
            missed.append(path)
    assert missed == []


def test_a_plan_that_cannot_hold_together_stops_the_compile():
    pipeline = regression()
    lost = replace(pipeline, steps=(*pipeline.steps, pipeline.steps[-1]))
    dangling = with_step(pipeline, "gate", parameters=())
    for broken, said in ((lost, "two steps have one id"), (dangling, "`verdict` of task `gate`")):
        with pytest.raises(SelfCheckError, match=said) as caught:
            backend.emit(plan(broken), Options())
        assert caught.value.pipeline == "regression"
        assert caught.value.exit_code == 2
        assert "bug of clspec" in str(caught.value)


def test_mutations_that_kubeflow_itself_would_let_pass_are_most_of_them(kfp):
    """What the self-check is for: the parsers of the SDK see few of the same slips."""
    seen = 0
    for mutate, _ in MUTATIONS.values():
        documents = good()
        mutate(documents)
        try:
            parse_strictly(kfp, documents)
        except Exception:  # noqa: BLE001  # whatever a parser raises, it saw something
            seen += 1
    assert seen <= len(MUTATIONS) / 2


def test_plans_of_any_size_stay_quick():
    steps = [step("s0", Kind.PIN, writes=[("out", ArtifactType.DATASET)])]
    steps += [
        step(f"s{n}", Kind.PIN, reads=[("given", f"s{n - 1}", "out")], writes=[("out", ArtifactType.DATASET)])
        for n in range(1, 1000)
    ]
    begin = os.times().user
    emitted_text = backend.emit(plan(Pipeline(name="regression", steps=tuple(steps))), Options())["regression.yaml"]
    assert os.times().user - begin < 10
    assert emitted_text.count("executorLabel") == 1000
