"""What is wrong with a container: its command as the launcher reads it, its machine, and what it hands over."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.trainjob import faults
from clspec_kfp import pod
from clspec_kfp.text import EXTENDED_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IMAGE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_COUNT = re.compile(r"[1-9][0-9]*")
_CORES = re.compile(r"[1-9][0-9]*m?")
_BYTES = re.compile(r"[1-9][0-9]*(Ki|Mi|Gi|Ti)?")
# All that the launcher replaces in arguments. `.metadata`, `pipeline_root` and such compile in the SDK and stay.
_PLACEHOLDER = re.compile(
    r"\{\{\$(?:|\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)"
    r"\['(?P<name>[^']+)'\](?P<part>|\.uri|\.path|\.output_file))\}\}"
)
_PARTS = {
    ("inputs", "parameters"): ("",),
    ("inputs", "artifacts"): (".uri", ".path"),
    ("outputs", "parameters"): (".output_file",),
    ("outputs", "artifacts"): (".uri", ".path"),
}


def in_container(label: str, container: Mapping[str, Any], component: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one container, a line each."""
    if not container["image"]:
        yield f"executor `{label}` has no image"
    elif not _IMAGE.fullmatch(container["image"]):
        yield f"executor `{label}` has an image without a digest: {container['image']}"
    if not container["command"]:
        yield f"executor `{label}` has no command, and an image's own entry point is never used"
    for argument in (*container["command"], *container["args"]):
        yield from _argument(label, argument, component)
    if container["args"].count("{{$}}") != 1:
        yield f"executor `{label}` is not told once what it reads and writes"
    yield from _resources(label, container.get("resources", {}))
    threads = pod.threads(container.get("resources", {}).get("cpuLimit"))
    if container.get("env", []) != threads:
        yield f"executor `{label}` has not the threads that its cores ask for"
    if "--trainjob" in container["args"]:
        yield from _launcher(label, container, component)


def _launcher(label: str, container: Mapping[str, Any], component: Mapping[str, Any]) -> Iterator[str]:
    """What waits for other machines holds no GPU, and knows the run that its job is named after."""
    if "accelerator" in container.get("resources", {}):
        yield f"executor `{label}` launches a TrainJob, and holds an accelerator while it waits"
    if "run" not in component["inputDefinitions"].get("parameters", {}):
        yield f"executor `{label}` launches a TrainJob, and does not know the run"
    said = dict(pairwise(container["args"]))["--trainjob"]
    try:
        yield from (f"executor `{label}`, --trainjob: {text}" for text in faults(json.loads(said), container["image"]))
    except ValueError:
        yield f"executor `{label}` has a --trainjob that is no JSON"


def _argument(label: str, argument: str, component: Mapping[str, Any]) -> Iterator[str]:
    if "{{" not in argument and "$" not in argument:
        return
    for found in _PLACEHOLDER.finditer(argument):
        side, kind, name, part = found.group("side", "kind", "name", "part")
        if not side:
            continue
        declared = component.get("inputDefinitions" if side == "inputs" else "outputDefinitions", {}).get(kind, {})
        if name not in declared or part not in _PARTS[side, kind]:
            yield f"executor `{label}` has the placeholder {found.group()}, for which nothing is declared"
    rest = _PLACEHOLDER.sub("", argument)
    for sign in ("{{", "$(", "$$"):
        if sign in rest:
            yield f"executor `{label}` has an argument with `{sign}`, which would be expanded: {argument[:80]!r}"


def _resources(label: str, resources: Mapping[str, Any]) -> Iterator[str]:
    for name, form in (("Cpu", _CORES), ("Memory", _BYTES)):
        old, new = resources.get(f"{name.lower()}Limit"), resources.get(f"resource{name}Limit")
        if (old is None) != (new is None):
            yield f"executor `{label}` says {name.lower()} in one form only"
        if (old is not None and not old > 0) or (new is not None and not form.fullmatch(new)):
            yield f"executor `{label}` asks for {name.lower()} in no amount that a cluster knows"
    gpu = resources.get("accelerator")
    if gpu is None:
        return
    if (gpu["type"], gpu["count"]) != (gpu["resourceType"], gpu["resourceCount"]):
        yield f"executor `{label}` says two different accelerators"
    if not _COUNT.fullmatch(gpu["count"]):
        yield f"executor `{label}` asks for {gpu['count']!r} accelerators"
    if not EXTENDED_RESOURCE.fullmatch(gpu["type"]):
        yield f"executor `{label}` asks for the accelerator {gpu['type']!r}, which is no resource of a cluster"


# -- what is handed over through the store ---------------------------------------------------------------------------


def in_handovers(components: Mapping[str, Any], executors: Mapping[str, Any]) -> Iterator[str]:
    """Whatever one step takes another gives, and both know the run."""
    labelled = {item["executorLabel"]: item for item in components.values() if "executorLabel" in item}
    given: set[str] = set()
    taken: dict[str, str] = {}
    for label, executor in executors.items():
        component = labelled.get(label)
        words = executor["container"]["args"]
        give, take = _after("--give", words), _after("--take", words)
        if component is None or not (give or take):
            continue
        if "run" not in component["inputDefinitions"].get("parameters", {}):
            yield f"executor `{label}` hands something over and does not know the run"
        for pair in give:
            output, _, key = pair.partition("=")
            given.add(key)
            if output not in component.get("outputDefinitions", {}).get("artifacts", {}):
                yield f"executor `{label}` gives `{output}`, which it does not make"
        for pair in take:
            name, _, key = pair.partition("=")
            taken[key] = label
            if name in component["inputDefinitions"].get("artifacts", {}):
                yield f"executor `{label}` takes its input `{name}` from two places"
    for key, label in taken.items():
        if key not in given:
            yield f"executor `{label}` takes `{key}`, which nothing gives"


def _after(flag: str, words: list[str]) -> list[str]:
    return [word for before, word in pairwise(words) if before == flag]
