"""`clspec lint-manifest`: manifests from anywhere, judged by a target's own rules and by ours."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli.words import EXIT_CODES
from clspec.diagnostic import UsageError, has_errors
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse


def add_arguments(verbs: Any) -> None:
    """What may be said of manifests."""
    lint = verbs.add_parser(
        "lint-manifest", help="judge a target's manifests, wherever they are from", epilog=EXIT_CODES
    )
    lint.add_argument("files", nargs="+", metavar="FILE")
    lint.add_argument(
        "--schema",
        action="append",
        default=[],
        metavar="FILE",
        help="a JSON Schema or a custom resource definition that says which fields there are (argo)",
    )
    lint.add_argument("--target", "-t", required=True, metavar="NAME", help="`clspec targets` lists them")


def run(given: argparse.Namespace) -> int:
    """Judge files, show what is wrong with them, and return the exit code.

    Raises:
        UsageError: the target judges no manifests, or a file cannot be read.
    """
    from clspec import backend

    judge = getattr(backend.load(given.target), "lint", None)
    if judge is None:
        message = f"target `{given.target}` judges no manifests"
        raise UsageError(message)
    if given.schema and "schemas" not in inspect.signature(judge).parameters:
        message = f"target `{given.target}` knows its fields by itself: leave --schema out"
        raise UsageError(message)
    more = {"schemas": tuple(given.schema)} if given.schema else {}
    texts = {path: _read(path) for path in dict.fromkeys(given.files)}
    found = tuple(problem for path, text in texts.items() for problem in judge(text, path, **more))
    colours = given.color == "always" or (given.color == "auto" and sys.stdout.isatty())
    print(shown.as_text(found, texts, colours=colours) if found else f"{', '.join(texts)}: no problems\n", end="")
    return 1 if has_errors(found) else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(message) from error
