"""One spec and what it was: what changed, what is wrong with it now, and what it costs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import backend, load
from clspec import compile as pipe
from clspec import diff as differ
from clspec.diagnostic import ClspecError, in_order
from clspec.diff.costs import costs
from clspec.lock import path_for
from clspec.opening import opened
from clspec.project import state_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from clspec.compile import Checked
    from clspec.diagnostic import Diagnostic
    from clspec.diff import Change, Failure, Review, Side
    from clspec.diff.change import Costs
    from clspec.opening import Opened


def unread(spec: str, against: str, reason: str, problems: tuple[Diagnostic, ...] = ()) -> Failure:
    """A spec that was not compared."""
    return differ.Failure(spec=spec, against=against, reason=reason, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A spec as a file: where it is, and what a person calls it."""

    path: str
    name: str


def review(base: Version, head: Version, day: date | None) -> Review | Failure:
    """A spec beside what it was. How long its steps took is asked of the history of runs beside the new one."""
    try:
        before, after = (opened(one.path, one.name) for one in (base, head))
        old, new = differ.side(before, base.name), differ.side(after, head.name)
        checked = pipe.judged(after, None, day)
    except differ.NotCompared as error:
        return unread(head.name, base.name, str(error), error.diagnostics)
    except ClspecError as error:
        return unread(head.name, base.name, str(error))
    cost, why = _costs(before, checked, head.path, day)
    return differ.Review(
        spec=head.name,
        against=base.name,
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


def _costs(base: Opened, head: Checked, path: str, day: date | None) -> tuple[Costs | None, str]:
    try:
        before = pipe.plan(pipe.judged(base, None, day))
    except ClspecError as error:
        return None, f"the old spec has no plan: {error}"
    try:
        after = pipe.plan(head)
    except ClspecError as error:
        return None, f"the new spec has no plan: {error}"
    seen, note = _seen(path, after.name)
    return costs(before, after, seen, note), ""


def _seen(path: str, spec: str) -> tuple[Mapping[tuple[str, str], float], str]:
    """How long steps took in runs on this machine, by pipeline and step, and why that is not known if so."""
    state = state_of(path)
    if not state.is_dir():
        return {}, ""
    try:
        runner = backend.load("local")
        return (runner.seconds(state, spec) if isinstance(runner, backend.Remembers) else {}), ""
    except ClspecError as error:
        return {}, str(error)


def whole(spec: str, against: str, day: date | None, *, here: bool) -> Review | Failure:
    """A spec that only one side has; one that is new must itself be right."""
    problems: tuple[Diagnostic, ...] = ()
    if here:
        try:
            checked = pipe.read(spec, None, day)
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
