"""Which steps run under one condition: a pipeline as Kubeflow wants it, graphs within graphs.

Kubeflow lets a task run only if all that it depends on *succeeded*, and one that was skipped has not. So steps that
share a condition stand in a graph of their own, which always runs and holds what may be skipped; whatever comes after
them depends on that graph. What is inside cannot be read from outside: an output that was never made fails the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clspec.plan import Condition, Input, Pipeline, Step

Scope = tuple["Condition", ...]
"""The conditions under which a step runs, the outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps that one condition decides about, and groups within them."""

    name: str
    when: Condition
    members: tuple[Step | Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A pipeline taken apart: what is part of the run proper, and what runs after it however it ended."""

    members: tuple[Step | Group, ...]
    last: tuple[Step, ...]
    places: Mapping[str, tuple[str, ...]]
    """The groups in which each step stands, the outermost first."""

    def is_handed_over(self, step: Step, given: Input) -> bool:
        """Whether an input may be missing when its step starts, so that no edge of Kubeflow's can carry it."""
        if step.always or given.step not in self.places:
            return True
        return given.optional and not _reaches(self.places[given.step], self.places[step.id])


def nested(pipeline: Pipeline) -> Nested:
    """The pipeline as graphs within graphs; `unsayable` tells what this form cannot say.

    Raises:
        GraphError: it is no graph.
    """
    order = graph.order(pipeline)
    steps = tuple(step for step in order if not step.always)
    taken = {step.id for step in order}
    members = tuple(_members(steps, 0, _scopes(steps), taken))
    return Nested(members=members, last=tuple(step for step in order if step.always), places=dict(_places(members, ())))


def unsayable(pipeline: Pipeline) -> Iterator[tuple[Step, str]]:
    """Each step that Kubeflow's graphs cannot hold, and why."""
    found = nested(pipeline)
    places = found.places
    last = {step.id for step in found.last}
    for step in pipeline.steps:
        for name in sorted(last & {*step.needs, *(given.step for given in step.inputs)}):
            if not step.always:
                yield step, f"waits for step `{name}`, which runs after everything else"
        if step.always and step.when:
            yield step, "always runs and yet has a condition"
        if not step.always:
            for name in sorted(_read(step) & places.keys()):
                if not _reaches(places[name], places[step.id]):
                    yield step, f"reads what step `{name}` writes, which is made under another condition"


def _reaches(inner: Sequence[object], outer: Sequence[object]) -> bool:
    """Whether what is made under the first conditions is there wherever the second hold."""
    return tuple(outer[: len(inner)]) == tuple(inner)


def _read(step: Step) -> set[str]:
    """The steps without whose outputs a step cannot run."""
    return {given.step for given in step.inputs if not given.optional} | ({step.when.step} if step.when else set())


def _scopes(steps: Iterable[Step]) -> dict[str, Scope]:
    """What decides about each step: its own condition, and those of all that it cannot do without."""
    found: dict[str, Scope] = {}
    for step in steps:
        scope = max((found[name] for name in sorted(_read(step)) if name in found), key=len, default=())
        found[step.id] = scope if step.when is None or step.when in scope else (*scope, step.when)
    return found


def _members(steps: Sequence[Step], depth: int, scopes: Mapping[str, Scope], taken: set[str]) -> Iterator[Step | Group]:
    """The steps of one graph, those under a further condition gathered into groups that do not wait for each other.

    Two steps share a group only if no step outside of it stands between them: each change from one condition to
    another along an edge counts one phase further, and a group has one condition and one phase.
    """
    phases: dict[str, tuple[Condition | None, int]] = {}
    gathered: dict[tuple[Condition, int], list[Step]] = {}
    for step in steps:
        scope = scopes[step.id]
        when = scope[depth] if len(scope) > depth else None
        before = (phases[name] for name in _waits_for(step) if name in phases)
        phase = max((number if other == when else number + 1 for other, number in before), default=0)
        phases[step.id] = when, phase
        if when is None:
            yield step
        else:
            gathered.setdefault((when, phase), []).append(step)
    for (when, _), inside in gathered.items():
        name = _name(f"if-{inside[0].id}", taken)
        yield Group(name=name, when=when, members=tuple(_members(inside, depth + 1, scopes, taken)))


def _waits_for(step: Step) -> set[str]:
    return {*step.needs, *(given.step for given in step.inputs), *((step.when.step,) if step.when else ())}


def _name(wanted: str, taken: set[str]) -> str:
    """The name, or one like it where a step or a group already has it."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name


def _places(members: Iterable[Step | Group], within: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for member in members:
        if isinstance(member, Group):
            yield from _places(member.members, (*within, member.name))
        else:
            yield member.id, within
