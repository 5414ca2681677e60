"""Problems as text, with the source line and the place underlined, and as JSON."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.diagnostic import Diagnostic, Span

_COLOURS = {"error": "\033[1;31m", "warning": "\033[1;33m", "dim": "\033[2m", "bold": "\033[1m"}
_PLAIN = dict.fromkeys(_COLOURS, "")
_LONGEST = 160
_CAP = 200
_READ = 500


def visible(text: str) -> str:
    """Text from a spec as a terminal may show it: control and formatting characters as escapes, never as themselves."""
    if text.isprintable():  # nothing of these categories is: the usual case, four hundred times as fast
        return text
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else _escape(c) for c in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def as_text(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colours: bool) -> str:
    """All problems, one block each, and a line that counts them; nothing where there are none."""
    palette = _COLOURS if colours else _PLAIN
    reset = "\033[0m" if colours else ""
    lines = {path: lines_of(text, path, diagnostics) for path, text in sources.items()}
    blocks = [_block(d, lines.get(d.path, []), palette, reset) for d in diagnostics[:_CAP]]
    if not blocks:
        return ""
    if len(diagnostics) > _CAP:
        blocks.append(f"... and {len(diagnostics) - _CAP} more\n")
    return "\n".join([*blocks, summary(diagnostics)]) + "\n"


_MASKED = "CLS316"
"""Where a problem of this code is, no line is shown as it stands."""


def lines_of(text: str, path: str, diagnostics: Sequence[Diagnostic]) -> list[str]:
    """The lines of a file with stars in the place of literal secrets, whichever problem they are shown for."""
    lines = _lines(text)
    for span in (d.span for d in diagnostics if d.code == _MASKED and d.path == path and d.span is not None):
        for number in range(span.line, min(span.end_line, len(lines)) + 1):
            line = lines[number - 1]
            start = span.column - 1 if number == span.line else 0
            end = min(span.end_column - 1, len(line)) if number == span.end_line else len(line)
            lines[number - 1] = line[:start] + "*" * (end - start) + line[end:]
    return lines


def _lines(text: str) -> list[str]:
    """The lines as places count them: a byte order mark is no column, and nothing but a line feed ends a line."""
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


def as_lines(diagnostics: Sequence[Diagnostic]) -> str:
    """All problems, one line each, without the lines that they are about."""
    return "".join(f"{_place(d)}: {d.severity.value}[{d.code}]: {visible(_cut(d.message))}\n" for d in diagnostics)


def _cut(text: str) -> str:
    """A message that quotes half a file, cut to what a person reads."""
    return text if len(text) <= _READ else f"{text[:_READ]}..."


def _place(found: Diagnostic) -> str:
    span = found.span
    return visible(found.path if span is None else f"{found.path}:{span.line}:{span.column}")


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """How many errors and warnings there are."""
    errors = sum(d.is_error for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return ", ".join(parts) or "no problems"


def _block(found: Diagnostic, lines: Sequence[str], palette: Mapping[str, str], reset: str) -> str:
    level = found.severity.value
    name = f"{palette[level]}{level}[{found.code}]{reset}"
    rows = [f"{palette['bold']}{_place(found)}{reset}: {name}: {visible(_cut(found.message))}"]
    if found.span is not None and 0 < found.span.line <= len(lines):
        rows += _excerpt(found.span, lines[found.span.line - 1], palette[level], palette["dim"], reset)
    for other in found.related:
        place = f"{found.path}:{other.span.line}:{other.span.column}"
        rows.append(f"  {palette['dim']}={reset} {visible(other.message)}: {visible(place)}")
    if found.hint:
        rows.append(f"  {palette['dim']}={reset} {visible(_cut(found.hint))}")
    return "\n".join(rows) + "\n"


def _excerpt(span: Span, line: str, colour: str, dim: str, reset: str) -> list[str]:
    """The line and, below it, marks under the place; a long line is cut around it."""
    start, end = span.column - 1, (span.end_column - 1 if span.end_line == span.line else len(line))
    cut = max(0, start - _LONGEST // 2) if len(line) > _LONGEST else 0
    shown = line[cut : cut + _LONGEST]
    before, marked = shown[: start - cut], shown[start - cut : max(end - cut, start - cut + 1)]
    gutter = f"{span.line:>5}"
    pad = "".join("\t" if c == "\t" else " " * _width(visible(c)) for c in before)
    marks = "^" * max(1, _width(visible(marked)))
    return [f"{dim}{gutter} |{reset} {visible(shown)}", f"{dim}      |{reset} {pad}{colour}{marks}{reset}"]


def _width(text: str) -> int:
    """Columns that text takes in a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def as_json(diagnostics: Sequence[Diagnostic], failures: Sequence[str] = ()) -> str:
    """All problems as one JSON object; lines and columns count from 1, in code points, the end exclusive.

    `failures` says which files could not be judged at all; each counts as an error.
    """
    errors = sum(d.is_error for d in diagnostics)
    found = {
        "errors": errors + len(failures),
        "warnings": len(diagnostics) - errors,
        "diagnostics": [_plain(d) for d in diagnostics],
        "failures": list(failures),
    }
    return json.dumps(found, indent=2) + "\n"


def _plain(found: Diagnostic) -> dict[str, Any]:
    span = found.span
    return {
        "code": found.code,
        "severity": found.severity.value,
        "message": found.message,
        "hint": found.hint or None,
        "path": found.path,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "where": found.where or None,
        "related": [{"message": other.message, **_place_of(other.span)} for other in found.related],
        "fix": {"text": found.fix.text, **_place_of(found.fix.span)} if found.fix else None,
    }


def _place_of(span: Span) -> dict[str, int]:
    return {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}


def visible_lines(text: str) -> str:
    """`visible` for a text of several lines."""
    return "\n".join(visible(line) for line in text.splitlines())
