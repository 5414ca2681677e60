"""What is asked of a commit: which spec it has, and which pipelines that names for a change of which paths."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from clspec import diff
from clspec.diagnostic import UsageError
from clspec.past.status import Asked
from clspec.past.touched import Since
from clspec.repository import git, head, root
from clspec.spec import CodeChange


def about(path: str, word: str, environment: str | None) -> tuple[Asked, dict[str, tuple[str, ...]]]:
    """What is asked about, and the pipelines that the `code_change` triggers of the spec name, as the commit has it.

    Each pipeline is told with the paths whose change starts it.

    Raises:
        UsageError: there is no repository, no such commit, no such spec or environment in it.
        NotCompared: the spec cannot be read as the commit has it.
    """
    folder = Path(path).absolute().parent
    while not folder.exists():  # a spec of another commit may lie in a folder that is not here
        folder = folder.parent
    top = root(folder)
    place = _from_root(top, path)
    present = head(top)
    commit = _commit(top, word)
    side = _read(top, commit, place, path, word)
    if environment is not None and environment not in side.environments:
        message = f"{path} has no environment `{environment}` at {word}"
        raise UsageError(message)
    triggers = side.plain.spec.triggers
    pipelines: dict[str, tuple[str, ...]] = {}
    for trigger in triggers:
        if isinstance(trigger, CodeChange):
            pipelines[trigger.run] = (*pipelines.get(trigger.run, ()), *trigger.paths)
    asked = Asked(
        spec=path,
        path=place,
        commit=commit,
        environment=environment or "",
        is_head=commit == present,
        is_same=Since(top, commit, place).is_same,
    )
    return asked, pipelines


def _from_root(top: Path, path: str) -> str:
    found = Path(path).resolve()
    if not found.is_relative_to(top.resolve()):
        message = f"{path} is outside of the repository {top}"
        raise UsageError(message)
    return found.relative_to(top.resolve()).as_posix()


def _commit(top: Path, word: str) -> str:
    try:
        return git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}").decode().strip()
    except UsageError:
        message = f"git knows no commit `{word}` in {top}: fetch it, or name another with --commit"
        raise UsageError(message) from None


def _read(top: Path, commit: str, place: str, path: str, word: str) -> diff.Side:
    try:
        text = git(top, "cat-file", "blob", f"{commit}:{place}")
    except UsageError:
        message = f"there is no {place} at {word}"
        raise UsageError(message) from None
    with tempfile.TemporaryDirectory(prefix="clspec-") as scratch:
        alone = Path(scratch, os.path.basename(place))  # noqa: PTH119  # of a path as git says it
        alone.write_bytes(text)
        return diff.read(str(alone), f"{path} at {word}")
