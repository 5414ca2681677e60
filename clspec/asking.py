"""What is asked of specs, targets and codes besides whether a spec is right, and what this machine may let go of.

The api hands these on under its own name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec import compile as pipe
from clspec.diagnostic import UsageError, did_you_mean
from clspec.project import root_of, state_of
from clspec.stewarding import today

if TYPE_CHECKING:
    from datetime import date, timedelta

    from clspec.backend import Capabilities, Collected
    from clspec.codes import Code
    from clspec.diagnostic import Diagnostic


def graph(path: str, pipeline: str = "regression", environment: str | None = None, day: date | None = None) -> Any:
    """A pipeline as a frozen networkx DiGraph: its nodes are step ids with their `step`, its edges say what they carry.

    Raises:
        UsageError: there is no such pipeline.
    """
    from clspec import graph as graphs  # noqa: PLC0415  # a check draws no graph

    made = pipe.plan(pipe.read(path, environment, today(day)))
    names = [found.name for found in made.pipelines]
    if pipeline not in names:
        message = f"there is no pipeline `{pipeline}` in {path}: it has {', '.join(names)}"
        raise UsageError(message)
    return graphs.of(made.pipeline(pipeline))


def targets() -> dict[str, Capabilities]:
    """The targets that can be loaded, and what each can and cannot express.

    Raises:
        ClspecError: one that is installed cannot be used.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target

    return {name: backend.load(name).capabilities for name in backend.offers()}


def lint(text: str, target: str, path: str = "manifest.yaml") -> tuple[Diagnostic, ...]:
    """What is wrong with a manifest of a target's, wherever it comes from.

    Raises:
        UsageError: there is no such target, or it judges no manifests.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target

    judge = getattr(backend.load(target), "lint", None)
    if judge is None:
        message = f"target `{target}` judges no manifests"
        raise UsageError(message)
    return tuple(judge(text, path))


def explain(code: str) -> Code:
    """What a diagnostic code means.

    Raises:
        UsageError: there is no such code.
    """
    from clspec.codes import CODES  # noqa: PLC0415  # only who asks needs the texts

    name = code.upper()
    if name not in CODES:
        message = f"there is no code `{code}`: {did_you_mean(name, CODES) or '`clspec explain` lists them'}"
        raise UsageError(message)
    return CODES[name]


def gc(
    path: str | None = None,
    keep: int = 10,
    older_than: timedelta | None = None,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Collected:
    """Let go of runs of a spec's project, and of the results that only they used; the store is not touched.

    Without a spec it is the project that this process is in.
    The `keep` newest runs of every pipeline stay, the newest that passed, those that registered a model, and with
    `older_than` all that are younger. With `dry_run` it says what would go.

    Raises:
        UsageError: `keep` is less than 1, or the local target keeps nothing.
        ClspecError: what is kept cannot be read or written.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target

    if keep < 1:
        message = f"at least the newest run of a pipeline stays, not {keep}"
        raise UsageError(message)
    collector = backend.load("local")
    assert isinstance(collector, backend.Collector)  # the local target keeps runs
    wanted = backend.Wanted(keep=keep, older_than=older_than)
    collection = collector.waste if dry_run else collector.collect
    state = root_of(Path.cwd()) / ".clspec" if path is None else state_of(path)
    return collection(state, wanted, now or datetime.now(tz=UTC))
