"""Results: outputs are kept by their content, and found again by the key of all that they were made from."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

import clspec
from clspec import code
from clspec.diagnostic import StepFailed
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Step
    from clspec_local.history import History


PARAMETERS = ".parameters"
"""The folder, beside a step's outputs, that it writes its parameters to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step made: where its outputs lie, their digests, and the parameters it wrote."""

    paths: dict[str, Path]
    digests: dict[str, str]
    parameters: dict[str, str]


def key(step: Step, inputs: Mapping[str, str]) -> str:
    """sha256 over what a step is made from: kind, configuration, inputs' digests, the step program, the libraries."""
    made_by = {"program": _program(), "libraries": _libraries()}
    parts = {"kind": step.kind.value, "config": step.config, "inputs": dict(inputs), **made_by}
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


@cache
def _program() -> str:
    """The bytes of clspec itself, so that another version never passes for this one."""
    return code.digest(Path(clspec.__file__).parent)


@cache
def _libraries() -> str:
    """Python's version, that of every installed distribution, and where else Python looks for modules."""
    names = sorted({f"{found.name}=={found.version}" for found in distributions()})
    seen = canonical([sys.version, names, os.environ.get("PYTHONPATH", "")])
    return hashlib.sha256(seen.encode()).hexdigest()


def digest(path: Path) -> str:
    """sha256 over a file's bytes, or over the names and digests of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
    listed = canonical({name: digest(path / name) for name in names})
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


class Results:
    """What steps made on this machine. Outputs lie under their digests: two runs never overwrite each other."""

    def __init__(self, folder: Path, history: History) -> None:
        self._folder = folder
        self._history = history

    def find(self, step: Step, key: str) -> Result | None:
        """An earlier result under this key, if all of it is still what was recorded."""
        recorded = self._history.result(key)
        if recorded is None:
            return None
        digests, parameters = recorded
        if digests.keys() != {artifact.name for artifact in step.outputs} or parameters.keys() != {*step.parameters}:
            return None
        paths = {name: self._place(found) for name, found in digests.items()}
        if not all(_holds(paths[name], digests[name]) for name in digests):
            return None
        return Result(paths=paths, digests=digests, parameters=parameters)

    def take(self, step: Step, key: str | None, made: Path, run: str) -> Result:
        """Take over what a step made in a folder: hashed, moved to its place, then recorded if it has a key.

        Raises:
            StepFailed: something that it promised is not there.
        """
        missing = [artifact.name for artifact in step.outputs if not (made / artifact.name).exists()]
        missing += [name for name in step.parameters if not (made / PARAMETERS / name).is_file()]
        if missing:
            message = "it ended with exit code 0, but made no " + ", ".join(f"`{name}`" for name in missing)
            raise StepFailed(message)
        parameters = {name: (made / PARAMETERS / name).read_text(encoding="utf-8") for name in step.parameters}
        digests = {artifact.name: digest(made / artifact.name) for artifact in step.outputs}
        paths = {name: self._place(found) for name, found in digests.items()}
        for name, place in paths.items():
            _keep(made / name, place, digests[name])
        if key:
            self._history.keep(key, step.kind.value, digests, parameters, run)
        return Result(paths=paths, digests=digests, parameters=parameters)

    def _place(self, found: str) -> Path:
        name = found.removeprefix("sha256:")
        return self._folder / name[:2] / name


def _holds(place: Path, wanted: str) -> bool:
    """Whether a place holds this content: gone, edited and torn are all no."""
    try:
        return place.exists() and digest(place) == wanted
    except OSError:
        return False


def _keep(made: Path, place: Path, wanted: str) -> None:
    """Move an output to the place of its content; whole or not at all."""
    if _holds(place, wanted):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    for found in (made, *made.rglob("*")):
        if found.is_file():
            _flush(found)
    if os.path.lexists(place):  # torn or edited
        aside = made.with_name(f"{made.name}.old")
        place.rename(aside)
    try:
        made.rename(place)
    except OSError:
        if not _holds(place, wanted):  # else another run was first, with the same content
            raise
    _flush(place.parent)


def _flush(path: Path) -> None:
    """Make a file's or a folder's content survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
