"""What Kubeflow refuses in a graph of tasks, or would run otherwise than it says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import listed, mapping
from clspec_kfp import cel
from clspec_kfp.document import LAST
from clspec_kfp.rules_inputs import inputs, type_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Part, Place

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")
_DURATION = re.compile(r"\d+(\.\d{1,9})?s")
_STRATEGIES = frozenset({LAST, "ALL_UPSTREAM_TASKS_SUCCEEDED", "TRIGGER_STRATEGY_UNSPECIFIED"})


def judge(place: Place, owner: Part, components: Part, executors: Part) -> Iterator[Finding]:
    """What is wrong with one graph."""
    tasks = {key: mapping(task) for key, task in mapping(mapping(owner.get("dag")).get("tasks")).items()}
    here = (*place, "dag", "tasks")
    if not tasks and place != ("root",):
        yield (*place, "dag"), "a graph without tasks"
    for key, task in tasks.items():
        called = mapping(task.get("componentRef")).get("name")
        component = mapping(components.get(called)) if called in components else None
        if not _NAME.fullmatch(key):
            yield (*here, key), f"{key!r} can be no name of a task: letters, digits and hyphens"
        if component is None:
            message = f"there is no component `{called}`" if called else f"task `{key}` refers to no component"
            yield (*here, key, "componentRef"), message
            continue
        yield from _waiting((*here, key), key, task, tasks)
        yield from inputs((*here, key), key, task, tasks, owner, components)
        yield from _when((*here, key), key, task, component, executors)
        yield from _again((*here, key), task)
        yield from _iterated((*here, key), task, component)
    yield from _ends(here, tasks)
    for key in on_a_cycle(tasks):
        yield (*here, key), f"task `{key}` waits for itself"
    yield from _outputs(place, owner, tasks, components)


def _waiting(place: Place, key: str, task: Part, tasks: Part) -> Iterator[Finding]:
    for index, other in enumerate(listed(task.get("dependentTasks"))):
        if other not in tasks:
            yield (*place, "dependentTasks", index), f"task `{key}` waits for `{other}`, which its graph does not have"


def _when(place: Place, key: str, task: Part, component: Part, executors: Part) -> Iterator[Finding]:
    policy = mapping(task.get("triggerPolicy"))
    strategy = policy.get("strategy")
    if strategy is not None and strategy not in _STRATEGIES:
        yield (*place, "triggerPolicy", "strategy"), f"{strategy!r} is no strategy"
    condition = policy.get("condition")
    if not condition:
        return
    here = (*place, "triggerPolicy", "condition")
    if "importer" in mapping(executors.get(component.get("executorLabel"))):
        yield here, f"task `{key}` is an importer, on which the backend takes no condition"
    try:
        asked = cel.read(condition)
    except cel.NoExpression as error:
        yield here, f"the condition {condition!r} is no expression: {error}"
        return
    for kind, name in sorted(asked):
        if name not in mapping(mapping(task.get("inputs")).get(kind)):
            yield here, f"the condition asks for `{name}`, which task `{key}` is not given"


def _again(place: Place, task: Part) -> Iterator[Finding]:
    retry = mapping(task.get("retryPolicy"))
    count, factor = retry.get("maxRetryCount"), retry.get("backoffFactor")
    if count is not None and whole(count) is None:
        yield (*place, "retryPolicy", "maxRetryCount"), f"{count!r} is no number of retries"
    if factor is not None and not (isinstance(factor, int | float) and factor >= 0):
        yield (*place, "retryPolicy", "backoffFactor"), f"{factor!r} is no factor"
    for word in ("backoffDuration", "backoffMaxDuration"):
        if (said := retry.get(word)) is not None and not _DURATION.fullmatch(said):
            yield (*place, "retryPolicy", word), f"{said!r} is no duration: seconds, such as `10s`"


def _iterated(place: Place, task: Part, component: Part) -> Iterator[Finding]:
    if "artifactIterator" in task:
        yield (*place, "artifactIterator"), "the backend iterates over parameters alone"
    limit = mapping(task.get("iteratorPolicy")).get("parallelismLimit")
    if limit is not None and whole(limit) is None:
        yield (*place, "iteratorPolicy", "parallelismLimit"), f"{limit!r} is no number of iterations at a time"
    if "parameterIterator" not in task:
        return
    here = (*place, "parameterIterator")
    iterator = mapping(task["parameterIterator"])
    items, item = mapping(iterator.get("items")), iterator.get("itemInput")
    declared = mapping(mapping(component.get("inputDefinitions")).get("parameters"))
    if not item or item not in declared:
        yield (*here, "itemInput"), f"the component declares no input `{item}` for an item"
    if "raw" in items:
        if not isinstance(_parsed(items["raw"]), list):
            yield (*here, "items", "raw"), f"{items['raw'][:60]!r} is no list in JSON"
    elif (source := items.get("inputParameter")) is None:
        yield here, "an iterator has items: `raw` or `inputParameter`"
    elif source not in mapping(mapping(task.get("inputs")).get("parameters")):
        yield (*here, "items", "inputParameter"), f"the task is not given `{source}`, which holds the items"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _ends(here: Place, tasks: Part) -> Iterator[Finding]:
    last = [key for key, task in tasks.items() if mapping(task.get("triggerPolicy")).get("strategy") == LAST]
    if last and len(last) == len(tasks):
        yield here, "a graph of nothing but tasks that run however others end"
    for key in last:
        if not listed(tasks[key].get("dependentTasks")):
            yield (*here, key, "triggerPolicy"), f"task `{key}` runs however others end, and waits for none"


def on_a_cycle(tasks: Part) -> list[str]:
    """The tasks that are left when those that wait for nothing are taken away, again and again."""
    waits = {key: {o for o in listed(task.get("dependentTasks")) if o in tasks} for key, task in tasks.items()}
    followers: dict[str, list[str]] = {key: [] for key in tasks}
    for key, others in waits.items():
        for other in others:
            followers[other].append(key)
    left = {key: len(others) for key, others in waits.items()}
    free = [key for key, count in left.items() if not count]
    while free:
        for key in followers[free.pop()]:
            left[key] -= 1
            if not left[key]:
                free.append(key)
    return sorted(key for key, count in left.items() if count)


# -- what a graph gives ------------------------------------------------------------------------------------------------


def _outputs(place: Place, owner: Part, tasks: Part, components: Part) -> Iterator[Finding]:
    said = mapping(mapping(owner.get("dag")).get("outputs"))
    for kind in ("parameters", "artifacts"):
        declared = mapping(mapping(owner.get("outputDefinitions")).get(kind))
        given = mapping(said.get(kind))
        for name in declared:
            if "dag" in owner and name not in given:
                yield (
                    (*place, "outputDefinitions", kind, name),
                    f"`{name}` is promised, and no task of the graph makes it",
                )
        for name, value in given.items():
            here = (*place, "dag", "outputs", kind, name)
            if name not in declared:
                yield here, f"`{name}` is made, and the graph does not declare it"
            selectors = list(_selectors(here, mapping(value)))
            if not selectors:
                yield here, f"nothing says which task makes `{name}`"
            for at, selector in selectors:
                yield from _selected(at, selector, kind, tasks, components)


def _selectors(here: Place, value: Part) -> Iterator[tuple[Place, Part]]:
    if "valueFromParameter" in value:
        yield (*here, "valueFromParameter"), mapping(value["valueFromParameter"])
    one_of = mapping(value.get("valueFromOneof")).get("parameterSelectors")
    for words, found in ((("artifactSelectors",), value.get("artifactSelectors")), (_ONE_OF, one_of)):
        for index, selector in enumerate(listed(found)):
            yield (*here, *words, index), mapping(selector)


_ONE_OF = ("valueFromOneof", "parameterSelectors")


def _selected(at: Place, selector: Part, kind: str, tasks: Part, components: Part) -> Iterator[Finding]:
    producer = selector.get("producerSubtask")
    output = selector.get("outputParameterKey" if kind == "parameters" else "outputArtifactKey")
    if producer not in tasks:
        yield at, f"there is no task `{producer}` in the graph"
    elif type_of(tasks[producer], output, kind, components) is None:
        yield at, f"task `{producer}` makes no `{output}`"
