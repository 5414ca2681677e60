"""A run of a compiled plan on this machine, from its file; no spec is read, and none of the compiler is loaded."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import backend, planned
from clspec.diagnostic import UsageError
from clspec.selection import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clspec.backend import Happening, Outcome, Permission
    from clspec.plan import Plan
    from clspec.runs import Foreseen
    from clspec.selection import Selection


def run_plan(  # noqa: PLR0913  # a run has this many sides
    path: str,
    pipeline: str,
    given: Mapping[str, str],
    *,
    jobs: int | None = None,
    as_of: datetime | None = None,
    allow_both: Permission | None = None,
    selection: Selection = WHOLE,
    strict_resources: bool = False,
    watch: Callable[[Happening], None] = lambda _: None,
) -> Outcome:
    """Run a pipeline of a plan; see `clspec.api.run`. `given` is what a plan leaves open: `code`, `folder`, `store`.

    Raises:
        UsageError: the file is no plan, has no such pipeline, or something that it needs is missing.
        KeyboardInterrupt: it was interrupted, and all its processes have ended.
    """
    need_libraries()
    made = planned.read(Path(path))
    refuse_unknown(path, pipeline, made)
    return runner().run(
        made,
        pipeline,
        _place(path, made, pipeline, given),
        jobs=at_a_time(jobs),
        occasion=backend.Occasion(as_of=moment(as_of), allow_both=allow_both, selection=selection),
        watch=watch,
        strict_resources=strict_resources,
    )


def foresee_plan(
    path: str, pipeline: str, given: Mapping[str, str], selection: Selection = WHOLE
) -> tuple[Foreseen, ...]:
    """What would become of each step of a plan if a run began now; see `clspec.api.foresee`.

    Raises:
        UsageError: the file is no plan, has no such pipeline or step, or what a partial run needs is missing.
    """
    made = planned.read(Path(path))
    refuse_unknown(path, pipeline, made)
    place = _place(path, made, pipeline, given)
    return tuple(runner().plan(made, pipeline, place, environment="", selection=selection))


def runner() -> backend.Runner:
    """The target that runs plans on this machine."""
    found = backend.load("local")
    assert isinstance(found, backend.Runner)  # the local target runs plans
    return found


def at_a_time(jobs: int | None) -> int:
    """How many steps run at a time: as many as there are cores, where nobody says it.

    Raises:
        UsageError: none would.
    """
    if jobs is not None and jobs < 1:
        message = f"at least one step runs at a time, not {jobs}"
        raise UsageError(message)
    return jobs or len(os.sched_getaffinity(0))


def moment(as_of: datetime | None) -> str:
    """When a run begins, in UTC."""
    return (as_of or datetime.now(tz=UTC)).astimezone(UTC).isoformat(timespec="seconds")


def need_libraries() -> None:
    """Make sure that what the steps import is installed, before the first one starts.

    Raises:
        UsageError: something is not.
    """
    missing = [name for name in ("duckdb", "jinja2", "obstore", "pyarrow", "rich", "scipy") if find_spec(name) is None]
    if missing:
        message = f"local runs need {', '.join(missing)}: install them with `pip install 'clspec[run]'`"
        raise UsageError(message)


def refuse_unknown(path: str, pipeline: str, made: Plan) -> None:
    """Make sure that a plan has a pipeline.

    Raises:
        UsageError: it has not.
    """
    names = [found.name for found in made.pipelines]
    if pipeline not in names:
        message = f"there is no pipeline `{pipeline}` in {path}: it has {', '.join(names)}"
        raise UsageError(message)


def _place(path: str, made: Plan, pipeline: str, given: Mapping[str, str]) -> backend.Workplace:
    """Where a plan runs: what is said of it, or else what its folder is."""
    folder = Path(given.get("folder") or Path(path).parent).resolve()
    if "code" not in given and any('"code":"sha256:' in step.config for step in made.pipeline(pipeline).steps):
        message = f"{path} runs user code, and a plan does not say where that is: add --code DIR"
        raise UsageError(message)
    code = Path(given.get("code") or folder).resolve()
    for name, place in (("--folder", folder), ("--code", code)):
        if not place.is_dir():
            message = f"{name} {place} is no folder"
            raise UsageError(message)
    named = given.get("store") or made.store
    store = named if "://" in named else str((folder / named).resolve())
    return backend.Workplace(code=code, folder=folder, store=store, state=folder / ".clspec")
