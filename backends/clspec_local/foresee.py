"""What would run now and why, told from what earlier runs left; nothing runs and nothing is written.

Steps that look at the store always run, and nobody knows before what they find. One that has the same configuration and
inputs as the last time is taken to find the same, and all that is told on the ground of that says so.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from clspec import graph
from clspec.plan import Kind
from clspec.runs import Foreseen
from clspec.selection import chosen
from clspec_local import reasons
from clspec_local.artifacts import Result, Results
from clspec_local.history import NAME, Reading
from clspec_local.made_from import Making
from clspec_local.partial import digests, stale, taken
from clspec_local.stamps import ReadStamps

if TYPE_CHECKING:
    from clspec.backend import Workplace
    from clspec.plan import Input, Pipeline, Plan, Step
    from clspec.selection import Selection
    from clspec_local.history import Earlier
    from clspec_local.keys import Parts

RUN, MAY_RUN, UP_TO_DATE, SKIP, MAY_BE_SKIPPED = "run", "may run", "up to date", "skip", "may be skipped"
TAKEN, LEFT_OUT = "taken", "left out"
_OPEN = {RUN, MAY_RUN, MAY_BE_SKIPPED}


def foresee(
    plan: Plan, pipeline: Pipeline, place: Workplace, environment: str, selection: Selection
) -> tuple[Foreseen, ...]:
    """What would become of each step, in the order of the pipeline.

    Raises:
        UsageError: the selection cannot be run.
        HistoryError: the history cannot be read.
    """
    with closing(Reading(place.state / NAME)) as history:
        stamps = ReadStamps(place.state / "stamps.sqlite")
        looking = reasons.Looking(history, plan.name, pipeline.name, environment)
        kept = Results(place.state, history, stamps)
        return _Foresight(pipeline, selection, looking, kept, Making(place.code, stamps)).told()


class _Foresight:
    """One look ahead, step by step."""

    def __init__(
        self, pipeline: Pipeline, selection: Selection, looking: reasons.Looking, kept: Results, making: Making
    ) -> None:
        self._pipeline = pipeline
        self._steps = graph.order(pipeline)
        self._chosen = chosen(pipeline, selection)
        self._force = selection.force
        self._looking, self._kept, self._making = looking, kept, making
        self._results: dict[str, Result] = {}
        """What steps have made, or would."""
        self._will: dict[str, str] = {}
        self._grounds: dict[str, tuple[str, ...]] = {}
        """The steps that look at the store and on whose finding the same the word on a step rests."""

    def told(self) -> tuple[Foreseen, ...]:
        """Every step, in order."""
        made = taken(self._steps, self._chosen, self._looking, self._kept)
        old = {} if self._chosen.is_whole else dict(stale(self._pipeline, self._chosen, self._looking, self._making))
        found = []
        for step in self._steps:
            if step.id in made:
                self._results[step.id] = made[step.id].result
                words = old.get(step.id, f"as run {made[step.id].earlier.run} left it")
                one = Foreseen(step=step.id, kind=step.kind.value, will=TAKEN, reasons=(words,))
            elif step.id not in self._chosen.steps:
                one = Foreseen(step=step.id, kind=step.kind.value, will=LEFT_OUT, reasons=())
            else:
                one = self._chosen_one(step)
            self._will[step.id] = one.will
            found.append(one)
        return tuple(found)

    def _chosen_one(self, step: Step) -> Foreseen:
        grounds = {name: None for need in step.needs for name in self._grounds.get(need, ())}
        will, words = self._judged(step)
        if will == UP_TO_DATE or (will == RUN and step.id in self._results):
            self._grounds[step.id] = tuple(grounds)
        if will == RUN and not step.pure and step.id in self._results:
            self._grounds[step.id] = (*grounds, step.id)
        assumed = tuple(grounds) if will in {UP_TO_DATE, SKIP} else ()
        return Foreseen(step=step.id, kind=step.kind.value, will=will, reasons=words, assumed=assumed)

    def _judged(self, step: Step) -> tuple[str, tuple[str, ...]]:
        """What would become of a step that is part of the run, and why; what it makes is noted where that is known."""
        reads = [entry for entry in step.inputs if not entry.optional]
        for name in dict.fromkeys((*(entry.step for entry in reads), *((step.when.step,) if step.when else ()))):
            if self._will[name] == SKIP:
                return SKIP, (f"{name} would be skipped",)
        unsure = [name for name in (entry.step for entry in reads) if self._will[name] == MAY_BE_SKIPPED]
        if when := step.when:
            if when.step not in self._results:
                return MAY_BE_SKIPPED, (f"only if {when.parameter} of {when.step} is {when.equals}",)
            if self._results[when.step].parameters[when.parameter] != when.equals:
                return SKIP, (f"{when.parameter} of {when.step} is not {when.equals}",)
        if unsure:
            return MAY_BE_SKIPPED, tuple(f"{name} may be skipped" for name in dict.fromkeys(unsure))
        open_ = [entry.name for entry in step.inputs if not self._is_known(entry)]
        parts = self._making.parts(step, digests(step, self._results))
        return self._with_unknown(step, parts, open_) if open_ else self._with_all(step, parts)

    def _same(self, step: Step, earlier: Earlier, key: str, parts: Parts) -> Result | None:
        """What a step that looks at the store would make if the store had what it had; None where that is not known."""
        made = self._kept.at(earlier.digests, earlier.parameters, earlier.run)
        if made is None or earlier.key == key:
            return made
        if step.kind is not Kind.PIN or earlier.parts is None:
            return None
        changes = reasons.differences(earlier.parts, parts)
        if all(each.part == "config" and each.path.partition(".")[0] == "record" for each in changes):
            # The record says what would be registered: that moves the standing, and no version of any data.
            return Result(paths=made.paths, digests={"pins": made.digests["pins"]}, parameters=made.parameters)
        return None

    def _is_known(self, entry: Input) -> bool:
        """Whether it is known what a step would read: what another would make, or that this one is left out."""
        made = self._results.get(entry.step)
        return entry.output in made.digests if made else self._will[entry.step] not in _OPEN

    def _with_unknown(self, step: Step, parts: Parts, unknown: list[str]) -> tuple[str, tuple[str, ...]]:
        """A step of which some inputs are made anew: it runs for sure if something else changed as well."""
        may = (f"input{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} may change",)
        earlier = self._looking.earlier(step.id)
        if earlier is None:
            return RUN, (reasons.NEVER, *may)
        certain: tuple[str, ...] = () if step.pure else (reasons.always(step),)
        if step.id in self._force:
            certain = (reasons.FORCED, *certain)
        if earlier.parts is not None:
            found = reasons.differences(earlier.parts, parts)
            certain += tuple(each.sentence for each in found if each.part != "input" or each.path not in unknown)
        return (RUN if certain else MAY_RUN), (*certain, *may)

    def _with_all(self, step: Step, parts: Parts) -> tuple[str, tuple[str, ...]]:
        """A step all of whose inputs are known."""
        key, _ = reasons.key_of(parts)
        if not step.pure:
            earlier = self._looking.made(step.id)
            if earlier and (found := self._same(step, earlier, key, parts)):
                self._results[step.id] = found
        elif found := self._kept.find(step, key):
            if step.id in self._force:
                return RUN, (reasons.FORCED,)
            self._results[step.id] = found
            return UP_TO_DATE, ()
        words, _ = reasons.why(self._looking, self._kept, step, parts, key)
        return RUN, words if step.id not in self._force else (reasons.FORCED, *words)
