"""What Kubeflow refuses in an executor, or reads as something else: its command, its placeholders, its machine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec_kfp.rules_inputs import CHANNEL
from clspec_kfp.text import EXTENDED_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.manifest import Finding, Part, Place

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r"[+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+|[KMGTPE]i|[numkMGTPE])?")
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_UNITS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}
_PLACEHOLDER = re.compile(r"\{\{\$[^{}]*\}\}")
_READ = re.compile(
    r"\{\{\$\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)\['(?P<name>[^']+)'\](?P<part>|\.\w+)\}\}"
)
_PARTS = {
    ("inputs", "parameters"): ("",),
    ("inputs", "artifacts"): (".uri", ".path"),
    ("outputs", "parameters"): (".output_file",),
    ("outputs", "artifacts"): (".uri", ".path"),
}
_MARKET_NAME = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)+")
"""What Vertex AI calls an accelerator; Kubernetes knows no resource like this."""


def judge(place: Place, executor: Part, using: Sequence[Part], tasks: Sequence[tuple[Part, Part]]) -> Iterator[Finding]:
    """What is wrong with an executor that these components use, in these tasks."""
    kinds = [kind for kind in executor if not kind.startswith("@")]
    if kinds not in (["container"], ["importer"]):
        named = ", ".join(f"`{kind}`" for kind in kinds) or "nothing"
        yield place, f"an executor is a `container` or an `importer`, and this is {named}"
    if "importer" in executor:
        yield from _importer((*place, "importer"), mapping(executor["importer"]), using)
    if "container" in executor:
        yield from _container((*place, "container"), mapping(executor["container"]), using, tasks)


def _importer(place: Place, importer: Part, using: Sequence[Part]) -> Iterator[Finding]:
    uri = mapping(importer.get("artifactUri"))
    if not any(word in uri for word in ("constant", "constantValue", "runtimeParameter")):
        yield place, "an importer has an `artifactUri`"
    parameter = uri.get("runtimeParameter")
    if parameter is not None and any(parameter not in _declared(one, "inputs", "parameters") for one in using):
        yield (*place, "artifactUri"), f"the importer's component has no input `{parameter}`"
    if not mapping(importer.get("typeSchema")):
        yield place, "an importer has a `typeSchema`"


def _container(
    place: Place, container: Part, using: Sequence[Part], tasks: Sequence[tuple[Part, Part]]
) -> Iterator[Finding]:
    if not container.get("image"):
        yield place, "a container has an image"
    if not listed(container.get("command")) and not listed(container.get("args")):
        yield (
            place,
            "neither `command` nor `args`: an image's own entry point is never used, and there is nothing to run",
        )
    for word in ("command", "args"):
        for index, argument in enumerate(listed(container.get(word))):
            yield from _argument((*place, word, index), argument, using)
    for at, variable in items(container, "env"):
        name = variable.get("name") or ""
        if not name or "=" in name or not name.isprintable():
            yield (*place, *at), f"{name!r} is no name of a variable"
    yield from _machine((*place, "resources"), mapping(container.get("resources")), tasks)


def _argument(place: Place, argument: str, using: Sequence[Part]) -> Iterator[Finding]:
    if argument.startswith('{"IfPresent"'):
        yield from _chosen(place, argument, using)
    for found in _PLACEHOLDER.findall(argument):
        if found == "{{$}}":
            continue
        read = _READ.fullmatch(found)
        if read is None:
            yield place, f"{found} is replaced by nothing here, and would stay as it is"
            continue
        side, kind, name, part = read.group("side", "kind", "name", "part")
        if part not in _PARTS[side, kind]:
            yield place, f"{found} is replaced by nothing here, and would stay as it is"
        elif any(name not in _declared(one, side, kind) for one in using) and not name.startswith("pipelinechannel--"):
            yield place, f"{found}: the component declares no such {side[:-1]}"


def _chosen(place: Place, argument: str, using: Sequence[Part]) -> Iterator[Finding]:
    """What is there only if an input is."""
    try:
        name = json.loads(argument)["IfPresent"]["InputName"]
    except (ValueError, KeyError, TypeError):
        yield place, f"{argument[:60]!r} begins like a choice and is none"
        return
    if any(
        name not in {*_declared(one, "inputs", "parameters"), *_declared(one, "inputs", "artifacts")} for one in using
    ):
        yield place, f"asks whether `{name}` is given, which the component does not declare"


def _declared(component: Part, side: str, kind: str) -> Part:
    return mapping(mapping(component.get(f"{side[:-1]}Definitions")).get(kind))


# -- its machine -------------------------------------------------------------------------------------------------------


def _machine(place: Place, resources: Part, tasks: Sequence[tuple[Part, Part]]) -> Iterator[Finding]:
    for word, value in resources.items():
        if word.startswith("resource") and word != "resources":
            yield from _amount((*place, word), value, tasks)
        elif word in {"cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest"} and not _positive(value):
            yield (*place, word), f"{value!r} is no amount"
    for name in ("Cpu", "Memory"):
        limit, request = (_size(resources, name, what) for what in ("Limit", "Request"))
        if limit is not None and request is not None and request > limit:
            yield place, f"the request for {name.lower()} is larger than its limit: no cluster takes such a pod"
    if "accelerator" in resources:
        yield from _accelerator((*place, "accelerator"), mapping(resources["accelerator"]), tasks)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _amount(place: Place, value: str, tasks: Sequence[tuple[Part, Part]]) -> Iterator[Finding]:
    channel = CHANNEL.fullmatch(value)
    if channel is None:
        if not QUANTITY.fullmatch(value):
            yield place, f"{value!r} is no quantity that Kubernetes knows, such as `500m` or `16Gi`"
        return
    for _, task in tasks:
        if channel[1] not in mapping(mapping(task.get("inputs")).get("parameters")):
            yield place, f"asks for `{channel[1]}`, which a task that runs this is not given"


def _size(resources: Part, name: str, what: str) -> float | None:
    said = resources.get(f"resource{name}{what}")
    if not isinstance(said, str) or not (found := QUANTITY.fullmatch(said)):
        return None
    number, unit = found[1], found[3] or ""
    return float(number + unit) if unit[:1] in {"e", "E"} and unit[1:] else float(number) * _UNITS[unit]


def _accelerator(place: Place, gpu: Part, tasks: Sequence[tuple[Part, Part]]) -> Iterator[Finding]:
    kind = gpu.get("resourceType") or gpu.get("type")
    count = gpu.get("resourceCount") or (str(gpu["count"]) if "count" in gpu else "")
    if count and count != "0" and not kind:
        yield place, "a number of accelerators of no type: the backend asks for none"
    if kind and not count:
        yield place, f"no number of accelerators `{kind}`: the backend asks for none"
    for old, new in (("type", "resourceType"), ("count", "resourceCount")):
        if gpu.get(old) and gpu.get(new) and str(gpu[old]) != str(gpu[new]):
            yield (
                (*place, new),
                f"`{old}` says {gpu[old]!r} and `{new}` {gpu[new]!r}: which holds depends on the backend",
            )
    if (
        kind
        and not _PLACEHOLDER.search(kind)
        and not EXTENDED_RESOURCE.fullmatch(kind)
        and _MARKET_NAME.fullmatch(kind)
    ):
        yield place, f"{kind!r} is no resource of a cluster, such as `nvidia.com/gpu`: the pod would never be made"
    if count and _PLACEHOLDER.search(count):
        yield from _amount((*place, "resourceCount"), count, tasks)
    elif count and not re.fullmatch(r"\d+", count):
        yield place, f"{count!r} is no number of accelerators"
