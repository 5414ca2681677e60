"""One spec and what it was: what changed, what is wrong with it now, and what it costs."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from clspec import api, load
from clspec import diff as differ
from clspec.diagnostic import ClspecError, in_order
from clspec.diff.costs import costs
from clspec.lock import path_for

if TYPE_CHECKING:
    from datetime import date

    from clspec.compile import Checked
    from clspec.diagnostic import Diagnostic
    from clspec.diff import Change, Failure, Review, Side
    from clspec.diff.change import Costs


def unread(spec: str, against: str, reason: str, problems: tuple[Diagnostic, ...] = ()) -> Failure:
    """A spec that was not compared."""
    return differ.Failure(spec=spec, against=against, reason=reason, problems=problems)


def review(base: str, base_name: str, head: str, head_name: str, day: date | None) -> Review | Failure:
    """A spec beside what it was; each is a path and what it is called."""
    try:
        old, new = differ.read(base, base_name), differ.read(head, head_name)
        checked = api.check(head, None, day)
    except differ.NotCompared as error:
        return unread(head_name, base_name, str(error), error.diagnostics)
    except ClspecError as error:
        return unread(head_name, base_name, str(error))
    cost, why = _costs(base, head, day)
    return differ.Review(
        spec=head_name,
        against=base_name,
        changes=differ.compare(old, new),
        problems=_problems(checked, old),
        costs=cost,
        no_costs=why,
    )


def _problems(checked: Checked, base: Side) -> tuple[Diagnostic, ...]:
    """The errors, and the warnings that are waived by what the base does not have: a change cannot waive itself."""
    before = {(waiver.code, waiver.path) for waiver in base.plain.spec.waivers}
    errors = (found for found in checked.diagnostics if found.is_error)
    silenced = (found for found in checked.waived if (found.code, found.where) not in before)
    return in_order((*errors, *silenced))


def _costs(base: str, head: str, day: date | None) -> tuple[Costs | None, str]:
    plans = []
    for path, which in ((base, "old"), (head, "new")):
        try:
            plans.append(api.plan(path, None, day))
        except ClspecError as error:
            return None, f"the {which} spec has no plan: {error}"
    return costs(*plans), ""


def whole(spec: str, against: str, day: date | None, *, here: bool) -> Review | Failure:
    """A spec that only one side has; one that is new must itself be right."""
    problems: tuple[Diagnostic, ...] = ()
    if here:
        try:
            checked = api.check(spec, None, day)
        except ClspecError as error:
            return unread(spec, against, str(error))
        problems = tuple(found for found in checked.diagnostics if found.is_error)
        if checked.facts is None:
            return unread(spec, against, "it cannot be read", checked.diagnostics)
    place = differ.Place(path=spec)
    return differ.Review(
        spec=spec,
        against=against,
        changes=(_whole(spec, place, here=here),),
        problems=problems,
        no_costs="there is one spec only",
    )


def _whole(spec: str, place: differ.Place, *, here: bool) -> Change:
    row = "spec-added" if here else "spec-removed"
    detail = f"there was no {spec}" if here else f"there is no {spec}"
    return differ.Change(row=row, where="spec", detail=detail, head=place)


def concerns(path: str, texts: list[bytes], changes: frozenset[str]) -> bool:
    """Whether changed files are a spec's text, lock or code, as any of its texts names them."""
    wanted = {path, path_for(path), *(root for text in texts if (root := _root(path, text)) is not None)}
    return any(one in wanted or any(root == "." or one.startswith(f"{root}/") for root in wanted) for one in changes)


def needed(path: str, text: bytes) -> tuple[str, ...]:
    """What of a repository a spec is read from: its text, its lock and its code."""
    root = _root(path, text)
    return (path, path_for(path), *(() if root is None else (root,)))


def _root(path: str, text: bytes) -> str | None:
    """The code root of a spec from the repository's root, if its text names one that is inside."""
    document, _ = load.load(text.decode(errors="replace"), path)
    code = document.value.get("code") if document else None
    root = code.get("root") if isinstance(code, dict) else None
    if not isinstance(root, str):
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), root))
    return None if found.startswith(("../", "/")) or found == ".." else found
