"""The page of a code, as a terminal shows it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from clspec.codes import CODES
from clspec.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.pages import Example

_WIDTH = 100
_MEANINGS = {
    "lock": "the lock",
    "lock-with": "in the lock",
    "manifest": "a manifest",
    "no-lock": "without a lock",
    "whole": "the whole file",
    "escaped": "with bytes written as escapes",
    "padded": "filled up to so many bytes",
    "target": "compiled for",
}


def explained(code: str) -> str:
    """What a code means, why it matters, an example that shows it and one that does not, and how to mend it."""
    known, found = CODES[code], page(code)
    parts = [f"{code} ({known.severity.value}): {known.title}", textwrap.fill(known.text, _WIDTH)]
    parts += [f"Why it matters\n\n{_indented(found.why)}"]
    for title, examples in (("This is told of", found.fails), ("This is fine", found.passes)):
        parts += [f"{title}{_about(one)}\n\n{_code(one)}" for one in examples]
    return "\n\n".join([*parts, f"How to mend it\n\n{_indented(found.mend)}"])


def _indented(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _about(example: Example) -> str:
    said = ", ".join(_words(example))
    return f" ({said})" if said else ""


def _words(example: Example) -> Iterator[str]:
    for word in example.words:
        name, _, value = word.partition("=")
        yield f"{_MEANINGS.get(name, name)} {value}".rstrip()


def _code(example: Example) -> str:
    return textwrap.indent(example.text.rstrip("\n"), "    ")
