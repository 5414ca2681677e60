"""The user's code as it enters an image: the files that its digest counts, and never a secret."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from clspec import code
from clspec.code import CodeError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = 315_532_800
"""1980, the first moment that a zip file knows: equal files are equal layers, whenever they were written."""

_SHOWN = 5
_FOLDERS = frozenset({".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".ssh"})
_NAMES = (
    *(".env", ".env.*", "*.env", ".netrc", "_netrc", ".pypirc", ".pgpass", ".npmrc", ".git-credentials"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("credentials", "credentials.json", "service-account*.json", "kubeconfig", "secrets.y*ml", "secrets.json"),
)
_EXAMPLES = (".example", ".sample", ".template", ".dist")
"""How a file says that it only shows what a secret looks like."""
_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_PUBLIC = re.compile(rb"-----BEGIN [A-Z0-9 ]*(CERTIFICATE|PUBLIC KEY)-----")


def lay_out(root: Path, folder: Path) -> None:
    """Copy the code below a folder, where everybody may read it and nothing tells when it was written.

    Raises:
        CodeError: the code cannot be read, or a link leads out of its root.
        UsageError: something there looks like a secret, which an image would show to everybody who may pull it.
    """
    files = list(code.files(root))
    if not files:
        message = f"{root} holds no code: `code.root` names the folder that steps run"
        raise UsageError(message)
    contents = {name: _read(path) for name, path in files}
    if found := [f"{root / name} {why}" for name, why in _secrets(contents)]:
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        lines = "\n  ".join([*found[:_SHOWN], *more])
        message = (
            f"what lies in the code root is part of the code, and would lie in the image:\n  {lines}\n"
            f"move it out of {root}; a step gets secrets as variables, by name"
        )
        raise UsageError(message)
    for name, path in files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents[name])
        place.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def settle(folder: Path) -> None:
    """Let every file and folder be as old as every other, and open every folder to whoever runs steps."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (LONG_AGO, LONG_AGO))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise CodeError(message) from error


def _secrets(contents: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """What looks like a secret, by name or by content, and why."""
    for name, content in contents.items():
        *folders, last = name.lower().split("/")
        if _FOLDERS & set(folders) or (_matches(last) and not last.endswith(_EXAMPLES)):
            yield name, "has a secret's name"
        elif _PRIVATE.search(content):
            yield name, "holds a private key"
        elif last.endswith(".pem") and not _PUBLIC.search(content):
            yield name, "is no certificate"


def _matches(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _NAMES)
