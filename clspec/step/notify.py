"""notify: tell people how a run went, at the webhooks that the spec names; it changes nothing about the run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.step.job import Job

_LISTED = 20
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that happened in a run, and what is known of it."""

    event: str
    headline: str
    reasons: tuple[str, ...] = ()


def run(job: Job) -> None:
    """Send what happened to every webhook that wants to be told of it, and say for each whether it was.

    A notification that does not arrive is told of and fails nothing; what stands in the variable is never shown.
    """
    read = {name: found for name in job.inputs if (found := _read(job, name)) is not None}
    news = tuple(happened(read, job.config.get("pipeline", "")))
    for wanted in job.config["notify"]:
        for item in news:
            if item.event in wanted["on_event"]:
                complaint = _tell(wanted["webhook_env"], _message(job, item, read, wanted["format"]))
                outcome = f"was not told: {complaint}" if complaint else "was told"
                _say(f"{item.event}: the webhook in {wanted['webhook_env']} {outcome}")
    if not news:
        _say("nothing happened that anybody wants to be told of")


def _say(text: str) -> None:
    print(f"notify: {text}", flush=True)  # noqa: T201


def _read(job: Job, name: str) -> dict[str, Any] | None:
    """An input; one that cannot be read is as one that was never made, and is told of."""
    try:
        return job.read_json(name)
    except StepFailed as failure:
        _say(str(failure))
        return None


def happened(read: dict[str, dict[str, Any]], pipeline: str) -> Iterator[News]:
    """What happened in a run that left these results."""
    verdict = read.get("verdict")
    if verdict is not None and verdict.get("verdict") != "pass":
        reasons = verdict.get("reasons")
        told = tuple(map(str, reasons)) if isinstance(reasons, list) else ()
        yield News(event="gate_failed", headline=f"the verdict is {verdict.get('verdict', 'missing')}", reasons=told)
    if missing := _missing(read, pipeline):
        yield News(event="run_failed", headline=f"the run ended before {missing}")
    alarms = read.get("loop-labels", {}).get("alarms") or []
    if alarms:
        yield News(event="alarm", headline="people's labels raise an alarm", reasons=tuple(map(str, alarms)))
    promoted = read.get("loop-promoted", {})
    reached = promoted.get("reached") or []
    if reached:
        stages = " and ".join(map(str, reached))
        yield News(event="promoted", headline=f"model {promoted.get('model')} is now {stages}")
    if promoted.get("awaiting"):
        command = f"clspec promote {promoted.get('model')} --stage {promoted['awaiting']} --approved-by NAME"
        headline = f"stage {promoted['awaiting']} awaits approval by {promoted.get('approval') or 'somebody'}"
        yield News(event="awaiting_approval", headline=headline, reasons=(command,))


def _missing(read: dict[str, dict[str, Any]], pipeline: str) -> str:
    """What a run that comes to its end does, and this one has not; nothing if it has done it all."""
    decision = read.get("loop-decision")
    idle = decision is not None and decision.get("retrain") is False
    if "verdict" not in read and not idle:
        return "a verdict was reached" if decision or pipeline != "improvement" else "anything was decided"
    if pipeline != "improvement":
        return ""
    if "loop-queued" not in read:
        return "its mistakes were put up for labelling"
    passed = read.get("verdict", {}).get("verdict") == "pass"
    return "its model was promoted" if passed and "loop-promoted" not in read else ""


def _message(job: Job, news: News, read: dict[str, dict[str, Any]], form: str) -> bytes:
    """The body that is posted."""
    reasons = [reason[:_LONGEST] for reason in news.reasons[:_LISTED]]
    spec = job.config["spec"]
    if form == "json":
        body = {
            "spec": spec,
            "pipeline": job.config.get("pipeline"),
            "event": news.event,
            "message": news.headline,
            "reasons": reasons,
            "verdict": read.get("verdict", {}).get("verdict"),
            "model": read.get("loop-promoted", {}).get("model"),
            "as_of": job.as_of.isoformat(),
        }
        return canonical(body).encode()
    lines = [f"{spec}: {news.event.replace('_', ' ')}: {news.headline}", *(f"- {reason}" for reason in reasons)]
    more = len(news.reasons) - len(reasons)
    lines += [f"- and {more} more"] if more else []
    return canonical({"text": _escaped("\n".join(lines))}).encode()


def _escaped(text: str) -> str:
    """Text as Slack shows it, with no mention or link made of what stands in a spec."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tell(variable: str, body: bytes) -> str:
    """Post to the URL in a variable; why it did not arrive, or nothing."""
    from clspec.step.webhook import post  # noqa: PLC0415  # TLS and more, which most runs have nobody to tell with

    url = os.environ.get(variable, "").strip()
    return post(url, body) if url else f"the variable {variable} is not set"
