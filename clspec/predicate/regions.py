"""The values of one column, or of one computed term, cut into stretches that the predicates at hand cannot tell apart.

Every comparison with a written value is the same everywhere within a stretch, so one value stands for all of it.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from clspec.predicate.types import LARGEST_INTEGER, SMALLEST_INTEGER, ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EXACT = 2**53
"""From here on an integer and the double that it is compared as may differ."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_SURROGATES = (0xD800, 0xE000)
_LAST = 0x10FFFF


def plain(value: Any) -> Any:
    """A written value as a number or a text: an instant in microseconds, a day by its number."""
    if isinstance(value, dt.datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.toordinal() if isinstance(value, dt.date) else value


def comparable(term: ColumnType, literals: Iterable[tuple[Any, ColumnType]]) -> bool:
    """Whether comparing the term with these values follows their order: not where rounding may come between."""
    types = {term, *(found for _, found in literals)}
    if len(types) == 1:
        return True
    return all(abs(value) < _EXACT for value, _ in literals)


def samples(term: ColumnType, points: Iterable[Any]) -> tuple[Any, ...]:
    """A value from every stretch that the points cut the type's values into: each point itself, and what lies between.

    The points are plain values that a comparison may have on its other side. NULL is not among the samples.
    """
    if term is ColumnType.BOOLEAN:
        return (False, True)
    return _SAMPLES[term](sorted(set(points)))


def _of_integers(points: list[Any]) -> tuple[int, ...]:
    return tuple(value for value in _of_whole(points) if SMALLEST_INTEGER <= value <= LARGEST_INTEGER)


def _of_whole(points: list[Any]) -> tuple[int, ...]:
    """Of whole numbers, instants and days; a point may lie between two of them."""
    near = {whole + step for point in points for whole in (math.floor(point),) for step in (-1, 0, 1, 2)}
    return tuple(sorted(near)) or (0,)


def _of_doubles(points: list[Any]) -> tuple[float, ...]:
    near = {0.0}
    for point in map(float, points):
        near |= {math.nextafter(point, -math.inf), point, math.nextafter(point, math.inf)}
    return tuple(sorted(near))


def _of_strings(points: list[str]) -> tuple[str, ...]:
    """The empty text comes before all others, and nothing lies between a text and the same with a NUL behind it."""
    return tuple(sorted({"", *points, *(f"{point}\0" for point in points)}))


_SAMPLES: dict[ColumnType, Callable[[list[Any]], tuple[Any, ...]]] = {
    ColumnType.INTEGER: _of_integers,
    ColumnType.DOUBLE: _of_doubles,
    ColumnType.STRING: _of_strings,
    ColumnType.TIMESTAMP: _of_whole,
    ColumnType.DATE: _of_whole,
    ColumnType.BINARY: _of_whole,
}


def prefix_of(pattern: str) -> str | None:
    """What every text begins with that a pattern of `like` fits, if that is all it asks: `ab%`."""
    text = pattern.rstrip("%")
    return text if text != pattern and not set(text) & {"%", "_"} else None


def after_prefix(prefix: str) -> str | None:
    """The smallest text that is larger than all that begin so, if there is one."""
    letters = list(prefix)
    while letters:
        code = ord(letters.pop()) + 1
        if code <= _LAST:
            return "".join(letters) + chr(_SURROGATES[1] if _SURROGATES[0] <= code < _SURROGATES[1] else code)
    return None
