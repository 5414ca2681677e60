"""Pipelines from anywhere: what Kubeflow refuses or misreads is found with its line, and what it takes is not."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import kfp_foreign
import kfp_sdk
import pytest
import yaml
from kfp_plans import FULL, at_path, drop, improvement, move, plan, put, regression

from clspec_kfp import Options, backend, fields
from clspec_kfp.cel import NoExpression, read
from clspec_kfp.lint import lint

RICH = (Path(__file__).parents[1] / "data" / "kfp" / "rich.yaml").read_text()
"""A pipeline with one of nearly everything, as Kubeflow's SDK compiled it."""


def documents():
    return list(yaml.safe_load_all(RICH))


def errors(text):
    return [found for found in lint(text, "pipeline.yaml") if found.is_error]


def warnings(text):
    return [found.message for found in lint(text, "pipeline.yaml") if not found.is_error]


# -- what is correct ---------------------------------------------------------------------------------------------------


def test_what_the_sdk_compiles_is_no_error():
    maker = kfp_foreign.Maker(kfp_sdk.load())
    wrong, count = [], 0
    for name, text in maker.corpus():
        count += 1
        wrong += [(name, found.message, found.where) for found in errors(text)]
    assert wrong == []
    assert count >= 220


@pytest.mark.parametrize("made", [regression(), regression(**FULL), improvement()], ids=["bare", "full", "branching"])
def test_what_clspec_emits_has_no_problem_but_its_size(made):
    for name, text in backend.emit(plan(made), Options(resources=True)).items():
        assert lint(text, name) == (), name


@pytest.mark.parametrize("field", ["podResourceClaims"])
def test_what_newer_backends_know_is_no_error(field):
    tree = documents()
    put(*POD, field, [{"resourceClaimTemplateName": "claim"}])(tree)
    put(1, "platforms", "kubernetes", "pipelineConfig", {"maxActiveRuns": 2, "pipelineRunParallelism": 7})(tree)
    assert errors(yaml.safe_dump_all(tree)) == []


# -- what is not -------------------------------------------------------------------------------------------------------

EXECUTORS = (0, "deploymentSpec", "executors")
TRAIN = (*EXECUTORS, "exec-train-2", "container")
COMPONENTS = (0, "components")
BODY = (*COMPONENTS, "comp-exit-handler-1", "dag", "tasks")
ROOT = (0, "root", "dag", "tasks")
PODS = (1, "platforms", "kubernetes", "deploymentSpec", "executors")
POD = (*PODS, "exec-train-2")
CONDITION = (*BODY, "condition-2", "triggerPolicy", "condition")
LOOP = (*BODY, "for-loop-4", "parameterIterator")
LAST = "ALL_UPSTREAM_TASKS_COMPLETED"

DEFECTS = {
    # the seventeen of which Kubeflow's own parsers notice five
    "a missing executor": (drop(*EXECUTORS, "exec-judge"), "no executor `exec-judge`"),
    "a missing component": (drop(*COMPONENTS, "comp-judge"), "no component `comp-judge`"),
    "an unknown producer": (
        put(*BODY, "judge", "inputs", "artifacts", "model", "taskOutputArtifact", "producerTask", "outer"),
        "no task `outer`",
    ),
    "an unknown output": (
        put(*BODY, "judge", "inputs", "artifacts", "model", "taskOutputArtifact", "outputArtifactKey", "modell"),
        "makes no `modell`",
    ),
    "a cycle": (put(*BODY, "shards", "dependentTasks", ["for-loop-5"]), "waits for itself"),
    "another version": (put(0, "schemaVersion", "2.0.0"), "reads 2.1.0 alone"),
    "a name with capitals": (put(0, "pipelineInfo", "name", "Rich_Pipeline"), "no name for a run's objects"),
    "a condition that does not end": (
        put(*CONDITION, "inputs.parameter_values['pipelinechannel--judge-verdict' =="),
        "no expression",
    ),
    "a placeholder of nothing": (put(*TRAIN, "args", 5, "{{$.inputs.parameters['rates']}}"), "declares no such input"),
    "a pod of nobody": (move(*PODS, "exec-train-2", "exec-trian"), "no executor `exec-trian`"),
    "an artifact of another type": (
        put(
            *COMPONENTS,
            "comp-judge",
            "inputDefinitions",
            "artifacts",
            "model",
            "artifactType",
            "schemaTitle",
            "system.Dataset",
        ),
        "a system.Dataset, and is given a system.Model",
    ),
    "a missing input": (drop(*BODY, "judge", "inputs", "artifacts", "model"), "not given its input `model`"),
    "a slip in a component": (move(*COMPONENTS, "comp-judge", "executorLabel", "executorLabell"), "needs either"),
    "a slip in a field": (put(*BODY, "judge", "dependentTask", ["inner"]), "knows no field `dependentTask`"),
    "a slip in a container": (move(*TRAIN, "command", "comand"), "knows no field `comand`"),
    "a slip in a pod": (move(*POD, "nodeSelector", "nodeSelectors"), "knows no field `nodeSelectors`"),
    "a slip beside the platforms": (put(1, "extra", {}), "skips the whole document"),
    # the documents
    "two pipelines": (lambda tree: tree.append(copy.deepcopy(tree[0])), "a second pipeline"),
    "two platforms": (lambda tree: tree.append(copy.deepcopy(tree[1])), "a second platform"),
    "a document of something else": (lambda tree: tree.append({"kind": "Secret"}), "neither a pipeline"),
    "a platform alone": (lambda tree: tree.pop(0), "without its pipeline"),
    "no name": (drop(0, "pipelineInfo", "name"), "needs a name"),
    "a long name": (put(0, "pipelineInfo", "name", "x" * 129), "129 characters"),
    "no root": (drop(0, "root"), "no tasks"),
    "no tasks": (put(0, "root", "dag", "tasks", {}), "no tasks"),
    # components
    "a component called root": (
        lambda tree: (
            move(*COMPONENTS, "comp-tell", "root")(tree),
            put(*ROOT, "tell", "componentRef", "name", "root")(tree),
        ),
        "name of the whole pipeline",
    ),
    "a component with signs": (move(*COMPONENTS, "comp-tell", "comp_tell"), "no name of a template"),
    "a component of both kinds": (put(*COMPONENTS, "comp-inner", "executorLabel", "exec-judge"), "needs either"),
    "a component within itself": (
        put(*COMPONENTS, "comp-inner", "dag", "tasks", "draw", "componentRef", "name", "comp-inner"),
        "contains itself",
    ),
    "an unknown type": (
        put(*COMPONENTS, "comp-say", "inputDefinitions", "parameters", "text", "parameterType", "TEXT"),
        "no type of a parameter",
    ),
    "no type": (
        drop(*COMPONENTS, "comp-say", "inputDefinitions", "parameters", "text", "parameterType"),
        "no parameterType",
    ),
    "a default of another type": (
        put(*COMPONENTS, "comp-draw", "inputDefinitions", "parameters", "count", "defaultValue", "five"),
        "no NUMBER_INTEGER",
    ),
    "an artifact of no type": (
        put(*COMPONENTS, "comp-draw", "outputDefinitions", "artifacts", "rows", {}),
        "no artifactType",
    ),
    # executors
    "an executor of an old kind": (put(*EXECUTORS, "exec-say", {"customJob": {"customJob": {}}}), "`customJob`"),
    "an executor of nothing": (put(*EXECUTORS, "exec-say", {}), "this is nothing"),
    "no image": (drop(*TRAIN, "image"), "has an image"),
    "nothing to run": (
        lambda tree: (put(*TRAIN, "command", [])(tree), put(*TRAIN, "args", [])(tree)),
        "there is nothing to run",
    ),
    "a placeholder of the SDK's alone": (
        put(*TRAIN, "args", 0, "{{$.inputs.artifacts['rows'].metadata['x']}}"),
        "replaced by nothing",
    ),
    "a job's name in an argument": (put(*TRAIN, "args", 0, "run-{{$.pipeline_job_name}}"), "replaced by nothing"),
    "a part of the other kind": (
        put(*TRAIN, "args", 3, "{{$.outputs.artifacts['model'].output_file}}"),
        "replaced by nothing",
    ),
    "an output that is not made": (
        put(*TRAIN, "args", 3, "{{$.outputs.artifacts['weights'].path}}"),
        "declares no such output",
    ),
    "a choice by nothing": (
        put(*TRAIN, "args", 6, '{"IfPresent": {"InputName": "nam", "Then": []}}'),
        "whether `nam` is given",
    ),
    "a variable without a name": (put(*TRAIN, "env", [{"name": "", "value": "x"}]), "no name of a variable"),
    "memory in no unit": (put(*TRAIN, "resources", "resourceMemoryLimit", "16 GB"), "no quantity"),
    "more asked for than allowed": (put(*TRAIN, "resources", "resourceCpuRequest", "8"), "larger than its limit"),
    "an accelerator by its market name": (
        lambda tree: at_path(tree, (*TRAIN, "resources", "accelerator")).update(
            type="NVIDIA_TESLA_A100", resourceType="NVIDIA_TESLA_A100"
        ),
        "no resource of a cluster",
    ),
    "accelerators of no type": (
        put(*TRAIN, "resources", "accelerator", {"count": "2", "resourceCount": "2"}),
        "of no type",
    ),
    "no number of accelerators": (
        put(*TRAIN, "resources", "accelerator", {"type": "nvidia.com/gpu", "resourceType": "nvidia.com/gpu"}),
        "no number of accelerators",
    ),
    "two numbers of accelerators": (
        put(*TRAIN, "resources", "accelerator", "resourceCount", "4"),
        "depends on the backend",
    ),
    "half an accelerator": (
        put(*TRAIN, "resources", "accelerator", {"resourceType": "nvidia.com/gpu", "resourceCount": "0.5"}),
        "no number of accelerators",
    ),
    "an importer of nothing": (drop(*EXECUTORS, "exec-importer", "importer", "artifactUri"), "has an `artifactUri`"),
    "an importer of an unknown input": (
        put(*EXECUTORS, "exec-importer", "importer", "artifactUri", "runtimeParameter", "url"),
        "no input `url`",
    ),
    "an importer of no type": (drop(*EXECUTORS, "exec-importer", "importer", "typeSchema"), "has a `typeSchema`"),
    # tasks
    "a task with a bad name": (move(*ROOT, "tell", "tell_all"), "no name of a task"),
    "a task of no component": (put(*ROOT, "tell", "componentRef", {}), "refers to no component"),
    "a task that waits for nobody": (put(*BODY, "say-3", "dependentTasks", ["trian"]), "waits for `trian`"),
    "a task that does not wait": (drop(*BODY, "judge", "dependentTasks"), "does not wait for it"),
    "an input from two places": (
        put(*BODY, "inner", "inputs", "parameters", "count", "runtimeValue", {"constant": 1}),
        "2 times",
    ),
    "an input from nowhere": (put(*BODY, "inner", "inputs", "parameters", "count", {}), "0 times"),
    "an input that the graph lacks": (
        put(*BODY, "inner", "inputs", "parameters", "count", "componentInputParameter", "counts"),
        "no input `counts`",
    ),
    "a text for a number": (
        put(*BODY, "train", "inputs", "parameters", "rate", "runtimeValue", "constant", "fast"),
        "no NUMBER_DOUBLE",
    ),
    "a list for one artifact": (
        drop(*COMPONENTS, "comp-merge", "inputDefinitions", "artifacts", "parts", "isArtifactList"),
        "a list of them",
    ),
    "a verdict for a number": (
        put(*BODY, "inner", "inputs", "parameters", "count", {"componentInputParameter": "pipelinechannel--uri"}),
        "is given a STRING",
    ),
    "a job's name within a text": (
        put(*BODY, "say-3", "inputs", "parameters", "text", "runtimeValue", "constant", "run {{$.pipeline_job_uuid}}"),
        "only as the whole value",
    ),
    "a placeholder that nothing replaces": (
        put(*BODY, "say-3", "inputs", "parameters", "text", "runtimeValue", "constant", "{{$.pipeline_root}}"),
        "by nothing",
    ),
    "a channel that is not bound": (
        drop(
            *COMPONENTS,
            "comp-condition-2",
            "dag",
            "tasks",
            "say",
            "inputs",
            "parameters",
            "pipelinechannel--judge-score",
        ),
        "which the task is not given",
    ),
    "a condition that asks for nothing": (
        put(*CONDITION, "inputs.parameter_values['verdict'] == 'pass'"),
        "asks for `verdict`",
    ),
    "a condition with a bare word": (
        put(*CONDITION, "inputs.parameter_values['pipelinechannel--judge-verdict'] == pass"),
        "`pass` is nothing",
    ),
    "a condition with a quote": (
        put(*CONDITION, "inputs.parameter_values['pipelinechannel--judge-verdict'] == 'it's'"),
        "no expression",
    ),
    "a condition with one equals": (
        put(*CONDITION, "inputs.parameter_values['pipelinechannel--judge-verdict'] = 'pass'"),
        "no expression",
    ),
    "a condition on an importer": (put(*BODY, "importer", "triggerPolicy", {"condition": "true"}), "is an importer"),
    "an unknown strategy": (put(*ROOT, "tell", "triggerPolicy", "strategy", "ALWAYS"), "no strategy"),
    "nothing but exit tasks": (put(*ROOT, "exit-handler-1", "triggerPolicy", {"strategy": LAST}), "nothing but tasks"),
    "an exit task that waits for none": (drop(*ROOT, "tell", "dependentTasks"), "waits for none"),
    "the end of nobody": (
        put(*ROOT, "tell", "inputs", "parameters", "status", "taskFinalStatus", "producerTask", "work"),
        "does not wait for it",
    ),
    "the end of what must end well": (drop(*ROOT, "tell", "triggerPolicy"), "only if that ended well"),
    "a retry of less than none": (put(*BODY, "judge", "retryPolicy", "maxRetryCount", -1), "no number of retries"),
    "a pause of no unit": (put(*BODY, "judge", "retryPolicy", "backoffDuration", "10m"), "no duration"),
    "an iteration over artifacts": (
        put(*BODY, "merge", "artifactIterator", {"itemInput": "parts", "items": {"inputArtifact": "parts"}}),
        "parameters alone",
    ),
    "items that are no list": (put(*LOOP, "items", "raw", '{"a": 1}'), "no list in JSON"),
    "items that are no JSON": (put(*LOOP, "items", "raw", "[1, 2"), "no list in JSON"),
    "an item for nobody": (put(*LOOP, "itemInput", "item"), "declares no input `item`"),
    "items from nowhere": (
        put(*BODY, "for-loop-5", "parameterIterator", "items", "inputParameter", "many"),
        "not given `many`",
    ),
    "fewer than no iterations": (put(*BODY, "for-loop-4", "iteratorPolicy", "parallelismLimit", -2), "at a time"),
    "an output of no task": (
        put(
            *COMPONENTS,
            "comp-inner",
            "dag",
            "outputs",
            "artifacts",
            "Output",
            "artifactSelectors",
            0,
            "producerSubtask",
            "trian",
        ),
        "no task `trian`",
    ),
    "an output that its task does not make": (
        put(
            *COMPONENTS,
            "comp-inner",
            "dag",
            "outputs",
            "artifacts",
            "Output",
            "artifactSelectors",
            0,
            "outputArtifactKey",
            "m",
        ),
        "makes no `m`",
    ),
    "an output that is promised": (drop(*COMPONENTS, "comp-inner", "dag", "outputs"), "is promised"),
    # pods
    "a secret without a name": (
        lambda tree: (
            drop(*POD, "secretAsEnv", 0, "secretName")(tree),
            drop(*POD, "secretAsEnv", 0, "secretNameParameter")(tree),
        ),
        "nothing names it",
    ),
    "two secrets in one place": (put(*POD, "secretAsEnv", 0, "secretName", "hob"), "depends on the backend"),
    "a secret for nothing": (put(*POD, "secretAsEnv", 0, "keyToEnv", []), "`keyToEnv` is empty"),
    "a secret that is none": (
        lambda tree: (
            put(*POD, "secretAsVolume", 0, "secretName", "A_B")(tree),
            drop(*POD, "secretAsVolume", 0, "secretNameParameter")(tree),
        ),
        "no name of an object",
    ),
    "a secret of an unknown input": (
        put(*POD, "secretAsEnv", 0, "secretNameParameter", {"componentInputParameter": "which"}),
        "asks for `which`",
    ),
    "a label that no node carries": (put(*POD, "nodeSelector", "labels", "pool", "a b"), "no value of a label"),
    "an unknown effect": (put(*POD, "tolerations", 0, "effect", "Never"), "no effect"),
    "a value of what exists": (put(*POD, "tolerations", 0, "value", "x"), "has no value"),
    "seconds for another effect": (put(*POD, "tolerations", 0, "effect", "NoSchedule"), "NoExecute"),
    "an unknown comparison": (put(*POD, "nodeAffinity", 0, "matchExpressions", 0, "operator", "Ge"), "no operator"),
    "a comparison with a word": (
        put(*POD, "nodeAffinity", 0, "matchExpressions", 0, "values", ["much"]),
        "one whole number",
    ),
    "a weight of nothing": (put(*POD, "nodeAffinity", 0, "weight", 0), "no weight"),
    "two mounts in one place": (put(*POD, "emptyDirMounts", 0, "mountPath", "/data"), "two volumes are mounted"),
    "a mount in no size": (put(*POD, "emptyDirMounts", 0, "sizeLimit", "much"), "no size"),
    "a mount of an unknown medium": (put(*POD, "emptyDirMounts", 0, "medium", "Disk"), "no medium"),
    "a claim of nothing": (
        lambda tree: (drop(*POD, "pvcMount", 0, "constant")(tree), drop(*POD, "pvcMount", 0, "pvcNameParameter")(tree)),
        "nothing names the volume claim",
    ),
    "no time at all": (put(*POD, "activeDeadlineSeconds", "0"), "no number of seconds"),
    "an unknown policy": (put(*POD, "imagePullPolicy", "Sometimes"), "no policy"),
    "root that must not be": (put(*POD, "securityContext", "runAsUser", 0), "is root"),
    # kinds of value
    "a list of tasks": (put(*ROOT, []), "expected a mapping"),
    "a number for a name": (put(0, "pipelineInfo", "name", 7), "expected a text"),
    "a word for a switch": (put(*BODY, "judge", "cachingOptions", "enableCache", "yes"), "expected true or false"),
    "a text for arguments": (put(*TRAIN, "args", "--all"), "expected a list"),
    "two kinds of value": (
        put(*BODY, "train", "inputs", "parameters", "rate", "componentInputParameter", "pipelinechannel--uri"),
        "2 times",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_an_error_with_its_line(name):
    mutate, said = DEFECTS[name]
    if name.startswith("a slip in a") and name != "a slip in a component":
        kfp_sdk.load()
    tree = documents()
    mutate(tree)
    found = errors(yaml.safe_dump_all(tree))
    assert any(said in one.message for one in found), [one.message for one in found]
    assert all((one.code, one.path) == ("CLS511", "pipeline.yaml") and one.span for one in found)


# -- the other spelling, which protobuf's JSON takes as well -----------------------------------------------------------


def snaked(text):
    """The same documents with every field of Kubeflow's in its other spelling: `executor_label`."""
    others = {}
    waiting, seen = list(fields.known().values()), set()
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in seen or descriptor.full_name.startswith("google.protobuf."):
            continue
        seen.add(descriptor.full_name)
        for field in descriptor.fields:
            others[field.json_name] = field.name
            waiting += [field.message_type] if field.message_type is not None else []

    def spelt(value):
        if isinstance(value, dict):
            return {others.get(key, key): spelt(item) for key, item in value.items()}
        return [spelt(item) for item in value] if isinstance(value, list) else value

    assert others["executorLabel"] == "executor_label"
    return yaml.safe_dump_all([spelt(one) for one in yaml.safe_load_all(text)])


def test_what_the_sdk_compiles_is_no_error_in_the_other_spelling():
    maker = kfp_foreign.Maker(kfp_sdk.load())
    plain = list(maker.corpus())[::12]
    wrong = [(name, found.message, found.where) for name, text in plain for found in errors(snaked(text))]
    assert wrong == []
    assert len(plain) >= 18
    assert "executor_label" in snaked(RICH)
    assert sorted(warnings(snaked(RICH))) == sorted(warnings(RICH))


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_in_the_other_spelling(name):
    kfp_sdk.load()
    mutate, _ = DEFECTS[name]
    tree = documents()
    mutate(tree)
    text = yaml.safe_dump_all(tree)
    found = errors(snaked(text))
    assert sorted(one.message for one in found) == sorted(one.message for one in errors(text))
    assert all(one.where == "" or one.span for one in found)


def test_the_line_is_that_of_the_other_spelling():
    lines = snaked(RICH).splitlines()
    at = next(number for number, line in enumerate(lines) if "resource_memory_limit: 16Gi" in line)
    lines[at] = lines[at].replace("16Gi", "16GB")
    (found,) = errors("\n".join(lines))
    assert found.span.line == at + 1
    assert found.where == "deployment_spec.executors.exec-train-2.container.resources.resource_memory_limit"


def test_a_field_in_both_spellings_is_an_error():
    tree = documents()
    put(*COMPONENTS, "comp-judge", "executor_label", "exec-judge")(tree)
    (found,) = errors(yaml.safe_dump_all(tree))
    assert "said a second time" in found.message
    assert found.where == "components.comp-judge.executor_label"


def test_the_line_is_that_of_the_defect():
    lines = RICH.splitlines()
    at = next(number for number, line in enumerate(lines) if "resourceMemoryLimit: 16Gi" in line)
    lines[at] = lines[at].replace("16Gi", "16GB")
    (found,) = errors("\n".join(lines))
    assert found.span.line == at + 1
    assert found.where == "deploymentSpec.executors.exec-train-2.container.resources.resourceMemoryLimit"


@pytest.mark.parametrize(
    "text", ["", "a: [", "- a\n", "a: 1\n", "a: 1\na: 2\n", "%\n", "{", "\x00", "just words", "null\n"]
)
def test_a_text_without_a_pipeline_is_an_error(text):
    assert len(errors(text)) == 1


def test_every_defect_is_found_in_a_custom_resource_and_a_recurring_run_too():
    spec, platform = documents()
    del spec["schemaVersion"]
    platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train-2"]["imagePullPolicy"] = "x"
    held = {"pipelineName": "rich", "pipelineSpec": spec, "platformSpec": platform}
    about = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "metadata": {"name": "rich"}}
    resource = about | {"kind": "PipelineVersion", "spec": held}
    both = {"pipeline_spec": spec, "platform_spec": platform}
    for text in (yaml.safe_dump(resource), json.dumps({"pipeline_spec": both, "trigger": {}})):
        assert {found.message.split(";")[0] for found in errors(text)} == {"schemaVersion is None", "'x' is no policy"}
    assert (
        "whose it is"
        in errors(yaml.safe_dump(about | {"kind": "PipelineVersion", "spec": {"pipelineSpec": spec}}))[0].message
    )
    assert (
        "no pipeline in it"
        in errors(yaml.safe_dump(about | {"kind": "PipelineVersion", "spec": {"pipelineName": "r"}}))[0].message
    )
    assert "has no kind" in errors(yaml.safe_dump(about | {"kind": "Experiment"}))[0].message


def test_what_says_that_clspec_wrote_it_is_as_clspec_writes_it():
    text = backend.emit(plan(regression()), Options())["regression.yaml"]
    changed = text.replace("'{{$}}'", "'{{$}}'\n        - '{{$}}'", 1)
    assert [found.message[:38] for found in errors(changed)] == ["clspec did not write it like this: exe"]
    foreign = changed.replace("clspec-2", "kfp-2.17.0")
    assert errors(foreign) == []


# -- what we would not write -------------------------------------------------------------------------------------------

HOUSE = {
    "an image without a digest": (put(*TRAIN, "image", "python:3.12"), "has no digest"),
    "a shared component": (put(*BODY, "say-3", "componentRef", "name", "comp-say"), "2 tasks share `comp-say`"),
    "a component of no task": (
        put(*COMPONENTS, "comp-more", copy.deepcopy(documents()[0]["components"]["comp-tell"])),
        "used by no task",
    ),
    "a root that nobody can write": (put(0, "defaultPipelineRoot", "dummy_root"), "can write nothing"),
    "artifacts for the root": (
        put(0, "root", "inputDefinitions", "artifacts", {"x": {"artifactType": {"schemaTitle": "system.Model"}}}),
        "nobody can give",
    ),
    "an input that nobody asked for": (
        put(*BODY, "say-3", "inputs", "parameters", "more", {"runtimeValue": {"constant": "x"}}),
        "declares no input `more`",
    ),
    "waiting for what may be skipped": (put(*BODY, "shards", "dependentTasks", ["condition-2"]), "is skipped where"),
    "no command": (drop(*TRAIN, "command"), "no `command`"),
    "one form of memory": (drop(*TRAIN, "resources", "memoryLimit"), "say both"),
    "a default that does not count": (
        drop(*COMPONENTS, "comp-inner", "inputDefinitions", "parameters", "count", "isOptional"),
        "counts only with",
    ),
    "an accelerator without its owner": (
        lambda tree: at_path(tree, (*TRAIN, "resources", "accelerator")).update(type="tpu-v3", resourceType="tpu-v3"),
        "name of no resource",
    ),
    "a template of Argo's": (put(*TRAIN, "args", 0, "{{workflow.name}}"), "Argo may expand"),
}


@pytest.mark.parametrize("name", HOUSE)
def test_what_we_would_not_write_is_a_warning(name):
    mutate, said = HOUSE[name]
    tree = documents()
    mutate(tree)
    text = yaml.safe_dump_all(tree)
    assert errors(text) == []
    assert any(said in message for message in warnings(text)), warnings(text)


def test_a_large_pipeline_is_a_warning():
    tree = documents()
    for number in range(100):
        put(*COMPONENTS, f"comp-n{number}", copy.deepcopy(tree[0]["components"]["comp-tell"]))(tree)
        task = {"componentRef": {"name": f"comp-n{number}"}, "taskInfo": {"name": f"n{number}"}}
        put(*BODY, f"n{number}", task)(tree)
    assert any("may not fit" in message for message in warnings(yaml.safe_dump_all(tree)))


# -- expressions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "inputs.parameter_values['x'] == 'a'",
        "int(inputs.parameter_values['x']) > 3 && !(inputs.parameter_values['y'] != \"b\")",
        "!(double(inputs.parameter_values['x']) >= 1.5e3) || -1 < 2",
        "inputs.parameter_values['x'] in ['a', 'b'] ? true : false",
        "inputs.parameter_values['x'].matches('^a+$') && size(inputs.parameters.y) == 0",
        r"inputs.parameter_values['x'] == 'it\'s'",
    ],
)
def test_an_expression_is_read(condition):
    assert ("parameters", "x") in read(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "(",
        "'a",
        "a",
        "1 +",
        "1 1",
        "inputs",
        "inputs.parameter_values[",
        "f(1)",
        "x == 1",
        "1 = 1",
        "a.b",
        "[1,",
        "true ? 1",
        "inputs.values['x']",
        "inputs.parameter_values[1]",
        "&& true",
        "'a''b'",
        "#",
        "true)",
    ],
)
def test_what_is_no_expression_is_said(condition):
    with pytest.raises(NoExpression):
        read(condition)


# -- field names -------------------------------------------------------------------------------------------------------


def test_without_the_protobufs_it_says_that_names_were_not_judged(monkeypatch):
    monkeypatch.setattr(fields, "known", dict)
    tree = documents()
    put(*BODY, "judge", "dependentTask", ["inner"])(tree)
    text = yaml.safe_dump_all(tree)
    assert errors(text) == []
    assert any("names of fields were not judged" in message for message in warnings(text))
    assert [found.code for found in lint(text) if "not judged" in found.message] == ["CLS530"]


def test_the_command(tmp_path):
    (tmp_path / "good.yaml").write_text(RICH)
    (tmp_path / "bad.yaml").write_text(
        RICH.replace("componentRef:\n            name: comp-judge", "componentRef:\n            name: comp-gudge")
    )
    words = [sys.executable, "-m", "clspec", "lint-manifest", "-t", "kfp"]
    good = subprocess.run([*words, "good.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (good.returncode, "error" in good.stdout) == (0, False), good.stdout
    bad = subprocess.run([*words, "good.yaml", "bad.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    line = 1 + RICH[: RICH.index("name: comp-judge\n")].count("\n")
    assert f"bad.yaml:{line}:" in bad.stdout, bad.stdout
    assert "there is no component `comp-gudge`" in bad.stdout
