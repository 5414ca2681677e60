"""What builds images here: docker or buildah, asked in the few words that both know."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clspec.diagnostic import StepFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LINES = 25
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UNKNOWN = "base {} does not start, and a base has Python; give another with --base if this is not the one"
_WAY_OUT = "docker.io and buildah are packages of Debian; any machine with one of them can build the image"


class Engine(Protocol):
    """A program that builds images."""

    @property
    def name(self) -> str:
        """What it is called."""

    def complaint(self) -> str:
        """Why it cannot be used here, or nothing."""

    def ask(self, image: str, command: Sequence[str]) -> str:
        """What a command in a container of an image prints; nothing of the container stays."""

    def build(self, context: Path, tag: str, arguments: Mapping[str, str]) -> str:
        """Build what a folder holds and give it a tag; its id here, which is no registry's."""

    def push(self, tag: str) -> str:
        """Bring an image to its registry; the digest under which it lies there."""


@dataclass(frozen=True, slots=True)
class Docker:
    """Docker's command line, whichever daemon it talks to."""

    name: str = "docker"

    def complaint(self) -> str:
        """Why it cannot be used here, or nothing."""
        if shutil.which(self.name) is None:
            return "docker is not installed"
        asked = _ran([self.name, "version", "--format", "{{.Server.Version}}"])
        return "" if asked.returncode == 0 else f"docker's daemon does not answer: {_last(asked)}"

    def ask(self, image: str, command: Sequence[str]) -> str:
        """What a command in a container of an image prints."""
        words = ["run", "--rm", "--network", "none", "--entrypoint", command[0], image, *command[1:]]
        return _done(_ran([self.name, *words]), _UNKNOWN.format(image)).stdout

    def build(self, context: Path, tag: str, arguments: Mapping[str, str]) -> str:
        """Build what a folder holds and give it a tag; its id here."""
        return _built([self.name, "build"], context, tag, arguments)

    def push(self, tag: str) -> str:
        """Bring an image to its registry; the digest under which it lies there."""
        said = _done(_ran([self.name, "push", tag]), f"{tag} was built, and cannot be pushed").stdout
        found = _DIGEST.findall(said.rpartition("digest:")[2])
        if not found:
            message = f"{tag} was pushed, and docker does not say under which digest:\n{said}"
            raise StepFailed(message)
        return str(found[0])


@dataclass(frozen=True, slots=True)
class Buildah:
    """Buildah, which needs no daemon."""

    name: str = "buildah"

    def complaint(self) -> str:
        """Why it cannot be used here, or nothing."""
        if shutil.which(self.name) is None:
            return "buildah is not installed"
        asked = _ran([self.name, "images", "--quiet"])
        return "" if asked.returncode == 0 else f"buildah does not work: {_last(asked)}"

    def ask(self, image: str, command: Sequence[str]) -> str:
        """What a command in a container of an image prints."""
        why = _UNKNOWN.format(image)
        container = _done(_ran([self.name, "from", "--quiet", image]), why).stdout.split()[-1]
        try:
            return _done(_ran([self.name, "run", "--network", "none", container, "--", *command]), why).stdout
        finally:
            _ran([self.name, "rm", container])

    def build(self, context: Path, tag: str, arguments: Mapping[str, str]) -> str:
        """Build what a folder holds and give it a tag; its id here."""
        return _built([self.name, "bud", "--layers"], context, tag, arguments)

    def push(self, tag: str) -> str:
        """Bring an image to its registry; the digest under which it lies there."""
        with tempfile.TemporaryDirectory(prefix="clspec-") as folder:
            told = Path(folder, "digest")
            words = [self.name, "push", *_insecure(tag), "--digestfile", str(told), tag, f"docker://{tag}"]
            _done(_ran(words), f"{tag} was built, and cannot be pushed")
            return told.read_text(encoding="ascii").strip()


def _insecure(tag: str) -> list[str]:
    """A registry of this very machine need not encrypt, which docker knows by itself."""
    host = tag.partition("/")[0].partition(":")[0]
    return ["--tls-verify=false"] if host in ("localhost", "127.0.0.1") else []


ENGINES: tuple[Engine, ...] = (Docker(), Buildah())


def found(name: str | None) -> Engine:
    """The engine of this name, or the first one that can be used here.

    Raises:
        UsageError: there is none.
    """
    complaints = []
    for engine in ENGINES:
        if name in (None, engine.name):
            why = engine.complaint()
            if not why:
                return engine
            complaints.append(why)
    message = f"nothing here can build an image: {'; '.join(complaints)}\n{_WAY_OUT}"
    raise UsageError(message)


def _built(command: Sequence[str], context: Path, tag: str, arguments: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory(prefix="clspec-") as folder:
        told = Path(folder, "id")
        words = [*command, "--network", "none", "--iidfile", str(told), "--tag", tag, *_pairs(arguments), str(context)]
        _done(_ran(words), f"{tag} cannot be built")
        return told.read_text(encoding="ascii").strip()


def _pairs(arguments: Mapping[str, str]) -> Iterator[str]:
    for name, value in arguments.items():
        yield from ("--build-arg", f"{name}={value}")


def _ran(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # no shell; names that look like options are refused before
        words, check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )


def _done(ran: subprocess.CompletedProcess[str], what: str) -> subprocess.CompletedProcess[str]:
    """What was run, if it went well.

    Raises:
        StepFailed: it did not; the text has the end of what it said.
    """
    if ran.returncode:
        said = _COLOUR.sub("", ran.stdout + ran.stderr)
        lines = [line for line in said.splitlines() if line.strip()]
        message = "\n  ".join([f"{what}:", *lines[-_LINES:]])
        raise StepFailed(message)
    return ran


def _last(ran: subprocess.CompletedProcess[str]) -> str:
    lines = _COLOUR.sub("", ran.stderr or ran.stdout).strip().splitlines()
    return lines[-1] if lines else f"it ended with {ran.returncode}"
