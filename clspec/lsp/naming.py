"""What the names in a spec refer to: which names may stand at a place, and where each is defined.

It looks at the document as it is being written, broken parts and all: nothing here may need a whole spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.catalog import METRICS
from clspec.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clspec.diagnostic import Pointer

    _Finder = Callable[[Any, Pointer], Iterator["Name"]]

_ANY = object()
"""Stands in a pattern for any name or position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that may stand somewhere, a few words about it, and where the spec defines it, if it does."""

    text: str
    about: str = ""
    defined: Pointer | None = None


def names_at(pointer: Pointer, whole: Any) -> tuple[Name, ...]:
    """The names that the value at a place may be."""
    return tuple(name for pattern, find in _VALUES if _matches(pattern, pointer) for name in find(whole, pointer))


def keys_at(pointer: Pointer, whole: Any) -> tuple[Name, ...]:
    """The names that the keys of the mapping at a place may be, beside those that the language has there."""
    return tuple(name for pattern, find in _KEYS if _matches(pattern, pointer) for name in find(whole, pointer))


def columns_at(pointer: Pointer, whole: Any) -> tuple[Name, ...] | None:
    """The columns that the predicate at a place may look at; None where no predicate stands."""
    for pattern, find in _PREDICATES:
        if _matches(pattern, pointer):
            return tuple(find(whole, pointer))
    return None


def is_entrypoint(pointer: Pointer) -> bool:
    """Whether a function of the user's code is named at a place."""
    return any(_matches(pattern, pointer) for pattern in _ENTRYPOINTS)


def references(name: str, defined: Pointer, whole: Any) -> Iterator[Pointer]:
    """Every place that refers by this name to what is defined there; of a key, the place of its value."""

    def is_meant(names: tuple[Name, ...]) -> bool:
        return any(one.text == name and one.defined == defined for one in names)

    for pointer, value in _walk(whole, ()):
        if value == name and is_meant(names_at(pointer, whole)):
            yield pointer
        if isinstance(value, dict) and name in value and is_meant(keys_at(pointer, whole)):
            yield (*pointer, name)


def entrypoints(whole: Any) -> Iterator[tuple[Pointer, str]]:
    """Every place that names a function of the user's, with the name."""
    for pointer, value in _walk(whole, ()):
        if isinstance(value, str) and is_entrypoint(pointer):
            yield pointer, value.removeprefix("python:")


def _walk(value: Any, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
    yield at, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in items:
        yield from _walk(below, (*at, step))


def _matches(pattern: tuple[Any, ...], pointer: Pointer) -> bool:
    return len(pattern) == len(pointer) and all(p is _ANY or p == s for p, s in zip(pattern, pointer, strict=True))


# -- what there is -----------------------------------------------------------------------------------------------------


def _at(whole: Any, *steps: Any) -> Any:
    for step in steps:
        if isinstance(whole, dict):
            whole = whole.get(step)
        elif isinstance(whole, list) and isinstance(step, int) and 0 <= step < len(whole):
            whole = whole[step]
        else:
            return None
    return whole


def _section(section: str) -> _Finder:
    def find(whole: Any, _: Pointer) -> Iterator[Name]:
        found = _at(whole, section)
        for name, body in found.items() if isinstance(found, dict) else ():
            about = _at(body, "type") or ", ".join(_columns_of(whole, section, name)[1])
            yield Name(text=name, about=str(about or section.removesuffix("s")), defined=(section, name))

    return find


def _columns_of(whole: Any, section: str, name: Any) -> tuple[Pointer, dict[str, Any]]:
    """Where the columns of a dataset or a source are written, and what they are; `like` is followed."""
    seen: list[Any] = []
    while name not in seen:
        seen.append(name)
        body = _at(whole, section, name)
        columns = _at(body, "columns")
        if isinstance(columns, dict):
            return (section, name, "columns"), columns
        name = _at(body, "like")
    return (), {}


def _columns(whole: Any, section: str, name: Any) -> Iterator[Name]:
    at, columns = _columns_of(whole, section, name)
    for column, kind in columns.items():
        yield Name(text=column, about=f"{kind}, a column of `{name}`", defined=(*at, column))


def _golden_columns(whole: Any, _: Pointer) -> Iterator[Name]:
    return _columns(whole, "datasets", _at(whole, "golden", "dataset"))


def _training_columns(whole: Any, _: Pointer) -> Iterator[Name]:
    return _columns(whole, "datasets", _at(whole, "training", "dataset"))


def _own_columns(whole: Any, pointer: Pointer) -> Iterator[Name]:
    """The columns of the source or the dataset that the place is in."""
    return _columns(whole, str(pointer[0]), pointer[1])


def _production_columns(whole: Any, _: Pointer) -> Iterator[Name]:
    return _columns(whole, "sources", _at(whole, "feedback", "source"))


def _told_columns(whole: Any, pointer: Pointer) -> Iterator[Name]:
    """The columns of the source that a `human_feedback` rule reads."""
    return _columns(whole, "sources", _at(whole, *pointer[:-1], "source"))


def _teacher_columns(whole: Any, _: Pointer) -> Iterator[Name]:
    at = ("feedback", "auto_label", "columns")
    columns = _at(whole, *at)
    for column, kind in columns.items() if isinstance(columns, dict) else ():
        yield Name(text=column, about=f"{kind}, what the teacher says", defined=(*at, column))


def _strata(whole: Any, pointer: Pointer) -> Iterator[Name]:
    yield Name(text="rule", about="the rule that mined the row")
    yield from _production_columns(whole, pointer)


def _classes(whole: Any, _: Pointer) -> Iterator[Name]:
    classes = _at(whole, "task", "classes")
    for number, name in enumerate(classes if isinstance(classes, list) else ()):
        if isinstance(name, str):
            yield Name(text=name, about="a class", defined=("task", "classes", number))


def _slices(whole: Any, _: Pointer) -> Iterator[Name]:
    slices = _at(whole, "golden", "slices")
    for name, select in slices.items() if isinstance(slices, dict) else ():
        yield Name(text=name, about=str(select), defined=("golden", "slices", name))


def _metrics(_: Any, __: Pointer) -> Iterator[Name]:
    for name, metric in METRICS.items():
        yield Name(text=name, about=metric.formula)


def _codes(_: Any, __: Pointer) -> Iterator[Name]:
    for code, known in CODES.items():
        if known.severity.value == "warning":
            yield Name(text=code, about=known.title)


def _ids(whole: Any, _: Pointer) -> Iterator[Name]:
    """What a waiver's path may lead to: whatever has a name."""
    for section in ("sources", "datasets"):
        yield from (Name(text=f"{section}.{one.text}", defined=one.defined) for one in _section(section)(whole, ()))
    for at in (("golden", "scenarios"), ("feedback", "rules")):
        items = _at(whole, *at)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(found := _at(item, "id"), str):
                yield Name(text=".".join((*at, found)), defined=(*at, number))
    yield from (Name(text=str(key), defined=(key,)) for key in whole or ())


_CHECKED = (
    ("golden", "scenarios", _ANY, "checks", _ANY),
    ("golden", "scenarios", _ANY, "guard", "checks", _ANY),
)
_RULE = ("feedback", "rules", _ANY)
_VALUES: tuple[tuple[tuple[Any, ...], _Finder], ...] = (
    (("datasets", _ANY, "like"), _section("datasets")),
    (("datasets", _ANY, "from"), _section("sources")),
    (("datasets", _ANY, "key"), _own_columns),
    (("datasets", _ANY, "group"), _own_columns),
    (("datasets", _ANY, "expect", "drift", "against"), _section("datasets")),
    (("datasets", _ANY, "expect", "drift", "columns", _ANY), _own_columns),
    (("sources", _ANY, "roles", _ANY), _own_columns),
    (("sources", _ANY, "expect", "drift", "against"), _section("datasets")),
    (("sources", _ANY, "expect", "drift", "columns", _ANY), _own_columns),
    (("task", "label"), _training_columns),
    (("training", "dataset"), _section("datasets")),
    (("golden", "dataset"), _section("datasets")),
    (("golden", "cluster_by"), _golden_columns),
    (("golden", "scenarios", _ANY, "slices", _ANY), _slices),
    (("golden", "scenarios", _ANY, "for_each"), _golden_columns),
    *(((*checked, "metric"), _metrics) for checked in _CHECKED),
    *(((*checked, "class"), _classes) for checked in _CHECKED),
    (("feedback", "source"), _section("sources")),
    (("feedback", "append_to"), _section("datasets")),
    ((*_RULE, "source"), _section("sources")),
    ((*_RULE, "join"), _told_columns),
    ((*_RULE, "label"), _told_columns),
    ((*_RULE, "when_absent"), _classes),
    (("feedback", "sampling", "stratify_by", _ANY), _strata),
    (("feedback", "leakage_guard", "against", _ANY), _section("datasets")),
    (("feedback", "auto_label", "never_for", _ANY), _classes),
    (("triggers", _ANY, "source"), _section("sources")),
    (("waivers", _ANY, "code"), _codes),
    (("waivers", _ANY, "path"), _ids),
)
_KEYS: tuple[tuple[tuple[Any, ...], _Finder], ...] = (
    (("feedback", "retrain_when", "min_per_class"), _classes),
    (("environments", _ANY, "sources"), _section("sources")),
    *(((section, _ANY, "expect", "nulls"), _own_columns) for section in ("sources", "datasets")),
    *(((section, _ANY, "expect", "ranges"), _own_columns) for section in ("sources", "datasets")),
)
_PREDICATES: tuple[tuple[tuple[Any, ...], _Finder], ...] = (
    (("golden", "slices", _ANY), _golden_columns),
    (("golden", "scenarios", _ANY, "select"), _golden_columns),
    (("golden", "scenarios", _ANY, "guard", "select"), _golden_columns),
    ((*_RULE, "when"), _production_columns),
    ((*_RULE, "event"), _production_columns),
    (("feedback", "auto_label", "accept_if"), _teacher_columns),
)
_ENTRYPOINTS: tuple[tuple[Any, ...], ...] = (
    ("training", "entrypoint"),
    ("inference", "entrypoint"),
    ("sources", _ANY, "entrypoint"),
    ("feedback", "auto_label", "entrypoint"),
    *((*checked, "metric") for checked in _CHECKED),
)
