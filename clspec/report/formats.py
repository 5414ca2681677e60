"""Problems for tools: SARIF 2.1.0, annotations that GitHub's log turns into marks, and JUnit's XML."""

from __future__ import annotations

import hashlib
import html
import json
from typing import TYPE_CHECKING, Any

from clspec.codes import CODES
from clspec.report.annotations import SARIF_SCHEMA, command, location, region, uri
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.diagnostic import Diagnostic, Fix


def as_sarif(found: Sequence[Diagnostic], failures: Mapping[str, str], version: str) -> str:
    """One run of this version of clspec; a spec that could not be read makes it an unsuccessful one.

    `failures` says by path what could not be judged, and why.
    """
    used = sorted({one.code for one in found})
    rules = [_rule(code) for code in used]
    numbers = {code: number for number, code in enumerate(used)}
    driver = {"name": "clspec", "version": version, "rules": rules}
    notes = [
        {"level": "error", "message": {"text": visible(reason)}, "locations": [location(path, None)]}
        for path, reason in failures.items()
    ]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not failures, "toolExecutionNotifications": notes}],
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, numbers[one.code]) for one in found],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.text},
        "help": {"text": f"`clspec explain {code}` says more, with examples."},
        "defaultConfiguration": {"level": known.severity.value},
    }


def _result(one: Diagnostic, rule: int) -> dict[str, Any]:
    told = f"{one.message} ({one.hint})" if one.hint else one.message
    identity = json.dumps([one.path, one.code, one.where, one.message])
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.severity.value,
        "message": {"text": visible(told)},
        "locations": [location(one.path, one.span)],
        "partialFingerprints": {"clspecProblem/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()},
    }
    if one.related:
        result["relatedLocations"] = [
            {**location(one.path, other.span), "id": number, "message": {"text": visible(other.message)}}
            for number, other in enumerate(one.related, 1)
        ]
    if one.fix:
        result["fixes"] = [_fix(one.path, one.fix)]
    return result


def _fix(path: str, fix: Fix) -> dict[str, Any]:
    replacement = {"deletedRegion": region(fix.span), "insertedContent": {"text": fix.text}}
    return {
        "description": {"text": visible(f"write {fix.text}")},
        "artifactChanges": [{"artifactLocation": {"uri": uri(path)}, "replacements": [replacement]}],
    }


def as_github(found: Sequence[Diagnostic], failures: Mapping[str, str]) -> str:
    """One workflow command a line."""
    lines = [command("error", path, None, "clspec: not judged", reason) for path, reason in failures.items()]
    for one in found:
        told = "\n".join(text for text in (one.message, one.hint) if text)
        lines.append(command(one.severity.value, one.path, one.span, f"{one.code}: {CODES[one.code].title}", told))
    return "".join(f"{line}\n" for line in lines)


def as_junit(paths: Sequence[str], found: Sequence[Diagnostic], failures: Mapping[str, str]) -> str:
    """A suite for every spec: a failing case for each of its problems, or one that passes; an error if it is unread.

    What is said of a file beside a spec, its lock, stands in the suite of that file.
    """
    files = dict.fromkeys((*paths, *(one.path for one in found)))
    suites = [_suite(path, [one for one in found if one.path == path], failures.get(path)) for path in files]
    total = len(found) + sum(path in failures or not _about(path, found) for path in files)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="clspec check" tests="{total}" failures="{len(found)}" errors="{len(failures)}">',
        *(line for suite in suites for line in suite),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _about(path: str, found: Sequence[Diagnostic]) -> bool:
    return any(one.path == path for one in found)


def _suite(path: str, found: Sequence[Diagnostic], failure: str | None) -> Iterator[str]:
    name, broken = _attribute(path), failure is not None
    tests = len(found) + (broken or not found)
    yield f'  <testsuite name={name} tests="{tests}" failures="{len(found)}" errors="{int(broken)}">'
    if failure is not None:
        yield f'    <testcase classname={name} name="can be read"><error message={_attribute(failure)}/></testcase>'
    elif not found:
        yield f'    <testcase classname={name} name="has no problems"/>'
    for one in found:
        place = f"{one.span.line}:{one.span.column}" if one.span else "whole file"
        case = _attribute(f"{one.code} at {place}")
        told = html.escape(visible(one.hint))
        yield f"    <testcase classname={name} name={case}>"
        yield f'      <failure type="{one.severity.value}" message={_attribute(one.message)}>{told}</failure>'
        yield "    </testcase>"
    yield "  </testsuite>"


def _attribute(text: str) -> str:
    return f'"{html.escape(visible(text))}"'
