"""A spec's text with what surely mends its problems written in: comments and layout stay, and no error is added."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import compile as pipe
from clspec.diagnostic import UsageError
from clspec.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from clspec.compile import Checked
    from clspec.diagnostic import Diagnostic, Fix

_ALONE = 40
"""So many fixes are tried one by one where together they would make things worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What a spec is and what it would be; `fixed` are the problems that are gone by a fix of theirs."""

    before: Checked
    after: Checked
    fixed: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.before.text != self.after.text


def mended(path: str, environment: str | None, day: date) -> Mended:
    """A spec with all fixes made that leave it with no more errors than it has; nothing is written.

    Raises:
        UsageError: the path cannot be read, or there is no such environment.
    """
    before = after = pipe.read(path, environment, day)
    fixed: list[Diagnostic] = []
    seen = {before.text}
    while chosen := _apart(problem for problem in after.diagnostics if problem.path == path):
        for some in (chosen, *([one] for one in chosen[:_ALONE] if len(chosen) > 1)):
            text = with_fixes(after.text, [problem.fix for problem in some if problem.fix])
            if text in seen:  # two rules want two names in one place
                continue
            found = pipe.judged(opened(path, text=text), environment, day)
            if _errors(found) <= _errors(after):
                after = found
                seen.add(text)
                fixed += some
                break
        else:
            break
    return Mended(before=before, after=after, fixed=tuple(fixed))


def _errors(checked: Checked) -> tuple[bool, int]:
    return checked.facts is None, sum(problem.is_error for problem in checked.diagnostics)


def _apart(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The problems with a fix, in the order of the text, without those that would write into another one's place."""
    found: list[Diagnostic] = []
    fixable = [problem for problem in problems if problem.fix]
    for problem in sorted(fixable, key=lambda one: one.fix.span if one.fix else one.span):  # type: ignore[arg-type, return-value]
        last = found[-1].fix if found else None
        if last is None or problem.fix is None or _end(last) <= _start(problem.fix):
            found.append(problem)
    return found


def _start(fix: Fix) -> tuple[int, int]:
    return fix.span.line, fix.span.column


def _end(fix: Fix) -> tuple[int, int]:
    return fix.span.end_line, fix.span.end_column


def with_fixes(text: str, fixes: Sequence[Fix]) -> str:
    """A text with other words in some places, which do not overlap; all else stays as it is, to the byte."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""  # is no column
    body = text.removeprefix(mark)
    starts = list(accumulate((len(line) + 1 for line in body.split("\n")), initial=0))
    parts, at = [mark], 0
    for fix in fixes:
        start, end = (starts[line - 1] + column - 1 for line, column in (_start(fix), _end(fix)))
        parts += [body[at:start], fix.text]
        at = end
    return "".join((*parts, body[at:]))


def write(found: Mended) -> None:
    """Put the mended text in the place of the spec, whole or not at all; its mode stays, and a link stays a link.

    Raises:
        UsageError: it cannot be written, or somebody else has written it meanwhile.
    """
    place = Path(found.before.path).resolve()
    scratch = ""
    try:
        if place.read_bytes() != found.before.text.encode():
            message = f"{found.before.path} was changed meanwhile: nothing was written, try again"
            raise UsageError(message)
        handle, scratch = tempfile.mkstemp(prefix=".clspec-", dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(found.after.text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(place.stat().st_mode & 0o7777)
        Path(scratch).replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(scratch).unlink()
        message = f"cannot write {found.before.path}: {error.strerror or error}"
        raise UsageError(message) from error
