"""Results by content: what a step would make again is kept under the key of all that it is made from."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import clspec
from clspec import code
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step made: where its outputs lie, their digests, and the parameters it wrote."""

    paths: dict[str, Path]
    digests: dict[str, str]
    parameters: dict[str, str]


def key(step: Step, inputs: Mapping[str, str]) -> str:
    """sha256 over what a step is made from: its kind, its configuration, its inputs' digests, and the step program."""
    parts = {"kind": step.kind.value, "config": step.config, "inputs": dict(inputs), "program": _program()}
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


@cache
def _program() -> str:
    """The bytes of clspec itself, so that another version never passes for this one."""
    return code.digest(Path(clspec.__file__).parent)


def digest(path: Path) -> str:
    """sha256 over a file's bytes, or over the names and digests of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
    listed = canonical({name: digest(path / name) for name in names})
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def intact(paths: Mapping[str, Path], digests: Mapping[str, str]) -> bool:
    """Whether every output is there and is what was recorded."""
    return all(paths[name].exists() and digest(paths[name]) == digests[name] for name in digests)


def keep(made: Path, place: Path) -> None:
    """Move a step's outputs to where they are kept; whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for found in made.rglob("*"):
        if found.is_file():
            _flush(found)
    try:
        made.rename(place)
    except OSError:  # an earlier, torn or edited, result of the same key is in the way
        aside = place.with_name(f"{place.name}.{os.getpid()}.old")
        place.rename(aside)
        made.rename(place)
        shutil.rmtree(aside, ignore_errors=True)
    _flush(place.parent)


def _flush(path: Path) -> None:
    """Make a file's or a folder's content survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
