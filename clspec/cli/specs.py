"""Which spec a command is about, in which of its environments, judged as of which day."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clspec.check import Facts


def add_options(verb: Any) -> None:
    """Say that a command may be told an environment and a day."""
    add_environment(verb)
    verb.add_argument("--as-of", type=_day, metavar="DAY", help="judge waivers as of this day; default: today")


def add_environment(verb: Any) -> None:
    """Say that a command may be told an environment."""
    verb.add_argument("--env", metavar="NAME", help="as the spec's environment of this name has it")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"a day is needed, such as 2026-03-01, not `{text}`"
        raise argparse.ArgumentTypeError(message) from None


def moment(text: str) -> datetime:
    """A moment as ISO 8601 has it; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"an ISO 8601 time is needed, such as 2026-03-01T12:00:00Z, not `{text}`"
        raise argparse.ArgumentTypeError(message) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def path(given: argparse.Namespace) -> str:
    """The spec that was named, or the project's.

    Raises:
        UsageError: none was, and there is none or there are several.
    """
    if given.spec is not None:
        return str(given.spec)
    from clspec.project import default_spec

    return default_spec(Path.cwd())


def facts(given: argparse.Namespace) -> Facts:
    """The spec that a command is about, without errors.

    Raises:
        InvalidSpec: it has some.
    """
    from clspec import api

    return api.facts(path(given), given.env, given.as_of)
