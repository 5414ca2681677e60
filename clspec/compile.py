"""The pipe from a spec's text to a target's files: read, shape, parse, check, lower, emit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec import code, codes, load, lock, parse, shape
from clspec.check import Facts, check
from clspec.diagnostic import ClspecError, UsageError, did_you_mean, has_errors, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.backend import Backend, Bundle
    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan


class InvalidSpec(ClspecError):
    """The spec has errors; `diagnostics` says which."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("the spec has errors")
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A spec that was read: all that was found, and the facts if so much could be read."""

    path: str
    text: str
    lock_text: str
    diagnostics: tuple[Diagnostic, ...]
    facts: Facts | None

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


def read(path: str) -> Checked:
    """Read and judge a spec with its lock.

    Raises:
        UsageError: the path cannot be read.
    """
    text, problems = load.read(path)
    if text is None:
        return Checked(path=path, text="", lock_text="", diagnostics=problems, facts=None)
    document, found = load.load(text, path)
    problems = (*problems, *found)
    if document is None:
        return Checked(path=path, text=text, lock_text="", diagnostics=in_order(problems), facts=None)
    if wrong_version := shape.version(document):
        return Checked(path=path, text=text, lock_text="", diagnostics=(wrong_version,), facts=None)
    found, rest = shape.check(document)
    spec, unread = parse.parse(rest)
    pins, lock_text, unlocked = _read_lock(lock.path_for(path))
    facts = Facts(
        spec=spec,
        document=rest,
        written=document,
        folder=Path(path).parent,
        lock=pins,
        lock_path=lock.path_for(path),
    )
    problems = in_order((*problems, *found, *unread, *unlocked, *check(facts)))
    readable = facts if parse.whole(rest) else None
    return Checked(path=path, text=text, lock_text=lock_text, diagnostics=problems, facts=readable)


def _read_lock(path: str) -> tuple[lock.Lock | None, str, tuple[Diagnostic, ...]]:
    """The lock, its text, and why it cannot be read; a lock that is not there is no problem of its own."""
    if not Path(path).exists():
        return None, "", ()
    text, problems = load.read(path)
    document, found = (None, ()) if text is None else load.load(text, path)
    problems = (*problems, *found)
    if document is None or has_errors(problems):
        reason = problems[0].message if problems else "it is not YAML"
        place = problems[0].span if problems else None
        return None, text or "", (codes.problem("CLS603", f"the lock cannot be read: {reason}", path=path, span=place),)
    try:
        return lock.parse(document.value), document.text, ()
    except lock.LockError as error:
        return None, document.text, (codes.problem("CLS603", f"the lock cannot be read: {error}", path=path),)


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


def compile_for(path: str, target: str, settings: Mapping[str, str]) -> Compiled:
    """A spec as the files of a target.

    Raises:
        UsageError: the path cannot be read, there is no such target, or it has no such option.
        InvalidSpec: the spec has errors, or says what the target cannot express.
        BackendError: the target made files that must not be written.
    """
    from clspec import backend  # noqa: PLC0415  # a check has no target, and is quicker without

    chosen = backend.load(target)
    options = options_of(chosen, settings)
    checked = read(path)
    made = plan(checked)
    found = tuple(chosen.check(made, options))
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
