"""notify: tell people how a run went, at the webhooks that the spec names; it changes nothing about the run."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib import error, request
from urllib.parse import urlsplit

from clspec.diagnostic import StepFailed
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.step.job import Job

TIMEOUT = 10.0
"""After so many seconds an answer is waited for no longer."""
_SCHEMES = ("http", "https")
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
    url = os.environ.get(variable, "").strip()
    if not url:
        return f"the variable {variable} is not set"
    if not _is_usable(url):
        return "the variable holds no http or https URL"
    answers: list[str] = []
    # A thread, since the timeout of a socket starts anew with each byte of a slow answer.
    sender = threading.Thread(target=lambda: answers.append(_post(url, body)), daemon=True)
    sender.start()
    sender.join(TIMEOUT)
    return answers[0] if answers else f"no answer within {TIMEOUT:g} s"


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class _Stays(request.HTTPRedirectHandler):
    """Follows no redirect: it would send the message elsewhere, or as a question without it."""

    def redirect_request(self, *_: Any) -> None:
        """Nowhere."""


def _post(url: str, body: bytes) -> str:
    """Why a message did not arrive, without the URL; nothing if it did."""
    headers = {"Content-Type": "application/json", "User-Agent": "clspec"}
    try:
        asked = request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  # seen to be http(s)
        with request.build_opener(_Stays).open(asked, timeout=TIMEOUT):
            return ""
    except error.HTTPError as answer:
        answer.close()
        return f"it answered {answer.code} {http.client.responses.get(answer.code, '')}".rstrip()
    except error.URLError as failure:
        return _reason(failure.reason)
    except Exception as failure:  # noqa: BLE001  # whatever it is, it neither fails the run nor shows the URL
        return _reason(failure)


def _reason(failure: object) -> str:
    """A failure in words that do not hold the URL."""
    if isinstance(failure, ssl.SSLError):
        return "its certificate or its TLS cannot be trusted"
    if isinstance(failure, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return f"it cannot be reached ({type(failure).__name__})"
