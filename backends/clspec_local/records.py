"""A note beside the artifacts of what lies under each key, so that a history that is lost costs no work."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = "results"
"""The notes' folder, in the state folder."""


def note(  # noqa: PLR0913, PLR0917  # what is recorded of a result
    state: Path, key: str, kind: str, digests: Mapping[str, str], parameters: Mapping[str, str], run: str
) -> None:
    """Write down what lies under a key; whole or not at all, as long as the machine lives.

    A note that a loss of power tore is none: see `noted`. What it says of outputs is proven again before it is used.
    """
    content = {"key": key, "kind": kind, "digests": dict(digests), "parameters": dict(parameters), "run": run}
    folder = state / FOLDER / run
    scratch = folder / f".{key}.{os.getpid()}"
    text = canonical({**content, "sum": _sum(content)})
    try:
        scratch.write_text(text, encoding="ascii")
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="ascii")
    scratch.replace(folder / f"{key}.json")


def noted(state: Path) -> Iterator[tuple[str, str, dict[str, str], dict[str, str], str]]:
    """Every note that is whole: key, kind, digests, parameters and the run that made it, the oldest first.

    They lie in a folder for each run, or, written by an older clspec, for each beginning of a key.
    """
    found = []
    for path in (state / FOLDER).glob("*/*.json"):
        with suppress(OSError):
            found.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(found):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            content = json.loads(path.read_bytes())
            given = content.pop("sum")
            if given == _sum(content) and content["key"] == path.stem:
                yield content["key"], content["kind"], content["digests"], content["parameters"], content["run"]


def forget_empty(state: Path) -> None:
    """Remove the folders of notes that have none left; no run may be at work."""
    for folder in (state / FOLDER).glob("*/"):
        with suppress(OSError):  # it has some
            folder.rmdir()


def _sum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()
