"""The Kubeflow target against Kubeflow's own SDK: its parsers, its compiler and its local runner."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import types
import warnings
from dataclasses import replace
from pathlib import Path

import kfp_sdk
import pytest
import yaml
from kfp_plans import FULL, GIB, HOSTILE, IMAGE, TRAINING, codes, emitted, plan, regression, step, with_step

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
    Resources,
    Retry,
    Secret,
    Toleration,
    Trigger,
    canonical,
)
from clspec_kfp import Options, backend, component, schedule, text

# -- Kubeflow's own SDK -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kfp():
    return kfp_sdk.load()


@pytest.mark.parametrize(
    "pipeline",
    [regression(), regression(**FULL), with_step(regression(), "train-1", config=canonical(HOSTILE))],
    ids=["bare", "full", "hostile"],
)
def test_the_sdk_reads_what_is_emitted(kfp, pipeline):
    documents = emitted(plan(pipeline))
    kfp_sdk.parse_strictly(kfp, documents)
    loaded = kfp.components.load_component_from_text(yaml.safe_dump(documents[0]))
    assert loaded.component_spec.name == "robotaxi-perception-regression"
    assert sorted(loaded.component_spec.inputs) == ["allow-both", "as-of", "store"]
    assert loaded.component_spec.inputs["store"].default == "s3://perception/cl"


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
        kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit="20Gi")
        more = {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["40959"]}
        kubernetes.add_node_affinity(task, match_expressions=[more])
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
    register = ours["components"]["dag-if-register"]["dag"]["tasks"]["register"]
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
seen = {"step": path.parent.name, "kind": kind, "config": json.loads(given["--config"]),
        "store": executor["inputs"]["parameterValues"]["store"],
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


def knows_no_creation_time(spec):
    """The SDK's runner does not replace the one placeholder that it does not know."""
    for owner in (spec["root"], *spec["components"].values()):
        for task in owner.get("dag", {}).get("tasks", {}).values():
            if "began" in task["inputs"]["parameters"]:
                task["inputs"]["parameters"]["began"]["runtimeValue"]["constant"] = "2026-05-02T00:00:00Z"


@pytest.mark.filterwarnings("ignore:Task .* settings .* have no effect in the current local runner:UserWarning")
@pytest.mark.filterwarnings("ignore:You may be attemping to run a task that uses custom:RuntimeWarning")
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_kfp_runs_it_and_the_verdict_decides(kfp, tmp_path, monkeypatch, verdict):
    """A real run of the emitted text by the SDK's runner; only what a container would hold is replaced."""
    pipeline = with_step(regression(), "train-2", config=canonical({"hostile": HOSTILE}))
    (spec,) = emitted(plan(pipeline))
    knows_no_creation_time(spec)
    (tmp_path / "fake.py").write_text(FAKE_STEP)
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor["container"]["command"] == ["python", "-m", "clspec.step.kubeflow"]
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
    assert tasks["report"]["dependentTasks"] == ["gate", "if-register"]
    assert tasks["if-register"]["componentRef"] == {"name": "dag-if-register"}
    inner = spec["components"]["dag-if-register"]["dag"]["tasks"]
    assert list(inner) == ["register"]
    assert "dependentTasks" not in inner["register"]


# -- what is emitted ---------------------------------------------------------------------------------------------


def test_it_is_a_backend():
    assert isinstance(backend, protocol.Backend)
    assert protocol.load("kfp") is backend
    assert backend.api_version == 1
    assert backend.check(plan(), Options()) == ()


def read_back(spec):
    """Steps and edges as a reader of the file sees them; within a group, an input is called by where it comes from."""
    steps, edges = set(), set()
    for owner in (spec["root"], *spec["components"].values()):
        for name, task in owner.get("dag", {}).get("tasks", {}).items():
            if "dag" in spec["components"][task["componentRef"]["name"]]:
                continue
            steps.add(name)
            for given, binding in task["inputs"].get("artifacts", {}).items():
                source = binding.get("taskOutputArtifact")
                producer, output = (
                    (source["producerTask"], source["outputArtifactKey"])
                    if source
                    else binding["componentInputArtifact"].split("--")
                )
                edges.add((producer, output, name, given))
    return steps, edges


def test_every_step_and_edge_is_there():
    pipeline = regression()
    (spec,) = emitted(plan(pipeline))
    steps, edges = read_back(spec)
    assert steps == {s.id for s in pipeline.steps}
    assert edges == {(given.step, given.output, s.id, given.name) for s in pipeline.steps for given in s.inputs}
    for s in pipeline.steps:
        own = spec["components"][f"comp-{s.id}"]
        assert set(own.get("outputDefinitions", {}).get("artifacts", {})) == {output.name for output in s.outputs}
        if s.id != "register":
            task = spec["root"]["dag"]["tasks"][s.id]
            assert {other.removeprefix("if-") for other in task.get("dependentTasks", [])} >= set(s.needs)
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
    assert set(component.SCHEMA_TITLES) == set(ArtifactType)


def test_a_step_that_is_not_pure_is_never_cached():
    (spec,) = emitted()
    assert spec["components"]["dag-if-register"]["dag"]["tasks"]["register"]["cachingOptions"] == {}


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


def test_a_step_has_as_many_threads_as_a_local_run_gives_it():
    """Left alone, its libraries count the cores of the whole node, and the numbers of a training hang on that."""
    for cpu, threads in ((4.0, "4"), (2.5, "2"), (0.5, "1")):
        (spec,) = emitted(plan(regression(resources=Resources(cpu=cpu))))
        variables = spec["deploymentSpec"]["executors"]["exec-train-1"]["container"]["env"]
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        assert variables == [{"name": name, "value": threads} for name in names]
    assert "env" not in spec["deploymentSpec"]["executors"]["exec-pin"]["container"]


@pytest.mark.parametrize("store", ["../.clspec/store", "s3://elsewhere/cl"])
def test_the_store_can_be_given_by_an_option(store):
    given, options = plan(store=store), Options(store="s3://mine/cl")
    assert codes(given, options) == []
    bundle = backend.emit(given, options)["regression.yaml"]
    assert "s3://mine/cl" in bundle
    assert store not in bundle
    for wrong in ("here", "file:///x", "s3://", "s3://user:word@bucket/x", "s3://b/{{x}}", "a b"):
        assert ("CLS508", True) in codes(given, Options(store=wrong)) or ("CLS506", True) in codes(
            given, Options(store=wrong)
        )


@pytest.mark.parametrize(("count", "size", "said"), [(100, 2, []), (101, 2, ["CLS510"]), (10, 60_000, ["CLS510"])])
def test_a_large_pipeline_is_a_warning_with_a_way_out(count, size, said):
    steps = tuple(step(f"pin-{number}", Kind.PIN, config=canonical({"text": "x" * size})) for number in range(count))
    found = backend.check(plan(Pipeline(name="regression", steps=steps)), Options())
    assert [problem.code for problem in found] == said
    assert not any(problem.is_error for problem in found)
    assert all("training.seeds" in problem.hint and f"{count} steps" in problem.message for problem in found)


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
    assert [problem.code for problem in found] == ["CLS504"] * 2
    assert {(p.path, p.span, p.where) for p in found} == {("specs/robotaxi.yaml", TRAINING, "training")}
    shown = " ".join(problem.message for problem in found)
    assert "any failure" in shown
    assert "ephemeral_storage" in shown


@pytest.mark.parametrize(
    ("changes", "code"),
    [
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
    assert codes(plan(Pipeline(name="regression", steps=steps[:200]))) == [("CLS510", False)]


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
