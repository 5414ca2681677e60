"""What a change to specs does, for tools: SARIF 2.1.0, and annotations that GitHub's log turns into marks."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from clspec.diff.change import Failure, Review
from clspec.diff.levels import LEVELS, Level
from clspec.report.annotations import SARIF_SCHEMA, command, location
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.diff.change import Change

_SARIF = {Level.BLOCK: "error", Level.REVIEW: "warning", Level.INFO: "note"}
_COMMANDS = {Level.BLOCK: "error", Level.REVIEW: "warning", Level.INFO: "notice"}
_RULE = "review/"


def as_sarif(outcomes: Sequence[Review | Failure], version: str) -> str:
    """One run of this version of clspec; a spec that could not be compared makes it an unsuccessful one."""
    results = [result for one in outcomes for result in _results(one)]
    rules = [
        {
            "id": f"{_RULE}{name}",
            "shortDescription": {"text": row.title},
            "fullDescription": {"text": row.text},
            "defaultConfiguration": {"level": _SARIF[row.level]},
        }
        for name, row in LEVELS.items()
    ]
    failed = [one for one in outcomes if isinstance(one, Failure)]
    notes = [{"level": "error", "message": {"text": visible(f"{one.spec}: {one.reason}")}} for one in failed]
    invocation = {"executionSuccessful": not failed, "toolExecutionNotifications": notes}
    driver = {"name": "clspec", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "invocations": [invocation], "columnKind": "unicodeCodePoints"}
    found = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{**run, "results": results}]}
    return json.dumps(found, indent=2) + "\n"


def _results(one: Review | Failure) -> Iterator[dict[str, Any]]:
    for problem in one.problems:
        where = [location(problem.path, problem.span)]
        text = visible(problem.message)
        yield {
            "ruleId": problem.code,
            "level": problem.severity.value,
            "message": {"text": text},
            "locations": where,
        }
    for change in one.changes if isinstance(one, Review) else ():
        yield _result(one.spec, change)


def _result(spec: str, change: Change) -> dict[str, Any]:
    head = change.head
    identity = json.dumps([spec, change.row, change.where, change.environment])
    found: dict[str, Any] = {
        "ruleId": f"{_RULE}{change.row}",
        "level": _SARIF[change.level],
        "message": {"text": visible(f"{change.where}: {change.sentence}")},
        "locations": [location(head.path if head else spec, head.span if head else None)],
        "partialFingerprints": {"clspecChange/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }
    return found


def as_github(outcomes: Sequence[Review | Failure]) -> str:
    """One workflow command a line; whatever a spec says, it starts no command of its own."""
    return "".join(line + "\n" for one in outcomes for line in _commands(one))


def _commands(one: Review | Failure) -> Iterator[str]:
    if isinstance(one, Failure):
        yield command("error", one.spec, None, "clspec: not compared", one.reason)
    for problem in one.problems:
        yield command(problem.severity.value, problem.path, problem.span, problem.code, problem.message)
    for change in one.changes if isinstance(one, Review) else ():
        head = change.head
        path, span = (head.path, head.span) if head else (one.spec, None)
        title = f"{change.level.value}: {LEVELS[change.row].title}"
        yield command(_COMMANDS[change.level], path, span, title, f"{change.where}: {change.sentence}")
