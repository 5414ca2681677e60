"""From the events of a YAML parser, in one pass, to plain values and the places they stand at."""

from __future__ import annotations

import re
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from clspec.reading.anchors import Anchors
from clspec.reading.findings import Finding, Stop
from clspec.reading.hidden import visible
from clspec.reading.progress import MAX_DEPTH, Key, Progress, Sink
from clspec.reading.scalars import NOT_FINITE, OddNumber, Plain, ReadOtherwise, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EVENTS = 4_000_000
"""Of 32 MiB, an ordinary spec makes three million; `[],[],[]` would make twenty-two."""

_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
}
_BEGIN = "begin with `apiVersion:` and `kind:`"


class Parser(Protocol):
    """What is asked of a parser."""

    def get_event(self) -> Any:
        """The next event, None after the last."""


class Builder:
    """Builds one document. `parse` is the fast path; the rest deals with what seldom occurs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._anchors = Anchors(progress)
        self._plain = Plain()
        self._names: dict[str, str] = {}
        """Keys met before that are strings with and without quotes; the same text becomes the same object."""
        self._odd: set[int] = set()
        """Mappings with something to settle at their end."""

    def parse(self, parser: Parser) -> bool:  # noqa: C901, PLR0912, PLR0915  # a call per event would double the time
        """Whether the parser's next document, read to its end, has a mapping at the top.

        Raises:
            Stop: nothing can be given.
            yaml.YAMLError: the parser gave up.
        """
        progress, odd, anchors = self._progress, self._odd, self._anchors
        text, marks, stack = progress.text, progress.marks, progress.stack
        starts, add_start, add_end, add_after = marks.starts, marks.starts.append, marks.ends.append, marks.after.append
        next_event, plain, name_of = parser.get_event, self._plain, self._names.get
        # In a list `append` is set; in a mapping it is None, and `key` is set between a key and its value.
        container: Any = progress.top
        append: Callable[[Any], None] | None = container.append
        number, flow, end = 0, False, 0
        key: Key = None
        value: Any
        for _ in repeat(None, MAX_EVENTS):
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                add_start(event.start_mark.index)
                end = event.end_mark.index
                add_end(end)
                add_after(0)
                value = event.value
                special = event.anchor is not None or event.tag is not None
                if key is None and append is None:
                    key = name_of(value)
                    if key is None or special or key in container:
                        key = self._key(event, number, container, special=special)
                    continue
                if not event.style:
                    try:
                        value = plain[value]
                    except OddNumber as problem:
                        value = self._odd_number(problem, container, key)
                    except ReadOtherwise as told:
                        value = self._read_otherwise(told, container, key)
                elif event.style == '"' and ("\0" in value or not value.isascii()):
                    value = self._checked(value, container, key)
                if special:
                    anchors.note(event, len(starts) - 1, value, progress.pointer(container, key))
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                child = len(starts)
                add_start(event.start_mark.index)
                add_end(0)
                add_after(0)
                value = {} if kind is MappingStartEvent else []
                if len(stack) >= MAX_DEPTH:
                    progress.too_deep(container, key)
                if event.anchor is not None or event.tag is not None:
                    anchors.note(event, child, value, progress.pointer(container, key))
                sink = None
                if append is not None:
                    append(value)
                elif key is not None:
                    container[key] = value
                else:
                    sink = self._no_key(f"{_KINDS[type(value)]} stands as a key", number, container)
                stack.append((number, container, append, sink, flow))
                number, container, key, flow = child, value, None, event.flow_style
                append = None if kind is MappingStartEvent else value.append
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                if number in odd:
                    self._settle(number, container)
                last = event.end_mark.index
                if flow and text[last - 1] in "]}":  # else the last value is the end, and no comment after it
                    end = last
                marks.ends[number] = end
                marks.after[number] = len(starts)
                number, container, append, key, flow = stack.pop()
                continue
            elif kind is AliasEvent:
                add_start(event.start_mark.index)
                end = event.end_mark.index
                add_end(end)
                add_after(0)
                value = anchors.alias(event.anchor, container, key)
                if key is None and append is None:
                    key = self._alias_key(value, number, container)
                    continue
            else:
                return self._is_mapping(progress.top[0])
            if key is not None:
                container[key] = value
                key = None
            elif append is not None:
                append(value)
        message = f"more than {MAX_EVENTS:,} keys, values and brackets up to here"
        progress.add("CLS103", (), message, "keep data in data files and name them in the spec")
        raise Stop

    def _is_mapping(self, root: Any) -> bool:
        if isinstance(root, dict):
            return True
        start, end = self._progress.last
        if root is None and start == end:
            self._progress.add("CLS111", (), "the file is empty", _BEGIN)
        else:
            message = f"the top of a spec is a mapping; this is {_KINDS[type(root)]}"
            self._progress.add("CLS112", (), message, _BEGIN, None, 0)
        return False

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _key(self, event: Any, mapping: int, container: dict[Any, Any], *, special: bool) -> str | Sink:
        """A key that the fast path does not know yet, or that there is something to say about."""
        progress, key = self._progress, event.value
        merges = key == "<<" and not event.style
        if event.style:
            key = self._checked(key, container, None)
        elif not merges:
            self._check_name(key, container)
        if special:
            self._anchors.note(event, progress.latest, key, progress.pointer(container, key))
        if merges:
            return self._dropped(mapping, merge=self._anchors.merge_key(mapping, container))
        return self._once(key, mapping, container)

    def _check_name(self, key: str, container: dict[Any, Any]) -> None:
        """A key that is not a string is told and then taken by its text, so that nothing else is said of it."""
        try:
            value = self._plain[key]
        except OddNumber as problem:
            value = problem.stand_in
        except ReadOtherwise as told:
            value = told.value
            if isinstance(value, str):
                self._read_otherwise(told, container, key)
                return
        if not isinstance(value, str):
            said = f"`{visible(key)}` is {_KINDS[type(value)]}" if key else "nothing stands before the `:`"
            hint = f"quote it: `'{visible(key)}'`" if key else "quote a value that begins with `:`"
            self._progress.add("CLS106", self._progress.pointer(container, key), f"{said}; a key is a string", hint)
        elif len(key) <= 64 and len(self._names) < 20_000:  # noqa: PLR2004  # bounds the memory, nothing else
            self._names[key] = key

    def _once(self, key: str, mapping: int, container: dict[Any, Any]) -> str | Sink:
        """The key, if the mapping has it for the first time."""
        if key not in container:
            return key
        pointer, message = self._progress.pointer(container, key), f"`{visible(key)}` is given twice"
        self._progress.add("CLS105", pointer, message, "remove one of the two", (mapping, container, key))
        return self._dropped(mapping)

    def _alias_key(self, value: Any, mapping: int, container: dict[Any, Any]) -> str | Sink:
        if isinstance(value, str):
            return self._once(value, mapping, container)
        if self._progress.latest not in self._progress.marks.aliases:  # its problem has been told
            return self._dropped(mapping)
        return self._no_key(f"the alias stands for {_KINDS[type(value)]}", mapping, container)

    def _no_key(self, said: str, mapping: int, container: dict[Any, Any]) -> Sink:
        """Drops a key, and its value with it, that no text could stand for."""
        hint = "write the key out, quoted if it begins with `[`, `{` or `*`"
        pointer = self._progress.pointer(container, None)
        self._progress.add("CLS106", pointer, f"{said}; a key is a string", hint)
        return self._dropped(mapping)

    def _dropped(self, mapping: int, *, merge: bool = False) -> Sink:
        number = self._progress.latest
        self._odd.add(mapping)
        self._progress.marks.skipped.setdefault(mapping, set()).add(number)
        return Sink(number, merge=merge)

    def _settle(self, mapping: int, container: dict[Any, Any]) -> None:
        """Ends a mapping that holds more than its keys: merges what is to be merged, drops the rest."""
        for sink in [key for key in container if type(key) is Sink]:
            value = container.pop(sink)
            if sink.merge:
                self._anchors.merge(mapping, container, sink.number + 1, value)

    # -- values --------------------------------------------------------------------------------------------------------

    def _odd_number(self, problem: OddNumber, container: Any, key: Key) -> float:
        start, end = self._progress.last
        said = "is not a finite number" if problem.code == NOT_FINITE else "has more than 64 bits"
        message = f"`{visible(self._progress.text[start:end])}` {said}"
        self._progress.add(problem.code, self._progress.pointer(container, key), message, "quote it if it is a name")
        return problem.stand_in

    def _read_otherwise(self, told: ReadOtherwise, container: Any, key: Key) -> Scalar:
        """A value that other tools take for something else: it is what YAML 1.2 says, and quotes tell everybody."""
        progress = self._progress
        start, end = progress.marks.bounds(progress.latest)
        text = progress.text[start:end]
        ours = "a text" if isinstance(told.value, str) else f"{told.value}"
        plain = text if isinstance(told.value, str) else str(told.value)
        fix = f"'{plain}'" if isinstance(told.value, str) else plain
        message = f"`{visible(text)}` is {ours} here, and {told.other} to tools that read YAML 1.1"
        pointer = progress.pointer(container, key)
        progress.findings.add(Finding("CLS211", pointer, start, end, message, f"write `{fix}`", fix=fix))
        return told.value

    def _checked(self, value: str, container: Any, key: Key) -> str:
        """A quoted string without what only an escape can smuggle in."""
        if not _FORBIDDEN.search(value):
            return value
        message = "an escape here makes a null character or half a surrogate pair"
        self._progress.add("CLS104", self._progress.pointer(container, key), message, "remove the escape")
        return _FORBIDDEN.sub("\ufffd", value)
