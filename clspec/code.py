"""The user's code as the compiler sees it: files under one root, read but never run."""

from __future__ import annotations

import ast
import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import decode_source
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from clspec.diagnostic import ClspecError

if TYPE_CHECKING:
    from collections.abc import Iterator

_IGNORED = {"__pycache__", ".git", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


class CodeError(ClspecError):
    """The code cannot be read as it stands; the text says which file and why."""


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every regular file under the root with its POSIX path from there, in order; caches are no code.

    Raises:
        CodeError: a link leads out of the root or to a folder, something is neither a file nor a folder, or compiled
            code has no source beside it.
    """
    inside = root.resolve()
    for path in sorted(root.rglob("*"), key=lambda p: p.relative_to(root).as_posix()):
        relative = path.relative_to(root)
        if _IGNORED & set(relative.parts):
            continue
        if path.suffix == ".pyc":
            message = f"{path} is compiled code without its source, which nobody can review"
            raise CodeError(message)
        if path.is_symlink() and path.is_dir():
            message = f"{path} is a link to a folder: what lies there would run without being part of the code's digest"
            raise CodeError(message)
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            message = f"{path} is a link that leads out of the code root {root}"
            raise CodeError(message)
        if path.is_file():
            yield relative.as_posix(), path
        elif not path.is_dir():
            message = f"{path} is neither a file nor a folder"
            raise CodeError(message)


def digest(root: Path) -> str:
    """sha256 over the names and bytes of the files under the root: equal code, equal digest, wherever it lies.

    Raises:
        CodeError: see `files`; or a file cannot be read.
    """
    total = hashlib.sha256()
    for name, path in files(root):
        try:
            content = hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise CodeError(message) from error
        encoded = name.encode("utf-8", "surrogateescape")
        total.update(len(encoded).to_bytes(8, "big") + encoded + content)
    return f"sha256:{total.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Function:
    """A function's parameters as they stand in the source."""

    name: str
    positional_only: tuple[str, ...]
    named: tuple[str, ...]
    required: frozenset[str]
    takes_any: bool
    """Whether it has `**kwargs`."""

    def complaint(self, given: tuple[str, ...]) -> str:
        """Why it cannot be called with exactly these keyword arguments, or nothing."""
        if self.positional_only:
            return f"`{self.positional_only[0]}` is positional-only; arguments are given by name"
        unknown = [name for name in given if name not in self.named and not self.takes_any]
        missing = sorted(self.required - set(given))
        parts = []
        if unknown:
            parts.append("it has no parameter " + ", ".join(f"`{name}`" for name in unknown))
        if missing:
            parts.append("nothing is given for " + ", ".join(f"`{name}`" for name in missing))
        return "; ".join(parts)


class NotFound(Exception):
    """The entry point is not there; the text says what is missing, `known` what there is instead."""

    def __init__(self, text: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.known = known


class Unreadable(Exception):
    """The module is not valid Python."""


def function(root: Path, entrypoint: str) -> Function:
    """The function that `module:function` names, found by reading the source.

    Raises:
        NotFound: no such module, or no such function at its top level.
        Unreadable: the module is not valid Python.
    """
    return _signature(definition(root, entrypoint)[1])


def definition(root: Path, entrypoint: str) -> tuple[Path, ast.FunctionDef]:
    """Where the function that `module:function` names is defined, and how it reads.

    Raises:
        NotFound: no such module, or no such function at its top level.
        Unreadable: the module is not valid Python.
    """
    module, _, name = entrypoint.partition(":")
    return _found(root, module, name, ())


def _found(root: Path, module: str, name: str, seen: tuple[tuple[str, str], ...]) -> tuple[Path, ast.FunctionDef]:
    if (module, name) in seen:
        message = f"`{name}` is imported in a circle: " + " -> ".join([m for m, _ in seen] + [module])
        raise NotFound(message)
    path = _module_path(root, module)
    tree = _parsed(path.name, _content(path))
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    if isinstance(found := defined.get(name), ast.FunctionDef):
        return path, found
    if found is not None:
        what = "a class" if isinstance(found, ast.ClassDef) else "`async`"
        message = f"`{name}` in {path.name} is {what}; a plain function is needed"
        raise NotFound(message)
    for source, original in _imports(tree, module, name, package=path.name == "__init__.py"):
        if _module_exists(root, source):
            return _found(root, source, original, (*seen, (module, name)))
    message = f"{path.relative_to(root).as_posix()} has no function `{name}` at its top level"
    raise NotFound(message, tuple(n for n, node in defined.items() if isinstance(node, ast.FunctionDef)))


def _imports(tree: ast.Module, module: str, name: str, *, package: bool) -> Iterator[tuple[str, str]]:
    """The modules that a name is imported from, each with what it is called there."""
    here = module.split(".") if package else module.split(".")[:-1]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level <= len(here) + (not node.level):
            above = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from ((source, alias.name) for alias in node.names if (alias.asname or alias.name) == name)


def _module_exists(root: Path, module: str) -> bool:
    base = root.joinpath(*module.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _module_path(root: Path, module: str) -> Path:
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            if not path.resolve().is_relative_to(root.resolve()):
                message = f"module `{module}` is a link that leads out of the code root"
                raise NotFound(message)
            return path
    known = tuple(p.stem for p in sorted(root.glob("*.py"))) if root.is_dir() else ()
    message = f"there is no module `{module}` under {PurePosixPath(root.name)}/"
    raise NotFound(message, known)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path.name}: {error.strerror}"
        raise Unreadable(message) from error


@lru_cache(maxsize=64)
def _parsed(name: str, content: bytes) -> ast.Module:
    """The module with this content; what Python only warns of is its author's business."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(decode_source(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line else ""
        message = f"{name}{place}: {getattr(error, 'msg', None) or error}"
        raise Unreadable(message) from error


def _signature(node: ast.FunctionDef) -> Function:
    arguments = node.args
    ordered = [*arguments.posonlyargs, *arguments.args]
    without_default = ordered[: len(ordered) - len(arguments.defaults)]
    keyword_required = [
        a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
    ]
    return Function(
        name=node.name,
        positional_only=tuple(a.arg for a in arguments.posonlyargs if a in without_default),
        named=tuple(a.arg for a in [*arguments.args, *arguments.kwonlyargs]),
        required=frozenset([a.arg for a in without_default if a in arguments.args] + keyword_required),
        takes_any=arguments.kwarg is not None,
    )
