"""User code must be callable as it will be called; it is read, never run."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import code
from clspec.check.groups import groups
from clspec.check.metrics import OWN, OWN_METRIC
from clspec.check.paths import not_beside
from clspec.diagnostic import did_you_mean
from clspec.spec import PythonSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

TRAIN = ("data", "validation", "model_dir", "seed")
PREDICT = ("data", "model_dir")
AUTO_LABEL = ("data",)
METRIC = ("rows",)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A place that runs user code, and how: keyword arguments of a function, placeholders of a command."""

    at: Pointer
    entrypoint: str | None
    command: tuple[str, ...] | None
    arguments: tuple[str, ...]
    placeholders: tuple[str, ...]
    """What a command must hold; `optional` is what it may hold besides."""
    optional: tuple[str, ...] = ()
    intact: bool = True
    """Whether no parameter was cut out, so that these are all the arguments."""
    key: str = "entrypoint"
    """The key that names the function."""


def calls(facts: Facts) -> Iterator[Call]:
    """Every place of the spec that runs user code."""
    spec, value = facts.spec, facts.document.value
    if "training" in value:
        params = tuple(spec.training.params)
        seed = ("seed",) if "seeds" in value["training"] else ()
        yield Call(
            at=("training",),
            entrypoint=spec.training.entrypoint,
            command=spec.training.command,
            arguments=(*TRAIN, *params),
            placeholders=("data", "model_dir", *seed, *(f"params.{name}" for name in params)),
            optional=("validation", "seed", "metrics"),
            intact=facts.intact("training", "params"),
        )
    if "inference" in value:
        yield Call(
            at=("inference",),
            entrypoint=spec.inference.entrypoint,
            command=spec.inference.command,
            arguments=PREDICT,
            placeholders=("data", "model_dir", "out"),
        )
    for name, source in spec.sources.items():
        if isinstance(source, PythonSource):
            at = ("sources", name)
            yield Call(at=at, entrypoint=source.entrypoint, command=source.command, arguments=(), placeholders=("out",))
    yield from _metrics(facts)
    if spec.feedback is not None and (teacher := spec.feedback.auto_label):
        yield Call(
            at=("feedback", "auto_label"),
            entrypoint=teacher.entrypoint,
            command=teacher.command,
            arguments=AUTO_LABEL,
            placeholders=("data", "out"),
        )


def _metrics(facts: Facts) -> Iterator[Call]:
    """The metrics of the user's own."""
    if "golden" not in facts.document.value:
        return
    for group in groups(facts):
        for check, at in group.places():
            if OWN_METRIC.fullmatch(check.metric):
                name = check.metric.removeprefix(OWN)
                yield Call(at=at, entrypoint=name, command=None, arguments=METRIC, placeholders=(), key="metric")


def functions_fit(facts: Facts) -> Iterator[Diagnostic]:
    """Every entry point is a function that takes just what it is given."""
    if not facts.has_root or not_beside(facts):
        return
    for call in calls(facts):
        if call.entrypoint is not None:
            yield from _function_fits(facts, call, call.entrypoint)


def _function_fits(facts: Facts, call: Call, entrypoint: str) -> Iterator[Diagnostic]:
    at = (*call.at, call.key)
    if (name := entrypoint.partition(":")[0].partition(".")[0]) in sys.stdlib_module_names:
        hint = "give yours another name"
        yield facts.problem("CLS309", at, f"`{name}` is a module of Python's own, which comes first", hint)
        return
    try:
        function = code.function(facts.root, entrypoint)
    except code.NotFound as missing:
        name = entrypoint.partition(":")[2] if "function" in str(missing) else entrypoint.partition(":")[0]
        yield facts.problem("CLS309", at, str(missing), did_you_mean(name, missing.known))
    except code.Unreadable as error:
        yield facts.problem("CLS310", at, f"the module cannot be read: {error}", "it must be valid Python, in UTF-8")
    else:
        if call.intact and (complaint := function.complaint(call.arguments)):
            given = ", ".join(f"{name}=" for name in call.arguments)
            hint = f"it is called as `{function.name}({given})`"
            yield facts.problem("CLS311", at, f"`{entrypoint}` does not fit: {complaint}", hint)


def params_are_free(facts: Facts) -> Iterator[Diagnostic]:
    """A parameter has no name that the engine itself gives."""
    for name in facts.spec.training.params:
        if name in TRAIN:
            message = f"`{name}` is given by clspec itself"
            yield facts.key_problem("CLS311", ("training", "params", name), message, "give the parameter another name")


def placeholders_fit(facts: Facts) -> Iterator[Diagnostic]:
    """A command holds the placeholders of its place, all that it needs and no others."""
    for call in calls(facts):
        if call.command is None:
            continue
        known = {*call.placeholders, *call.optional}
        used: set[str] = set()
        for index, argument in enumerate(call.command):
            at: Pointer = (*call.at, "command", index)
            for match in _PLACEHOLDER.finditer(argument):
                used.add(match[1])
                cut = match[1].startswith("params.") and not call.intact
                if match[1] not in known and not cut:
                    span = facts.document.inside(at, match.start(), match.end())
                    hint = did_you_mean(match[1], known)
                    yield facts.problem("CLS312", at, f"`{{{match[1]}}}` stands for nothing here", hint, span)
            if re.search(r"[{}]", _PLACEHOLDER.sub("", argument)):
                yield facts.problem("CLS312", at, "a brace here is part of no placeholder", "put such text in a script")
        missing = [f"`{{{name}}}`" for name in call.placeholders if name not in used]
        if missing and facts.intact(*map(str, call.at), "command"):
            message = f"the command does not use {', '.join(missing)}"
            hint = "without it the command cannot do its work" if len(missing) == 1 else "it cannot do without them"
            yield facts.key_problem("CLS312", (*call.at, "command"), message, hint)


def commands_take_scalars(facts: Facts) -> Iterator[Diagnostic]:
    """A parameter that is put into a command line is one text, not a list."""
    if facts.spec.training.command is None:
        return
    for name, value in facts.spec.training.params.items():
        if isinstance(value, tuple):
            message = "a list cannot be put into a command line"
            hint = "write one text, and let the command split it"
            yield facts.problem("CLS203", ("training", "params", name), message, hint)


RULES = (
    functions_fit,
    params_are_free,
    placeholders_fit,
    commands_take_scalars,
)
