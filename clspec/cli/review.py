"""`clspec diff` and `clspec review`: what a change does to specs, before it goes in. No user code runs."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.diagnostic import ClspecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from clspec.cli.revisions import Revision
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
    from clspec.cli import revisions
    from clspec.cli.comparing import review

    path = specs.path(given)
    if Path(given.against).suffix in revisions.SUFFIXES:
        return _shown([review(given.against, given.against, path, path, given.as_of)], given)
    top = revisions.root(Path(path).parent)
    base = revisions.revision(top, given.against)
    return _shown([_compared(base, _from_root(top, path), path, given)], given)


def review_all(given: argparse.Namespace) -> int:
    """Compare every spec that a branch changes with what it was where the branch began, and return the exit code."""
    from clspec.cli import revisions

    top = revisions.root(Path.cwd())
    base = revisions.fork_point(top, given.against)
    named = {_from_root(top, path) for path in given.specs}
    paths = _affected(base, named)
    return _shown([_compared(base, path, os.path.relpath(top / path), given) for path in paths], given)


def _from_root(top: Path, path: str) -> str:
    """A path as git says it."""
    place = Path(os.path.abspath(path))  # noqa: PTH100  # a link is itself a file of the repository
    for root in (top, top.resolve()):
        if place.is_relative_to(root):
            return place.relative_to(root).as_posix()
    resolved = place.parent.resolve() / place.name
    if resolved.is_relative_to(top.resolve()):
        return resolved.relative_to(top.resolve()).as_posix()
    message = f"{path} is not in the repository {top}"
    raise UsageError(message)


def _affected(base: Revision, named: set[str]) -> tuple[str, ...]:
    """The specs whose text, lock or code a branch changes, in order; those that only one side has included."""
    from clspec.cli import revisions
    from clspec.cli.comparing import concerns

    top = base.root
    changes = revisions.changed(base)
    here = {
        path
        for path in revisions.present(top)
        if path.endswith(revisions.SUFFIXES) and (top / path).is_file() and revisions.is_spec((top / path).read_bytes())
    }
    before = set(base.specs())
    unknown = sorted(named - here - before)
    if unknown:
        message = f"{unknown[0]} is a spec neither here nor at {base.word}"
        raise UsageError(message)
    found = []
    for path in sorted(named or here | before):
        texts = [(top / path).read_bytes()] if path in here else []
        texts += [base.text(path)] if path in before else []
        if concerns(path, texts, changes):
            found.append(path)
    return tuple(found)


def _compared(base: Revision, path: str, shown: str, given: argparse.Namespace) -> Review | Failure:
    """A spec of the working tree beside what it was at a revision; what one side lacks is a change of its own."""
    import tempfile

    from clspec.cli.comparing import needed, review, unread, whole
    from clspec.lock import path_for

    name = f"{base.word}:{path}"
    here = Path(shown).is_file()
    if path not in base.entries or not here:
        if given.verb == "diff":
            place = shown if not here else name
            return unread(shown, name, f"there is no {place}, so that there is nothing to compare")
        return whole(shown, name, given.as_of, here=here)
    links = [one for one in (path, path_for(path)) if base.is_link(one) or (base.root / one).is_symlink()]
    if links:
        return unread(shown, name, f"{links[0]} is a link: a spec and its lock are files of the repository")
    with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
        folder = Path(scratch)
        try:
            base.write(needed(path, base.text(path)), folder)
        except ClspecError as error:
            return unread(shown, name, str(error))
        return review(str(folder / path), name, shown, shown, given.as_of)


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
