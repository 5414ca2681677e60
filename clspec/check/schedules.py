"""A schedule must name times that exist, in a time zone that exists."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from clspec.diagnostic import did_you_mean
from clspec.spec import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic


class Field(NamedTuple):
    """One of the five fields of a schedule: its numbers, and the words that stand for them."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_PART = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?", re.ASCII)
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def cron_complaint(cron: str) -> str:
    """What is wrong with a five-field cron line, or nothing."""
    texts = cron.split()
    if len(texts) != len(_FIELDS):
        return f"a schedule has five fields, not {len(texts)}"
    values: list[set[int]] = []
    for text, field in zip(texts, _FIELDS, strict=True):
        found = _values(text.lower(), field)
        if found is None:
            return f"`{text}` is not possible as the {field.name} ({field.low}-{field.high})"
        values.append(found)
    _, _, days, months, _ = values
    # With both a day and a weekday, either will do; so only the day alone can be one that never comes.
    if texts[4].startswith("*") and all(min(days) > _LONGEST.get(month, 31) for month in months):
        return f"there is no day {texts[2]} in month {texts[3]}"
    return ""


def _values(text: str, field: Field) -> set[int] | None:
    """The numbers that a field stands for; None where it stands for none."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[3] is not None and int(match[3]) == 0):
            return None
        first, last = _ends(match, field)
        if first is None or last is None or not field.low <= first <= last <= field.high:
            return None
        found.update(range(first, last + 1, int(match[3] or 1)))
    return found


def _ends(match: re.Match[str], field: Field) -> tuple[int | None, int | None]:
    if match[1] is None:
        return field.low, field.high
    first = _number(match[1], field)
    if match[2] is not None:
        return first, _number(match[2], field)
    return first, field.high if match[3] else first


def _number(text: str, field: Field) -> int | None:
    if text.isdigit():
        return int(text)
    return field.words.index(text) + field.low if text in field.words else None


@cache
def time_zones() -> frozenset[str]:
    """The IANA time zones, from the `tzdata` package: the same on every machine."""
    found = find_spec("tzdata")
    assert found is not None  # it is installed with clspec, as a package with files
    assert found.origin is not None
    return frozenset(Path(found.origin).with_name("zones").read_text(encoding="utf-8").split())


def schedules_exist(facts: Facts) -> Iterator[Diagnostic]:
    """Every schedule can come, and its time zone is known."""
    for index, trigger in enumerate(facts.spec.triggers):
        if not isinstance(trigger, Schedule):
            continue
        if complaint := cron_complaint(trigger.cron):
            hint = "minute hour day month weekday, such as `0 2 * * 1-5`"
            yield facts.problem("CLS314", ("triggers", index, "cron"), complaint, hint)
        if trigger.time_zone not in time_zones():
            hint = did_you_mean(trigger.time_zone, time_zones()) or "a name such as `UTC` or `Europe/Berlin`"
            at = ("triggers", index, "time_zone")
            yield facts.problem("CLS314", at, f"there is no time zone `{trigger.time_zone}`", hint)


RULES = (schedules_exist,)
