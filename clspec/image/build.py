"""An image from a spec: what it is called, what it holds, and that it is built from nothing else."""

from __future__ import annotations

import posixpath
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clspec import code
from clspec.diagnostic import UsageError
from clspec.image import base as bases
from clspec.image import contents, engine, wheel, wheels
from clspec.image.wheels import Libraries

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.check import Facts
    from clspec.image.base import Base
    from clspec.image.engine import Engine

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/:]*")
_BASE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/:]*(@sha256:[0-9a-f]{64})?")
_TAKEN = ("/build", "/dev", "/etc", "/opt/clspec", "/proc", "/root", "/run", "/sys", "/tmp", "/var/run")  # noqa: S108
"""Where code would be hidden by a mount, be readable to nobody, or lie among what is not the user's."""
_SYSTEM = ("/", "/bin", "/home", "/lib", "/lib64", "/opt", "/sbin", "/srv", "/usr", "/usr/bin", "/usr/lib", "/var")
"""Folders that hold other things, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How an image is to be built, beyond what the spec says."""

    base: str | None = None
    """Another image with Python in it; without, the official one of the Python that runs here."""
    engine: str | None = None
    libraries: Libraries = field(default_factory=Libraries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image that lies on this machine; no registry has seen it."""

    engine: Engine
    tag: str
    id: str
    """What it is called here: the digest of its configuration, which is not the digest that a cluster asks for."""
    base: Base
    code: str
    """The digest of the code in it."""
    wheels: tuple[str, ...]


def build(facts: Facts, wanted: Wanted, say: Callable[[str], None]) -> Built:
    """Build the image of a spec and give it the name that the spec says.

    Raises:
        UsageError: the spec names no image, a secret lies in its code, or nothing here can build one.
        StepFailed: a wheel is missing, or the build failed.
    """
    tag, workdir = named(facts), _workdir(facts)
    if wanted.base is not None and not _BASE.fullmatch(wanted.base):
        message = f"`{wanted.base}` is no name of an image"
        raise UsageError(message)
    wheel.check_extras(wanted.libraries.extras)
    chosen = engine.found(wanted.engine)
    with tempfile.TemporaryDirectory(prefix="clspec-image-") as folder:
        context = Path(folder, "context")
        contents.lay_out(facts.root, context / "code")
        digest = code.digest(context / "code")
        say(f"code: {facts.root}, {digest}")
        base = bases.ask(chosen, wanted.base or bases.usual())
        say(f"base: {base}")
        fetched = wheels.fetch(base, wheel.write(Path(folder)), wanted.libraries, context)
        say(f"wheels: {len(fetched)}, {sum(path.stat().st_size for path in fetched) / 1e6:.0f} MB")
        shutil.copyfile(Path(__file__).with_name("Dockerfile"), context / "Dockerfile")
        contents.settle(context)
        arguments = {"BASE": base.name, "WORKDIR": workdir, "CODE": digest, "VERSION": wheel.version()}
        found = chosen.build(context, tag, arguments)
    names = tuple(path.name for path in fetched)
    return Built(engine=chosen, tag=tag, id=found, base=base, code=digest, wheels=names)


def named(facts: Facts) -> str:
    """The name that the spec gives its image.

    Raises:
        UsageError: it gives none, or one that only bytes that exist already can have.
    """
    image, path = facts.spec.code.image, facts.document.path
    example = "`code: {image: registry.example.com/team/NAME:TAG, workdir: /app}`"
    if not image:
        message = f"{path} says no `code.image`, so that the image has no name: write {example} beside `root`"
        raise UsageError(message)
    if "@" in image:
        message = (
            f"`code.image` in {path} is a digest, which belongs to an image that exists: name the one to be built by "
            f"a tag, as in {example}; the lock says which digest the tag means"
        )
        raise UsageError(message)
    if not _NAME.fullmatch(image):
        message = f"`{image}` in {path} is no name of an image: write one such as {example}"
        raise UsageError(message)
    return image


def _workdir(facts: Facts) -> str:
    """Where the code lies in the image.

    Raises:
        UsageError: the spec does not say, or it cannot lie there.
    """
    given = facts.spec.code.workdir
    if not given:
        message = f"{facts.document.path} says no `code.workdir`: the folder of the code in the image, such as `/app`"
        raise UsageError(message)
    workdir = given.rstrip("/") or "/"
    inside = any(PurePosixPath(workdir).is_relative_to(place) for place in _TAKEN)
    if posixpath.normpath(workdir) != workdir or workdir[:1] != "/" or workdir in _SYSTEM or inside:
        message = f"code cannot lie at `code.workdir` {given} in an image: give it a folder of its own, such as `/app`"
        raise UsageError(message)
    return workdir
