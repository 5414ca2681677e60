"""The page's templates as Jinja compiles them, kept where Python keeps compiled modules, and trusted as those are."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from jinja2.bccache import Bucket


class Compiled(jinja2.BytecodeCache):
    """Compiled templates in files of their own; one that cannot be read or written is compiled again.

    `options` say how they are compiled: others, like another Jinja or Python, have other files or sums.
    """

    def __init__(self, folder: Path, options: object) -> None:
        self._folder = folder
        self._options = repr(options)

    def get_source_checksum(self, source: str) -> str:
        """What a file's content was compiled from."""
        return hashlib.sha256(f"{self._options}\n{source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept, if there is something."""
        with suppress(OSError), self._place(bucket.key).open("rb") as stream:
            bucket.load_bytecode(stream)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, where Python would keep a module."""
        if sys.dont_write_bytecode:
            return
        place = self._place(bucket.key)
        made = place.with_name(f"{place.name}.{os.getpid()}")
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(bucket.bytecode_to_string())
            made.replace(place)

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The template's own name."""
        del filename
        return name

    def _place(self, name: str) -> Path:
        version = "".join(filter(str.isalnum, jinja2.__version__))
        return Path(cache_from_source(str(self._folder / name), optimization=f"jinja{version}"))
