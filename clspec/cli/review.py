"""`clspec diff` and `clspec review`: what a change does to specs, before it goes in. No user code runs."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from clspec.diff import Failure, Review

FORMATS = ("text", "markdown", "json", "sarif", "github")
_EXIT_CODES = (
    "exit codes: 0 nothing blocks, 1 something blocks or the new spec has errors, 2 something was not compared"
)


def add_arguments(verbs: Any) -> None:
    """What may be said of a comparison."""
    diff = verbs.add_parser("diff", help="say what a change to a spec does; no user code runs", epilog=_EXIT_CODES)
    diff.add_argument("spec", nargs="?", metavar="SPEC")
    diff.add_argument("--against", default="HEAD", metavar="REV|FILE", help="a commit, or a .yaml file; default: HEAD")
    all_ = verbs.add_parser("review", help="say what a branch does to all of its specs", epilog=_EXIT_CODES)
    all_.add_argument("specs", nargs="*", metavar="SPEC", help="these only")
    all_.add_argument("--against", default="origin/main", metavar="REV", help="where it goes; default: origin/main")
    for verb in (diff, all_):
        verb.add_argument("--format", choices=FORMATS, default="text")
        verb.add_argument("--output", "-o", metavar="FILE", help="write it there, not to the terminal")
        verb.add_argument("--as-of", type=date.fromisoformat, metavar="DAY", help="the day of waivers; default: today")


def diff(given: argparse.Namespace) -> int:
    """Compare one spec with what it was, show it, and return the exit code."""
    from clspec import api

    return _shown([api.diff(specs.path(given), given.against, given.as_of)], given)


def review_all(given: argparse.Namespace) -> int:
    """Compare every spec that a branch changes with what it was where the branch began, and return the exit code."""
    from clspec import api

    return _shown(api.review(given.against, given.specs, given.as_of), given)


def _shown(outcomes: Sequence[Review | Failure], given: argparse.Namespace) -> int:
    from clspec import __version__
    from clspec.report import review as told
    from clspec.report import review_annotations, review_markdown

    colours = given.output is None and (given.color == "always" or (given.color == "auto" and _terminal()))
    writers: dict[str, Callable[[], str]] = {
        "text": lambda: told.as_text(outcomes, colours=colours),
        "markdown": lambda: review_markdown.as_markdown(outcomes),
        "json": lambda: told.as_json(outcomes),
        "sarif": lambda: review_annotations.as_sarif(outcomes, __version__),
        "github": lambda: review_annotations.as_github(outcomes),
    }
    text = writers[given.format]()
    if given.output is None:
        print(text, end="")
        return told.exit_code(outcomes)
    try:
        Path(given.output).write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write to {given.output}: {error.strerror}"
        raise UsageError(message) from error
    return told.exit_code(outcomes)


def _terminal() -> bool:
    return "NO_COLOR" not in os.environ and sys.stdout.isatty()


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {"diff": diff, "review": review_all}
