"""This machine as a target, as the core sees it: what it can do, and each of its verbs by the module that does it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import planned
from clspec.backend import API_VERSION, Capabilities, Happening, Interrupted, State
from clspec_local.check import check
from clspec_local.emit import program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from clspec.backend import Bundle, Collected, Occasion, Outcome, Wanted, Workplace
    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan
    from clspec.runs import Difference, Foreseen, Log, Run, Stepped, Why
    from clspec.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """This target takes no options."""


class LocalBackend:
    """Runs plans on this machine, each step in a process of its own."""

    name = "local"
    api_version = API_VERSION
    options = Options
    capabilities = Capabilities(
        can=(
            "run a pipeline on this machine, and emit it as a Python program",
            "steps in processes of their own, results kept by content and reused",
            "cpu, memory and GPUs as budgets, cpu as a number of threads, memory and time as limits, retries",
            "secrets by variable",
            "say what would run and why; a part of a pipeline; the history, logs and comparison of runs",
        ),
        cannot=(
            "start a run by itself: every trigger is a warning",
            "choose a GPU by model or memory, shared memory, ephemeral storage, node selectors, tolerations: a warning",
            "images: steps run in this Python environment",
            "spread one step over several machines",
        ),
    )

    def check(self, plan: Plan, options: Options) -> Sequence[Diagnostic]:
        """What a single machine does not do."""
        del options
        return check(plan)

    def emit(self, plan: Plan, options: Options) -> Bundle:
        """One program for each pipeline, and the plan itself, which `clspec run --local` takes."""
        del options
        programs = {f"{pipeline.name}.py": program(plan, pipeline) for pipeline in plan.pipelines}
        return {**programs, planned.NAME: planned.as_json(plan)}

    def run(  # noqa: PLR0913  # the protocol's own
        self,
        plan: Plan,
        pipeline: str,
        place: Workplace,
        *,
        jobs: int,
        occasion: Occasion,
        watch: Callable[[Happening], None],
        strict_resources: bool = False,
    ) -> Outcome:
        """Run one pipeline to its end; see `clspec.backend.Runner`."""
        from clspec_local import page, using  # noqa: PLC0415  # SQLite and processes, which a compile does not need
        from clspec_local.damage import find_lost, mend  # noqa: PLC0415
        from clspec_local.engine import Engine  # noqa: PLC0415
        from clspec_local.history import HistoryDamaged  # noqa: PLC0415

        seen = page.Seen(watch)

        def begun() -> Engine:
            return Engine(
                plan.pipeline(pipeline),
                plan,
                place,
                jobs=jobs,
                occasion=occasion,
                watch=seen.tell,
                strict_resources=strict_resources,
            )

        with using.used(place.state):
            if lost := find_lost(place.state):
                watch(Happening(step="", state=State.WARNED, note=lost))
            try:
                try:
                    outcome = begun().run()
                except HistoryDamaged:
                    watch(Happening(step="", state=State.WARNED, note=mend(place.state)))
                    outcome = begun().run()  # what was done so far is used again
            except Interrupted as stopped:
                with suppress(using.StateError):  # the answer is that it was interrupted
                    stopped.outcome = page.write(plan, plan.pipeline(pipeline), stopped.outcome, seen)
                raise
            return page.write(plan, plan.pipeline(pipeline), outcome, seen)

    def plan(
        self, plan: Plan, pipeline: str, place: Workplace, *, environment: str, selection: Selection
    ) -> Sequence[Foreseen]:
        """What would become of each step, and why; see `clspec.backend.Runner`."""
        from clspec_local.foresee import foresee  # noqa: PLC0415  # SQLite, which a compile does not need

        return foresee(plan, plan.pipeline(pipeline), place, environment, selection)

    def history(self, state: Path) -> Sequence[Run]:
        """The runs of a state folder; see `clspec.backend.Runner`."""
        from clspec_local import recall  # noqa: PLC0415  # SQLite, which a compile does not need

        return recall.runs(state)

    def steps(self, state: Path, run: str) -> Sequence[Stepped]:
        """The steps of a run; see `clspec.backend.Runner`."""
        from clspec_local import recall  # noqa: PLC0415  # SQLite, which a compile does not need

        return recall.steps(state, run)

    def explain(self, state: Path, run: str, step: str) -> Why:
        """Why a step ran, or did not; see `clspec.backend.Runner`."""
        from clspec_local import recall  # noqa: PLC0415  # SQLite, which a compile does not need

        return recall.explain(state, run, step)

    def differences(self, state: Path, one: str, other: str) -> Mapping[str, tuple[Difference, ...] | None]:
        """What two runs were made from, step by step; see `clspec.backend.Runner`."""
        from clspec_local import recall  # noqa: PLC0415  # SQLite, which a compile does not need

        return recall.apart(state, one, other)

    def logs(self, state: Path, run: str, step: str) -> Log:
        """Where a step's log lies; see `clspec.backend.Runner`."""
        from clspec_local import recall  # noqa: PLC0415  # SQLite, which a compile does not need

        return recall.logs(state, run, step)

    def waste(self, state: Path, wanted: Wanted, now: datetime) -> Collected:
        """What `collect` would remove; see `clspec.backend.Collector`."""
        from clspec_local import collect  # noqa: PLC0415  # SQLite, which a compile does not need

        return collect.waste(state, wanted, now)

    def collect(self, state: Path, wanted: Wanted, now: datetime) -> Collected:
        """Remove what no run that stays has used; see `clspec.backend.Collector`."""
        from clspec_local import collect  # noqa: PLC0415  # SQLite, which a compile does not need

        return collect.collect(state, wanted, now)

    def seconds(self, state: Path, spec: str) -> Mapping[tuple[str, str], float]:
        """How long steps took here; see `clspec.backend.Remembers`."""
        from clspec_local.history import seconds  # noqa: PLC0415  # SQLite, which a compile does not need

        return seconds(state / "history.sqlite", spec)


backend = LocalBackend()
