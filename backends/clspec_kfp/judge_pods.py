"""What is wrong with the platform document: which nodes, mounts, secrets and deadlines a container's pod has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec_kfp.text import LABEL, LABEL_KEY, OBJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COUNT = re.compile(r"[1-9][0-9]*")
_BYTES = re.compile(r"[1-9][0-9]*(Ki|Mi|Gi|Ti)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SHARED = "/dev/shm"  # noqa: S108  # a mount of a pod
_CHOICE = ("nodeSelector", "nodeAffinity", "tolerations", "secretAsEnv")
_OPERATORS = frozenset({"Equal", "Exists"})
_EFFECTS = frozenset({"NoSchedule", "PreferNoSchedule", "NoExecute"})


def in_platform(documents: Sequence[Mapping[str, Any]], executors: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the platform document, if there is one, a line each."""
    for document in documents:
        pods = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        if not pods:
            yield "the platform document says nothing"
        for label, pod in pods.items():
            if label not in executors:
                yield f"the platform document is about the unknown executor `{label}`"
            if not pod:
                yield f"the platform document says nothing about executor `{label}`"
            for complaint in (
                *_launcher(pod, executors.get(label, {})),
                *_nodes(pod),
                *_tolerations(pod),
                *_mounts(pod),
                *_secrets(pod),
                *_deadline(pod),
            ):
                yield f"executor `{label}` {complaint}"


def _launcher(pod: Mapping[str, Any], executor: Mapping[str, Any]) -> Iterator[str]:
    """What only launches may run on any node: its TrainJob's machines are what is chosen."""
    if "--trainjob" in executor.get("container", {}).get("args", ()):
        yield from (f"launches a TrainJob, and has {key}" for key in _CHOICE if key in pod)


def _nodes(pod: Mapping[str, Any]) -> Iterator[str]:
    for key, value in pod.get("nodeSelector", {}).get("labels", {}).items():
        if not LABEL_KEY.fullmatch(key) or not LABEL.fullmatch(value):
            yield f"wants a node with the label {key!r}: {value!r}, which none can carry"
    for term in pod.get("nodeAffinity", []):
        for expression in term["matchExpressions"]:
            if expression["operator"] != "Gt" or len(expression["values"]) != 1:
                yield f"compares a node's label by {expression['operator']!r}, not with one number by `Gt`"
            elif not expression["values"][0].isdecimal() or not LABEL_KEY.fullmatch(expression["key"]):
                yield f"compares the node's label {expression['key']!r} with {expression['values'][0]!r}"


def _tolerations(pod: Mapping[str, Any]) -> Iterator[str]:
    for toleration in pod.get("tolerations", []):
        if (
            toleration.get("operator", "Equal") not in _OPERATORS
            or toleration.get("effect", "NoExecute") not in _EFFECTS
        ):
            yield f"tolerates what no node says: {dict(toleration)}"
        if toleration.get("operator") == "Exists" and "value" in toleration:
            yield f"tolerates whatever there is and yet a value: {dict(toleration)}"
        if toleration.get("operator", "Equal") == "Equal" and not toleration.get("key"):
            yield "tolerates an equal value of nothing"


def _mounts(pod: Mapping[str, Any]) -> Iterator[str]:
    mounts = pod.get("emptyDirMounts", [])
    for part in ("volumeName", "mountPath"):
        if len({mount[part] for mount in mounts}) != len(mounts):
            yield f"has two mounts of one {part}"
    for mount in mounts:
        if not mount["mountPath"].startswith("/"):
            yield f"mounts at {mount['mountPath']!r}, which is no absolute path"
        if not _BYTES.fullmatch(mount["sizeLimit"]):
            yield f"mounts {mount['sizeLimit']!r}, which is no size"
        if (mount["mountPath"] == _SHARED) != (mount.get("medium") == "Memory"):
            yield f"mounts {mount['mountPath']!r} in {mount.get('medium', 'files')}: memory is what {_SHARED} is for"


def _secrets(pod: Mapping[str, Any]) -> Iterator[str]:
    variables = [entry["envVar"] for secret in pod.get("secretAsEnv", []) for entry in secret["keyToEnv"]]
    if len(set(variables)) != len(variables):
        yield "has two secrets for one variable"
    for variable in variables:
        if not _VARIABLE.fullmatch(variable):
            yield f"has a secret for {variable!r}, which is no variable"
    for secret in pod.get("secretAsEnv", []):
        if secret["secretName"] != secret["secretNameParameter"]["runtimeValue"]["constant"]:
            yield "names two secrets in one place"
        if not OBJECT.fullmatch(secret["secretName"]):
            yield f"names the secret {secret['secretName']!r}, which no cluster can have"
        if not secret["keyToEnv"]:
            yield f"takes nothing from the secret {secret['secretName']!r}"
        if any(not _KEY.fullmatch(entry["secretKey"]) for entry in secret["keyToEnv"]):
            yield f"wants a key of the secret {secret['secretName']!r} that it cannot have"


def _deadline(pod: Mapping[str, Any]) -> Iterator[str]:
    seconds = pod.get("activeDeadlineSeconds", "1")
    if not _COUNT.fullmatch(seconds):
        yield f"may run {seconds!r} seconds"
