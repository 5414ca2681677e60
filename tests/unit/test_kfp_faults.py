"""What the self-check of the Kubeflow target refuses: slips planted one by one in documents that hold together."""

import copy
import json
import re
from dataclasses import replace

import kfp_sdk
import pytest
from kfp_plans import FULL, at_path, drop, improvement, move, plan, put, regression, with_step

from clspec_kfp import Options, SelfCheckError, backend, document
from clspec_kfp.validate import faults

TASKS = (0, "root", "dag", "tasks")
EXECUTORS = (0, "deploymentSpec", "executors")
COMPONENTS = (0, "components")
TRAIN = (*EXECUTORS, "exec-train-1", "container")
INNER = (*COMPONENTS, "dag-if-register", "dag", "tasks", "register")
PODS = (1, "platforms", "kubernetes", "deploymentSpec", "executors")
EDGE = (*TASKS, "predict-1", "inputs", "artifacts", "model", "taskOutputArtifact")
POD = (*PODS, "exec-train-1")

TYPE = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}

PLAIN = {
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
        "unknown type",
    ),
    "an artifact of another type": (
        put(
            *COMPONENTS,
            "comp-train-1",
            "outputDefinitions",
            "artifacts",
            "model",
            "artifactType",
            "schemaTitle",
            "system.Dataset",
        ),
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
        "exactly one graph",
    ),
    "an accelerator in one form": (drop(*TRAIN, "resources", "accelerator", "resourceType"), "is missing"),
    "two accelerators": (put(*TRAIN, "resources", "accelerator", "resourceCount", "1"), "two different"),
    "memory in one form": (drop(*TRAIN, "resources", "resourceMemoryLimit"), "one form"),
    "cpu in one form": (drop(*TRAIN, "resources", "cpuLimit"), "one form"),
    "a shared component": (put(*TASKS, "train-2", "componentRef", "name", "comp-train-1"), "used by 2 tasks"),
    "a shared executor": (put(*COMPONENTS, "comp-train-2", "executorLabel", "exec-train-1"), "used by 2 components"),
    "a component that does nothing": (drop(*COMPONENTS, "comp-train-2", "executorLabel"), "either"),
    "a task under another name": (put(*TASKS, "pin", "taskInfo", "name", "pinned"), "calls itself"),
    "another number of threads": (put(*TRAIN, "env", 0, "value", "64"), "has not the threads"),
    "two secrets in one": (put(*POD, "secretAsEnv", 0, "secretName", "x"), "two secrets"),
    "a pod without needs": (put(*PODS, "exec-train-1", {}), "says nothing"),
    "a platform without pods": (put(*PODS[:-1], "executors", {}), "says nothing"),
    "a third document": (lambda tree: tree.append({}), "3 documents"),
    "no document": (lambda tree: tree.clear(), "0 documents"),
    "a document that is none": (put(0, None), "not a mapping"),
}

BODY = (*COMPONENTS, "dag-run-1", "dag", "tasks")
OUTER = (*COMPONENTS, "dag-if-train", "dag", "tasks", "then")
BRANCH = (*COMPONENTS, "then-if-train", "dag", "tasks")
NOTIFY = (*TASKS, "notify")
NOTIFIES = (*EXECUTORS, "exec-notify", "container", "args")
HOOK = (*PODS, "exec-notify", "secretAsEnv", 0)
LAST = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}

BRANCHING = {
    "an exit task that nobody tells the end": (drop(*NOTIFY, "inputs", "parameters", "status"), "not told how"),
    "an exit task that waits for nothing": (drop(*NOTIFY, "dependentTasks"), "exactly one graph"),
    "an exit task on a container": (put(*BODY, "conclude", "triggerPolicy", dict(LAST)), "exactly one graph"),
    "an unknown strategy": (put(*NOTIFY, "triggerPolicy", "strategy", "ALWAYS"), "unknown strategy"),
    "a strategy and a condition": (
        put(*NOTIFY, "triggerPolicy", "condition", "inputs.parameter_values['as-of'] == 'x'"),
        "either a condition or a strategy",
    ),
    "no strategy": (put(*NOTIFY, "triggerPolicy", {}), "either a condition or a strategy"),
    "the end of another task": (
        put(*NOTIFY, "inputs", "parameters", "status", {"taskFinalStatus": {"producerTask": "conclude"}}),
        "does not wait for it",
    ),
    "an end for a text": (
        put(*NOTIFY, "inputs", "parameters", "store", {"taskFinalStatus": {"producerTask": "run-1"}}),
        "which is none",
    ),
    "a text for an end": (
        put(*NOTIFY, "inputs", "parameters", "status", {"runtimeValue": {"constant": "well"}}),
        "which is none",
    ),
    "a task after the exit task": (put(*TASKS, "run-1", "dependentTasks", ["notify"]), "after everything else"),
    "nothing but exit tasks": (drop(*TASKS, "run-1"), "nothing but tasks"),
    "two exit tasks on one graph": (
        lambda tree: (
            at_path(tree, TASKS).__setitem__("more", copy.deepcopy(at_path(tree, NOTIFY))),
            at_path(tree, (*TASKS, "more", "taskInfo")).__setitem__("name", "more"),
        ),
        "Kubeflow keeps one",
    ),
    "a task that waits for what may be skipped": (
        put(
            *COMPONENTS,
            "dag-if-train",
            "dag",
            "tasks",
            "more",
            {
                "taskInfo": {"name": "more"},
                "componentRef": {"name": "comp-pin"},
                "inputs": {},
                "dependentTasks": ["then"],
            },
        ),
        "lost where that is skipped",
    ),
    "a condition under another name": (
        put(*OUTER, "inputs", "parameters", "when", {"componentInputParameter": "as-of"}),
        "under another name",
    ),
    "a condition with an operator too many": (
        put(*OUTER, "triggerPolicy", "condition", "inputs.parameter_values['when'] == 'a' || true"),
        "cannot be read",
    ),
    "a condition with a quote": (
        put(*OUTER, "triggerPolicy", "condition", "inputs.parameter_values['when'] == 'it's'"),
        "cannot be read",
    ),
    "an artifact read out of a branch": (
        put(
            *BODY,
            "conclude",
            "inputs",
            "artifacts",
            "loop-decision",
            "taskOutputArtifact",
            {"producerTask": "if-train", "outputArtifactKey": "verdict"},
        ),
        "is unknown",
    ),
    "outputs of a graph": (
        put(*COMPONENTS, "dag-if-train", "outputDefinitions", {"artifacts": {}}),
        "may have been skipped",
    ),
    "a graph that contains itself": (put(*OUTER, "componentRef", "name", "dag-if-train"), "contains itself"),
    "a graph that nothing leads to": (
        lambda tree: at_path(tree, COMPONENTS).update(
            lost={
                "dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "more"}, "inputs": {}}}},
                "inputDefinitions": {},
            },
            more={
                "dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "lost"}, "inputs": {}}}},
                "inputDefinitions": {},
            },
        ),
        "in no graph",
    ),
    "a graph that lacks what it passes on": (
        drop(*COMPONENTS, "dag-if-train", "inputDefinitions", "artifacts", "pin--pins"),
        "does not declare",
    ),
    "a graph with a retry": (
        put(
            *TASKS,
            "run-1",
            "retryPolicy",
            {"maxRetryCount": 1, "backoffDuration": "1s", "backoffFactor": 2.0, "backoffMaxDuration": "9s"},
        ),
        "which nothing reads",
    ),
    "a cached graph": (put(*TASKS, "run-1", "cachingOptions", {"enableCache": True}), "which nothing reads"),
    "a cached step that hands over": (
        put(*BRANCH, "train", "cachingOptions", {"enableCache": True}),
        "taken from another",
    ),
    "a constant that nothing replaces": (
        put(*BRANCH, "gate", "inputs", "parameters", "began", "runtimeValue", "constant", "{{$.pipeline_root}}"),
        "nothing replaces",
    ),
    "a placeholder within a constant": (
        put(*BRANCH, "gate", "inputs", "parameters", "run", "runtimeValue", "constant", "x-{{$.pipeline_job_uuid}}"),
        "nothing replaces",
    ),
    "a hand-over of nothing": (put(*NOTIFIES, -2, "verdict=gate/nothing"), "which nothing gives"),
    "a hand-over of what is not made": (
        lambda tree: at_path(tree, (*EXECUTORS, "exec-train", "container", "args")).extend(["--give", "x=train/x"]),
        "does not make",
    ),
    "an input from two places": (
        lambda tree: at_path(tree, (*EXECUTORS, "exec-gate", "container", "args")).extend(
            ["--take", "metrics=train/metrics"]
        ),
        "from two places",
    ),
    "a hand-over without a run": (
        lambda tree: (
            drop(*COMPONENTS, "comp-notify", "inputDefinitions", "parameters", "run")(tree),
            drop(*NOTIFY, "inputs", "parameters", "run")(tree),
        ),
        "does not know the run",
    ),
    "a step that is told nothing": (
        lambda tree: at_path(tree, NOTIFIES).remove("{{$}}"),
        "not told once",
    ),
    "a name that is no label": (move(*COMPONENTS, "dag-if-train", "dag_if_train"), "not a DNS-1123 label"),
    "a component with a bad name": (
        lambda tree: (
            move(*COMPONENTS, "comp-pin", "comp_pin")(tree),
            put(*BODY, "pin", "componentRef", "name", "comp_pin")(tree),
        ),
        "not a DNS-1123 label",
    ),
    "a task with a bad name": (move(*TASKS, "notify", "Notify"), "not a DNS-1123 label"),
    "a parameter of an unknown type": (
        put(*COMPONENTS, "comp-gate", "outputDefinitions", "parameters", "outcome", "parameterType", "TEXT"),
        "unknown type",
    ),
    "two outputs of one name": (
        put(*COMPONENTS, "comp-gate", "outputDefinitions", "parameters", "verdict", {"parameterType": "STRING"}),
        "on one side",
    ),
    "an image without a digest": (
        put(*EXECUTORS, "exec-pin", "container", "image", "registry.example.com/x:latest"),
        "without a digest",
    ),
    "artifacts for the root": (
        put(0, "root", "inputDefinitions", "artifacts", {"x": {"artifactType": TYPE}}),
        "nobody can give",
    ),
    "a default that is not optional": (
        drop(0, "root", "inputDefinitions", "parameters", "as-of", "isOptional"),
        "exactly if it has a default",
    ),
    "a number for the run": (
        put(0, "root", "inputDefinitions", "parameters", "as-of", "parameterType", "NUMBER_INTEGER"),
        "no text",
    ),
    "nobody who wrote it": (put(0, "sdkVersion", ""), "sdkVersion"),
    "a root that nobody can write": (put(0, "defaultPipelineRoot", "/runs"), "launcher"),
    "a task that waits twice": (put(*BODY, "conclude", "dependentTasks", ["decide", "decide"]), "twice"),
    "a variable that is none": (put(*HOOK, "keyToEnv", 0, "envVar", "a-b"), "no variable"),
    "a variable twice": (
        lambda tree: at_path(tree, (*HOOK, "keyToEnv")).append({"secretKey": "k", "envVar": "HOOK"}),
        "two secrets for one variable",
    ),
    "a secret that is none": (
        lambda tree: (
            put(*HOOK, "secretName", "A_B")(tree),
            put(*HOOK, "secretNameParameter", "runtimeValue", "constant", "A_B")(tree),
        ),
        "no cluster can have",
    ),
    "a secret for nothing": (put(*HOOK, "keyToEnv", []), "takes nothing"),
    "a key that is none": (put(*HOOK, "keyToEnv", 0, "secretKey", "a b"), "cannot have"),
}
MACHINES = {
    "no accelerators": (
        lambda tree: at_path(tree, (*TRAIN, "resources", "accelerator")).update(count="0", resourceCount="0"),
        "'0' accelerators",
    ),
    "an accelerator by its market name": (
        lambda tree: at_path(tree, (*TRAIN, "resources", "accelerator")).update(
            type="NVIDIA_TESLA_A100", resourceType="NVIDIA_TESLA_A100"
        ),
        "no resource of a cluster",
    ),
    "no memory": (put(*TRAIN, "resources", "memoryLimit", 0.0), "no amount"),
    "memory in an unknown unit": (put(*TRAIN, "resources", "resourceMemoryLimit", "16GB"), "no amount"),
    "less than a core": (put(*TRAIN, "resources", "resourceCpuLimit", "0"), "no amount"),
    "a label that no node carries": (put(*POD, "nodeSelector", "labels", "pool", "a b"), "none can carry"),
    "an unknown effect": (put(*POD, "tolerations", 0, "effect", "Never"), "no node says"),
    "an unknown operator": (put(*POD, "tolerations", 0, "operator", "Like"), "no node says"),
    "a value for whatever there is": (put(*POD, "tolerations", 0, "value", "x"), "whatever there is"),
    "an equal value of nothing": (drop(*POD, "tolerations", 1, "key"), "equal value of nothing"),
    "a comparison that is none": (
        put(*POD, "nodeAffinity", 0, "matchExpressions", 0, "operator", "Ge"),
        "one number by `Gt`",
    ),
    "a comparison with a word": (
        put(*POD, "nodeAffinity", 0, "matchExpressions", 0, "values", ["40Gi"]),
        "compares the node's label",
    ),
    "a relative mount": (put(*POD, "emptyDirMounts", 1, "mountPath", "tmp"), "no absolute path"),
    "two mounts in one place": (put(*POD, "emptyDirMounts", 1, "mountPath", "/dev/shm"), "two mounts"),
    "a mount without size": (put(*POD, "emptyDirMounts", 1, "sizeLimit", "much"), "no size"),
    "an unknown medium": (put(*POD, "emptyDirMounts", 0, "medium", "Disk"), "/dev/shm"),
    "no time": (put(*POD, "activeDeadlineSeconds", "0"), "may run '0' seconds"),
    "no second try": (put(*TASKS, "train-1", "retryPolicy", "maxRetryCount", 0), "tried again 0 times"),
    "a pause of no length": (put(*TASKS, "train-1", "retryPolicy", "backoffDuration", "10"), "no number of seconds"),
}

SLIPS = [
    *(pytest.param(regression(**FULL), *slip, id=name) for name, slip in (PLAIN | MACHINES).items()),
    *(pytest.param(improvement(), *slip, id=name) for name, slip in BRANCHING.items()),
]


def good(pipeline=None):
    """Documents without a fault, no part of which stands in two places."""
    pipeline = pipeline or regression(**FULL)
    return json.loads(json.dumps(document.documents(plan(pipeline), pipeline, Options())))


def test_what_holds_together_has_no_faults():
    assert faults(good()) == ()
    assert faults(good()[:1]) == ()
    assert faults(good(improvement())) == ()


@pytest.mark.parametrize(("pipeline", "mutate", "said"), SLIPS)
def test_a_slip_is_found(pipeline, mutate, said):
    documents = good(pipeline)
    mutate(documents)
    found = faults(documents)
    assert any(said in line for line in found), found


def test_no_key_can_be_lost_or_renamed_unseen():
    """Every mapping entry that is not optional by nature: dropping it, or giving it another name, is a fault."""
    free = re.compile(
        r"cachingOptions(/enableCache)?$|defaultValue$|description$|isOptional$|retryPolicy$|resources$|accelerator$"
        r"|triggerPolicy$|tolerations(/\d/\w+)?$|nodeSelector(/labels/.*)?$|emptyDirMounts$|secretAsEnv$"
        r"|activeDeadlineSeconds$|nodeAffinity$|^1/.*/executors/[^/]+$|outputDefinitions(/(artifacts|parameters)(/\w+)?)?$|dependentTasks$"
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
    for broken, said in ((lost, "two steps of one id"), (dangling, "`verdict` of task `gate`")):
        with pytest.raises(SelfCheckError, match=said) as caught:
            backend.emit(plan(broken), Options())
        assert caught.value.pipeline == "regression"
        assert caught.value.exit_code == 2
        assert "bug of clspec" in str(caught.value)


def test_mutations_that_kubeflow_itself_would_let_pass_are_most_of_them():
    """What the self-check is for: the parsers of the SDK see few of the same slips."""
    sdk, seen = kfp_sdk.load(), 0
    for pipeline, mutate, _ in (slip.values for slip in SLIPS):
        documents = good(pipeline)
        mutate(documents)
        try:
            kfp_sdk.parse_strictly(sdk, documents)
        except Exception:  # noqa: BLE001  # whatever a parser raises, it saw something
            seen += 1
    assert seen <= len(SLIPS) / 2
