"""The two spellings of a field in protobuf's JSON, `executorLabel` and `executor_label`, as one: the first.

Kubeflow's readers take both. Only names of fields are spelt anew, never what a user has named: components, tasks,
inputs, labels; and never what stands in a free value.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.manifest import Finding, Place

_NAMES = frozenset(
    {"annotations", "artifacts", "components", "executors", "labels", "parameters", "platforms", "tasks"}
)
"""Fields whose keys are names that somebody gave."""
_FREE = frozenset(
    {"constant", "constantValue", "customProperties", "defaultValue", "literals", "metadata", "properties"}
)
"""Fields that may hold anything."""
_LETTER = re.compile(r"_([a-z0-9])")


def spelt(value: Any) -> Any:
    """A part of an IR with all fields in their first spelling."""
    if isinstance(value, list):
        return [spelt(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _below(name, item) for key, item in value.items() for name in (field_of(key),)}


def _below(field: str, value: Any) -> Any:
    if field in _FREE:
        return value
    if field in _NAMES and isinstance(value, dict):
        return {name: spelt(item) for name, item in value.items()}
    return spelt(value)


def field_of(key: Any) -> Any:
    """The first spelling of a field."""
    return _LETTER.sub(lambda match: match[1].upper(), key) if isinstance(key, str) else key


def twice(value: Any, place: Place = (), *, named: bool = False) -> Iterator[Finding]:
    """Fields that are said in both spellings: a reader refuses them, or takes either; `named` where keys are names."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from twice(item, (*place, index))
    elif isinstance(value, dict):
        fields = Counter(key if named else field_of(key) for key in value)
        for key, item in value.items():
            field = key if named else field_of(key)
            if fields[field] > 1 and key != field:
                yield (*place, key), f"`{field}` is said a second time, as `{key}`"
            if named or field not in _FREE:
                yield from twice(item, (*place, key), named=not named and field in _NAMES)


def as_written(value: Any, place: Place) -> Place:
    """A place in a part that is spelt anew, as it is called in the part itself."""
    found: list[str | int] = []
    for step in place:
        if isinstance(value, dict) and step not in value:
            step = next((key for key in value if field_of(key) == step), step)  # noqa: PLW2901  # as it is written
        found.append(step)
        if isinstance(value, dict):
            value = value.get(step)
        else:
            value = value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
    return tuple(found)
