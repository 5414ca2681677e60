"""A compiled plan as a JSON file, which runs without the spec that it was made from."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from clspec import graph
from clspec.diagnostic import UsageError
from clspec.plan import Plan  # noqa: TC001  # msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clspec.plan import Step

API_VERSION = "clspec.dev/v1alpha1"
KIND = "Plan"
NAME = "plan.json"
"""What the file is called where clspec writes it."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Written(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the file holds."""

    api_version: str
    kind: str
    plan: Plan


def as_json(plan: Plan) -> str:
    """A plan as the text of a file that `read` reads: the same plan, the same bytes, wherever the spec lies."""
    placeless = replace(plan, spec=PurePath(plan.spec).name)
    text = msgspec.json.encode(Written(api_version=API_VERSION, kind=KIND, plan=placeless))
    return msgspec.json.format(text, indent=1).decode() + "\n"


def is_plan(path: str) -> bool:
    """Whether a path names a plan, not a spec."""
    return path.endswith(".json")


def read(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        UsageError: the file cannot be read, or holds no plan.
        GraphError: its steps do not fit together.
    """
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=Written)
        unknown = _first_unknown(content, found)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UsageError(message) from error
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"{path} is no plan: {error}\n`clspec compile --target local` writes one from a spec"
        raise UsageError(message) from error
    if (found.api_version, found.kind) != (API_VERSION, KIND):
        message = f"{path} is a {found.kind!r:.40} of {found.api_version!r:.40}, not a {KIND} of {API_VERSION}"
        raise UsageError(message)
    if unknown:
        message = f"{path} says `{unknown}`, which this clspec does not know"
        raise UsageError(message)
    for complaint in _complaints(found.plan):
        message = f"{path} is no plan: {complaint}"
        raise UsageError(message)
    for pipeline in found.plan.pipelines:
        graph.check_edges(pipeline)
        graph.check_guarded(pipeline)
    return found.plan


def _first_unknown(content: bytes, found: Written) -> str:
    """The place of something that a file says and nobody has read; empty if there is none."""
    if msgspec.json.format(content, indent=-1) == msgspec.json.encode(found):  # as clspec itself writes it
        return ""
    return next(_unknown(msgspec.json.decode(content), msgspec.to_builtins(found), "$"), "")


def _unknown(said: Any, known: Any, at: str) -> Iterator[str]:
    """The places of what a file says and nobody has read; only lists and objects can hold some."""
    if said == known:
        return
    if isinstance(said, dict) and isinstance(known, dict):
        for name, value in said.items():
            if name not in known:
                yield f"{at}.{name}"
            else:
                yield from _unknown(value, known[name], f"{at}.{name}")
    elif isinstance(said, list) and isinstance(known, list | tuple):
        for number, (one, other) in enumerate(zip(said, known, strict=False)):
            yield from _unknown(one, other, f"{at}[{number}]")


def _complaints(plan: Plan) -> Iterator[str]:
    """What no plan of clspec's own says, and what would let a file reach where it must not."""
    if len({pipeline.name for pipeline in plan.pipelines}) < len(plan.pipelines):
        yield "it has two pipelines of one name"
    for pipeline in plan.pipelines:
        for step in pipeline.steps:
            for name in _names(step):
                if not _NAME.fullmatch(name):
                    yield f"{name!r:.80} in step {step.id!r:.80} is no plain name"
            if not isinstance(_config(step), dict):
                yield f"the configuration of step `{step.id}` is no JSON object"


def _names(step: Step) -> Iterator[str]:
    """The names that become names of files."""
    yield step.id
    yield from (artifact.name for artifact in step.outputs)
    yield from (entry.name for entry in step.inputs)
    yield from step.parameters


def _config(step: Step) -> Any:
    try:
        return msgspec.json.decode(step.config)
    except msgspec.DecodeError:
        return None
