"""What is wrong with a graph of tasks: what they take, what they wait for, and when they run."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from clspec_kfp.component import OF_THE_RUN
from clspec_kfp.document import LAST
from clspec_kfp.text import NAME, expanded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONDITION = re.compile(r"inputs\.parameter_values\['([^'-]+)'\] == '[A-Za-z0-9_.-]+'")
_SECONDS = re.compile(r"[1-9][0-9]*s")


def in_graph(name: str, owner: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one graph, a line each."""
    tasks = owner["dag"]["tasks"]
    if not tasks:
        yield f"`{name}` has no tasks"
    unknown = [key for key, task in tasks.items() if task["componentRef"]["name"] not in components]
    for key in unknown:
        yield f"task `{key}` refers to the unknown component `{tasks[key]['componentRef']['name']}`"
    if unknown:
        return
    for key, task in tasks.items():
        yield from _task(key, task, owner, components)
    yield from _last(name, tasks, components)
    yield from _conditional(tasks)
    for key in _on_a_cycle(tasks):
        yield f"task `{key}` waits for itself"


def _task(key: str, task: Mapping[str, Any], owner: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    if not NAME.fullmatch(key):
        yield f"task `{key}` is not a DNS-1123 label"
    if task["taskInfo"]["name"] != key:
        yield f"task `{key}` calls itself `{task['taskInfo']['name']}`"
    waits_for = task.get("dependentTasks", [])
    for other in waits_for:
        if other not in owner["dag"]["tasks"]:
            yield f"task `{key}` waits for the unknown task `{other}`"
    if len(set(waits_for)) != len(waits_for):
        yield f"task `{key}` waits for a task twice"
    for kind in ("parameters", "artifacts"):
        yield from _bindings(key, task, owner, components, kind)
    yield from _policies(key, task, components)


def _policies(key: str, task: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    """What Kubeflow keeps of a result and how often it tries, where it reads it: on the task of a container."""
    is_graph = "dag" in components[task["componentRef"]["name"]]
    for policy in ("retryPolicy", "cachingOptions"):
        if is_graph and policy in task:
            yield f"task `{key}` is a graph and has a {policy}, which nothing reads"
    retry = task.get("retryPolicy")
    if retry:
        if retry["maxRetryCount"] < 1:
            yield f"task `{key}` is to be tried again {retry['maxRetryCount']} times"
        for part in ("backoffDuration", "backoffMaxDuration"):
            if not _SECONDS.fullmatch(retry[part]):
                yield f"task `{key}` has a {part} that is no number of seconds: {retry[part]!r}"
    bound = task["inputs"].get("parameters", {}).values()
    if task.get("cachingOptions", {}).get("enableCache") and any("runtimeValue" in item for item in bound):
        yield f"task `{key}` knows which run it is in, and its result may yet be taken from another"


# -- what it takes ---------------------------------------------------------------------------------------------------


def _bindings(
    key: str, task: Mapping[str, Any], owner: Mapping[str, Any], components: Mapping[str, Any], kind: str
) -> Iterator[str]:
    """Each input of the component is bound, once, to something that exists and is of its type."""
    declared = components[task["componentRef"]["name"]]["inputDefinitions"].get(kind, {})
    bound = task["inputs"].get(kind, {})
    for name, definition in declared.items():
        if name not in bound and "defaultValue" not in definition:
            yield f"task `{key}` lacks its input `{name}`"
    for name, binding in bound.items():
        if name not in declared:
            yield f"task `{key}` has the input `{name}`, which its component does not declare"
        elif len(binding) != 1:
            yield f"task `{key}` binds its input `{name}` {len(binding)} times"
        elif "runtimeValue" in binding:
            yield from _constant(key, name, binding["runtimeValue"]["constant"], declared[name])
        elif "taskFinalStatus" in binding:
            yield from _status(key, name, binding["taskFinalStatus"]["producerTask"], task, declared[name])
        else:
            source, definition = _source(task, binding, owner, components, kind)
            if definition is None:
                yield f"task `{key}` takes its input `{name}` from {source}, which is unknown or not waited for"
            elif _type(definition) != _type(declared[name]):
                yield f"task `{key}` takes its input `{name}` from {source}, which is of another type"


def _constant(key: str, name: str, value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    """The driver replaces a placeholder only where it is the whole constant."""
    if declared["parameterType"] != "STRING":
        yield f"task `{key}` gives a text as its input `{name}`, which is none"
    if value not in OF_THE_RUN.values() and expanded(value):
        yield f"task `{key}` gives its input `{name}` the value {value!r}, which nothing replaces"


def _status(key: str, name: str, of: str, task: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[str]:
    if declared["parameterType"] != "TASK_FINAL_STATUS":
        yield f"task `{key}` takes the end of a task as its input `{name}`, which is none"
    if task.get("triggerPolicy", {}).get("strategy") != LAST or of not in task.get("dependentTasks", []):
        yield f"task `{key}` is told the end of `{of}` and does not wait for it"


def _source(
    task: Mapping[str, Any],
    binding: Mapping[str, Any],
    owner: Mapping[str, Any],
    components: Mapping[str, Any],
    kind: str,
) -> tuple[str, Any]:
    """What a binding refers to, and its definition if there is one that the task also waits for."""
    ((how, given),) = binding.items()
    if isinstance(given, str):
        known = owner["inputDefinitions"].get(kind, {}) if how.lower().endswith(kind[:-1]) else {}
        return f"`{given}` of its graph", known.get(given)
    producer = given["producerTask"]
    output = given["outputParameterKey" if kind == "parameters" else "outputArtifactKey"]
    source = f"`{output}` of task `{producer}`"
    tasks = owner["dag"]["tasks"]
    if producer not in tasks or producer not in task.get("dependentTasks", []):
        return source, None
    outputs = components[tasks[producer]["componentRef"]["name"]].get("outputDefinitions", {})
    return source, outputs.get(kind, {}).get(output)


def _type(definition: Mapping[str, Any]) -> Any:
    return definition.get("artifactType") or definition.get("parameterType")


# -- when it runs ----------------------------------------------------------------------------------------------------


def _last(name: str, tasks: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    """A step that runs however the others end hangs on one graph, which has no other, and nothing comes after it."""
    last = {key: task for key, task in tasks.items() if "strategy" in task.get("triggerPolicy", {})}
    if last and len(last) == len(tasks):
        yield f"`{name}` has nothing but tasks that run after all others"
    hung = Counter(other for task in last.values() for other in task.get("dependentTasks", []))
    for key, task in last.items():
        if task["triggerPolicy"]["strategy"] != LAST:
            yield f"task `{key}` has an unknown strategy {task['triggerPolicy']['strategy']!r}"
        upstream = task.get("dependentTasks", [])
        graphs = [other for other in upstream if other in tasks and _is_graph(tasks[other], components)]
        if len(upstream) != 1 or graphs != upstream:
            yield f"task `{key}` runs however others end, and does not wait for exactly one graph"
        if any(hung[other] > 1 for other in upstream):
            yield f"task `{key}` is not the only one that hangs on its graph, and Kubeflow keeps one"
        statuses = [item for item in task["inputs"].get("parameters", {}).values() if "taskFinalStatus" in item]
        if len(statuses) != 1:
            yield f"task `{key}` runs however others end and is not told how: kfp.local would not run it"
    for key, task in tasks.items():
        for other in task.get("dependentTasks", []):
            if other in last:
                yield f"task `{key}` waits for `{other}`, which runs after everything else"


def _is_graph(task: Mapping[str, Any], components: Mapping[str, Any]) -> bool:
    return "dag" in components[task["componentRef"]["name"]]


def _conditional(tasks: Mapping[str, Any]) -> Iterator[str]:
    """A condition reads an input of its own task by a plain name, and nothing waits for what it may skip."""
    conditional = set()
    for key, task in tasks.items():
        policy = task.get("triggerPolicy")
        if policy is not None and len(policy) != 1:
            yield f"task `{key}` needs either a condition or a strategy"
        condition = (policy or {}).get("condition")
        if condition is None:
            continue
        conditional.add(key)
        read = _CONDITION.fullmatch(condition)
        binding = task["inputs"].get("parameters", {}).get(read.group(1)) if read else None
        if binding is None:
            yield f"task `{key}` has a condition that cannot be read: {condition!r}"
        elif read and binding != {"componentInputParameter": read.group(1)}:
            yield f"task `{key}` has a condition on `{read.group(1)}`, which its graph has under another name"
    for key, task in tasks.items():
        for other in task.get("dependentTasks", []):
            if other in conditional:
                yield f"task `{key}` waits for `{other}`, and is lost where that is skipped"


def _on_a_cycle(tasks: Mapping[str, Any]) -> list[str]:
    """The tasks that are left when those that wait for nothing are taken away, again and again."""
    waiting = {key: len({o for o in task.get("dependentTasks", []) if o in tasks}) for key, task in tasks.items()}
    followers: dict[str, list[str]] = {key: [] for key in tasks}
    for key, task in tasks.items():
        for other in {o for o in task.get("dependentTasks", []) if o in tasks}:
            followers[other].append(key)
    free = [key for key, count in waiting.items() if not count]
    while free:
        for key in followers[free.pop()]:
            waiting[key] -= 1
            if not waiting[key]:
                free.append(key)
    return sorted(key for key, count in waiting.items() if count)
