"""Which fields Kubeflow knows, as its own protobufs say; they are an extra, and without them nobody judges names.

The cluster's readers differ in what they do about a field that they do not know: some refuse the pipeline, one skips
the document, one reads on as if the field were not there. What is meant by it is lost each time.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.manifest import Finding, Part, Place

_FREE = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
_TEXTS = frozenset({"google.protobuf.Duration", "google.protobuf.Timestamp"})
# What backends read since, and the protobufs on the registry do not have.
_NEWER = frozenset({"maxActiveRuns", "pipelineRunParallelism", "podResourceClaims", "mutexName", "semaphoreKey"})
_NEWER_WORDS = frozenset({"KUBERNETES_RESOURCE_CLAIMS"})
_IGNORED = "@type"


@cache
def known() -> dict[str, Any]:
    """The descriptors of the messages of a pipeline; empty where the protobufs are not installed."""
    found: dict[str, Any] = {}
    names = {
        "kfp.pipeline_spec.pipeline_spec_pb2": ("PipelineSpec", "PipelineDeploymentConfig", "PlatformSpec"),
        "kfp.kubernetes.kubernetes_executor_config_pb2": ("KubernetesExecutorConfig",),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own imports warn of deprecations in theirs
        for module, messages in names.items():
            try:
                loaded = importlib.import_module(module)
            except ImportError:
                continue
            found |= {name: getattr(loaded, name).DESCRIPTOR for name in messages}
    return found


def judge(spec: Part) -> Iterator[Finding]:
    """Fields of a PipelineSpec that Kubeflow does not know, and values that they cannot have."""
    yield from _of("PipelineSpec", spec, ())
    yield from _of("PipelineDeploymentConfig", spec.get("deploymentSpec"), ("deploymentSpec",))


def judge_platform(platform: Part) -> Iterator[Finding]:
    """The same for a platform document."""
    yield from _of("PlatformSpec", platform, ())
    value: Any = platform
    place: Place = ("platforms", "kubernetes", "deploymentSpec", "executors")
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    for label, pod in value.items() if isinstance(value, dict) else ():
        yield from _of("KubernetesExecutorConfig", pod, (*place, label))


def _of(message: str, value: Any, place: Place) -> Iterator[Finding]:
    descriptor = known().get(message)
    if descriptor is not None and value is not None:
        yield from _message(value, descriptor, place)


def _message(value: Any, descriptor: Any, place: Place) -> Iterator[Finding]:
    if descriptor.full_name in _FREE:
        return
    if descriptor.full_name in _TEXTS:
        if not isinstance(value, str):
            yield place, f"{value!r} is no {descriptor.name.lower()}, such as `10s`"
        return
    if not isinstance(value, dict):
        yield place, f"{value!r} is no {descriptor.name}"
        return
    fields = {name: field for field in descriptor.fields for name in (field.json_name, field.name)}
    for key, item in value.items():
        if key in fields:
            yield from _field(item, fields[key], (*place, key))
        elif key not in _NEWER and key != _IGNORED:
            hint = did_you_mean(str(key), [field.json_name for field in descriptor.fields])
            yield (*place, key), f"Kubeflow knows no field `{key}` of {descriptor.name}" + (f": {hint}" if hint else "")
    yield from _choices(value, descriptor, place)


def _choices(value: Part, descriptor: Any, place: Place) -> Iterator[Finding]:
    for choice in descriptor.oneofs:
        said = [field.json_name for field in choice.fields if value.get(field.json_name) is not None]
        if len(said) > 1:
            yield place, f"of {', '.join(f'`{name}`' for name in said)} only one can be said"


def _field(value: Any, field: Any, place: Place) -> Iterator[Finding]:
    if value is None:
        return
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        if not isinstance(value, dict):
            yield place, f"{value!r} is no mapping"
            return
        of = kind.fields_by_name["value"]
        for key, item in value.items():
            yield from _one(item, of, (*place, key))
    elif field.is_repeated:
        if not isinstance(value, list):
            yield place, f"{value!r} is no list"
            return
        for index, item in enumerate(value):
            yield from _one(item, field, (*place, index))
    else:
        yield from _one(value, field, place)


def _one(value: Any, field: Any, place: Place) -> Iterator[Finding]:
    if field.message_type is not None:
        yield from _message(value, field.message_type, place)
    elif field.enum_type is not None:
        yield from _word(value, field.enum_type, place)
    elif not isinstance(value, _SCALARS[field.cpp_type]) or (isinstance(value, bool) and field.cpp_type != _BOOL):
        yield place, f"{value!r} is no value of `{field.json_name}`"


def _word(value: Any, kinds: Any, place: Place) -> Iterator[Finding]:
    words: Sequence[str] = [word.name for word in kinds.values]
    if value not in words and value not in _NEWER_WORDS and not isinstance(value, int):
        yield place, f"{value!r} is none of {', '.join(words)}"


_BOOL = 7  # google.protobuf.descriptor.FieldDescriptor.CPPTYPE_*
_SCALARS: dict[int, tuple[type, ...]] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6), (int, float, str)),  # numbers, which JSON may spell as texts
    _BOOL: (bool,),
    9: (str,),
}
