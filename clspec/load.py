"""The text of a spec, read strictly: plain values that know their places, or what keeps it from being read."""

from __future__ import annotations

import gc
import os
import stat
from itertools import islice
from typing import TYPE_CHECKING, Any

from yaml.error import YAMLError
from yaml.events import StreamEndEvent
from yaml.parser import Parser as PureEvents
from yaml.reader import Reader
from yaml.scanner import Scanner

from clspec.codes import problem
from clspec.diagnostic import Diagnostic, Span, UsageError, in_order
from clspec.document import Document
from clspec.events import Builder
from clspec.findings import COUNTED, SHOWN, Finding, Findings, Stop
from clspec.hidden import hidden, uncovered, visible
from clspec.yaml_errors import explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.document import Marks
    from clspec.events import Parser

__all__ = ["Document", "load", "read"]

MAX_BYTES = 32 * 1024 * 1024
MAX_BYTES_PURE = 256 * 1024
_VERSIONS = (None, (1, 1), (1, 2))


class PureParser(Reader, Scanner, PureEvents):
    """PyYAML's own parser, for where it came without libyaml: slow, and refuses a little more."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        PureEvents.__init__(self)


_PARSER: Callable[[str], Parser]
try:
    from yaml.cyaml import CParser as _PARSER
except ImportError:
    _PARSER = PureParser


def read(path: str) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """The text of a file, or why it is none: not UTF-8, or too large.

    Raises:
        UsageError: the path does not lead to a regular file that may be read.
    """
    try:
        data = _bytes(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {visible(path, 4096)}: {reason}") from error
    if len(data) > MAX_BYTES:
        return None, (_too_large(path, MAX_BYTES),)
    try:
        return data.decode(), ()
    except UnicodeDecodeError as error:
        return None, (_not_utf8(path, data, error),)


def _bytes(path: str) -> bytes:
    """A file's bytes, one more than the limit at the most."""
    # Opening a pipe waits for its other end, unless told not to.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "not a regular file")
        return file.read(MAX_BYTES + 1)


def _not_utf8(path: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    before = data[: error.start].decode()
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    looks = "; it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    message = f"the byte 0x{data[error.start]:02X} does not belong to UTF-8 text{looks}"
    return problem(
        "CLS102", message, path=path, span=Span(line, column, line, column + 1), hint="save the file as UTF-8"
    )


def _too_large(path: str, limit: int) -> Diagnostic:
    hint = "keep data in data files and name them in the spec"
    return problem("CLS103", f"the file has more than {limit // 1024:,} KiB", path=path, hint=hint)


def load(text: str, path: str) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """A spec from its text, and its problems in the order of their places; `path` is what it is called in them.

    All problems that leave the rest readable are collected, and the document comes with them, so that more can be
    said about it; it is None where nothing sensible can be given. A byte order mark at the very start is dropped.
    """
    return _load(text.removeprefix("\ufeff"), path, _PARSER)


def _load(text: str, path: str, new_parser: Callable[[str], Parser]) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    limit = MAX_BYTES_PURE if new_parser is PureParser else MAX_BYTES
    if len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit):
        return None, (_too_large(path, limit),)
    findings = Findings()
    spots = list(islice(hidden(text), SHOWN + COUNTED))
    for at, name in spots:
        hint = "remove it, or write it as an escape in double quotes"
        findings.add(Finding("CLS104", (), at, at + 1, f"the hidden character {name}", hint))
    text = uncovered(text, [at for at, _ in spots[:SHOWN]])
    builder = Builder(text, findings)
    complete = len(spots) <= SHOWN and _built(builder, new_parser, findings)
    document = Document.of(path, builder.root, builder.marks)
    diagnostics = in_order(_diagnostic(finding, document, builder.marks) for finding in findings.all())
    return (document if complete else None), diagnostics


def _built(builder: Builder, new_parser: Callable[[str], Parser], findings: Findings) -> bool:
    """Whether the text made a document; what is wrong with it is added to the findings."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and looking for them among so many new values takes as long as parsing
    uncovered_only = bool(findings)
    try:
        parser = new_parser(builder.text)
        parser.get_event()
        _check_start(parser.get_event(), findings)
        builder.parse(parser)
        following = parser.get_event()
        if not isinstance(following, StreamEndEvent):
            place = following.start_mark.index, following.end_mark.index
            hint = "one file is one spec: remove the `---` and what follows, or split the file"
            findings.add(Finding("CLS113", (), *place, "a second document begins here", hint))
    except Stop:
        return False
    # PyYAML's own parser lets some of Python's errors through, for numbers in escapes and directives.
    except (YAMLError, ValueError, OverflowError) as error:
        if not uncovered_only:  # else the spaces that stand for hidden characters may be to blame
            findings.add(explained(error, builder.text, builder.last, builder.bracket))
    finally:
        if collecting:
            gc.enable()
    return builder.complete


def _check_start(event: Any, findings: Findings) -> None:
    """Refuses a file without a document, and a version of YAML that reads scalars otherwise."""
    start = event.start_mark.index
    if isinstance(event, StreamEndEvent):
        findings.add(Finding("CLS111", (), 0, 0, "the file is empty", "begin with `apiVersion:` and `kind:`"))
    elif event.version not in _VERSIONS:
        findings.add(Finding("CLS101", (), start, start + 5, "only YAML 1.1 and 1.2 are known", "remove this line"))
    else:
        return
    raise Stop


def _diagnostic(finding: Finding, document: Document, marks: Marks) -> Diagnostic:
    span, message = marks.lines.span(finding.start, finding.end), finding.message
    if finding.start == finding.end:
        span = span.narrowed(0, 1)
    if finding.first:
        mapping, value, key = finding.first
        message += f"; first on line {marks.lines.span(*marks.bounds(marks.keys(mapping, value)[key])).line}"
    where = document.where(finding.pointer)
    return problem(finding.code, message, path=document.path, span=span, hint=finding.hint, where=where)
