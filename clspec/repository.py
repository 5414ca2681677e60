"""What git knows of the files that a run is a run of: which commit they are, and whether they are that commit."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import code
from clspec.diagnostic import ClspecError, UsageError
from clspec.runs import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMED = 5
"""So many changed files are named."""


def git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    """What git answers. No hook, filter or other program of the repository is asked.

    Raises:
        UsageError: git is not there, or says no.
    """
    command = ("git", "-c", "core.fsmonitor=false", "-C", str(folder), *words)
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False, env=environment)  # noqa: S603
    except OSError as error:
        message = f"git cannot be run: {error.strerror}"
        raise UsageError(message) from error
    if done.returncode:
        message = f"git {words[0]}: {done.stderr.decode(errors='replace').strip() or 'it says no'}"
        raise UsageError(message)
    return done.stdout


def root(folder: Path) -> Path:
    """The root of the repository that a folder is in.

    Raises:
        UsageError: it is in none.
    """
    try:
        return Path(os.fsdecode(git(folder, "rev-parse", "--show-toplevel")).removesuffix("\n"))
    except UsageError as error:
        if "not a git repository" in str(error):
            message = f"{folder} is in no git repository"
            raise UsageError(message) from error
        raise


def head(top: Path) -> str:
    """The commit that is checked out.

    Raises:
        UsageError: there is none yet.
    """
    try:
        return git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    except UsageError:
        message = f"the repository {top} has no commit yet"
        raise UsageError(message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The files that a run is a run of, as they were read: the spec, its lock and the root of its code."""

    spec: Path
    spec_text: str
    lock: Path
    lock_text: str
    code: Path

    def look(self) -> Tree:
        """What they are at this moment; what git does not know, or knows otherwise, makes the tree dirty."""
        spec = self.spec.resolve()
        try:
            found = code.digest(self.code)
            wrong = [*_edited(self.spec, self.spec_text), *_edited(self.lock, self.lock_text)]
        except ClspecError as error:
            found, wrong = "", [str(error)]
        try:
            top = root(spec.parent).resolve()
            commit = head(top)
            wrong += _changes(top, (spec, self.lock.resolve()), self.code.resolve())
        except UsageError as error:
            return self._tree("", (str(error),), str(spec), found)
        return self._tree(commit, tuple(dict.fromkeys(wrong)), _below(top, spec), found)

    def _tree(self, commit: str, dirty: tuple[str, ...], path: str, found: str) -> Tree:
        spec, lock = _digest(self.spec_text), _digest(self.lock_text)
        return Tree(commit=commit, dirty=dirty, path=path, spec=spec, lock=lock, code=found)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _edited(path: Path, text: str) -> Iterator[str]:
    """That a file is not what was read of it."""
    try:
        now = path.read_bytes().decode(errors="replace") if path.exists() or text else ""
    except OSError as error:
        yield f"{path.name} cannot be read: {error.strerror}"
        return
    if now != text:
        yield f"{path.name} was edited after it was read"


def _changes(top: Path, files: tuple[Path, ...], code_root: Path) -> Iterator[str]:
    """Why a repository's head does not say what these files are, nor what its own are."""
    for path in (*files, code_root):
        if not path.is_relative_to(top):
            yield f"{path} is outside of the repository {top}"
            return
    told = git(top, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=none")
    yield from _some([entry for entry in _entries(told) if entry], "changed")
    names = [_below(top, path) for path in (*files, code_root)]
    found = _split(git(top, "--literal-pathspecs", "ls-files", "-z", "-v", "--recurse-submodules", "--", *names))
    hidden = [entry[2:] for entry in found if entry[0].islower() or entry[0] == "S"]
    yield from _some(hidden, "hidden from git by assume-unchanged or skip-worktree:")
    known = {entry[2:] for entry in found}
    try:
        there = [_below(top, path) for _, path in code.files(code_root)]
    except ClspecError as error:
        yield str(error)
        return
    wanted = [*(_below(top, path) for path in files if path.exists()), *there]
    yield from _some([name for name in wanted if name not in known], "not in the repository:")


def _entries(told: bytes) -> Iterator[str]:
    """The paths of git's short status; of a renamed file both names follow each other."""
    words = iter(_split(told))
    for entry in words:
        yield entry[3:]
        if "R" in entry[:2] or "C" in entry[:2]:
            next(words, None)


def _some(names: list[str], what: str) -> Iterator[str]:
    """One line for each of a few files, and one for the others."""
    for name in names[:_NAMED]:
        yield f"{what} {name}"
    if len(names) > _NAMED:
        yield f"{what} {len(names) - _NAMED} more files"


def _split(listed: bytes) -> list[str]:
    return [os.fsdecode(one) for one in listed.split(b"\0") if one]


def _below(top: Path, path: Path) -> str:
    return path.relative_to(top).as_posix()
