"""What may be written at the cursor: keys, values, names, columns, functions of the user's code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.check.entrypoints import TRAIN
from clspec.lsp import functions, language, naming
from clspec.lsp.cursor import typing
from clspec.predicate import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clspec.lsp.cursor import Typing
    from clspec.lsp.language import Part

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_OTHERWISE = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""Words that YAML, or an older reader of it, takes for something else than text."""
_WORDS = ("and", "or", "not", "in", "between", "is null", "is not null", "like", "true", "false", "null")
_OPEN_TEXT = re.compile(r"([A-Za-z_]\w*)\s*(?:=|!=|<>|\bin\s*\((?:\s*'[^']*'\s*,)*)\s*'[^']*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something that may be written: its name, its kind, what it means, and the text for it."""

    label: str
    kind: str
    """key, value, name, column, function, entrypoint."""
    detail: str = ""
    about: str = ""
    text: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What may be written instead of a stretch of a line (0-based columns in code points)."""

    start: int
    end: int
    offers: tuple[Offer, ...]


def complete(text: str, line: int, column: int, root: Path | None) -> Offers | None:
    """What may be written at a position (0-based, in code points) of a spec; `root` is that of the user's code."""
    place = typing(text, line, column)
    if place is None:
        return None
    return Offers(start=place.start, end=place.end, offers=tuple(_offers(place, root)))


def _offers(place: Typing, root: Path | None) -> Iterator[Offer]:
    columns = None if place.is_key else naming.columns_at(place.pointer, place.value)
    if columns is not None:
        yield from _in_predicate(place, columns)
        return
    part = language.part_at(place.pointer, place.value)
    if part is None:
        return
    if place.is_key or language.is_mapping(part):
        yield from _keys(place, part, root)
        return
    yield from _values(place, part, root)


def _keys(place: Typing, part: Part, root: Path | None) -> Iterator[Offer]:
    there = _at(place)
    given = there if isinstance(there, dict) else {}
    needed = language.required_of(part, given)
    for key, below in language.keys_of(part, given).items():
        if key not in given:
            wanted = key in needed
            detail = "needed" if wanted else ""
            yield _key(place, key, language.words(below), detail, "0" if wanted else "1")
    names = [(one.text, one.about) for one in naming.keys_at(place.pointer, place.value)]
    if place.pointer == ("training", "params"):
        names += [(name, "a parameter of the training function") for name in _parameters(place.value, root)]
    for name, about in names:
        if name not in given:
            yield _key(place, name, about, "", "0")


def _key(place: Typing, key: str, about: str, detail: str, order: str) -> Offer:
    text = _quoted(key, place) + ("" if place.colon else ": ")
    return Offer(label=key, kind="key", detail=detail, about=about, text=text, order=order + key)


def _parameters(value: Any, root: Path | None) -> Iterator[str]:
    """The parameters of the training function that a spec sets."""
    named = value.get("training", {}).get("entrypoint") if isinstance(value.get("training"), dict) else None
    found = functions.located(root, named) if root is not None and isinstance(named, str) else None
    for name in found.parameters if found else ():
        if name not in TRAIN:
            yield name


def _values(place: Typing, part: Part, root: Path | None) -> Iterator[Offer]:
    for value in language.values_of(part):
        shown = json.dumps(value) if isinstance(value, bool) else str(value)
        default = "default" in part and part["default"] == value
        text = shown if isinstance(value, bool) else _quoted(shown, place)
        yield Offer(label=shown, kind="value", detail="default" if default else "", text=text, order=shown)
    for one in naming.names_at(place.pointer, place.value):
        yield Offer(label=one.text, kind="name", detail=one.about, text=_quoted(one.text, place), order=one.text)
    if root is not None and naming.is_entrypoint(place.pointer):
        prefix = "python:" if place.pointer[-1] == "metric" else ""
        for found in functions.functions(root):
            name = prefix + found.entrypoint
            yield Offer(
                label=name,
                kind="entrypoint",
                detail=found.signature,
                about=found.about,
                text=_quoted(name, place),
                order="~" + name,
            )
    if not language.values_of(part):
        for example in language.resolved(part).get("examples", ()):
            shown = str(example)
            yield Offer(label=shown, kind="value", detail="example", text=_quoted(shown, place), order="~~" + shown)


def _in_predicate(place: Typing, columns: tuple[naming.Name, ...]) -> Iterator[Offer]:
    """What may stand in a predicate: columns, functions and words; between quotes the values that are known."""
    if place.before.count("'") % 2:
        asked = _OPEN_TEXT.search(place.before)
        label = place.value.get("task", {}).get("label") if isinstance(place.value.get("task"), dict) else None
        if asked and asked[1] == label:
            for one in naming.names_at(("golden", "scenarios", 0, "checks", 0, "class"), place.value):
                yield Offer(label=one.text, kind="name", detail=one.about, text=one.text, order=one.text)
        return
    for one in columns:
        yield Offer(label=one.text, kind="column", detail=one.about, text=one.text, order="0" + one.text)
    for name, function in FUNCTIONS.items():
        yield Offer(label=name, kind="function", detail=function.arity, text=f"{name}(", order="1" + name)
    for word in _WORDS:
        yield Offer(label=word, kind="value", text=word, order="2" + word)


def _at(place: Typing) -> Any:
    value: Any = place.value
    for step in place.pointer:
        value = value[step]
    return value


def _quoted(name: str, place: Typing) -> str:
    """A name as YAML reads it as text; within quotes it stands as it is."""
    if place.quoted or (_PLAIN.fullmatch(name) and name.lower() not in _OTHERWISE):
        return name
    return json.dumps(name, ensure_ascii=False)
