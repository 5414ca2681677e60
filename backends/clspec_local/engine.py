"""The engine: which steps of a pipeline run now, which results are used again, and how the run ends."""

from __future__ import annotations

import heapq
import os
import select
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from clspec import graph
from clspec.backend import Happening, Interrupted, Outcome, State
from clspec.diagnostic import ClspecError, StepFailed, UsageError
from clspec.plan import Isolation
from clspec.selection import chosen
from clspec_local import account, page, partial, reasons
from clspec_local.artifacts import Result, Results
from clspec_local.budget import Budget, lacking, machine
from clspec_local.call import said
from clspec_local.claim import RUNS, WORK, claim, close_account, run_of, tidy
from clspec_local.come_to import Finished
from clspec_local.history import NAME, Beginning, History, HistoryDamaged, Over
from clspec_local.interruption import asked_to_end
from clspec_local.ledger import Ledger
from clspec_local.made_from import Making
from clspec_local.memory import OutOfMemory
from clspec_local.process import Warmth, Work
from clspec_local.provided import have_resources, have_secrets
from clspec_local.stamps import Stamps
from clspec_local.turns import Turns
from clspec_local.urgency import urgency
from clspec_local.variables import environment, of_warmth
from clspec_local.working import LOOK_EVERY, Working, clock, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clspec.backend import Occasion, Workplace
    from clspec.plan import Pipeline, Plan, Step
    from clspec_local.budget import Share
    from clspec_local.interruption import Asked
    from clspec_local.process import Ended

_OVER = {State.DONE, State.REUSED, State.SKIPPED, State.TAKEN, State.LEFT_OUT}


class RunError(ClspecError):
    """The surroundings do not let the run go on: a full disk, no permission, no more processes."""


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
        strict_resources: bool,
    ) -> None:
        self._steps = graph.order(pipeline)
        self._by_id = {step.id: step for step in self._steps}
        self._plan = plan
        self._pipeline = pipeline
        self._place = place
        self._occasion = occasion
        self._chosen = chosen(pipeline, occasion.selection)
        self._watch = watch
        self._strict = strict_resources
        self._own = dict(os.environ)
        self._machine = machine(self._own)
        self._budget = Budget(self._machine, jobs)
        self._hides_gpus = any(step.resources.gpu for step in self._steps)
        self._followers: dict[str, list[str]] = {step.id: [] for step in self._steps}
        for step in self._steps:
            for need in set(step.needs):
                self._followers[need].append(step.id)
        self._open = {step.id: len(set(step.needs)) for step in self._steps}
        """How many of its needs a step still waits for."""
        mine = [step for step in self._steps if step.id in self._chosen.steps]
        self._come = deque(step for step in mine if not step.needs and not step.always)
        """Steps whose needs are over, and of which nothing more is known."""
        self._place_of = {step.id: at for at, step in enumerate(self._steps)}
        self._urgent: dict[str, float] = {}
        self._due: list[tuple[float, int, Step, str | None]] = []
        """A heap of steps to be begun, the most urgent first, each with its key."""
        self._last = [step for step in mine if step.always]
        self._states: dict[str, State] = {}
        self._results: dict[str, Result] = {}
        self._working: dict[str, Working] = {}
        self._tries: dict[str, int] = {}
        self._again: list[tuple[float, str, str | None]] = []
        """A heap of when a step that died may be tried again."""
        self._turns = Turns(place.state)
        self._made_from: dict[str, str] = {}
        """The key of each step whose turn has come, kept under it or not."""
        self._why: dict[str, tuple[tuple[str, ...], str]] = {}
        """Why a step runs, and the run that it is compared with."""
        self._run = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
        self._folder = place.state / RUNS / self._run
        self._failed: tuple[str, int] | None = None

    def run(self) -> Outcome:
        """Run it to its end.

        Raises:
            UsageError: a secret or a resource is not there, or this is not the main thread.
            ClspecError: the state folder or the history cannot be used.
            Interrupted: it was asked to end, and every process has ended.
        """
        have_secrets(self._steps, self._chosen.steps, self._own)
        self._see_resources()
        if threading.current_thread() is not threading.main_thread():
            message = "a run is begun from the main thread: only there does Python hear the signals that ask it to end"
            raise UsageError(message)
        try:
            self._place.state.mkdir(parents=True, exist_ok=True)
            self._history = History(self._place.state / NAME)
            try:
                outcome, interrupted = self._recorded()
            finally:
                self._history.close()
        except OSError as error:
            raise RunError(_said(error)) from error
        if interrupted:
            raise Interrupted(outcome)
        return outcome

    def _see_resources(self) -> None:
        """Say which steps want more than there is; refuse them if that is how it is wanted."""
        if self._strict:
            have_resources(self._steps, self._machine)
        for step, wanted in lacking(self._steps, self._machine):
            note = f"asks for {wanted}: it runs with what is there"
            self._watch(Happening(step=step.id, state=State.WARNED, note=note))

    def _recorded(self) -> tuple[Outcome, bool]:
        """The run, from its first to its last line in the history, and whether it was interrupted."""
        self._stamps = Stamps(self._place.state / "stamps.sqlite")
        self._making = Making(self._place.code, self._stamps)
        recalled = self._history.recalled(self._plan.name, self._pipeline.name)
        self._kept = Results(self._place.state, self._history, self._stamps, recalled)
        self._ledger = Ledger(self._run, self._place.state, self._history, recalled)
        self._looking = reasons.Looking(self._history, self._plan.name, self._pipeline.name, self._occasion.environment)
        taken = partial.taken(self._steps, self._chosen, self._looking, self._kept)
        self._folder.mkdir(parents=True)
        held = claim(self._folder)
        try:
            tidy(self._folder.parent, self._history)
            self._history.begin(self._beginning())
            about = page.report_of(self._pipeline)
            account.begin(self._folder, self._history.run(self._run), account.planned(self._steps), about)
            self._set_out(taken)
            self._memory = OutOfMemory()
            self._warmth = Warmth(self._folder / ".warm.log", of_warmth(self._own, str(self._folder)))
            with asked_to_end() as self._asked:
                try:
                    self._loop()
                finally:
                    self._stop_all()
                    self._warmth.close()
                    self._stamps.save()
                    shutil.rmtree(self._folder / WORK, ignore_errors=True)
                return self._concluded(self._asked)
        except (ClspecError, OSError) as error:
            self._give_up(error)
            raise
        finally:
            self._turns.close()
            if held is not None:
                os.close(held)

    def _give_up(self, error: ClspecError | OSError) -> None:
        """Record why the run cannot go on, as far as its surroundings let that be; the next run does it otherwise."""
        if isinstance(error, HistoryDamaged):
            return
        with suppress(ClspecError, OSError):
            if self._run not in self._history.unended():
                return
            self._history.end(self._run, error.exit_code if isinstance(error, ClspecError) else RunError.exit_code)
            close_account(self._folder, self._history, _said(error) if isinstance(error, OSError) else str(error))

    def _beginning(self) -> Beginning:
        """What the history is told of the run before anything happens."""
        look = self._occasion.look
        return Beginning(
            run=self._run,
            spec=self._plan.name,
            file=os.path.relpath(self._place.folder / os.path.basename(self._plan.spec), self._place.state.parent),  # noqa: PTH119
            pipeline=self._pipeline.name,
            environment=self._occasion.environment,
            selection=self._occasion.selection,
            is_whole=self._chosen.is_whole,
            tree=look() if look else None,
        )

    def _set_out(self, taken: dict[str, partial.Taken]) -> None:
        """Settle the steps that are no part of the run: what some of them made in earlier ones is taken."""
        if self._chosen.is_whole:
            return
        for name, words in partial.stale(self._pipeline, self._chosen, self._looking, self._making):
            self._watch(Happening(step=name, state=State.WARNED, note=words))
        for step in self._steps:
            if step.id in taken:
                earlier = taken[step.id].earlier
                self._results[step.id] = taken[step.id].result
                self._made_from[step.id] = earlier.key
                self._over(step, State.TAKEN, note=f"from run {earlier.run}")
            elif step.id not in self._chosen.steps:
                self._over(step, State.LEFT_OUT)

    def _concluded(self, asked: Asked) -> tuple[Outcome, bool]:
        """Record what became of the rest, and say how the run ended."""
        rest = [step for step in self._steps if step.id not in self._states]
        assert self._failed or asked or not rest  # a run is green only if all of it is over
        for step in rest:
            self._over(step, State.NOT_RUN)
        self._ledger.write()
        finished = Finished(
            run=self._run,
            folder=self._folder,
            steps=self._pipeline.steps,
            mine=self._chosen.steps,
            is_whole=self._chosen.is_whole,
            states=self._states,
            results=self._results,
            failed=self._failed,
            interrupted=bool(asked),
        )
        outcome = finished.outcome()
        look = self._occasion.look
        tree = look() if look else None
        self._history.end(self._run, outcome.exit_code, finished.verdict(), tree)
        account.end(self._folder, self._history.run(self._run), self._history.steps(self._run))
        return outcome, bool(asked)

    def _loop(self) -> None:
        """Begin what can be begun and wait for news, until there is nothing to wait for."""
        while not self._asked.now:
            if not self._asked:
                if self._failed is None:
                    self._go_on()
                self._begin_last()
            if not self._working and not self._pending():
                return
            self._wait()

    def _pending(self) -> bool:
        """Whether steps are yet to be begun, once there is time or room."""
        waits = self._come or self._due or self._again or self._turns
        return not self._asked and self._failed is None and bool(waits)

    def _go_on(self) -> None:
        """Take in the steps whose turn has come, and begin those that fit; those at work are looked at in between."""
        until = clock() + LOOK_EVERY
        while self._again and self._again[0][0] <= clock():
            _, name, key = heapq.heappop(self._again)
            self._put(self._by_id[name], key)
        for step, key in self._turns.asking(clock()):
            self._put(step, key)
        while self._come and not self._asked and not (self._working and clock() > until):
            self._arrive(self._come.popleft())
        self._begin_what_fits()

    # -- beginning a step --------------------------------------------------------------------------------------------

    def _begin_last(self) -> None:
        """Begin the steps that run however the others end, once those are over or never will be."""
        for step in tuple(self._last):
            over = all(need in self._states for need in step.needs)
            if over or not (self._working or self._pending()):
                self._last.remove(step)
                self._arrive(step)
                self._begin_what_fits()

    def _put(self, step: Step, key: str | None) -> None:
        """Have a step begun when there is room, the more urgent ones first."""
        if not self._urgent:
            self._urgent = urgency(self._steps, self._history.seconds(self._plan.name, self._pipeline.name))
        heapq.heappush(self._due, (-self._urgent[step.id], self._place_of[step.id], step, key))

    def _arrive(self, step: Step) -> None:
        """Skip a step, use an earlier result of it, or have it begun when there is room."""
        if reason := self._reason_to_skip(step):
            self._over(step, State.SKIPPED, note=reason)
            return
        parts = self._making.parts(step, partial.digests(step, self._results))
        key, text = reasons.key_of(parts)
        self._made_from[step.id] = key
        self._ledger.made_from(key, text)
        forced = step.id in self._occasion.selection.force
        if step.pure and not forced and (found := self._kept.find(step, key)):
            self._results[step.id] = found
            self._over(step, State.REUSED)
            return
        words, compared = reasons.why(self._looking, self._kept, step, parts, key)
        self._why[step.id] = ((reasons.FORCED,) if forced else words), compared
        self._put(step, key if step.pure else None)

    def _begin_what_fits(self) -> None:
        """Begin the most urgent steps that fit beside those at work."""
        left = []
        while self._due and not self._budget.full() and not self._asked:
            entry = heapq.heappop(self._due)
            share = self._budget.take(entry[2])
            if share is None:
                left.append(entry)
            elif self._is_others(entry[2], entry[3]):
                self._budget.give_back(entry[2])
            else:
                self._start(entry[2], entry[3], share)
        for entry in left:
            heapq.heappush(self._due, entry)

    def _is_others(self, step: Step, key: str | None) -> bool:
        """Whether a step is not begun now: another one with its key is at work, or has made its result meanwhile."""
        if key is None:
            return False
        forced = step.id in self._occasion.selection.force
        if not self._turns.take(key):
            if not forced and self._turns.wait(step, key) and (whose := self._who(key)):
                note = f"is at work in {whose}: this run waits for it, and uses what it makes"
                self._watch(Happening(step=step.id, state=State.WARNED, note=note))
            return not forced
        if forced or (found := self._kept.find(step, key)) is None:
            return False
        self._results[step.id] = found
        del self._why[step.id]
        self._over(step, State.REUSED)
        self._free(key)
        return True

    def _who(self, key: str) -> str:
        """The other run whose step has a key, as far as that can be seen from here; nothing if it is this one's."""
        process = self._turns.holder(key)
        if process == 0:
            return ""
        run = run_of(process, self._folder.parent, self._history, self._run)
        return f"run {run}" if run else "another run"

    def _free(self, key: str | None) -> None:
        """Let others have a key whose step is over, those of this run first."""
        for step in self._turns.give_back(key):
            self._put(step, key)

    def _reason_to_skip(self, step: Step) -> str:
        reads = [entry.step for entry in step.inputs if not entry.optional]
        for name in (*reads, *((step.when.step,) if step.when else ())):
            if self._states.get(name) is State.SKIPPED:
                return f"{name} was skipped"
        if step.when and self._results[step.when.step].parameters[step.when.parameter] != step.when.equals:
            return f"{step.when.parameter} of {step.when.step} is not {step.when.equals}"
        return ""

    def _start(self, step: Step, key: str | None, share: Share) -> None:
        made = self._folder / WORK / step.id  # the step makes it, if it has something to leave there
        names = [secret.env for secret in step.secrets]
        variables, secrets = environment(
            self._own, str(self._folder), share.threads, names, self._place.store, step.config
        )
        if self._hides_gpus:  # where some ask for GPUs, nobody else sees those
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(share.gpus)
        work = Work(
            kind=step.kind,
            said=said(step, self._place, self._occasion, self._results, made),
            variables=variables,
            secrets=secrets,
            log=self._log(step),
            cold=step.isolation is Isolation.SPAWN or bool(share.gpus),
            threads=share.threads,
            torch="torch" in self._making.imports(step),
        )
        if step.id not in self._tries:
            note = "; ".join(self._why[step.id][0])
            self._watch(Happening(step=step.id, state=State.STARTED, note=note))
        self._tries[step.id] = self._tries.get(step.id, 0) + 1
        process = self._warmth.begin(work)
        self._working[step.id] = Working(step=step, key=key, process=process, made=made, log=work.log, share=share)

    def _log(self, step: Step) -> Path:
        return self._folder / f"{step.id}.log"

    # -- watching the steps at work ----------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait until there is news of a step, it is time for a look at one, or the run is asked to end."""
        now = clock()
        waits = [working.until_next_look(now) for working in self._working.values()]
        waits += [max(0.0, self._again[0][0] - now)] if self._again else []
        waits += [0.0] if self._come and self._pending() else []
        waits += [self._turns.until_next_look(now)] if self._turns and self._pending() else []
        self._ledger.write_in_time(now)
        poll = select.poll()
        poll.register(self._asked.descriptor, select.POLLIN)
        there = {working.process.fileno(): working for working in self._working.values()}
        for descriptor in there:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(1000 * min(waits, default=LOOK_EVERY) + 1):
            if descriptor == self._asked.descriptor:
                self._told()
            elif (ended := there[descriptor].process.news()) is not None:
                self._settle(there[descriptor], ended)
        now = clock()
        for working in self._working.values():
            if working.look(now):
                self._tell(working, State.PROGRESS, working.note)

    def _told(self) -> None:
        """Say what being asked to end means, the first time."""
        self._asked.read()
        if self._asked and not self._asked.now and self._working:
            names = ", ".join(self._working)
            self._watch(Happening(step="", state=State.FINISHING, note=f"finishing {names}; Ctrl-C again stops now"))

    def _settle(self, working: Working, ended: Ended) -> None:
        """Judge how a step ended."""
        step = working.step
        del self._working[step.id]
        self._budget.give_back(step)
        tries, most = self._tries[step.id], step.retry.times + 1
        judged = judge(working, ended, self._memory, tries)
        code, how = judged.exit_code, judged.how
        if code == 0 and (changed := self._changed_inputs(step)):
            code, how = 3, f"its input {changed} was changed while it ran"
        if code == 0:
            try:
                self._results[step.id] = self._kept.take(step, working.made)
            except StepFailed as error:
                code, how = error.exit_code, str(error)
        if os.path.lexists(working.made):
            shutil.rmtree(working.made, ignore_errors=True)
        if code == 0:
            self._over(step, State.DONE, key=working.key, seconds=working.process.seconds)
        elif judged.pause is not None and tries < most and not self._failed and not self._asked:
            heapq.heappush(self._again, (clock() + judged.pause, step.id, working.key))
            self._tell(working, State.RETRIED, f"{how}; try {tries + 1} of {most} in {judged.pause:.0f} s")
        else:
            if not step.always:
                self._failed = self._failed or (step.id, code)
            state = State.REFUSED if code == 1 else State.FAILED
            note = f"{how} (try {tries} of {most})" if tries > 1 else how
            self._over(step, state, seconds=working.process.seconds, note=note)
        self._free(working.key)

    def _changed_inputs(self, step: Step) -> str:
        """The inputs that are no longer what they were when they were made: whatever read them is not to be kept."""
        there = (entry for entry in step.inputs if entry.step in self._results)
        read = {entry.name: (self._results[entry.step], entry.output) for entry in there}
        changed = [n for n, (made, o) in read.items() if not self._kept.holds(made.paths[o], made.digests[o])]
        return ", ".join(f"`{name}`" for name in changed)

    def _tell(self, working: Working, state: State, note: str) -> None:
        self._watch(Happening(step=working.step.id, state=state, seconds=working.process.seconds, note=note))

    def _over(self, step: Step, state: State, *, key: str | None = None, seconds: float = 0.0, note: str = "") -> None:
        """Record what became of a step, kept under a key if it has one, and let those come that waited for it."""
        self._states[step.id] = state
        words, compared = self._why.pop(step.id, ((), ""))
        made = self._results.get(step.id)
        over = Over(
            step=step.id,
            place=self._place_of[step.id],
            kind=step.kind.value,
            state=state.value,
            key=self._made_from.get(step.id),
            seconds=seconds,
            note=note,
            reasons=words,
            compared=compared,
            digests=made.digests if made else {},
            parameters=made.parameters if made else {},
            made_in=self._run if state is State.DONE else made.made_in if made else "",
        )
        self._ledger.over(over, key if state is State.DONE else None)
        self._watch(Happening(step=step.id, state=state, seconds=seconds, note=note))
        if state in _OVER:
            for name in self._followers[step.id]:
                self._open[name] -= 1
                if not self._open[name] and not self._by_id[name].always and name in self._chosen.steps:
                    self._come.append(self._by_id[name])

    # -- ending the run ----------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """End every process that still runs, and wait for it."""
        stopped = tuple(self._working.values())
        for working in stopped:
            working.process.end()
        while self._working:
            for working in tuple(self._working.values()):
                select.select([working.process], [], [], LOOK_EVERY)
                if working.process.news() is not None:
                    del self._working[working.step.id]
        if self._asked:
            for working in stopped:
                self._over(working.step, State.FAILED, seconds=working.process.seconds, note=page.INTERRUPTED)


def _said(error: OSError) -> str:
    """An error of the system in one line."""
    place = f": {error.filename}" if error.filename else ""
    return f"the run cannot go on: {error.strerror or error}{place}"
