"""`clspec config`: a spec as it is meant, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import EXIT_CODES

if TYPE_CHECKING:
    import argparse


def add_arguments(verbs: Any) -> None:
    """What may be said of it."""
    config = verbs.add_parser(
        "config", help="show a spec with defaults and environment applied, and where values are from", epilog=EXIT_CODES
    )
    config.add_argument("spec", nargs="?", metavar="SPEC")
    config.add_argument("--format", choices=["yaml", "json"], default="yaml")
    specs.add_options(config)


def run(given: argparse.Namespace) -> int:
    """Show it, and return the exit code."""
    from clspec import api
    from clspec.report import resolved

    found = api.config(specs.path(given), given.env, given.as_of)
    print({"yaml": resolved.as_yaml, "json": resolved.as_json}[given.format](found), end="")
    return 0
