"""What a run has come to: its verdict, its exit code, and where what it made lies."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.backend import Outcome, State
from clspec.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from pathlib import Path

    from clspec.plan import Step
    from clspec_local.artifacts import Result

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run whose steps are all over or never will be."""

    run: str
    folder: Path
    steps: Sequence[Step]
    mine: Container[str]
    """The steps that are part of the run."""
    is_whole: bool
    states: Mapping[str, State]
    results: Mapping[str, Result]
    failed: tuple[str, int] | None
    """The step that failed first and the exit code that follows."""
    interrupted: bool

    def verdict(self) -> str:
        """The gate's word, if it has judged in this run; `skipped` where there was nothing to judge."""
        for step in self.steps:
            if step.kind is Kind.GATE and self.states.get(step.id) in {State.DONE, State.REUSED}:
                return self.results[step.id].parameters.get("outcome", "")
            if step.kind is Kind.GATE and self.states.get(step.id) is State.SKIPPED:
                return "skipped"
        return ""

    def outcome(self) -> Outcome:
        """The run as its caller is told of it; its report is put beside the run's logs, where a person finds it.

        Raises:
            OSError: the report cannot be put there.
        """
        failed = self.failed[0] if self.failed else ""
        return Outcome(
            exit_code=self._exit_code(),
            run=self.run,
            folder=self.folder,
            verdict=self._made(Kind.GATE, "verdict"),
            report=self._report(),
            outputs={step.id: self.results[step.id].paths for step in self.steps if step.id in self.results},
            failed=failed,
            log=self.folder / f"{failed}.log" if failed else None,
            is_whole=self.is_whole,
        )

    def _exit_code(self) -> int:
        """Where no step failed and no last step speaks, the gate does."""
        if self.interrupted:
            return _INTERRUPTED
        if self.failed:
            return self.failed[1]
        if any(step.kind is Kind.CONCLUDE and step.id in self.mine for step in self.steps):
            return 0
        return 0 if self.verdict() in {"", "skipped", "pass"} else 1

    def _report(self) -> Path | None:
        made = self._made(Kind.REPORT, "report")
        if made is None:
            return None
        place = self.folder / "report"
        shutil.copytree(made, place)
        return place

    def _made(self, kind: Kind, output: str) -> Path | None:
        for step in self.steps:
            if step.kind is kind and step.id in self.results:
                return self.results[step.id].paths[output]
        return None
