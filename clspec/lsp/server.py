"""The server itself: what the protocol asks, answered from the state of the open specs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls import uris
from pygls.lsp.server import LanguageServer

from clspec import __version__
from clspec.diagnostic import START, ClspecError, Span
from clspec.lsp import completion, going, hover
from clspec.lsp.outline import outline
from clspec.lsp.spec import OpenSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clspec.diagnostic import Diagnostic, Related
    from clspec.lsp.outline import Symbol

_PAUSE = 0.15
"""Seconds after the last keystroke until the text is judged."""
_KINDS = {
    "key": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.Value,
    "name": lsp.CompletionItemKind.Reference,
    "column": lsp.CompletionItemKind.Field,
    "function": lsp.CompletionItemKind.Function,
    "entrypoint": lsp.CompletionItemKind.Method,
}
_SYMBOLS = {"section": lsp.SymbolKind.Namespace, "scenario": lsp.SymbolKind.Event, "rule": lsp.SymbolKind.Operator}
_CHARACTERS = [":", " ", '"', "'", "[", "{", ",", "(", "."]


class _Server(LanguageServer):
    """The open specs, by URI, and what has been told of which file."""

    def __init__(self) -> None:
        super().__init__("clspec", __version__)
        self._specs: dict[str, tuple[int | None, OpenSpec]] = {}
        self._told: dict[str, set[str]] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def spec(self, uri: str) -> OpenSpec | None:
        """The spec of a document as it is now; None of one that is none."""
        document = self.workspace.get_text_document(uri)
        path = uris.to_fs_path(uri)
        if path is None or not _is_spec(document.source, path):
            return None
        version, known = self._specs.get(uri, (None, None))
        if known is None or version != document.version or known.text != document.source:
            known = OpenSpec(path, document.source, known)
            self._specs[uri] = (document.version, known)
        return known

    def specs(self) -> Iterator[OpenSpec]:
        """All specs that are open."""
        for uri in tuple(self.workspace.text_documents):
            found = self.spec(uri)
            if found is not None:
                yield found

    def forget(self, uri: str) -> None:
        """A document was closed: nothing is told of it any more."""
        self._specs.pop(uri, None)
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        for told in self._told.pop(uri, set()):
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=told, diagnostics=[]))

    def judge_soon(self, uri: str) -> None:
        """Judge a document once the keys rest."""
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.get_running_loop().call_later(_PAUSE, self.judge, uri)

    def judge_anew(self) -> None:
        """Judge every open spec again: a lock or a file of the code is another one now."""
        self._specs = {uri: (None, known) for uri, (_, known) in self._specs.items()}
        for uri in tuple(self.workspace.text_documents):
            self.judge(uri)

    def judge(self, uri: str) -> None:
        """Tell the editor all that is wrong with a document, and with its lock."""
        self._waiting.pop(uri, None)
        spec = self.spec(uri)
        if spec is None:
            return
        try:
            found, sources = spec.checked.diagnostics, spec.checked.sources
        except ClspecError as error:
            self.window_log_message(lsp.LogMessageParams(type=lsp.MessageType.Error, message=str(error)))
            return
        by_uri: dict[str, list[lsp.Diagnostic]] = {uri: []}
        for problem in found:
            place = uri if problem.path == spec.path else uris.from_fs_path(problem.path) or uri
            by_uri.setdefault(place, []).append(self._diagnostic(problem, sources.get(problem.path, "")))
        for place in self._told.get(uri, set()) - by_uri.keys():
            by_uri[place] = []
        self._told[uri] = {place for place, told in by_uri.items() if told} | {uri}
        for place, told in by_uri.items():
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri=place, diagnostics=told))

    def _diagnostic(self, problem: Diagnostic, text: str) -> lsp.Diagnostic:
        hint = f"\n{problem.hint}" if problem.hint else ""
        severity = lsp.DiagnosticSeverity.Error if problem.is_error else lsp.DiagnosticSeverity.Warning
        return lsp.Diagnostic(
            range=self.range(problem.span or START, text),
            message=problem.message + hint,
            severity=severity,
            code=problem.code,
            source="clspec",
            related_information=[self._related(problem, one, text) for one in problem.related] or None,
        )

    def _related(self, problem: Diagnostic, one: Related, text: str) -> lsp.DiagnosticRelatedInformation:
        uri = uris.from_fs_path(problem.path) or ""
        place = lsp.Location(uri=uri, range=self.range(one.span, text))
        return lsp.DiagnosticRelatedInformation(location=place, message=one.message)

    def fixes(self, uri: str, within: lsp.Range) -> Iterator[lsp.CodeAction]:
        """What mends the problems in a stretch of a spec, where that is certain."""
        spec = self.spec(uri)
        for problem in spec.checked.diagnostics if spec is not None else ():
            if spec is None or problem.fix is None or problem.path != spec.path:
                continue
            told = self._diagnostic(problem, spec.text)
            if told.range.end < within.start or within.end < told.range.start:
                continue
            edit = lsp.TextEdit(range=self.range(problem.fix.span, spec.text), new_text=problem.fix.text)
            yield lsp.CodeAction(
                title=f"{problem.code}: write `{problem.fix.text}`",
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[told],
                is_preferred=True,
                edit=lsp.WorkspaceEdit(changes={uri: [edit]}),
            )

    def range(self, span: Span, text: str) -> lsp.Range:
        """A span as the editor counts: from 0, in its units."""
        found = lsp.Range(
            start=lsp.Position(line=span.line - 1, character=span.column - 1),
            end=lsp.Position(line=span.end_line - 1, character=span.end_column - 1),
        )
        return self.workspace.position_codec.range_to_client_units(_lines(text), found)

    def position(self, position: lsp.Position, text: str) -> tuple[int, int]:
        """A place as the editor counts, in code points from 0."""
        found = self.workspace.position_codec.position_from_client_units(_lines(text), position)
        return found.line, found.character

    def locations(self, spots: Iterable[going.Spot]) -> list[lsp.Location]:
        """Places in files as the protocol has them."""
        return [self._location(spot) for spot in spots]

    def _location(self, spot: going.Spot) -> lsp.Location:
        return lsp.Location(uri=uris.from_fs_path(spot.path) or "", range=self.range(spot.span, self._text(spot.path)))

    def _text(self, path: str) -> str:
        uri = uris.from_fs_path(path)
        if uri in self.workspace.text_documents:
            return str(self.workspace.text_documents[uri].source)
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _is_spec(text: str, path: str) -> bool:
    """Whether a document is a spec, or is becoming one; a lock is none, and other YAML is somebody else's business."""
    if Path(path).suffix not in {".yaml", ".yml"}:
        return False
    return "clspec.dev/" in text or Path(path).name == "clspec.yaml"


def server() -> LanguageServer:  # noqa: C901  # one small function for each question of the protocol
    """A language server that answers on the streams that it is started with."""
    made = _Server()

    @made.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        made.judge(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        made.judge_soon(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(_: lsp.DidSaveTextDocumentParams) -> None:
        made.judge_anew()

    @made.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def others_changed(_: lsp.DidChangeWatchedFilesParams) -> None:
        made.judge_anew()

    @made.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        made.forget(params.text_document.uri)

    @made.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=_CHARACTERS))
    def completed(params: lsp.CompletionParams) -> lsp.CompletionList | None:
        spec = made.spec(params.text_document.uri)
        if spec is None:
            return None
        line, column = made.position(params.position, spec.text)
        found = completion.complete(spec.text, line, column, spec.root)
        if found is None:
            return None
        span = Span(line + 1, found.start + 1, line + 1, found.end + 1)
        stretch = made.range(span, spec.text)
        return lsp.CompletionList(is_incomplete=False, items=[_item(offer, stretch) for offer in found.offers])

    @made.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hovered(params: lsp.HoverParams) -> lsp.Hover | None:
        spec = made.spec(params.text_document.uri)
        if spec is None:
            return None
        line, column = made.position(params.position, spec.text)
        found = hover.hover(spec, line + 1, column + 1)
        if found is None:
            return None
        content = lsp.MarkupContent(kind=lsp.MarkupKind.Markdown, value=found.text)
        return lsp.Hover(contents=content, range=made.range(found.span, spec.text))

    @made.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def defined(params: lsp.DefinitionParams) -> list[lsp.Location]:
        return made.locations(_definitions(made, params))

    @made.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def referred(params: lsp.ReferenceParams) -> list[lsp.Location]:
        return made.locations(_references(made, params))

    @made.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]))
    def mended(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return list(made.fixes(params.text_document.uri, params.range))

    @made.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        spec = made.spec(params.text_document.uri)
        return [] if spec is None or spec.own is None else _symbols(made, outline(spec.own), spec.text)

    return made


def _definitions(made: _Server, params: lsp.DefinitionParams) -> Iterator[going.Spot]:
    spec = made.spec(params.text_document.uri)
    if spec is None:  # of a function that specs name, the place is there
        yield from _from_python(made, params.text_document.uri, params.position.line)
        return
    line, column = made.position(params.position, spec.text)
    found = going.definition(spec, line + 1, column + 1)
    if found is not None:
        yield found


def _references(made: _Server, params: lsp.ReferenceParams) -> Iterator[going.Spot]:
    spec = made.spec(params.text_document.uri)
    if spec is None:
        yield from _from_python(made, params.text_document.uri, params.position.line)
        return
    line, column = made.position(params.position, spec.text)
    yield from going.references(spec, line + 1, column + 1)


def _from_python(made: _Server, uri: str, line: int) -> Iterator[going.Spot]:
    path = uris.to_fs_path(uri)
    if path is not None and path.endswith(".py"):
        yield from going.named_by(Path(path), line + 1, made.specs())


def _item(offer: completion.Offer, stretch: lsp.Range) -> lsp.CompletionItem:
    return lsp.CompletionItem(
        label=offer.label,
        kind=_KINDS[offer.kind],
        detail=offer.detail or None,
        documentation=lsp.MarkupContent(kind=lsp.MarkupKind.Markdown, value=offer.about) if offer.about else None,
        sort_text=offer.order or None,
        text_edit=lsp.TextEdit(range=stretch, new_text=offer.text),
    )


def _symbols(made: _Server, parts: Iterable[Symbol], text: str) -> list[lsp.DocumentSymbol]:
    return [
        lsp.DocumentSymbol(
            name=part.name,
            kind=_SYMBOLS.get(part.kind, lsp.SymbolKind.Object),
            range=made.range(part.whole, text),
            selection_range=made.range(part.named, text),
            children=_symbols(made, part.parts, text),
        )
        for part in parts
    ]
