"""What the loop did in one run, as tables: what was expected, mined, dropped, asked, learned and decided."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report.diagnostics import visible
from clspec.report.story import story

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TITLES = {
    "expectations": "Data gates",
    "labels": "Labels that came in",
    "dropped-labels": "Labelled rows that the guard dropped",
    "appended": "Appended to the training data",
    "decision": "Retrain?",
    "promoted": "Promotion",
    "mined": "Mined from production",
    "dropped-mined": "Mined rows that the guard dropped",
    "sampled": "Sampled for labelling",
    "teacher": "Labelled by the teacher",
    "queued": "Label queue",
}
"""What each of the loop's steps tells, in the order in which a person reads it."""
_LISTED = 20
_LONGEST = 160


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table: a title, the heads of its columns, and its cells as texts."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(told: Mapping[str, Mapping[str, Any]]) -> tuple[Table, ...]:
    """A table, or a few, for each word that the loop's steps told something under."""
    return tuple(table for word, title in _TITLES.items() if word in told for table in _tables(title, told[word]))


def _tables(title: str, told: Mapping[str, Any]) -> Iterator[Table]:
    """The single facts as one table, and one more for each part that is a table itself."""
    matrices = {name: value for name, value in told.items() if _is_matrix(value)}
    facts = tuple((_words(name), _text(value)) for name, value in told.items() if name not in matrices)
    if facts:
        yield Table(title=title, head=("", ""), rows=facts)
    for name, value in matrices.items():
        yield _matrix(f"{title}: {_words(name)}", value)


def _is_matrix(value: Any) -> bool:
    """Whether a value is a mapping, or a list, of mappings."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return bool(parts) and all(isinstance(part, dict) and part for part in parts)


def _matrix(title: str, value: Any) -> Table:
    named: list[tuple[str, dict[str, Any]]]
    named = list(value.items()) if isinstance(value, dict) else [("", part) for part in value]
    columns = list(dict.fromkeys(column for _, part in named for column in part))
    shown = named[:_LISTED]
    rows = [(name, *(_text(part.get(column)) for column in columns)) for name, part in shown]
    if len(named) > len(shown):
        rows.append((f"and {len(named) - len(shown)} more", *("" for _ in columns)))
    if not isinstance(value, dict):
        return Table(title=title, head=tuple(map(_words, columns)), rows=tuple(row[1:] for row in rows))
    return Table(title=title, head=("", *map(_words, columns)), rows=tuple(rows))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{_words(str(name))} {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        listed = "; ".join(map(_text, value[:_LISTED]))
        rest = f"; and {len(value) - _LISTED} more" if len(value) > _LISTED else ""
        return listed + rest or "none"
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def as_text(told: Mapping[str, Mapping[str, Any]], width: int) -> str:
    """The loop's story for a terminal of so many columns, one line below the other."""
    from rich.console import Console  # noqa: PLC0415  # 0.1 s that only a run needs
    from rich.table import Table as Drawn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    stream = io.StringIO()
    drawn = Drawn(show_header=False, pad_edge=False, box=None)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    last = ""
    for name, text in story(told):
        drawn.add_row(Text(name if name != last else ""), Text(visible(text)))
        last = name
    Console(file=stream, width=width, color_system=None, highlight=False).print(drawn)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
