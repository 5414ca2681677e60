"""A plan as it can be read back from a target's files, and where it differs from the plan that was emitted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.diagnostic import Diagnostic
    from clspec.plan import Condition, Input, Pipeline, Plan, Step, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStep:
    """A step as a target will run it."""

    kind: str
    config: Any
    """The configuration as a value, no longer JSON."""
    needs: frozenset[str]
    """The ids of what is over before it starts; where steps run one by one, all that come earlier."""
    inputs: frozenset[Input] = frozenset()
    outputs: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    when: Condition | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that its machine must carry; empty for a target that reports node selectors as not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPipeline:
    """The steps of a pipeline by id, and what starts it, without places."""

    steps: Mapping[str, ReadStep]
    triggers: frozenset[Trigger] = frozenset()


def differences(plan: Plan, read: Mapping[str, ReadPipeline]) -> list[str]:
    """What is lost, added or changed among pipelines, steps and edges, one line each."""
    named = {pipeline.name: pipeline for pipeline in plan.pipelines}
    found = _names("pipelines", set(named), set(read))
    for name in sorted(named.keys() & read.keys()):
        found += [f"{name}: {line}" for line in _of_pipeline(named[name], read[name])]
    return found


def _of_pipeline(pipeline: Pipeline, read: ReadPipeline) -> Iterator[str]:
    steps = {step.id: step for step in pipeline.steps}
    yield from _names("steps", set(steps), set(read.steps))
    before = {name: _before(name, read.steps) for name in read.steps}
    for name in sorted(steps.keys() & read.steps.keys()):
        yield from (f"step {name}: {line}" for line in _of_step(steps[name], read.steps[name], before[name]))


def _of_step(step: Step, read: ReadStep, before: set[str]) -> Iterator[str]:
    if step.id in before:
        yield "it waits for itself"
    if missing := set(step.needs) - before:
        yield f"it does not wait for {sorted(missing)}"
    said = {
        "kind": (step.kind.value, read.kind),
        "config": (json.loads(step.config), read.config),
        "inputs": (frozenset(step.inputs), read.inputs),
        "outputs": (frozenset(output.name for output in step.outputs), read.outputs),
        "parameters": (frozenset(step.parameters), read.parameters),
        "when": (step.when, read.when),
    }
    for part, (given, found) in said.items():
        if not _same(given, found):
            yield f"{part} is {found!a} instead of {given!a}"


def _same(given: object, found: object) -> bool:
    """Equal in value and in type, all the way down: 1, 1.0 and true are three values."""
    if isinstance(given, dict) and isinstance(found, dict):
        return given.keys() == found.keys() and all(_same(given[key], found[key]) for key in given)
    if isinstance(given, list) and isinstance(found, list):
        return len(given) == len(found) and all(map(_same, given, found))
    return type(given) is type(found) and given == found


def _before(name: str, steps: Mapping[str, ReadStep]) -> set[str]:
    """Everything that is over before a step starts."""
    found: set[str] = set()
    waiting = list(steps[name].needs)
    while waiting:
        need = waiting.pop()
        if need not in found:
            found.add(need)
            waiting.extend(steps[need].needs if need in steps else ())
    return found


def _names(what: str, given: set[str], found: set[str]) -> list[str]:
    lines = [f"{what} lost: {sorted(given - found)}"] if given - found else []
    return lines + ([f"{what} added: {sorted(found - given)}"] if found - given else [])


def lost_triggers(plan: Plan, read: ReadPipeline, found: Iterable[Diagnostic]) -> list[str]:
    """Triggers that are neither there nor reported at their place, and those that are there and were never asked for.

    A target that reports a time zone as not kept may start the run at that time in another.
    """
    places = {diagnostic.span for diagnostic in found} - {None}
    asked = [(trigger.origin, _bare(trigger)) for trigger in plan.pipelines[0].triggers]
    lost = [f"lost: {bare}" for origin, bare in asked if bare not in read.triggers and origin not in places]
    known = {replace(bare, time_zone="") for _, bare in asked}
    return lost + [f"invented: {bare}" for bare in read.triggers if replace(bare, time_zone="") not in known]


def _bare(trigger: Trigger) -> Trigger:
    return replace(trigger, origin=None, where="")


def left_out(plan: Plan, read: Mapping[str, ReadPipeline], found: Iterable[Diagnostic]) -> list[str]:
    """Pipelines and steps that are not there, and reported neither at their own place nor at their pipeline's."""
    places = {diagnostic.span for diagnostic in found} - {None}
    lost = []
    for pipeline in plan.pipelines:
        if pipeline.origin not in places:
            there = read[pipeline.name].steps if pipeline.name in read else {}
            lost += [step.id for step in pipeline.steps if step.id not in there and step.origin not in places]
    return lost


def lost_labels(plan: Plan, read: ReadPipeline, found: Iterable[Diagnostic]) -> list[str]:
    """Node selectors that are neither there nor reported at their step."""
    places = {diagnostic.span for diagnostic in found} - {None}
    return [
        f"step {step.id}: {key!a}={value!a}"
        for step in plan.pipelines[0].steps
        for key, value in step.resources.node_selector
        if read.steps[step.id].node_selector.get(key) != value and step.origin not in places
    ]
