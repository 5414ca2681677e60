"""Where a spec stands: its project's root, its default, and the places that its paths mean."""

from __future__ import annotations

from pathlib import Path

from clspec.diagnostic import UsageError


def root_of(folder: Path) -> Path:
    """The project's root: the nearest folder with a pyproject.toml, else with a `.git`, else the folder itself."""
    above = [folder, *folder.parents]
    for marker in ("pyproject.toml", ".git"):
        for candidate in above:
            if (candidate / marker).exists():
                return candidate
    return folder


def state_of(spec: str) -> Path:
    """The folder of a spec's project that is always local: history, kept results, logs."""
    return root_of(Path(spec).resolve().parent) / ".clspec"


def store_of(spec: str, store: str) -> str:
    """A store as a URI or an absolute path."""
    return store if "://" in store else str((Path(spec).resolve().parent / store).resolve())


def default_spec(folder: Path) -> str:
    """The spec that is meant where none is named.

    `[tool.clspec] spec` in the nearest pyproject.toml, else `clspec.yaml`, else the one spec in `specs/`.

    Raises:
        UsageError: there is none, or there are several and none is named.
    """
    root = root_of(folder)
    if named := _named(root / "pyproject.toml"):
        return _relative(root / named, folder)
    if (root / "clspec.yaml").is_file():
        return _relative(root / "clspec.yaml", folder)
    found = sorted(p for p in (root / "specs").glob("*.y*ml") if p.suffix in {".yaml", ".yml"})
    if len(found) == 1:
        return _relative(found[0], folder)
    if not found:
        message = "no spec is named, and there is none: no [tool.clspec] spec, no clspec.yaml, nothing in specs/"
        raise UsageError(message)
    names = "\n  ".join(_relative(path, folder) for path in found)
    message = f"no spec is named, and specs/ holds several:\n  {names}\nname one, or set [tool.clspec] spec"
    raise UsageError(message)


def _named(path: Path) -> str | None:
    if not path.is_file():
        return None
    import tomllib  # noqa: PLC0415  # whoever names a spec does without

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}"
        raise UsageError(message) from error
    for key in ("tool", "clspec"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            message = f"{path}: `{key}` is a table, not {table!r}"
            raise UsageError(message)
    named = table.get("spec")
    if named is not None and not isinstance(named, str):
        message = f"{path}: [tool.clspec] spec is a text, not {named!r}"
        raise UsageError(message)
    return named


def _relative(path: Path, folder: Path) -> str:
    """A path as a person in this folder would write it."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
