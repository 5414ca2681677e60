"""What a step's result is kept under: everything that it is made from, by content; no time stamp and no path."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

FORM = 1
"""Of what `Parts` say; another form is another key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a step is made from. Equal parts, equal key; two that differ say why a step runs again."""

    kind: str
    """What the step does, and so which part of the step program runs."""
    config: Mapping[str, Any]
    """Its configuration in plain values, the seed among them; the digest of the whole code root is taken out."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """The digests of what it reads, by name."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The digests of the files of user code that it can reach, by their POSIX path below the code root."""
    whole: str = ""
    """Why every file of the code root is among `code`; empty where the imports say which are."""
    program: str = ""
    """The digest of the step program."""
    libraries: str = ""
    """The digest of Python's version and of the names and versions of what is installed."""


def key(parts: Parts) -> str:
    """sha256 over all parts."""
    return digest_of(as_json(parts))


def digest_of(text: str) -> str:
    """The key of the parts that a JSON text says."""
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(parts: Parts) -> str:
    """The one JSON text of some parts."""
    return canonical({"form": FORM, **{name: getattr(parts, name) for name in _NAMES}})


def from_json(text: str) -> Parts:
    """The parts that a JSON text says.

    Raises:
        ValueError: it says none, or says them in the form of another clspec.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or found.pop("form", None) != FORM or found.keys() != set(_NAMES):
        message = "no parts of a key, or those of another clspec"
        raise ValueError(message)
    return Parts(**found)


_NAMES = tuple(each.name for each in fields(Parts))
