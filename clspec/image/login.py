"""Whom a registry is asked as: what `docker login` or `podman login` left on this machine, and nothing else."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HUB = ("https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io")
_TOKEN = "<token>"  # noqa: S105  # the name that helpers give where what they know is a token and no password
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A name with its password; `token` is what some registries give in its stead. Neither is ever shown."""

    name: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The header that says so."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode()


def known(host: str) -> Login | None:
    """Who is logged in at a registry here, if anybody.

    Raises:
        UsageError: a file of logins cannot be read, or names a program that cannot be asked.
    """
    for place in _places():
        config = _read(place)
        found = config and _of(config, host, place)
        if found:
            return found
    return None


def _places() -> Iterator[Path]:
    docker = os.environ.get("DOCKER_CONFIG")
    yield Path(docker, "config.json") if docker else Path.home() / ".docker" / "config.json"
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    elif runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers", "auth.json")


def _read(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        message = f"{place}, which has the logins of registries, cannot be read: {error.strerror}"
        raise UsageError(message) from error
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = f"{place}, which has the logins of registries, is no JSON mapping"
        raise UsageError(message)
    return found


def _names(host: str) -> tuple[str, ...]:
    """How files call a registry."""
    return _HUB if host in _HUB else (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")


def _of(config: Mapping[str, Any], host: str, place: Path) -> Login | None:
    helpers, auths = (_mapping(config, key) for key in ("credHelpers", "auths"))
    helper = next((helpers[name] for name in _names(host) if name in helpers), config.get("credsStore"))
    if helper:
        return next((found for name in _names(host)[:2] if (found := _helped(str(helper), name, place))), None)
    for name in _names(host):
        if isinstance(entry := auths.get(name), dict):
            return _entry(entry, name, place)
    return None


def _mapping(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _entry(entry: Mapping[str, Any], name: str, place: Path) -> Login | None:
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Login(token=token)
    if not isinstance(auth := entry.get("auth"), str) or not auth:
        return None
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        message = f"what {place} has under `{name}` is no login: log in again"
        raise UsageError(message)
    return Login(name=user, password=password.rstrip("\0"))


def _helped(helper: str, name: str, place: Path) -> Login | None:
    """What a program that keeps passwords knows of a registry, if anything."""
    program = f"docker-credential-{helper}"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", helper):
        message = f"{place} names a program for logins that can have no such name"
        raise UsageError(message)
    try:
        ran = subprocess.run(  # noqa: S603  # what `docker login` has set up
            [program, "get"], input=name, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "is not installed" if isinstance(error, FileNotFoundError) else "does not answer"
        message = f"{place} has logins kept by `{program}`, which {why}"
        raise UsageError(message) from error
    if ran.returncode:
        return None  # so it says that it knows none
    try:
        said = json.loads(ran.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, LookupError, TypeError) as error:
        message = f"`{program}` does not answer as a program that keeps logins does"
        raise UsageError(message) from error
    return Login(token=secret) if user == _TOKEN else Login(name=user, password=secret)
