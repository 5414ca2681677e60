"""Files that outlive a crash: on the disk before they have their name, and the name on the disk before anybody hears.

A process killed at any moment leaves the old file, the new one, or a nameless one that nobody reads; never half of one.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFINISHED = ".clspec-"
"""What the names of files begin with that are still being written; no object is called so."""


@contextmanager
def aside(place: Path, content: bytes) -> Iterator[Path]:
    """A finished and durable file beside its place, which is gone afterwards unless it was moved there."""
    make_folder(place.parent)
    made = place.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        with made.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield made
    finally:
        with suppress(OSError):  # what cannot be removed is invisible, and collected later
            made.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durable as the files in it are to be."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        synchronise(place.parent)


def synchronise(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
