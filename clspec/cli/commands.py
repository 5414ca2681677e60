"""What each command does, in the words of the api, and how its answer is shown."""

from __future__ import annotations

import gc
import shlex
import sys
import textwrap
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.cli import (
    beginning,
    checking,
    collecting,
    configuration,
    image,
    label,
    manifests,
    newcomers,
    past,
    registry,
    review,
    running,
    specs,
)
from clspec.cli.arguments import parser
from clspec.cli.words import settings
from clspec.diagnostic import ClspecError, InvalidSpec, UsageError, did_you_mean
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence


INVALID = 2


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line and return its exit code."""
    given = parser(arguments).parse_args(arguments)
    if given.version:
        from clspec import __version__

        print(f"clspec {__version__}")
        return 0
    if given.verb is None:
        parser().print_help()
        return INVALID
    try:
        with _at_once() if given.verb in _READERS else nullcontext():
            return _VERBS[given.verb](given)
    except InvalidSpec as error:
        checking.show(error.diagnostics, given, sys.stderr)
        return INVALID
    except ClspecError as error:
        print(f"clspec: {shown.visible_lines(str(error))}", file=sys.stderr)
        return error.exit_code
    except ImportError as error:
        print(f"clspec: {error}\n{_missing_library(error)}", file=sys.stderr)
        return INVALID


_READERS = frozenset({"check", "config", "diff", "graph", "review"})
"""Commands that read specs, answer and are done."""


@contextmanager
def _at_once() -> Iterator[None]:
    """Without the garbage collector, which takes a tenth of a large check's time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _missing_library(error: ImportError) -> str:
    extras = {"pyarrow": "run", "duckdb": "run", "obstore": "run", "scipy": "run", "rich": "run", "jinja2": "run"}
    extras |= {"pygls": "lsp", "lsprotocol": "lsp"}
    extra = extras.get((error.name or "").partition(".")[0])
    return f"install it with: pip install 'clspec[{extra}]'" if extra else "is clspec installed completely?"


def _compile(given: argparse.Namespace) -> int:
    from clspec import api

    path = specs.path(given)
    compiled = api.compile(path, given.target, settings(given.set), given.env, given.as_of)
    folder = Path(given.out) if given.out else Path("build", Path(path).stem, given.target)
    api.write(compiled.bundle, folder)
    checking.show(compiled.diagnostics, given, sys.stderr)
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
    for tag in made.floating:
        print(f"{path_for(path)}: {shown.visible(tag)} is a tag and not pinned; a target for a cluster refuses it")
        print(f"  ask its registry what it means with: clspec lock {shlex.quote(path)} --update {shlex.quote(tag)}")
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


def _lsp(_: argparse.Namespace) -> int:
    from clspec.lsp.server import server

    server().start_io()
    return 0


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
    from clspec.report.explanation import explained

    if given.code is None:
        for name, code in CODES.items():
            print(f"{name}  {code.severity.value:<7}  {code.title}")
        return 0
    name = given.code.upper()
    if name not in CODES:
        message = f"there is no code `{given.code}`: {did_you_mean(name, CODES) or '`clspec explain` lists them'}"
        raise UsageError(message)
    print(explained(name))
    return 0


_VERBS = {
    "init": beginning.run,
    "check": checking.run,
    "config": configuration.run,
    "compile": _compile,
    "run": running.run,
    "lock": _lock,
    "data": _data,
    "graph": _graph,
    "lsp": _lsp,
    "targets": _targets,
    "explain": _explain,
    "image": image.run,
    "label": label.run,
    "lint-manifest": manifests.run,
    "new-backend": newcomers.run,
    "gc": collecting.run,
    **dict.fromkeys(registry.VERBS, _of_registry),
    **review.VERBS,
    **past.VERBS,
}
