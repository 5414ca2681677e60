"""The clspec that runs here as a wheel, so that an image holds the very program that its plans were made by."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = "clspec"
_TAG = "Wheel-Version: 1.0\nGenerator: clspec\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def write(folder: Path) -> Path:
    """Write the wheel into a folder; the same files give the same bytes.

    Raises:
        UsageError: clspec runs from a path, and is not installed.
    """
    distribution = _installed()
    stem = f"{_NAME}-{distribution.version}"
    files = {name: path.read_bytes() for name, path in _modules(_packages(distribution))}
    for part, text in _about(distribution):
        files[f"{stem}.dist-info/{part}"] = text.encode()
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    made = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made


def version() -> str:
    """The version that `write` packs."""
    return _installed().version


def check_extras(names: Iterable[str]) -> None:
    """Make sure that clspec has extras of these names.

    Raises:
        UsageError: it has not.
    """
    known = _installed().metadata.get_all("Provides-Extra") or []
    for name in names:
        if name not in known:
            message = f"clspec has no extra `{name}`: {did_you_mean(name, known) or 'it has ' + ', '.join(known)}"
            raise UsageError(message)


def _installed() -> metadata.Distribution:
    try:
        return metadata.distribution(_NAME)
    except metadata.PackageNotFoundError as error:
        message = "clspec runs from its source and is not installed, so nothing says what it needs: `pip install -e .`"
        raise UsageError(message) from error


def _packages(distribution: metadata.Distribution) -> list[str]:
    """What the distribution brings: itself, its schema, and whatever its entry points name."""
    named = {point.module.partition(".")[0] for point in distribution.entry_points}
    return sorted({_NAME, "clspec_schema", *named})


def _modules(packages: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for package in packages:
        found = find_spec(package)
        assert found is not None  # it is installed
        for root in map(Path, found.submodule_search_locations or ()):
            for path in sorted(root.rglob("*")):
                inside = path.relative_to(root)
                if path.is_file() and "__pycache__" not in inside.parts:
                    yield PurePosixPath(package, *inside.parts).as_posix(), path


def _about(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    for name in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        if text := distribution.read_text(name):
            yield name, text
    yield "WHEEL", _TAG


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
