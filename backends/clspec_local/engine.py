"""The engine: which steps of a pipeline run now, which results are used again, and how the run ends."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import graph
from clspec.backend import Happening, Outcome, State
from clspec.diagnostic import ClspecError, StepFailed, UsageError
from clspec_local import artifacts
from clspec_local.artifacts import Result, Results
from clspec_local.call import arguments, progress
from clspec_local.claim import WORK, claim, tidy
from clspec_local.history import History
from clspec_local.interruption import asked_to_end
from clspec_local.process import Ended, Process, environment
from clspec_local.supervise import Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clspec.backend import Occasion, Workplace
    from clspec.plan import Pipeline, Plan, Step

_TICK = 0.02
_LOOK_EVERY = 0.25
_LONGEST_PAUSE = 30
"""Seconds before a step is tried again, at most."""
_OVER = {State.DONE, State.REUSED, State.SKIPPED}
_INTERRUPTED = 130


class RunError(ClspecError):
    """The surroundings do not let the run go on: a full disk, no permission, no more processes."""


@dataclass(slots=True, kw_only=True)
class _Running:
    """A step at work."""

    step: Step
    key: str | None
    process: Process
    made: Path
    looked: float = 0.0
    note: str = ""
    """How far it is."""
    killed: str = ""
    """Why the engine ended it, if it did."""


class Engine:
    """One run of one pipeline."""

    def __init__(  # noqa: PLR0913  # a run has this many sides
        self,
        pipeline: Pipeline,
        plan: Plan,
        place: Workplace,
        *,
        jobs: int,
        occasion: Occasion,
        watch: Callable[[Happening], None],
    ) -> None:
        self._steps = graph.order(pipeline)
        self._plan = plan
        self._pipeline = pipeline
        self._place = place
        self._occasion = occasion
        self._jobs = jobs
        self._cores = len(os.sched_getaffinity(0))
        self._watch = watch
        self._states: dict[str, State] = {}
        self._results: dict[str, Result] = {}
        self._running: dict[str, _Running] = {}
        self._tries: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        """When a step that died may be tried again."""
        self._run = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        self._folder = place.state / "runs" / self._run
        self._failed: tuple[str, int] | None = None
        self._asked: list[int] = []
        """The signals to end that have come."""

    def run(self) -> Outcome:
        """Run it to its end.

        Raises:
            UsageError: a secret is not there, or this is not the main thread.
            ClspecError: the state folder or the history cannot be used.
            KeyboardInterrupt: it was asked to end, and every process has ended.
        """
        self._have_secrets()
        if threading.current_thread() is not threading.main_thread():
            message = "a run is begun from the main thread: its steps end with the thread that began them"
            raise UsageError(message)
        try:
            self._place.state.mkdir(parents=True, exist_ok=True)
            self._history = History(self._place.state / "history.sqlite")
            try:
                outcome = self._recorded()
            finally:
                self._history.close()
        except OSError as error:
            raise RunError(_said(error)) from error
        if self._asked:
            raise KeyboardInterrupt
        return outcome

    def _have_secrets(self) -> None:
        needed = (secret.env for step in self._steps for secret in step.secrets if not step.always)
        missing = sorted({name for name in needed if name not in os.environ})
        if missing:
            message = "the spec's secrets are read from variables that are not set: " + ", ".join(missing)
            raise UsageError(message)

    def _recorded(self) -> Outcome:
        """The run, from its first to its last line in the history."""
        self._folder.mkdir(parents=True)
        held = claim(self._folder)
        try:
            tidy(self._folder.parent, self._history)
            self._history.begin(self._run, self._plan.name, self._pipeline.name)
            self._kept = Results(self._place.state / "artifacts", self._history)
            with asked_to_end() as self._asked:
                try:
                    self._loop()
                finally:
                    self._stop_all()
                    shutil.rmtree(self._folder / WORK, ignore_errors=True)
                return self._concluded()
        finally:
            if held is not None:
                os.close(held)

    def _concluded(self) -> Outcome:
        """Record what became of the rest, and say how the run ended."""
        rest = [step for step in self._steps if step.id not in self._states]
        assert self._failed or self._asked or not rest  # a run is green only if all of it is over
        for step in rest:
            self._over(step, State.NOT_RUN)
        outcome = self._outcome(self._failed[1] if self._failed else 0)
        self._history.end(self._run, _INTERRUPTED if self._asked else outcome.exit_code)
        return outcome

    def _loop(self) -> None:
        while not self._asked:
            begun = False
            for step in self._steps:
                if self._ready(step) and not self._asked:
                    self._begin(step)
                    begun = True
            if not begun and not self._running and not self._waits():
                return
            for running in tuple(self._running.values()):
                self._look(running)
            if not begun:
                time.sleep(_TICK)

    # -- beginning a step --------------------------------------------------------------------------------------------

    def _ready(self, step: Step) -> bool:
        if step.id in self._states or step.id in self._running:
            return False
        if step.always:
            return self._is_last(step)
        if self._failed is not None:
            return False
        if self._not_before.get(step.id, 0.0) > time.monotonic():
            return False
        return all(self._states.get(need) in _OVER for need in step.needs) and self._has_room(step)

    def _is_last(self, step: Step) -> bool:
        """Whether all that a step which always runs would wait for is over, or will never be."""
        over = all(need in self._states for need in step.needs)
        return over or (self._failed is not None and not self._running)

    def _waits(self) -> bool:
        """Whether a step is yet to be tried again."""
        return self._failed is None and any(name not in self._states for name in self._not_before)

    def _has_room(self, step: Step) -> bool:
        """Whether the cores that are left are enough; a step that wants more than there are gets them all, alone."""
        if not self._running:
            return True
        taken = sum(self._cores_of(running.step) for running in self._running.values())
        return len(self._running) < self._jobs and taken + self._cores_of(step) <= self._cores

    def _cores_of(self, step: Step) -> float:
        return min(step.resources.cpu or 1.0, self._cores)

    def _begin(self, step: Step) -> None:
        if reason := self._reason_to_skip(step):
            self._over(step, State.SKIPPED, note=reason)
            return
        key = self._key(step) if step.pure else None
        if key and (found := self._kept.find(step, key)):
            self._results[step.id] = found
            self._over(step, State.REUSED, key=key)
            return
        self._start(step, key)

    def _reason_to_skip(self, step: Step) -> str:
        reads = [entry.step for entry in step.inputs if not entry.optional]
        for name in (*reads, *((step.when.step,) if step.when else ())):
            if self._states[name] is State.SKIPPED:
                return f"{name} was skipped"
        if step.when and self._results[step.when.step].parameters[step.when.parameter] != step.when.equals:
            return f"{step.when.parameter} of {step.when.step} is not {step.when.equals}"
        return ""

    def _key(self, step: Step) -> str:
        read = (entry for entry in step.inputs if entry.step in self._results)
        digests = {entry.name: self._results[entry.step].digests[entry.output] for entry in read}
        return artifacts.key(step, digests)

    def _start(self, step: Step, key: str | None) -> None:
        made = self._folder / WORK / step.id
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        threads = max(1, int(self._cores_of(step)))
        work = Work(
            arguments=arguments(step, self._place, self._occasion, self._results, made),
            variables=environment(
                os.environ, [secret.env for secret in step.secrets], threads, self._place.store, step.config
            ),
            log=self._log(step),
            isolation=step.isolation,
            code=self._place.code,
        )
        if step.id not in self._tries:
            self._watch(Happening(step=step.id, state=State.STARTED))
        self._tries[step.id] = self._tries.get(step.id, 0) + 1
        self._running[step.id] = _Running(step=step, key=key, process=Process(work), made=made)

    def _log(self, step: Step) -> Path:
        return self._folder / f"{step.id}.log"

    # -- watching a step ---------------------------------------------------------------------------------------------

    def _look(self, running: _Running) -> None:
        ended = running.process.poll()
        if ended is not None:
            del self._running[running.step.id]
            self._settle(running, ended)
            return
        now = time.monotonic()
        if now - running.looked >= _LOOK_EVERY:
            running.looked = now
            self._keep_limits(running)
            running.note = progress(self._log(running.step)) or running.note
            self._tell(running, State.PROGRESS, running.note)

    def _keep_limits(self, running: _Running) -> None:
        step, process = running.step, running.process
        if running.killed:
            return
        if step.timeout is not None and process.seconds > step.timeout:
            running.killed = f"it ran longer than its timeout of {step.timeout} s"
        elif step.resources.memory and process.occupies_more_than(step.resources.memory):
            running.killed = f"it used more than its memory of {step.resources.memory // 2**20} MiB"
        if running.killed:
            process.end()

    def _settle(self, running: _Running, ended: Ended) -> None:
        """Judge how a step ended."""
        step, how = running.step, running.killed or ended.how
        code = 3 if running.killed or ended.exit_code not in {0, 1, 2} else ended.exit_code
        if code == 0 and (changed := self._changed_inputs(step)):
            code, how = 3, f"its input {changed} was changed while it ran"
        if code == 0:
            try:
                self._results[step.id] = self._kept.take(step, running.key, running.made, self._run)
            except StepFailed as error:
                code, how = error.exit_code, str(error)
        tries, most = self._tries[step.id], step.retry.times + 1
        if code == 0:
            self._over(step, State.DONE, key=running.key, seconds=running.process.seconds)
        elif ended.infrastructure and not running.killed and tries < most and not self._failed:
            self._not_before[step.id] = time.monotonic() + min(2 ** (tries - 1), _LONGEST_PAUSE)
            self._tell(running, State.RETRIED, f"{how}; try {tries + 1} of {most}")
        else:
            if not step.always:
                self._failed = self._failed or (step.id, code)
            state = State.REFUSED if code == 1 else State.FAILED
            note = f"{how} (try {tries} of {most})" if tries > 1 else how
            self._over(step, state, seconds=running.process.seconds, note=note)

    def _changed_inputs(self, step: Step) -> str:
        """The inputs that are no longer what they were when they were made: whatever read them is not to be kept."""
        there = (entry for entry in step.inputs if entry.step in self._results)
        read = {entry.name: (self._results[entry.step], entry.output) for entry in there}
        changed = [n for n, (made, o) in read.items() if artifacts.digest(made.paths[o]) != made.digests[o]]
        return ", ".join(f"`{name}`" for name in changed)

    def _tell(self, running: _Running, state: State, note: str) -> None:
        self._watch(Happening(step=running.step.id, state=state, seconds=running.process.seconds, note=note))

    def _over(self, step: Step, state: State, *, key: str | None = None, seconds: float = 0.0, note: str = "") -> None:
        self._states[step.id] = state
        self._history.step(self._run, step.id, state.value, key=key, seconds=seconds, note=note)
        self._watch(Happening(step=step.id, state=state, seconds=seconds, note=note))

    # -- ending the run ----------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """End every process that still runs, and wait for it."""
        stopped = tuple(self._running.values())
        for running in stopped:
            running.process.end()
        while self._running:
            for running in tuple(self._running.values()):
                if running.process.poll() is not None:
                    del self._running[running.step.id]
            time.sleep(_TICK)
        if self._asked:
            for running in stopped:
                self._over(running.step, State.FAILED, seconds=running.process.seconds, note="interrupted")

    def _outcome(self, exit_code: int) -> Outcome:
        failed = self._failed[0] if self._failed else ""
        return Outcome(
            exit_code=exit_code,
            run=self._run,
            folder=self._folder,
            verdict=self._path("gate", "verdict"),
            report=self._report(),
            outputs={s.id: self._results[s.id].paths for s in self._pipeline.steps if s.id in self._results},
            failed=failed,
            log=self._folder / f"{failed}.log" if failed else None,
        )

    def _report(self) -> Path | None:
        """The report, put beside the run's logs, where a person finds it."""
        made = self._path("report", "report")
        if made is None:
            return None
        place = self._folder / "report"
        shutil.copytree(made, place)
        return place

    def _path(self, kind: str, output: str) -> Path | None:
        for step in self._steps:
            if step.kind.value == kind and step.id in self._results:
                return self._results[step.id].paths[output]
        return None


def _said(error: OSError) -> str:
    """An error of the system in one line."""
    place = f": {error.filename}" if error.filename else ""
    return f"the run cannot go on: {error.strerror or error}{place}"
