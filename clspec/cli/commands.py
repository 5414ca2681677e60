"""What each command does, in the words of the api, and how its answer is shown."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.cli import label, manifests, past, registry, review, running, specs
from clspec.cli.arguments import parser
from clspec.cli.words import settings
from clspec.diagnostic import ClspecError, InvalidSpec, UsageError, did_you_mean, has_errors
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from clspec.diagnostic import Diagnostic

INVALID = 2


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line and return its exit code."""
    given = parser().parse_args(arguments)
    if given.version:
        from clspec import __version__

        print(f"clspec {__version__}")
        return 0
    if given.verb is None:
        parser().print_help()
        return INVALID
    try:
        return _VERBS[given.verb](given)
    except InvalidSpec as error:
        _show(error.diagnostics, given, sys.stderr)
        return INVALID
    except ClspecError as error:
        print(f"clspec: {shown.visible_lines(str(error))}", file=sys.stderr)
        return error.exit_code
    except ImportError as error:
        print(f"clspec: {error}\n{_missing_library(error)}", file=sys.stderr)
        return INVALID


def _missing_library(error: ImportError) -> str:
    extras = {"pyarrow": "run", "duckdb": "run", "obstore": "run", "scipy": "run", "rich": "run", "jinja2": "run"}
    extra = extras.get((error.name or "").partition(".")[0])
    return f"install it with: pip install 'clspec[{extra}]'" if extra else "is clspec installed completely?"


def _colours(given: argparse.Namespace, stream: object) -> bool:
    if given.color != "auto":
        return bool(given.color == "always")
    return "NO_COLOR" not in os.environ and bool(getattr(stream, "isatty", lambda: False)())


def _show(found: tuple[Diagnostic, ...], given: argparse.Namespace, stream: object) -> None:
    """Print problems with the lines that they are about."""
    texts: dict[str, str] = {}
    for path in {d.path for d in found}:
        try:
            texts[path] = Path(path).read_bytes().decode(errors="replace")  # its line breaks as they are
        except OSError:
            texts[path] = ""
    text = shown.as_text(found, texts, colours=_colours(given, stream))
    print(text, end="", file=stream)  # type: ignore[call-overload]


def _check(given: argparse.Namespace) -> int:
    from clspec import api

    paths = given.specs
    if not paths:
        given.spec = None
        paths = [specs.path(given)]
    found: tuple[Diagnostic, ...] = ()
    unreadable: list[UsageError] = []
    waived = 0
    for path in dict.fromkeys(paths):
        try:
            checked = api.check(path, given.env, given.as_of)
            found, waived = found + checked.diagnostics, waived + len(checked.waived)
        except UsageError as error:  # the others are judged all the same
            unreadable.append(error)
    if given.format == "json":
        print(shown.as_json(found, [str(reason) for reason in unreadable]), end="")
    elif found:
        _show(found, given, sys.stdout)
    elif not unreadable:
        print(f"{', '.join(paths)}: no problems")
    if waived and given.format == "text":
        print(f"{waived} warning{'s are' if waived > 1 else ' is'} waived")
    for reason in unreadable:
        print(f"clspec: {shown.visible_lines(str(reason))}", file=sys.stderr)
    if unreadable:
        return INVALID
    return 1 if has_errors(found) else 0


def _compile(given: argparse.Namespace) -> int:
    from clspec import api

    path = specs.path(given)
    compiled = api.compile(path, given.target, settings(given.set), given.env, given.as_of)
    folder = Path(given.out) if given.out else Path("build", Path(path).stem, given.target)
    api.write(compiled.bundle, folder)
    _show(compiled.diagnostics, given, sys.stderr)
    for name in compiled.bundle:
        print(folder / name)
    return 0


def _lock(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.lock import path_for

    path = specs.path(given)
    made = api.lock(
        path,
        tuple(given.update),
        given.image,
        from_champion=given.from_champion,
        environment=given.env,
        day=given.as_of,
    )
    for line in made.changes or ("nothing changed; sources are read again only by `clspec data add`",):
        print(f"{path_for(path)}: {line}")
    return 0


def _data(given: argparse.Namespace) -> int:
    if given.data_verb != "add":
        return registry.DATA_VERBS[given.data_verb](given, specs.facts(given))
    from clspec import api

    path = specs.path(given)
    added = api.add(path, given.dataset, given.origin, given.env, given.as_of)
    version = added.appended.version
    print(f"{given.dataset} version {version.number}: {version.rows} rows, {added.appended.new} new, {version.digest}")
    if added.appended.known:
        print(f"  {added.appended.known} rows were there already")
    for cause, count in added.dropped.items():
        print(f"  {count} rows were dropped: golden by {cause}")
    for example in added.examples[:5]:
        print(f"    {shown.visible(example['key'])} of `{example['dataset']}`")
    if added.appended.new:
        print(f"  pin it with: clspec lock {path} --update {given.dataset}")
    return 0


def _of_registry(given: argparse.Namespace) -> int:
    return registry.VERBS[given.verb](given, specs.facts(given))


def _graph(given: argparse.Namespace) -> int:
    from clspec import api, graph

    plan = api.plan(specs.path(given), given.env, given.as_of)
    draw = {"mermaid": graph.mermaid, "dot": graph.dot, "json": graph.as_json}[given.format]
    print(draw(plan.pipelines), end="")
    return 0


def _targets(given: argparse.Namespace) -> int:
    del given
    import dataclasses

    from clspec import backend

    broken = False
    for name, offers in backend.offers().items():
        print(f"{name}  (from {', '.join(offer.distribution for offer in offers)})")
        try:
            found = backend.load(name)
        except ClspecError as error:
            print(f"  unusable: {error}")
            broken = True
            continue
        for word, lines in (("can", found.capabilities.can), ("cannot", found.capabilities.cannot)):
            for line in lines:
                print(textwrap.fill(line, 110, initial_indent=f"  {word:<7}", subsequent_indent=" " * 9))
        for field in dataclasses.fields(found.options):
            default = "" if field.default is dataclasses.MISSING else f" (default: {field.default!r})"
            kind = field.type if isinstance(field.type, str) else field.type.__name__
            print(f"  option --set {field.name}={kind}{default}")
    return INVALID if broken else 0


def _explain(given: argparse.Namespace) -> int:
    from clspec.codes import CODES

    if given.code is None:
        for name, code in CODES.items():
            print(f"{name}  {code.severity.value:<7}  {code.title}")
        return 0
    name = given.code.upper()
    if name not in CODES:
        message = f"there is no code `{given.code}`: {did_you_mean(name, CODES) or '`clspec explain` lists them'}"
        raise UsageError(message)
    code = CODES[name]
    print(f"{name} ({code.severity.value}): {code.title}\n\n{textwrap.fill(code.text, 100)}")
    return 0


_VERBS = {
    "check": _check,
    "compile": _compile,
    "run": running.run,
    "lock": _lock,
    "data": _data,
    "graph": _graph,
    "targets": _targets,
    "explain": _explain,
    "label": label.run,
    "lint-manifest": manifests.run,
    **dict.fromkeys(registry.VERBS, _of_registry),
    **review.VERBS,
    **past.VERBS,
}
