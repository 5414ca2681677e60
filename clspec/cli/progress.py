"""A run as it goes: live in a terminal, one plain line for each thing elsewhere, or JSON lines for programs."""

from __future__ import annotations

import json
import os
import re
import time
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
_NARROW = 60


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
            self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # it ends with the process


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
        from rich.live import Live as Screen

        self._stream = stream
        self._clock = clock
        plain = colours == "never" or (colours == "auto" and "NO_COLOR" in os.environ)
        self._console: Console = Console(file=stream, highlight=False, no_color=plain, force_terminal=True)
        self._screen: Screen | None = Screen(console=self._console, auto_refresh=False, transient=True)
        self._styled = not plain
        self._working: dict[str, tuple[float, str]] = {}
        self._over = 0
        self._screen.start()

    def tell(self, happening: Happening) -> None:
        """Show something that happened."""
        if happening.state is State.STARTED:
            self._working[happening.step] = (self._clock(), "")
        elif happening.state is State.PROGRESS:
            begun, _ = self._working.get(happening.step, (self._clock(), ""))
            self._working[happening.step] = (begun, happening.note)
        elif happening.state in _SIGNS or happening.state in _QUIET:
            if happening.state not in {State.RETRIED, State.WARNED, State.FINISHING}:
                self._working.pop(happening.step, None)
                self._over += 1
            self._line(told(happening), _STYLES.get(_SIGNS.get(happening.state, ""), ""))
        self._draw()

    def warn(self, found: tuple[Diagnostic, ...]) -> None:
        """Show what the spec is warned of."""
        for line in as_lines(found).splitlines():
            self._line(line, "yellow")

    def close(self) -> None:
        """Take the table away."""
        self._working.clear()
        if self._screen is not None:
            screen, self._screen = self._screen, None
            self._safely(screen.stop)

    def ended(self, outcome: Outcome) -> bool:
        """The tables come after this."""
        del outcome
        return False

    def _line(self, text: str, style: str) -> None:
        from rich.text import Text

        if text:
            shown = Text(text, style=style if self._styled else "")
            self._safely(lambda: self._console.print(shown, soft_wrap=True))

    def _draw(self) -> None:
        if self._screen is not None:
            screen, table = self._screen, self._table()
            self._safely(lambda: screen.update(table, refresh=True))

    def _safely(self, show: Callable[[], Any]) -> None:
        """Show it if anybody looks: a run goes on when its terminal is gone."""
        try:
            show()
        except OSError:
            self._screen = None
            self._console.file = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115

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
            made.add_column(width=20)
        made.add_column(no_wrap=True, overflow="ellipsis")
        now = self._clock()
        for name, (begun, note) in self._working.items():
            far = _FAR.fullmatch(note)
            bar: ProgressBar | Text = Text("")
            if far and int(far[2]) > 0:
                bar = ProgressBar(total=int(far[2]), completed=int(far[1]), width=20)
            cells = [Text(f"  > {name}"), Text(f"{now - begun:.0f} s"), *([bar] if wide else []), Text(visible(note))]
            made.add_row(*cells)
        return made


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
        self._write({
            "event": "ended",
            "run": outcome.run,
            "exit_code": outcome.exit_code,
            "verdict": verdict,
            "failed": outcome.failed,
            "folder": str(outcome.folder),
            "report": str(outcome.report / "report.html") if outcome.report else None,
            "log": str(outcome.log) if outcome.log else None,
            "outputs": outputs,
        })
        return True

    def _write(self, event: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps({"at": round(time.time(), 3), **event}) + "\n")
            self._stream.flush()
        except OSError:  # nobody reads on; the run goes on, and its exit code still counts
            self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
