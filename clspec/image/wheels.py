"""The wheels of an image, fetched here by pip with its own settings, so that the build needs no network or password."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.diagnostic import StepFailed, UsageError

if TYPE_CHECKING:
    from clspec.image.base import Base

_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """What an image is to hold besides clspec itself, and where pip finds it."""

    extras: tuple[str, ...] = ()
    """Extras of clspec; `run` is always one."""
    requirements: tuple[str, ...] = ()
    """Files of pip's, with what the user's code needs."""
    constraints: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    """Options of pip's that say where wheels are, beyond what its configuration says."""


def fetch(base: Base, clspec: Path, libraries: Libraries, context: Path) -> list[Path]:
    """Put the wheels that fit the base into `wheels/` of a build context, and pip itself into `installer/`.

    Raises:
        UsageError: there is no pip here, or no such file.
        StepFailed: pip did not find everything; what has no wheel for the base is built by nobody.
    """
    if find_spec("pip") is None:
        message = f"pip fetches the wheels, and {sys.executable} has none: `{sys.executable} -m ensurepip` installs it"
        raise UsageError(message)
    for file in (*libraries.requirements, *libraries.constraints):
        if not Path(file).is_file():
            message = f"there is no file {file} of requirements"
            raise UsageError(message)
    wheels, installer = context / "wheels", context / "installer"
    installer.mkdir()
    ran = subprocess.run(  # noqa: S603  # our own pip
        [sys.executable, "-m", "pip", *_words(base, clspec, libraries), "--dest", str(wheels)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ran.returncode:
        raise StepFailed(_told(base, ran.stderr + ran.stdout))
    for path in wheels.glob("pip-*.whl"):
        path.rename(installer / path.name)
    return sorted(wheels.glob("*.whl"))


def _words(base: Base, clspec: Path, libraries: Libraries) -> list[str]:
    words = ["download", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary", ":all:"]
    words += ["--implementation", "cp", "--python-version", ".".join(map(str, base.python))]
    words += [word for tag in base.platforms() for word in ("--platform", tag)]
    words += libraries.index
    for flag, files in (("--requirement", libraries.requirements), ("--constraint", libraries.constraints)):
        words += [word for file in files for word in (flag, file)]
    extras = ",".join(sorted({"run", *libraries.extras}))
    return [*words, f"{clspec}[{extras}]", "pip"]


def _told(base: Base, said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING: Location")]
    shown = "\n".join([line for line in lines if line.startswith("ERROR")] or lines[-_LINES:])
    return (
        f"pip cannot fetch the wheels for {base}:\n{shown}\n"
        f"--index-url, --extra-index-url and --find-links say where they are; what is published without one becomes "
        f"one by `pip wheel`, on a machine like the base"
    )
