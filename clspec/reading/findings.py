"""Problems met while a file is read, on their way to diagnostics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clspec.codes import CODES
from clspec.diagnostic import Severity

if TYPE_CHECKING:
    from clspec.diagnostic import Pointer

SHOWN = 20
"""Problems of one kind that are told one by one."""
COUNTED = 1_000
"""Further ones that are counted."""


class Stop(Exception):  # not an error by itself: the findings say what is wrong
    """Nothing can be given beyond the problem that was just noted."""


class Finding(NamedTuple):
    """A problem by its offsets in the text and its path, since lines and ids are known only at the end."""

    code: str
    pointer: Pointer
    start: int
    end: int
    message: str
    hint: str = ""
    first: tuple[int, dict[str, Any], str] | None = None
    """For a key given twice: the number and the value of the mapping, and the key."""
    fix: str = ""
    """What mends it if it stands in its place; nothing where a person has to say."""


class Findings:
    """Problems in the order found: of each kind the first `SHOWN`, then how many more there were."""

    def __init__(self) -> None:
        self._told: list[Finding] = []
        self._more: dict[str, Finding] = {}
        self._counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._told)

    def add(self, finding: Finding) -> None:
        """One more problem.

        Raises:
            Stop: there are so many errors of its kind that whatever this is, it was not written as a spec.
        """
        count = self._counts[finding.code] = self._counts.get(finding.code, 0) + 1
        if count <= SHOWN:
            self._told.append(finding)
        elif count == SHOWN + 1:
            self._more[finding.code] = finding
        elif count > SHOWN + COUNTED and CODES[finding.code].severity is Severity.ERROR:
            raise Stop

    def all(self) -> list[Finding]:
        """What is to be told."""
        return self._told + [self._rest(code, finding) for code, finding in self._more.items()]

    def _rest(self, code: str, first: Finding) -> Finding:
        count = self._counts[code] - SHOWN
        many = f"{count:,}" if count < COUNTED else f"{COUNTED:,} or more"
        return Finding(code, (), first.start, first.end, f"and {many} others of this kind from here on")
