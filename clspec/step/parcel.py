"""Files on their way through the store: in parts named by their content, with a list of how they must arrive."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from clspec.data.storage import Storage

PART = 64 * 1024 * 1024
"""Bytes of a file that are in memory at a time, and in one object of the store."""


def send(storage: Storage, folder: str, files: Iterable[tuple[str, Path]]) -> dict[str, Any]:
    """Lay down files, and return the list of them: for each name the digest of the whole, and its parts in order.

    Raises:
        StepFailed: a file cannot be read, or the store cannot be written.
    """
    return {name: _sent(storage, folder, path) for name, path in files}


def _sent(storage: Storage, folder: str, path: Path) -> dict[str, Any]:
    whole, parts = hashlib.sha256(), []
    try:
        for part in _read(path):
            whole.update(part)
            name = hashlib.sha256(part).hexdigest()
            storage.write(_key(folder, name), part)
            parts.append(name)
    except OSError as error:
        message = f"{path} cannot be handed over: {error.strerror or error}"
        raise StepFailed(message) from error
    return {"sha256": whole.hexdigest(), "parts": parts}


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(PART):
            yield part


def fetch(storage: Storage, folder: str, listed: Mapping[str, Any], place: Path) -> None:
    """Put the files of a list below a folder, each proved to be what was sent.

    Raises:
        StepFailed: a part is missing, a file is another, or its name leads elsewhere.
    """
    for name, file in listed.items():
        if not all(step.strip(".") for step in name.split("/")) or "\\" in name or "\0" in name:
            message = f"a file called {name!r} was handed over, which is no plain name"
            raise StepFailed(message)
        path = place.joinpath(*name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = hashlib.sha256()
        with path.open("wb") as stream:
            for part in file["parts"]:
                content = storage.read(_key(folder, part))
                if content is None:
                    message = f"{name} was handed over, and its part {part[:12]} is not in the store"
                    raise StepFailed(message)
                whole.update(content)
                stream.write(content)
        if whole.hexdigest() != file["sha256"]:
            message = f"{name} did not arrive as it was sent: it is sha256:{whole.hexdigest()}"
            raise StepFailed(message)


def clear(storage: Storage, folder: str) -> None:
    """Take away all that was laid down under a folder.

    Raises:
        StepFailed: the store cannot be written.
    """
    for key in tuple(storage.keys(folder)):
        storage.delete(key)


def _key(folder: str, part: str) -> str:
    return f"{folder}/parts/{part}"
