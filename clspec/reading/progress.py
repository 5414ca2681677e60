"""How far the building of a document has come: what is open, what stands where, what was found."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from clspec.reading.findings import Finding, Findings, Stop
from clspec.reading.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clspec.diagnostic import Pointer

MAX_DEPTH = 64


class Sink:
    """Stands as the key of what is not to stay in a mapping; with `merge`, of what `<<` is to bring into it."""

    __slots__ = ("merge", "number")

    def __init__(self, number: int, *, merge: bool = False) -> None:
        self.number = number
        self.merge = merge


Key = str | Sink | None
"""In a mapping, the key whose value comes next; None where a key comes next, and in a list."""
Frame = tuple[int, Any, "Callable[[Any], None] | None", Key, bool]
"""What to go back to when a list or mapping ends: its parent's number, value and state, and whether it has brackets."""


class Progress:
    """The lists and mappings that are still open, the marks and the findings."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.findings = findings
        self.marks = Marks(text)
        self.top: list[Any] = []
        """Receives the root."""
        self.stack: list[Frame] = []

    @property
    def root(self) -> dict[str, Any]:
        """The mapping at the top, as far as it was read."""
        top = self.top[0] if self.top else None
        return top if isinstance(top, dict) else {}

    @property
    def latest(self) -> int:
        """The number of the key, value or opening bracket that was read last."""
        return len(self.marks.starts) - 1

    @property
    def last(self) -> tuple[int, int]:
        """Its offsets."""
        marks = self.marks
        return (marks.starts[-1], marks.ends[-1] or marks.starts[-1]) if marks.starts else (0, 0)

    @property
    def bracket(self) -> int | None:
        """The offset of the innermost bracket that is still open."""
        marks = self.marks
        unclosed = (marks.starts[at] for at in range(self.latest, -1, -1) if not marks.ends[at])
        return next((start for start in unclosed if self.text[start : start + 1] in ("[", "{")), None)

    def open(self, container: Any) -> Iterator[Any]:
        """The values that have not ended yet, the outermost first."""
        yield from (frame[1] for frame in self.stack)
        yield container

    def pointer(self, container: Any, key: Key) -> Pointer:
        """The path of the value that is about to be put into `container`; of `container` where it has none."""
        steps: list[str | int] = []
        for parent, child in pairwise(self.open(container)):
            step = len(parent) - 1 if isinstance(parent, list) else next(reversed(parent), None)
            if not isinstance(step, str | int) or parent[step] is not child:
                return tuple(steps[1:])  # inside something that is not part of the document
            steps.append(step)
        if isinstance(container, list):
            steps.append(len(container))
        elif isinstance(key, str):
            steps.append(key)
        return tuple(steps[1:])  # without the place of the root in `top`

    def add(  # noqa: PLR0913, PLR0917  # a finding is this many plain facts
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
        self.findings.add(Finding(code, pointer, start, end, message, hint, first))

    def too_deep(self, container: Any, key: Key) -> None:
        """Refuses a value that would be nested too deeply in `container`.

        Raises:
            Stop: always; whatever reads the document further may be written recursively.
        """
        self.add("CLS109", self.pointer(container, key), f"more than {MAX_DEPTH} lists and mappings in one another")
        raise Stop
