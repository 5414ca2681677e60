"""`clspec gc`: let go of runs and of what only they needed, on this machine."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clspec.cli.words import EXIT_CODES, positive
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from clspec.backend import Collected

_KEPT = 10
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_STEP = 1024


def add_arguments(verbs: Any) -> None:
    """What may be said of it."""
    gc = verbs.add_parser(
        "gc", help="remove runs, and kept results that only they used, from .clspec", epilog=EXIT_CODES
    )
    gc.add_argument("--spec", metavar="SPEC", help="a spec of the project; default: the one that you are in")
    gc.add_argument("--keep", type=positive, metavar="N", help=f"of each pipeline the newest N stay; default: {_KEPT}")
    gc.add_argument("--older-than", type=_age, metavar="AGE", help="only what is older goes: 30d, 12h, 90m")
    gc.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if not found:
        message = f"an age is needed, such as 30d, 12h or 90m, not `{text}`"
        raise argparse.ArgumentTypeError(message)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def run(given: argparse.Namespace) -> int:
    """Collect, or say what would go."""
    from clspec import api

    keep = given.keep or (1 if given.older_than is not None else _KEPT)
    found = api.gc(given.spec, keep, given.older_than, dry_run=given.dry_run, now=datetime.now(tz=UTC))
    for entry in found.waste:
        print(f"{entry.why:<7}  {entry.size:>14}  {visible(entry.path)}")
    print(_summary(found, "would go" if given.dry_run else "removed"))
    if found.at_work:
        print(f"{', '.join(found.at_work)} is at work: every result stays until it has ended")
    return 0


def _summary(found: Collected, verb: str) -> str:
    size = sum(entry.size for entry in found.waste)
    runs = sum(entry.why == "run" for entry in found.waste)
    results = sum(entry.why == "result" for entry in found.waste)
    return f"{runs} runs and {results} results, {size} bytes ({_shown(size)}) {verb}"


def _shown(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TiB"
