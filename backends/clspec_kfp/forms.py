"""What kind of value each part of an IR holds that the rules read: who reads one of another kind reads nothing.

Fields that are not named here may hold anything; whether Kubeflow knows them at all, its protobufs say (`fields.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Place

# A mapping names the fields that are read, and `*` stands for all others; a list has one kind of item.
_TYPE = {"schemaTitle": str, "schemaUri": str, "instanceSchema": str, "schemaVersion": str}
_DECLARED = {
    "parameters": {"*": {"parameterType": str, "isOptional": bool, "literals": [object]}},
    "artifacts": {"*": {"artifactType": _TYPE, "isOptional": bool, "isArtifactList": bool}},
}
_PARAMETER = {
    "componentInputParameter": str,
    "taskOutputParameter": {"producerTask": str, "outputParameterKey": str},
    "runtimeValue": {"runtimeParameter": str},
    "taskFinalStatus": {"producerTask": str},
}
_ARTIFACT = {
    "componentInputArtifact": str,
    "taskOutputArtifact": {"producerTask": str, "outputArtifactKey": str},
}
_TASK = {
    "taskInfo": {"name": str},
    "componentRef": {"name": str},
    "inputs": {"parameters": {"*": _PARAMETER}, "artifacts": {"*": _ARTIFACT}},
    "dependentTasks": [str],
    "cachingOptions": {"enableCache": bool, "cacheKey": str},
    "retryPolicy": {"backoffDuration": str, "backoffMaxDuration": str},
    "triggerPolicy": {"condition": str, "strategy": str},
    "parameterIterator": {"itemInput": str, "items": {"raw": str, "inputParameter": str}},
    "iteratorPolicy": {},
}
_SUBTASK = {"producerSubtask": str, "outputParameterKey": str}
_OUTPUTS = {
    "artifacts": {"*": {"artifactSelectors": [{"producerSubtask": str, "outputArtifactKey": str}]}},
    "parameters": {"*": {"valueFromParameter": _SUBTASK, "valueFromOneof": {"parameterSelectors": [_SUBTASK]}}},
}
_COMPONENT = {
    "executorLabel": str,
    "dag": {"tasks": {"*": _TASK}, "outputs": _OUTPUTS},
    "inputDefinitions": _DECLARED,
    "outputDefinitions": _DECLARED,
}
_CONTAINER = {
    "image": str,
    "command": [str],
    "args": [str],
    "env": [{"name": str, "value": str}],
    "resources": {
        "resourceCpuLimit": str,
        "resourceCpuRequest": str,
        "resourceMemoryLimit": str,
        "resourceMemoryRequest": str,
        "accelerator": {"type": str, "resourceType": str, "resourceCount": str},
    },
}
_IMPORTER = {"artifactUri": {"runtimeParameter": str}, "typeSchema": _TYPE}
SPEC = {
    "components": {"*": _COMPONENT},
    "defaultPipelineRoot": str,
    "deploymentSpec": {"executors": {"*": {"container": _CONTAINER, "importer": _IMPORTER}}},
    "pipelineInfo": {"name": str},
    "root": _COMPONENT,
    "schemaVersion": str,
    "sdkVersion": str,
}
_EXPRESSION = {"key": str, "operator": str, "values": [str]}
_POD = {
    "secretAsEnv": [{"secretName": str, "keyToEnv": [{"secretKey": str, "envVar": str}]}],
    "secretAsVolume": [{"secretName": str, "mountPath": str}],
    "configMapAsEnv": [{"configMapName": str, "keyToEnv": [{"configMapKey": str, "envVar": str}]}],
    "configMapAsVolume": [{"configMapName": str, "mountPath": str}],
    "pvcMount": [{"mountPath": str}],
    "emptyDirMounts": [{"volumeName": str, "mountPath": str, "medium": str, "sizeLimit": str}],
    "genericEphemeralVolume": [{"volumeName": str, "mountPath": str, "size": str, "accessModes": [str]}],
    "nodeSelector": {"labels": {"*": str}},
    "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
    "nodeAffinity": [{"matchExpressions": [_EXPRESSION], "matchFields": [_EXPRESSION]}],
    "podAffinity": [{"topologyKey": str}],
    "podMetadata": {"labels": {"*": str}, "annotations": {"*": str}},
    "imagePullPolicy": str,
    "fieldPathAsEnv": [{"name": str, "fieldPath": str}],
    "securityContext": {"runAsNonRoot": bool},
}
PLATFORM = {"platforms": {"*": {}, "kubernetes": {"deploymentSpec": {"executors": {"*": _POD}}, "pipelineConfig": {}}}}


def misfits(value: Any, form: Any, place: Place = ()) -> Iterator[Finding]:
    """Every part that is of another kind than whoever reads it expects; what is null is as good as not there."""
    if value is None or form is object:
        return
    if isinstance(form, type):
        if not isinstance(value, form):
            yield place, f"expected {_NAMES[form]}, found {_kind(value)}"
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield place, f"expected a list, found {_kind(value)}"
            return
        for index, item in enumerate(value):
            yield from misfits(item, form[0], (*place, index))
    elif not isinstance(value, dict):
        yield place, f"expected a mapping, found {_kind(value)}"
    else:
        for key, item in value.items():
            if (below := form.get(key, form.get("*"))) is not None:
                yield from misfits(item, below, (*place, key))


_NAMES = {str: "a text", bool: "true or false", dict: "a mapping", list: "a list", int: "a number", float: "a number"}


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), f"a {type(value).__name__}")
