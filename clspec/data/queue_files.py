"""Questions for people and their answers as files: JSON lines, or a table for a spreadsheet.

Both hold `key`, `label`, `by`, `at` and `note`, and of a question its data: under `data` in JSON lines, as `data.NAME`
in a table. Text that a spreadsheet would take for a formula has an apostrophe before it, which is taken off again.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from clspec.data.queue_votes import FIELDS, Answer, Refusal, answer
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Question = tuple[str, dict[str, Any]]
"""A key and what a labeller is shown, binary values as bytes unless they lie in files of their own."""

_DATA = "data"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n|%]")
_DELIMITERS = (",", ";", "\t")
_LONGEST_CELL = 1 << 30


def read_text(content: bytes, name: str) -> str:
    """The text of a file.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8 (byte {error.start}): save it as UTF-8"
        raise UsageError(message) from error


# -- JSON lines --------------------------------------------------------------------------------------------------------


def to_jsonl(questions: Iterable[Question], by: str | None) -> str:
    """One line for each question, its label still to be said."""
    return "".join(_line(key, data, by) for key, data in questions)


def _line(key: str, data: Mapping[str, Any], by: str | None) -> str:
    shown = {name: _json(value) for name, value in data.items()}
    return json.dumps({"key": key, "label": None, "by": by, "note": None, _DATA: shown}, ensure_ascii=False) + "\n"


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has no NaN and no infinity
    return value.isoformat()


def from_jsonl(content: bytes, name: str, by: str | None) -> list[Answer | Refusal]:
    """Every line that is not empty as an answer.

    Raises:
        UsageError: the file is not text.
    """
    lines = enumerate(read_text(content, name).split("\n"), 1)
    return [_answer(f"line {number}", line.rstrip("\r"), by) for number, line in lines if line.strip()]


def _answer(place: str, line: str, by: str | None) -> Answer | Refusal:
    try:
        found = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return Refusal(place=place, given=line, reason=f"it is no JSON: {error}")
    if not isinstance(found, dict):
        return Refusal(place=place, given=line, reason=f"it is a {type(found).__name__}, not an object")
    if strange := sorted(set(found) - {*FIELDS, _DATA}):
        return Refusal(place=place, given=line, reason=f"it has `{strange[0]:.60}`, which means nothing here")
    return answer(place, found, by)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a key stands there twice"
        raise ValueError(message)
    return found


def _no_number(word: str) -> None:
    message = f"{word} is no JSON number"
    raise ValueError(message)


# -- tables ------------------------------------------------------------------------------------------------------------


def to_csv(questions: Sequence[Question], by: str | None) -> str:
    """A table with a row for each question."""
    names = list(dict.fromkeys(name for _, data in questions for name in data))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n", strict=True)
    writer.writerow([*FIELDS, *(escaped(f"{_DATA}.{name}") for name in names)])
    for key, data in questions:
        shown = (_json(data.get(name)) for name in names)
        cells = ("" if value is None else value for value in (key, None, by, None, None, *shown))
        writer.writerow([escaped(cell) if isinstance(cell, str) else cell for cell in cells])
    return buffer.getvalue()


def escaped(text: str) -> str:
    """Text that no spreadsheet computes."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """The text that was escaped; what nobody escaped is left as it is."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def from_csv(content: bytes, name: str, by: str | None) -> list[Answer | Refusal]:
    """Every row of a table as an answer.

    Raises:
        UsageError: the file is not text, or its first row does not name the columns.
    """
    text = read_text(content, name)
    header, delimiter = _header(text, name)
    return list(_records(text, header, delimiter, by))


def _header(text: str, name: str) -> tuple[list[str], str]:
    """The names of the columns, and what stands between them: spreadsheets of some countries write semicolons."""
    for delimiter in _DELIMITERS:
        first = next(iter(_rows(text, delimiter)), None)
        cells = first[1] if first else None
        if cells is not None and {"key", "label"} <= set(cells):
            strange = [cell for cell in cells if cell not in FIELDS and not unescaped(cell).startswith(f"{_DATA}.")]
            if strange or len(set(cells)) < len(cells):
                what = f"a column `{strange[0]:.60}`" if strange else "a column twice"
                message = f"{name} has {what}: its columns are {', '.join(FIELDS)} and {_DATA}.NAME"
                raise UsageError(message)
            return cells, delimiter
    message = f"{name} has no first row with the columns `key` and `label`"
    raise UsageError(message)


def _records(text: str, header: Sequence[str], delimiter: str, by: str | None) -> Iterator[Answer | Refusal]:
    rows = iter(_rows(text, delimiter))
    next(rows)
    for place, cells, raw in rows:
        if cells is None:
            yield Refusal(place=place, given=raw, reason="its quotes do not match")
        elif len(cells) != len(header):
            yield Refusal(place=place, given=raw, reason=f"it has {len(cells)} cells, the first row has {len(header)}")
        elif any(cells):
            named = dict(zip(header, map(unescaped, cells), strict=True))
            yield answer(place, {field: named[field] for field in FIELDS if field in named}, by)


def _rows(text: str, delimiter: str) -> Iterator[tuple[str, list[str] | None, str]]:
    """Each record: where it begins, its cells (None where it is broken), and its text."""
    csv.field_size_limit(_LONGEST_CELL)
    read: list[str] = []
    lines = (read.append(line) or line for line in io.StringIO(text, newline=""))  # type: ignore[func-returns-value]
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells != []:
            yield f"line {number}", cells, "".join(read).rstrip("\r\n")
        number += len(read)
        read.clear()
