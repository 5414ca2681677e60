"""A run's verdict as files where they are asked for: `--junit FILE`, `--json FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from clspec.backend import Outcome

_FILES = {"junit": "junit.xml", "json": "result.json"}


def refuse_unusable(given: argparse.Namespace) -> None:
    """Make sure, before anything runs, that the files can be written; old ones go, so that none passes for a new one.

    Raises:
        UsageError: the run is on a cluster, or a place is none for a file.
    """
    for option, place in _asked(given):
        if given.target:
            message = f"--{option} is for runs on this machine: on a cluster it is part of the artifact `report`"
            raise UsageError(message)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(option, place, error) from error


def write(given: argparse.Namespace, outcome: Outcome) -> None:
    """Put the files where they are asked for.

    Raises:
        UsageError: a file cannot be written, or this target's runs have none.
    """
    for option, place in _asked(given):
        if outcome.report is None:
            message = f"--{option}: the run has no report, so there is nothing to write"
            raise UsageError(message)
        try:
            import shutil

            shutil.copyfile(outcome.report / _FILES[option], place)
        except OSError as error:
            raise _unwritable(option, place, error) from error


def _asked(given: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    named = ((option, getattr(given, option)) for option in _FILES)
    return ((option, Path(place)) for option, place in named if place is not None)


def _unwritable(option: str, place: Path, error: OSError) -> UsageError:
    return UsageError(f"--{option} {place} cannot be written: {error.strerror or error}")
