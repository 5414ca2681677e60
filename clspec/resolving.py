"""A spec as it is meant: defaults and an environment applied, each value with where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec import shape
from clspec.check.environments import Elsewhere
from clspec.origins import Origin, Resolved
from clspec.spec import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.check import Facts
    from clspec.diagnostic import Pointer


def resolve(facts: Facts, environment: str) -> Resolved:
    """All that a spec says, as it is in an environment if one is named; the spec itself has no errors."""
    value = _given(msgspec.to_builtins(facts.spec))
    value.pop("environments", None)
    taken: dict[Pointer, tuple[Pointer, str]] = {}
    _datasets(facts, value["datasets"], taken)
    _scenarios(value["golden"], taken)
    _as_written(facts, value, taken)
    while unwritable := shape.unwritable(value):  # a default that nobody could write says that there is nothing
        for at in unwritable:
            _drop(value, at)
    origins = {at: _origin(facts, at, environment, taken) for at in leaves(value)}
    return Resolved(path=facts.document.path, environment=environment, value=value, origins=origins)


def _as_written(facts: Facts, value: dict[str, Any], taken: Mapping[Pointer, tuple[Pointer, str]]) -> None:
    """Put the values in that the text has, in the type in which it has them: 4 and not 4.0."""
    for at in tuple(leaves(value)):
        there, _ = _source(at, taken)
        found: Any = facts.document.value
        try:
            for step in there:
                found = found[step]
        except (KeyError, IndexError, TypeError):
            continue
        target: Any = value
        for step in at[:-1]:
            target = target[step]
        target[at[-1]] = found


def _drop(value: Any, at: Pointer) -> None:
    for step in at[:-1]:
        value = value[step]
    del value[at[-1]]


def leaves(value: Any, at: Pointer = ()) -> Iterator[Pointer]:
    """The paths of the values that are no mapping and no list of lists or mappings; what is empty is one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*at, key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value):
            yield from leaves(item, (*at, number))
    else:
        yield at


def _given(value: Any) -> Any:
    """The same without what is None, which is as good as not there; but free values keep theirs."""
    if isinstance(value, dict):
        return {key: item if key == "meta" else _given(item) for key, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list | tuple) else value


def _datasets(facts: Facts, datasets: dict[str, Any], taken: dict[Pointer, tuple[Pointer, str]]) -> None:
    """What a dataset is `like` is written out."""
    for name, own in datasets.items():
        whole, last = resolved(facts.spec, name), name
        while (like := facts.spec.datasets[last].like) is not None:
            last = like
        if whole is None or last == name:
            continue
        del own["like"]
        for key in ("columns", "key", "group"):
            if key not in own and (found := getattr(whole, key)) is not None:
                own[key] = found
                taken["datasets", name, key] = (("datasets", last, key), f"datasets.{last}")


def _scenarios(golden: dict[str, Any], taken: dict[Pointer, tuple[Pointer, str]]) -> None:
    """What a scenario leaves open is what `golden.defaults` says."""
    for number, scenario in enumerate(golden["scenarios"]):
        for key, default in golden["defaults"].items():
            if key not in scenario:
                scenario[key] = default
                taken["golden", "scenarios", number, key] = (("golden", "defaults", key), "golden.defaults")


def _origin(facts: Facts, at: Pointer, environment: str, taken: Mapping[Pointer, tuple[Pointer, str]]) -> Origin:
    there, over = _source(at, taken)
    document = facts.document
    try:
        span = document.span(there)
    except KeyError:
        return Origin(over=over)
    changed = isinstance(document, Elsewhere) and document.is_changed(there)
    return Origin(span=span, environment=environment if changed else "", over=over)


def _source(at: Pointer, taken: Mapping[Pointer, tuple[Pointer, str]]) -> tuple[Pointer, str]:
    """The path at which the text says what stands at a path, and the name of that part where it is another one."""
    length = next((n for n in range(len(at), 0, -1) if at[:n] in taken), 0)
    place, over = taken[at[:length]] if length else ((), "")
    return (*place, *at[length:]), over
