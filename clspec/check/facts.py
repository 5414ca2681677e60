"""What every rule may look at, and how it says what it found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from clspec import codes
from clspec.diagnostic import Pointer, Related, did_you_mean
from clspec.parse import Absent
from clspec.shape import surely
from clspec.shape.words import renamed
from clspec.spec import Dataset, Spec, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clspec.diagnostic import Diagnostic, Fix, Span
    from clspec.load import Document
    from clspec.lock import Lock


_APART: dict[Pointer, Pointer] = {
    ("golden", "dataset"): ("training", "dataset"),
    ("training", "dataset"): ("golden", "dataset"),
    ("feedback", "append_to"): ("golden", "dataset"),
}
"""Places where a name is not taken for that of another place: what judges is never what is learned from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """A spec and its surroundings. Pointers into the spec point into `document`, which has the right shape.

    `written` is the document as the user wrote it: a dataset with a broken body is still a declared name.
    """

    spec: Spec
    document: Document
    written: Document
    folder: Path
    """The folder of the spec, from which its paths count."""
    lock: Lock | None
    lock_path: str

    @property
    def root(self) -> Path:
        """The code root."""
        return self.folder / self.spec.code.root

    @property
    def has_root(self) -> bool:
        """Whether there is a code root."""
        try:
            return self.root.is_dir()
        except OSError:  # a name that no folder can have
            return False

    def intact(self, *keys: str) -> bool:
        """Whether what is at a path of keys, or is not there, is just as the user wrote it: nothing was cut out.

        A key that is absent beside something that was cut out may be what that was meant to be.
        """
        ours, theirs = (_below(document.value, keys) for document in (self.document, self.written))
        return ours is theirs and (ours is not _NOTHING or not keys or self.intact(*keys[:-1]))

    def problem(  # noqa: PLR0913, PLR0917  # a diagnostic is this many plain facts
        self,
        code: str,
        at: Pointer,
        message: str,
        hint: str = "",
        span: Span | None = None,
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A problem with the value at a pointer, or with a part of it."""
        return codes.problem(
            code,
            message,
            path=self.document.path,
            span=span or self.document.span(at),
            hint=hint,
            where=self.document.where(at),
            related=related,
            fix=fix,
        )

    def meant(self, at: Pointer, word: str, known: Iterable[str], given: Iterable[str] = ()) -> Fix | None:
        """What puts the name in the place of a wrong one that is surely meant; none that is `given` beside it."""
        return None if self.recurs(word) else renamed(self.document, at, word, surely.name(word, known, given))

    def recurs(self, word: str) -> bool:
        """Whether a word stands in the text more than once: then it is no slip, but maybe what it refers to has one."""
        found = re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-])", self.document.text)
        return next(found, None) is not None and next(found, None) is not None

    def key_problem(
        self, code: str, at: Pointer, message: str, hint: str = "", related: tuple[Related, ...] = ()
    ) -> Diagnostic:
        """A problem with a key, or with all that stands under it."""
        return self.problem(code, at, message, hint, self.document.key_span(at), related)

    def related(self, at: Pointer, message: str) -> tuple[Related, ...]:
        """Another place that a problem is about; none where there is nothing."""
        try:
            return (Related(self.document.key_span(at), message),)
        except KeyError:
            return ()

    def declared(self, section: str) -> frozenset[str]:
        """The names that the user gave in a section, whatever became of their bodies."""
        found = self.written.value.get(section)
        return frozenset(found) if isinstance(found, dict) else frozenset()

    def unreadable(self, section: str) -> bool:
        """Whether a section is no mapping, misspelt or missing where it must not be, which is said already."""
        found = self.written.value.get(section, {} if self.intact(section) and section not in _REQUIRED else None)
        return not isinstance(found, dict)

    def unknown(self, section: str, name: str, at: Pointer) -> Diagnostic | None:
        """The problem that a name refers to nothing in a section, if so."""
        known = self.declared(section)
        if name in known or self.unreadable(section):
            return None
        what = section.removesuffix("s")
        hint = did_you_mean(name, known) if known else f"`{section}` defines none"
        apart = _below(self.document.value, _APART.get(at, ("",)))
        fix = self.meant(at, name, known, (*self._beside(at), apart))
        return self.problem("CLS301", at, f"there is no {what} `{name}`", hint, fix=fix)

    def column_unknown(self, section: str, name: str, column: str, at: Pointer) -> Diagnostic | None:
        """The problem that a dataset or a source has no such column, if so; not where its columns are unreadable."""
        known = self.declared_columns(section, name)
        if known is None or column in known:
            return None
        message = f"{section.removesuffix('s')} `{name}` has no column `{column}`"
        fix = self.meant(at, column, known, self._beside(at))
        return self.problem("CLS302", at, message, did_you_mean(column, known), fix=fix)

    def _beside(self, at: Pointer) -> tuple[Any, ...]:
        """The other items of the list that a value stands in."""
        around = _below(self.document.value, at[:-1])
        return tuple(item for item in around if isinstance(item, str)) if isinstance(around, list) else ()

    def declared_columns(self, section: str, name: str) -> frozenset[str] | None:
        """The columns that a dataset or a source was given, even those of a wrong type; None where that is unknown."""
        seen: set[Any] = set()
        below = _below(self.written.value, (section, name))
        while isinstance(below, dict) and isinstance(below.get("like"), str):
            if below["like"] in seen:
                return None
            seen.add(below["like"])
            below = _below(self.written.value, (section, below["like"]))
        columns = _below(below, ("columns",))
        return frozenset(columns) if isinstance(columns, dict) else None

    def dataset(self, name: str) -> Dataset:
        """A dataset with what it takes over.

        Raises:
            Absent: it is not there or not readable, which is reported elsewhere.
        """
        found = resolved(self.spec, name)
        if found is None or found.columns is None:
            raise Absent(name)
        return found

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a dataset, by name; raises `Absent` as `dataset` does."""
        return self.dataset(name).columns or {}


_REQUIRED = frozenset(entry.name for entry in msgspec.structs.fields(Spec) if entry.required)
_NOTHING: Any = object()


def _below(value: Any, keys: Iterable[str | int]) -> Any:
    for key in keys:
        value = value.get(key, _NOTHING) if isinstance(value, dict) else _NOTHING
    return value
