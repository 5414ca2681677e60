"""Two sides of a spec compared: every difference as a change, the heaviest first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.check import environments
from clspec.diff import golden, loop, pins, places
from clspec.diff.change import ABSENT, Change, Place
from clspec.diff.judging import row_of
from clspec.diff.leaves import Leaf, differing
from clspec.diff.levels import RANK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Span
    from clspec.diff.sides import Side
    from clspec.diff.view import Path, View

_RULES = (*golden.RULES, *loop.RULES, *places.RULES)
_SHOWN = 160
"""So many characters of a value are repeated in a sentence."""


def compare(base: Side, head: Side) -> tuple[Change, ...]:
    """All that differs from the base; what the base demands decides how much it weighs."""
    plain = tuple(differing(base.plain, head.plain))
    found = [*_judged(plain, base, head), *pins.changes(base, head, plain)]
    for name in sorted({*base.environments, *head.environments}):
        found += _in_environment(name, base, head, found)
    found = [_without_secrets(one, base, head) for one in found]
    return tuple(sorted(found, key=lambda one: (RANK[one.level], _line(one), one.environment, one.where, one.row)))


_HIDDEN = "(not shown: it holds a secret)"


def _without_secrets(change: Change, base: Side, head: Side) -> Change:
    """The change without its words where they may repeat a literal secret."""
    holds = any(
        place is not None and place.path == side.name and place.span is not None and _overlap(place.span, span)
        for place, side in ((change.base, base), (change.head, head))
        for span in side.secret
    )
    if not holds:
        return change
    old, new = (one if one is ABSENT else _HIDDEN for one in (change.old, change.new))
    return replace(change, detail=f"`{change.where.rpartition('.')[2]}` {_HIDDEN}", old=old, new=new)


def _overlap(one: Span, other: Span) -> bool:
    first, second = sorted((one, other))
    return (second.line, second.column) < (first.end_line, first.end_column)


def _line(change: Change) -> tuple[int, int]:
    span = change.head.span if change.head else None
    return (span.line, span.column) if span else (0, 0)


def _in_environment(name: str, base: Side, head: Side, known: list[Change]) -> Iterator[Change]:
    """What differs in an environment only; one that a side does not have is that side as it is without one."""
    if name not in base.environments or name not in head.environments:
        row = "environment-removed" if name in base.environments else "environment-added"
        path = ("environments", name)
        at = [Place(path=side.name, span=side.plain.span(path)) for side in (base, head)]
        yield Change(row=row, where=".".join(path), detail=f"`{name}`", base=at[0], head=at[1])
    old, new = (side.environments.get(name, side.plain) for side in (base, head))
    told = {(one.row, one.where, repr(one.old), repr(one.new)) for one in known if not one.environment}
    for change in _judged(tuple(differing(old, new, environments.SECTIONS)), base, head):
        if (change.row, change.where, repr(change.old), repr(change.new)) not in told:
            yield replace(change, environment=name)


def _judged(leaves: tuple[Leaf, ...], base: Side, head: Side) -> Iterator[Change]:
    renamed = dict(_renamed(leaves))
    for leaf in leaves:
        if leaf.removed and leaf.path in renamed.values():
            continue
        if leaf.added and (before := renamed.get(leaf.path)):
            row = "scenario-renamed" if leaf.path[0] == "golden" else "rule-renamed"
            yield _change(row, leaf, base, head, f"`{leaf.path[-1]}` was `{before[-1]}`")
            continue
        found = None if _inherited(leaf) else row_of(_RULES, leaf)
        if found is not None:
            yield _change(found, leaf, base, head, _detail(leaf))


def _change(row: str, leaf: Leaf, base: Side, head: Side, detail: str) -> Change:
    return Change(
        row=row,
        where=".".join(leaf.path),
        detail=detail,
        old=leaf.old,
        new=leaf.new,
        base=Place(path=base.name, span=leaf.base.span(leaf.path)),
        head=Place(path=head.name, span=leaf.head.span(leaf.path)),
    )


_WITH_IDS = (("golden", "scenarios"), ("feedback", "rules"))


def _renamed(leaves: Iterable[Leaf]) -> Iterator[tuple[Path, Path]]:
    """What is new and equals, but for its id, something that is gone; each with the path of that."""
    items = [leaf for leaf in leaves if leaf.path[:-1] in _WITH_IDS]
    gone = {(leaf.path[:-1], _content(leaf.old)): leaf.path for leaf in items if leaf.removed}
    for leaf in items:
        if leaf.added and (before := gone.pop((leaf.path[:-1], _content(leaf.new)), None)):
            yield leaf.path, before


def _content(item: dict[str, Any]) -> bytes:
    return msgspec.json.encode({**item, "id": ""}, order="deterministic")


def _inherited(leaf: Leaf) -> bool:
    """Whether it is a default that moved and that a scenario has on both sides: told once, where the default is."""
    if leaf.path[:2] != ("golden", "scenarios") or leaf.path[3:] not in (("min_samples",), ("confidence",)):
        return False
    return all(leaf.path[3] not in _written(view, leaf.path[2]) for view in (leaf.base, leaf.head))


def _written(view: View, name: str) -> Any:
    """A scenario as it is written."""
    found: Any = view.facts.document.value
    for step in view.places["golden", "scenarios", name]:
        found = found[step]
    return found


def _detail(leaf: Leaf) -> str:
    name = _named(leaf.path)
    if leaf.added:
        return f"{name} is new" + (f": {_said(leaf.new)}" if not isinstance(leaf.new, dict) else "")
    if leaf.removed:
        return f"{name} is gone" + (f", was {_said(leaf.old)}" if not isinstance(leaf.old, dict) else "")
    return f"{name} is {_said(leaf.new)}, was {_said(leaf.old)}"


def _named(path: Path) -> str:
    """The last step, with the check or the item that it is of."""
    return f"`{path[-2]}`" if path[-1] == "value" and len(path) > 1 else f"`{path[-1]}`"


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text[:_SHOWN]}...`" if len(text) > _SHOWN else f"`{text}`"


__all__ = ["ABSENT", "compare"]
