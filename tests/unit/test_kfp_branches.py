"""Conditions within conditions, steps that always run, and what no edge of Kubeflow's can carry."""

import json
from dataclasses import replace

import kfp_sdk
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kfp_plans import IMAGE, PASSED, RETRAIN, codes, emitted, improvement, optional, plan, regression, step, with_step

from clspec.plan import Artifact, ArtifactType, Condition, Input, Kind, Pipeline, Secret, Step
from clspec_kfp import Options, SelfCheckError, backend
from clspec_kfp.nest import Group, nested, unsayable
from clspec_kfp.validate import faults


def shape(members):
    return [[m.when.step, *shape(m.members)] if isinstance(m, Group) else m.id for m in members]


def container(spec, name):
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]


def test_what_one_condition_decides_about_stands_together():
    found = nested(improvement())
    assert shape(found.members) == [
        "pin",
        "decide",
        "report",
        "conclude",
        ["decide", "train", "gate", ["gate", "register", "promote"]],
    ]
    assert [last.id for last in found.last] == ["notify"]
    assert list(unsayable(improvement())) == []


def test_the_graphs_are_those_that_the_sdk_makes_for_the_same():
    """`dsl.ExitHandler` and `dsl.If` within `dsl.If`, after names and what only ours hands over are made alike."""
    sdk = kfp_sdk.load()
    dsl = sdk.dsl

    @dsl.container_component
    def made(word: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image=IMAGE, command=["python"], args=[word])

    @dsl.container_component
    def last(status: dsl.PipelineTaskFinalStatus):  # noqa: ARG001  # its type says that it is an exit task
        return dsl.ContainerSpec(image=IMAGE, command=["python"], args=[])

    @dsl.pipeline(name="oracle")
    def oracle():
        with dsl.ExitHandler(last()):
            decide = made()
            with dsl.If(decide.outputs["word"] == "yes"):
                gate = made()
                with dsl.If(gate.outputs["word"] == "pass"):
                    made()

    theirs = oracle.pipeline_spec
    (spec, _) = emitted(plan(improvement()))
    exit_task = theirs.root.dag.tasks["last"]
    ours = spec["root"]["dag"]["tasks"]["notify"]
    assert ours["triggerPolicy"]["strategy"] == exit_task.trigger_policy.TriggerStrategy.Name(
        exit_task.trigger_policy.strategy
    )
    assert len(ours["dependentTasks"]) == len(exit_task.dependent_tasks) == 1
    assert exit_task.inputs.parameters["status"].task_final_status.producer_task == exit_task.dependent_tasks[0]
    assert ours["inputs"]["parameters"]["status"]["taskFinalStatus"]["producerTask"] == ours["dependentTasks"][0]
    declared = theirs.components["comp-last"].input_definitions.parameters["status"]
    said = spec["components"]["comp-notify"]["inputDefinitions"]["parameters"]["status"]
    assert said == {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}
    assert (declared.is_optional, declared.parameter_type) == (True, 7)
    conditions = [
        task.trigger_policy.condition
        for key in ("comp-exit-handler-1", "comp-condition-2")
        for task in theirs.components[key].dag.tasks.values()
        if task.trigger_policy.condition
    ]
    assert [condition.partition(" == ")[2] for condition in conditions] == ["'yes'", "'pass'"]
    branch, inner = (spec["components"][key]["dag"]["tasks"]["then"] for key in ("dag-if-train", "dag-if-register"))
    assert [task["triggerPolicy"]["condition"].partition(" == ")[2] for task in (branch, inner)] == ["'yes'", "'pass'"]


def test_the_sdk_reads_it():
    sdk = kfp_sdk.load()
    kfp_sdk.parse_strictly(sdk, emitted(plan(improvement())))


def test_whatever_comes_after_a_branch_waits_for_a_graph_that_always_succeeds():
    spec, _ = emitted(plan(improvement()))
    body = spec["components"]["dag-run-1"]["dag"]["tasks"]
    assert body["report"]["dependentTasks"] == ["decide", "if-train"]
    assert "triggerPolicy" not in body["if-train"]
    assert spec["components"]["dag-if-train"]["dag"]["tasks"]["then"]["triggerPolicy"]


def test_what_may_be_missing_goes_through_the_store():
    spec, _ = emitted(plan(improvement()))
    report = container(spec, "report")["args"]
    assert report[report.index("--take") :] == [
        "--take",
        "training=train/metrics",
        "--take",
        "verdict=gate/verdict",
        "--take",
        "loop-promoted=promote/promoted",
    ]
    assert container(spec, "gate")["args"][-2:] == ["--give", "verdict=gate/verdict"]
    assert "--give" not in container(spec, "register")["args"]
    body = spec["components"]["dag-run-1"]["dag"]["tasks"]
    assert list(body["report"]["inputs"]["artifacts"]) == ["loop-decision"]
    assert container(spec, "notify")["args"][-1] == "--always"


def test_an_optional_input_that_is_always_there_is_an_edge():
    pipeline = with_step(improvement(), "notify", always=False, inputs=(), needs=("report",))
    report = optional(next(s for s in pipeline.steps if s.id == "report"), "loop-decision")
    spec, *_ = emitted(plan(with_step(pipeline, "report", inputs=report.inputs[:1])))
    assert list(spec["root"]["dag"]["tasks"]["report"]["inputs"]["artifacts"]) == ["loop-decision"]
    assert "--take" not in container(spec, "report")["args"]


def test_a_step_that_hands_over_is_not_taken_from_the_cache():
    """A result from the cache would be handed over to nobody."""
    spec, _ = emitted(plan(improvement()))
    branch = spec["components"]["then-if-train"]["dag"]["tasks"]
    assert branch["train"]["cachingOptions"] == {}
    assert spec["components"]["dag-run-1"]["dag"]["tasks"]["report"]["cachingOptions"] == {}
    (other,) = emitted(plan(regression()))
    assert other["root"]["dag"]["tasks"]["train-1"]["cachingOptions"] == {"enableCache": True}


def test_a_pure_step_knows_nothing_of_the_run():
    (spec,) = emitted(plan(regression()))
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks["train-1"]["inputs"]["parameters"]) == {"store"}
    assert tasks["pin"]["inputs"]["parameters"]["began"] == {
        "runtimeValue": {"constant": "{{$.pipeline_job_create_time_utc}}"}
    }


def test_several_steps_that_always_run_stand_around_each_other():
    second = step("tell", Kind.NOTIFY, after=["report"], always=True, pure=False)
    pipeline = replace(improvement(), steps=(*improvement().steps, second))
    spec, _ = emitted(plan(pipeline))
    assert spec["root"]["dag"]["tasks"].keys() == {"run-2", "tell"}
    assert spec["components"]["dag-run-2"]["dag"]["tasks"].keys() == {"run-1", "notify"}


def test_groups_that_would_wait_for_each_other_are_parted():
    yes, no = (Condition(step="decide", parameter="retrain", equals=word) for word in ("yes", "no"))
    made = (
        step("decide", Kind.DECIDE, parameters=("retrain",), pure=False),
        step("a", Kind.PIN, when=yes, after=["decide"]),
        step("b", Kind.PIN, when=no, after=["decide", "a"]),
        step("c", Kind.PIN, when=no, after=["decide"]),
        step("d", Kind.PIN, when=yes, after=["decide", "c"]),
    )
    pipeline = Pipeline(name="improvement", steps=made)
    spec, *_ = emitted(plan(pipeline))
    assert faults([spec]) == ()
    assert set(spec["root"]["dag"]["tasks"]) == {"decide", "if-a", "if-b", "if-c", "if-d"}


BRANCHES = (None, RETRAIN, replace(RETRAIN, equals="no"), PASSED)


@given(st.data())
def test_any_plan_is_emitted_whole_or_refused(data):
    """Steps with any conditions, inputs and needs: what `check` lets pass keeps every step and holds together."""
    made = [
        step("decide", Kind.DECIDE, parameters=("retrain",), pure=False),
        step(
            "gate",
            Kind.GATE,
            parameters=("outcome",),
            pure=False,
            after=["decide"],
            when=data.draw(st.sampled_from(BRANCHES[:2])),
        ),
    ]
    made = [replace(s, needs=tuple({*s.needs, *((s.when.step,) if s.when else ())})) for s in made]
    for number in range(data.draw(st.integers(0, 7))):
        when = data.draw(st.sampled_from(BRANCHES))
        read = data.draw(st.lists(st.sampled_from(made[2:]), max_size=2, unique=True)) if made[2:] else []
        inputs = tuple(
            Input(name=f"metrics-{s.id}", step=s.id, output="metrics", optional=data.draw(st.booleans())) for s in read
        )
        after = data.draw(st.lists(st.sampled_from(made), max_size=2, unique=True))
        needs = {s.id for s in (*read, *after)} | ({when.step} if when else set())
        outputs = (Artifact(name="metrics", type=ArtifactType.METRICS),)
        made.append(
            Step(
                id=f"s{number}",
                kind=Kind.REPORT,
                config="{}",
                inputs=inputs,
                outputs=outputs,
                needs=tuple(sorted(needs)),
                when=when,
                image=IMAGE,
            )
        )
    of_plan = plan(Pipeline(name="improvement", steps=tuple(made)))
    if any(problem.is_error for problem in backend.check(of_plan, Options())):
        assert list(unsayable(of_plan.pipelines[0]))
        return
    (spec,) = emitted(of_plan)
    labels = {component.get("executorLabel") for component in spec["components"].values()} - {None}
    assert labels == {f"exec-{s.id}" for s in made}


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_another_condition_decides_about_cannot_be_read():
    register = next(s for s in improvement().steps if s.id == "register")
    other = replace(register, when=None, inputs=(), needs=("decide",), id="other")
    other = replace(other, when=replace(RETRAIN, equals="no"))
    reads = Input(name="registered", step="other", output="registered")
    steps = (*improvement().steps, other)
    pipeline = with_step(replace(improvement(), steps=steps), "promote", inputs=(reads,), needs=("other", "gate"))
    found = [problem for problem in backend.check(plan(pipeline), Options()) if problem.is_error]
    assert {problem.code for problem in found} == {"CLS508"}
    assert all("made under another condition" in problem.message for problem in found)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("notify", {"when": RETRAIN}, "always runs and yet has a condition"),
        ("conclude", {"needs": ("decide", "notify", "report")}, "waits for step `notify`"),
    ],
)
def test_what_the_graphs_cannot_hold_is_refused(name, changes, said):
    found = backend.check(plan(with_step(improvement(), name, **changes)), Options())
    assert said in " ".join(problem.message for problem in found if problem.is_error)


def test_two_outputs_are_never_of_one_name():
    """Within a graph an output is called by its step and its own name."""
    metrics = [("b--c", ArtifactType.METRICS)], [("c", ArtifactType.METRICS)]
    made = (step("a", Kind.PIN, writes=metrics[0]), step("a--b", Kind.PIN, writes=metrics[1]))
    with pytest.raises(SelfCheckError, match="would have one name"):
        backend.emit(plan(Pipeline(name="regression", steps=made)), Options())


def test_a_folder_cannot_be_handed_over():
    training = Input(name="training", step="train", output="model", optional=True)
    pipeline = with_step(improvement(), "report", inputs=(training,), needs=("train", "decide"))
    assert ("CLS508", True) in codes(plan(pipeline))


# -- secrets for which the spec names no place -------------------------------------------------------------------------


def test_a_message_whose_secret_has_no_place_is_told_of_and_not_sent():
    pipeline = with_step(improvement(), "notify", secrets=(Secret(env="HOOK"),))
    assert codes(plan(pipeline)) == [("CLS504", False)]
    assert len(emitted(plan(pipeline))) == 1
    assert codes(plan(pipeline), Options(secret="clspec")) == []
    _, platform = emitted(plan(pipeline), Options(secret="clspec"))
    (said,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-notify"]["secretAsEnv"]
    assert (said["secretName"], said["keyToEnv"]) == ("clspec", [{"secretKey": "HOOK", "envVar": "HOOK"}])
    assert ("CLS508", True) in codes(plan(pipeline), Options(secret="A B"))


def test_a_message_whose_secret_has_a_place_takes_it_from_there_and_does_without_it():
    pipeline = with_step(improvement(), "notify", secrets=(Secret(env="HOOK", name="hooks", key="team"),))
    assert codes(plan(pipeline)) == []
    _, platform = emitted(plan(pipeline), Options(secret="clspec"))
    (said,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-notify"]["secretAsEnv"]
    assert (said["secretName"], said["keyToEnv"]) == ("hooks", [{"secretKey": "team", "envVar": "HOOK"}])
    assert said["optional"] is True, "a pod whose secret is missing never starts, and the run would wait for it"


# -- custom resources --------------------------------------------------------------------------------------------------


def test_a_pipeline_as_custom_resources():
    options = Options(resources=True, namespace="team")
    bundle = backend.emit(plan(improvement()), options)
    made, version = yaml.safe_load_all(bundle["improvement.resources.yaml"])
    spec, platform = emitted(plan(improvement()))
    assert (made["kind"], made["metadata"]) == (
        "Pipeline",
        {"name": "robotaxi-perception-improvement", "namespace": "team"},
    )
    assert version["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
    assert version["spec"]["pipelineName"] == made["metadata"]["name"]
    assert (version["spec"]["pipelineSpec"], version["spec"]["platformSpec"]) == (spec, platform)
    other = backend.emit(plan(with_step(improvement(), "pin", config='{"a":1}')), options)["improvement.resources.yaml"]
    assert list(yaml.safe_load_all(other))[1]["metadata"]["name"] != version["metadata"]["name"]
    assert len(version["metadata"]["name"]) <= 127


def test_the_run_is_told_what_it_may_be_given():
    spec, _ = emitted(plan(improvement()))
    given = spec["root"]["inputDefinitions"]["parameters"]
    assert {name: json.dumps(definition.get("defaultValue")) for name, definition in given.items()} == {
        "allow-both": '""',
        "as-of": '""',
        "store": '"s3://perception/cl"',
    }
