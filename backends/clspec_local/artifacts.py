"""What steps made: found by the key of what it was made from, kept under the digest of what it is."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import StepFailed
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clspec.plan import Step
    from clspec_local.history import History, Recorded
    from clspec_local.stamps import Stamps


FOLDER = "artifacts"
"""The folder, in the state folder, of all that steps have made."""
PARAMETERS = ".parameters"
"""The folder, beside a step's outputs, that it writes its parameters to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step made: where its outputs lie, their digests, and the parameters it wrote."""

    paths: dict[str, Path]
    digests: dict[str, str]
    parameters: dict[str, str]
    made_in: str = ""
    """The run that made it, where it is an earlier one."""


def digest(path: Path) -> str:
    """sha256 over a file's bytes, or over the names and digests of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
    listed = canonical({name: digest(path / name) for name in names})
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def place_of(state: Path, found: str) -> Path:
    """Where what has a digest lies, below a state folder."""
    name = found.removeprefix("sha256:")
    return state / f"{FOLDER}/{name[:2]}/{name}"


class Results:
    """What steps made on this machine. Outputs lie under their digests: two runs never overwrite each other."""

    def __init__(
        self, state: Path, history: History, stamps: Stamps, recalled: Mapping[str, Recorded] | None = None
    ) -> None:
        self._state = state
        self._folder = state / FOLDER
        self._history = history
        self._stamps = stamps
        self._recalled = dict(recalled or {})
        """What has been asked of the history already."""

    def find(self, step: Step, key: str) -> Result | None:
        """An earlier result under this key, if all of it is still what was recorded."""
        recalled = self._recalled.pop(key, None)  # once only: another run may record something else meanwhile
        found = recalled and self._found(step, recalled)
        return found or self._found(step, self._history.result(key))

    def _found(self, step: Step, recorded: Recorded | None) -> Result | None:
        if recorded is None or not _makes(step, recorded):
            return None
        return self.at(recorded.digests, recorded.parameters, recorded.run)

    def lost(self, step: Step, key: str) -> tuple[str, ...]:
        """What has become of a result that is recorded under a key and is not whole any more, in words."""
        recorded = self._history.result(key)
        if recorded is None:
            return ()
        digests = recorded.digests
        if not _makes(step, recorded):
            return ("it makes other outputs than it did",)
        places = {name: self._place(found) for name, found in digests.items()}
        gone = [name for name, place in places.items() if not os.path.lexists(place)]
        edited = [n for n, place in places.items() if n not in gone and not self.holds(place, digests[n])]
        return (
            *(f"its output {name} was deleted" for name in gone),
            *(f"its output {name} was edited" for name in edited),
        )

    def at(self, digests: Mapping[str, str], parameters: Mapping[str, str], run: str) -> Result | None:
        """What an earlier run made, if all of it is still what was recorded."""
        paths = {name: self._place(found) for name, found in digests.items()}
        if not all(self.holds(paths[name], digests[name]) for name in digests):
            return None
        return Result(paths=paths, digests=dict(digests), parameters=dict(parameters), made_in=run)

    def take(self, step: Step, made: Path) -> Result:
        """Take over what a step made in a folder: hashed, and moved to its place; nothing is recorded yet.

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
            self._keep(made / name, place, digests[name])
        return Result(paths=paths, digests=digests, parameters=parameters)

    def holds(self, place: Path, wanted: str) -> bool:
        """Whether a place holds this content: gone, edited and torn are all no."""
        try:
            return self._stamps.of(str(place)) == wanted
        except OSError:
            return False

    def _place(self, found: str) -> Path:
        return place_of(self._state, found)

    def _keep(self, made: Path, place: Path, wanted: str) -> None:
        """Move an output to the place of its content; whole or not at all, whatever ends the machine meanwhile.

        What is in the files reaches the disk before the name does, and the name before anything is recorded.
        """
        if os.path.lexists(place):
            if self.holds(place, wanted):
                _flush(place.parent)  # whoever put it there may not have come so far
                return
            place.rename(made.with_name(f"{made.name}.old"))  # torn or edited
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            _flush(self._folder)
            _flush(self._folder.parent)
        _flush_all(made)
        try:
            made.rename(place)
        except OSError:
            if not self.holds(place, wanted):  # else another run was first, with the same content
                raise
        _flush(place.parent)


def _makes(step: Step, recorded: Recorded) -> bool:
    """Whether what is recorded has the names of what a step makes."""
    outputs = {artifact.name for artifact in step.outputs}
    return recorded.digests.keys() == outputs and recorded.parameters.keys() == {*step.parameters}


def _flush_all(made: Path) -> None:
    """Have a file, or a folder with all that is in it, survive a loss of power."""
    if not made.is_dir():
        _flush(made)
        return
    for folder, _, files in os.walk(made, topdown=False):
        for name in files:
            if (path := made / folder / name).is_file():
                _flush(path)
        _flush(made / folder)


def _flush(path: Path) -> None:
    """Make a file's or a folder's content survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
