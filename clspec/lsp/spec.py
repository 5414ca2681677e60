"""A spec that is open in an editor: its text, all that was found in it, and what stands where."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec import compile as pipe
from clspec.diagnostic import ClspecError, has_errors
from clspec.opening import opened

if TYPE_CHECKING:
    from clspec.compile import Checked
    from clspec.load import Document
    from clspec.opening import Opened
    from clspec.plan import Plan


class OpenSpec:
    """One state of a spec's text, judged when somebody asks; `before` is the last one that could be read."""

    def __init__(self, path: str, text: str, before: OpenSpec | None = None) -> None:
        self.path = path
        self.text = text
        self._before = before.readable if before is not None else None

    @cached_property
    def checked(self) -> Checked:
        """All that is wrong with it, judged as of today."""
        return pipe.judged(self.found, as_of=datetime.now(tz=UTC).date())

    @cached_property
    def found(self) -> Opened:
        """What this text makes, with what is beside the file."""
        return opened(self.path, text=self.text)

    @property
    def own(self) -> Document | None:
        """The document that this text makes, if it makes one."""
        return self.found.document

    @property
    def readable(self) -> OpenSpec | None:
        """This state, or the last one before it, whose text made a document."""
        return self if self.own is not None else self._before

    @cached_property
    def root(self) -> Path | None:
        """The root of the user's code, if there is such a folder."""
        known = self.readable
        value: Any = known.own.value if known is not None and known.own is not None else {}
        named = value.get("code", {}).get("root") if isinstance(value.get("code"), dict) else None
        if not isinstance(named, str):
            return None
        root = Path(self.path).parent / named
        return root if root.is_dir() else None

    @cached_property
    def plan(self) -> Plan | None:
        """What it would run, where it has no errors."""
        if self.checked.facts is None or has_errors(self.checked.diagnostics):
            return None
        try:
            return pipe.plan(self.checked)
        except ClspecError:  # the code cannot be read, which a compile says
            return None
