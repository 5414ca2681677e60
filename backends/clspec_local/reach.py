"""Which files of user code a step can reach: its entry points' modules and what they import, found without running it.

Reading is not running, so this errs on the side of too many files. A module that imports by a name made at run time,
that runs other programs, or that cannot be read as Python makes every file of the code root count.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import decode_source
from typing import TYPE_CHECKING

from clspec import code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_LOADERS = frozenset(
    (
        *("importlib", "imp", "pkgutil", "runpy", "pydoc", "zipimport", "code", "codeop", "hydra"),
        *("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"),  # import what their data names
        *("subprocess", "pty"),  # may run a file of the root as a program
    )
)
_HARMLESS = frozenset(("importlib.metadata", "importlib.resources", "importlib.abc"))
_CALLS = frozenset(("__import__", "exec", "eval", "compile", "execfile"))
_ATTRIBUTES = {
    "sys": frozenset(("path", "modules", "meta_path", "path_hooks", "executable")),
    "os": frozenset(
        (
            *("system", "popen", "posix_spawn", "posix_spawnp", "startfile"),
            *(f"{verb}{how}" for verb in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
        )
    ),
}
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_][\w.]*", re.ASCII)
"""A text that may name a module: `nets.small`, `nets:small`. One plain word hardly ever does."""


_LONGEST = 256
"""No module's name is longer."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The files that count, by POSIX path below the root; why all do, if so; what is imported from elsewhere."""

    files: Mapping[str, Path]
    whole: str
    elsewhere: frozenset[str]
    """The first words of the names of modules that are not user code: `torch`."""


@dataclass(frozen=True, slots=True)
class _Module:
    """What one module says: the names that it imports, those it may mean, and why it cannot be followed."""

    imports: frozenset[str]
    opened: frozenset[str]
    """Packages of which everything is imported."""
    meant: frozenset[str]
    """Texts that may be names of modules."""
    opaque: str


def reach(
    root: Path, entrypoints: Iterable[str], opaque: str, beside: Sequence[Path], read: Callable[[Path], bytes]
) -> Reach:
    """What the entry points (`module:function`) can reach below a root, and in the folders `beside` it.

    `opaque` says why no import can tell, if that is known before. `beside` are other folders in which Python looks
    for modules. A file of theirs that is reached is named by the number of its folder: `1:shared/words.py`.

    Raises:
        CodeError: the root cannot be taken as code.
    """
    there = dict(code.files(root))
    walk = _Walk(there, beside, read)
    for entrypoint in entrypoints:
        walk.follow(entrypoint.partition(":")[0], "")
    walk.to_the_end()
    if why := opaque or walk.opaque or ("" if walk.found else "no entry point says where to begin"):
        return Reach({**there, **walk.found}, why, walk.elsewhere())
    data = {name: path for name, path in there.items() if not name.endswith(".py")}
    return Reach({**data, **walk.found}, "", walk.elsewhere())


class _Walk:
    """A walk along imports; it keeps a list of what is to be read, so that no chain is too deep for it."""

    def __init__(self, there: Mapping[str, Path], beside: Sequence[Path], read: Callable[[Path], bytes]) -> None:
        self._there = there
        self._beside = beside
        self._read = read
        self._waiting: list[tuple[str, str, Path]] = []
        self._outside: set[str] = set()
        self._looked: dict[str, list[tuple[str, str, Path]]] = {}
        self.found: dict[str, Path] = {}
        self.opaque = ""

    def elsewhere(self) -> frozenset[str]:
        """The first words of what is imported and is no file here."""
        return frozenset(self._outside)

    def follow(self, name: str, meant: str) -> None:
        """Take a dotted name as imported: every package on the way to it, and it; `meant` is one that may be none."""
        words = name.split(".")
        known = False
        for count in range(1, len(words) + 1):
            modules = self._modules(".".join(words[:count]))
            known = known or bool(modules)
            for module, label, path in modules:
                if label not in self.found:
                    self.found[label] = path
                    self._waiting.append((module, label, path))
        if not known and not meant:
            self._outside.add(words[0])

    def to_the_end(self) -> None:
        """Read what waits, and what that leads to."""
        while self._waiting:
            module, label, path = self._waiting.pop()
            said = _said(module, label.endswith("__init__.py"), label, self._read(path))
            self.opaque = self.opaque or said.opaque
            for name in said.imports:
                self.follow(name, "")
            for name in said.meant:
                self.follow(name, "a text")
            for package in said.opened:
                for inside in self._inside(package):
                    self.follow(inside, "")

    def _modules(self, name: str) -> list[tuple[str, str, Path]]:
        """The files of a module: of the root, or of the first folder beside it that has one."""
        if name not in self._looked:
            self._looked[name] = list(self._files_of(name))
        return self._looked[name]

    def _files_of(self, name: str) -> Iterator[tuple[str, str, Path]]:
        base = name.replace(".", "/")
        for label in (f"{base}/__init__.py", f"{base}.py"):
            if label in self._there:
                yield name, label, self._there[label]
                return
        if name.partition(".")[0] == "clspec":  # its bytes count as the step program
            return
        for number, folder in enumerate(self._beside, 1):
            for label in (f"{base}/__init__.py", f"{base}.py"):
                if os.path.isfile(f"{folder}/{label}"):  # noqa: PTH113  # asked for every name that is imported
                    yield name, f"{number}:{label}", folder / label
                    return

    def _inside(self, package: str) -> Iterator[str]:
        """The modules directly in a package of the root."""
        start = package.replace(".", "/") + "/"
        for label in self._there:
            rest = label.removeprefix(start)
            if rest != label and rest.endswith(".py"):
                word = rest.removesuffix(".py").removesuffix("/__init__")
                if "/" not in word and word != "__init__":
                    yield f"{package}.{word}"


@lru_cache(maxsize=4096)
def _said(module: str, package: bool, label: str, content: bytes) -> _Module:  # noqa: FBT001  # a fact of the file
    """What a module's source says of others."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(decode_source(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _Module(frozenset(), frozenset(), frozenset(), f"{label} cannot be read as Python: {error}")
    imports: set[str] = set()
    opened: set[str] = set()
    meant: set[str] = set()
    opaque = ""
    here = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            imports.update([source] if source else [])
            opened.update([source] if any(alias.name == "*" for alias in node.names) and source else [])
            imports.update(".".join(filter(None, [source, a.name])) for a in node.names if a.name != "*")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if len(text) < _LONGEST and _NAME.fullmatch(text):
                meant.add(text.partition(":")[0])
            if text.endswith(".py"):
                opaque = opaque or f"{label}, line {node.lineno}, names a file {text!r:.80}"
            continue
        if reason := _dynamic(node):
            opaque = opaque or f"{label}, line {node.lineno}, {reason}"  # type: ignore[attr-defined]
    return _Module(frozenset(imports), frozenset(opened), frozenset(meant), opaque)


def _dynamic(node: ast.AST) -> str:
    """Why a piece of code may reach what no import names; empty if it does not."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        base = node.module
        if base in _ATTRIBUTES and (hit := next((a.name for a in node.names if a.name in _ATTRIBUTES[base]), "")):
            return f"uses {base}.{hit}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        return f"calls {node.func.id}()"
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"uses {node.value.id}.{node.attr}" if node.attr in _ATTRIBUTES.get(node.value.id, ()) else ""
    else:
        return ""
    for name in names:
        if name.partition(".")[0] in _LOADERS and not any(name == h or name.startswith(f"{h}.") for h in _HARMLESS):
            return f"imports {name}"
    return ""
