"""What an image's name says, as engines and clusters read it: a registry, a repository there, and a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clspec.diagnostic import UsageError

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HUB = ("docker.io", "index.docker.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A tag of a repository of a registry."""

    host: str
    """As the name has it; `docker.io` where it has none."""
    repository: str
    tag: str

    @property
    def address(self) -> str:
        """Where the registry's API is: without encryption on this very machine only, as engines have it."""
        if self.host in _HUB:
            return "https://registry-1.docker.io"
        return f"{'http' if self.is_here else 'https'}://{self.host}"

    @property
    def is_here(self) -> bool:
        """Whether the registry is on this very machine."""
        return is_here(self.host)

    def __str__(self) -> str:
        """The whole name, with what engines add to a short one."""
        return f"{self.host}/{self.repository}:{self.tag}"


def is_here(host: str) -> bool:
    """Whether a host, with its port or without, is this very machine."""
    return re.sub(r":[0-9]+$", "", host) in {"localhost", "127.0.0.1", "[::1]"}


def read(image: str) -> Reference:
    """What a name without a digest says.

    Raises:
        UsageError: it is no name of an image.
    """
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, path = first, rest
    else:
        host, path = _HUB[0], image if slash else f"library/{image}"
    repository, colon, tag = path.rpartition(":")
    found = Reference(host=host, repository=repository if colon else path, tag=tag if colon else "latest")
    if not (_HOST.fullmatch(host) and _REPOSITORY.fullmatch(found.repository) and _TAG.fullmatch(found.tag)):
        message = f"`{image}` is no name of an image: write one such as registry.example.com/team/name:tag"
        raise UsageError(message)
    return found
