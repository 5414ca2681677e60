"""The keys and kinds of value that clspec writes, and no others: a slip of the emitter, not only of a user, is seen.

The cluster parses `deploymentSpec` late and skips a platform document with an unknown key without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A mapping names its keys, `?` marks one that may be absent and `*` stands for any; a list has one kind of item.
_PARAMETER = {"parameterType": str, "defaultValue?": str, "isOptional?": bool, "description?": str}
_ARTIFACT = {"artifactType": {"schemaTitle": str, "schemaVersion": str}}
_INPUTS = {"parameters?": {"*": _PARAMETER}, "artifacts?": {"*": _ARTIFACT}}
_PARAMETER_BINDING = {
    "componentInputParameter?": str,
    "taskOutputParameter?": {"producerTask": str, "outputParameterKey": str},
    "runtimeValue?": {"constant": str},
    "taskFinalStatus?": {"producerTask": str},
}
_ARTIFACT_BINDING = {
    "componentInputArtifact?": str,
    "taskOutputArtifact?": {"producerTask": str, "outputArtifactKey": str},
}
_RETRY = {"maxRetryCount": int, "backoffDuration": str, "backoffFactor": float, "backoffMaxDuration": str}
_TASK = {
    "taskInfo": {"name": str},
    "componentRef": {"name": str},
    "inputs": {"parameters?": {"*": _PARAMETER_BINDING}, "artifacts?": {"*": _ARTIFACT_BINDING}},
    "dependentTasks?": [str],
    "cachingOptions?": {"enableCache?": bool},
    "retryPolicy?": _RETRY,
    "triggerPolicy?": {"condition?": str, "strategy?": str},
}
_DAG = {"tasks": {"*": _TASK}}
_COMPONENT = {
    "executorLabel?": str,
    "dag?": _DAG,
    "inputDefinitions": _INPUTS,
    "outputDefinitions?": {"parameters?": {"*": {"parameterType": str}}, "artifacts?": {"*": _ARTIFACT}},
}
_RESOURCES = {
    "cpuLimit?": float,
    "resourceCpuLimit?": str,
    "memoryLimit?": float,
    "resourceMemoryLimit?": str,
    "accelerator?": {"type": str, "count": str, "resourceType": str, "resourceCount": str},
}
_CONTAINER = {
    "image": str,
    "command": [str],
    "args": [str],
    "env?": [{"name": str, "value": str}],
    "resources?": _RESOURCES,
}
_POD = {
    "nodeSelector?": {"labels": {"*": str}},
    "tolerations?": [{"key?": str, "operator?": str, "value?": str, "effect?": str}],
    "nodeAffinity?": [{"matchExpressions": [{"key": str, "operator": str, "values": [str]}]}],
    "emptyDirMounts?": [{"volumeName": str, "mountPath": str, "medium?": str, "sizeLimit": str}],
    "secretAsEnv?": [
        {
            "secretName": str,
            "secretNameParameter": {"runtimeValue": {"constant": str}},
            "keyToEnv": [{"secretKey": str, "envVar": str}],
            "optional": bool,
        }
    ],
    "activeDeadlineSeconds?": str,
}
_SPEC = {
    "components": {"*": _COMPONENT},
    "defaultPipelineRoot?": str,
    "deploymentSpec": {"executors": {"*": {"container": _CONTAINER}}},
    "pipelineInfo": {"name": str},
    "root": {"dag": _DAG, "inputDefinitions": _INPUTS},
    "schemaVersion": str,
    "sdkVersion": str,
}
_PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"*": _POD}}}}}


@dataclass(frozen=True, slots=True)
class _Keys:
    """A mapping whose keys are named: all of them, and those that must be there."""

    known: Mapping[str, Any]
    needed: tuple[str, ...]


def _form(said: Any) -> Any:
    """A form as it is looked up in: read from what stands above once, not for every mapping of a pipeline."""
    if isinstance(said, list):
        return [_form(said[0])]
    if not isinstance(said, dict):
        return said
    if "*" in said:
        return {"*": _form(said["*"])}
    known = {key.removesuffix("?"): _form(item) for key, item in said.items()}
    return _Keys(known, tuple(key for key in said if not key.endswith("?")))


_FORMS = (_form(_SPEC), _form(_PLATFORM))


def misfits(documents: Sequence[Any]) -> Iterator[str]:
    """Every place where the documents are not of the form that clspec writes."""
    if len(documents) not in (1, 2):
        yield f"{len(documents)} documents: one PipelineSpec and at most one platform document make a pipeline"
    for document, form in zip(documents, _FORMS, strict=False):
        yield from _misfits(document, form, "")


def _misfits(value: Any, form: Any, path: str) -> Iterator[str]:
    if isinstance(form, type):
        if type(value) is not form:
            yield f"{path}: {type(value).__name__} instead of {form.__name__}"
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield f"{path}: not a list"
            return
        for number, item in enumerate(value):
            yield from _misfits(item, form[0], f"{path}[{number}]")
    elif not isinstance(value, Mapping):
        yield f"{path}: not a mapping"
    elif isinstance(form, _Keys):
        yield from _keys(value, form, path)
    else:
        for key, item in value.items():
            yield from _misfits(item, form["*"], f"{path}.{key}")


def _keys(value: Mapping[str, Any], form: _Keys, path: str) -> Iterator[str]:
    known = form.known
    for key in form.needed:
        if key not in value:
            yield f"{path}: `{key}` is missing"
    for key, item in value.items():
        if key in known:
            yield from _misfits(item, known[key], f"{path}.{key}")
        else:
            yield f"{path}: unknown key `{key}`"
