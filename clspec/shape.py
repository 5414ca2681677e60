"""Whether a document has the shape that the published schema demands, said in the user's words."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from clspec.codes import problem
from clspec.diagnostic import START, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.load import Document

SchemaError = Any
"""An error of jsonschema-rs, whose stubs do not type what each kind of error carries."""

KNOWN_VERSION = "clspec.dev/v1alpha1"


def version(document: Document) -> Diagnostic | None:
    """What is wrong with the language version; where it is unknown nothing else can be judged."""
    found = document.value.get("apiVersion")
    if found == KNOWN_VERSION or "apiVersion" not in document.value:
        return None
    message = f"this clspec reads `{KNOWN_VERSION}`, not `{found}`"
    hint = "install a newer clspec" if str(found).startswith("clspec.dev/v") else f"write `apiVersion: {KNOWN_VERSION}`"
    pointer = ("apiVersion",)
    return problem("CLS210", message, path=document.path, span=document.span(pointer), hint=hint, where="apiVersion")


def check(document: Document) -> tuple[tuple[Diagnostic, ...], Document]:
    """All that is wrong with the shape, and the document without the parts that are wrong.

    What remains is again of the right shape, whole sections possibly missing, so that its meaning can still be judged.
    """
    errors = list(_validator().iter_errors(document.value))
    diagnostics = tuple(found for error in errors for found in _said(error, document))
    rest = document
    while errors:
        rest = rest.without(_blamed(errors))
        errors = [error for error in _validator().iter_errors(rest.value) if not _section_missing(error)]
    return diagnostics, rest


@cache
def _schema() -> Any:
    from clspec_schema import schema  # noqa: PLC0415  # 60 kB of JSON that `--version` does not need

    return schema()


@cache
def _validator() -> Any:
    import jsonschema_rs  # noqa: PLC0415  # loaded when there is something to validate

    return jsonschema_rs.Draft202012Validator(_schema())


def _section_missing(error: SchemaError) -> bool:
    return error.kind.name == "required" and not error.instance_path


def _blamed(errors: Iterable[SchemaError]) -> Iterator[Pointer]:
    """The smallest parts of the document without which the errors would not be."""
    for error in errors:
        at = tuple(error.instance_path)
        if error.kind.name == "additionalProperties":
            yield from ((*at, key) for key in error.kind.unexpected)
        elif error.kind.name == "oneOf" and len(given := _alternatives(error)[1]) > 1:
            yield from ((*at, key) for key in given[1:])
        elif at:
            yield at


def _said(error: SchemaError, document: Document) -> Iterator[Diagnostic]:
    """The error as diagnostics; one schema error about several keys becomes several."""
    at: Pointer = tuple(error.instance_path)
    kind = error.kind
    if kind.name == "additionalProperties":
        yield from _unknown_keys(at, kind.unexpected, _schema_of(error), document)
    elif kind.name == "required":
        yield _missing_key(at, kind.property, document)
    else:
        code, message, hint = _WORDS.get(kind.name, _otherwise)(error)
        yield problem(code, message, path=document.path, span=document.span(at), hint=hint, where=document.where(at))


def _unknown_keys(at: Pointer, keys: Iterable[str], schema: Any, document: Document) -> Iterator[Diagnostic]:
    known = schema.get("properties", {})
    pattern = next(iter(schema.get("patternProperties", {})), None)
    for key in keys:
        here = (*at, key)
        place = f" in `{document.where(at)}`" if at else ""
        if pattern is None or known:
            code, message, hint = "CLS201", f"unknown key `{key}`{place}", did_you_mean(key, known)
        else:
            code, message = "CLS205", f"`{key}` cannot be a name{place}"
            hint = _PATTERNS.get(pattern, f"it must match {pattern}")
        yield problem(
            code, message, path=document.path, span=document.key_span(here), hint=hint, where=document.where(here)
        )


def _missing_key(at: Pointer, key: str, document: Document) -> Diagnostic:
    place = f"`{document.where(at)}`" if at else "the spec"
    span = document.key_span(at) if at else START
    return problem("CLS202", f"{place} needs `{key}`", path=document.path, span=span, where=document.where(at))


def _schema_of(error: SchemaError) -> Any:
    """The subschema that holds the keyword which failed, references followed."""
    found: Any = _schema()
    for part in list(error.evaluation_path)[:-1]:
        if part == "$ref":
            name = found["$ref"].rsplit("/", 1)[-1]
            found = _schema()["$defs"][name]
        else:
            found = found[part]
    return found


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
    "^[1-9][0-9]{0,8}[smhd]$": "a whole number and its unit: `90s`, `15m`, `6h`, `14d`",
    "^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti)$": "a whole number and a binary unit: `512Mi`, `16Gi`",
    "^CLS[0-9]{3}$": "a code such as `CLS412`",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "a date such as `2027-03-01`",
    "^/": "an absolute path in the image, such as `/app`",
}


def shown(value: Any) -> str:
    """A value as a message quotes it: short, one line."""
    text = (
        {True: "true", False: "false", None: "nothing"}.get(value)
        if value is None or value is True or value is False
        else None
    )
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = text or (f"`{value}`" if not isinstance(value, str) else f'"{value}"')
    return text if len(text) <= 60 else text[:56] + '..."'  # noqa: PLR2004  # a message fits a line


def _type(error: SchemaError) -> tuple[str, str, str]:
    wanted = " or ".join(_TYPES.get(name, name) for name in error.kind.types)
    hint = ""
    if isinstance(error.instance, str) and set(error.kind.types) & {"number", "integer", "boolean"}:
        hint = "remove the quotes" if _unquotable(error.instance) else ""
    if not isinstance(error.instance, str | dict | list) and error.kind.types == ["string"]:
        hint = "put it in quotes"
    return "CLS203", f"{wanted} is needed here, not {shown(error.instance)}", hint


def _unquotable(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in {"true", "false"}
    return True


def _enum(error: SchemaError) -> tuple[str, str, str]:
    options = [str(option) for option in error.kind.options]
    return "CLS204", f"{shown(error.instance)} is not possible here", did_you_mean(str(error.instance), options)


def _const(error: SchemaError) -> tuple[str, str, str]:
    return "CLS204", f"{shown(error.instance)} is not possible here", f"write `{error.kind.expected_value}`"


def _pattern(error: SchemaError) -> tuple[str, str, str]:
    pattern = error.kind.pattern
    hint = _PATTERNS.get(pattern, "")
    if ":" in pattern:
        hint = "an entry point is `module:function`"
    elif "/" in pattern and not hint:
        hint = "a resource name is `vendor/name`, such as `nvidia.com/gpu`"
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
    what = {"Items": "items", "Properties": "keys", "Length": "characters"}[error.kind.name[3:]]
    side = "at least" if error.kind.name.startswith("min") else "at most"
    if what == "characters" and error.instance == "":
        return "CLS205", "the text is empty", ""
    code = "CLS205" if what == "characters" else "CLS207"
    return code, f"{side} {error.kind.limit} {what} are needed here", ""


def _unique(error: SchemaError) -> tuple[str, str, str]:
    seen: list[Any] = []
    for item in error.instance:
        if item in seen:
            return "CLS207", f"{shown(item)} stands in the list twice", ""
        seen.append(item)
    return "CLS207", "an item stands in the list twice", ""


def _one_of(error: SchemaError) -> tuple[str, str, str]:
    keys, given = _alternatives(error)
    names = ", ".join(f"`{key}`" for key in keys)
    have = "none is given" if not given else "given: " + ", ".join(f"`{key}`" for key in given)
    return "CLS208", f"exactly one of {names} is needed; {have}", ""


def _alternatives(error: SchemaError) -> tuple[list[str], list[str]]:
    """The keys of which exactly one is needed, and those of them that are given."""
    keys = [alternative["required"][0] for alternative in _schema_of(error)["oneOf"]]
    return keys, [key for key in keys if key in error.instance]


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
    "oneOf": _one_of,
}
