"""`clspec init`: a first spec with its code, lock, tests and workflow, which runs at once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli.words import EXIT_CODES
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse


def add_arguments(verbs: Any) -> None:
    """What may be said of a beginning."""
    init = verbs.add_parser("init", help="write a first spec that runs; nothing is overwritten", epilog=EXIT_CODES)
    init.add_argument("folder", nargs="?", default=".", metavar="DIR")


def run(given: argparse.Namespace) -> int:
    """Begin a project, say what was written and what comes next, and return the exit code."""
    from clspec import api
    from clspec.project import root_of

    begun = api.init(given.folder)
    here = Path.cwd()
    for place in (*begun.texts, begun.spec.with_suffix(".lock")):
        print(shown.visible(str(place.relative_to(here)) if place.is_relative_to(here) else str(place)))
    for note in begun.notes:
        print(f"note: {shown.visible(note)}")
    spec = "" if root_of(begun.folder) == begun.folder else f" {begun.spec.name}"
    enter = "" if begun.folder == here.resolve() else f"cd {shlex.quote(given.folder)} && "
    print("\nit runs as it is; then put your own data and model in its place:")
    for command in (f"clspec check{spec}", f"clspec run --local{spec}", "python -m pytest tests/test_clspec.py"):
        print(f"  {enter}{command}")
    return 0
