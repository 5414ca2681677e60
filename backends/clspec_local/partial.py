"""A run of a part of a pipeline: what it takes from earlier runs, as those left it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clspec import selection
from clspec.diagnostic import UsageError
from clspec_local.reasons import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.plan import Pipeline, Step
    from clspec.selection import Chosen
    from clspec_local.artifacts import Result, Results
    from clspec_local.history import Earlier
    from clspec_local.made_from import Making
    from clspec_local.reasons import Looking


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step that is no part of a run has made in an earlier one."""

    earlier: Earlier
    result: Result


def read_by(steps: Sequence[Step], chosen: Chosen) -> Iterator[tuple[Step, str, bool]]:
    """Each need of the chosen steps for what one outside makes: who needs it, whose it is, and whether it must be."""
    for step in steps:
        if step.id in chosen.steps:
            wanted = {
                entry.step: not entry.optional for entry in sorted(step.inputs, key=lambda entry: not entry.optional)
            }
            if step.when:
                wanted[step.when.step] = True
            for name, must_be in wanted.items():
                if name not in chosen.steps:
                    yield step, name, must_be


def taken(steps: Sequence[Step], chosen: Chosen, looking: Looking, kept: Results) -> dict[str, Taken]:
    """What the chosen steps read of those that are no part of the run, from the newest run that has it.

    Raises:
        UsageError: no run has it, or it is not what that run made any more.
    """
    found: dict[str, Taken] = {}
    for step, name, must_be in read_by(steps, chosen):
        if name in found:
            continue
        earlier = looking.made(name)
        result = kept.at(earlier.digests, earlier.parameters, earlier.run) if earlier else None
        if earlier and result:
            found[name] = Taken(earlier, result)
        elif must_be:
            what = f"what run {earlier.run} made was deleted or edited" if earlier else "no run has made it"
            message = f"`{step.id}` needs what `{name}` makes, and {what}: let `{name}` be part of the run"
            raise UsageError(message)
    return found


def stale(pipeline: Pipeline, chosen: Chosen, looking: Looking, making: Making) -> Iterator[tuple[str, str]]:
    """The steps before the chosen ones that would run again in a whole run, each with the reasons in words."""
    above = selection.before(pipeline, chosen.steps) - chosen.steps
    for step in pipeline.steps:
        earlier = looking.made(step.id) if step.id in above else None
        if earlier is None or earlier.parts is None:
            continue
        now = replace(making.parts(step, {}), inputs=earlier.parts.inputs)
        if found := [each.sentence for each in differences(earlier.parts, now)]:
            yield step.id, f"is taken as run {earlier.run} left it, and would run again: {', '.join(found)}"


def digests(step: Step, results: Mapping[str, Result]) -> dict[str, str]:
    """The digests of what a step reads, by the names that it knows them by; what is missing has none."""
    there = (entry for entry in step.inputs if entry.step in results)
    return {e.name: results[e.step].digests[e.output] for e in there if e.output in results[e.step].digests}
