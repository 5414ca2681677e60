"""Files that a backend's author has looked at and keeps beside the tests: what is emitted is compared with them."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.backend import Bundle

VARIABLE = "CLSPEC_WRITE_GOLDENS"
"""Set to 1, it has the goldens written instead of compared."""


def folder_of(test_file: Path) -> Path:
    """`goldens` in the nearest folder called `tests` above a test's file, else beside it."""
    for folder in test_file.parents:
        if folder.name == "tests":
            return folder / "goldens"
    return test_file.parent / "goldens"


def wanted() -> bool:
    """Whether goldens are to be written."""
    return os.environ.get(VARIABLE, "") not in {"", "0"}


def write(bundle: Bundle, folder: Path) -> None:
    """Make the folder hold exactly the bundle."""
    for name in _stored(folder).keys() - bundle.keys():
        (folder / name).unlink()
    for name, text in bundle.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


def differences(bundle: Bundle, folder: Path) -> list[str]:
    """What is not as it is stored: files that are missing or too many, and changed lines."""
    stored = _stored(folder)
    if not stored:
        return [f"{folder} holds no goldens: look at what `{VARIABLE}=1` writes there, and keep it"]
    found = [f"{name} is stored and no longer emitted" for name in sorted(stored.keys() - bundle.keys())]
    for name, text in bundle.items():
        if name not in stored:
            found.append(f"{name} is emitted and not stored")
        elif stored[name] != text.encode():
            found += _changed(name, stored[name].decode(errors="replace"), text)
    return found


def _changed(name: str, stored: str, text: str) -> list[str]:
    lines = difflib.unified_diff(stored.splitlines(), text.splitlines(), f"stored {name}", f"emitted {name}", n=1)
    shown = [line.rstrip() for line in lines][:40]
    return shown or [f"{name}: the ends of lines differ"]


def _stored(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
