"""The same verbs from Python: check, compile, plan, diff, review, run, lock and add.

Each takes the path of a spec, and may take one of its environments and the day on which its waivers are judged (today
if not given). Errors are exceptions below `ClspecError`, each with the exit code that the command line returns for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import compile as pipe
from clspec import lock as locks
from clspec.compile import Checked, Compiled, InvalidSpec
from clspec.diagnostic import UsageError, has_errors
from clspec.project import state_of, store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from clspec.adding import Added
    from clspec.backend import Bundle, Cluster, Follow, Happening, Outcome, Permission
    from clspec.check import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.diff import Failure, Review
    from clspec.locking import Locked
    from clspec.mending import Mended
    from clspec.plan import Plan
    from clspec.resolving import Resolved
    from clspec.starting import Started

__all__ = [
    "Checked",
    "Compiled",
    "InvalidSpec",
    "add",
    "check",
    "compile",
    "config",
    "diff",
    "facts",
    "init",
    "lock",
    "mended",
    "plan",
    "review",
    "run",
    "submit",
    "write",
]

_PIN_CODES = {"CLS403", "CLS601", "CLS602", "CLS604"}


def check(path: str, environment: str | None = None, day: date | None = None) -> Checked:
    """Read and judge a spec; no user code runs.

    Raises:
        UsageError: the path cannot be read, or the spec has no such environment.
    """
    return pipe.read(path, environment, _or_today(day))


def init(folder: str = ".") -> Started:
    """Begin a project in a folder: a spec that runs, its code, lock and tests, and a workflow that runs them.

    Raises:
        UsageError: something of it is there already, cannot be written, or what runs need is not installed.
    """
    from clspec import starting  # noqa: PLC0415  # only a beginning needs it

    _need_libraries()
    begun = starting.started(Path(folder))
    done = starting.write(begun)
    try:
        lock(str(begun.spec))
    except BaseException:  # whatever ends it, half a beginning would keep the next one from starting
        starting.take_back(done)
        raise
    return begun


def mended(path: str, environment: str | None = None, day: date | None = None) -> Mended:
    """A spec with all that is certain to mend it; `clspec.mending.write` writes it.

    Raises:
        UsageError: the path cannot be read, or the spec has no such environment.
    """
    from clspec import mending  # noqa: PLC0415  # most specs need no mending

    return mending.mended(path, environment, _or_today(day))


def _or_today(day: date | None) -> date:
    from datetime import UTC, datetime  # noqa: PLC0415  # a check is quicker without, and may be told the day

    return day or datetime.now(tz=UTC).date()


def plan(path: str, environment: str | None = None, day: date | None = None) -> Plan:
    """The plan of a spec.

    Raises:
        InvalidSpec: it has errors.
    """
    return pipe.plan(check(path, environment, day))


def facts(path: str, environment: str | None = None, day: date | None = None) -> Facts:
    """A spec without errors and its surroundings, as the verbs on the store take it.

    Raises:
        InvalidSpec: it has errors.
    """
    checked = check(path, environment, day)
    if checked.facts is None or has_errors(checked.diagnostics):
        raise InvalidSpec(checked.diagnostics)
    return checked.facts


def config(path: str, environment: str | None = None, day: date | None = None) -> Resolved:
    """A spec as it is meant, with where each value comes from; it may lack a lock.

    Raises:
        InvalidSpec: it has errors.
        UsageError: there is no such path or environment.
    """
    from clspec import resolving  # noqa: PLC0415  # a check is quicker without

    return resolving.resolve(_mendable(check(path, environment, day)), environment or "")


def compile(  # noqa: A001
    path: str,
    target: str,
    settings: Mapping[str, str] | None = None,
    environment: str | None = None,
    day: date | None = None,
) -> Compiled:
    """A spec as a target's files; nothing is written and no user code runs.

    Raises:
        InvalidSpec: it has errors, or says what the target cannot express.
        UsageError: there is no such path, target or option.
    """
    return pipe.compile_for(path, target, settings or {}, environment, _or_today(day))


def diff(path: str, against: str = "HEAD", day: date | None = None) -> Review | Failure:
    """What a change does to a spec: its text, lock and code beside those of a revision, or of another `.yaml` file.

    Raises:
        UsageError: the spec is in no repository, or git knows no such revision.
    """
    from clspec import reviewing  # noqa: PLC0415  # a check compares nothing, and is quicker without

    return reviewing.one(path, against, _or_today(day))


def review(
    against: str = "origin/main", specs: Sequence[str] = (), day: date | None = None, folder: Path | None = None
) -> tuple[Review | Failure, ...]:
    """The same of every spec that the branch in a folder (the current one if not given) changes, or of those named.

    Raises:
        UsageError: the folder is in no repository, git finds no such revision, or a spec that is named is nowhere.
    """
    from clspec import reviewing  # noqa: PLC0415  # a check compares nothing, and is quicker without

    return reviewing.branch(folder or Path.cwd(), against, specs, _or_today(day))


def write(bundle: Bundle, folder: Path) -> None:
    """Write a bundle into a folder: every file whole, or none at all.

    Raises:
        UsageError: the folder cannot be written; it is as it was.
    """
    import tempfile  # noqa: PLC0415  # a check writes nothing, and is quicker without

    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".clspec-", dir=folder) as scratch:
            _write_all(bundle, Path(scratch))
            _make_room(bundle, folder)
            for name in bundle:
                Path(scratch, name).replace(folder / name)
    except OSError as error:
        for place in missing:
            with contextlib.suppress(OSError):  # it was not made, or somebody else has put something there
                place.rmdir()
        message = f"cannot write to {folder}: {error.strerror or error}"
        raise UsageError(message) from error


def _write_all(bundle: Bundle, scratch: Path) -> None:
    for name, text in bundle.items():
        made = scratch / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(text, encoding="utf-8", newline="")


def _make_room(bundle: Bundle, folder: Path) -> None:
    """See to it that every file can be moved to its place before the first one is."""
    for name in bundle:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder there")


def _need_libraries() -> None:
    """Make sure that what the steps import is installed, before the first one starts.

    Raises:
        UsageError: something is not.
    """
    missing = [name for name in ("duckdb", "jinja2", "obstore", "pyarrow", "rich", "scipy") if find_spec(name) is None]
    if missing:
        message = f"local runs need {', '.join(missing)}: install them with `pip install 'clspec[run]'`"
        raise UsageError(message)


def run(  # noqa: PLR0913  # a run has this many sides
    path: str,
    pipeline: str = "regression",
    *,
    environment: str | None = None,
    jobs: int | None = None,
    as_of: datetime | None = None,
    allow_both: Permission | None = None,
    watch: Callable[[Happening], None] = lambda _: None,
    warn: Callable[[tuple[Diagnostic, ...]], None] = lambda _: None,
) -> Outcome:
    """Run a pipeline of a spec on this machine; user code runs, each step in a process of its own.

    `as_of` is when it begins, now if not given; `allow_both` says who lets code and data move at once.

    Raises:
        InvalidSpec: it has errors.
        UsageError: there is no such pipeline, or something it needs is missing.
        KeyboardInterrupt: it was interrupted, and all its processes have ended.
    """
    _need_libraries()
    if jobs is not None and jobs < 1:
        message = f"at least one step runs at a time, not {jobs}"
        raise UsageError(message)
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    compiled = compile(path, "local", environment=environment, day=as_of.date() if as_of else None)
    _refuse_unknown(path, pipeline, compiled.plan)
    warn(compiled.diagnostics)
    runner = backend.load("local")
    assert isinstance(runner, backend.Runner)  # the local target runs plans
    assert compiled.checked.facts is not None  # it compiled
    place = backend.Workplace(
        code=compiled.checked.facts.root.resolve(),
        folder=Path(path).resolve().parent,
        store=store_of(path, compiled.plan.store),
        state=state_of(path),
    )
    occasion = backend.Occasion(as_of=_moment(as_of), allow_both=allow_both)
    cores = len(os.sched_getaffinity(0))
    return runner.run(compiled.plan, pipeline, place, jobs=jobs or cores, occasion=occasion, watch=watch)


def submit(  # noqa: PLR0913  # a run has this many sides
    path: str,
    target: str,
    cluster: Cluster,
    pipeline: str = "regression",
    *,
    settings: Mapping[str, str] | None = None,
    environment: str | None = None,
    as_of: datetime | None = None,
    allow_both: Permission | None = None,
    follow: Follow | None = None,
    warn: Callable[[tuple[Diagnostic, ...]], None] = lambda _: None,
) -> str:
    """Begin a pipeline of a spec on a cluster and give the page on which people see the run.

    With `follow` it comes back only when the run is over.

    Raises:
        InvalidSpec: it has errors, or says what the target cannot express.
        UsageError: there is no such pipeline, or the target begins no runs.
        ClspecError: the cluster cannot be reached or refuses, or the run was followed and did not succeed.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    chosen = backend.load(target)
    if not isinstance(chosen, backend.Submitter):
        message = f"target `{target}` begins no runs on a cluster"
        raise UsageError(message)
    compiled = compile(path, target, settings, environment, as_of.date() if as_of else None)
    _refuse_unknown(path, pipeline, compiled.plan)
    warn(compiled.diagnostics)
    occasion = backend.Occasion(as_of=_moment(as_of), allow_both=allow_both)
    options = pipe.options_of(chosen, settings or {})
    return chosen.submit(compiled.plan, pipeline, options, cluster, occasion, follow)


def _refuse_unknown(path: str, pipeline: str, made: Plan) -> None:
    names = [found.name for found in made.pipelines]
    if pipeline not in names:
        message = f"there is no pipeline `{pipeline}` in {path}: it has {', '.join(names)}"
        raise UsageError(message)


def _moment(as_of: datetime | None) -> str:
    """When a run begins, in UTC."""
    from datetime import UTC, datetime  # noqa: PLC0415  # only a run has a clock

    found = as_of or datetime.now(tz=UTC)
    return found.astimezone(UTC).isoformat(timespec="seconds")


def lock(  # noqa: PLR0913  # a lock has this many sides
    path: str,
    update: tuple[str, ...] = (),
    image: str | None = None,
    *,
    from_champion: bool = False,
    environment: str | None = None,
    day: date | None = None,
) -> Locked:
    """Bring a spec's lock up to date and write it; user code may run, to make first versions of datasets.

    Raises:
        InvalidSpec: the spec has errors that no lock can mend.
    """
    from clspec import locking  # noqa: PLC0415  # data libraries, which a compile does without

    joined = _rejoin(path)
    known = _mendable(check(path, environment, day))
    made = locking.locked(known, update, image, from_champion=from_champion)
    place = Path(locks.path_for(path))
    write({place.name: locks.render(made.lock)}, place.parent)
    return dataclasses.replace(made, changes=(*joined, *made.changes))


def _rejoin(path: str) -> tuple[str, ...]:
    """Put the sides of a lock together that git could not merge, and say so.

    Raises:
        UsageError: they contradict each other.
    """
    from clspec import rejoining  # noqa: PLC0415  # most locks are whole

    place = Path(locks.path_for(path))
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    if not rejoining.in_conflict(text):
        return ()
    try:
        found = rejoining.rejoined(text, str(place))
    except locks.LockError as error:
        message = f"{place}: {error}"
        raise UsageError(message) from error
    write({place.name: locks.render(found)}, place.parent)
    return ("both sides of the merge were put together",)


def add(path: str, dataset: str, origin: str, environment: str | None = None, day: date | None = None) -> Added:
    """Append the rows of a source or a file to a dataset in the spec's store; user code may run.

    Raises:
        InvalidSpec: the spec has errors that no data can mend.
    """
    from clspec import adding  # noqa: PLC0415  # data libraries, which a compile does without

    return adding.add(_mendable(check(path, environment, day)), dataset, origin)


def _mendable(checked: Checked) -> Facts:
    """The facts of a spec whose only errors are about its pins, which are about to be made."""
    rest = tuple(found for found in checked.diagnostics if found.code not in _PIN_CODES)
    if checked.facts is None or has_errors(rest):
        raise InvalidSpec(rest if has_errors(rest) else checked.diagnostics)
    return checked.facts
