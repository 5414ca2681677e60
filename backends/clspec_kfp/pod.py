"""What a step's pod needs: its share of a machine, which machines will do, and its secrets."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from clspec import trainjob
from clspec_kfp.text import cores, quantity

if TYPE_CHECKING:
    from clspec.plan import Gpu, Resources, Secret, Step, Toleration
    from clspec_kfp.options import Options

_GB = 1_000_000_000
_MIB = 1024**2
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def resources(need: Resources) -> dict[str, Any]:
    """Limits, from which Kubernetes derives equal requests; nothing where the spec states nothing.

    Each is said twice: the `resource*` strings are read since early 2025, the numbers (cores; 10^9 bytes) before.
    """
    said: dict[str, Any] = {}
    if need.cpu:
        said |= {"cpuLimit": float(need.cpu), "resourceCpuLimit": cores(need.cpu)}
    if need.memory:
        said |= {"memoryLimit": need.memory / _GB, "resourceMemoryLimit": quantity(need.memory)}
    if need.gpu and need.gpu.count:
        said["accelerator"] = _accelerator(need.gpu)
    return said


@cache
def threads(cores: float | None) -> list[dict[str, str]]:
    """As many threads as cores were asked for, as a local run has them: the numbers of a training hang on how many.

    Left alone, its libraries would count the cores of the whole node.
    """
    return [{"name": name, "value": str(max(1, int(cores)))} for name in _THREADS] if cores else []


def _accelerator(gpu: Gpu) -> dict[str, str]:
    # An int64 is a string in protobuf's JSON. The type is used verbatim as the name of a Kubernetes resource.
    count = str(gpu.count)
    return {"type": gpu.resource, "count": count, "resourceType": gpu.resource, "resourceCount": count}


def machines(step: Step, options: Options) -> trainjob.Machines:
    """Each machine of a step on several, as its pod is described to Kubernetes itself."""
    need = step.resources
    asked = {
        "cpu": cores(need.cpu) if need.cpu else "",
        "memory": quantity(need.memory) if need.memory else "",
        "ephemeral-storage": quantity(need.ephemeral_storage) if need.ephemeral_storage else "",
    }
    shared = {key: value for key, value in asked.items() if value}
    devices = {need.gpu.resource: str(need.gpu.count)} if need.gpu and need.gpu.count else {}
    return trainjob.Machines(
        runtime=options.trainer_runtime,
        version=options.trainer_version,
        account=options.service_account,
        resources={key: value for key, value in (("requests", shared), ("limits", shared | devices)) if value},
        secrets=secrets(step, options),
        selector=node_labels(need, options),
        affinity=_affinity(need, options),
        pod_security={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        security={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    )


def _affinity(need: Resources, options: Options) -> dict[str, Any]:
    if not (need.gpu and need.gpu.memory and options.gpu_memory_label):
        return {}
    terms = {"nodeSelectorTerms": [_at_least(options.gpu_memory_label, need.gpu.memory)]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def kubernetes(step: Step, options: Options) -> dict[str, Any]:
    """The step's KubernetesExecutorConfig; empty if its pod needs nothing special."""
    step = trainjob.launcher(step) if trainjob.is_launched(step) else step
    need = step.resources
    said: dict[str, Any] = {}
    labels = node_labels(need, options)
    if labels:
        said["nodeSelector"] = {"labels": labels}
    if need.gpu and need.gpu.memory and options.gpu_memory_label:
        said["nodeAffinity"] = [_at_least(options.gpu_memory_label, need.gpu.memory)]
    if need.tolerations:
        said["tolerations"] = [_toleration(toleration) for toleration in need.tolerations]
    if mounts := [*_shared_memory(need.shared_memory), *_scratch(need.ephemeral_storage)]:
        said["emptyDirMounts"] = mounts
    if placed := secrets(step, options):
        said["secretAsEnv"] = _secrets(placed, optional=step.always)
    if step.timeout:
        said["activeDeadlineSeconds"] = str(step.timeout)
    return said


def node_labels(need: Resources, options: Options) -> dict[str, str]:
    """The labels a node must carry, that of the GPU's model included."""
    labels = dict(need.node_selector)
    if need.gpu and need.gpu.model and options.gpu_model_label:
        labels.setdefault(options.gpu_model_label, need.gpu.model)
    return labels


def _toleration(toleration: Toleration) -> dict[str, str]:
    fields = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
    }
    return {name: value for name, value in fields.items() if value}


def _at_least(label: str, memory: int) -> dict[str, Any]:
    """Nodes whose GPUs have that much; the label counts in MiB, and `Gt` is the one comparison there is."""
    return {"matchExpressions": [{"key": label, "operator": "Gt", "values": [str(-(-memory // _MIB) - 1)]}]}


def _shared_memory(size: int) -> list[dict[str, str]]:
    # A container's own /dev/shm has 64 MiB, too little for the workers of a data loader.
    shared = {"volumeName": "dshm", "mountPath": "/dev/shm", "medium": "Memory"}  # noqa: S108
    return [shared | {"sizeLimit": quantity(size)}] if size else []


def _scratch(size: int) -> list[dict[str, str]]:
    """Room for temporary files, limited to what was asked for: Kubeflow can reserve none."""
    return [{"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": quantity(size)}] if size else []  # noqa: S108


def secrets(step: Step, options: Options) -> tuple[Secret, ...]:
    """The step's secrets with their places on the cluster; those for which nothing says one are left out."""
    placed = (
        secret if secret.name or not options.secret else replace(secret, name=options.secret, key=secret.env)
        for secret in step.secrets
    )
    return tuple(secret for secret in placed if secret.name and secret.key)


def _secrets(secrets: tuple[Secret, ...], *, optional: bool) -> list[dict[str, Any]]:
    """One entry for each Kubernetes secret; its name stands twice, for older backends and for newer ones.

    A pod whose secret is not there is never started. What must not hold up a run starts without it.
    """
    keys: dict[str, list[dict[str, str]]] = {}
    for secret in secrets:
        keys.setdefault(secret.name, []).append({"secretKey": secret.key, "envVar": secret.env})
    return [
        {
            "secretName": name,
            "secretNameParameter": {"runtimeValue": {"constant": name}},
            "keyToEnv": key_to_env,
            "optional": optional,
        }
        for name, key_to_env in keys.items()
    ]
