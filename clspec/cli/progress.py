"""A run as it goes: one line for each step that ends, and in a terminal a last line on those at work."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TextIO

from clspec.backend import Happening, State
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS = {State.DONE, State.REUSED, State.SKIPPED, State.REFUSED, State.FAILED, State.RETRIED}
_SIGNS = {
    State.DONE: "+",
    State.REUSED: "=",
    State.SKIPPED: "-",
    State.REFUSED: "!",
    State.FAILED: "x",
    State.RETRIED: "~",
}
_WIDTH = 80


class Progress:
    """Tells what happens, on a stream."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._clock = clock
        self._working: dict[str, tuple[float, str]] = {}

    def tell(self, happening: Happening) -> None:
        """Show something that happened to a step."""
        if happening.state is State.STARTED:
            self._working[happening.step] = (self._clock(), "")
            if not self._live:
                self._line(f"  > {happening.step} started")
        elif happening.state is State.WARNED:
            self._line(f"  ? {happening.step} {visible(happening.note)}")
        elif happening.state is State.FINISHING:
            self._line(f"  ^C {visible(happening.note)}")
        elif happening.state is State.PROGRESS:
            begun, _ = self._working.get(happening.step, (self._clock(), ""))
            self._working[happening.step] = (begun, happening.note)
        elif happening.state in _ENDS:
            if happening.state is not State.RETRIED:
                self._working.pop(happening.step, None)
            self._line(self._ended(happening))
        self._draw()

    def close(self) -> None:
        """Take the last line away."""
        self._working.clear()
        self._draw()

    def _ended(self, happening: Happening) -> str:
        seconds = f" {happening.seconds:6.1f} s" if happening.seconds else " " * 9
        note = f"  {visible(happening.note)}" if happening.note else ""
        return f"  {_SIGNS[happening.state]} {happening.step:<28} {happening.state.value:<11}{seconds}{note}"

    def _line(self, text: str) -> None:
        self._write(("\r\033[K" if self._live else "") + text.rstrip() + "\n")

    def _write(self, text: str) -> None:
        """Show it if anybody looks: a run goes on when its terminal is gone, and its exit code still counts."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._live = False

    def _draw(self) -> None:
        if not self._live:
            return
        now = self._clock()
        parts = [
            f"{name} {now - begun:.0f} s" + (f" ({visible(note)})" if note else "")
            for name, (begun, note) in self._working.items()
        ]
        line = "  > " + ", ".join(parts) if parts else ""
        self._write("\r\033[K" + line[: self._width() - 1])

    def _width(self) -> int:
        """Columns of the terminal: a line that is longer could not be taken away."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _WIDTH
        except OSError:
            return _WIDTH
