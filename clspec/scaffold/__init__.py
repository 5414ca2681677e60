"""A backend's first day: a distribution of its own that passes the contract, with its limits declared."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from clspec.diagnostic import UsageError

LONGEST = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/test.yml": "workflow.yml",
    "@package@/__init__.py": "backend.py",
    "@package@/check.py": "check.py",
    "@package@/emit.py": "emit.py",
    "@package@/py.typed": "py.typed",
    "tests/test_contract.py": "test_contract.py",
    "tests/goldens/single-step/regression.json": "single-step.json",
    "tests/goldens/chain/regression.json": "chain.json",
}
"""Where each file of the distribution lies, and the template that it is made of."""


def check_name(name: str) -> None:
    """Whether a target can have this name: a word for the command line, an entry point, and a part of a package's name.

    Raises:
        UsageError: it cannot; the text says why.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        message = f"`{name}` can be no target: lower-case letters, digits and single hyphens, {LONGEST} at most"
        raise UsageError(message)


def package_of(name: str) -> str:
    """What a target's Python package is called."""
    return f"clspec_{name.replace('-', '_')}"


def make(name: str, folder: Path) -> tuple[Path, ...]:
    """Lay out a new distribution, all of it or nothing, and give the paths of its files.

    Raises:
        UsageError: the name can be no target's, or something lies at the folder already, or it cannot be written.
    """
    check_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} is there already, and is left as it is: name another place with --out"
        raise UsageError(message)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for path, text in _contents(name).items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, encoding="utf-8")
            made.chmod(0o755)
            made.rename(folder)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror or error}"
        raise UsageError(message) from error
    return tuple(folder / path for path in _contents(name))


def _contents(name: str) -> dict[str, str]:
    words = {"@target@": name, "@package@": package_of(name), "@distribution@": f"clspec-{name}"}
    words["@Class@"] = "".join(part.capitalize() for part in name.split("-"))
    return {_filled(path, words): _filled(_template(source), words) for path, source in _TEMPLATES.items()}


def _template(name: str) -> str:
    return (files(__name__) / "templates" / f"{name}.txt").read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
