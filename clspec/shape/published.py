"""The published schema, and what it says about each part of the language."""

from __future__ import annotations

from functools import cache
from typing import Any

SchemaError = Any
"""An error of jsonschema-rs, whose stubs do not type what each kind of error carries."""


@cache
def schema() -> Any:
    """The schema as plain values, read once."""
    import clspec_schema  # noqa: PLC0415  # 60 kB of JSON that `--version` does not need

    return clspec_schema.schema()


def schema_of(error: SchemaError) -> Any:
    """The subschema that holds the keyword which failed, references followed."""
    found: Any = schema()
    for part in list(error.evaluation_path)[:-1]:
        found = _resolved(found) if part == "$ref" else found[part]
    return found


def _resolved(part: Any) -> Any:
    return schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part


def about(part: Any) -> str:
    """What the schema says about a value, as a hint."""
    part = {**_resolved(part), **part}
    if "const" in part:
        return f"write `{part['const']}`"
    text: str = part.get("description", "").rstrip(".")
    if text[1:2].islower() or text[1:2] == " ":
        text = text[0].lower() + text[1:]
    example = next(iter(part.get("examples", ())), None)
    if isinstance(example, str):
        text += f", such as `{example}`"
    listed = part.get("enum") or list(part.get("properties", ()) if "allOf" not in part else ())
    if listed:
        text += f"; {'one of' if 'enum' in part else 'its keys:'} " + ", ".join(f"`{name}`" for name in listed)
    return text


@cache
def homes() -> dict[str, tuple[str, ...]]:
    """For every key of the language, the places that take it."""
    found: dict[str, dict[str, None]] = {}
    todo: list[tuple[str, Any]] = [("", schema())]
    while todo:
        path, part = todo.pop()
        part = _resolved(part)
        for key, below in part.get("properties", {}).items():
            found.setdefault(key, {})[path] = None
            todo.append((f"{path}.{key}".lstrip("."), below))
        todo += [(f"{path}.NAME", below) for below in part.get("patternProperties", {}).values()]
        todo += [(path, branch["then"]) for branch in part.get("allOf", ())]
        if "items" in part:
            todo.append((path, part["items"]))
    return {key: tuple(sorted(places)) for key, places in found.items()}


def alternatives(error: SchemaError) -> tuple[list[str], list[str]]:
    """The keys of which exactly one is needed, and those of them that a mapping gives."""
    keys = [alternative["required"][0] for alternative in schema_of(error)["oneOf"]]
    return keys, [key for key in keys if key in error.instance]
