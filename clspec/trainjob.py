"""A training on several machines, as the TrainJob that a launcher makes of it; and the launcher, which needs no GPU.

Kubeflow Trainer 2 runs it: the job names a training runtime (of torch), which tells every machine of the others in
torchrun's variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clspec.plan import Kind, Resources, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Secret, Step

VERSIONS = ("2.2", "2.1")
"""The versions of Trainer that are known: 2.2 (March 2026) and later, and 2.1, which patches pods in another form."""
RUNTIME = "torch-distributed"
"""The runtime that comes with Trainer."""
COMMAND = ("python", "-m", "clspec.step.machine")
"""What each machine runs."""
TRAINJOBS: list[dict[str, Any]] = [
    {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"], "verbs": ["create", "get", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]
"""What a launcher may do: make a job, look at it and at its pods, take it away. It watches nothing."""
POD_NAMES = ("CLSPEC_POD_NAME", "KFP_POD_NAME")
"""The variables in which a launcher finds what its own pod is called: the first is ours, the second Kubeflow's own."""

_MANAGER = "clspec.dev/launcher"
_PART = "node"
"""The job and the container of a training runtime in which the training runs."""
_LAUNCHER = Resources(cpu=1.0, memory=4 * 1024**3)
"""A launcher compares keys with golden ones, copies files in parts, and waits."""
_LONGER = 120
"""Seconds that a launcher has beyond its job's, to say how that ended and to take it away."""
_KINDS = ("ClusterTrainingRuntime", "TrainingRuntime")
_WITHOUT_CONTEXT = "2.1"
_TMP = "/tmp"  # noqa: S108  # a volume of the pod's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What a target says of each machine, in the words of Kubernetes, and of the Trainer in its cluster."""

    runtime: str
    """`NAME` of a cluster's runtime, or `KIND/NAME`."""
    version: str
    account: str
    """The service account of the pods, through which they reach the store as every step does."""
    resources: Mapping[str, Any]
    secrets: tuple[Secret, ...]
    """Each with its place in the cluster."""
    selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    pod_security: Mapping[str, Any] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)
    """The security context of the container; both are for 2.2 and later."""


def is_launched(step: Step) -> bool:
    """Whether a step is one that several machines do, and its own pod only launches."""
    return step.resources.nodes > 1 and step.kind is Kind.TRAIN


def launcher(step: Step) -> Step:
    """The step as its own pod is: it launches, without GPUs, secrets or a choice of machines."""
    longer = step.timeout + _LONGER if step.timeout is not None else None
    return replace(step, resources=_LAUNCHER, secrets=(), timeout=longer)


def argument(step: Step, machines: Machines) -> str:
    """What the step program is told in `--trainjob`: the whole job but for its name and its arguments."""
    return canonical({"step": step.id, "seconds": step.timeout, "spec": _spec(step, machines)})


def complaint(runtime: str, version: str) -> str:
    """What is wrong with what a user says of the Trainer, or nothing; it begins with the option."""
    if version not in VERSIONS:
        return f"trainer_version is one of {', '.join(VERSIONS)}, not {version!r}"
    kind, slash, name = runtime.rpartition("/")
    if (slash and kind not in _KINDS) or not name or set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
        return f"trainer_runtime is NAME or TrainingRuntime/NAME, not {runtime!r}"
    return ""


def _spec(step: Step, machines: Machines) -> dict[str, Any]:
    kind, _, name = machines.runtime.rpartition("/")
    trainer: dict[str, Any] = {
        "image": step.image,
        "command": list(COMMAND),
        "env": _variables(machines.secrets),
        "numNodes": step.resources.nodes,
        "numProcPerNode": step.resources.processes,
    }
    if machines.resources:
        trainer["resourcesPerNode"] = machines.resources
    spec: dict[str, Any] = {"runtimeRef": {"kind": kind, "name": name} if kind else {"name": name}, "trainer": trainer}
    pod = _pod(step, machines)
    if machines.version == _WITHOUT_CONTEXT:
        return {**spec, "podTemplateOverrides": [{"targetJobs": [{"name": _PART}], "spec": pod}]}
    if step.timeout is not None:  # should the launcher be lost
        spec["activeDeadlineSeconds"] = step.timeout
    part = {"name": _PART, "template": {"spec": {"template": {"spec": pod}}}}
    patch = {"template": {"spec": {"replicatedJobs": [part]}}}
    return {**spec, "runtimePatches": [{"manager": _MANAGER, "trainingRuntimeSpec": patch}]}


def _variables(secrets: tuple[Secret, ...]) -> list[dict[str, Any]]:
    """The secrets; and a home and a user, which libraries look up and a bare user id does not have."""
    named = {secret.env for secret in secrets}
    plain = [{"name": key, "value": value} for key, value in _PLAIN.items() if key not in named]
    return plain + [
        {"name": secret.env, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}
        for secret in secrets
    ]


def _pod(step: Step, machines: Machines) -> dict[str, Any]:
    """What each machine's pod has beyond its runtime's."""
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
    mounts = [{"name": "scratch", "mountPath": _TMP}]
    if size := step.resources.shared_memory:
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}})
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108
    container: dict[str, Any] = {"name": _PART, "volumeMounts": mounts}
    pod: dict[str, Any] = {"serviceAccountName": machines.account, "volumes": volumes, "containers": [container]}
    if machines.version != _WITHOUT_CONTEXT:
        container |= {"securityContext": machines.security} if machines.security else {}
        pod |= {"securityContext": machines.pod_security} if machines.pod_security else {}
    if machines.selector:
        pod["nodeSelector"] = dict(machines.selector)
    if machines.affinity:
        pod["affinity"] = machines.affinity
    if step.resources.tolerations:
        pod["tolerations"] = [
            {key: value for key in ("key", "operator", "value", "effect") if (value := getattr(toleration, key))}
            for toleration in step.resources.tolerations
        ]
    return pod


def faults(said: Any, image: str) -> list[str]:
    """What is wrong with what a launcher was told, as a self-check of the targets sees it; each in words."""
    try:
        spec, trainer = said["spec"], said["spec"]["trainer"]
        found = {
            "its machines run another image": trainer["image"] != image,
            "its machines do not run the step program": trainer["command"] != list(COMMAND),
            "it is for fewer than two machines": not trainer["numNodes"] > 1,
            "it runs no process": not trainer["numProcPerNode"] > 0,
            "it names no runtime": not spec["runtimeRef"]["name"],
            "a secret may stand in it": any(_tells(variable) for variable in trainer["env"]),
            "it patches its pods in no form, or in two": ("runtimePatches" in spec) == ("podTemplateOverrides" in spec),
            "it says more than a TrainJob takes": bool(set(spec) - _FIELDS or set(trainer) - _TRAINER),
            "it says nothing of whose it is": not said["step"],
        }
    except (LookupError, TypeError) as error:
        return [f"it does not say what the job is: {error!r}"]
    return [text for text, is_so in found.items() if is_so]


_FIELDS = {"runtimeRef", "trainer", "runtimePatches", "podTemplateOverrides", "activeDeadlineSeconds"}
_TRAINER = {"image", "command", "env", "numNodes", "numProcPerNode", "resourcesPerNode"}
_PLAIN = {"HOME": _TMP, "USER": "clspec"}


def _tells(variable: Mapping[str, Any]) -> bool:
    """Whether a variable has a value of its own that is not one of the plain ones."""
    return "value" in variable and variable["value"] != _PLAIN.get(variable["name"])
