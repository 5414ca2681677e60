"""Manifests from anywhere, judged: what Argo would refuse is an error, what the house would not do a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import kubernetes, manifest
from clspec.codes import problem
from clspec.diagnostic import START, Diagnostic, Severity, in_order
from clspec_argo import events, house, rules
from clspec_argo.fields import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clspec.manifest import Finding, Manifest

WOULD_BE_REFUSED = "CLS511"
NOT_AS_WE_WOULD = "CLS512"
NOT_JUDGED = "CLS530"

_NAMED = (*rules.KINDS, *events.KINDS)


def lint(text: str, path: str = "manifest.yaml", schemas: Sequence[str] = ()) -> Sequence[Diagnostic]:
    """What is wrong with the Argo objects in a text, and with accounts and their rights beside them.

    Objects of other kinds are not looked at. `path` is the file as the user named it. A text without any object that
    is judged is an error. Names and types of fields are those of the files `schemas`, else of hera's models; where
    neither is there, that is told.

    Raises:
        UsageError: a file of `schemas` is no schema.
    """
    known_fields = fields(tuple(schemas))
    unknown: set[str] = set()
    found: list[Diagnostic] = []
    judged = 0
    try:
        for one in manifest.read(text):
            if str(one.value.get("apiVersion", "")).startswith("argoproj.io/"):
                judged += 1
                kind = str(one.value.get("kind"))
                found += _judged(one, path)
                if (known := known_fields.of(kind)) is not None:
                    found += _told(one, path, known.findings(one.value), Severity.ERROR)
                if kind in _NAMED and not known_fields.knows_all(kind):
                    unknown.add(kind)
            elif one.value.get("kind") in rules.KINDS:
                judged += 1
                found += _told(one, path, rules.judge(one.value), Severity.ERROR)
            elif kubernetes.is_one(one.value):
                judged += 1
                found += _told(one, path, kubernetes.judge(one.value), Severity.ERROR)
                found += _told(one, path, kubernetes.doubts(one.value), Severity.WARNING)
    except manifest.NotYaml as error:
        found.append(_diagnostic(str(error), path, Severity.ERROR, error.span))
        judged += 1
    if not judged:
        message = "there is no object of Argo's in it, nor one that stands beside them: nothing was judged"
        found.append(_diagnostic(message, path, Severity.ERROR, None))
    if unknown:
        found.append(_not_judged(unknown, path))
    return in_order(found)


def _not_judged(kinds: set[str], path: str) -> Diagnostic:
    message = f"a slip in the name of a field would not be seen: nothing says which ones there are in {_listed(kinds)}"
    hint = "pip install 'clspec[lint]', or give a schema or custom resource definition of Argo's with `--schema FILE`"
    if kinds <= set(events.KINDS):
        hint = "look with `kubectl explain`: Argo Events publishes no description that has all of its fields"
    return problem(NOT_JUDGED, message, path=path, span=START, hint=hint)


def _listed(kinds: set[str]) -> str:
    return " and ".join(sorted(kinds))


def _judged(one: Manifest, path: str) -> Iterator[Diagnostic]:
    kind = one.value.get("kind")
    if kind in rules.KINDS:
        yield from _told(one, path, rules.judge(one.value), Severity.ERROR)
        yield from _told(one, path, house.judge(one.value), Severity.WARNING)
    elif kind in events.KINDS:
        yield from _told(one, path, events.judge(one.value), Severity.ERROR)
    else:
        yield from _told(one, path, [(("kind",), f"Argo has no kind {kind!r} that is judged here")], Severity.ERROR)


def _told(one: Manifest, path: str, found: Iterable[Finding], severity: Severity) -> Iterator[Diagnostic]:
    for place, message in found:
        yield _diagnostic(message, path, severity, one.span(place), ".".join(map(str, place)))


def _diagnostic(message: str, path: str, severity: Severity, span: object, where: str = "") -> Diagnostic:
    code = WOULD_BE_REFUSED if severity is Severity.ERROR else NOT_AS_WE_WOULD
    return Diagnostic(code=code, severity=severity, message=message, path=path, span=span, where=where)  # type: ignore[arg-type]
