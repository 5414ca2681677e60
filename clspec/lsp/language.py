"""What the published schema says about a place in a document: its part, its keys, its values, its words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.shape.published import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Pointer

Part = dict[str, Any]
"""A subschema with its reference followed."""


def part_at(pointer: Pointer, value: Any) -> Part | None:
    """The subschema for a place in a document of this value, or None where the language has nothing there."""
    part: Part | None = schema()
    for step in pointer:
        if part is None:
            return None
        part, value = _below(part, step, value), _child(value, step)
    return None if part is None else resolved(part)


def keys_of(part: Part, value: Any) -> dict[str, Part]:
    """The keys that a mapping may have here, each with its subschema; `value` is what the mapping has already.

    Which keys there are may depend on one that tells the kind (`type`, `event`); where it is not given yet, all.
    """
    part = resolved(part)
    found: dict[str, Part] = dict(part.get("properties", {}))
    branches = list(_branches(part, value))
    tells = {key for branch in part.get("allOf", ()) for key in branch["if"]["properties"]}
    for branch in branches:  # each has its own kind only where all of them are possible
        found.update({name: below for name, below in branch.get("properties", {}).items() if name not in tells})
    given = value if isinstance(value, dict) else {}
    rivals = [group for one in (part, *branches) for group in _rivals(one) if not group.isdisjoint(given)]
    gone = frozenset().union(*rivals) - frozenset(given)
    return {name: below for name, below in found.items() if name not in gone}


def required_of(part: Part, value: Any) -> frozenset[str]:
    """The keys that a mapping must have here."""
    part = resolved(part)
    branches = list(_branches(part, value)) if _kind(part, value) is not None else []
    return frozenset(name for one in (part, *branches) for name in one.get("required", ()))


def values_of(part: Part) -> tuple[Any, ...]:
    """The values that are listed for a scalar, if they are."""
    part = resolved(part)
    if "const" in part:
        return (part["const"],)
    if "enum" in part:
        return tuple(part["enum"])
    return (True, False) if part.get("type") == "boolean" else ()


def is_mapping(part: Part) -> bool:
    """Whether a mapping stands here."""
    part = resolved(part)
    return part.get("type") == "object" or "properties" in part or "allOf" in part


def is_list(part: Part) -> bool:
    """Whether a list stands here."""
    return resolved(part).get("type") == "array"


def words(part: Part) -> str:
    """What the language says about a place, as Markdown: title, description, default, examples."""
    part = resolved(part)
    lines = [f"**{part['title']}**"] if "title" in part else []
    if "description" in part:
        lines.append(part["description"])
    if "default" in part:
        lines.append(f"Default: `{_shown(part['default'])}`")
    if examples := part.get("examples"):
        lines.append("For example: " + ", ".join(f"`{_shown(example)}`" for example in examples))
    return "\n\n".join(lines)


def resolved(part: Part) -> Part:
    """A subschema with its reference followed; what stands beside the reference counts more."""
    while "$ref" in part:
        beside = {key: item for key, item in part.items() if key != "$ref"}
        part = {**schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]], **beside}
    return part


def _rivals(part: Part) -> Iterator[frozenset[str]]:
    """The keys of which a mapping has one only."""
    alternatives = [frozenset(one.get("required", ())) for one in part.get("oneOf", ())]
    if alternatives:
        yield frozenset().union(*alternatives)


def _below(part: Part, step: str | int, value: Any) -> Part | None:
    part = resolved(part)
    if isinstance(step, int):
        return part.get("items")
    found = keys_of(part, value).get(step)
    if found is not None:
        return found
    for named in part.get("patternProperties", {}).values():
        return dict(named)
    others = part.get("additionalProperties")
    return others if isinstance(others, dict) else None


def _branches(part: Part, value: Any) -> Iterator[Part]:
    kind = _kind(part, value)
    for branch in part.get("allOf", ()):
        wanted = branch["if"]["properties"]
        if kind is None or all(one.get("const") == kind for one in wanted.values()):
            yield resolved(branch["then"])


def _kind(part: Part, value: Any) -> Any:
    """What a mapping says of its kind, where the language tells kinds apart here and it names one of them."""
    for branch in part.get("allOf", ()):
        for key, wanted in branch["if"]["properties"].items():
            said = value.get(key) if isinstance(value, dict) else None
            if said == wanted.get("const"):
                return said
    return None


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return None


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | list | dict) or value is None else str(value)
