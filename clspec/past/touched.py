"""Whether what a trigger's paths name is the same at two commits, so that a run of the earlier one speaks for both.

Whatever cannot be told counts as a difference.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import lock
from clspec.diagnostic import UsageError
from clspec.repository import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_STRANGE = re.compile(r"[\[\]{}!\\]")
"""Characters that some globs know and this language does not say anything of."""
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Since:
    """A commit, beside which earlier ones are laid."""

    top: Path
    commit: str
    spec: str
    """The spec's path from the repository's root."""

    def is_same(self, earlier: str, paths: Iterable[str]) -> bool:
        """Whether a commit comes before this one, and no file that the paths name differs, nor the spec or its lock."""
        patterns = [self._pattern(path) for path in paths]
        if not patterns or None in patterns:
            return False
        try:
            git(self.top, "merge-base", "--is-ancestor", earlier, self.commit)
            changed = tuple(self._changed(earlier))
        except UsageError:  # it is no ancestor, or this clone has not all of what lies between
            return False
        own = {self.spec, lock.path_for(self.spec)}
        return not any(
            is_strange or name in own or any(p.fullmatch(name) for p in patterns if p) for name, is_strange in changed
        )

    def _changed(self, earlier: str) -> Iterator[tuple[str, bool]]:
        """The paths that differ, and whether more than git knows may differ below one: it is a submodule."""
        told = git(self.top, "diff-tree", "-r", "-z", "--raw", "--no-renames", earlier, self.commit)
        words = iter(os.fsdecode(told).split("\0"))
        for facts in words:
            if facts:
                yield next(words), _SUBMODULE in facts[1:].split(" ")[:2]

    def _pattern(self, path: str) -> re.Pattern[str] | None:
        """A glob as a pattern of paths from the repository's root; None where it is not known what it names.

        A path that names a folder names all that is in it.
        """
        found = posixpath.normpath(posixpath.join(posixpath.dirname(self.spec), path))
        if _STRANGE.search(path) or found.startswith(("../", "/")):
            return None
        words = "".join(_WILD.get(part, re.escape(part)) for part in _GLOB.findall(found))
        return re.compile(f"{words}(?:/.*)?" if found != "." else ".*", re.DOTALL)
