"""Schedules and time zones as Argo reads them: robfig/cron 3 with five fields, and the names of the IANA zones."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every ([0-9.]+(h|m|s|ms|us|ns))+")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(name: str) -> bool:
    """Whether there is such a zone."""
    return name == "Local" or name in _zones()


def schedule(text: str) -> str:
    """Why a schedule cannot be read, or nothing."""
    words = text.split()
    if words and words[0].startswith(("TZ=", "CRON_TZ=")):
        words = words[1:]
    if text.startswith("@"):
        return "" if text in _NAMED or _EVERY.fullmatch(text) else "no such word"
    if len(words) != len(_FIELDS):
        return f"it has {len(words)} fields, not five"
    found = (why for word, field in zip(words, _FIELDS, strict=True) if (why := _field(word, *field)))
    return next(found, "")


def _field(text: str, what: str, least: int, most: int, names: tuple[str, ...]) -> str:
    for item in text.split(","):
        days, slash, step = item.partition("/")
        if slash and not (step.isdigit() and int(step)):
            return f"{what} {item!r}: a step is a number"
        if days in ("*", "?"):
            continue
        ends = [names.index(end.lower()) + least if end.lower() in names else end for end in days.split("-")]
        if len(ends) > 2 or not all(str(end).isdigit() for end in ends):  # noqa: PLR2004  # from, to
            return f"{what} {item!r} cannot be read"
        numbers = [int(end) for end in ends]
        if not all(least <= number <= most for number in numbers):
            return f"{what} {item!r} is not between {least} and {most}"
        if numbers != sorted(numbers):
            return f"{what} {item!r} ends before it begins"
    return ""
