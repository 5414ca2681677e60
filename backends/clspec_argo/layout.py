"""Where the steps of a pipeline stand in Argo's objects: which run in its order, which at its exit, in which part.

An object of Argo 4 holds 200 templates and a DAG 200 tasks, so a longer pipeline is laid out in parts, each an object
of its own. A part holds steps that follow each other in the order, so that no two parts wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clspec import graph
from clspec_argo import memo
from clspec_argo.text import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Condition, Pipeline, Step

ENTRY = "pipeline"
"""The template that holds the order of the steps, or of the parts."""
EXIT = "exit"
"""The template that holds the steps that run however the others end."""
OVER = "over"
"""The template that ends the exit well, however its steps have ended."""


def part_name(number: int) -> str:
    """The task and the template of a part."""
    return f"part-{number + 1}"


@dataclass(frozen=True)
class Layout:
    """The steps of a pipeline by what they are to Argo."""

    pipeline: Pipeline
    longest: int
    """How many templates an object may have."""
    memoizes: bool = False
    """Whether results of earlier runs are asked for."""

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """Every step by its id, each after all that it needs, those that always run at the end."""
        ordered = graph.order(self.pipeline)
        return {s.id: s for s in (*(s for s in ordered if not s.always), *(s for s in ordered if s.always))}

    @cached_property
    def called(self) -> Mapping[str, str]:
        """The name of each step's template and task."""
        parts = (part_name(number) for number in range(len(self.parts))) if len(self.parts) > 1 else ()
        return names(self.steps, frozenset({ENTRY, EXIT, OVER, *parts}))

    @cached_property
    def kept(self) -> frozenset[str]:
        """The steps that an earlier result may stand in for; none where parts fetch by this run's keys."""
        if not self.memoizes or len(self.parts) > 1:
            return frozenset()
        return frozenset(step for step, obstacle in memo.obstacles(self.pipeline).items() if not obstacle)

    @cached_property
    def worded(self) -> frozenset[str]:
        """The steps that say in one word what they made, since a key depends on it."""
        return frozenset(name for step in self.kept for name in memo.sources(self.steps[step]))

    @cached_property
    def tried(self) -> Mapping[str, str]:
        """The template that is tried again, for each step with retries that an earlier result may stand in for.

        Argo keeps nothing of a template with retries (argo-workflows issues 10426 and 12490), so that such a step is
        a DAG of one task, and the DAG's results are kept.
        """
        both = {f"{step}\0tried": step for step in self.steps if step in self.kept and self.steps[step].retry.times}
        used = frozenset({ENTRY, EXIT, OVER, *self.called.values()})
        return {both[inner]: name for inner, name in names(both, used).items()}

    @cached_property
    def parts(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of the run proper, in parts that a list can hold; mostly one."""
        proper = tuple(step for step in self.steps.values() if not step.always)
        in_one = len(self.steps) + 1 + (2 if self.exits else 0) + self._wrapped <= self.longest
        length = max(len(proper), 1) if in_one else self.longest - 1  # the order of a part is a template too
        return tuple(proper[start : start + length] for start in range(0, len(proper), length)) or ((),)

    @property
    def _wrapped(self) -> int:
        """How many steps take a second template if their results are kept."""
        kept = memo.obstacles(self.pipeline) if self.memoizes else {}
        return sum(self.steps[step].retry.times > 0 for step, obstacle in kept.items() if not obstacle)

    @cached_property
    def part_of(self) -> Mapping[str, int]:
        """The number of each step's part."""
        return {step.id: number for number, part in enumerate(self.parts) for step in part}

    @cached_property
    def exits(self) -> tuple[Step, ...]:
        """The steps that run once all else is over."""
        return tuple(step for step in self.steps.values() if step.always)

    @cached_property
    def conditions(self) -> Mapping[str, tuple[Condition, ...]]:
        """What must hold for each step to run: its own condition, and those of all that it cannot do without."""
        found: dict[str, tuple[Condition, ...]] = {}
        for step in self.steps.values():
            led = (*((step.when.step,) if step.when else ()), *(i.step for i in step.inputs if not i.optional))
            own = (step.when,) if step.when else ()
            found[step.id] = tuple(dict.fromkeys((*(c for name in led for c in found[name]), *own)))
        return found

    def needed(self, step: Step) -> tuple[str, ...]:
        """The steps that must be over before one, in a fixed order."""
        if not self.conditions[step.id] and all(source.step in step.needs for source in step.inputs):
            return step.needs  # so most are
        told = (*step.needs, *(i.step for i in step.inputs), *(c.step for c in self.conditions[step.id]))
        return tuple(dict.fromkeys(told))

    @cached_property
    def _crossing(self) -> tuple[tuple[int, Condition], ...]:
        """The words that a part takes from earlier ones, each once, with the number of the part that takes it."""
        asked = ((self.part_of[name], c) for name, cs in self.conditions.items() if name in self.part_of for c in cs)
        return tuple({(n, c.step, c.parameter): (n, c) for n, c in asked if self.part_of[c.step] != n}.values())

    def taken(self, number: int) -> tuple[Condition, ...]:
        """The words that a part takes from earlier ones."""
        return tuple(condition for part, condition in self._crossing if part == number)

    def given(self, number: int) -> tuple[Condition, ...]:
        """The words that a part gives to later ones, each once."""
        given = (c for _, c in self._crossing if self.part_of[c.step] == number)
        return tuple({(c.step, c.parameter): c for c in given}.values())

    def before(self, number: int) -> tuple[int, ...]:
        """The parts that must be over before one."""
        needed = {self.part_of[name] for step in self.parts[number] for name in self.needed(step)}
        return tuple(sorted(needed - {number}))
