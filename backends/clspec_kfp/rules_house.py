"""What Kubeflow takes, and clspec would not write: each has cost somebody a run, a day, or a wrong result."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from clspec.manifest import listed, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Part, Place

LARGE_TASKS = 100
"""Each is two pods; Argo keeps the state of all of them in one object of at most 1.5 MiB."""
LARGE_BYTES = 500_000
_ROOTS = ("gs://", "minio://", "s3://")
_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


def judge(spec: Part, size: int) -> Iterator[Finding]:
    """Warnings about a PipelineSpec of so many bytes."""
    components = mapping(spec.get("components"))
    executors = mapping(mapping(spec.get("deploymentSpec")).get("executors"))
    owners = [(("root",), mapping(spec.get("root"))), *((("components", k), mapping(v)) for k, v in components.items())]
    tasks: list[tuple[Place, Part]] = [
        ((*place, "dag", "tasks", key), mapping(task))
        for place, owner in owners
        for key, task in mapping(mapping(owner.get("dag")).get("tasks")).items()
    ]
    yield from _size(len(tasks), size)
    root = spec.get("defaultPipelineRoot")
    if isinstance(root, str) and not root.startswith(_ROOTS):
        yield ("defaultPipelineRoot",), f"the launcher can write nothing at {root!r}: {', '.join(_ROOTS)}"
    for name in mapping(mapping(mapping(spec.get("root")).get("inputDefinitions")).get("artifacts")):
        yield ("root", "inputDefinitions", "artifacts", name), f"nobody can give the artifact `{name}` to a run"
    yield from _use(tasks, components, executors)
    yield from _skipped(owners)
    for label, executor in executors.items():
        yield from _container(
            ("deploymentSpec", "executors", label, "container"), mapping(mapping(executor).get("container"))
        )
    for place, owner in owners:
        for name, value in mapping(mapping(owner.get("inputDefinitions")).get("parameters")).items():
            if "defaultValue" in mapping(value) and not mapping(value).get("isOptional"):
                here = (*place, "inputDefinitions", "parameters", name)
                yield here, f"the default of `{name}` counts only with `isOptional: true`"


def _size(tasks: int, size: int) -> Iterator[Finding]:
    if tasks > LARGE_TASKS or size > LARGE_BYTES:
        yield (), f"{tasks} tasks in {size:,} bytes: a run may not fit into one object of the cluster"


def _use(tasks: list[tuple[Place, Part]], components: Part, executors: Part) -> Iterator[Finding]:
    used = Counter(mapping(task.get("componentRef")).get("name") for _, task in tasks)
    labels = Counter(mapping(component).get("executorLabel") for component in components.values())
    for key, component in components.items():
        if not used[key]:
            yield ("components", key), f"component `{key}` is used by no task"
        elif used[key] > 1 and mapping(component).get("executorLabel"):
            yield (
                ("components", key),
                f"{used[key]} tasks share `{key}`: in kfp.local each overwrites what the one before made",
            )
    for label in executors:
        if not labels[label]:
            yield ("deploymentSpec", "executors", label), f"executor `{label}` is used by no component"
    for place, task in tasks:
        twice = [name for name, count in Counter(listed(task.get("dependentTasks"))).items() if count > 1]
        for name in twice:
            yield (*place, "dependentTasks"), f"waits for `{name}` twice"
        declared = mapping(components.get(mapping(task.get("componentRef")).get("name")))
        for name, value in mapping(mapping(task.get("inputs")).get("parameters")).items():
            known = mapping(mapping(declared.get("inputDefinitions")).get("parameters"))
            is_template = "{{$" in str(mapping(mapping(value).get("runtimeValue")).get("constant"))
            if name not in known and not name.startswith("pipelinechannel--") and not is_template:
                yield (*place, "inputs", "parameters", name), f"the component declares no input `{name}`"


def _skipped(owners: list[tuple[Place, Part]]) -> Iterator[Finding]:
    """A task that waits for one that its condition skips is skipped as well."""
    for place, owner in owners:
        tasks = mapping(mapping(owner.get("dag")).get("tasks"))
        skipped = {key for key, task in tasks.items() if mapping(mapping(task).get("triggerPolicy")).get("condition")}
        for key, task in tasks.items():
            if mapping(mapping(task).get("triggerPolicy")).get("strategy"):
                continue
            for other in skipped & set(listed(mapping(task).get("dependentTasks"))):
                yield (*place, "dag", "tasks", key), f"is skipped where the condition of `{other}` does not hold"


def _container(place: Place, container: Part) -> Iterator[Finding]:
    if not container:
        return
    image = container.get("image")
    if image and not _DIGEST.fullmatch(image):
        yield (*place, "image"), f"`{image}` can mean another image tomorrow: it has no digest"
    if listed(container.get("args")) and not listed(container.get("command")):
        yield place, "no `command`: an image's own entry point is never used, the first argument is what runs"
    for word in ("command", "args"):
        for index, argument in enumerate(listed(container.get(word))):
            rest = re.sub(r"\{\{\$[^{}]*\}\}", "", argument)
            if re.search(r"\{\{=?[a-zA-Z. _-]+\}\}", rest):
                yield (*place, word, index), "holds `{{...}}`, which Argo may expand"
    resources = mapping(container.get("resources"))
    for old, new in (("cpuLimit", "resourceCpuLimit"), ("memoryLimit", "resourceMemoryLimit")):
        said = resources.get(new)
        if (old in resources) != (new in resources) and not (isinstance(said, str) and "{{" in said):
            yield (*place, "resources"), f"`{old}` and `{new}` are read by backends of different ages: say both"
    gpu = mapping(resources.get("accelerator"))
    kind = gpu.get("resourceType") or gpu.get("type")
    if kind and "/" not in kind and "{{" not in kind:
        yield (*place, "resources", "accelerator"), f"{kind!r} is the name of no resource that a node offers"
