"""Why a step runs: what it is made from, beside what it was made from in the run before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.plan import Kind, canonical
from clspec.runs import Difference
from clspec_local import keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.plan import Step
    from clspec_local.artifacts import Results
    from clspec_local.history import Earlier, History
    from clspec_local.keys import Parts

_ALWAYS = {Kind.CONCLUDE: "always says how the run ended", Kind.NOTIFY: "always tells people how the run ended"}
FORCED = "forced"
NEVER = "never ran"
_ENDED = {"failed", "said no"}
_OTHER = (
    ("kind", "what it does"),
    ("whole", "which of its code counts"),
    ("program", "clspec itself"),
    ("libraries", "Python or an installed library"),
)


@dataclass(frozen=True, slots=True)
class Looking:
    """Where the earlier runs of a pipeline are looked for."""

    history: History
    spec: str
    pipeline: str
    environment: str

    def earlier(self, step: str) -> Earlier | None:
        """The step in the newest run in which its turn had come."""
        return self.history.earlier(self.spec, self.pipeline, self.environment, step)

    def made(self, step: str) -> Earlier | None:
        """The step in the newest run that has what it makes."""
        return self.history.earlier(self.spec, self.pipeline, self.environment, step, made=True)


def differences(before: Parts, now: Parts) -> Iterator[Difference]:
    """What differs between what a step was made from and what it is made from; nothing where the keys are the same."""
    yield from _in_config(before.config, now.config, "")
    for part, old, new in (("input", before.inputs, now.inputs), ("code", before.code, now.code)):
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield Difference(part=part, path=name, before=_text(old, name), after=_text(new, name))
    for part, words in _OTHER:
        one, other = getattr(before, part), getattr(now, part)
        if one != other:
            yield Difference(part=part, path=words, before=canonical(one), after=canonical(other))


def _in_config(before: Any, now: Any, path: str) -> Iterator[Difference]:
    """The places at which two configurations differ, as deep as both are objects, or lists of one length."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            at = f"{path}.{name}" if path else name
            if name in before and name in now:
                yield from _in_config(before[name], now[name], at)
            else:
                yield Difference(part="config", path=at, before=_text(before, name), after=_text(now, name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _in_config(one, other, f"{path}[{_called(one, other, number)}]")
    elif (old := canonical(before)) != (new := canonical(now)):  # by what the key is made of: 1 is not 1.0, nor true
        yield Difference(part="config", path=path, before=old, after=new)


def _called(one: Any, other: Any, number: int) -> str:
    """What a person calls an item of two lists: its id or name where both have the same, else its number."""
    both = isinstance(one, dict) and isinstance(other, dict)
    names = (one.get(word) for word in ("id", "name") if both and one.get(word) == other.get(word))
    return next((name for name in names if isinstance(name, str)), str(number))


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return canonical(values[name]) if name in values else None


def always(step: Step) -> str:
    """Why a step runs however little has changed."""
    return _ALWAYS.get(step.kind, "always looks at the store")


def why(looking: Looking, kept: Results, step: Step, parts: Parts, key: str) -> tuple[tuple[str, ...], str]:
    """Why a step whose turn has come is not up to date, and the run that it is compared with, if any."""
    earlier = looking.earlier(step.id)
    compared = earlier.run if earlier else ""
    if step.pure and (lost := kept.lost(step, key)):
        return lost, compared
    if earlier is None:
        return ((NEVER,) if step.pure else (NEVER, always(step))), ""
    found = () if earlier.parts is None else tuple(each.sentence for each in differences(earlier.parts, parts))
    if not step.pure:
        return (always(step), *found), compared
    return found or (_without_differences(earlier, key),), compared


def _without_differences(earlier: Earlier, key: str) -> str:
    """Why a step has no result though nothing is known to differ."""
    if earlier.parts is None and earlier.key != key:
        return f"what it was made from in run {earlier.run} is not recorded"
    if earlier.state in _ENDED:
        return f"it {earlier.state} in run {earlier.run}"
    return "its result is no longer recorded"


def key_of(parts: Parts) -> tuple[str, str]:
    """The key of some parts, and the text that it is the digest of."""
    text = keys.as_json(parts)
    return keys.digest_of(text), text
