"""The image that an image begins with: which Python it has, for which machine, and which wheels fit it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.image.engine import Engine

_LEAST = (3, 11)
_QUESTION = """
import glob, json, platform, shutil, sys
print(json.dumps({
    "python": sys.version_info[:2], "version": platform.python_version(), "machine": platform.machine(),
    "libc": ["musl", "1.2"] if glob.glob("/lib/ld-musl-*") else platform.libc_ver(),
    "compilers": [name for name in ("cc", "gcc", "c++", "g++", "clang") if shutil.which(name)],
}))
"""
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""What wheels for glibc 2.N were called before they were called by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base image, asked what it is."""

    name: str
    python: tuple[int, int]
    version: str
    """Of its Python, in full."""
    machine: str
    libc: str
    libc_version: tuple[int, int]
    compilers: tuple[str, ...]

    def platforms(self) -> Iterator[str]:
        """The platform tags of wheels that run there, the newest first (PEP 600, PEP 656)."""
        major, minor = self.libc_version
        if self.libc == "musl":
            yield from (f"musllinux_{major}_{n}_{self.machine}" for n in range(minor, -1, -1))
        else:
            oldest = 5 if self.machine in ("x86_64", "i686") else 17
            for n in range(minor, oldest - 1, -1):
                yield f"manylinux_{major}_{n}_{self.machine}"
                if n in _OLD_NAMES:
                    yield f"{_OLD_NAMES[n]}_{self.machine}"
        yield f"linux_{self.machine}"

    def __str__(self) -> str:
        """What it is, on one line."""
        libc = f"{self.libc} {'.'.join(map(str, self.libc_version))}"
        return f"{self.name} with Python {self.version}, {self.machine}, {libc}"


def usual() -> str:
    """The base for whoever names none: the Python that runs here, so that the image is like where code was tried."""
    return f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"


def ask(engine: Engine, name: str) -> Base:
    """Start the base once and ask it.

    Raises:
        UsageError: it is not there, or has no Python that clspec runs on.
    """
    answer = engine.ask(name, ["python3", "-c", _QUESTION])
    try:
        found = json.loads(answer)
        libc, version = found["libc"]
        major, minor, *_ = map(int, version.split("."))
        made = Base(
            name=name,
            python=tuple(found["python"]),
            version=found["version"],
            machine=found["machine"],
            libc=libc,
            libc_version=(major, minor),
            compilers=tuple(found["compilers"]),
        )
    except (ValueError, LookupError, TypeError) as error:
        message = f"base {name} does not say what it is, but {answer.strip()[:200]!r}: give another with --base"
        raise UsageError(message) from error
    if made.python < _LEAST:
        message = f"base {name} has Python {made.version}, and clspec needs 3.11 or newer: give another with --base"
        raise UsageError(message)
    return made
