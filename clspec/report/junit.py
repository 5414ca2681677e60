"""A verdict as JUnit's XML, in which every check of a scenario, under every seed, is a test case.

A suite is green only where the verdict is a pass: what must pass and does not is a failure, what has no result is an
error, and one more case, `verdict`, is the verdict itself, so that a suite without a scenario is no green one. What is
told and refuses no model, and a comparison with nobody, are skipped cases that say so.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGNS = {"min": ">= {:g}", "max": "<= {:g}", "margin": "> -{:g}", "max_gap": "gap <= {:g}"}
_IN_QUOTES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#09;"})
"""A reader takes the end of a line in an attribute for a space, where it is not written as a reference."""
_LOST = "error"
_COUNTED = {"failures": "failure", "errors": _LOST, "skipped": "skipped"}


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """A test case and, if it did not pass, what came of it: a word of JUnit's, of which kind, and what is told."""

    group: str
    name: str
    seconds: float = 0.0
    came: str = ""
    kind: str = ""
    told: str = ""


def suite(result: Mapping[str, Any]) -> str:
    """The XML of a result (see `clspec.report.result`).

    Raises:
        LookupError, TypeError: it has not that form.
    """
    run = result["run"] or {}
    name = f"{result['spec']}.{result['pipeline']}"
    cases = [*_cases(result, name), *_steps(run, name), _verdict(result, name)]
    totals = {"tests": len(cases), **{n: sum(case.came == word for case in cases) for n, word in _COUNTED.items()}}
    told = _named({"name": name, **totals, "time": f"{run.get('seconds', 0.0):.3f}"})
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{told}>",
        f"  <testsuite{told}{_named(_when(run))}>",
        "    <properties>",
        *(f"      <property{_named({'name': n, 'value': value})} />" for n, value in _properties(result).items()),
        "    </properties>",
        *map(_written, cases),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _written(case: _Case) -> str:
    """A case as XML: the first line of what is told as its message, and where there is more all of it as its text."""
    named = _named({"classname": case.group, "name": case.name, "time": f"{case.seconds:.3f}"})
    if not case.came:
        return f"    <testcase{named} />"
    first, _, rest = case.told.partition("\n")
    came = f"{case.came}{_named({'message': first, **({'type': case.kind} if case.kind else {})})}"
    whole = f"<{came}>{escape(_text(case.told), quote=False)}</{case.came}>" if rest else f"<{came} />"
    return f"    <testcase{named}>\n      {whole}\n    </testcase>"


def _named(values: Mapping[str, object]) -> str:
    return "".join([f' {name}="{_text(value).translate(_IN_QUOTES)}"' for name, value in values.items()])


def _when(run: Mapping[str, Any]) -> dict[str, str]:
    """When the run began, as the schema wants it: to the second, without a zone."""
    return {"timestamp": run["began"][:19]} if run else {}


def _properties(result: Mapping[str, Any]) -> dict[str, str]:
    """What was judged, and by which run."""
    return {
        "verdict": result["verdict"],
        "code": result["code"],
        "champion": (result["champion"] or {}).get("model") or "none",
        **{f"model of seed {seed}": model or "none" for seed, model in result["models"].items()},
        **{f"dataset {name}": digest or "made in this run" for name, digest in result["datasets"].items()},
        **({"run": result["run"]["id"]} if result["run"] else {}),
    }


def _cases(result: Mapping[str, Any], name: str) -> Iterator[_Case]:
    for scenario in result["scenarios"]:
        for check in scenario["checks"]:
            title = f"{_title(check, scenario['id'])} (seed {check['seed']})"
            came, kind, told = _came(check, must_pass=scenario["must_pass"])
            yield _Case(group=f"{name}.{scenario['id']}", name=title, came=came, kind=kind, told=told)


def _came(check: Mapping[str, Any], *, must_pass: bool) -> tuple[str, str, str]:
    """What came of a check: a word of JUnit's, its kind, and what is told; nothing where it passed."""
    word, told = check["verdict"], f"{check['verdict']}: {check['reason']}"
    if word == "not_compared":
        return "skipped", "", told
    if word == "pass":
        return "", "", ""
    if not must_pass:
        return "skipped", "", f"not must-pass, {told}"
    return (_LOST, "missing", told) if check["estimate"] is None else ("failure", word, told)


def _title(check: Mapping[str, Any], scenario: str) -> str:
    about = f" {check['class']}" if check["class"] else ""
    case = check["case"] if check["case"] != scenario else ""
    part = "guard: " if check["part"] == "guard" else ""
    demand = _SIGNS[check["kind"]].format(check["threshold"])
    return f"{case + ': ' if case else ''}{part}{check['metric']}{about} {demand}"


def _steps(run: Mapping[str, Any], name: str) -> Iterator[_Case]:
    """The step that ended a run: what came after it was not judged. `conclude` only says what the verdict says."""
    failed = run.get("failed_step")
    if failed and failed != "conclude":
        seconds = run["steps"].get(failed, {}).get("seconds", 0.0)
        told = f"step {failed} ended the run with exit code {run['exit_code']}"
        yield _Case(group=f"{name}.steps", name=failed, seconds=seconds, came=_LOST, kind="step", told=told)


def _verdict(result: Mapping[str, Any], name: str) -> _Case:
    """The verdict itself as a case; a run that made no model, and was not to, skips it."""
    word, run = result["verdict"], result["run"]
    reasons = "\n".join([*result["reasons"], *result["alarms"]]) or f"the verdict is {word}"
    if result["passed"]:
        return _Case(group=name, name="verdict")
    judged = any(scenario["checks"] for scenario in result["scenarios"])
    if word == "not judged" and not result["alarms"] and (run is None or run["exit_code"] == 0):
        told = "this run made no model, so there was none to judge"
        return _Case(group=name, name="verdict", came="skipped", told=told)
    if word in {"pass", "fail", "inconclusive", "not_compared"} and judged:
        told = reasons if word != "pass" or result["alarms"] else "the verdict is pass, and the run did not end well"
        return _Case(group=name, name="verdict", came="failure", kind=word, told=told)
    return _Case(group=name, name="verdict", came=_LOST, kind="missing", told=reasons)


def _text(value: object) -> str:
    """Text that XML 1.0 can hold and nobody mistakes: what neither prints nor breaks a line stands as an escape."""
    shown = str(value)
    if shown.isprintable():
        return shown
    return "".join(
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in shown
    )
