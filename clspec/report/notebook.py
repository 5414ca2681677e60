"""Values as a notebook shows them: a plan as drawings of its pipelines, a run as the table of its scenarios.

What is shown is HTML with a style of its own and no script; whatever a spec or data said is text in it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clspec.report import dag
from clspec.report.diagnostics import visible
from clspec.report.judged import gate_rows, signed
from clspec.report.markup import Drawn, element

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clspec.plan import Plan

_HEADS = ("scenario", "check", "demanded", "seeds", "verdict")


def plan_html(plan: Plan) -> str:
    """The steps of each pipeline of a plan."""
    parts = [element("h3", f"Plan of {visible(plan.name)}")]
    for pipeline in plan.pipelines:
        steps = dag.steps_of(pipeline)
        picture = element("div", dag.drawn(pipeline.name, steps), class_="scroll")
        heading = element("summary", f"pipeline {visible(pipeline.name)}, {len(steps)} steps")
        parts.append(element("details", heading, picture, open="open"))
    return _framed(parts)


def run_html(run: str, exit_code: int, report: Path | None, failed: str) -> str:
    """How a run ended, its scenarios, and where its page lies."""
    verdict, told = _read(report)
    passed = bool(verdict and verdict["passed"])
    word = verdict["verdict"] if verdict else "missing"
    shown = word if passed or word != "pass" else "run failed"
    parts = [_heading(run, shown, exit_code, failed)]
    if verdict is not None:
        parts += [element("p", visible(line)) for line in (*verdict["reasons"], *verdict["warnings"])]
    if told is not None:
        parts.append(_table(told))
    if report is not None:
        parts.append(element("p", "report: ", element("code", str(report / "report.html"))))
    return _framed(parts)


def _heading(run: str, word: str, exit_code: int, failed: str) -> Drawn:
    sign, text, kind = signed(word)
    ended = f", ended by step {failed}" if failed and failed != "conclude" else ""
    badge = element("span", f"{sign} {text}", class_=f"verdict {kind}")
    return element("h3", badge, f" run {run} (exit code {exit_code}{visible(ended)})")


def _read(report: Path | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The result and the content of a report; nothing where there is none."""
    if report is None:
        return None, None
    try:
        return json.loads((report / "result.json").read_bytes()), json.loads((report / "report.json").read_bytes())
    except (OSError, ValueError):
        return None, None


def _table(content: dict[str, Any]) -> Drawn:
    head = element("tr", *(element("th", word, scope="col") for word in _HEADS))
    body = [element("tr", *cells) for cells in _rows(content)]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll")


def _rows(content: dict[str, Any]) -> Iterator[list[Drawn]]:
    for scenario, must_pass, gate in gate_rows(content):
        sign, text, kind = signed(gate.verdict)
        name = " ".join(filter(None, (scenario, gate.title, "" if must_pass else "(not must-pass)")))
        yield [
            element("th", visible(name), scope="row"),
            element("td", visible(gate.check)),
            element("td", gate.demand),
            element("td", gate.picture),
            element("td", f"{sign} {text}", class_=f"verdict {kind}"),
        ]


def _framed(parts: list[Drawn]) -> str:
    style = files("clspec.report").joinpath("page", "notebook.css").read_text(encoding="utf-8")
    return element("div", element("style", Drawn(style)), *parts, class_="clspec")
