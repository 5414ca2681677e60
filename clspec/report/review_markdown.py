"""What a change to specs does, as a comment under a pull request: of one shape always, and never too long for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clspec.diff.change import Failure, Review
from clspec.diff.levels import LEVELS, Level
from clspec.report.diagnostics import as_lines, visible
from clspec.report.review import cost_lines, counted, exit_code, spot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.diff.change import Change

MARKER = "<!-- clspec-review -->"
"""The first line of every comment, by which the next one finds it."""

LIMIT = 60_000
"""Bytes, below the 65,536 characters that GitHub takes."""

_CUT = "\n_The rest is cut: run `clspec diff --format json` for all of it._\n"
_VERDICTS = {0: "Nothing blocks.", 1: "**Something blocks.**", 2: "**Not everything could be compared.**"}
_CELL = 300
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&:$-])")


def as_markdown(outcomes: Sequence[Review | Failure]) -> str:
    """The comment. What blocks comes first, what is only to be known is folded, and what does not fit is cut."""
    parts = [MARKER, "## Spec review", "", _VERDICTS[exit_code(outcomes)] if outcomes else "No spec is changed.", ""]
    for one in sorted(outcomes, key=_weight):
        parts += _failed(one) if isinstance(one, Failure) else _reviewed(one)
    return _fitting(parts)


def _weight(one: Review | Failure) -> tuple[int, str]:
    return (0 if isinstance(one, Failure) else 1 if one.blocks else 2), one.spec


def _fitting(parts: list[str]) -> str:
    """As many whole parts as fit; a part is closed in itself, so that a cut leaves nothing open."""
    kept: list[str] = []
    room = LIMIT - len(_CUT.encode())
    for part in parts:
        room -= len(part.encode()) + 1
        if room < 0:
            return "\n".join([*kept, _CUT])
        kept.append(part)
    return "\n".join(kept) + "\n"


def literal(text: str) -> str:
    """Text as itself, whatever it says in Markdown or HTML: no link, no mention, no picture, no row of its own."""
    shown = visible(text[:_CELL] + ("..." if len(text) > _CELL else "")).replace("\t", " ")
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", shown)


def _failed(one: Failure) -> list[str]:
    problems = [f"- {literal(line)}" for line in as_lines(one.problems).splitlines()[:50]]
    return [
        f"### {literal(one.spec)}: not compared with {literal(one.against)}",
        "",
        literal(one.reason),
        "",
        *problems,
    ]


def _reviewed(review: Review) -> list[str]:
    parts = [f"### {literal(review.spec)} against {literal(review.against)}: {counted(review)}", ""]
    parts += [*(f"- {literal(line)}" for line in as_lines(review.problems).splitlines()[:50]), ""]
    for level in Level:
        found = [one for one in review.changes if one.level is level]
        if found:
            parts += _folded(found) if level is Level.INFO else [f"**{level.value}**\n", *map(_item, found), ""]
    parts += ["Cost:\n", *(f"- {literal(line)}" for line in cost_lines(review)), ""]
    for picture in review.costs.pictures if review.costs else ():
        what = ", ".join(f"{len(getattr(picture, word))} {word}" for word in ("added", "removed", "changed"))
        title = f"<summary>Steps of {literal(picture.pipeline)}: {what}</summary>"
        parts.append(f"<details>{title}\n\n```mermaid\n{picture.chart}```\n\n</details>\n")
    return parts


def _item(one: Change) -> str:
    meant = LEVELS[one.row].text
    return f"- {literal(one.where)}: {literal(one.sentence)} ({literal(spot(one.head))}) <sub>{literal(meant)}</sub>"


_TOGETHER = 100


def _folded(found: list[Change]) -> list[str]:
    """What is only to be known, in pieces that are each whole."""
    pieces = [found[start : start + _TOGETHER] for start in range(0, len(found), _TOGETHER)]
    return [
        f"<details><summary>{Level.INFO.value}: {len(piece)}</summary>\n\n"
        + "\n".join(map(_item, piece))
        + "\n\n</details>\n"
        for piece in pieces
    ]
