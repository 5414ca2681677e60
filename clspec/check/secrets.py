"""No secret stands in a spec, neither in a value nor in a comment; where one does, it is never repeated."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from clspec import codes
from clspec.reading.marks import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Diagnostic, Pointer, Span
    from clspec.load import Document

_HINT = "name a variable that holds it, or a Kubernetes secret; and replace it where it was issued"
_MASK = "***"
_MANY = 1_000
_LONGEST_KEY = 20_000
_NAMES = r"(?:password|passwd|pwd|token|access_token|auth_token|secret|client_secret|api_?key|access_?key|secret_?key)"
_START, _STOP = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])"


class Form(NamedTuple):
    """How a kind of secret looks; where none of the `words` is, it need not be looked for."""

    what: str
    words: tuple[str, ...]
    pattern: str


_FORMS = (
    Form("a password in a URI", ("://",), r"://[^\s/?#'\"@:<>{}$]{0,200}:(?P<secret>[^\s/'\"]{1,500})@"),
    Form("an AWS access key", ("AKIA", "ASIA"), _START + r"(?P<secret>A[KS]IA[A-Z0-9]{16})" + _STOP),
    Form("a private key", (" PRIVATE KEY-----", "BEGIN PRIVATE"), r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----"),
    Form(
        "a secret in a URI",
        ("?", "&"),
        r"[?&](?i:" + _NAMES + r"|sig|signature|x-amz-signature)=(?P<secret>[^\s&'\"#]{4,2000})",
    ),
    Form(
        "a secret in an argument",
        ("--",),
        r"--(?i:" + _NAMES.replace("_", "[-_]") + r")[= ](?P<secret>[^\s'\",\]}-][^\s'\",\]}]{3,2000})",
    ),
    Form("a bearer token", ("earer ",), r"[Bb]earer (?P<secret>[A-Za-z0-9._~+/=-]{16,4000})"),
    Form(
        "a Slack webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9_/-]{8,500})",
    ),
    Form(
        "a Discord webhook",
        ("/api/webhooks/",),
        r"discord(?:app)?\.com/api/webhooks/(?P<secret>[0-9]{5,30}/[A-Za-z0-9_-]{8,500})",
    ),
    Form("a Teams webhook", ("webhook.office.com/",), r"webhook\.office\.com/webhookb2/(?P<secret>[^\s'\"]{16,1000})"),
    Form("a Slack token", ("xox",), _START + r"(?P<secret>xox[abeoprs]-[A-Za-z0-9-]{10,500})"),
    Form("a GitHub token", ("gh",), _START + r"(?P<secret>gh[opsru]_[A-Za-z0-9]{30,500})" + _STOP),
    Form("a GitHub token", ("github_pat_",), _START + r"(?P<secret>github_pat_[A-Za-z0-9_]{22,500})"),
    Form("a GitLab token", ("glpat-",), _START + r"(?P<secret>glpat-[A-Za-z0-9_-]{20,500})"),
    Form("a Hugging Face token", ("hf_",), _START + r"(?P<secret>hf_[A-Za-z0-9]{30,500})" + _STOP),
    Form("a Google API key", ("AIza",), _START + r"(?P<secret>AIza[A-Za-z0-9_-]{35})" + _STOP),
    Form(
        "a JSON Web Token",
        ("eyJ",),
        _START + r"(?P<secret>eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,4000})",
    ),
)
_CONNECTION = re.compile(
    r"(?<![\w?&-])(?:password|passwd|pwd)=(?P<secret>'[^'\n]{1,500}'|[^\s'\";&]{1,500})", re.IGNORECASE
)
_BESIDE = re.compile(r"(?<![\w-])(?:host|hostaddr|dbname|database|server|user|uid|port|sslmode)=", re.IGNORECASE)
"""What stands in one line with a password in a connection string; without it, it is some other text."""
_SQL = re.compile(rf"(?<!\w){_NAMES}\s*(?:=|\s)\s*'(?P<secret>[^']{{1,500}})'", re.IGNORECASE)
"""In a query that a source sends: `token = '...'`, `password '...'`."""
_KEY = re.compile(r"(?:[a-z0-9]+_)*(?:password|passwd|api_?key|secret_?key|secret_access_key|access_token|auth_token)")
_VALUE = re.compile(r"\S{6,}")
_OWN_NAMES = frozenset({"columns", "slices"})
"""Mappings whose keys are names of the user's own."""
_STAND_IN = re.compile(
    r"\$[{(A-Za-z_].*|[<{\[].*|%\(.*|\*+|x+|X+|\.+|(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+|PASSWORD|SECRET|TOKEN|KEY", re.DOTALL
)
"""What stands for a secret that is given elsewhere: `${PASSWORD}`, `<token>`, `{params.token}`, `API_TOKEN`, `***`."""
_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Literal(NamedTuple):
    """A secret as it stands in a text: what it is, where, and the text by which it is recognised."""

    what: str
    start: int
    end: int
    match: str
    secret: str


def literals(text: str) -> Iterator[Literal]:
    """The secrets in a text that can be told from any other text."""
    for form in _FORMS:
        if not any(word in text for word in form.words):
            continue
        for match in re.finditer(form.pattern, text):
            if form.what == "a private key":
                end = text.find("-----END", match.end(), match.end() + _LONGEST_KEY)
                yield Literal(form.what, match.start(), max(end, match.end()), match[0], match[0])
            else:
                yield from _unless_stand_in(form.what, match)
    yield from _connections(text)


def _connections(text: str) -> Iterator[Literal]:
    """The passwords in connection strings such as `host=db password=...`."""
    start = 0
    for line in text.split("\n") if _CONNECTION.search(text) else ():
        if _BESIDE.search(line):
            for match in _CONNECTION.finditer(text, start, start + len(line)):
                yield from _unless_stand_in("a password in a connection string", match)
        start += len(line) + 1


def _unless_stand_in(what: str, match: re.Match[str]) -> Iterator[Literal]:
    if not _STAND_IN.fullmatch(match["secret"].strip("'")):
        yield Literal(what, match.start("secret"), match.end("secret"), match[0], match["secret"])


def told(text: str, path: str, document: Document | None, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The problems that were found, with those of literal secrets, and without the secrets in their words.

    Where there are very many, nothing else is said: of a file like that, any word may be one.
    """
    places, wheres = _found(text, document)
    if not places:
        return tuple(found)
    secrets = (
        codes.problem(
            "CLS316", f"{literal.what} stands here", path=path, span=span, hint=_HINT, where=wheres.get(span, "")
        )
        for span, literal in places.items()
    )
    others = found if len(places) < _MANY else ()
    return (*(_masked(problem, places.values()) for problem in others), *secrets)


@lru_cache(maxsize=2)
def _found(text: str, document: Document | None) -> tuple[dict[Span, Literal], dict[Span, str]]:
    """The secrets in a text by their places, and what their places are called; who compares specs asks twice."""
    shown = text.removeprefix("\ufeff")
    lines = Lines(shown)
    places = {lines.span(one.start, one.end): one for one in islice(literals(shown), _MANY)}
    wheres: dict[Span, str] = {}
    if document is not None and len(places) < _MANY:
        known = {literal.secret for literal in places.values()}
        for span, where, literal in _in_values(document, read=bool(places) or "\\" in shown):
            if span in places or literal.secret not in known:
                places.setdefault(span, literal)
                wheres[span] = where
    return places, wheres


def _in_values(document: Document, *, read: bool) -> Iterator[tuple[Span, str, Literal]]:
    """The secrets that their place in the spec tells, and if asked what a string holds: an escape may hide it."""
    for at, value in _strings(document.value, telling=not read):
        for literal in (*(literals(value) if read else ()), *_by_place(at, value)):
            yield document.inside(at, literal.start, literal.end), document.where(at), literal


def _strings(root: dict[str, Any], *, telling: bool) -> Iterator[tuple[Pointer, str]]:
    """The strings of a document with their places, in no order; or only those under a key that tells something."""
    todo: list[tuple[Pointer, Any]] = [((), root)]
    while todo:
        at, value = todo.pop()
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            kind = type(below)
            if kind is dict or kind is list:
                todo.append(((*at, step), below))
            elif kind is str and not (telling and (type(step) is int or not _tells(step))):
                yield (*at, step), below


@lru_cache(maxsize=1024)
def _tells(key: str) -> bool:
    """Whether a key may tell that its value is a secret, or holds one."""
    return key == "query" or _KEY.fullmatch(key.lower()) is not None


def _by_place(at: Pointer, value: str) -> Iterator[Literal]:
    """The secrets that only their place tells from any other text."""
    key = at[-1]
    if key == "query" and at[-3:-2] == ("sources",):
        for match in _SQL.finditer(value):
            yield from _unless_stand_in("a secret in SQL", match)
    named = isinstance(key, str) and at[-2] not in _OWN_NAMES if len(at) > 1 else False
    if named and _KEY.fullmatch(str(key).lower()) and _VALUE.fullmatch(value) and not _STAND_IN.fullmatch(value):
        yield Literal("a secret", 0, len(value), value, value)


def _masked(problem: Diagnostic, secrets: Iterable[Literal]) -> Diagnostic:
    """A problem whose words do not repeat a secret."""
    words = {key: _BLOCK.sub(_MASK, getattr(problem, key)) for key in ("message", "hint", "where")}
    for literal in secrets:
        mask = literal.match.replace(literal.secret, _MASK)
        words = {key: text.replace(literal.match, mask) for key, text in words.items()}
    fix = problem.fix if problem.fix and not any(one.secret in problem.fix.text for one in secrets) else None
    return replace(problem, message=words["message"], hint=words["hint"], where=words["where"], fix=fix)
