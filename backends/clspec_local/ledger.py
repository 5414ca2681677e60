"""What the history is told of a run's steps: at once where it would cost work to lose it, else with what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.backend import State
from clspec_local import records
from clspec_local.working import clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clspec_local.history import History, Over

_PUT_OFF = {state.value for state in (State.REUSED, State.SKIPPED, State.NOT_RUN, State.TAKEN, State.LEFT_OUT)}
"""What is told of these steps is recorded with the next thing that happens."""
_CHEAP = 1.0
"""Seconds; what took less is not worth a wait for the disk, since a loss of power costs no more than to do it again."""
_WRITE_EVERY = 1.0
"""Seconds after which what was put off is recorded while steps are at work."""


class Ledger:
    """The lines of one run in the history."""

    def __init__(self, run: str, state: Path, history: History, known: Iterable[str] = ()) -> None:
        self._run = run
        self._state = state
        self._history = history
        self._known = frozenset(known)
        """Keys of which it is recorded what they are made of."""
        self._unwritten: list[Over] = []
        """What would cost nothing if it were lost."""
        self._new_parts: dict[str, str] = {}
        """Keys whose parts are to be recorded, and the parts' texts."""
        self._written = clock()

    def made_from(self, key: str, text: str) -> None:
        """Record what a key is made of, unless that is known."""
        if key not in self._known and not self._history.knows_parts(key):
            self._new_parts[key] = text

    def over(self, over: Over, kept_under: str | None) -> None:
        """Record what became of a step, and its result under a key if it is to be used again.

        Raises:
            OSError, HistoryError: it cannot be recorded.
        """
        if over.state in _PUT_OFF:
            self._unwritten.append(over)
            return
        if kept_under:
            records.note(self._state, kept_under, over.kind, over.digests, over.parameters, self._run)
        with self._history.together("NORMAL" if over.seconds < _CHEAP else "FULL"):
            self.write()
            if kept_under:
                self._history.keep(kept_under, over.kind, over.digests, over.parameters, self._run)
            self._history.over(self._run, [over])

    def write(self) -> None:
        """Record what has been put off.

        Raises:
            HistoryError: it cannot be recorded.
        """
        if not self._unwritten and not self._new_parts:
            return
        with self._history.together("NORMAL"):
            for key, text in self._new_parts.items():
                self._history.made_from(key, text)
            self._history.over(self._run, self._unwritten)
        self._unwritten.clear()
        self._new_parts.clear()
        self._written = clock()

    def write_in_time(self, now: float) -> None:
        """Record what was put off long ago."""
        if now - self._written > _WRITE_EVERY:
            self.write()
