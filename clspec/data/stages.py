"""Stages: which model holds each alias, as a sequence of promotions and rollbacks that only ever grows.

The model that holds the alias `champion` is the champion.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from clspec.data.sequence import Sequence
from clspec.data.table import DataError

if TYPE_CHECKING:
    from clspec.data.sequence import Entry
    from clspec.data.storage import Storage

CHAMPION = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a stage: which model holds it from now on, who said so, why and when."""

    model: str
    action: str
    """`promote` or `rollback`."""
    by: str
    why: str
    at: str
    compared_with: str | None
    """The champion that the model was judged against."""
    record: str = ""
    """The judgement that let it in."""
    approval: str | None = None
    """The role that had to approve, and did."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a spec in a store."""

    storage: Storage
    spec: str
    alias: str

    @property
    def _sequence(self) -> Sequence:
        return Sequence(self.storage, f"{self.spec}/stages/{self.alias}")

    def history(self) -> tuple[Change, ...]:
        """Every change, the oldest first; the first is number 1.

        Raises:
            DataError: one cannot be read.
        """
        return tuple(self._change(entry) for entry in self._sequence.entries())

    def add(self, change: Change, *, after: int) -> bool:
        """Make a change as number `after` + 1; False if another was first."""
        return self._sequence.add(asdict(change), after=after)

    def _change(self, entry: Entry) -> Change:
        try:
            return msgspec.convert(entry.content, Change)
        except ValueError as error:  # msgspec's errors are such
            place = f"{self.storage.uri}/{self.spec}/stages/{self.alias}"
            message = f"{place}: entry {entry.number} is no change of a stage: {error}"
            raise DataError(message) from error
