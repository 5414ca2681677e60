"""A warning may be accepted for a while: one code at one place, by somebody, until a day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from clspec.codes import CODES
from clspec.diagnostic import Severity, did_you_mean, has_errors
from clspec.parse import Absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.spec import Waiver

_TARGETS = "CLS5"
"""How the codes begin that a target tells of."""


def waivers_are_of_warnings(facts: Facts) -> Iterator[Diagnostic]:
    """What is waived is a warning that there is, and the day is one of the calendar."""
    for index, waiver in enumerate(facts.spec.waivers):
        at = ("waivers", index)
        code = CODES.get(waiver.code)
        if code is None:
            message = f"there is no code `{waiver.code}`"
            yield facts.problem("CLS301", (*at, "code"), message, did_you_mean(waiver.code, CODES))
        elif code.severity is Severity.ERROR:
            message = f"{waiver.code} ({code.title}) is an error, which nothing waives"
            yield facts.problem("CLS701", (*at, "code"), message, "mend its cause")
        if _day(waiver) is None:
            message = f"`{waiver.expires}` is no day of the calendar"
            yield facts.problem("CLS205", (*at, "expires"), message, "a date such as `2027-03-01`")


def _day(waiver: Waiver) -> date | None:
    try:
        return date.fromisoformat(waiver.expires)
    except ValueError:
        return None


def all_of(facts: Facts) -> tuple[Waiver, ...]:
    """The waivers of a spec, as far as they can be read."""
    try:
        return tuple(facts.spec.waivers)
    except Absent:
        return ()


def in_force(facts: Facts, as_of: date) -> tuple[Waiver, ...]:
    """The waivers that have not expired; on the day itself they have."""
    return tuple(waiver for waiver in all_of(facts) if (day := _day(waiver)) is not None and as_of < day)


def split(
    found: Iterable[Diagnostic], waivers: tuple[Waiver, ...]
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """The problems that remain, and the warnings that are waived."""
    accepted = {(waiver.code, waiver.path) for waiver in waivers}
    remaining: list[Diagnostic] = []
    waived: list[Diagnostic] = []
    for problem in found:
        silent = not problem.is_error and (problem.code, problem.where) in accepted
        (waived if silent else remaining).append(problem)
    return tuple(remaining), tuple(waived)


def complaints(facts: Facts, found: tuple[Diagnostic, ...], as_of: date) -> Iterator[Diagnostic]:
    """What is to be said of waivers themselves: that one has expired, or that there is nothing to waive.

    Whether one is of use is left open while there are errors, behind which its warning may hide.
    """
    valid = in_force(facts, as_of)
    warned = {(problem.code, problem.where) for problem in found if not problem.is_error}
    for index, waiver in enumerate(all_of(facts)):
        at = ("waivers", index)
        if waiver not in valid and _day(waiver) is not None:
            message = f"the waiver of {waiver.code} has expired on {waiver.expires}"
            hint = f"mend the cause, or ask {waiver.owner} for another day"
            yield facts.problem("CLS702", (*at, "expires"), message, hint)
        elif (waiver.code, waiver.path) not in warned and not has_errors(found) and not _of_a_target(waiver):
            message = f"there is no {waiver.code} at `{waiver.path}`"
            hint = did_you_mean(waiver.path, (where for code, where in warned if code == waiver.code))
            yield facts.problem("CLS703", (*at, "path"), message, hint or "remove the waiver")


def _of_a_target(waiver: Waiver) -> bool:
    return waiver.code.startswith(_TARGETS)


RULES = (waivers_are_of_warnings,)
