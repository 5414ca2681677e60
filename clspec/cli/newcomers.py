"""`clspec new-backend`: the beginning of a target that is nobody's yet."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli.words import EXIT_CODES
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    import argparse


def add_arguments(verbs: Any) -> None:
    """What may be said of a new target."""
    new = verbs.add_parser("new-backend", help="lay out a distribution for a target of your own", epilog=EXIT_CODES)
    new.add_argument("name", metavar="NAME", help="what `--target` will take")
    new.add_argument("--out", "-o", metavar="DIR", help="default: clspec-NAME")


def run(given: argparse.Namespace) -> int:
    """Lay it out, say where and how to go on, and return the exit code.

    Raises:
        UsageError: the name is taken or can be none, or something lies there already.
    """
    from clspec import backend, scaffold

    scaffold.check_name(given.name)
    package = scaffold.package_of(given.name)
    if offered := backend.offers().get(given.name):
        message = f"there is a target `{given.name}` already, of {offered[0].distribution}: choose another name"
        raise UsageError(message)
    if find_spec(package) is not None:
        message = f"there is a package `{package}` already: choose another name"
        raise UsageError(message)
    folder = Path(given.out or f"clspec-{given.name}")
    for path in scaffold.make(given.name, folder):
        print(path)
    print(f"\ncd {folder}, then: pip install --editable '.[dev]', clspec targets, python -m pytest")
    return 0
