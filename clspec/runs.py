"""What a runner tells of its runs: which there were, what became of each step and why, and what would happen now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clspec.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The files that a run is a run of, as they are at one moment."""

    commit: str
    """The commit that the repository's head is; empty where there is no repository."""
    dirty: tuple[str, ...]
    """Why the commit does not say what these files are, a line each; nothing if it does."""
    path: str
    """The spec's path from the repository's root; where there is none, its absolute path."""
    spec: str
    """The digest of the spec's text, as it was read."""
    lock: str
    code: str
    """The digest of the code root."""

    @property
    def is_clean(self) -> bool:
        """Whether the commit says what these files are."""
        return bool(self.commit) and not self.dirty


ENDS = {0: "done", 1: "said no", 2: "not possible", 3: "a step failed", 130: "interrupted", 137: "killed"}
"""How a run ended, by its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as its history has it. Times are seconds since 1970."""

    id: str
    spec: str
    """The spec's name."""
    file: str
    """Its path from the project's root; empty where an older clspec did not record it."""
    pipeline: str
    environment: str
    started: float
    ended: float | None
    exit_code: int | None
    is_running: bool
    verdict: str
    """The gate's word; `skipped` where there was nothing to judge, empty where it did not come so far."""
    selection: Selection
    is_whole: bool
    """Whether all of the pipeline was part of it."""
    tree: Tree | None
    """The files when it began."""
    tree_at_end: Tree | None
    folder: Path
    """Where its logs lie."""

    @property
    def how(self) -> str:
        """How it ended, in a word or two."""
        if self.exit_code is None:
            return "running" if self.is_running else ENDS[137]
        return ENDS.get(self.exit_code, f"exit code {self.exit_code}")

    @property
    def is_clean(self) -> bool:
        """Whether one commit says what all of its files were, from its beginning to its end."""
        first, last = self.tree, self.tree_at_end
        return first is not None and last is not None and first.is_clean and last.is_clean and first == last

    @property
    def report(self) -> Path | None:
        """Its page, if it has one."""
        place = self.folder / "report" / "report.html"
        return place if place.is_file() else None

    @property
    def commit(self) -> str:
        """The commit that it began on; empty where there was none."""
        return self.tree.commit if self.tree else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a step made under one name: its digest, where it lies, and whether it still does."""

    digest: str
    place: Path
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What became of a step in a run."""

    id: str
    kind: str
    state: str
    seconds: float
    note: str
    reasons: tuple[str, ...]
    """Why it ran; nothing where it did not, or an older clspec did not record it."""
    compared: str
    """The earlier run that the reasons compare with; empty where there is none."""
    outputs: Mapping[str, Output]
    parameters: Mapping[str, str]
    key: str
    """The digest of what it was made from; empty where it did not come so far."""
    made_in: str
    """The run that made the outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that a step is made from and that differs. Values are JSON texts; None is nothing at all."""

    part: str
    """`config`, `input`, `code`, or what else a step is made from."""
    path: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        """It in a few words."""
        if self.part == "config":
            return f"{self.path} {_short(self.before)} -> {_short(self.after)}"
        change = "is new" if self.before is None else "is gone" if self.after is None else "changed"
        words = {"input": f"input {self.path} {change}", "code": f"code: {self.path} {change}"}
        return words.get(self.part, f"{self.path or self.part} {change}")

    def as_plain(self) -> dict[str, Any]:
        """It in plain values; a side that has nothing lacks its key."""
        sides = {"before": self.before, "after": self.after}
        return {
            "part": self.part,
            "path": self.path,
            **{name: json.loads(text) for name, text in sides.items() if text is not None},
        }


_LONGEST = 40


def _short(text: str | None) -> str:
    """A value as a line has room for it."""
    if text is None:
        return "(nothing)"
    value = json.loads(text)
    shown = value if isinstance(value, str) and value else text
    if isinstance(value, str) and value.startswith("sha256:"):
        return value[:19]
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a step ran in a run, or why it did not."""

    run: Run
    step: Stepped
    before: Run | None
    """The run that it is compared with, if there is one."""
    differences: tuple[Difference, ...] | None
    """What it is made from and was not before; None where that is not known of one of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would become of a step if a run began now."""

    step: str
    kind: str
    will: str
    """`run`, `may run`, `up to date`, `skip`, `may be skipped`, `taken` or `left out`."""
    reasons: tuple[str, ...]
    assumed: tuple[str, ...] = ()
    """The steps that look at the store, and of which it is assumed that they find what they found the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Where a step's log lies, and of which run it is: what is up to date was made, and logged, in an earlier one."""

    path: Path
    run: str
    is_open: bool
    """Whether the step is at work, so that more may come."""
