"""Which steps of a pipeline a person wants to run: all of them, or those from here, until there, or only these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError, did_you_mean
from clspec.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clspec.plan import Pipeline

_WHOLE_ONLY = {
    Kind.REGISTER: "registers no model: none was judged in full",
    Kind.PROMOTE: "promotes no model: none was judged in full",
    Kind.NOTIFY: "tells nobody how it ended",
}
"""What only a run of the whole pipeline does, and what a partial one says instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was said of steps; without a word, a run is of the whole pipeline."""

    since: tuple[str, ...] = ()
    """These, and all that comes after one of them (`--from`)."""
    until: tuple[str, ...] = ()
    """These, and all that comes before one of them."""
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    """These run even if they are up to date."""

    def __str__(self) -> str:
        flags = (("--from", self.since), ("--until", self.until), ("--only", self.only), ("--force", self.force))
        return " ".join(f"{flag} {name}" for flag, names in flags for name in names)


WHOLE = Selection()
"""All of the pipeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The steps that are part of a run, and whether those are all."""

    steps: frozenset[str]
    is_whole: bool


def chosen(pipeline: Pipeline, selection: Selection) -> Chosen:
    """The steps of a pipeline that are meant.

    Raises:
        UsageError: a step is unknown, the words contradict each other, or a partial run may not do what they ask for.
    """
    _refuse_unknown(pipeline, selection)
    if selection.only and (selection.since or selection.until):
        message = "--only says which steps run; --from and --until say it, too: leave one of them out"
        raise UsageError(message)
    every = frozenset(step.id for step in pipeline.steps)
    found = every
    if selection.only:
        found = frozenset(selection.only)
    if selection.since:
        found &= _closure(selection.since, _followers(pipeline))
    if selection.until:
        found &= _closure(selection.until, {step.id: step.needs for step in pipeline.steps})
    if not found:
        message = (
            f"nothing is left to run: nothing from {_listed(selection.since)} on leads to {_listed(selection.until)}"
        )
        raise UsageError(message)
    if found == every:
        _refuse_outside(selection.force, found)
        return Chosen(steps=every, is_whole=True)
    for step in pipeline.steps:
        named = step.id in {*selection.since, *selection.until, *selection.only, *selection.force}
        if step.kind in _WHOLE_ONLY and named:
            message = f"`{step.id}` is for runs of the whole pipeline: a partial run {_WHOLE_ONLY[step.kind]}"
            raise UsageError(message)
    found -= {step.id for step in pipeline.steps if step.kind in _WHOLE_ONLY}
    _refuse_outside(selection.force, found)
    return Chosen(steps=found, is_whole=False)


def _refuse_unknown(pipeline: Pipeline, selection: Selection) -> None:
    known = [step.id for step in pipeline.steps]
    for name in (*selection.since, *selection.until, *selection.only, *selection.force):
        if name not in known:
            hint = did_you_mean(name, known) or f"`clspec run --local --pipeline {pipeline.name} --plan` lists them"
            message = f"pipeline `{pipeline.name}` has no step `{name}`: {hint}"
            raise UsageError(message)


def _refuse_outside(force: Iterable[str], found: frozenset[str]) -> None:
    for name in force:
        if name not in found:
            message = f"--force {name}: that step is no part of what --from, --until or --only let run"
            raise UsageError(message)


def _followers(pipeline: Pipeline) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {step.id: [] for step in pipeline.steps}
    for step in pipeline.steps:
        for need in step.needs:
            found[need].append(step.id)
    return found


def _closure(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The names, and all that the edges lead to from them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges[name])
    return frozenset(found)


def before(pipeline: Pipeline, names: Iterable[str]) -> frozenset[str]:
    """These steps, and all that comes before one of them."""
    return _closure(names, {step.id: step.needs for step in pipeline.steps})


def _listed(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
