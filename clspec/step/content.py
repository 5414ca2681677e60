"""What a step made, as one word: the digest of all its outputs, by which later steps' results are found again."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import TYPE_CHECKING

from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BYTES = 20
"""160 bits are 32 letters: six such words and a target's own fit into the key of a Kubernetes ConfigMap."""


def digest(path: Path) -> str:
    """sha256 over a file's bytes, or over the names and digests of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
    listed = canonical({name: digest(path / name) for name in names})
    return f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def word(outputs: Mapping[str, Path]) -> str:
    """Lower-case letters and digits that no other outputs have; the same for the same names and contents."""
    listed = canonical({name: digest(path) for name, path in outputs.items()})
    return b32encode(hashlib.sha256(listed.encode()).digest()[:_BYTES]).decode("ascii").lower()
