"""A document of the right shape as a typed spec, without judging what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from clspec.codes import problem
from clspec.spec import Spec

if TYPE_CHECKING:
    from clspec.diagnostic import Diagnostic, Pointer
    from clspec.load import Document


class Absent(Exception):
    """A rule asked for a section that is missing or was too broken to read, which is reported already."""


class _Missing:
    """Stands where a section should be, and says so to whoever looks closer."""

    def __getattr__(self, name: str) -> NoReturn:
        raise Absent(name)

    def __getitem__(self, key: object) -> NoReturn:
        raise Absent(key)

    def __iter__(self) -> NoReturn:
        raise Absent

    def __contains__(self, item: object) -> NoReturn:
        raise Absent

    def __bool__(self) -> NoReturn:
        raise Absent


def parse(document: Document) -> tuple[Spec, tuple[Diagnostic, ...]]:
    """The spec; sections that are not in the document raise `Absent` when they are looked into."""
    sections: dict[str, Any] = {}
    diagnostics: list[Diagnostic] = []
    for entry in msgspec.structs.fields(Spec):
        if entry.name not in document.value:
            if entry.required:
                sections[entry.name] = _Missing()
            continue
        try:
            sections[entry.name] = msgspec.convert(document.value[entry.name], entry.type)
        except msgspec.ValidationError as error:
            sections[entry.name] = _Missing()
            diagnostics.append(_unconverted(error, (entry.name,), document))
    return Spec(**sections), tuple(diagnostics)


def whole(document: Document) -> bool:
    """Whether every required section is there."""
    return all(entry.name in document.value for entry in msgspec.structs.fields(Spec) if entry.required)


def _unconverted(error: msgspec.ValidationError, section: Pointer, document: Document) -> Diagnostic:
    """What JSON Schema lets through and a typed reader does not, such as `3.0` where a whole number is meant."""
    message, _, path = str(error).partition(" - at `$")
    pointer: Pointer = section
    for name, index in re.findall(r"\.([^.\[`]+)|\[([0-9]+)\]", path):
        pointer = (*pointer, name or int(index))
    return problem(
        "CLS203",
        message.replace("`", ""),
        path=document.path,
        span=_nearest(document, pointer),
        where=document.where(section),
    )


def _nearest(document: Document, pointer: Pointer) -> Any:
    while True:
        try:
            return document.span(pointer)
        except (KeyError, IndexError, TypeError):
            pointer = pointer[:-1]
