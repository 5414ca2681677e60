"""The cluster around a pod, as far as a launcher speaks with it: objects by their path, over HTTPS, with its own token.

This is a small part of what a Kubernetes client does, and needs nothing beyond Python; the whole client would be the
largest thing in the image.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib import error, request

from clspec.diagnostic import StepFailed, SurroundingsFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds its token, the API's certificate authority and its namespace."""
PATIENCE = 300.0
"""Seconds for which an API that does not answer is asked again."""
_TIMEOUT = 30.0
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
_BUSY = 429
_SERVER = 500
_LONGEST = 500


class ApiError(StepFailed):
    """The API said no; `status` is its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The API of the cluster that this process runs in, as the pod's own service account may use it."""

    host: str
    namespace: str
    account: Path
    context: ssl.SSLContext

    def find(self, path: str) -> dict[str, Any] | None:
        """An object, or None if there is none."""
        try:
            return self.call("GET", path)
        except ApiError as said:
            if said.status == http.client.NOT_FOUND:
                return None
            raise

    def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the API answers.

        A request that brought no answer is sent again, so one may be carried out twice: `create` meets its own object
        then, and `delete` nothing.

        Raises:
            ApiError: it refuses the request.
            SurroundingsFailed: it does not answer for a long time.
        """
        deadline = time.monotonic() + PATIENCE
        for attempt in range(1_000_000):
            try:
                return self._once(verb, path, body)
            except _NoAnswerError as failure:
                pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
                if time.monotonic() + pause > deadline:
                    message = f"the cluster's API at {self.host} does not answer: {failure}"
                    raise SurroundingsFailed(message) from failure
            time.sleep(pause)
        raise AssertionError(path)

    def _once(self, verb: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        token = (self.account / "token").read_text(encoding="ascii").strip()  # read anew: it is replaced every hour
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "clspec"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        asked = request.Request(self.host + path, data=data, headers=headers, method=verb)  # noqa: S310  # https
        opener = request.build_opener(request.ProxyHandler({}), request.HTTPSHandler(context=self.context), _Stays)
        try:
            with opener.open(asked, timeout=_TIMEOUT) as answer:
                return _object(answer.read())
        except error.HTTPError as answer:
            with answer:
                status, said = answer.code, _said(answer)
            if status >= _SERVER or status == _BUSY:
                message = f"{status} {said}"
                raise _NoAnswerError(message) from answer
            raise ApiError(
                status, f"the cluster's API answers {status} to {verb} {path.partition('?')[0]}: {said}"
            ) from answer
        except (OSError, http.client.HTTPException, ValueError) as failure:
            reason = getattr(failure, "reason", failure)
            if isinstance(reason, ssl.SSLCertVerificationError):
                message = f"the certificate of {self.host} is not the cluster's own: {reason.verify_message}"
                raise StepFailed(message) from failure
            raise _NoAnswerError(str(reason) or type(reason).__name__) from failure


class _NoAnswerError(Exception):
    """Nothing came back, or only that the API cannot answer now."""


class _Stays(request.HTTPRedirectHandler):
    """Follows no redirect: it would carry the token elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Nowhere."""


def around() -> Cluster:
    """The cluster that this process runs in.

    Raises:
        UsageError: it runs in none, or its pod has no service account.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        message = "this step makes a job in its cluster, and runs in none: KUBERNETES_SERVICE_HOST is not set"
        raise UsageError(message)
    try:
        namespace = (ACCOUNT / "namespace").read_text(encoding="ascii").strip()
        (ACCOUNT / "token").read_text(encoding="ascii")
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    except (OSError, ValueError) as failure:
        message = f"this pod has no service account to speak with the cluster ({failure}): let its token be mounted"
        raise UsageError(message) from failure
    shown = f"[{host}]" if ":" in host else host
    return Cluster(host=f"https://{shown}:{port}", namespace=namespace, account=ACCOUNT, context=context)


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        message = "it is no object"
        raise ValueError(message)  # noqa: TRY004  # as what is no JSON
    return found


def _said(answer: error.HTTPError) -> str:
    """The API's own words: the message of a Status object, or the reason."""
    try:
        message = str(_object(answer.read())["message"])
    except (OSError, ValueError, LookupError, http.client.HTTPException):
        message = str(answer.reason)
    return message[:_LONGEST]
