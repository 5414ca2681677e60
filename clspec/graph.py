"""A pipeline as a graph: its order, what depends on what, and pictures of it."""

from __future__ import annotations

import heapq
import json
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError
from clspec.plan import READS, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.plan import Pipeline, Step


class GraphError(ClspecError):
    """A plan that cannot be run: a step needs what is not there, or itself."""


def order(pipeline: Pipeline) -> tuple[Step, ...]:
    """The steps, each after all it needs; where several could come next, the first by id (Kahn 1962, with a heap).

    Raises:
        GraphError: a need is not a step, an id is given twice, or the needs go in a circle.
    """
    steps = _by_id(pipeline)
    waiting = {step.id: len(set(step.needs)) for step in pipeline.steps}
    followers: dict[str, list[str]] = {name: [] for name in steps}
    for step in pipeline.steps:
        for need in set(step.needs):
            if need not in steps:
                message = f"step `{step.id}` needs `{need}`, which is no step of `{pipeline.name}`"
                raise GraphError(message)
            followers[need].append(step.id)
    ready = [name for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    found: list[Step] = []
    while ready:
        name = heapq.heappop(ready)
        found.append(steps[name])
        for follower in followers[name]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, follower)
    if len(found) < len(steps):
        stuck = ", ".join(sorted(name for name, count in waiting.items() if count > 0)[:5])
        message = f"the steps of `{pipeline.name}` need each other in a circle: {stuck}"
        raise GraphError(message)
    return tuple(found)


def check_edges(pipeline: Pipeline) -> None:
    """Every input and condition reads something of its type that an earlier, needed step writes.

    Raises:
        GraphError: one does not.
    """
    steps = _by_id(pipeline)
    for step in order(pipeline):
        for entry in step.inputs:
            outputs = {a.name: a.type for a in steps[entry.step].outputs} if entry.step in steps else {}
            if entry.step not in step.needs or entry.output not in outputs:
                message = f"step `{step.id}` reads `{entry.output}` of `{entry.step}`, which does not write it before"
                raise GraphError(message)
            wanted = READS[step.kind].get(entry.name.partition("-")[0])
            if outputs[entry.output] is not wanted:
                what = f"a {wanted.value}" if wanted else "nothing"
                message = f"step `{step.id}` reads {what} as `{entry.name}`, not a {outputs[entry.output].value}"
                raise GraphError(message)
        condition = step.when
        if condition and (
            condition.step not in step.needs or condition.parameter not in steps[condition.step].parameters
        ):
            message = (
                f"step `{step.id}` depends on `{condition.parameter}` of `{condition.step}`, which does not write it"
            )
            raise GraphError(message)


def check_guarded(pipeline: Pipeline) -> None:
    """No rows reach a dataset or the label queue but from a guard, through steps that only choose or label them.

    Raises:
        GraphError: some do.
    """
    steps = _by_id(pipeline)
    for step in pipeline.steps:
        if step.kind not in {Kind.APPEND, Kind.ENQUEUE}:
            continue
        found = _row_source(steps, step)
        while found.kind in {Kind.SAMPLE, Kind.AUTO_LABEL}:
            found = _row_source(steps, found)
        if found.kind is not Kind.GUARD:
            message = f"step `{step.id}` takes rows of `{found.id}`, which no guard has seen"
            raise GraphError(message)


def _row_source(steps: dict[str, Step], step: Step) -> Step:
    """The step that a step has its rows from."""
    return steps[next(entry.step for entry in step.inputs if entry.name == "rows")]


def ancestors(pipeline: Pipeline, name: str) -> frozenset[str]:
    """The ids of all steps that must be over before a step."""
    steps = _by_id(pipeline)
    found: set[str] = set()
    waiting = list(steps[name].needs)
    while waiting:
        need = waiting.pop()
        if need not in found:
            found.add(need)
            waiting.extend(steps[need].needs)
    return frozenset(found)


def of(pipeline: Pipeline) -> Any:
    """The pipeline as a frozen networkx DiGraph: nodes are step ids with their `step`, edges name what they carry."""
    import networkx  # noqa: PLC0415  # 0.2 s that no compile needs

    graph: Any = networkx.DiGraph(name=pipeline.name)
    for step in order(pipeline):
        graph.add_node(step.id, step=step)
        for need in step.needs:
            graph.add_edge(need, step.id, carries=_carried(step, need))
    return networkx.freeze(graph)


def _carried(step: Step, need: str) -> tuple[str, ...]:
    """The names of the outputs of `need` that a step reads; a condition's parameter stands in brackets."""
    carried = [entry.output for entry in step.inputs if entry.step == need]
    if step.when and step.when.step == need:
        carried.append(f"[{step.when.parameter} = {step.when.equals}]")
    return tuple(carried)


def _by_id(pipeline: Pipeline) -> dict[str, Step]:
    steps = {step.id: step for step in pipeline.steps}
    if len(steps) < len(pipeline.steps):
        message = f"`{pipeline.name}` has two steps of one id"
        raise GraphError(message)
    return steps


def mermaid(pipelines: Sequence[Pipeline]) -> str:
    """A flowchart in mermaid's language, which code forges render."""
    lines = ["flowchart TD"]
    for number, pipeline in enumerate(pipelines):
        names = {step.id: f"p{number}s{index}" for index, step in enumerate(order(pipeline))}
        lines.append(f'  subgraph p{number}["{pipeline.name}"]')
        for step in order(pipeline):
            left, right = ("{{", "}}") if step.when else ("[", "]")
            lines.append(f'    {names[step.id]}{left}"{step.id}"{right}')
        lines.append("  end")
        for step in order(pipeline):
            lines.extend(_mermaid_edge(step, need, names) for need in step.needs)
    return "\n".join(lines) + "\n"


def _mermaid_edge(step: Step, need: str, names: dict[str, str]) -> str:
    label = ", ".join(_carried(step, need)).replace("[", "").replace("]", "")
    arrow = f'-->|"{label}"|' if label else "-.->"
    return f"  {names[need]} {arrow} {names[step.id]}"


def dot(pipelines: Sequence[Pipeline]) -> str:
    """A digraph in Graphviz' language."""
    lines = ["digraph clspec {", "  rankdir=TB;", "  node [shape=box];"]
    for pipeline in pipelines:
        for step in order(pipeline):
            key = json.dumps(f"{pipeline.name}/{step.id}")
            lines.append(f"  {key} [label={json.dumps(step.id)}];")
            for need in step.needs:
                label = json.dumps(", ".join(_carried(step, need)))
                lines.append(f"  {json.dumps(f'{pipeline.name}/{need}')} -> {key} [label={label}];")
    return "\n".join([*lines, "}"]) + "\n"


def as_json(pipelines: Sequence[Pipeline]) -> str:
    """Nodes and edges as JSON, with the line in the spec from which each step comes."""
    found = [
        {
            "name": pipeline.name,
            "steps": [_node(step) for step in order(pipeline)],
            "edges": [
                {"from": need, "to": step.id, "carries": list(_carried(step, need))}
                for step in order(pipeline)
                for need in step.needs
            ],
        }
        for pipeline in pipelines
    ]
    return json.dumps({"pipelines": found}, indent=2) + "\n"


def _node(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "kind": step.kind.value,
        "outputs": {artifact.name: artifact.type.value for artifact in step.outputs},
        "line": step.origin.line if step.origin else None,
        "where": step.where,
    }
