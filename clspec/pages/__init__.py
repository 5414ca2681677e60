"""The page of each code: why it matters, what shows it and what does not, and how to mend it. The tests try them all.

A page is `CODE.md`: a paragraph, then the headings `Fails`, `Passes` and `Mend`. An example is a block of what it is
about only: where a section is missing, it is as in the base that the tests have. Words after the block's language
say more: `whole` is a file as it stands, `lock` is a spec's lock, `manifest` a target's file, a path is a file beside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

_BLOCK = re.compile(r"^```(?P<language>[a-z]+)(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A part of a spec, or of a file beside it."""

    language: str
    words: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What there is to say of a code beyond what it means."""

    why: str
    fails: tuple[Example, ...]
    """What shows it; nothing where no text can."""
    passes: tuple[Example, ...]
    mend: str


def page(code: str) -> Page:
    """The page of a code.

    Raises:
        FileNotFoundError: it has none.
    """
    return parsed(files(__name__).joinpath(f"{code}.md").read_text(encoding="utf-8"))


def parsed(text: str) -> Page:
    """A page from its text.

    Raises:
        KeyError: a heading is missing.
    """
    why, *parts = _HEADING.split(text)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return Page(
        why=why.strip(),
        fails=_examples(sections["Fails"]),
        passes=_examples(sections["Passes"]),
        mend=sections["Mend"].strip(),
    )


def _examples(text: str) -> tuple[Example, ...]:
    return tuple(
        Example(language=found["language"], words=tuple(found["words"].split()), text=found["text"])
        for found in _BLOCK.finditer(text)
    )
