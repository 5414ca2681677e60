"""What was surely meant by a key or a value of the wrong shape, so that a machine may write it in its place."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clspec.reading.scalars import OddNumber, meaning

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOSE = 0.8
"""From this likeness on a word counts as a slip of another one; a hint is given earlier."""
_APART = 0.1
"""By so much the next word has to be less alike."""
_SHORTEST = 3
SWITCHES = {
    **dict.fromkeys(("yes", "on", "y", "true"), "true"),
    **dict.fromkeys(("no", "off", "n", "false"), "false"),
}
PYTHON: dict[str, Any] = {"integer": int, "number": int | float}

DURATION = "^[1-9][0-9]{0,8}[smhd]$"
MEMORY = "^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti)$"
_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)[ ]?([A-Za-z]+)[ ]?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIMES = {
    **dict.fromkeys(("s", "S", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "H", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "D", "day", "days"), 86400),
    **dict.fromkeys(("w", "W", "week", "weeks"), 604800),
}
_SIZES = {
    **{spelling: f"{first}i" for first in "KMGT" for spelling in (f"{first}i", f"{first}iB")},
    **{spelling: f"{first.upper()}i" for first in "kmgt" for spelling in (f"{first}i", f"{first}ib", f"{first}iB")},
}
"""Binary units only: 16 GB are not 16 GiB."""


def key(word: str, keys: Iterable[str], given: Iterable[str]) -> str | None:
    """The key that is surely meant: one that is not given yet and that no other known key is as close to."""
    known = sorted(keys)
    free = sorted(set(known) - set(given))
    same = [name for name in free if _bare(name) == _bare(word)]
    if len(same) == 1:
        return same[0]
    slips = [name for name in known if _slip(word, name)]
    if len(slips) == 1:
        return slips[0] if slips[0] in free else None
    ranked = sorted(((SequenceMatcher(None, word, name).ratio(), name) for name in known), reverse=True)
    if slips or not ranked or ranked[0][0] < _CLOSE or ranked[0][1] not in free:
        return None
    return ranked[0][1] if len(ranked) == 1 or ranked[0][0] - ranked[1][0] >= _APART else None


def name(word: str, known: Iterable[str], given: Iterable[str] = ()) -> str | None:
    """The name or option that is surely meant: the only one that differs by one slip, or in case and hyphens alone.

    A key that is unknown says nothing; a name may be that of something which is still to be written. So likeness does
    not suffice, another number is another thing (`golden2` is no slip of `golden`), and of names with one spelling or
    one slip between them there must be no second. What is `given` beside it already is not meant again.
    """
    names, digits = set(known), re.findall("[0-9]+", word)
    close = [one for one in names if _bare(one) == _bare(word) or _slip(word, one)]
    if len(close) != 1 or close[0] in given or re.findall("[0-9]+", close[0]) != digits:
        return None
    return close[0]


def _slip(word: str, name: str) -> bool:
    """Whether a letter is wrong, missing or too many, or two have changed places; in words of three letters or more."""
    if min(len(word), len(name)) < _SHORTEST or abs(len(word) - len(name)) > 1 or word == name:
        return False
    same = next((at for at, (one, other) in enumerate(zip(word, name, strict=False)) if one != other), len(word))
    rest, other = word[same:], name[same:]
    swapped = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return swapped or rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]


def _bare(word: str) -> str:
    return re.sub("[-_ ]", "", word).lower()


def value(kinds: Iterable[str], found: Any, raw: str) -> str | None:
    """How the value is surely to be written so that it has the type that is needed; `raw` is how it is."""
    kind = next(iter(kinds))
    if "\n" in raw or raw.startswith(("*", "&", "!", "|", ">")):
        return None
    if isinstance(found, str):
        if kind == "boolean":
            return SWITCHES.get(found.lower())
        return found if kind in PYTHON and isinstance(unquoted(found), PYTHON[kind]) else None
    if kind == "string" and isinstance(found, int | float) and not isinstance(found, bool):
        return f'"{raw}"'
    return None


def unquoted(text: str) -> Any:
    """What the text means without quotes."""
    try:
        return meaning(text)
    except OddNumber:
        return text


def quantity(pattern: str, text: str) -> str | None:
    """A duration or an amount of memory in the one spelling that the language has, if this is another one of it."""
    amounts = _AMOUNT.findall(text.strip())
    if not amounts or "".join(match[0] for match in _AMOUNT.finditer(text.strip())) != text.strip():
        return None
    if pattern == MEMORY and len(amounts) == 1 and amounts[0][1] in _SIZES and amounts[0][0].isdigit():
        return _if_fits(MEMORY, f"{int(amounts[0][0])}{_SIZES[amounts[0][1]]}")
    if pattern == DURATION and all(unit in _TIMES for _, unit in amounts):
        return _duration(sum((Fraction(n) * _TIMES[unit] for n, unit in amounts), Fraction(0)), amounts[-1][1])
    return None


def _duration(seconds: Fraction, unit: str) -> str | None:
    """So many seconds in the unit that was written last, or else in the largest that makes a whole number."""
    own = next((letter for letter, size in _SECONDS.items() if size == _TIMES[unit]), "d")
    for letter in (own, *reversed(_SECONDS)):
        if seconds % _SECONDS[letter] == 0:
            return _if_fits(DURATION, f"{seconds // _SECONDS[letter]}{letter}")
    return None


def _if_fits(pattern: str, text: str) -> str | None:
    return text if re.fullmatch(pattern, text) else None
