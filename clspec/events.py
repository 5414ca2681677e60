"""From the events of a YAML parser, in one pass, to plain values and the places they stand at."""

from __future__ import annotations

import re
from array import array
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any, Protocol

from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from clspec.document import Marks
from clspec.findings import Finding, Findings, Stop
from clspec.hidden import visible
from clspec.scalars import OddNumber, Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.diagnostic import Pointer

MAX_DEPTH = 64
MAX_EVENTS = 4_000_000
"""Of 32 MiB, an ordinary spec makes three million; `[],[],[]` would make twenty-two."""
BUDGET = 100_000
"""Keys and values that all aliases together may stand for; 64 characters of text count as one more."""

_LONE_TAG = re.compile(r"(?<![^\s,\[\]{}])!(?![^\s,\[\]{}])")
_TAG = re.compile(r"(?:&[\w-]+(?:\s+(?:#[^\n]*)?)*)?(?P<tag>!(?:<[^>\s]*>?|[^\s,\[\]{}]*))")
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


class Parser(Protocol):
    """What is asked of a parser: the next event, None after the last."""

    def get_event(self) -> Any: ...


class _Sink:
    """Stands as the key of what is not to stay in a mapping; with `merge`, of what `<<` is to bring into it."""

    __slots__ = ("merge", "number")

    def __init__(self, number: int, *, merge: bool = False) -> None:
        self.number = number
        self.merge = merge


_Key = str | _Sink | None
_Frame = tuple[int, Any, "Callable[[Any], None] | None", _Key, bool]
"""What to go back to when a list or mapping ends: its parent's number, value and state; and whether it has brackets."""


class Builder:
    """Builds one document. `parse` is the fast path; the rest deals with what seldom occurs."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.complete = False
        """Whether `root` is all of a document."""
        self.marks = Marks(text, array("I"), array("I"), array("I"))
        self._stack: list[_Frame] = []
        self._findings = findings
        self._top: list[Any] = []
        self._plain = Plain()
        self._names: dict[str, str] = {}
        self._anchors: dict[str, tuple[int, Any]] = {}
        self._odd: set[int] = set()
        """Mappings with something to settle at their end."""
        self._merging: set[int] = set()
        """Mappings with a `<<`."""
        self._spent = 0

    @property
    def root(self) -> dict[str, Any]:
        """The mapping at the top, as far as it was read."""
        top = self._top[0] if self._top else None
        return top if isinstance(top, dict) else {}

    @property
    def last(self) -> tuple[int, int]:
        """The offsets of the last key, value or opening bracket that was read."""
        marks = self.marks
        return (marks.starts[-1], max(marks.starts[-1], marks.ends[-1])) if marks.starts else (0, 0)

    @property
    def bracket(self) -> int | None:
        """The offset of the innermost bracket that is still open."""
        marks = self.marks
        unclosed = (marks.starts[at] for at in reversed(range(len(marks.ends))) if not marks.ends[at])
        return next((start for start in unclosed if self.text[start : start + 1] in ("[", "{")), None)

    def parse(self, parser: Parser) -> None:  # noqa: C901, PLR0912, PLR0915  # a function call per event would cost as much as the rest
        """Builds `root` from the parser's next document, its end event included.

        Raises:
            Stop: nothing can be given.
            yaml.YAMLError: the parser gave up.
        """
        text, marks, stack, odd = self.text, self.marks, self._stack, self._odd
        starts, add_start, add_end, add_after = marks.starts, marks.starts.append, marks.ends.append, marks.after.append
        next_event, plain, name_of = parser.get_event, self._plain, self._names.get
        lone_tag = _LONE_TAG.search(text) is not None
        # In a list `append` is set; in a mapping it is None, and `key` is set between a key and its value.
        container: Any = self._top
        append: Callable[[Any], None] | None = container.append
        number, flow, end = 0, False, 0
        key: _Key = None
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
                special = lone_tag or event.anchor is not None or event.tag is not None
                if key is None and append is None:
                    key = name_of(value)
                    if key is None or special or event.style or key in container:
                        key = self._key(event, number, container)
                    continue
                if not event.style:
                    try:
                        value = plain[value]
                    except OddNumber as problem:
                        value = self._odd_number(problem, container, key)
                elif event.style == '"' and ("\0" in value or not value.isascii()):
                    value = self._checked(value, container, key)
                if special:
                    self._properties(event, len(starts) - 1, value, self._pointer(container, key))
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                child = len(starts)
                add_start(event.start_mark.index)
                add_end(0)
                add_after(0)
                value = {} if kind is MappingStartEvent else []
                if len(stack) >= MAX_DEPTH:
                    self._too_deep(container, key)
                if event.anchor is not None or event.tag is not None:
                    self._properties(event, child, value, self._pointer(container, key))
                sink = None
                if append is not None:
                    append(value)
                elif key is not None:
                    container[key] = value
                else:
                    sink = self._key_that_is_no_text(value, number, container)
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
                value = self._alias(event.anchor, container, key)
                if key is None and append is None:
                    key = self._alias_key(value, number, container)
                    continue
            else:
                self._finish(self._top[0])
                return
            if key is not None:
                container[key] = value
                key = None
            elif append is not None:
                append(value)
        self._too_many()

    def _finish(self, value: Any) -> None:
        if isinstance(value, dict):
            self.complete = True
        elif value is None and self.marks.starts[0] == self.marks.ends[0]:
            self._add("CLS111", (), "the file is empty", "begin with `apiVersion:` and `kind:`")
        else:
            message = f"the top of a spec is a mapping; this is {_KINDS[type(value)]}"
            self._add("CLS112", (), message, "begin with `apiVersion:` and `kind:`", None, 0)

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _key(self, event: Any, mapping: int, container: dict[Any, Any]) -> str | _Sink:
        """A key that the fast path does not know yet, or that there is something to say about."""
        number, key = len(self.marks.starts) - 1, event.value
        if event.style:
            key = self._checked(key, container, None)
        elif key == "<<":
            return self._merge_key(number, mapping, container)
        else:
            self._check_name(key, container)
        self._properties(event, number, key, self._pointer(container, key))
        return self._once(key, number, mapping, container)

    def _check_name(self, key: str, container: dict[Any, Any]) -> None:
        """A key that is not a string is told and then taken by its text, so that nothing else is said of it."""
        try:
            value = self._plain[key]
        except OddNumber as problem:
            value = problem.stand_in
        if not isinstance(value, str):
            shown = f"`{visible(key)}` is {_KINDS[type(value)]}" if key else "nothing stands before the `:`"
            hint = f"quote it: `'{visible(key)}'`" if key else "quote a value that begins with `:`"
            self._add("CLS106", self._pointer(container, key), f"{shown}; a key is a string", hint)
        elif len(key) <= 64 and len(self._names) < 20_000:  # noqa: PLR2004  # bounds the memory, nothing else
            self._names[key] = key

    def _once(self, key: str, number: int, mapping: int, container: dict[Any, Any]) -> str | _Sink:
        """The key, if the mapping has it for the first time."""
        if key not in container:
            return key
        first = (mapping, container, key)
        shown = f"`{visible(key)}`"
        self._add("CLS105", self._pointer(container, key), f"{shown} is given twice", "remove one of the two", first)
        return self._dropped(number, mapping)

    def _dropped(self, number: int, mapping: int, *, merge: bool = False) -> _Sink:
        self._odd.add(mapping)
        self.marks.skipped.setdefault(mapping, set()).add(number)
        return _Sink(number, merge=merge)

    def _key_that_is_no_text(self, value: Any, mapping: int, container: dict[Any, Any]) -> _Sink:
        message = f"{_KINDS[type(value)]} stands as a key; a key is a string"
        hint = "quote text that begins with `[` or `{`, or a template such as `'{{name}}'`"
        self._add("CLS106", self._pointer(container, None), message, hint)
        return self._dropped(len(self.marks.starts) - 1, mapping)

    def _alias_key(self, value: Any, mapping: int, container: dict[Any, Any]) -> str | _Sink:
        number = len(self.marks.starts) - 1
        if isinstance(value, str):
            return self._once(value, number, mapping, container)
        if number in self.marks.aliases:  # else its problem has been told
            message = f"the alias stands for {_KINDS[type(value)]}; a key is a string"
            self._add("CLS106", self._pointer(container, None), message, "write the key out")
        return self._dropped(number, mapping)

    # -- anchors, aliases and merges -----------------------------------------------------------------------------------

    def _properties(self, event: Any, number: int, value: Any, pointer: Pointer) -> None:
        """Notes an anchor and refuses a tag; a `!` alone is one that the parsers do not tell us of."""
        start = self.marks.starts[number]
        if event.anchor is not None:
            self._anchors[event.anchor] = (number, value)
        found = _TAG.match(self.text, start)
        if found and event.end_mark.index > start:
            message = f"the tag `{visible(found['tag'])}`; a spec has no tags"
            hint = "remove it, or quote the value if it begins with `!`"
            self._findings.add(Finding("CLS107", pointer, *found.span("tag"), message, hint))

    def _alias(self, name: str, container: Any, key: _Key) -> Any:
        """What an alias stands for, None when that is a problem."""
        number = len(self.marks.starts) - 1
        pointer = self._pointer(container, key)
        if name not in self._anchors:
            hint = f"write `&{visible(name)}` where the value is given first, or quote a value that begins with `*`"
            self._add("CLS115", pointer, f"nothing before this is marked `&{visible(name)}`", hint)
            return None
        target, value = self._anchors[name]
        if any(value is opened for opened in (container, *(frame[1] for frame in self._stack))):
            self._add("CLS110", pointer, f"`*{visible(name)}` stands inside what it repeats, so it never ends")
            return None
        weight, height = _extent(value)
        self._spent += weight
        if self._spent > BUDGET:
            hint = "write out what is meant, or split the file"
            self._add("CLS110", pointer, f"aliases up to here stand for more than {BUDGET:,} keys and values", hint)
            raise Stop
        if len(self._stack) + height > MAX_DEPTH:
            self._too_deep(container, key)
        self.marks.aliases[number] = target
        return value

    def _merge_key(self, number: int, mapping: int, container: dict[Any, Any]) -> _Sink:
        pointer = self._pointer(container, None)
        twice = mapping in self._merging
        self._merging.add(mapping)
        if twice:
            self._add("CLS105", pointer, "`<<` is given twice", "give one list: `<<: [*first, *second]`")
        else:
            self._add("CLS114", pointer, "`<<` copies keys from elsewhere", "write the keys out")
        return self._dropped(number, mapping, merge=not twice)

    def _settle(self, mapping: int, container: dict[Any, Any]) -> None:
        """Ends a mapping that holds more than its keys: merges what is to be merged, drops the rest."""
        sinks = [key for key in container if type(key) is _Sink]
        for sink in sinks:
            value = container.pop(sink)
            if sink.merge:
                self._merge(mapping, container, sink.number + 1, value)

    def _merge(self, mapping: int, container: dict[Any, Any], number: int, value: Any) -> None:
        """Explicit keys win; of several mappings the first wins, https://yaml.org/type/merge.html."""
        sources = self._sources(number, value)
        if any(not isinstance(source, dict) for _, source in sources):
            message = "`<<` takes a mapping, or a list of mappings"
            self._add("CLS117", self._pointer(container, None), message, "such as `<<: *name`", None, number)
            return
        merged = self.marks.merged.setdefault(mapping, {})
        for source_number, source in sources:
            keys = self.marks.keys(source_number, source)
            for key in source:
                if key not in container:
                    container[key] = source[key]
                    merged[key] = keys[key]

    def _sources(self, number: int, value: Any) -> list[tuple[int, Any]]:
        """What `<<` merges, in the order of precedence; without aliases that were refused."""
        aliases = self.marks.aliases
        number = aliases.get(number, number)
        pairs = (
            list(zip(self.marks.items(number), value, strict=True)) if isinstance(value, list) else [(number, value)]
        )
        return [(aliases.get(at, at), item) for at, item in pairs if at in aliases or not self._is_alias(at)]

    def _is_alias(self, number: int) -> bool:
        return self.text.startswith("*", self.marks.starts[number])

    # -- problems ------------------------------------------------------------------------------------------------------

    def _odd_number(self, problem: OddNumber, container: Any, key: _Key) -> float:
        start, end = self.marks.starts[-1], self.marks.ends[-1]
        shown = visible(self.text[start:end])
        message = (
            f"`{shown}` is not a finite number" if problem.code == "CLS108" else f"`{shown}` has more than 64 bits"
        )
        self._add(problem.code, self._pointer(container, key), message, "quote it if it is a name")
        return problem.stand_in

    def _checked(self, value: str, container: Any, key: _Key) -> str:
        """A double-quoted string without what only an escape can smuggle in."""
        if _FORBIDDEN.search(value):
            message = "the text holds a null character or half a surrogate pair, written as an escape"
            self._add("CLS104", self._pointer(container, key), message, "no text can hold it; remove the escape")
            return _FORBIDDEN.sub("\ufffd", value)
        return value

    def _too_deep(self, container: Any, key: _Key) -> None:
        self._add("CLS109", self._pointer(container, key), f"more than {MAX_DEPTH} lists and mappings in one another")
        raise Stop

    def _too_many(self) -> None:
        message = f"more than {MAX_EVENTS:,} keys, values and brackets up to here"
        self._add("CLS103", (), message, "keep data in data files and name them in the spec")
        raise Stop

    def _add(  # noqa: PLR0913, PLR0917  # a finding is this many plain facts
        self,
        code: str,
        pointer: Pointer,
        message: str,
        hint: str = "",
        first: tuple[int, dict[str, Any], str] | None = None,
        number: int = -1,
    ) -> None:
        """A problem of a node, by default the latest."""
        start, end = self.marks.starts[number], self.marks.ends[number] or self.marks.starts[number] + 1
        self._findings.add(Finding(code, pointer, start, end, message, hint, first))

    def _pointer(self, container: Any, key: _Key) -> Pointer:
        """The path of the value that is about to be put into `container`; of the container where it has none."""
        steps: list[str | int] = []
        for parent, child in pairwise([*(frame[1] for frame in self._stack), container]):
            step = len(parent) - 1 if isinstance(parent, list) else next(reversed(parent), None)
            if not isinstance(step, str | int) or parent[step] is not child:
                return tuple(steps[1:])  # inside something that is not part of the document
            steps.append(step)
        if isinstance(container, list):
            steps.append(len(container))
        elif isinstance(key, str):
            steps.append(key)
        return tuple(steps[1:])


def _extent(value: Any) -> tuple[int, int]:
    """How many keys and values this is when written out (no more than is too many), and how deep."""
    weight = height = 0
    todo = [(value, 0)]
    while todo and weight <= BUDGET:
        item, depth = todo.pop()
        weight += 1
        if isinstance(item, str):
            weight += len(item) // 64
        elif isinstance(item, dict | list):
            height = max(height, depth + 1)
            if isinstance(item, dict):
                weight += sum(1 + len(key) // 64 for key in item)
                item = item.values()
            todo.extend((child, depth + 1) for child in item)
    return weight, height
