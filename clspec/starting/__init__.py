"""The first spec of a project: what `clspec init` writes, fitted to what it finds. Nothing is ever overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from clspec.diagnostic import UsageError
from clspec.project import root_of

SPEC = "clspec.yaml"
_ROOT = "learning"
_OLDEST = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a folder is given: the texts of the new files by their places, and what its owner should know besides."""

    folder: Path
    texts: dict[Path, str]
    notes: tuple[str, ...]

    @property
    def spec(self) -> Path:
        """Where the spec is."""
        return self.folder / SPEC


def started(folder: Path) -> Started:
    """What a project in a folder needs; nothing is written.

    Raises:
        UsageError: something of it is there already.
    """
    folder = folder.resolve()
    root = _root_of(folder)
    top = _top(folder)
    name = _name(folder)
    known = {
        "name": name,
        "owners": _owners(folder),
        "root": _ROOT,
        "workflow": name,
        "branch": _branch(folder),
        "folder": "." if folder == top else folder.relative_to(top).as_posix(),
        "python": _python(root),
        "project": f" -e {json.dumps(_relative(root, folder))}" if (root / "pyproject.toml").is_file() else "",
    }
    workflow = "clspec.yml" if folder == top else f"clspec-{name}.yml"
    texts = {
        folder / SPEC: _filled("clspec.yaml", known),
        folder / _ROOT / "data.py": _filled("data.py.txt", known),
        folder / _ROOT / "model.py": _filled("model.py.txt", known),
        folder / "tests" / "test_clspec.py": _filled("test.py.txt", known),
        top / ".github" / "workflows" / workflow: _filled("ci.yml", known),
    }
    notes = []
    ignored = top / ".gitignore"
    if not ignored.exists():
        texts[ignored] = _filled("gitignore", known)
    elif ".clspec" not in ignored.read_text(encoding="utf-8", errors="replace"):
        notes.append(f"add `.clspec/` and `build/` to {_shown(ignored)}: they belong to this machine")
    _refuse_existing(folder, texts)
    return Started(folder=folder, texts=texts, notes=tuple(notes))


def _refuse_existing(folder: Path, texts: dict[Path, str]) -> None:
    places = [*texts, (folder / SPEC).with_suffix(".lock")]
    there = [place for place in places if os.path.lexists(place)]
    if os.path.lexists(folder / _ROOT) and not there:
        there = [folder / _ROOT]
    if there:
        listed = "\n".join(f"  {_shown(place)}" for place in there)
        message = f"nothing was written, since these are there already and nothing is overwritten:\n{listed}"
        raise UsageError(message)


def write(made: Started) -> list[Path]:
    """Write the new files, all of them or none, and say what was made: folders, too.

    Raises:
        UsageError: one cannot be written, or somebody was faster; everything is as it was.
    """
    done: list[Path] = []
    try:
        for place, text in made.texts.items():
            for folder in reversed([one for one in place.parents if not one.exists()]):
                folder.mkdir()
                done.append(folder)
            with place.open("x", encoding="utf-8", newline="") as file:
                done.append(place)
                file.write(text)
    except OSError as error:
        take_back(done)
        message = f"cannot write {_shown(place)}: {error.strerror or error}; nothing was written"
        raise UsageError(message) from error
    return done


def take_back(places: list[Path]) -> None:
    """Remove files and folders that were made, the last one first."""
    for place in reversed(places):
        with contextlib.suppress(OSError):
            place.rmdir() if place.is_dir() else place.unlink()


def _filled(name: str, known: dict[str, str]) -> str:
    return Template(files(__name__).joinpath("files", name).read_text(encoding="utf-8")).substitute(known)


# -- what can be found out ---------------------------------------------------------------------------------------------


def _root_of(folder: Path) -> Path:
    """The project's root; of a folder that is not there yet, that of the nearest one that is."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    found = root_of(there)
    return folder if found == there != folder and not (found / "pyproject.toml").exists() else found


def _top(folder: Path) -> Path:
    """The root of the repository that a folder is in, or the folder."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _name(folder: Path) -> str:
    """The folder's name, in the form that names have."""
    found = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
    found = re.sub(r"^[^a-z]+", "", found)[:50].strip("-")
    return found or "model"


def _owners(folder: Path) -> str:
    """Who commits here, if git knows."""
    mail = _git(folder, "config", "user.email")
    return f", owners: [{json.dumps(mail)}]" if re.fullmatch(r"[^\s@\"\\]+@[^\s@\"\\]+", mail) else ""


def _branch(folder: Path) -> str:
    """The branch that changes go into: the remote's, or the one that this folder is on."""
    remote = _git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    found = remote or _git(folder, "symbolic-ref", "--short", "HEAD")
    return found if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", found) else "main"


def _git(folder: Path, *words: str) -> str:
    """What git answers; nothing where there is no git or no answer."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(there), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _python(root: Path) -> str:
    """The Python that the project asks for at least, else this one."""
    place = root / "pyproject.toml"
    wanted = ""
    if place.is_file():
        try:
            project = tomllib.loads(place.read_text(encoding="utf-8")).get("project", {})
            wanted = str(project.get("requires-python", "")) if isinstance(project, dict) else ""
        except (OSError, ValueError):
            wanted = ""  # it is the project's to mend; this needs no more than a version
    found = re.search(r">=\s*3\.([0-9]+)", wanted)
    version = (3, int(found[1])) if found else sys.version_info[:2]
    return ".".join(map(str, max(version, _OLDEST)))


def _relative(place: Path, folder: Path) -> str:
    return os.path.relpath(place, folder)


def _shown(place: Path) -> str:
    """A place as a person here would write it."""
    here = Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else str(place)
