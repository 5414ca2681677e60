"""A schedule must name times that exist, in a time zone that exists."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from clspec.diagnostic import did_you_mean
from clspec.spec import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?", re.ASCII)


def cron_complaint(cron: str) -> str:
    """What is wrong with a five-field cron line, or nothing."""
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return f"a schedule has five fields, not {len(fields)}"
    for text, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        for part in text.lower().split(","):
            if not _part_fits(part, low, high, words):
                return f"`{text}` is not possible as the {name} ({low}-{high})"
    return _never(fields)


def _part_fits(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match[3] == "0" or match[3] == "00":
        return False
    ends = [_number(end, low, words) for end in (match[1], match[2]) if end is not None]
    return all(end is not None and low <= end <= high for end in ends) and ends == sorted(ends, key=lambda e: e or 0)


def _number(text: str, low: int, words: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return words.index(text) + low if text in words else None


def _never(fields: list[str]) -> str:
    """A day that no month of the line has, such as 30 February."""
    _, _, day, month, weekday = fields
    longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
    if weekday != "*" or not day.isdigit():
        return ""
    months = [_number(m, 1, _MONTHS) for m in month.lower().split(",")]
    if all(m is not None and int(day) > longest.get(m, 31) for m in months):
        return f"there is no day {day} in month {month}"
    return ""


@cache
def time_zones() -> frozenset[str]:
    """The IANA time zones, from the `tzdata` package: the same on every machine."""
    from importlib.resources import files  # noqa: PLC0415  # only a spec with a schedule needs it

    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def schedules_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every schedule can come, and its time zone is known."""
    for index, trigger in enumerate(facts.spec.triggers):
        if not isinstance(trigger, Schedule):
            continue
        if complaint := cron_complaint(trigger.cron):
            yield facts.problem("CLS314", ("triggers", index, "cron"), complaint)
        if trigger.time_zone not in time_zones():
            hint = did_you_mean(trigger.time_zone, time_zones()) or "a name such as `UTC` or `Europe/Berlin`"
            at = ("triggers", index, "time_zone")
            yield facts.problem("CLS314", at, f"there is no time zone `{trigger.time_zone}`", hint)


RULES = (schedules_exist,)
