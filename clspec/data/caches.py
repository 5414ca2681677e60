"""Compiled code from caches: of installed libraries it is taken, of the user's code never.

A cache may be of other sources than those that were reviewed and hashed. What is installed is trusted as it is, its
caches too; to compile it again costs seconds of each step that imports torch.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_ROOTS: set[str] = set()
"""Where the user's code lies."""


def refuse_of(root: Path) -> None:
    """From now on take no compiled code from a cache but that of installed libraries, and write no cache."""
    sys.dont_write_bytecode = True  # a cache beside the code would be a change of it
    _ROOTS.update(_folders([str(root)]))
    SourceFileLoader.path_stats = _path_stats  # type: ignore[method-assign]  # every way to import a source asks it


def is_of_a_library(path: str) -> bool:
    """Whether a source is installed, and not the user's: of the folders that it lies in, the innermost says so."""
    innermost = max((len(folder) for folder in _LIBRARIES if path.startswith(folder)), default=0)
    return innermost > max((len(folder) for folder in _ROOTS if path.startswith(folder)), default=0)


def _path_stats(self: SourceFileLoader, path: str) -> Any:
    """What a cache is compared with; where that is not known, Python compiles the source and keeps nothing.

    Raises:
        OSError: the source is not a library's.
    """
    if not is_of_a_library(path):
        raise OSError
    return _OF_PYTHON(self, path)


def _folders(paths: list[str]) -> set[str]:
    return {os.path.join(form, "") for path in paths for form in (path, os.path.realpath(path))}  # noqa: PTH118


_OF_PYTHON = SourceFileLoader.path_stats
_LIBRARIES = _folders(
    [
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *([site.getusersitepackages()] if site.ENABLE_USER_SITE else []),
    ]
)
