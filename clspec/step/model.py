"""A model as files: its digest, and what must not be among them."""

from __future__ import annotations

import hashlib
import pickletools
from typing import TYPE_CHECKING

from clspec.diagnostic import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

_PICKLE_NAMES = {".pkl", ".pickle", ".joblib"}
_PICKLE_STARTS = tuple(b"\x80" + bytes([protocol]) for protocol in range(6))
_NAMES_CODE = {
    "GLOBAL",
    "STACK_GLOBAL",
    "INST",
    "OBJ",
    "NEWOBJ",
    "NEWOBJ_EX",
    "REDUCE",
    "BUILD",
    "EXT1",
    "EXT2",
    "EXT4",
}
"""What a pickle calls code with; the oldest forms have no mark at their start."""


class ModelError(StepFailed):
    """A model is not what may be kept."""


def files(directory: Path) -> list[tuple[str, Path]]:
    """The regular files of a model with their POSIX paths, in order.

    Raises:
        ModelError: it holds a link or something that is no file.
    """
    if directory.is_symlink():
        message = f"{directory.name} was replaced by a link"
        raise ModelError(message)
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            message = f"the model holds {path.relative_to(directory)}, which is no regular file"
            raise ModelError(message)
        if path.is_file():
            found.append((path.relative_to(directory).as_posix(), path))
    return found


def verify(directory: Path) -> None:
    """A model has files, and none is a bare pickle: loading one runs whatever code it names.

    Raises:
        ModelError: it has none, or one is.
    """
    found = files(directory)
    if not found:
        message = "the training left no file in `model_dir`"
        raise ModelError(message)
    for name, path in found:
        if path.suffix.lower() in _PICKLE_NAMES or _is_pickle(path):
            message = (
                f"the model holds {name}, a pickle: loading it would run any code that it names. Save safetensors, "
                f"ONNX, JSON, or a torch state dict that loads with `weights_only=True`"
            )
            raise ModelError(message)


def _is_pickle(path: Path) -> bool:
    """Whether a file is a pickle: by its mark, or as nothing but a pickle's instructions, some of which name code."""
    with path.open("rb") as stream:
        if stream.read(2) in _PICKLE_STARTS:
            return True
        stream.seek(0)
        try:
            names = {instruction.name for instruction, _, _ in pickletools.genops(stream)}
        except (ValueError, OverflowError, MemoryError):  # not such instructions: any other file
            return False
        return bool(names & _NAMES_CODE) and not stream.read(1)


def digest(directory: Path) -> str:
    """sha256 over the names and bytes of a model's files."""
    total = hashlib.sha256()
    for name, path in files(directory):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").digest()
        encoded = name.encode()
        total.update(len(encoded).to_bytes(8, "big") + encoded + content)
    return f"sha256:{total.hexdigest()}"
