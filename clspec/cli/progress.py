"""A run as it goes: live in a terminal, one plain line for each thing elsewhere, or JSON lines for programs."""

from __future__ import annotations

import io
import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from clspec.backend import Happening, State
from clspec.diagnostic import UsageError
from clspec.report.diagnostics import as_lines, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.live import Live as Screen
    from rich.table import Table

    from clspec.backend import Outcome
    from clspec.diagnostic import Diagnostic

_SIGNS = {
    State.DONE: "+",
    State.REUSED: "=",
    State.SKIPPED: "-",
    State.REFUSED: "!",
    State.FAILED: "x",
    State.RETRIED: "~",
    State.TAKEN: "<",
    State.WARNED: "?",
    State.FINISHING: "^C",
}
_STYLES = {"+": "green", "=": "dim", "-": "dim", "!": "bold red", "x": "bold red", "~": "yellow", "?": "yellow"}
_QUIET = {State.NOT_RUN, State.LEFT_OUT}
"""States that no line tells of."""
_FAR = re.compile(r"(\d+) of (\d+) (.*)")
_NARROW, _BAR = 60, 20
"""Columns: those of a terminal that has no room for a bar, and those of a bar."""


class _Nobody(io.StringIO):
    """Where the words go when nobody is there any more."""

    def write(self, text: str) -> int:
        """Forget them."""
        return len(text)


class Progress(Protocol):
    """Somebody who is told what happens in a run, and shows it."""

    def tell(self, happening: Happening) -> None:
        """Show something that happened."""

    def warn(self, found: tuple[Diagnostic, ...]) -> None:
        """Show what the spec is warned of."""

    def close(self) -> None:
        """Show no more of what is at work."""

    def ended(self, outcome: Outcome) -> bool:
        """Show how the run ended; whether that is all that is to be shown of it."""


def chosen(word: str, out: TextIO, err: TextIO, *, colours: str) -> Progress:
    """The progress that is wanted: `live`, `plain`, `json`, or what fits where this is shown.

    Raises:
        UsageError: live progress is wanted where there is no terminal.
    """
    if word == "json":
        return Events(out)
    can = err.isatty() and os.environ.get("TERM") not in {"dumb", "", None}
    if word == "live" and not can:
        message = "--progress live needs a terminal"
        raise UsageError(message)
    if word == "plain" or not can or (word == "auto" and "CI" in os.environ):
        return Lines(err)
    return Live(err, colours=colours)


class Lines:
    """One line for each step that begins, ends, or tells something else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, happening: Happening) -> None:
        """Show something that happened."""
        if line := told(happening):
            self._write(line)

    def warn(self, found: tuple[Diagnostic, ...]) -> None:
        """Show what the spec is warned of."""
        if found:
            self._write(as_lines(found).rstrip("\n"))

    def close(self) -> None:
        """Nothing is at work any more."""

    def ended(self, outcome: Outcome) -> bool:
        """The tables come after this."""
        del outcome
        return False

    def _write(self, line: str) -> None:
        """Show it if anybody looks: a run goes on when its terminal is gone, and its exit code still counts."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError:
            self._stream = _Nobody()


def told(happening: Happening) -> str:
    """What happened as a line; nothing where it is not worth one."""
    note = f"  {visible(happening.note)}" if happening.note else ""
    if happening.state is State.STARTED:
        return f"  > {happening.step} started{note and ':' + note[1:]}"
    if happening.state is State.WARNED:
        return f"  ? {happening.step + ' ' if happening.step else ''}{visible(happening.note)}"
    if happening.state is State.FINISHING:
        return f"  ^C {visible(happening.note)}"
    if happening.state in _QUIET or happening.state not in _SIGNS:
        return ""
    seconds = f" {happening.seconds:6.1f} s" if happening.seconds else " " * 9
    sign = _SIGNS[happening.state]
    return f"  {sign} {happening.step:<28} {happening.state.value:<11}{seconds}{note}".rstrip()


class Live:
    """What has ended as lines that stay, and below them a table of the steps at work, with how far each is.

    Nothing is drawn by another thread: the process forks. The engine tells something of each step at work often enough.
    """

    def __init__(self, stream: TextIO, *, colours: str, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console

        plain = colours == "never" or (colours == "auto" and "NO_COLOR" in os.environ)
        self._stream = stream
        self._clock = clock
        self._styled = not plain
        self._console: Console = Console(file=stream, highlight=False, no_color=plain, force_terminal=True)
        self._screen: Screen | None = None
        """What is drawn below the lines; only while steps are at work."""
        self._working: dict[str, _AtWork] = {}

    def tell(self, happening: Happening) -> None:
        """Show something that happened."""
        if happening.state is State.STARTED:
            self._working[happening.step] = _AtWork(begun=self._clock(), why=happening.note)
        elif happening.state is State.PROGRESS and happening.step in self._working:
            self._working[happening.step].far = happening.note
        elif happening.state in _SIGNS or happening.state in _QUIET:
            work = self._working.get(happening.step)
            if happening.state not in {State.RETRIED, State.WARNED, State.FINISHING}:
                self._working.pop(happening.step, None)
            why = f"  {visible(work.why)}" if work and not happening.note and happening.state is State.DONE else ""
            self._line(told(happening) + why, _STYLES.get(_SIGNS.get(happening.state, ""), ""))
        self._draw()

    def warn(self, found: tuple[Diagnostic, ...]) -> None:
        """Show what the spec is warned of."""
        for line in as_lines(found).splitlines():
            self._line(line, "yellow")

    def close(self) -> None:
        """Take the table away."""
        self._working.clear()
        self._draw()

    def ended(self, outcome: Outcome) -> bool:
        """The tables come after this."""
        del outcome
        return False

    def _line(self, text: str, style: str) -> None:
        """Write a line that stays, above what is drawn."""
        if not text.strip():
            return
        from rich.text import Text

        shown = Text(text, style=style if self._styled else "")
        self._safely(lambda: self._console.print(shown, soft_wrap=True))

    def _draw(self) -> None:
        from rich.live import Live as Screen

        if not self._working:
            if self._screen is not None:
                screen, self._screen = self._screen, None
                self._safely(screen.stop)
            return
        if self._screen is None:
            self._screen = Screen(console=self._console, auto_refresh=False, transient=True)
            self._safely(self._screen.start)
        screen, table = self._screen, self._table()
        self._safely(lambda: screen.update(table, refresh=True))

    def _safely(self, show: Callable[[], Any]) -> None:
        """Show it if anybody looks: a run goes on when its terminal is gone."""
        try:
            show()
        except OSError:
            self._console.file = _Nobody()

    def _table(self) -> Table:
        """The steps at work: for how long, and how far; on a narrow terminal without the bar."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        wide = self._console.width >= _NARROW
        made = Table.grid(padding=(0, 1), expand=False)
        made.add_column(no_wrap=True, overflow="ellipsis")
        made.add_column(justify="right", no_wrap=True)
        if wide:
            made.add_column(width=_BAR)
        made.add_column(no_wrap=True, overflow="ellipsis")
        now = self._clock()
        for name, work in self._working.items():
            far = _FAR.fullmatch(work.far)
            bar: ProgressBar | Text = Text("")
            if far and int(far[2]) > 0:
                bar = ProgressBar(total=int(far[2]), completed=int(far[1]), width=_BAR)
            words = work.far or (work.why if wide else "")
            note = Text(visible(words), style="" if work.far or not self._styled else "dim")
            made.add_row(Text(f"  > {name}"), Text(f"{now - work.begun:.0f} s"), *([bar] if wide else []), note)
        return made


@dataclass(slots=True, kw_only=True)
class _AtWork:
    """A step at work: since when, why, and how far it is."""

    begun: float
    why: str
    far: str = ""


class Events:
    """Every event as a JSON line on standard output, the last of which tells how the run ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, happening: Happening) -> None:
        """Show something that happened."""
        plain = {"step": happening.step, "state": happening.state.value, "seconds": round(happening.seconds, 3)}
        far = _FAR.fullmatch(happening.note) if happening.state is State.PROGRESS else None
        how_far = {"done": int(far[1]), "of": int(far[2]), "what": far[3]} if far else {}
        self._write({"event": "step", **plain, "note": happening.note, **how_far})

    def warn(self, found: tuple[Diagnostic, ...]) -> None:
        """Show what the spec is warned of."""
        for one in found:
            self._write(
                {"event": "warning", "code": one.code, "message": one.message, "path": one.path, "where": one.where}
            )

    def close(self) -> None:
        """Nothing is at work any more."""

    def ended(self, outcome: Outcome) -> bool:
        """Show how the run ended, which is all that is to be shown of it."""
        verdict = json.loads(outcome.verdict.read_bytes())["verdict"] if outcome.verdict is not None else None
        outputs = {step: {name: str(path) for name, path in made.items()} for step, made in outcome.outputs.items()}
        self._write(
            {
                "event": "ended",
                "run": outcome.run,
                "exit_code": outcome.exit_code,
                "verdict": verdict,
                "failed": outcome.failed,
                "whole": outcome.is_whole,
                "folder": str(outcome.folder),
                "report": str(outcome.report / "report.html") if outcome.report else None,
                "log": str(outcome.log) if outcome.log else None,
                "outputs": outputs,
            }
        )
        return True

    def _write(self, event: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps({"at": round(time.time(), 3), **event}) + "\n")
            self._stream.flush()
        except OSError:  # nobody reads on; the run goes on, and its exit code still counts
            self._stream = _Nobody()
