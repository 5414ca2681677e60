"""What is wrong with the shape of a document, in the user's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.codes import problem
from clspec.diagnostic import START, Fix, Related, did_you_mean
from clspec.reading.hidden import visible
from clspec.shape import surely
from clspec.shape.published import SchemaError, about, alternatives, homes, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.load import Document

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
"""What means itself in any quotes and without."""
_SLIPS = 20
"""So many unknown keys of one mapping are compared with the known ones: more are no slips."""


def meant(errors: Iterable[SchemaError]) -> dict[Pointer, set[str]]:
    """By place, the keys that were given there under a name with a slip in it."""
    found: dict[Pointer, set[str]] = {}
    for error in errors:
        if error.kind.name == "additionalProperties":
            known = schema_of(error).get("properties", {})
            hints = {did_you_mean(key, known) for key in error.kind.unexpected[:_SLIPS]}
            found[tuple(error.instance_path)] = {name for name in known if f"did you mean `{name}`?" in hints}
    return found


def said(error: SchemaError, document: Document, slipped: dict[Pointer, set[str]]) -> Iterator[Diagnostic]:
    """The error as diagnostics; one schema error about several keys becomes several, one that follows becomes none."""
    at: Pointer = tuple(error.instance_path)
    kind = error.kind
    slips = slipped.get(at, set())
    if kind.name == "additionalProperties":
        yield from _unknown_keys(at, error, document)
    elif kind.name == "required":
        if kind.property not in slips:
            yield _missing_key(at, kind.property, schema_of(error), document)
    elif kind.name == "oneOf":
        if isinstance(error.instance, dict):  # anything else is of the wrong type, which is an error of its own
            yield from _one_of(at, error, slips, document)
    else:
        related: tuple[Related, ...] = ()
        if kind.name == "uniqueItems":
            second = _second(error.instance)
            first = error.instance.index(error.instance[second])
            related = (Related(document.span((*at, first)), "first given here"),)
            at = (*at, second)
        code, message, hint = _WORDS.get(kind.name, _otherwise)(error)
        span, where, fix = document.span(at), document.where(at), _fix(error, at, document)
        yield problem(code, message, path=document.path, span=span, hint=hint, where=where, related=related, fix=fix)


def _fix(error: SchemaError, at: Pointer, document: Document) -> Fix | None:
    """What mends a value, if that is certain; a secret is told of elsewhere and never repeated."""
    text = None
    if error.kind.name == "type":
        text = surely.value(error.kind.types, error.instance, document.text_of(at))
    elif error.kind.name == "pattern" and not document.text_of(at).startswith(("*", "|", ">")):
        text = surely.quantity(error.kind.pattern, error.instance)
    elif error.kind.name in {"enum", "const"} and isinstance(error.instance, str):
        options = error.kind.options if error.kind.name == "enum" else [error.kind.expected_value]
        return renamed(document, at, error.instance, surely.name(error.instance, filter(_is_text, options)))
    return Fix(document.span(at), text) if text is not None else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def renamed(document: Document, at: Pointer, word: str, meant: str | None) -> Fix | None:
    """What puts another word in the place of one, in the quotes that it has; not where it is written in another way."""
    raw = document.text_of(at)
    if meant is None or raw not in {word, f"'{word}'", f'"{word}"'} or not _PLAIN.fullmatch(meant):
        return None
    return Fix(document.span(at), _as_quoted(raw, meant))


def _unknown_keys(at: Pointer, error: SchemaError, document: Document) -> Iterator[Diagnostic]:
    schema, keys = schema_of(error), error.kind.unexpected
    known = schema.get("properties", {})
    taken: list[str] = [*error.instance]
    pattern = next(iter(schema.get("patternProperties", {})), None)
    for number, key in enumerate(keys):
        here = (*at, key)
        place = f" in `{document.where(at)}`" if at else ""
        if pattern is None or known:
            code, message = "CLS201", f"unknown key `{visible(key)}`{place}"
            hint = _key_hint(key, known) if number < _SLIPS else ""
            meant_key = surely.key(key, known, taken) if hint.startswith("did you mean") else None
        else:
            code, message = "CLS205", f"`{visible(key)}` cannot be a name{place}"
            hint, meant_key = _PATTERNS.get(pattern, f"it must match {pattern}"), None
        span, where, fix = document.key_span(here), document.where(here), None
        if meant_key is not None:
            taken.append(meant_key)  # two slips of one key are not both mended
            fix = Fix(span, _as_quoted(document.key_text_of(here), meant_key))
        yield problem(code, message, path=document.path, span=span, hint=hint, where=where, fix=fix)


def _as_quoted(raw: str, word: str) -> str:
    """A word in the quotes that another one stood in."""
    return f"{raw[0]}{word}{raw[0]}" if raw[:1] in ("'", '"') else word


def _key_hint(key: str, known: Iterable[str]) -> str:
    """What was meant: a key of this place, or else the place of this key."""
    hint = did_you_mean(key, known)
    places = homes().get(key, ())
    if hint.startswith("did you mean") or not 0 < len(places) <= 3:  # noqa: PLR2004  # more would be no help
        return hint
    return f"`{key}` belongs " + " or ".join(f"in `{place}`" if place else "at the top" for place in places)


def _missing_key(at: Pointer, key: str, schema: Any, document: Document) -> Diagnostic:
    place = f"`{document.where(at)}`" if at else "the spec"
    span = document.key_span(at) if at else START
    part = schema.get("properties", {}).get(key, {})
    hint = f"write `{key}: {part['const']}`" if "const" in part else about(part)
    return problem(
        "CLS202", f"{place} needs `{key}`", path=document.path, span=span, hint=hint, where=document.where(at)
    )


def _one_of(at: Pointer, error: SchemaError, slips: set[str], document: Document) -> Iterator[Diagnostic]:
    keys, given = alternatives(error)
    if not given and slips & set(keys):
        return
    names = ", ".join(f"`{key}`" for key in keys)
    have = "none is given" if not given else "given: " + ", ".join(f"`{key}`" for key in given)
    span = document.key_span((*at, given[-1]) if given else at)
    message = f"exactly one of {names} is needed; {have}"
    first = schema_of(error)["properties"][keys[0]]
    hint = "remove all but one" if given else f"`{keys[0]}`: {about(first)}"
    others = tuple(Related(document.key_span((*at, key)), "and this is given, too") for key in given[:-1])
    where = document.where(at)
    yield problem("CLS208", message, path=document.path, span=span, hint=hint, where=where, related=others)


def not_whole(at: Pointer, document: Document) -> Diagnostic:
    """What is said of a number such as `3.0` where a whole one is needed."""
    message = f"a whole number is needed here, not `{document.text_of(at)}`"
    hint = "write it without a fraction or an exponent"
    return problem("CLS203", message, path=document.path, span=document.span(at), hint=hint, where=document.where(at))


_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_PATTERNS = {
    "^[a-z]([-a-z0-9]*[a-z0-9])?$": "names are lower-case letters, digits and inner hyphens, a letter first",
    "^[A-Za-z_][-A-Za-z0-9_]{0,62}$": "letters, digits, underscores and hyphens, no digit first, 63 at the most",
    "^[A-Za-z_][A-Za-z0-9_]*$": "letters, digits and underscores, no digit first",
    "^CLS[0-9]{3}$": "a code such as `CLS412`",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "a date such as `2027-03-01`",
    "^/": "an absolute path in the image, such as `/app`",
    "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$": (
        "a resource name is `vendor/name`, such as `nvidia.com/gpu`"
    ),
}


def shown(value: Any) -> str:
    """A value as a message quotes it: short, one line."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "an empty value"
    if isinstance(value, str):
        return f'"{visible(value)}"'
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(error: SchemaError) -> tuple[str, str, str]:
    kinds, value = error.kind.types, error.instance
    wanted = " or ".join(_TYPES.get(name, name) for name in kinds)
    return "CLS203", f"{wanted} is needed here, not {shown(value)}", _retyped(kinds, value) or about(schema_of(error))


def _retyped(kinds: Iterable[str], value: Any) -> str:
    """How to write the value so that it has the type that is needed, where that is likely what is meant."""
    kind = next(iter(kinds))
    if isinstance(value, str):
        if kind == "boolean" and value.lower() in surely.SWITCHES:
            return f"write `{surely.SWITCHES[value.lower()]}`"
        if kind in surely.PYTHON and isinstance(surely.unquoted(value), surely.PYTHON[kind]):
            return "remove the quotes"
    if kind == "string" and isinstance(value, int | float):
        return "put it in quotes"
    if kind == "array" and isinstance(value, dict):
        return "begin each item of a list with `- `"
    if kind == "array" and value is not None:
        return f"a list of one is `[{value}]`" if len(str(value)) <= 40 else "put it in `[` and `]`"  # noqa: PLR2004
    return ""


def _enum(error: SchemaError) -> tuple[str, str, str]:
    options = [str(option) for option in error.kind.options]
    hint = did_you_mean(error.instance if isinstance(error.instance, str) else "", options)
    return "CLS204", f"{shown(error.instance)} is not possible here", hint


def _const(error: SchemaError) -> tuple[str, str, str]:
    return "CLS204", f"{shown(error.instance)} is not possible here", f"write `{error.kind.expected_value}`"


def _pattern(error: SchemaError) -> tuple[str, str, str]:
    part = schema_of(error)
    mended = surely.quantity(error.kind.pattern, error.instance)
    if mended is not None:
        return "CLS205", f"{shown(error.instance)} does not have the right form", f"write `{mended}`"
    hint = _PATTERNS.get(error.kind.pattern) or about(part)
    return "CLS205", f"{shown(error.instance)} does not have the right form", hint


def _limit(error: SchemaError) -> tuple[str, str, str]:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }
    return "CLS206", f"{shown(error.instance)} must be {words[error.kind.name]} {error.kind.limit}", ""


def _size(error: SchemaError) -> tuple[str, str, str]:
    kind = error.kind
    what = {"Items": "item", "Properties": "key", "Length": "character"}[kind.name[3:]]
    code = "CLS205" if what == "character" else "CLS207"
    count = f"{kind.limit} {what}{'' if kind.limit == 1 else 's'}"
    if kind.name.startswith("max"):
        return code, f"at most {count} may stand here", ""
    message = "the text is empty" if error.instance == "" else f"at least {count} must stand here"
    return code, message, about(schema_of(error))


def _unique(error: SchemaError) -> tuple[str, str, str]:
    return (
        "CLS207",
        f"{shown(error.instance[_second(error.instance)])} stands in the list twice",
        "remove one of the two",
    )


def _second(items: list[Any]) -> int:
    """The position of the first item that was there before."""
    return next(number for number, item in enumerate(items) if item in items[:number])


def _otherwise(error: SchemaError) -> tuple[str, str, str]:
    return "CLS203", f"this value is not possible here ({error.kind.name})", ""


_WORDS = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _limit,
    "maximum": _limit,
    "exclusiveMinimum": _limit,
    "exclusiveMaximum": _limit,
    "minItems": _size,
    "maxItems": _size,
    "minProperties": _size,
    "maxProperties": _size,
    "minLength": _size,
    "maxLength": _size,
    "uniqueItems": _unique,
}
