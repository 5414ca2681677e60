"""Anchors (`&name`), aliases (`*name`), merges (`<<`) and tags: values that are said elsewhere or otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.reading.findings import Finding, Stop
from clspec.reading.hidden import visible
from clspec.reading.progress import MAX_DEPTH

if TYPE_CHECKING:
    from clspec.diagnostic import Pointer
    from clspec.reading.progress import Key, Progress

BUDGET = 100_000
"""Keys and values that all aliases together may stand for; 64 characters of text count as one more."""
_CHARACTERS = 64

_TAG = re.compile(r"(?:&[\w-]++(?:\s|#[^\n]*+)*+)?+(?P<tag>!(?:<[^>\s]*+>?|[^\s,\[\]{}]*+))")


class Anchors:
    """What was marked with `&name` so far, and what the aliases up to here stand for, written out."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._marked: dict[str, tuple[int, Any]] = {}
        self._spent = 0
        self._merging: set[int] = set()

    def note(self, event: Any, number: int, value: Any, pointer: Pointer) -> None:
        """Keeps an anchor and refuses a tag."""
        progress = self._progress
        start = progress.marks.starts[number]
        if event.anchor is not None:
            self._marked[event.anchor] = (number, value)
        if event.tag is not None:
            found = _TAG.match(progress.text, start)
            start, end = found.span("tag") if found else (start, start + 1)
            message = f"the tag `{visible(progress.text[start:end])}`; a spec has no tags"
            hint = "remove it, or quote the value if it begins with `!`"
            progress.findings.add(Finding("CLS107", pointer, start, end, message, hint))

    def alias(self, name: str, container: Any, key: Key) -> Any:
        """What the latest node, an alias, stands for; None when that is a problem.

        Raises:
            Stop: it stands for too much, or nests too deeply.
        """
        progress = self._progress
        pointer, shown = progress.pointer(container, key), visible(name)
        if name not in self._marked:
            hint = f"write `&{shown}` where the value is given first, or quote a value that begins with `*`"
            progress.add("CLS115", pointer, f"nothing before this is marked `&{shown}`", hint)
            return None
        target, value = self._marked[name]
        if any(value is opened for opened in progress.open(container)):
            progress.add("CLS110", pointer, f"`*{shown}` stands inside what it repeats, so it never ends")
            return None
        weight, height = _extent(value)
        self._spent += weight
        if self._spent > BUDGET:
            message = f"the aliases up to here stand for more than {BUDGET:,} keys and values"
            progress.add("CLS110", pointer, message, "write out what is meant, or split the file")
            raise Stop
        if len(progress.stack) + height > MAX_DEPTH:
            progress.too_deep(container, key)
        progress.marks.aliases[progress.latest] = target
        return value

    def merge_key(self, mapping: int, container: dict[Any, Any]) -> bool:
        """Whether the latest node, a `<<`, is the mapping's first; warns of it, or refuses it."""
        pointer = self._progress.pointer(container, None)
        if mapping in self._merging:
            self._progress.add("CLS105", pointer, "`<<` is given twice", "give one list: `<<: [*first, *second]`")
            return False
        self._merging.add(mapping)
        self._progress.add("CLS114", pointer, "`<<` copies keys from elsewhere", "write the keys out")
        return True

    def merge(self, mapping: int, container: dict[Any, Any], number: int, value: Any) -> None:
        """Ends a `<<`: the mapping's own keys win, and of several sources the first, https://yaml.org/type/merge.html."""
        progress = self._progress
        sources = self._sources(number, value)
        if not all(isinstance(source, dict) for _, source in sources):
            message = "`<<` takes a mapping, or a list of mappings"
            progress.add("CLS117", progress.pointer(container, None), message, "such as `<<: *name`", None, number)
            return
        merged = progress.marks.merged.setdefault(mapping, {})
        for source_number, source in sources:
            keys = progress.marks.keys(source_number, source)
            for key in source:
                if key not in container:
                    container[key] = source[key]
                    merged[key] = keys[key]

    def _sources(self, number: int, value: Any) -> list[tuple[int, Any]]:
        """The numbers and values of what `<<` names, without aliases that were refused."""
        text, marks = self._progress.text, self._progress.marks
        number_of = marks.aliases.get
        pairs = [(number, value)]
        if isinstance(value, list):
            pairs = list(zip(marks.items(number_of(number, number)), value, strict=True))
        return [
            (number_of(at, at), item)
            for at, item in pairs
            if at in marks.aliases or not text.startswith("*", marks.starts[at])
        ]


def _extent(value: Any) -> tuple[int, int]:
    """How many keys and values this is when written out (counted up to too many), and how deep."""
    weight = height = 0
    todo = [(value, 0)]
    while todo and weight <= BUDGET:
        item, depth = todo.pop()
        weight += 1
        if isinstance(item, str):
            weight += len(item) // _CHARACTERS
        elif isinstance(item, dict | list):
            height = max(height, depth + 1)
            if isinstance(item, dict):
                weight += sum(1 + len(key) // _CHARACTERS for key in item)
                item = item.values()  # the keys are counted
            todo.extend((child, depth + 1) for child in item)
    return weight, height
