"""Whether a commit has passed: all that its change of code starts ran on it, whole, on clean files, and passed.

A pipeline that this commit does not start need not run on it if it passed on an earlier one and nothing that its
trigger's paths name has changed since, nor the spec or its lock. What is not known is red. The newest run that came to
an end decides, so that no earlier pass hides a later refusal.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from clspec.runs import Run

_JUDGED = {0, 1, 2, 3}
"""The exit codes of runs that came to an end of their own."""
_PASSED = {"pass", "skipped"}
_NAMED = 3
_EARLIER = 50
"""So many earlier commits are looked at, the newest runs' first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked about: a spec at a commit, as people name it where they are."""

    spec: str
    path: str
    """Its path from the repository's root."""
    commit: str
    environment: str
    is_head: bool
    """Whether the commit is the one that is checked out."""
    is_same: Callable[[str, Iterable[str]], bool] = field(compare=False, repr=False)
    """Whether an earlier commit is known to have the same of what some paths name, and the same spec and lock."""

    def command(self, pipeline: str) -> str:
        """The command that makes the run that is missing."""
        there = "" if self.is_head else f"git switch --detach {self.commit[:12]} && "
        place = f" --env {shlex.quote(self.environment)}" if self.environment else ""
        return f"{there}clspec run --local {shlex.quote(self.spec)} --pipeline {pipeline}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that keeps a commit from being green, and the way to mend it."""

    pipeline: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is known of a spec at a commit."""

    asked: Asked
    passed: tuple[Run, ...]
    missing: tuple[Missing, ...]
    not_started: tuple[Run, ...] = ()
    """The runs, on earlier commits, of pipelines that this commit does not start."""

    @property
    def is_green(self) -> bool:
        """Whether all that must have passed has, and something ran on this very commit."""
        return bool(self.passed) and not self.missing


def judge(asked: Asked, pipelines: Mapping[str, Iterable[str]], runs: Sequence[Run]) -> Status:
    """The status of a spec at a commit, by the runs, the newest first.

    `pipelines` are those that the spec's triggers name, each with the paths whose change starts it.
    """
    passed: list[Run] = []
    missing: list[Missing] = []
    not_started: list[Run] = []
    if not pipelines:
        what = "the spec has no `code_change` trigger, which would say what has to pass"
        mend = "add to `triggers`: {event: code_change, paths: [...], run: regression}"
        missing.append(Missing(pipeline="", what=what, mend=mend))
    for pipeline, paths in pipelines.items():
        there = [run for run in runs if run.pipeline == pipeline and _is_of(run, asked)]
        earlier = None if there else _standing(asked, paths, (run for run in runs if run.pipeline == pipeline))
        found = _judged(asked, pipeline, there if earlier is None else [earlier])
        if isinstance(found, Missing):
            missing.append(found)
        elif earlier is None:
            passed.append(found)
        else:
            not_started.append(found)
    if not_started and not passed and not missing:  # nothing run is red
        missing = [_nothing_ran(asked, run) for run in not_started]
        not_started = []
    return Status(asked=asked, passed=tuple(passed), missing=tuple(missing), not_started=tuple(not_started))


def _nothing_ran(asked: Asked, earlier: Run) -> Missing:
    words = f"on {earlier.commit[:12]}, since when none of its paths changed, it passed in run {earlier.id}"
    what = f"it did not run on {asked.commit[:12]}, nor did anything else; {words}"
    return Missing(pipeline=earlier.pipeline, what=what, mend=asked.command(earlier.pipeline))


def _standing(asked: Asked, paths: Iterable[str], runs: Iterator[Run]) -> Run | None:
    """The newest run on an earlier commit that speaks for this one too: what starts the pipeline is the same there."""
    same: dict[str, bool] = {}
    for run in runs:
        tree = run.tree
        if tree is None or (tree.path, run.environment) != (asked.path, asked.environment) or not _counts(run):
            continue
        if tree.commit not in same and len(same) < _EARLIER:
            same[tree.commit] = asked.is_same(tree.commit, paths)
        if same.get(tree.commit):
            return run
    return None


def _counts(run: Run) -> bool:
    """Whether a run says anything of its commit: it was whole, of clean files, and came to an end of its own."""
    return run.is_whole and run.is_clean and run.exit_code in _JUDGED


def _is_of(run: Run, asked: Asked) -> bool:
    tree = run.tree
    return tree is not None and (tree.commit, tree.path, run.environment) == (
        asked.commit,
        asked.path,
        asked.environment,
    )


def _judged(asked: Asked, pipeline: str, runs: Sequence[Run]) -> Run | Missing:
    """The run that makes a pipeline green, or why none does."""
    command = asked.command(pipeline)
    for run in runs:
        if _counts(run):
            if run.exit_code == 0 and run.verdict in _PASSED:
                return run
            word = f"; its verdict is {run.verdict}" if run.verdict else ""
            where = "" if run.commit == asked.commit else f" on {run.commit[:12]}, since when no path of it changed,"
            what = f"run {run.id}{where} ended with: {run.how}{word}"
            return Missing(pipeline=pipeline, what=what, mend=f"clspec show {run.id}")
    if not runs:
        return Missing(pipeline=pipeline, what=f"it did not run on {asked.commit[:12]}", mend=command)
    return _unfit(pipeline, runs[0], command)


def _unfit(pipeline: str, run: Run, command: str) -> Missing:
    """Why a run does not count."""
    if run.is_running:
        return Missing(pipeline=pipeline, what=f"run {run.id} is at work", mend=f"clspec show {run.id}")
    if not run.is_whole:
        what = f"run {run.id} was of a part of it ({run.selection})"
        return Missing(pipeline=pipeline, what=what, mend=command)
    if not run.is_clean and run.ended is not None:
        what = f"run {run.id} was not of the commit alone: {_unclean(run)}"
        return Missing(pipeline=pipeline, what=what, mend=f"commit or remove that, then: {command}")
    return Missing(pipeline=pipeline, what=f"run {run.id} was {run.how}", mend=command)


def _unclean(run: Run) -> str:
    """What was not as the commit has it."""
    first, last = run.tree, run.tree_at_end
    assert first is not None  # the run was found by its commit
    if first.dirty:
        more = f", and {len(first.dirty) - _NAMED} more" if len(first.dirty) > _NAMED else ""
        return ", ".join(first.dirty[:_NAMED]) + more
    if last is None:
        return "nobody looked at the files when it ended"
    if last.dirty:
        return "while it ran: " + ", ".join(last.dirty[:_NAMED])
    return "another commit was checked out while it ran"
