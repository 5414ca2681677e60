"""A message to a webhook, and why it did not arrive: the URL is a secret, and stands in no word of the answer."""

from __future__ import annotations

import http.client
import ssl
import threading
from typing import Any
from urllib import error, request
from urllib.parse import urlsplit

TIMEOUT = 10.0
"""After so many seconds an answer is waited for no longer."""
_SCHEMES = ("http", "https")


def post(url: str, body: bytes) -> str:
    """Post a JSON message; why it did not arrive, in words without the URL, or nothing."""
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
