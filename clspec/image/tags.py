"""What a tag means now: its registry asked for a digest, by the distribution API. Only who asks for it does that."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib import error, request
from urllib.parse import urlencode, urlsplit

from clspec import __version__
from clspec.diagnostic import UsageError
from clspec.image import login, reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from clspec.image.login import Login
    from clspec.image.reference import Reference

TIMEOUT = 30.0
"""After so many seconds an answer is waited for no longer."""
_LARGEST = 4 << 20
"""The bytes of a manifest that every registry must take, and of what is read here."""
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What a tag may name; an index first, so that the digest of an image for several machines is that of all of them."""
_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Message
    body: bytes


def meaning(image: str) -> str:
    """The digest that a registry has under a tag: that of the index where there is one, else of the manifest.

    Raises:
        UsageError: the name is none; the registry cannot be reached, refuses, has no such tag or answers nonsense.
    """
    asked = reference.read(image)
    who = login.known(asked.host)
    allowed = ""
    found = _manifest(asked, "HEAD", allowed)
    if found.status == http.HTTPStatus.UNAUTHORIZED:
        allowed = _allowed(asked, found, who)
        found = _manifest(asked, "HEAD", allowed) if allowed else found
    if found.status in {http.HTTPStatus.METHOD_NOT_ALLOWED, http.HTTPStatus.OK} and not _told(found):
        found = _manifest(asked, "GET", allowed)
    if found.status != http.HTTPStatus.OK:
        raise UsageError(_refusal(asked, found, who))
    return _digest(asked, found)


def _told(found: _Answer) -> str:
    return str(found.headers.get("Docker-Content-Digest", "")).strip()


def _digest(asked: Reference, found: _Answer) -> str:
    kind = found.headers.get_content_type()
    if kind not in _KINDS:
        message = f"{asked.host} does not answer with a manifest of {asked}, but with {kind}"
        raise UsageError(message)
    told = _told(found)
    made = f"sha256:{hashlib.sha256(found.body).hexdigest()}" if found.body else told
    if told and told != made:
        message = f"{asked.host} gives {asked} another digest than its bytes have: it is not believed"
        raise UsageError(message)
    if not _DIGEST.fullmatch(made):
        message = f"{asked.host} gives no sha256 digest for {asked}, but {made[:80]!a}"
        raise UsageError(message)
    return made


def _manifest(asked: Reference, method: str, allowed: str) -> _Answer:
    headers = {"Accept": ", ".join(_KINDS)}
    return _ask(asked, method, f"{asked.address}/v2/{asked.repository}/manifests/{asked.tag}", headers, allowed)


# -- who asks ----------------------------------------------------------------------------------------------------------


def _allowed(asked: Reference, refused: _Answer, who: Login | None) -> str:
    """The header with which to ask again, or nothing where the registry wants a password that nobody gave."""
    challenges = refused.headers.get_all("WWW-Authenticate") or []
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "bearer":
            return f"Bearer {_token(asked, dict(_PARAMETER.findall(rest)), who)}"
    named = any(challenge.strip().lower().startswith("basic") for challenge in challenges)
    return who.basic if named and who is not None and who.name else ""


def _token(asked: Reference, challenge: Mapping[str, str], who: Login | None) -> str:
    """A token to pull one repository with, from where the registry says that there are some."""
    realm = challenge.get("realm", "")
    place = urlsplit(realm)
    if place.scheme != "https" and not (asked.is_here and place.scheme == "http" and reference.is_here(place.netloc)):
        message = f"{asked.host} gives its tokens at {realm[:200]!a}, where a password would not be safe"
        raise UsageError(message)
    wanted = {"service": challenge.get("service", ""), "scope": f"repository:{asked.repository}:pull"}
    if who is not None and who.token:
        form = {**wanted, "grant_type": "refresh_token", "client_id": "clspec", "refresh_token": who.token}
        found = _ask(asked, "POST", realm, {}, "", urlencode(form).encode())
    else:
        joint = "&" if place.query else "?"
        basic = who.basic if who is not None else ""
        found = _ask(asked, "GET", f"{realm}{joint}{urlencode(wanted)}", {}, basic)
    if found.status != http.HTTPStatus.OK:
        raise UsageError(_refusal(asked, found, who))
    said = _json(found.body)
    token = said.get("token") or said.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        message = f"{place.netloc}, where {asked.host} gives its tokens, gives none"
        raise UsageError(message)
    return token


# -- words -------------------------------------------------------------------------------------------------------------


def _refusal(asked: Reference, found: _Answer, who: Login | None) -> str:
    """Why there is no digest, on one line."""
    name = f"{asked.repository}:{asked.tag}"
    if found.status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
        named = f"`{who.name}`" if who and who.name else "the login of this machine"
        whom = "whoever is not logged in" if who is None else named
        way = f"`docker login {asked.host}`, or see that there is such a repository"
        return f"{asked.host} does not show {name} to {whom} ({found.status}): {way}"
    if found.status == http.HTTPStatus.NOT_FOUND:
        return f"{asked.host} has no {name}: push it first, or name another tag in the spec"
    if found.status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return f"{asked.host} was asked too often, by this machine or its neighbours (429): try again later"
    problems = _json(found.body).get("errors")
    first = problems[0] if isinstance(problems, list) and problems and isinstance(problems[0], dict) else {}
    why = f": {' '.join(str(first['message'])[:200].split())}" if first.get("message") else ""
    return f"{asked.host} answers with {found.status} when it is asked for {name}{why}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# -- the wire ----------------------------------------------------------------------------------------------------------


class _Onwards(request.HTTPRedirectHandler):
    """Follows a registry to where it sends us, with the same question and never out of encryption."""

    def redirect_request(  # noqa: PLR0913, PLR0917  # the library's
        self, req: request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            message = "it sends us to where nothing is encrypted"
            raise error.URLError(message)
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            made.method = req.get_method()
        return made


def _ask(  # noqa: PLR0913, PLR0917  # a question has this many sides
    asked: Reference, method: str, url: str, headers: Mapping[str, str], allowed: str, data: bytes | None = None
) -> _Answer:
    """What is answered, whatever it is.

    Raises:
        UsageError: nothing is.
    """
    handlers = [_Onwards(), *([request.ProxyHandler({})] if asked.is_here else [])]
    try:
        wanted = request.Request(url, data=data, method=method, headers=dict(headers))  # noqa: S310  # http or https
        wanted.add_header("User-Agent", f"clspec/{__version__}")
        if allowed:
            wanted.add_unredirected_header("Authorization", allowed)  # wherever it sends us, this does not go along
        try:
            answer = request.build_opener(*handlers).open(wanted, timeout=TIMEOUT)
        except error.HTTPError as refused:
            answer = refused
        with answer:
            body = answer.read(_LARGEST + 1)
            found = _Answer(status=int(answer.status), headers=answer.headers, body=body)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        message = f"{urlsplit(url).netloc} cannot be asked what {asked} means: {_why(problem)}"
        raise UsageError(message) from problem
    if len(found.body) > _LARGEST:
        message = f"{asked.host} answers with more than a manifest may hold"
        raise UsageError(message)
    return found


def _why(problem: Exception) -> str:
    reason = problem.reason if isinstance(problem, error.URLError) else problem
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return " ".join(str(reason).split()) or type(reason).__name__
