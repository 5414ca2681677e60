"""The same verbs from Python: check, compile, plan, diff, review, run, lock, add and the others.

Each takes the path of a spec, and may take one of its environments and the day on which its waivers are judged (today
if not given). Errors are exceptions below `ClspecError`, each with the exit code that the command line returns for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import compile as pipe
from clspec import lock as locks
from clspec.asking import explain, gc, graph, lint, targets
from clspec.compile import Checked, Compiled
from clspec.diagnostic import InvalidSpec, UsageError, has_errors
from clspec.notebook import shown
from clspec.project import state_of, store_of
from clspec.selection import WHOLE
from clspec.stewarding import (
    data_diff,
    data_erase,
    data_gc,
    data_log,
    data_show,
    data_waste,
    facts,
    label_decide,
    label_export,
    label_import,
    label_queue,
    lineage,
    models,
    promote,
    propose_scenario,
    rollback,
    today,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from clspec.adding import Added
    from clspec.backend import Bundle, Cluster, Follow, Happening, Outcome, Permission, Workplace
    from clspec.check import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.diff import Failure, Review
    from clspec.image.build import Built, Wanted
    from clspec.locking import Locked
    from clspec.mending import Mended
    from clspec.origins import Resolved
    from clspec.past.comparing import Compared
    from clspec.past.finding import Told
    from clspec.past.status import Status
    from clspec.plan import Plan
    from clspec.repository import Watched
    from clspec.runs import Foreseen, Log, Run, Why
    from clspec.selection import Selection
    from clspec.starting import Started

__all__ = [
    "Checked",
    "Compiled",
    "InvalidSpec",
    "add",
    "check",
    "compare",
    "compile",
    "config",
    "data_diff",
    "data_erase",
    "data_gc",
    "data_log",
    "data_show",
    "data_waste",
    "diff",
    "explain",
    "facts",
    "foresee",
    "gc",
    "graph",
    "image",
    "init",
    "label_decide",
    "label_export",
    "label_import",
    "label_queue",
    "lineage",
    "lint",
    "lock",
    "logs",
    "mended",
    "models",
    "plan",
    "promote",
    "propose_scenario",
    "review",
    "rollback",
    "run",
    "runs",
    "show",
    "status",
    "submit",
    "targets",
    "why",
    "write",
]

_PIN_CODES = {"CLS403", "CLS601", "CLS602", "CLS604"}


def check(path: str, environment: str | None = None, day: date | None = None) -> Checked:
    """Read and judge a spec; no user code runs.

    Raises:
        UsageError: the path cannot be read, or the spec has no such environment.
    """
    return pipe.read(path, environment, today(day))


def init(folder: str = ".") -> Started:
    """Begin a project in a folder: a spec that runs, its code, lock and tests, and a workflow that runs them.

    Raises:
        UsageError: something of it is there already, cannot be written, or what runs need is not installed.
    """
    from clspec import outset, starting  # noqa: PLC0415  # only a beginning needs them

    outset.need_libraries()
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

    return mending.mended(path, environment, today(day))


def plan(path: str, environment: str | None = None, day: date | None = None) -> Plan:
    """The plan of a spec; in a notebook it shows its steps.

    Raises:
        InvalidSpec: it has errors.
    """
    return shown(pipe.plan(check(path, environment, day)))


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
    return pipe.compile_for(path, target, settings or {}, environment, today(day))


def diff(path: str, against: str = "HEAD", day: date | None = None) -> Review | Failure:
    """What a change does to a spec: its text, lock and code beside those of a revision, or of another `.yaml` file.

    Raises:
        UsageError: the spec is in no repository, or git knows no such revision.
    """
    from clspec import reviewing  # noqa: PLC0415  # a check compares nothing, and is quicker without

    return reviewing.one(path, against, today(day))


def review(
    against: str = "origin/main", specs: Sequence[str] = (), day: date | None = None, folder: Path | None = None
) -> tuple[Review | Failure, ...]:
    """The same of every spec that the branch in a folder (the current one if not given) changes, or of those named.

    Raises:
        UsageError: the folder is in no repository, git finds no such revision, or a spec that is named is nowhere.
    """
    from clspec import reviewing  # noqa: PLC0415  # a check compares nothing, and is quicker without

    return reviewing.branch(folder or Path.cwd(), against, specs, today(day))


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


def run(  # noqa: PLR0913  # a run has this many sides
    path: str,
    pipeline: str = "regression",
    *,
    environment: str | None = None,
    jobs: int | None = None,
    as_of: datetime | None = None,
    allow_both: Permission | None = None,
    selection: Selection = WHOLE,
    strict_resources: bool = False,
    watch: Callable[[Happening], None] = lambda _: None,
    warn: Callable[[tuple[Diagnostic, ...]], None] = lambda _: None,
) -> Outcome:
    """Run a pipeline of a spec on this machine; user code runs, each step in a process of its own.

    In a notebook what comes back shows the scenarios and what became of them.
    `as_of` is when it begins, now if not given; `allow_both` says who lets code and data move at once; `selection` says
    which steps are meant, where it is not all; `strict_resources` refuses steps that ask for more than there is.

    Raises:
        InvalidSpec: it has errors.
        UsageError: there is no such pipeline or step, or something it needs is missing.
        KeyboardInterrupt: it was interrupted, and all its processes have ended.
    """
    from clspec import outset  # noqa: PLC0415  # a check runs nothing, and is quicker without

    outset.need_libraries()
    steps_at_a_time = outset.at_a_time(jobs)
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    compiled = _compiled(path, pipeline, environment, as_of)
    warn(tuple(found for found in compiled.diagnostics if found.code not in _SAID_BY_COMPILE))
    occasion = backend.Occasion(
        as_of=outset.moment(as_of),
        allow_both=allow_both,
        environment=environment or "",
        selection=selection,
        look=watched(compiled).look,
    )
    outcome = outset.runner().run(
        compiled.plan,
        pipeline,
        _place(compiled),
        jobs=steps_at_a_time,
        occasion=occasion,
        watch=watch,
        strict_resources=strict_resources,
    )
    return shown(outcome)


_SAID_BY_COMPILE = {"CLS503"}
"""What `compile` warns of and who has just begun a run knows: that this machine begins none by itself."""


def foresee(
    path: str,
    pipeline: str = "regression",
    *,
    environment: str | None = None,
    as_of: datetime | None = None,
    selection: Selection = WHOLE,
) -> tuple[Foreseen, ...]:
    """What would become of each step if a run began now, and why; nothing runs and nothing is written.

    Raises:
        InvalidSpec: it has errors.
        UsageError: there is no such pipeline or step, or what a partial run needs is missing.
    """
    from clspec import outset  # noqa: PLC0415  # a check runs nothing, and is quicker without

    compiled = _compiled(path, pipeline, environment, as_of)
    told = outset.runner().plan(
        compiled.plan, pipeline, _place(compiled), environment=environment or "", selection=selection
    )
    return tuple(told)


def _compiled(path: str, pipeline: str, environment: str | None, as_of: datetime | None) -> Compiled:
    from clspec import outset  # noqa: PLC0415  # a check runs nothing, and is quicker without

    found = compile(path, "local", environment=environment, day=as_of.date() if as_of else None)
    outset.refuse_unknown(path, pipeline, found.plan)
    return found


def _place(compiled: Compiled) -> Workplace:
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    checked = compiled.checked
    assert checked.facts is not None  # it compiled
    return backend.Workplace(
        code=checked.facts.root.resolve(),
        folder=Path(checked.path).resolve().parent,
        store=store_of(checked.path, compiled.plan.store),
        state=state_of(checked.path),
    )


def watched(compiled: Compiled) -> Watched:
    """The files that a run of this is a run of."""
    from clspec.repository import Watched  # noqa: PLC0415  # a check asks git nothing

    checked = compiled.checked
    assert checked.facts is not None  # it compiled
    return Watched(
        spec=Path(checked.path).absolute(),
        spec_text=checked.text,
        lock=Path(locks.path_for(checked.path)).absolute(),
        lock_text=checked.lock_text,
        code=checked.facts.root.resolve(),
    )


def runs(path: str | None = None) -> tuple[Run, ...]:
    """The runs of a spec on this machine, or of the project that this process is in, the newest first.

    Raises:
        UsageError: there is no such spec.
        ClspecError: the history cannot be read.
    """
    from clspec.past import finding  # noqa: PLC0415  # a check has no past, and is quicker without

    return finding.runs(path)


def show(run: str = "latest", path: str | None = None) -> Told:
    """A run, by its id, the first letters of it, or `latest`, with all that became of its steps.

    Raises:
        UsageError: there is no such run.
        ClspecError: the history cannot be read.
    """
    from clspec.past import finding  # noqa: PLC0415  # a check has no past, and is quicker without

    return finding.told(finding.named(run, finding.runs(path)))


def why(step: str, run: str | None = None, path: str | None = None) -> Why:
    """Why a step ran in a run, or did not; without one, in the newest run in which its turn had come.

    Raises:
        UsageError: there is no such run or step.
        ClspecError: the history cannot be read.
    """
    from clspec.past import finding  # noqa: PLC0415  # a check has no past, and is quicker without

    return finding.why(step, run, finding.runs(path))


def logs(run: str, step: str, path: str | None = None) -> Log:
    """Where the log of a step of a run lies.

    Raises:
        UsageError: there is no such run or step, or no log.
        ClspecError: the history cannot be read.
    """
    from clspec.past import finding  # noqa: PLC0415  # a check has no past, and is quicker without

    return finding.logs(finding.named(run, finding.runs(path)), step)


def compare(one: str, other: str, path: str | None = None) -> Compared:
    """Two runs side by side.

    Raises:
        UsageError: there is no such run.
        ClspecError: the history cannot be read.
    """
    from clspec.past import comparing, finding  # noqa: PLC0415  # a check has no past, and is quicker without

    every = finding.runs(path)
    first, second = (finding.told(finding.named(word, every)) for word in (one, other))
    return comparing.compare(first, second)


def status(path: str, commit: str = "HEAD", environment: str | None = None) -> Status:
    """Whether a commit has passed: every pipeline that the spec's `code_change` triggers name, as the commit has it.

    Raises:
        UsageError: there is no repository, no such commit, or no such spec in it.
        ClspecError: the spec or the history cannot be read.
    """
    from clspec import outset  # noqa: PLC0415  # a check runs nothing, and is quicker without
    from clspec.past import asking  # noqa: PLC0415  # a check has no past
    from clspec.past import status as judging  # noqa: PLC0415

    asked, pipelines = asking.about(path, commit, environment)
    return judging.judge(asked, pipelines, outset.runner().history(state_of(path)))


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
    from clspec import backend, outset  # noqa: PLC0415  # a check has no target, and is quicker without

    chosen = backend.load(target)
    if not isinstance(chosen, backend.Submitter):
        message = f"target `{target}` begins no runs on a cluster"
        raise UsageError(message)
    compiled = compile(path, target, settings, environment, as_of.date() if as_of else None)
    outset.refuse_unknown(path, pipeline, compiled.plan)
    warn(compiled.diagnostics)
    occasion = backend.Occasion(as_of=outset.moment(as_of), allow_both=allow_both)
    options = pipe.options_of(chosen, settings or {})
    return chosen.submit(compiled.plan, pipeline, options, cluster, occasion, follow)


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

    `update` names datasets, which move to the newest versions in the store, and images by their tags, which then mean
    what their registries say. No registry is asked about any other image; `image` is what is known of `code.image`.

    Raises:
        InvalidSpec: the spec has errors that no lock can mend.
        UsageError: a name to update is none, or a registry does not say what a tag means. The lock stays as it was.
    """
    from clspec import locking  # noqa: PLC0415  # data libraries, which a compile does without

    joined = _rejoin(path)
    known = _mendable(check(path, environment, day))
    plain = known if environment is None else _mendable(check(path, None, day))
    wanted = locking.sorted_out(plain.spec, update)
    told = locking.recorded(known, image) if image is not None else {}
    if twice := [tag for tag in wanted.images if tag in told]:
        message = f"--image says what `{twice[0]}` means, and --update asks its registry: give one of them"
        raise UsageError(message)
    if wanted.images:
        from clspec.image import tags  # noqa: PLC0415  # the one place that asks registries, for whoever wants that

        told |= {tag: tags.meaning(tag) for tag in wanted.images}
    made = locking.locked(known, wanted.datasets, told, locking.tags(plain.spec), from_champion=from_champion)
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


def image(
    path: str,
    wanted: Wanted | None = None,
    environment: str | None = None,
    day: date | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Built:
    """Build the image in which a spec's steps run on a cluster; no user code runs.

    It lies on this machine under the name that the spec says. `built.engine.push(built.tag)` brings it to its registry
    and gives the digest, which `lock` records.

    Raises:
        InvalidSpec: the spec has errors that no lock can mend.
        UsageError: it names no image, or nothing here can build one.
        StepFailed: the image cannot be built.
    """
    from clspec.image import build  # noqa: PLC0415  # only this verb starts programs

    return build.build(_mendable(check(path, environment, day)), wanted or build.Wanted(), say)


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
