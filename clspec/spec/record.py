"""What every mapping of the language has in common: it is frozen, and its keys are known."""

from __future__ import annotations

from msgspec import Struct

Scalar = str | int | float | bool
Columns = dict[str, str]
Command = tuple[str, ...]


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the language: frozen, its keys known."""
