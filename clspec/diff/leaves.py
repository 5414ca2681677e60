"""Where two plain values differ, as far down as both have something to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.diff.change import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diff.view import Path, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One difference, in the spec that was and the one that is."""

    path: Path
    old: Any
    new: Any
    base: View
    head: View

    @property
    def added(self) -> bool:
        """Whether only the new spec has it."""
        return self.old is ABSENT

    @property
    def removed(self) -> bool:
        """Whether only the old spec has it."""
        return self.new is ABSENT


def differing(base: View, head: View, sections: Iterable[str] = ()) -> Iterator[Leaf]:
    """Every difference of two views, or of some sections of them, in the order of the old one, then what is new."""
    found = (
        found
        for section in sections or dict.fromkeys((*base.value, *head.value))
        for found in _differing(base.value.get(section, ABSENT), head.value.get(section, ABSENT), (section,))
    )
    for path, old, new in found:
        yield Leaf(path=path, old=old, new=new, base=base, head=head)


def _differing(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _differing(old.get(key, ABSENT), new.get(key, ABSENT), (*path, str(key)))
    elif not _same(old, new):
        yield path, old, new


def _same(old: Any, new: Any) -> bool:
    """Equal and of the same types: 1 is not true, and a parameter of 1 is not one of 1.0."""
    return old is new or (old == new and repr(old) == repr(new))
