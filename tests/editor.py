"""An editor that speaks to `clspec lsp` through the protocol, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 60
CURSOR = "|"


class Editor:
    """One editor with its server; positions are given by a `|` in the text."""

    def __init__(self, client: LanguageClient, encoding: lsp.PositionEncodingKind) -> None:
        self._client = client
        self.encoding = encoding
        self.told: dict[str, list[lsp.Diagnostic]] = {}
        self._news = asyncio.Event()
        self._version = 1

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def told(params: lsp.PublishDiagnosticsParams) -> None:
            self.told[params.uri] = list(params.diagnostics)
            self._news.set()

    def open(self, path: Path, text: str | None = None, language: str = "yaml") -> None:
        written = path.read_text() if text is None else text
        item = lsp.TextDocumentItem(uri=path.as_uri(), language_id=language, version=1, text=written)
        self._client.text_document_did_open(lsp.DidOpenTextDocumentParams(text_document=item))

    async def change(self, path: Path, text: str) -> None:
        self._version += 1
        document = lsp.VersionedTextDocumentIdentifier(uri=path.as_uri(), version=self._version)
        whole = [lsp.TextDocumentContentChangeWholeDocument(text=text)]
        self._client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(text_document=document, content_changes=whole)
        )

    async def insert(self, path: Path, line: int, character: int, text: str) -> None:
        """A keystroke, as editors send it."""
        self._version += 1
        document = lsp.VersionedTextDocumentIdentifier(uri=path.as_uri(), version=self._version)
        at = lsp.Position(line=line, character=character)
        edit = lsp.TextDocumentContentChangePartial(range=lsp.Range(start=at, end=at), text=text)
        self._client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(text_document=document, content_changes=[edit])
        )

    async def save(self, path: Path) -> None:
        document = lsp.TextDocumentIdentifier(uri=path.as_uri())
        self._client.text_document_did_save(lsp.DidSaveTextDocumentParams(text_document=document))

    async def close(self, path: Path) -> None:
        document = lsp.TextDocumentIdentifier(uri=path.as_uri())
        self._client.text_document_did_close(lsp.DidCloseTextDocumentParams(text_document=document))

    async def until(self, holds: Callable[[dict[str, list[lsp.Diagnostic]]], bool]) -> None:
        """Wait until what was told is so."""
        async with asyncio.timeout(PATIENCE):
            while not holds(self.told):
                self._news.clear()
                await self._news.wait()

    async def complete(self, path: Path, text: str) -> dict[str, lsp.CompletionItem]:
        """What is offered at the `|` in the text."""
        before, _, after = text.partition(CURSOR)
        await self.change(path, before + after)
        found = await self._client.text_document_completion_async(
            lsp.CompletionParams(text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()), position=_end(before))
        )
        assert found is None or isinstance(found, lsp.CompletionList)
        return {item.label: item for item in found.items} if found else {}

    async def hover(self, path: Path, text: str) -> str:
        before, _, after = text.partition(CURSOR)
        await self.change(path, before + after)
        found = await self._client.text_document_hover_async(
            lsp.HoverParams(text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()), position=_end(before))
        )
        if found is None:
            return ""
        assert isinstance(found.contents, lsp.MarkupContent)
        return found.contents.value

    async def definition(self, path: Path, text: str | None, line: int | None = None) -> list[tuple[str, int, int]]:
        position = await self._position(path, text, line)
        found = await self._client.text_document_definition_async(
            lsp.DefinitionParams(text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()), position=position)
        )
        return _places(found)

    async def references(self, path: Path, text: str | None, line: int | None = None) -> list[tuple[str, int, int]]:
        position = await self._position(path, text, line)
        found = await self._client.text_document_references_async(
            lsp.ReferenceParams(
                text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()),
                position=position,
                context=lsp.ReferenceContext(include_declaration=False),
            )
        )
        return _places(found)

    async def outline(self, path: Path) -> list[lsp.DocumentSymbol]:
        found = await self._client.text_document_document_symbol_async(
            lsp.DocumentSymbolParams(text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()))
        )
        return [symbol for symbol in found or () if isinstance(symbol, lsp.DocumentSymbol)]

    async def actions(self, path: Path, diagnostic: lsp.Diagnostic) -> list[lsp.CodeAction]:
        found = await self._client.text_document_code_action_async(
            lsp.CodeActionParams(
                text_document=lsp.TextDocumentIdentifier(uri=path.as_uri()),
                range=diagnostic.range,
                context=lsp.CodeActionContext(diagnostics=[diagnostic]),
            )
        )
        return [action for action in found or () if isinstance(action, lsp.CodeAction)]

    async def _position(self, path: Path, text: str | None, line: int | None) -> lsp.Position:
        if text is None:
            assert line is not None
            return lsp.Position(line=line, character=5)
        before, _, after = text.partition(CURSOR)
        await self.change(path, before + after)
        return _end(before)


def _places(found: Any) -> list[tuple[str, int, int]]:
    return [(Path(p.uri).name, p.range.start.line, p.range.start.character) for p in found or ()]


def _end(text: str) -> lsp.Position:
    """The end of a text, as the protocol counts by itself: in units of UTF-16."""
    last = text.rpartition("\n")[2]
    return lsp.Position(line=text.count("\n"), character=len(last.encode("utf-16-le")) // 2)


def edit(script: Callable[[Editor], Awaitable[None]]) -> None:
    """Start an editor and its server, do what the script says, and end both."""

    async def run() -> None:
        client = LanguageClient("editor", "1")
        await client.start_io(sys.executable, "-m", "clspec", "lsp")
        told = await client.initialize_async(lsp.InitializeParams(capabilities=lsp.ClientCapabilities()))
        encoding = told.capabilities.position_encoding or lsp.PositionEncodingKind.Utf16
        editor = Editor(client, lsp.PositionEncodingKind(encoding))
        client.initialized(lsp.InitializedParams())
        try:
            async with asyncio.timeout(PATIENCE * 3):
                await script(editor)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()

    asyncio.run(run())
