"""A verdict as JUnit's XML, in which every check of a scenario, under every seed, is a test case.

A suite is green only where the verdict is a pass: what must pass and does not is a failure, what has no result is an
error, and one more case, `verdict`, is the verdict itself, so that a suite without a scenario is no green one. What is
told and refuses no model, and a comparison with nobody, are skipped cases that say so.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGNS = {"min": ">= {:g}", "max": "<= {:g}", "margin": "> -{:g}", "max_gap": "gap <= {:g}"}
_LOST = "error"
_COUNTED = {"failure": "failures", _LOST: "errors", "skipped": "skipped"}


def suite(result: Mapping[str, Any]) -> str:
    """The XML of a result (see `clspec.report.result`).

    Raises:
        LookupError, TypeError: it has not that form.
    """
    run = result["run"] or {}
    name = f"{result['spec']}.{result['pipeline']}"
    cases = [*_cases(result, name), *_steps(run, name), _verdict(result, name)]
    totals = {"tests": str(len(cases)), "failures": "0", "errors": "0", "skipped": "0"}
    for case in cases:
        for child in case:
            if child.tag in _COUNTED:
                totals[_COUNTED[child.tag]] = str(int(totals[_COUNTED[child.tag]]) + 1)
    took = {"time": f"{run.get('seconds', 0.0):.3f}"}
    root = Element("testsuites", {"name": _text(name), **totals, **took})
    made = SubElement(root, "testsuite", {"name": _text(name), **totals, **took, **_when(run)})
    made.append(_properties(result))
    made.extend(cases)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _when(run: Mapping[str, Any]) -> dict[str, str]:
    """When the run began, as the schema wants it: to the second, without a zone."""
    return {"timestamp": _text(run["began"])[:19]} if run else {}


def _properties(result: Mapping[str, Any]) -> Element:
    found = Element("properties")
    told = {
        "verdict": result["verdict"],
        "code": result["code"],
        "champion": (result["champion"] or {}).get("model") or "none",
        **{f"model of seed {seed}": model or "none" for seed, model in result["models"].items()},
        **{f"dataset {name}": digest or "made in this run" for name, digest in result["datasets"].items()},
        **({"run": result["run"]["id"]} if result["run"] else {}),
    }
    for name, value in told.items():
        SubElement(found, "property", {"name": _text(name), "value": _text(value)})
    return found


def _cases(result: Mapping[str, Any], name: str) -> Iterator[Element]:
    for scenario in result["scenarios"]:
        for check in scenario["checks"]:
            case = _case(f"{name}.{scenario['id']}", f"{_title(check, scenario['id'])} (seed {check['seed']})")
            told = f"{check['verdict']}: {check['reason']}"
            if check["verdict"] == "not_compared":
                _child(case, "skipped", told)
            elif check["verdict"] != "pass" and not scenario["must_pass"]:
                _child(case, "skipped", f"not must-pass, {told}")
            elif check["verdict"] != "pass" and check["estimate"] is None:
                _child(case, _LOST, told, "missing")
            elif check["verdict"] != "pass":
                _child(case, "failure", told, check["verdict"])
            yield case


def _title(check: Mapping[str, Any], scenario: str) -> str:
    about = f" {check['class']}" if check["class"] else ""
    case = check["case"] if check["case"] != scenario else ""
    part = "guard: " if check["part"] == "guard" else ""
    demand = _SIGNS[check["kind"]].format(check["threshold"])
    return f"{case + ': ' if case else ''}{part}{check['metric']}{about} {demand}"


def _steps(run: Mapping[str, Any], name: str) -> Iterator[Element]:
    """The step that ended a run: what came after it was not judged. `conclude` only says what the verdict says."""
    failed = run.get("failed_step")
    if failed and failed != "conclude":
        case = _case(f"{name}.steps", failed, run["steps"].get(failed, {}).get("seconds", 0.0))
        _child(case, _LOST, f"step {failed} ended the run with exit code {run['exit_code']}", "step")
        yield case


def _verdict(result: Mapping[str, Any], name: str) -> Element:
    """The verdict itself as a case; a run that made no model, and was not to, skips it."""
    case, word, run = _case(name, "verdict"), result["verdict"], result["run"]
    reasons = "\n".join([*result["reasons"], *result["alarms"]]) or f"the verdict is {word}"
    if result["passed"]:
        return case
    judged = any(scenario["checks"] for scenario in result["scenarios"])
    if word == "not judged" and not result["alarms"] and (run is None or run["exit_code"] == 0):
        _child(case, "skipped", "this run made no model, so there was none to judge")
    elif word in {"pass", "fail", "inconclusive", "not_compared"} and judged:
        told = reasons if word != "pass" or result["alarms"] else "the verdict is pass, and the run did not end well"
        _child(case, "failure", told, word)
    else:
        _child(case, _LOST, reasons, "missing")
    return case


def _case(group: str, name: str, seconds: float = 0.0) -> Element:
    return Element("testcase", {"classname": _text(group), "name": _text(name), "time": f"{seconds:.3f}"})


def _child(case: Element, tag: str, told: str, kind: str = "") -> None:
    """What came of a case: the first line as its message, and where there is more all of it as its text."""
    first, _, rest = told.partition("\n")
    found = SubElement(case, tag, {"message": _text(first), **({"type": _text(kind)} if kind else {})})
    if rest:
        found.text = _text(told)


def _text(value: object) -> str:
    """Text that XML 1.0 can hold and nobody mistakes: what neither prints nor breaks a line stands as an escape."""
    return "".join(
        c
        if c in "\n\t" or (c.isprintable() and unicodedata.category(c) != "Cf")
        else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in str(value)
    )
