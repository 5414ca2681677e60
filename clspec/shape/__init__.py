"""Whether a document has the shape that the published schema demands, and what of it has."""

from __future__ import annotations

import re
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

from clspec.codes import problem
from clspec.shape.published import SchemaError, alternatives, schema
from clspec.shape.words import meant, not_whole, said, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.load import Document

KNOWN_VERSION = "clspec.dev/v1alpha1"


_VERSION = re.compile(r"clspec\.dev/v([0-9]{1,6})(?:(alpha|beta)([0-9]{1,6}))?")


def _order(name: str) -> tuple[int, int, int] | None:
    """What tells which of two versions is the newer one, as Kubernetes orders them: v1alpha1, v1beta1, v1, v2alpha1."""
    found = _VERSION.fullmatch(name)
    if found is None:
        return None
    stage = {"alpha": 0, "beta": 1}.get(found[2] or "", 2)
    return int(found[1]), stage, int(found[3] or 0)


def version(document: Document) -> Diagnostic | None:
    """What is wrong with the language version; where it is unknown nothing else can be judged."""
    found = document.value.get("apiVersion")
    if found == KNOWN_VERSION or "apiVersion" not in document.value:
        return None
    message = f"this clspec reads `{KNOWN_VERSION}`, not {shown(found)}"
    hint = f"write `apiVersion: {KNOWN_VERSION}`"
    if isinstance(found, str) and (order := _order(found)) is not None:
        newer = order > (_order(KNOWN_VERSION) or ())
        age = "a newer" if newer else "an older"
        message = f"the file is of {age} language, {shown(found)}; this clspec reads `{KNOWN_VERSION}`"
        hint = "install a newer clspec" if newer else f"write `{KNOWN_VERSION}`, and see what `clspec check` says then"
    pointer = ("apiVersion",)
    return problem("CLS210", message, path=document.path, span=document.span(pointer), hint=hint, where="apiVersion")


def check(document: Document) -> tuple[tuple[Diagnostic, ...], Document]:
    """All that is wrong with the shape, and the document without the parts that are wrong.

    What remains is again of the right shape, whole sections possibly missing, so that its meaning can still be judged.
    """
    errors = list(_validator().iter_errors(document.value))
    wrong = {tuple(error.instance_path) for error in errors}
    fractions = [at for at in _fractions(document.value) if at not in wrong]
    slips = meant(errors)
    diagnostics = [found for error in errors for found in said(error, document, slips)]
    diagnostics += [not_whole(at, document) for at in fractions]
    # What an alias repeats is wrong wherever it stands, and told once: where it is written.
    told = {(found.span, found.code, found.message): found for found in reversed(diagnostics)}
    gone = [*fractions, *_blamed(errors)]
    rest = document
    while gone:
        rest = rest.without(gone)
        gone = list(_blamed(e for e in _validator().iter_errors(rest.value) if not _section_missing(e)))
    return tuple(told.values()), rest


def unwritable(value: Any) -> tuple[Pointer, ...]:
    """The smallest parts of a spec, as plain values, that nobody could write."""
    return tuple(dict.fromkeys(_blamed(_validator().iter_errors(value))))


@cache
def _validator() -> Any:
    import jsonschema_rs  # noqa: PLC0415  # loaded when there is something to validate

    return jsonschema_rs.Draft202012Validator(schema())


def _fractions(value: Any) -> list[Pointer]:
    """Where a whole number is needed and one such as `3.0` stands: JSON Schema takes it for whole, we do not.

    These are the places that complain once every such number has a fraction.
    """
    suspects = [key for key, section in value.items() if _holds_whole(section)]
    if not suspects:
        return []
    broken = {**value, **{key: _broken(value[key]) for key in suspects}}
    places = [tuple(e.instance_path) for e in _validator().iter_errors(broken) if e.kind.name == "type"]
    return [at for at in places if _is_whole(reduce(lambda found, step: found[step], at, value))]


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _holds_whole(value: Any) -> bool:
    """Whether a number such as `3.0` is anywhere in it; asked of every section, so that it has to be quick."""
    todo = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is dict:
            todo += item.values()
        elif kind is list:
            todo += item
        elif kind is float and item.is_integer():
            return True
    return False


def _broken(value: Any) -> Any:
    """The value with a fraction in place of every `3.0`; the very same where there is none."""
    if isinstance(value, dict):
        copy: Any = {key: _broken(item) for key, item in value.items()}
        return value if all(copy[key] is value[key] for key in value) else copy
    if isinstance(value, list):
        copy = [_broken(item) for item in value]
        return value if all(new is old for new, old in zip(copy, value, strict=True)) else copy
    return 0.5 if _is_whole(value) else value


def _section_missing(error: SchemaError) -> bool:
    return error.kind.name == "required" and not error.instance_path


def _blamed(errors: Iterable[SchemaError]) -> Iterator[Pointer]:
    """The smallest parts of the document without which the errors would not be."""
    for error in errors:
        at = tuple(error.instance_path)
        if error.kind.name == "additionalProperties":
            yield from ((*at, key) for key in error.kind.unexpected)
        elif error.kind.name == "oneOf" and isinstance(error.instance, dict) and (given := alternatives(error)[1]):
            yield from ((*at, key) for key in given[1:])
        elif at:
            yield at
