"""A spec with nothing left open, and where each of its values comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clspec.diagnostic import Pointer, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value comes from: the spec, its environment, or another part of the spec that it is taken over from.

    Without a span it is the language's default.
    """

    span: Span | None = None
    environment: str = ""
    over: str = ""
    """The part of the spec that says it for this one, such as `golden.defaults`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A spec without anything left open, and the origin of each value that is no mapping and no list of them."""

    path: str
    environment: str
    value: dict[str, Any]
    origins: dict[Pointer, Origin]
