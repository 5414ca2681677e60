"""The order of the steps as Argo's DAGs: what each task waits for, on what condition it runs, and what it is given.

A step that is passed over is `Skipped`, and so is everything that cannot do without it, each by a condition of its own;
`Omitted` is only what hangs on a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec_argo import memo
from clspec_argo.layout import ENTRY, EXIT, OVER, part_name

if TYPE_CHECKING:
    from clspec.plan import Condition, Step
    from clspec_argo.layout import Layout

Document = dict[str, Any]

_ENDED = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")


def of_part(layout: Layout, number: int, name: str) -> Document:
    """The steps of a part and their order.

    Not `failFast`: what does not hang on a failed step runs, as on every target.
    """
    made: Document = {"name": name}
    if taken := [{"name": word(layout, c)} for c in layout.taken(number)]:
        made["inputs"] = {"parameters": taken}
    if given := [_given(layout, c) for c in layout.given(number)]:
        made["outputs"] = {"parameters": given}
    made["dag"] = {"failFast": False, "tasks": [_task(layout, step) for step in layout.parts[number]]}
    return made


def of_parts(layout: Layout, template: str) -> Document:
    """The parts and their order; part N is template `part-N` of the object `TEMPLATE-part-N`."""
    tasks = [_part(layout, number, template) for number in range(len(layout.parts))]
    return {"name": ENTRY, "dag": {"failFast": False, "tasks": tasks}}


def of_exit(layout: Layout) -> tuple[Document, ...]:
    """The steps at the exit, and a last one that takes no pod: their own end changes nothing about the run's."""
    tasks: list[Document] = []
    for step in layout.exits:
        task: Document = {"name": layout.called[step.id], "template": layout.called[step.id]}
        if needed := [name for name in layout.needed(step) if layout.steps[name].always]:
            task["depends"] = " && ".join(_ended(layout.called[name]) for name in needed)
        tasks.append(task)
    depends = " && ".join(_ended(layout.called[step.id]) for step in layout.exits)
    tasks.append({"name": OVER, "template": OVER, "depends": depends})
    return (
        {"name": EXIT, "dag": {"failFast": False, "tasks": tasks}},
        {"name": OVER, "suspend": {"duration": "1"}},
    )


def word(layout: Layout, condition: Condition) -> str:
    """A step's parameter as a parameter of a part; no step's name holds an underscore."""
    return f"{layout.called[condition.step]}_{condition.parameter}"


def _part(layout: Layout, number: int, template: str) -> Document:
    name = part_name(number)
    made: Document = {"name": name, "templateRef": {"name": f"{template}-{name}", "template": name}}
    if before := layout.before(number):
        made["depends"] = " && ".join(f"{part_name(earlier)}.Succeeded" for earlier in before)
    if taken := list(layout.taken(number)):
        made["arguments"] = {"parameters": [_passed_on(layout, condition) for condition in taken]}
    return made


def _passed_on(layout: Layout, condition: Condition) -> dict[str, str]:
    name, part = word(layout, condition), part_name(layout.part_of[condition.step])
    return {"name": name, "value": f"{{{{tasks.{part}.outputs.parameters.{name}}}}}"}


def _given(layout: Layout, condition: Condition) -> Document:
    default = {"default": ""} if layout.conditions[condition.step] else {}
    value = _value(layout, condition, layout.part_of[condition.step])
    return {"name": word(layout, condition), "valueFrom": {"parameter": value, **default}}


def _task(layout: Layout, step: Step) -> Document:
    name, part = layout.called[step.id], layout.part_of[step.id]
    made: Document = {"name": name, "template": name}
    if needed := [need for need in layout.needed(step) if layout.part_of[need] == part]:
        made["depends"] = " && ".join(_over(layout, need) for need in needed)
    if conditions := layout.conditions[step.id]:
        made["when"] = " && ".join(f"'{_value(layout, c, part)}' == '{c.equals}'" for c in conditions)
    artifacts = [
        {
            "name": source.name,
            "from": f"{{{{tasks.{layout.called[source.step]}.outputs.artifacts.{source.output}}}}}",
            **({"optional": True} if source.optional else {}),
        }
        for source in step.inputs
        if layout.part_of[source.step] == part
    ]
    arguments: Document = {}
    if step.id in layout.kept:
        arguments["parameters"] = [_digest(layout.called[source]) for source in memo.sources(step)]
    if artifacts:
        arguments["artifacts"] = artifacts
    return {**made, "arguments": arguments} if arguments else made


def _digest(source: str) -> dict[str, str]:
    return {"name": memo.taken(source), "value": f"{{{{tasks.{source}.outputs.parameters.{memo.WORD}}}}}"}


def of_tried(layout: Layout, step: Step, leaf: Document, given: list[Document], memoized: Document) -> Document:
    """A step that may be tried again, as a DAG of it alone: what is kept and found again is the DAG's result."""
    name, default = layout.tried[step.id], {"default": ""} if layout.conditions[step.id] else {}
    taken = [source.name for source in step.inputs]
    outputs = leaf.get("outputs", {})

    def tag(sort: str, item: Document) -> str:
        return f"{{{{tasks.{name}.outputs.{sort}.{item['name']}}}}}"

    parameters = [
        {"name": o["name"], "valueFrom": {"parameter": tag("parameters", o), **default}}
        for o in outputs.get("parameters", ())
    ]
    artifacts = [{"name": o["name"], "from": tag("artifacts", o)} for o in outputs.get("artifacts", ())]
    found = {"parameters": parameters, "artifacts": artifacts}
    task = {
        "name": name,
        "template": name,
        "arguments": {"artifacts": [{"name": n, "from": f"{{{{inputs.artifacts.{n}}}}}"} for n in taken]},
    }
    return {
        "name": layout.called[step.id],
        "inputs": {"parameters": given, "artifacts": [{"name": n} for n in taken]},
        "outputs": {sort: listed for sort, listed in found.items() if listed},
        "memoize": memoized,
        "dag": {"failFast": False, "tasks": [task]},
    }


def _value(layout: Layout, condition: Condition, part: int) -> str:
    """The tag of a step's word, as a task of that part reads it."""
    if layout.part_of[condition.step] != part:
        return f"{{{{inputs.parameters.{word(layout, condition)}}}}}"
    return f"{{{{tasks.{layout.called[condition.step]}.outputs.parameters.{condition.parameter}}}}}"


def _over(layout: Layout, need: str) -> str:
    name = layout.called[need]
    return f"({name}.Succeeded || {name}.Skipped)" if layout.conditions[need] else f"{name}.Succeeded"


def _ended(name: str) -> str:
    return "(" + " || ".join(f"{name}.{result}" for result in _ENDED) + ")"
