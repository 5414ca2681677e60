"""The pipe from a spec's text to a target's files: read, shape, parse, check, lower, emit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec import code, lock, parse
from clspec.check import Facts, check, check_elsewhere, secrets, waivers
from clspec.diagnostic import InvalidSpec, UsageError, did_you_mean, has_errors, in_order
from clspec.opening import opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from clspec.backend import Backend, Bundle
    from clspec.diagnostic import Diagnostic
    from clspec.opening import Opened
    from clspec.plan import Plan
    from clspec.spec import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A spec that was read: all that was found, and the facts if so much could be read."""

    path: str
    text: str
    lock_text: str
    diagnostics: tuple[Diagnostic, ...]
    facts: Facts | None
    """Those of the environment that was named, if one was."""
    waived: tuple[Diagnostic, ...] = ()
    """The warnings that waivers silence."""
    waivers: tuple[Waiver, ...] = ()
    """The waivers in force; they hold for what a target warns of, too."""

    @property
    def sources(self) -> dict[str, str]:
        """The texts that the diagnostics' places point into, by path."""
        return {self.path: self.text, lock.path_for(self.path): self.lock_text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A spec as a target's files; `diagnostics` holds warnings only."""

    checked: Checked
    plan: Plan
    bundle: Bundle
    diagnostics: tuple[Diagnostic, ...]


def read(path: str, environment: str | None = None, as_of: date | None = None) -> Checked:
    """Read and judge a spec with its lock, in each of its environments; the facts are those of one of them, if named.

    `as_of` is the day on which the waivers are judged; a spec that has some cannot be judged without it.

    Raises:
        UsageError: the path cannot be read, there is no such environment, or a day is needed and not given.
    """
    return judged(opened(path), environment, as_of)


def judged(found: Opened, environment: str | None = None, as_of: date | None = None) -> Checked:
    """A spec that was read, judged as `read` says.

    Raises:
        UsageError: there is no such environment, or a day is needed and not given.
    """
    path, text = found.path, found.text
    if found.plain is None:
        told = (
            found.unread
            if found.document is None and not text
            else secrets.told(text, path, found.document, found.unread)
        )
        return Checked(path=path, text=text, lock_text="", diagnostics=in_order(told), facts=None)
    facts = found.plain.facts
    here = (*found.plain.problems, *check(facts))
    there = (*here, *_elsewhere(found, here))
    _know(environment, found, facts)
    everything = secrets.told(text, path, facts.written, (*found.unread, *found.unlocked, *there))
    remaining, waived = _waived(facts, everything, as_of)
    chosen = facts if environment is None or environment not in found.elsewhere else found.elsewhere[environment].facts
    return Checked(
        path=path,
        text=text,
        lock_text=found.locked.text if found.locked else "",
        diagnostics=in_order(remaining),
        facts=chosen if parse.whole(chosen.document) else None,
        waived=in_order(waived),
        waivers=() if as_of is None else waivers.in_force(facts, as_of),
    )


def _elsewhere(found: Opened, here: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """What is wrong in an environment only; one that is broken itself is told of already."""
    told: list[Diagnostic] = []
    known = set(here)
    for name, there in found.elsewhere.items():
        own = [problem for problem in (*there.problems, *check_elsewhere(there.facts)) if problem not in known]
        told += [dataclasses.replace(p, message=f"in environment `{name}`: {p.message}") for p in own]
    return tuple(told)


def _know(environment: str | None, found: Opened, facts: Facts) -> None:
    if environment is None or environment in found.elsewhere or not facts.intact("environments"):
        return
    message = f"there is no environment `{environment}` in {facts.document.path}: " + (
        did_you_mean(environment, found.elsewhere) if found.elsewhere else "it has none"
    )
    raise UsageError(message)


def _waived(
    facts: Facts, found: tuple[Diagnostic, ...], as_of: date | None
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """What remains of the problems, with those of the waivers themselves, and what is waived."""
    if as_of is None:
        if waivers.all_of(facts):
            message = f"{facts.document.path} has waivers: say as of which day they are judged"
            raise UsageError(message)
        return found, ()
    remaining, waived = waivers.split(found, waivers.in_force(facts, as_of))
    return (*remaining, *waivers.complaints(facts, found, as_of)), waived


def plan(checked: Checked) -> Plan:
    """The plan of a spec.

    Raises:
        InvalidSpec: the spec has errors.
        ClspecError: the code cannot be read.
    """
    from clspec import graph, lower  # noqa: PLC0415  # a check makes no plan, and is quicker without

    if checked.facts is None or has_errors(checked.diagnostics):
        raise InvalidSpec(checked.diagnostics)
    made = lower.lower(checked.facts, code.digest(checked.facts.root))
    for pipeline in made.pipelines:
        graph.check_edges(pipeline)
        graph.check_guarded(pipeline)
    return made


def compile_for(
    path: str,
    target: str,
    settings: Mapping[str, str],
    environment: str | None = None,
    as_of: date | None = None,
) -> Compiled:
    """A spec, as it is in an environment if one is named, as the files of a target.

    Raises:
        UsageError: see `read`; there is no such target, or it has no such option.
        InvalidSpec: the spec has errors, or says what the target cannot express.
        BackendError: the target made files that must not be written.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    chosen = backend.load(target)
    options = options_of(chosen, settings)
    checked = read(path, environment, as_of)
    made = plan(checked)
    found, waived = waivers.split(chosen.check(made, options), checked.waivers)
    checked = dataclasses.replace(checked, waived=in_order((*checked.waived, *waived)))
    diagnostics = in_order((*checked.diagnostics, *found))
    if has_errors(found):
        raise InvalidSpec(diagnostics)
    bundle = chosen.emit(made, options)
    backend.check_paths(chosen.name, bundle)
    return Compiled(checked=checked, plan=made, bundle=bundle, diagnostics=diagnostics)


def options_of(chosen: Backend, settings: Mapping[str, str]) -> Any:
    """A backend's options from `--set KEY=VALUE` texts, each read as its field's type.

    Raises:
        UsageError: there is no such option, or the text is not of its type.
    """
    fields = {field.name: field for field in dataclasses.fields(chosen.options)}
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in fields:
            hint = did_you_mean(key, fields) or "it has none"
            message = f"target `{chosen.name}` has no option `{key}`: {hint}"
            raise UsageError(message)
        values[key] = _option(chosen.name, fields[key], text)
    return chosen.options(**values)


def _option(target: str, field: Any, text: str) -> Any:
    kind = field.type if isinstance(field.type, str) else field.type.__name__
    readers: dict[str, Any] = {"int": int, "float": float, "bool": {"true": True, "false": False}.__getitem__}
    try:
        return readers.get(kind, str)(text)
    except (ValueError, KeyError):
        message = f"option `{field.name}` of target `{target}` is a {kind}, not `{text}`"
        raise UsageError(message) from None
