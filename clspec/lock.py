"""Which bytes a spec's names mean: dataset digests, images, column schemas, and what the golden set holds.

The lock lies beside its spec. It is read as plain values (the loader's), and written here, one item a block, sorted.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
_HEADING = "# Written by `clspec lock`: which bytes the names in the spec mean. Commit it; do not edit it.\n"


_Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of the lock."""


class DatasetPin(_Item, frozen=True, kw_only=True):
    """One version of a dataset, by the sha256 of its canonical content, and the shape it was pinned with."""

    digest: _Digest
    rows: _Count
    columns: dict[str, str]
    key: str
    group: str = ""


class SourcePin(_Item, frozen=True, kw_only=True):
    """The columns that a source had."""

    columns: dict[str, str]


class Count(_Item, frozen=True, kw_only=True):
    """What a predicate selects from the pinned golden set; `clusters` only where rows are clustered."""

    select: str
    rows: _Count
    clusters: _Count | None = None
    cluster_by: str = ""


class ScenarioPin(_Item, frozen=True, kw_only=True):
    """What the golden set holds for a scenario, and for its guard."""

    scenario: Count
    guard: Count | None = None
    slices: dict[str, Count] = {}
    """What it holds for each slice that the scenario is judged on."""


class Lock(_Item, frozen=True, kw_only=True):
    """Everything that is pinned; `images` maps an image tag to the digest that it meant."""

    version: int = VERSION
    datasets: dict[str, DatasetPin] = {}
    images: dict[str, _Digest] = {}
    scenarios: dict[str, ScenarioPin] = {}
    sources: dict[str, SourcePin] = {}


class LockError(Exception):
    """The lock's values do not have the lock's form."""


def both(select: str, narrower: str) -> str:
    """The text under which the rows are counted for which two predicates hold."""
    return f"({select}) and ({narrower})"


def path_for(spec: str) -> str:
    """The path of a spec's lock: the spec's, with `.lock` for its ending, and never the spec itself."""
    path = PurePath(spec)
    return f"{path}.lock" if path.suffix == ".lock" else str(path.with_suffix(".lock"))


def newer(value: dict[str, Any]) -> int | None:
    """The version of a lock that a newer clspec wrote; None for any other lock."""
    version = value.get("version")
    return version if type(version) is int and version > VERSION else None


def parse(value: Any) -> Lock:
    """The lock that these plain values mean.

    Raises:
        LockError: they do not have the lock's form, or are of another version.
    """
    if (
        isinstance(value, dict)
        and isinstance(value.get("version", VERSION), int)
        and value.get("version", VERSION) != VERSION
    ):
        message = f"it is of version {value['version']}, this clspec reads version {VERSION}"
        raise LockError(message)
    try:
        return msgspec.convert(value, Lock)
    except msgspec.ValidationError as error:
        raise LockError(_told(error)) from error


def _told(error: msgspec.ValidationError) -> str:
    message, _, path = str(error).partition(" - at `$")
    if "regex" in message:
        message = "a digest is `sha256:` and 64 hexadecimal digits"
    place = path.strip("`.")
    return f"{place}: {message}" if place else message


def render(lock: Lock) -> str:
    """The text of the lock: the same lock gives the same bytes.

    Items are sorted and stand apart, each under its name, so that git merges changes to two of them, neighbours or not.
    """
    lines = [_HEADING.rstrip("\n"), f"version: {lock.version}"]
    for section, items in sorted(msgspec.to_builtins(lock).items()):
        if section != "version":
            lines += ["", f"{section}:", *_items(items)]
    return "\n".join(lines) + "\n"


def _items(items: dict[str, Any]) -> Iterator[str]:
    for number, (name, item) in enumerate(sorted(items.items())):
        text = yaml.safe_dump({name: item}, sort_keys=True, default_flow_style=False, allow_unicode=True, width=10_000)
        yield from ([""] if number else [])
        yield from (f"  {line}" for line in text.splitlines())
