"""`clspec check`: what is wrong with specs, in the form that is asked for, and with `--fix` what surely mends it."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import EXIT_CODES
from clspec.diagnostic import UsageError, has_errors
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from clspec.compile import Checked
    from clspec.diagnostic import Diagnostic
    from clspec.mending import Mended

FORMATS = ("text", "json", "sarif", "github", "junit")
_INVALID = 2


def add_arguments(verbs: Any) -> None:
    """What may be said of a check."""
    check = verbs.add_parser("check", help="read and judge specs; no user code runs", epilog=EXIT_CODES)
    check.add_argument("specs", nargs="*", metavar="SPEC")
    check.add_argument("--format", choices=FORMATS, default="text")
    check.add_argument("--fix", action="store_true", help="write what is certain to mend a problem into the spec")
    check.add_argument(
        "--diff", "--dry-run", dest="diff", action="store_true", help="show what --fix would write, and write nothing"
    )
    specs.add_options(check)


def run(given: argparse.Namespace) -> int:
    """Judge specs, show what was found, and return the exit code."""
    paths = given.specs
    if not paths:
        given.spec = None
        paths = [specs.path(given)]
    paths = list(dict.fromkeys(paths))
    found: tuple[Diagnostic, ...] = ()
    failures: dict[str, str] = {}
    waived = 0
    for path in paths:
        try:
            checked = _checked(path, given)
            found, waived = found + checked.diagnostics, waived + len(checked.waived)
        except UsageError as error:  # the others are judged all the same
            failures[path] = str(error)
    if given.format == "text":
        _tell(paths, found, failures, waived, given)
    else:
        print(_written(given.format, paths, found, failures), end="")
    for reason in failures.values():
        print(f"clspec: {shown.visible_lines(reason)}", file=sys.stderr)
    if failures:
        return _INVALID
    return 1 if has_errors(found) else 0


def _tell(
    paths: Sequence[str],
    found: tuple[Diagnostic, ...],
    failures: Mapping[str, str],
    waived: int,
    given: argparse.Namespace,
) -> None:
    if found:
        show(found, given, sys.stdout)
    elif not failures:
        print(f"{', '.join(paths)}: no problems")
    fixable = sum(one.fix is not None for one in found)
    if fixable and not given.fix and not given.diff:
        print(f"{fixable} can be mended by `clspec check --fix`; see how with `--diff`")
    if waived:
        print(f"{waived} warning{'s are' if waived > 1 else ' is'} waived")


def _written(kind: str, paths: Sequence[str], found: tuple[Diagnostic, ...], failures: Mapping[str, str]) -> str:
    from clspec import __version__
    from clspec.report import formats

    writers: dict[str, Callable[[], str]] = {
        "json": lambda: shown.as_json(found, list(failures.values())),
        "sarif": lambda: formats.as_sarif(found, failures, __version__),
        "github": lambda: formats.as_github(found, failures),
        "junit": lambda: formats.as_junit(paths, found, failures),
    }
    return writers[kind]()


# -- mending -----------------------------------------------------------------------------------------------------------


def _checked(path: str, given: argparse.Namespace) -> Checked:
    """What is found in a spec; with `--fix`, what is left when it has been mended."""
    from clspec import api

    if not given.fix and not given.diff:
        return api.check(path, given.env, given.as_of)
    from clspec import mending

    made = api.mended(path, given.env, given.as_of)
    if given.diff:
        print(_difference(made), end="", file=sys.stdout if given.format == "text" else sys.stderr)
        return made.before
    if made.changed:
        mending.write(made)
    for one in made.fixed:
        place = f"{path}:{one.span.line}:{one.span.column}" if one.span else path
        print(shown.visible(f"{place}: mended {one.code}: {one.hint or one.message}"), file=sys.stderr)
    return made.after


def _difference(made: Mended) -> str:
    """What would be written, as a unified difference; literal secrets are not shown."""
    path = made.before.path
    before, after = (shown.lines_of(one.text, path, one.diagnostics) for one in (made.before, made.after))
    lines = difflib.unified_diff(before, after, f"{path} (as it is)", f"{path} (mended)", n=2, lineterm="")
    return "".join(f"{shown.visible(line)}\n" for line in lines)


# -- showing -----------------------------------------------------------------------------------------------------------


def _colours(given: argparse.Namespace, stream: object) -> bool:
    if given.color != "auto":
        return bool(given.color == "always")
    return "NO_COLOR" not in os.environ and bool(getattr(stream, "isatty", lambda: False)())


def show(found: tuple[Diagnostic, ...], given: argparse.Namespace, stream: object) -> None:
    """Print problems with the lines that they are about."""
    texts: dict[str, str] = {}
    for path in {d.path for d in found}:
        try:
            texts[path] = Path(path).read_bytes().decode(errors="replace")  # its line breaks as they are
        except OSError:
            texts[path] = ""
    text = shown.as_text(found, texts, colours=_colours(given, stream))
    print(text, end="", file=stream)  # type: ignore[call-overload]
