"""What a target must offer, and how targets are found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from clspec.diagnostic import ClspecError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan

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
    failed: str = ""
    """The step that ended the run, if one did."""
    log: Path | None = None
    """That step's log."""


@runtime_checkable
class Runner(Backend, Protocol):
    """A backend that also runs plans."""

    def run(
        self, plan: Plan, pipeline: str, place: Workplace, *, jobs: int, watch: Callable[[Happening], None]
    ) -> Outcome:
        """Run one pipeline to its end, telling what happens.

        Raises:
            ClspecError: it cannot be begun.
            KeyboardInterrupt: it was interrupted; all its processes have ended.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A backend as an installed distribution offers it, not loaded yet."""

    name: str
    distribution: str
    entry_point: EntryPoint


class BackendError(ClspecError):
    """A backend that is installed cannot be used; the text names its distribution."""


def offers() -> Mapping[str, tuple[Offer, ...]]:
    """Every offered backend by name, in order; more than one under a name is a conflict that `load` reports."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # a sixth of a `check`, which needs no backend

    found: dict[str, list[Offer]] = {}
    for entry in entry_points(group=GROUP):
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
        found.setdefault(entry.name, []).append(
            Offer(name=entry.name, distribution=distribution, entry_point=entry),
        )
    return {name: tuple(found[name]) for name in sorted(found)}


def load(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: no installed distribution offers it.
        BackendError: it is offered twice, does not import, or speaks another version of this protocol.
    """
    known = offers()
    if name not in known:
        message = f"no target `{name}`: " + (did_you_mean(name, known) or "no backend is installed")
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
    try:
        backend = offer.entry_point.load()
    except Exception as error:  # a plug-in's import may raise anything; it must be named, not swallowed
        message = f"target `{offer.name}` of {offer.distribution} cannot be imported: {error!r}"
        raise BackendError(message) from error
    if getattr(backend, "api_version", None) != API_VERSION:
        message = (
            f"target `{offer.name}` of {offer.distribution} speaks backend protocol "
            f"{getattr(backend, 'api_version', None)!r}, this clspec speaks {API_VERSION}"
        )
        raise BackendError(message)
    if not isinstance(backend, Backend):
        message = f"target `{offer.name}` of {offer.distribution} is not a backend: {type(backend).__name__}"
        raise BackendError(message)
    return backend
