"""What differs in an environment: the spec as it is there, each changed value at its place in the environment."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from clspec.load import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_SECTION = "environments"
SECTIONS = ("store", "code", "sources", "training", "inference")
"""What an environment may change parts of."""
_GONE: Any = object()


@dataclass(frozen=True, eq=False)
class Elsewhere(Document):
    """A document whose values are partly those of an environment; `moved` says where such a value is written."""

    moved: Mapping[Pointer, Pointer]

    def where(self, pointer: Pointer) -> str:
        """A path with dots in it, of what is changed the path of the change."""
        prefix = self._prefix(self._as_written(pointer))
        if prefix is None:
            return super().where(pointer)
        rest = super().where(pointer).removeprefix(super().where(pointer[: len(prefix)]))
        return ".".join(map(str, self.moved[prefix])) + rest

    def is_changed(self, pointer: Pointer) -> bool:
        """Whether the environment says what stands at a path, or something around it."""
        return self._prefix(self._as_written(pointer)) is not None

    def without(self, pointers: Iterable[Pointer]) -> Elsewhere:
        """A copy that lacks what stands at these paths."""
        return Elsewhere(**_parts(super().without(pointers)), moved=self.moved)

    def _prefix(self, written: Pointer) -> Pointer | None:
        """The path of the change that a path, as written, leads into, if it does."""
        return next((written[:n] for n in range(len(written), 0, -1) if written[:n] in self.moved), None)

    def _find(self, pointer: Pointer) -> tuple[int, int]:
        if _below(self.value, pointer) is _GONE:
            raise KeyError(pointer)
        written = self._as_written(pointer)
        prefix = self._prefix(written)
        if prefix is not None:
            written = (*self.moved[prefix], *written[len(prefix) :])
        return self._marks.find(written, self._whole)


def _parts(document: Document) -> dict[str, Any]:
    return {part.name: getattr(document, part.name) for part in fields(Document)}


def _below(value: Any, pointer: Pointer) -> Any:
    """What stands at a path, if anything."""
    for step in pointer:
        if isinstance(value, dict):
            value = value.get(step, _GONE)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            return _GONE
    return value


def names(document: Document) -> tuple[str, ...]:
    """The environments of a spec."""
    found = document.value.get(_SECTION)
    return tuple(found) if isinstance(found, dict) else ()


def there(document: Document, name: str) -> Elsewhere:
    """A document as it is in one of its environments.

    Mappings are merged, and so are lists whose items have a name: what has the same one is replaced in its place, what
    is new comes last. Everything else is replaced as a whole.

    The environment itself must have the right shape, which names all that it may change.
    """
    base = {key: value for key, value in document.value.items() if key != _SECTION}
    moved: dict[Pointer, Pointer] = {}
    value = _merged(base, document.value[_SECTION][name], (), (_SECTION, name), moved)
    return Elsewhere(**{**_parts(document), "value": value}, moved=moved)


_CLOSED: frozenset[Pointer] = frozenset({(), ("sources",)})
"""The mappings to which an environment adds no other: sections and sources are the spec's."""


def _merged(
    base: dict[str, Any], override: dict[str, Any], at: Pointer, place: Pointer, moved: dict[Pointer, Pointer]
) -> dict[str, Any]:
    """The base with what the override says, and a note in `moved` of where that is written."""
    merged = dict(base)
    for key, value in override.items():
        mapping = isinstance(value, dict)
        if mapping and isinstance(base.get(key), dict):
            merged[key] = _merged(base[key], value, (*at, key), (*place, key), moved)
        elif key in _NAMED and _have_names(base.get(key), _NAMED[key]) and _have_names(value, _NAMED[key]):
            merged[key] = _joined(base[key], value, _NAMED[key], (*at, key), (*place, key), moved)
        elif not mapping or at not in _CLOSED:
            merged[key] = value
            moved[*at, key] = (*place, key)
    return merged


_NAMED = {"secrets": "env"}
"""The lists that an environment may say and whose items have a name, with the key that holds it."""


def _have_names(items: Any, key: str) -> bool:
    """Whether this is a list whose items all have a name of their own."""
    names = [item.get(key) if isinstance(item, dict) else None for item in items] if isinstance(items, list) else [None]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _joined(  # noqa: PLR0913, PLR0917  # what `_merged` has, and the key
    base: list[Any], override: list[Any], key: str, at: Pointer, place: Pointer, moved: dict[Pointer, Pointer]
) -> list[Any]:
    """The base's items and the override's, by name; noted in `moved` as those of a mapping are."""
    joined = list(base)
    known = {item[key]: number for number, item in enumerate(base)}
    for number, item in enumerate(override):
        found = known.get(item[key], len(joined))
        joined[found : found + 1] = [item]
        moved[*at, found] = (*place, number)
    return joined


def overrides_refer_to_something(facts: Facts) -> Iterator[Diagnostic]:
    """An environment names sources that there are."""
    for name, environment in facts.spec.environments.items():
        for source in environment.sources:
            at = (_SECTION, name, "sources", source)
            if found := facts.unknown("sources", source, at):
                yield facts.key_problem(found.code, at, found.message, found.hint)


def overrides_change_something(facts: Facts) -> Iterator[Diagnostic]:
    """An environment says nothing that the spec says anyway."""
    for name in names(facts.document):
        for at, place in there(facts.document, name).moved.items():
            if _below(facts.document.value, at) == _below(facts.document.value, place):
                message = f"`{facts.document.where(at)}` is the same without environment `{name}`"
                yield facts.key_problem("CLS317", place, message, "remove it", facts.related(at, "said here anyway"))


RULES = (overrides_refer_to_something, overrides_change_something)
