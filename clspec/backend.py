"""What a target must offer, and how targets are found."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from clspec.codes import problem
from clspec.diagnostic import ClspecError, UsageError, did_you_mean
from clspec.plan import straight
from clspec.selection import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from importlib.metadata import Distribution, EntryPoint
    from pathlib import Path

    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan
    from clspec.runs import Difference, Foreseen, Log, Run, Stepped, Tree, Why
    from clspec.selection import Selection

API_VERSION = 1
GROUP = "clspec.backends"

Bundle = dict[str, str]
"""The files a target needs: relative POSIX path -> text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a target can say and what it cannot, one line each, for `clspec targets`."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]


@runtime_checkable
class Backend(Protocol):
    """Turns a plan into files for one target. It says where and when a step runs, never what it does."""

    name: str
    api_version: int
    options: type[Any]
    """A frozen dataclass whose fields are what `--set KEY=VALUE` accepts."""
    capabilities: Capabilities

    def check(self, plan: Plan, options: Any) -> Sequence[Diagnostic]:
        """What the target cannot express: an error, or a warning where the meaning survives."""
        ...

    def emit(self, plan: Plan, options: Any) -> Bundle:
        """The files. Called only if `check` found no error; the same plan and options give the same bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a plan runs on this machine, all absolute: the code, the spec's folder, the store's URI and `.clspec/`."""

    code: Path
    folder: Path
    store: str
    state: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Who let something happen that is refused otherwise, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is true of one run alone and enters no key: when it began (UTC, ISO 8601), and what it is permitted."""

    as_of: str
    allow_both: Permission | None = None
    """Whether code and data may move at once."""
    environment: str = ""
    """The environment of the spec that the plan was made for."""
    selection: Selection = WHOLE
    """Which steps are meant."""
    look: Callable[[], Tree] | None = None
    """Tells what the files are at this moment; asked when the run begins and when it ends."""


class State(Enum):
    """What became of a step in a run."""

    STARTED = "started"
    PROGRESS = "progress"
    RETRIED = "retried"
    DONE = "done"
    REUSED = "up to date"
    SKIPPED = "skipped"
    REFUSED = "said no"
    FAILED = "failed"
    NOT_RUN = "not run"
    TAKEN = "taken"
    LEFT_OUT = "left out"
    WARNED = "warned"
    """It may still run; the note says what is not as it asked."""
    FINISHING = "finishing"
    """No step's state but the run's: it was asked to end, and what is at work may finish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a step: its new state after so many seconds, and a few words on why or how far."""

    step: str
    state: State
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. The paths are None where the run did not get so far."""

    exit_code: int
    run: str
    folder: Path
    verdict: Path | None
    report: Path | None
    outputs: Mapping[str, Mapping[str, Path]]
    """Where the outputs of each step that made some lie, by step and by name."""
    failed: str = ""
    """The step that ended the run, if one did."""
    log: Path | None = None
    """That step's log."""
    is_whole: bool = True
    """Whether all of the pipeline was part of it."""


class Interrupted(KeyboardInterrupt):
    """A run was interrupted and all its processes have ended; `outcome` is what it came to until then."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


@runtime_checkable
class Runner(Backend, Protocol):
    """A backend that also runs plans."""

    def run(  # noqa: PLR0913  # a run has this many sides
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
        """Run one pipeline to its end, telling what happens.

        `strict_resources` refuses steps that ask for more than there is, which is told otherwise.

        Raises:
            ClspecError: it cannot be begun.
            KeyboardInterrupt: it was interrupted; all its processes have ended. `Interrupted` tells what it came to.
        """
        ...

    def plan(
        self, plan: Plan, pipeline: str, place: Workplace, *, environment: str, selection: Selection
    ) -> Sequence[Foreseen]:
        """What would become of each step if a run began now, and why, in the order of the pipeline.

        Nothing runs and nothing is written.

        Raises:
            ClspecError: what is left of earlier runs cannot be read, or the selection cannot be run.
        """
        ...

    def history(self, state: Path) -> Sequence[Run]:
        """The runs that a state folder tells of, the newest first; nothing is written.

        Raises:
            ClspecError: they cannot be read.
        """
        ...

    def steps(self, state: Path, run: str) -> Sequence[Stepped]:
        """What became of each step of a run, in the order of the pipeline; nothing is written.

        Raises:
            ClspecError: it cannot be read.
        """
        ...

    def explain(self, state: Path, run: str, step: str) -> Why:
        """Why a step ran in a run, or did not; nothing is written.

        Raises:
            UsageError: there is no such run or step.
            ClspecError: it cannot be read.
        """
        ...

    def differences(self, state: Path, one: str, other: str) -> Mapping[str, tuple[Difference, ...] | None]:
        """How what each step was made from differs between two runs that both have it; None where that is not known.

        Nothing is written.

        Raises:
            ClspecError: it cannot be read.
        """
        ...

    def logs(self, state: Path, run: str, step: str) -> Log:
        """Where the log of a step lies.

        Raises:
            UsageError: there is no such run or step, or it has no log.
            ClspecError: it cannot be read.
        """
        ...


@runtime_checkable
class Remembers(Backend, Protocol):
    """A backend that keeps a history of its runs."""

    def seconds(self, state: Path, spec: str) -> Mapping[tuple[str, str], float]:
        """How long each step of a spec took that ran to its end, by pipeline and step: the median of its last runs.

        Raises:
            ClspecError: the history in the folder `state` cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are to stay: the `keep` newest of every pipeline and, where that is said, all younger than an age."""

    keep: int
    older_than: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """Something here that nothing needs: where it lies, its bytes, and what it is: a `run`, a `result` or a `note`."""

    path: str
    size: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection removed, or would remove."""

    waste: tuple[Waste, ...]
    runs: tuple[str, ...]
    """The runs that are gone from the history."""
    at_work: tuple[str, ...]
    """The runs that are at work, for which every result was left."""


@runtime_checkable
class Collector(Backend, Protocol):
    """A backend that keeps runs and results on this machine, and can let go of them."""

    def waste(self, state: Path, wanted: Wanted, now: datetime) -> Collected:
        """What `collect` would remove; nothing is touched.

        Raises:
            ClspecError: what is kept cannot be read.
        """
        ...

    def collect(self, state: Path, wanted: Wanted, now: datetime) -> Collected:
        """Remove what no run that stays has used.

        Raises:
            ClspecError: what is kept cannot be read or written.
        """
        ...


def left_out(plan: Plan, target: str) -> Iterator[Diagnostic]:
    """A warning for each part of a plan that `clspec.plan.straight` leaves out."""
    kept = {pipeline.name for pipeline in straight(plan).pipelines}
    for pipeline in plan.pipelines:
        if pipeline.name not in kept:
            message = f"target `{target}` does not emit pipeline `{pipeline.name}` yet"
            hint = f"run it with `clspec run --local --pipeline {pipeline.name}`"
            yield problem("CLS509", message, path=plan.spec, span=pipeline.origin, hint=hint, where=pipeline.name)
            continue
        for step in (step for step in pipeline.steps if step.always):
            message = f"target `{target}` does not emit `{step.id}`, which runs however the others end"
            hint = "let the system that runs the pipeline tell people how it ended"
            yield problem("CLS509", message, path=plan.spec, span=step.origin, hint=hint, where=step.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where a run is begun: the API's URL, and what some of them need to know besides."""

    host: str
    namespace: str = ""
    token: str = ""
    call: Callable[[tuple[str, ...], str], tuple[int, str, str]] | None = None
    """Runs a program that reaches the cluster, with this on its input; gives exit code, output and errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """How a run is followed: `pause` comes back when it is time for the next look, `tell` is told its state."""

    pause: Callable[[], None]
    tell: Callable[[str], None]


@runtime_checkable
class Submitter(Backend, Protocol):
    """A backend that also begins runs on a cluster."""

    def submit(  # noqa: PLR0913, PLR0917  # a run has this many sides
        self, plan: Plan, pipeline: str, options: Any, cluster: Cluster, occasion: Occasion, follow: Follow | None
    ) -> str:
        """Begin a run and give the page on which people see it; with `follow` only once it is over.

        Raises:
            ClspecError: it cannot be begun, or was followed and did not succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A backend as an installed distribution offers it, not loaded yet."""

    name: str
    distribution: str
    entry_point: EntryPoint | None
    problem: str = ""
    """Why there is no entry point."""


class BackendError(ClspecError):
    """A backend that is installed cannot be used; the text names its distribution."""


def offers() -> Mapping[str, tuple[Offer, ...]]:
    """Every offered backend by name, in order; more than one under a name is a conflict that `load` reports."""
    from importlib.metadata import distributions  # noqa: PLC0415  # a sixth of a `check`, which needs no backend

    seen: dict[str, Distribution] = {}
    for distribution in distributions():
        if GROUP in (distribution.read_text("entry_points.txt") or ""):  # reading the names of all would take long
            name = _name(distribution) or _called(distribution)
            seen.setdefault(name.replace("_", "-").lower(), distribution)  # the first on the path hides the others
    found: dict[str, list[Offer]] = {}
    for distribution in seen.values():
        for offer in _offers_of(distribution):
            found.setdefault(offer.name, []).append(offer)
    return {name: tuple(found[name]) for name in sorted(found)}


def _offers_of(distribution: Distribution) -> Iterator[Offer]:
    try:
        entries = distribution.entry_points.select(group=GROUP)
    except Exception as error:  # noqa: BLE001  # somebody else's file may be anything
        problem = f"the entry points of {_called(distribution)} cannot be read: {error!r}"
        name = _name(distribution) or "?"
        yield Offer(name=name, distribution=_called(distribution), entry_point=None, problem=problem)
        return
    for entry in entries:
        yield Offer(name=entry.name, distribution=_called(distribution), entry_point=entry)


def _name(distribution: Distribution) -> str:
    about = distribution.metadata
    return about["Name"] if "Name" in about else ""  # noqa: SIM401  # its protocol has no `get`


def _called(distribution: Distribution) -> str:
    """A distribution's name and version; where it does not say them, its place."""
    name = _name(distribution)
    if name:
        return f"{name} {distribution.version}"
    return f"a distribution without a name at {distribution.locate_file('')}"


def load(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: no installed distribution offers it.
        BackendError: it is offered twice, does not import, or speaks another version of this protocol.
    """
    known = offers()
    if name not in known:
        hint = did_you_mean(name, known) or ("`clspec targets` lists them" if known else "no backend is installed")
        message = f"no target `{name}`: {hint}"
        raise UsageError(message)
    if len(known[name]) > 1:
        message = f"target `{name}` is offered by " + " and by ".join(o.distribution for o in known[name])
        raise BackendError(message)
    return _loaded(known[name][0])


def check_paths(name: str, bundle: Bundle) -> None:
    """A bundle's files lie below the folder that it is written to, wherever that is.

    Raises:
        BackendError: a path leads out of it, or is not the plain way to say where the file lies.
    """
    for path in bundle:
        parts = path.split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or not path.isprintable() or {":", "\\"} & set(path):
            message = f"target `{name}` made a file {path!r}, which is no plain relative path"
            raise BackendError(message)


def _loaded(offer: Offer) -> Backend:
    if offer.entry_point is None:
        raise BackendError(offer.problem)
    whose = f"target `{offer.name}` of {offer.distribution}"
    try:
        backend = offer.entry_point.load()
    except (Exception, SystemExit) as error:  # a plug-in's import may raise anything; it is named, not swallowed
        message = f"{whose} cannot be imported from `{offer.entry_point.value}`: {error!r}"
        raise BackendError(message) from error
    if complaint := next(_complaints(backend, offer.name), ""):
        message = f"{whose} {complaint}"
        raise BackendError(message)
    return cast(Backend, backend)


def _complaints(backend: Any, name: str) -> Iterator[str]:
    """Why an object cannot serve as the target of that name; each only holds if those before do not."""
    if isinstance(backend, type):
        yield f"is not a backend: {backend.__name__} is a class, and its entry point must name an instance"
    version = getattr(backend, "api_version", None)
    if version is None:
        yield f"is not a backend: {type(backend).__name__} has no `api_version`"
    if version != API_VERSION:
        yield f"speaks backend protocol {version!r}, this clspec speaks {API_VERSION}"
    missing = sorted(part for part in (*Backend.__annotations__, "check", "emit") if not hasattr(backend, part))
    if missing:
        yield f"is not a backend: {type(backend).__name__} lacks {', '.join(f'`{part}`' for part in missing)}"
    if backend.name != name:
        yield f"calls itself `{backend.name}`: its entry point must have that name"
    if not (isinstance(backend.options, type) and is_dataclass(backend.options)):
        yield "is not a backend: its `options` are no dataclass"
    if not isinstance(backend.capabilities, Capabilities):
        yield "is not a backend: its `capabilities` are no `clspec.backend.Capabilities`"
