"""A training on several machines as both clusters' targets emit it: who launches, who works, and who may."""

import copy
import json
from dataclasses import replace

import pytest
import yaml

import clspec_argo
import clspec_kfp
from clspec import trainjob
from clspec.diagnostic import UsageError
from clspec.plan import Gpu, Kind, Resources, Retry, Secret, Toleration
from clspec.testing.hostile import TEXTS
from clspec.testing.plans import GIB, chain, with_step
from clspec_argo.validate import findings
from clspec_kfp import document
from clspec_kfp.validate import faults
from clspec_local import target

MACHINES = Resources(
    cpu=12.0,
    memory=64 * GIB,
    nodes=4,
    gpu=Gpu(count=8, model="NVIDIA-H100-80GB-HBM3", memory=80 * GIB),
    shared_memory=8 * GIB,
    ephemeral_storage=100 * GIB,
    node_selector=(("pool", "train"),),
    tolerations=(Toleration(key="gpu", operator="Exists", effect="NoSchedule"),),
)
SECRET = Secret(env="HUB_TOKEN", name="hub", key="token")
TARGETS = {"argo": clspec_argo.backend, "kfp": clspec_kfp.backend}


def plan(**more):
    return chain(resources=MACHINES, secrets=(SECRET,), timeout=3600, retry=Retry(times=1), **more)


class Emitted:
    """What a target makes of the step `train`: its pod, and what the pod is told of the job."""

    def __init__(self, target, made, **options):
        backend = TARGETS[target]
        self.options = backend.options(**options)
        self.problems = backend.check(made, self.options)
        assert [found for found in self.problems if found.is_error] == []
        self.bundle = backend.emit(made, self.options)
        if target == "argo":
            (whole,) = yaml.safe_load_all(self.bundle["regression.workflowtemplate.yaml"])
            self.pod = next(t for t in whole["spec"]["templates"] if t["name"] == "train")
            self.container = self.pod["container"]
        else:
            spec, *platform = yaml.safe_load_all(self.bundle["regression.yaml"])
            self.container = spec["deploymentSpec"]["executors"]["exec-train"]["container"]
            pods = platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platform else {}
            self.pod = pods.get("exec-train", {})
            self.task = spec["root"]["dag"]["tasks"]["train"]
        words = self.container["args"]
        self.told = json.loads(words[words.index("--trainjob") + 1]) if "--trainjob" in words else None

    @property
    def machine(self):
        """What the pods of the job are patched with."""
        (patch,) = self.told["spec"]["runtimePatches"]
        (part,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
        assert part["name"] == "node"
        return part["template"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_launcher_has_no_gpu_no_choice_and_no_secret(target):
    found = Emitted(target, plan())
    pod = json.dumps({key: value for key, value in found.pod.items() if key not in ("container", "name")})
    for word in ("nvidia", "gpu", "HUB", "shm"):
        assert word not in pod, pod
    assert "nodeSelector" not in found.pod
    assert "tolerations" not in found.pod
    rest = json.dumps({key: value for key, value in found.container.items() if key != "args"})
    assert "nvidia" not in rest
    assert "HUB_TOKEN" not in rest
    assert "4Gi" in rest
    seconds = found.pod["activeDeadlineSeconds"]
    assert int(seconds) > 3600, "it must be able to say that its job took too long"


@pytest.mark.parametrize("target", TARGETS)
def test_the_machines_have_all_that_was_asked_for(target):
    found = Emitted(target, plan())
    trainer = found.told["spec"]["trainer"]
    assert found.told["step"] == "train"
    assert found.told["seconds"] == found.told["spec"]["activeDeadlineSeconds"] == 3600
    assert found.told["spec"]["runtimeRef"] == {"name": "torch-distributed"}
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (4, 8)
    assert trainer["image"] == found.container["image"]
    shared = {"cpu": "12", "memory": "64Gi", "ephemeral-storage": "100Gi"}
    assert trainer["resourcesPerNode"] == {"requests": shared, "limits": shared | {"nvidia.com/gpu": "8"}}
    assert trainer["env"][-1] == {
        "name": "HUB_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}},
    }
    assert found.machine["nodeSelector"] == {"pool": "train", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert found.machine["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    (container,) = found.machine["containers"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/dev/shm"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert found.machine["securityContext"]["runAsNonRoot"] is True
    assert found.machine["serviceAccountName"] == {"argo": "contract", "kfp": "pipeline-runner"}[target]


def test_a_gpus_memory_is_asked_for_where_the_target_can():
    term = {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": [str(80 * 1024 - 1)]}
    affinity = Emitted("kfp", plan()).machine["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [term]}]
    argo = Emitted("argo", plan())
    assert "affinity" not in argo.machine
    assert "CLS504" in {found.code for found in argo.problems}


@pytest.mark.parametrize("target", TARGETS)
def test_trainer_2_1_is_told_in_its_own_form_and_what_is_lost_is_reported(target):
    found = Emitted(target, plan(), trainer_version="2.1", trainer_runtime="TrainingRuntime/ours")
    spec = found.told["spec"]
    assert set(spec) == {"runtimeRef", "trainer", "podTemplateOverrides"}
    assert spec["runtimeRef"] == {"kind": "TrainingRuntime", "name": "ours"}
    (override,) = spec["podTemplateOverrides"]
    assert override["targetJobs"] == [{"name": "node"}]
    assert override["spec"]["nodeSelector"]["pool"] == "train"
    assert "securityContext" not in json.dumps(override)
    assert [found.code for found in found.problems if "security context" in found.message] == ["CLS504"]


@pytest.mark.parametrize(
    "change", [{"trainer_version": "2.0"}, {"trainer_runtime": "Runtime/x"}, {"trainer_runtime": ""}]
)
def test_a_trainer_that_is_not_known_is_refused(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        clspec_argo.Options(**change)
    found = clspec_kfp.backend.check(plan(), clspec_kfp.Options(**change))
    assert [p.code for p in found if p.is_error] == ["CLS508"]
    assert any(next(iter(change)) in p.message for p in found)


@pytest.mark.parametrize("backend", [*TARGETS.values(), target.backend], ids=[*TARGETS, "local"])
def test_only_training_runs_on_several_machines(backend):
    made = with_step(chain(), "predict", resources=Resources(nodes=2))
    errors = [found for found in backend.check(made, backend.options()) if found.is_error]
    assert [(found.code, found.where) for found in errors] == [("CLS508", "steps.predict")]
    assert trainjob.is_launched(with_step(chain(), "train", resources=Resources(nodes=2)).pipelines[0].steps[2])
    assert made.pipelines[0].steps[3].kind is Kind.PREDICT


def test_this_machine_says_how_it_stands_for_several():
    made = chain(resources=Resources(nodes=2, gpu=Gpu(count=4)))
    found = [p for p in target.backend.check(made, target.backend.options()) if "machines" in p.message]
    assert [(p.code, p.is_error) for p in found] == [("CLS504", False)]
    assert "2 machines as 8 processes" in found[0].message


# -- who may -----------------------------------------------------------------------------------------------------------


def roles(bundle):
    documents = [d for file, text in bundle.items() if "access" in file for d in yaml.safe_load_all(text)]
    return {found["metadata"]["name"]: found["rules"] for found in documents if found["kind"] == "Role"}


LAUNCHES = [
    {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"], "verbs": ["create", "get", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]


def test_argo_lets_its_pods_make_jobs_only_where_one_must():
    (rules,) = roles(Emitted("argo", plan()).bundle).values()
    assert rules[1:] == LAUNCHES
    (rules,) = roles(Emitted("argo", chain()).bundle).values()
    assert [rule["resources"] for rule in rules] == [["workflowtaskresults"]]


def test_an_account_of_the_users_own_is_bound_to_the_same_rights():
    found = Emitted("argo", plan(), service_account="ours")
    assert roles(found.bundle) == {"contract-trainjobs": LAUNCHES}
    binding = yaml.safe_load(found.bundle["access.trainjobs.rolebinding.yaml"])
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "ours"}]
    assert binding["roleRef"]["name"] == "contract-trainjobs"
    assert found.machine["serviceAccountName"] == "ours"
    assert not [file for file in Emitted("argo", chain(), service_account="ours").bundle if "access" in file]


def test_kubeflow_gets_a_file_of_rights_only_where_one_must():
    found = Emitted("kfp", plan(), service_account="default-editor", namespace="team")
    role, binding = yaml.safe_load_all(found.bundle["access.yaml"])
    assert role["rules"] == LAUNCHES
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "team"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "default-editor"}]
    assert found.machine["serviceAccountName"] == "default-editor"
    assert "access.yaml" not in Emitted("kfp", chain()).bundle


def test_kubeflow_tells_a_launcher_its_run_and_keeps_no_result_of_it():
    task = Emitted("kfp", plan()).task
    assert task["inputs"]["parameters"]["run"] == {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}
    assert task["cachingOptions"] == {}
    assert "run" not in Emitted("kfp", chain()).task["inputs"]["parameters"]


# -- the self-checks see what is wrong with a launcher -----------------------------------------------------------------


def told(value, **changes):
    """A job with parts changed, by their dotted place."""
    made = copy.deepcopy(value)
    for place, new in changes.items():
        *steps, last = place.split("__")
        at = made
        for step in steps:
            at = at[step]
        if new is None:
            del at[last]
        else:
            at[last] = new
    return json.dumps(made)


SLIPS = {
    "no JSON": lambda told_: "{" + json.dumps(told_),
    "no spec": lambda told_: told(told_, spec=None),
    "another image": lambda told_: told(told_, spec__trainer__image="other"),
    "another program": lambda told_: told(told_, spec__trainer__command=["sh"]),
    "one machine": lambda told_: told(told_, spec__trainer__numNodes=1),
    "no process": lambda told_: told(told_, spec__trainer__numProcPerNode=0),
    "no runtime": lambda told_: told(told_, spec__runtimeRef__name=""),
    "a secret": lambda told_: told(told_, spec__trainer__env=[{"name": "HUB_TOKEN", "value": "hunter2"}]),
    "no patches": lambda told_: told(told_, spec__runtimePatches=None),
    "two forms": lambda told_: told(told_, spec__podTemplateOverrides=[]),
    "an old name": lambda told_: told(told_, spec__podSpecOverrides=[]),
    "a slip": lambda told_: told(told_, spec__trainer__numNode=2),
    "nobody's": lambda told_: told(told_, step=""),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_job_that_is_wrong_is_seen(slip):
    found = Emitted("argo", plan())
    bundle = {file: yaml.safe_load(text) for file, text in found.bundle.items()}
    leaf = bundle["regression.workflowtemplate.yaml"]["spec"]["templates"][3]
    assert leaf["name"] == "train"
    words = leaf["container"]["args"]
    words[words.index("--trainjob") + 1] = SLIPS[slip](found.told)
    assert any("--trainjob" in text for text in findings(bundle)), findings(bundle)
    documents = document.documents(plan(), plan().pipelines[0], clspec_kfp.Options())
    assert faults(documents) == ()
    words = documents[0]["deploymentSpec"]["executors"]["exec-train"]["container"]["args"]
    words[words.index("--trainjob") + 1] = SLIPS[slip](Emitted("kfp", plan()).told)
    assert any("--trainjob" in text for text in faults(documents))


ARGO_SLIPS = {
    "holds nvidia.com/gpu": lambda leaf: leaf["container"]["resources"]["limits"].update({"nvidia.com/gpu": "1"}),
    "nodeSelector of a launcher": lambda leaf: leaf.update(nodeSelector={"pool": "train"}),
    "tolerations of a launcher": lambda leaf: leaf.update(tolerations=[{"key": "gpu", "operator": "Exists"}]),
    "does not know the run": lambda leaf: leaf["container"]["args"].remove("{{workflow.uid}}"),
}


@pytest.mark.parametrize("slip", ARGO_SLIPS)
def test_a_launcher_of_argo_that_is_wrong_is_seen(slip):
    bundle = {file: yaml.safe_load(text) for file, text in Emitted("argo", plan()).bundle.items()}
    assert findings(bundle) == ()
    ARGO_SLIPS[slip](bundle["regression.workflowtemplate.yaml"]["spec"]["templates"][3])
    assert any(slip in text for text in findings(bundle)), findings(bundle)


def test_rights_that_are_missing_or_not_needed_are_seen():
    with_, without = (
        {file: yaml.safe_load(text) for file, text in Emitted("argo", made).bundle.items()}
        for made in (plan(), chain())
    )
    for bundle, role in ((with_, without), (without, with_)):
        changed = bundle | {"access.role.yaml": role["access.role.yaml"]}
        assert any("roles let a launcher" in text for text in findings(changed))


KFP_SLIPS = {
    "holds an accelerator": lambda spec, _: spec["container"]["resources"].update(
        accelerator={"type": "a/gpu", "count": "1", "resourceType": "a/gpu", "resourceCount": "1"}
    ),
    "has nodeSelector": lambda _, pod: pod.update(nodeSelector={"labels": {"pool": "train"}}),
    "has tolerations": lambda _, pod: pod.update(tolerations=[{"key": "gpu", "operator": "Exists"}]),
    "has nodeAffinity": lambda _, pod: pod.update(
        nodeAffinity=[{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]
    ),
}


@pytest.mark.parametrize("slip", KFP_SLIPS)
def test_a_launcher_of_kubeflow_that_is_wrong_is_seen(slip):
    documents = document.documents(plan(), plan().pipelines[0], clspec_kfp.Options())
    pods = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    KFP_SLIPS[slip](documents[0]["deploymentSpec"]["executors"]["exec-train"], pods["exec-train"])
    assert any(slip in text for text in faults(documents)), faults(documents)


def test_a_launcher_of_kubeflow_without_its_run_is_seen():
    documents = document.documents(plan(), plan().pipelines[0], clspec_kfp.Options())
    del documents[0]["components"]["comp-train"]["inputDefinitions"]["parameters"]["run"]
    del documents[0]["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]["run"]
    assert any("does not know the run" in text for text in faults(documents))


# -- what a user writes stays text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:16]))
@pytest.mark.parametrize("place", ["node_selector", "toleration", "secret", "model"])
def test_hostile_texts_arrive_or_are_refused(target, place, text):
    gpu = replace(MACHINES.gpu, model=text) if place == "model" else MACHINES.gpu
    selector = (("pool", text),) if place == "node_selector" else ()
    tolerations = (Toleration(key="team", value=text),) if place == "toleration" else ()
    secret = replace(SECRET, key=text) if place == "secret" else SECRET
    machines = replace(MACHINES, gpu=gpu, node_selector=selector, tolerations=tolerations)
    made = chain(resources=machines, secrets=(secret,))
    backend = TARGETS[target]
    if any(found.is_error for found in backend.check(made, backend.options())):
        return
    found = Emitted(target, made)
    arrived = {
        "node_selector": lambda: found.machine["nodeSelector"]["pool"],
        "toleration": lambda: found.machine["tolerations"][0].get("value", ""),
        "secret": lambda: found.told["spec"]["trainer"]["env"][-1]["valueFrom"]["secretKeyRef"]["key"],
        "model": lambda: found.machine.get("nodeSelector", {}).get("nvidia.com/gpu.product", ""),
    }
    assert arrived[place]() == text
