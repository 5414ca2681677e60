"""What only the machine that ran a pipeline knows: when its steps began, how long they took, and what came before.

None of it follows from the plan's inputs, so none of it may be part of a result. Whoever runs the plan tells it beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "clspec-run/1"
INTERRUPTED, KILLED = 130, 137
"""The exit codes of a run that was asked to end, and of one that could not be asked."""
WELL = ("done", "up to date", "skipped")
"""The states of a step that nothing went wrong with."""


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the plan and what became of it in one run."""

    id: str
    kind: str
    needs: tuple[str, ...] = ()
    when: str = ""
    """The condition under which it runs at all: `outcome of gate is pass`."""
    state: str = ""
    """What became of it, in the words of `clspec.backend.State`; empty where nothing has run yet."""
    began: float | None = None
    """Seconds after the run began."""
    seconds: float = 0.0
    note: str = ""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One run on one machine."""

    run: str
    spec: str
    pipeline: str
    began: str
    """UTC, ISO 8601."""
    seconds: float
    exit_code: int
    failed: str = ""
    """The step that ended it, if one did."""
    log: tuple[str, ...] = ()
    """The last lines of that step's log; where none did, of the logs of those that were at work."""
    steps: tuple[Stepped, ...] = ()
    before: str = ""
    """The run of the same pipeline before this one."""
    at_work: tuple[str, ...] = ()
    """The steps that were at work when it was stopped."""
    why: str = ""
    """Why it could not go on, where that is no step's."""

    @property
    def was_stopped(self) -> bool:
        """Whether it ended neither by itself nor by one of its steps: it was interrupted, or killed."""
        return self.exit_code in {INTERRUPTED, KILLED}

    @property
    def was_killed(self) -> bool:
        """Whether nobody saw its end, so that `seconds` go to its last sign of life."""
        return self.exit_code == KILLED

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"format": FORMAT, **asdict(self), "steps": tuple(map(asdict, self.steps))}


def read(plain: Mapping[str, Any]) -> Ran:
    """What `Ran.plain` was made from.

    Raises:
        ValueError: it is of another format.
        LookupError, TypeError: it has not that form.
    """
    if plain["format"] != FORMAT:
        message = f"it is of format {plain['format']!r}, not {FORMAT}"
        raise ValueError(message)
    rest = {name: value for name, value in plain.items() if name not in {"format", "steps", "log", "at_work"}}
    steps = tuple(Stepped(**{**step, "needs": tuple(step["needs"])}) for step in plain["steps"])
    return Ran(**rest, steps=steps, log=tuple(plain["log"]), at_work=tuple(plain.get("at_work", ())))
