"""The text of a spec, read strictly: plain values that know their places, or what keeps it from being read."""

from __future__ import annotations

import gc
import os
import stat
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from yaml.error import YAMLError
from yaml.events import StreamEndEvent
from yaml.parser import Parser as PureEvents
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from clspec.codes import problem
from clspec.diagnostic import Diagnostic, Fix, Related, Span, UsageError, in_order
from clspec.reading.complaints import explained
from clspec.reading.document import Document
from clspec.reading.events import Builder
from clspec.reading.findings import COUNTED, SHOWN, Finding, Findings, Stop
from clspec.reading.hidden import hidden, uncovered, visible
from clspec.reading.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.reading.events import Parser
    from clspec.reading.marks import Marks

__all__ = ["Document", "load", "read"]

_MIB = 1024 * 1024
MAX_BYTES = 32 * _MIB
MAX_BYTES_PURE = _MIB // 4
_VERSIONS = (None, (1, 1), (1, 2))


class PureParser(Reader, Scanner, PureEvents):
    """PyYAML's own parser, for where it came without libyaml: slow, and it refuses a little more."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        PureEvents.__init__(self)

    def get_event(self) -> Any:
        """The next event, None after the last."""
        try:
            return super().get_event()  # type: ignore[no-untyped-call]  # the stubs say nothing of it
        except (ValueError, OverflowError) as error:  # of Python, for numbers in escapes and directives
            raise YAMLError(str(error)) from error

    def scan_to_next_token(self) -> None:
        """Skips what separates tokens; as in libyaml, also tabs that do not indent."""
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            self.forward()
            super().scan_to_next_token()

    def scan_directive(self) -> Any:
        """A directive; as in libyaml, one that is not known is refused."""
        token = super().scan_directive()
        if token.name not in ("YAML", "TAG"):
            raise ScannerError(None, None, "found unknown directive name", token.start_mark)
        return token


_parser: Callable[[str], Parser] = PureParser
try:
    from yaml._yaml import CParser
except ImportError:
    pass
else:
    _parser = CParser


def read(path: str) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """The text of a file, or why it is none: not UTF-8, or too large.

    Raises:
        UsageError: the path does not lead to a regular file that may be read.
    """
    try:
        data = _bytes(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot read {visible(path, 4096)}: {reason}"
        raise UsageError(message) from error
    if len(data) > MAX_BYTES:
        return None, (_too_large(path, MAX_BYTES),)
    try:
        return data.decode(), ()
    except UnicodeDecodeError as error:
        return None, (_not_utf8(path, data, error.start),)


def _bytes(path: str) -> bytes:
    """A file's bytes, one more than the limit at the most."""
    # Opening a pipe waits for its other end, unless told not to.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "not a regular file")
        return file.read(MAX_BYTES + 1)


def _not_utf8(path: str, data: bytes, at: int) -> Diagnostic:
    before = data[:at].decode()
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    looks = "; it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    message = f"the byte 0x{data[at]:02X} does not belong to UTF-8 text{looks}"
    span = Span(line, column, line, column + 1)
    return problem("CLS102", message, path=path, span=span, hint="save the file as UTF-8")


def _too_large(path: str, limit: int) -> Diagnostic:
    size = f"{limit // _MIB} MiB" if limit >= _MIB else f"{limit // 1024} KiB"
    hint = "keep data in data files and name them in the spec"
    if limit < MAX_BYTES:
        hint = "install PyYAML with libyaml, which reads larger files"
    return problem("CLS103", f"the file is larger than {size}", path=path, hint=hint)


def load(text: str, path: str) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """A spec from its text, and its problems in the order of their places; `path` is what it is called in them.

    All problems that leave the rest readable are collected, and the document comes with them, so that more can be
    said about it; it is None where nothing sensible can be given. A byte order mark at the very start is dropped.
    """
    return _load(text, path, _parser)


def _load(text: str, path: str, new_parser: Callable[[str], Parser]) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    limit = MAX_BYTES_PURE if new_parser is PureParser else MAX_BYTES
    if len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit):
        return None, (_too_large(path, limit),)
    text = text.removeprefix("\ufeff")
    findings = Findings()
    spots = list(islice(hidden(text), SHOWN + COUNTED))
    for at, name in spots:
        hint = "remove it, or write it as an escape in double quotes"
        findings.add(Finding("CLS104", (), at, at + 1, f"the hidden character {name}", hint))
    progress = Progress(uncovered(text, [at for at, _ in spots[:SHOWN]]), findings)
    complete = len(spots) <= SHOWN and _built(progress, new_parser)
    document = Document.of(path, progress.root, progress.marks)
    diagnostics = in_order(_diagnostic(finding, document, progress.marks) for finding in findings.all())
    return (document if complete else None), diagnostics


def _built(progress: Progress, new_parser: Callable[[str], Parser]) -> bool:
    """Whether the text made a document; what is wrong with it is added to the findings."""
    complete, uncovered_some = False, bool(progress.findings)
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and to look for them among so many new values doubles the time
    try:
        parser = new_parser(progress.text)
        parser.get_event()
        _check_start(parser.get_event(), progress.findings)
        complete = Builder(progress).parse(parser)
        _check_end(parser.get_event(), progress.findings)
    except Stop:
        pass
    except YAMLError as error:
        if not uncovered_some:  # else the spaces that stand for hidden characters may be to blame
            progress.findings.add(explained(error, progress.text, progress.last, progress.bracket))
    finally:
        if collecting:
            gc.enable()
    return complete


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


def _check_end(event: Any, findings: Findings) -> None:
    if not isinstance(event, StreamEndEvent):
        start, end = event.start_mark.index, event.end_mark.index
        hint = "one file is one spec: remove the `---` and what follows, or split the file"
        findings.add(Finding("CLS113", (), start, end, "a second document begins here", hint))


def _diagnostic(finding: Finding, document: Document, marks: Marks) -> Diagnostic:
    message, related = finding.message, cast(tuple[Related, ...], ())
    if finding.first:
        mapping, value, key = finding.first
        first = _span(marks, *marks.bounds(marks.keys(mapping, value)[key]))
        message += f"; first on line {first.line}"
        related = (Related(first, "first given here"),)
    span, where = _span(marks, finding.start, finding.end), document.where(finding.pointer)
    return problem(
        finding.code,
        message,
        path=document.path,
        span=span,
        hint=finding.hint,
        where=where,
        related=related,
        fix=Fix(span, finding.fix) if finding.fix else None,
    )


def _span(marks: Marks, start: int, end: int) -> Span:
    """A place that is at least one character wide."""
    span = marks.lines.span(start, end)
    return span if start < end else span.narrowed(0, 1)
