"""The engine: which steps of a pipeline run now, which results are used again, and how the run ends."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import graph
from clspec.backend import Happening, Outcome, State
from clspec.diagnostic import UsageError
from clspec_local import artifacts
from clspec_local.artifacts import Result
from clspec_local.history import History
from clspec_local.process import Ended, Process, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clspec.backend import Workplace
    from clspec.plan import Pipeline, Plan, Step

_TICK = 0.02
_LOOK_EVERY = 0.25
_GRACE = 5.0
_OVER = {State.DONE, State.REUSED, State.SKIPPED}


@dataclass(slots=True, kw_only=True)
class _Running:
    """A step at work."""

    step: Step
    key: str | None
    process: Process
    made: Path
    attempt: int
    looked: float = 0.0
    told: int = 0
    """How much of its log was read for progress."""
    killed: str = ""
    """Why the engine ended it, if it did."""


class Engine:
    """One run of one pipeline."""

    def __init__(
        self, pipeline: Pipeline, plan: Plan, place: Workplace, jobs: int, watch: Callable[[Happening], None]
    ) -> None:
        self._steps = graph.order(pipeline)
        self._plan = plan
        self._pipeline = pipeline
        self._place = place
        self._jobs = jobs
        self._cores = len(os.sched_getaffinity(0))
        self._watch = watch
        self._states: dict[str, State] = {}
        self._results: dict[str, Result] = {}
        self._running: dict[str, _Running] = {}
        self._run = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        self._folder = place.state / "runs" / self._run
        self._failed: tuple[str, int] | None = None

    def run(self) -> Outcome:
        """Run it to its end.

        Raises:
            UsageError: a secret is not there, or the state folder cannot be written.
            KeyboardInterrupt: it was interrupted, and every process has ended.
        """
        self._have_secrets()
        try:
            self._folder.mkdir(parents=True)
        except OSError as error:
            message = f"cannot write to {self._place.state}: {error.strerror}"
            raise UsageError(message) from error
        self._history = History(self._place.state / "history.sqlite")
        exit_code = 2
        try:
            self._history.begin(self._run, self._plan.name, self._pipeline.name)
            with _terminated_as_interrupted():
                self._loop()
            exit_code = self._failed[1] if self._failed else 0
        except KeyboardInterrupt:
            exit_code = 130
            raise
        finally:
            self._stop_all()
            self._finish(exit_code)
        return self._outcome(exit_code)

    def _have_secrets(self) -> None:
        missing = sorted({s.env for step in self._steps for s in step.secrets if s.env not in os.environ})
        if missing:
            message = "the spec's secrets are read from variables that are not set: " + ", ".join(missing)
            raise UsageError(message)

    def _loop(self) -> None:
        while True:
            begun = False
            for step in self._steps:
                if self._ready(step):
                    self._begin(step)
                    begun = True
            if not self._running and not begun:
                return
            for running in tuple(self._running.values()):
                self._look(running)
            if self._running and not begun:
                time.sleep(_TICK)

    # -- beginning a step --------------------------------------------------------------------------------------------

    def _ready(self, step: Step) -> bool:
        if step.id in self._states or step.id in self._running or self._failed is not None:
            return False
        return all(self._states.get(need) in _OVER for need in step.needs) and self._has_room(step)

    def _has_room(self, step: Step) -> bool:
        """Whether the cores that are left are enough; a step that wants more than there are gets them all, alone."""
        if not self._running:
            return True
        taken = sum(self._cores_of(running.step) for running in self._running.values())
        return len(self._running) < self._jobs and taken + self._cores_of(step) <= self._cores

    def _cores_of(self, step: Step) -> float:
        return min(step.resources.cpu or 1.0, self._cores)

    def _begin(self, step: Step) -> None:
        if step.when and self._results[step.when.step].parameters[step.when.parameter] != step.when.equals:
            self._over(step, State.SKIPPED, note=f"{step.when.parameter} of {step.when.step} is not {step.when.equals}")
            return
        key = self._key(step) if step.pure else None
        if key and (found := self._kept(step, key)):
            self._results[step.id] = found
            self._over(step, State.REUSED, key=key)
            return
        self._start(step, key, attempt=1)

    def _key(self, step: Step) -> str:
        digests = {entry.name: self._results[entry.step].digests[entry.output] for entry in step.inputs}
        return artifacts.key(step, digests)

    def _kept(self, step: Step, key: str) -> Result | None:
        """An earlier result under this key, if all of it is still what was recorded."""
        recorded = self._history.result(key)
        if recorded is None:
            return None
        digests, parameters = recorded
        paths = {artifact.name: self._kept_at(key) / artifact.name for artifact in step.outputs}
        if digests.keys() != paths.keys() or not artifacts.intact(paths, digests):
            return None
        return Result(paths=paths, digests=digests, parameters=parameters)

    def _kept_at(self, key: str) -> Path:
        return self._place.state / "artifacts" / key[:2] / key

    def _start(self, step: Step, key: str | None, attempt: int) -> None:
        made = self._folder / "work" / step.id
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        threads = max(1, int(self._cores_of(step)))
        variables = environment(
            os.environ, [secret.env for secret in step.secrets], threads, self._place.store, step.config
        )
        process = Process(self._arguments(step, made), variables, self._log(step), step.isolation)
        self._running[step.id] = _Running(step=step, key=key, process=process, made=made, attempt=attempt)
        if attempt == 1:
            self._watch(Happening(step=step.id, state=State.STARTED))

    def _arguments(self, step: Step, made: Path) -> list[str]:
        config = made.parent / f"{step.id}.json"  # a file, since a command line has a longest length
        config.write_text(step.config, encoding="ascii")
        found = [step.kind.value, "--config", f"@{config}", "--store", self._place.store, "--progress"]
        found += ["--code", str(self._place.code), "--folder", str(self._place.folder)]
        for entry in step.inputs:
            found += ["--in", f"{entry.name}={self._results[entry.step].paths[entry.output]}"]
        for artifact in step.outputs:
            found += ["--out", f"{artifact.name}={made / artifact.name}"]
        for name in step.parameters:
            found += ["--out-param", f"{name}={made / '.parameters' / name}"]
        return found

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
            self._pass_on_progress(running)

    def _keep_limits(self, running: _Running) -> None:
        step, process = running.step, running.process
        if step.timeout is not None and process.seconds > step.timeout:
            running.killed = f"it ran longer than its timeout of {step.timeout} s"
        elif step.resources.memory and process.memory() > step.resources.memory:
            running.killed = f"it used more than its memory of {step.resources.memory // 2**20} MiB"
        if running.killed:
            process.end(signal.SIGKILL)

    def _pass_on_progress(self, running: _Running) -> None:
        """Tell the newest progress line that stands in the log since the last look."""
        with self._log(running.step).open("rb") as stream:
            stream.seek(running.told)
            news = stream.read()
        running.told += news.rfind(b"\n") + 1
        for line in reversed(news.splitlines()):
            if line.startswith(b'{"progress"'):
                found = json.loads(line)["progress"]
                note = f"{found['done']} of {found['of']} {found['what']}"
                seconds = running.process.seconds
                self._watch(Happening(step=running.step.id, state=State.PROGRESS, seconds=seconds, note=note))
                return

    def _settle(self, running: _Running, ended: Ended) -> None:
        step = running.step
        if ended.exit_code == 0 and not running.killed:
            self._results[step.id] = self._collect(running)
            self._over(step, State.DONE, key=running.key, seconds=running.process.seconds)
            return
        if ended.infrastructure and not running.killed and running.attempt <= step.retry.times:
            note = f"{ended.how}; try {running.attempt + 1} of {step.retry.times + 1}"
            self._watch(Happening(step=step.id, state=State.RETRIED, note=note, seconds=running.process.seconds))
            time.sleep(min(2 ** (running.attempt - 1), 30))
            self._start(step, running.key, running.attempt + 1)
            return
        said_no = ended.exit_code == 1 and not running.killed
        code = ended.exit_code if said_no or (ended.exit_code == 2 and not running.killed) else 3  # noqa: PLR2004
        self._failed = self._failed or (step.id, code)
        state = State.REFUSED if said_no else State.FAILED
        self._over(step, state, seconds=running.process.seconds, note=running.killed or ended.how)

    def _collect(self, running: _Running) -> Result:
        """Take over what a step made: hashed, moved to its place, then recorded."""
        step, made = running.step, running.made
        parameters = {name: (made / ".parameters" / name).read_text(encoding="utf-8") for name in step.parameters}
        shutil.rmtree(made / ".parameters", ignore_errors=True)
        digests = {artifact.name: artifacts.digest(made / artifact.name) for artifact in step.outputs}
        home = self._kept_at(running.key) if running.key else self._folder / "outputs" / step.id
        artifacts.keep(made, home)
        if running.key:
            self._history.keep(running.key, step.kind.value, digests, parameters, self._run)
        return Result(paths={name: home / name for name in digests}, digests=digests, parameters=parameters)

    def _over(self, step: Step, state: State, *, key: str | None = None, seconds: float = 0.0, note: str = "") -> None:
        self._states[step.id] = state
        self._history.step(self._run, step.id, state.value, key=key, seconds=seconds, note=note)
        self._watch(Happening(step=step.id, state=state, seconds=seconds, note=note))

    # -- ending the run ----------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """End every process that still runs: asked first, made to after a while."""
        for running in self._running.values():
            running.process.end(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while self._running:
            for name, running in tuple(self._running.items()):
                if time.monotonic() > deadline:
                    running.process.end(signal.SIGKILL)
                if running.process.poll() is not None:
                    del self._running[name]
            time.sleep(_TICK)

    def _finish(self, exit_code: int) -> None:
        for step in self._steps:
            if step.id not in self._states:
                self._over(step, State.NOT_RUN)
        shutil.rmtree(self._folder / "work", ignore_errors=True)
        self._history.end(self._run, exit_code)
        self._history.close()

    def _outcome(self, exit_code: int) -> Outcome:
        failed = self._failed[0] if self._failed else ""
        return Outcome(
            exit_code=exit_code,
            run=self._run,
            folder=self._folder,
            verdict=self._path("gate", "verdict"),
            report=self._report(),
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


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treat the polite signal to end like Ctrl-C, so that no step is left behind."""

    def interrupted(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
