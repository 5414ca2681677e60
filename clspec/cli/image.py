"""`clspec image`: the image in which a spec's steps run on a cluster, built here and, if wanted, pushed and locked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import EXIT_CODES
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    import argparse

    from clspec.image.build import Built


def add_arguments(verbs: Any) -> None:
    """What may be said of an image."""
    image = verbs.add_parser("image", help="build the image in which steps run on a cluster", epilog=EXIT_CODES)
    image.add_argument("spec", nargs="?", metavar="SPEC")
    image.add_argument("--push", action="store_true", help="bring it to its registry; its digest goes into the lock")
    image.add_argument("--base", metavar="IMAGE", help="what it begins with; default: python:X.Y-slim, as here")
    image.add_argument("--engine", choices=["docker", "buildah"], help="default: whichever is there")
    lists = {"action": "append", "default": []}
    image.add_argument("--extra", **lists, metavar="NAME", help="an extra of clspec besides `run`, such as torch")
    image.add_argument("--requirement", "-r", **lists, metavar="FILE", help="what your code needs, as pip reads it")
    image.add_argument("--constraint", "-c", **lists, metavar="FILE", help="versions to keep to, as pip reads it")
    found = image.add_argument_group("where wheels are found", "for pip on this machine, besides its configuration")
    found.add_argument("--index-url", metavar="URL")
    found.add_argument("--extra-index-url", **lists, metavar="URL")
    found.add_argument("--find-links", **lists, metavar="PLACE", help="a folder or page with wheels")
    found.add_argument("--no-index", action="store_true", help="only what --find-links says")
    specs.add_options(image)


def run(given: argparse.Namespace) -> int:
    """Build an image, say what became of it, and return the exit code."""
    from clspec import api
    from clspec.image.build import Wanted
    from clspec.image.wheels import Libraries

    path = specs.path(given)
    libraries = Libraries(
        extras=tuple(given.extra),
        requirements=tuple(given.requirement),
        constraints=tuple(given.constraint),
        index=tuple(_index(given)),
    )
    wanted = Wanted(base=given.base, engine=given.engine, libraries=libraries)
    built = api.image(path, wanted, given.env, given.as_of, _say)
    for compiler in built.base.compilers:
        print(f"clspec: the base has a compiler, `{compiler}`, which steps do not need", file=sys.stderr)
    print(f"{built.tag}: {built.id} on this machine, built by {built.engine.name}")
    if given.push:
        return _pushed(path, built, given)
    print("  it has no digest that a cluster can ask for before a registry has it, so the lock is as it was:")
    print("  `clspec image --push` brings it there and records the digest; if something else pushes it, say")
    print(f"  clspec lock {path} --image sha256:...")
    return 0


def _pushed(path: str, built: Built, given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.lock import path_for

    digest = built.engine.push(built.tag)
    print(f"  its registry has it under {digest}", flush=True)
    made = api.lock(path, image=digest, environment=given.env, day=given.as_of)
    for line in made.changes or ("the digest was there already",):
        print(f"{path_for(path)}: {line}")
    return 0


def _say(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)


def _index(given: argparse.Namespace) -> list[str]:
    words = ["--no-index"] if given.no_index else []
    words += ["--index-url", given.index_url] if given.index_url else []
    for flag, places in (("--extra-index-url", given.extra_index_url), ("--find-links", given.find_links)):
        words += [word for place in places for word in (flag, place)]
    return words
