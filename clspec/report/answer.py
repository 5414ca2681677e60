"""What a reader of a page is told first: whether the model passed, in a word and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report.judged import WORDS, signed
from clspec.report.result import MISSING
from clspec.runs import ENDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.report.judged import Scenario
    from clspec.report.ran import Ran


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is told first: the word, its sign, a class for its colour, and a sentence."""

    word: str
    sign: str
    kind: str
    sentence: str


def answer(content: Mapping[str, Any], ran: Ran | None, scenarios: Sequence[Scenario]) -> Answer:
    """Nothing is told as passed but a pass of a run that, as far as anybody knows, ended well."""
    verdict = content["verdict"]
    sign, word, kind = signed(verdict)
    sentence = _sentence(content, scenarios)
    raised = alarms(content)
    if ran is not None and ran.exit_code != 0 and ran.failed != "conclude":
        told = f"The verdict was {verdict}. {sentence}" if content["seeds"] else "No model was judged."
        word = f"run {ENDS[ran.exit_code]}" if ran.was_stopped else "run failed"
        return Answer(word=word, sign="✗", kind="fail", sentence=f"{_ended(ran)} {told}")
    if verdict in {"pass", "not judged"} and (raised or (ran is not None and ran.exit_code != 0)):
        told = f"The verdict is {verdict}, and yet the run does not end well. {sentence}"
        return Answer(word="alarm" if raised else "run failed", sign="✗", kind="fail", sentence=told)
    if verdict == MISSING and ran is not None:
        told = "Only a part of the pipeline ran, and nothing was judged."
        return Answer(word="not judged", sign="-", kind="none", sentence=told)
    return Answer(word=word if verdict in WORDS else "failed", sign=sign, kind=kind, sentence=sentence)


def _ended(ran: Ran) -> str:
    """How a run ended that did not end well, in a sentence."""
    if ran.was_stopped:
        at_work = f"; at work: {', '.join(ran.at_work)}" if ran.at_work else ", while no step was at work"
        return f"The run was {ENDS[ran.exit_code]}{at_work}. The next one goes on from what is done."
    if ran.failed and not ran.why:
        return f"Step {ran.failed} ended the run with exit code {ran.exit_code}."
    return f"The run ended with exit code {ran.exit_code}: {ran.why or 'it is not known why'}."


def _sentence(content: Mapping[str, Any], scenarios: Sequence[Scenario]) -> str:
    if not scenarios:
        if content["verdict"] == "not judged":
            why = _why_none(content.get("loop", {}))
            return "This run made no model, so there was none to judge." + (f" Why: {why}." if why else "")
        return "No scenario was judged, and what was not judged is not passed."
    critical = [s for s in scenarios if s.must_pass]
    good = sum(stands(s, content["verdict"]) for s in critical)
    excused = [s.name for s in critical if s.verdict == "not_compared" and stands(s, content["verdict"])]
    left = f" There was no champion to compare {', '.join(excused)} with, which the spec excuses." if excused else ""
    return (
        f"{good} of {len(critical)} must-pass scenarios pass under every seed.{left} "
        "What could not be shown counts as not passed."
    )


def stands(scenario: Scenario, verdict: str) -> bool:
    """Whether a scenario speaks for the model; where the whole passed, a comparison with nobody was excused."""
    return scenario.verdict == "pass" or (scenario.verdict == "not_compared" and verdict == "pass")


def _why_none(told: Mapping[str, Any]) -> str:
    """Why the loop trained nothing, where it decided so."""
    decision = told.get("decision", {"retrain": True})
    return "" if decision["retrain"] else str(decision["reason"])


def alarms(content: Mapping[str, Any]) -> Sequence[str]:
    """What labels from production told against the models that are out there."""
    found: Sequence[str] = content.get("loop", {}).get("labels", {}).get("alarms", [])
    return found
