"""The functions of the user's code that a spec may name: read from the files, never imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec import code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST = 1 << 20
"""Bytes of a module that are looked at: longer ones are generated, and hold no entry points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A function at the top level of a module: its entry point, its file, its 1-based line, and what it says."""

    entrypoint: str
    path: Path
    line: int
    column: int
    signature: str
    parameters: tuple[str, ...]
    about: str


def functions(root: Path) -> Iterator[Located]:
    """Every public function at the top level of a module under the root; what is no valid Python has none."""
    try:
        listed = [(name, path) for name, path in code.files(root) if name.endswith(".py")]
    except (code.CodeError, OSError):
        return
    for name, path in listed:
        yield from in_file(path, name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def in_file(path: Path, module: str) -> Iterator[Located]:
    """The public functions of one module."""
    try:
        if path.stat().st_size > _LARGEST:
            return
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield _located(node, path, module)


def located(root: Path, entrypoint: str) -> Located | None:
    """The function that an entry point names, wherever it is imported from under the root."""
    try:
        path, node = code.definition(root, entrypoint)
    except (code.NotFound, code.Unreadable, OSError):
        return None
    return _located(node, path, entrypoint.partition(":")[0])


def _located(node: ast.FunctionDef, path: Path, module: str) -> Located:
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return Located(
        entrypoint=f"{module}:{node.name}",
        path=path,
        line=node.lineno,
        column=node.col_offset + len("def ") + 1,
        signature=f"def {node.name}({ast.unparse(arguments)}){returns}",
        parameters=tuple(names),
        about=(ast.get_docstring(node) or "").partition("\n\n")[0],
    )
