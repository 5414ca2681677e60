"""What a step is made from, on this machine and today: the parts of its key, read from files and from its plan."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clspec
from clspec.plan import canonical
from clspec_local.keys import Parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Step
    from clspec_local.reach import Reach
    from clspec_local.stamps import Stamps

_CUSTOM = "python:"


class Making:
    """Tells what steps are made from; the code root is looked through once for each set of entry points."""

    def __init__(self, root: Path, stamps: Stamps) -> None:
        self._root = root
        self._stamps = stamps
        self._reached: dict[tuple[tuple[str, ...], str], tuple[Reach, dict[str, str]]] = {}
        self._program = ""
        self._libraries = ""

    def parts(self, step: Step, inputs: Mapping[str, str]) -> Parts:
        """The parts of a step's key; `inputs` are the digests of what it reads, by name.

        Raises:
            CodeError: the code root cannot be taken as code.
            OSError: a file of it cannot be read.
        """
        config = json.loads(step.config)
        found, digests = self._code(config)
        if digests:
            config = _without_root(config)
        return Parts(
            kind=step.kind.value,
            config=config,
            inputs=inputs,
            code=digests,
            whole=found.whole if found else "",
            program=self.program,
            libraries=self.libraries,
        )

    def imports(self, step: Step) -> frozenset[str]:
        """The first words of what a step's code imports from elsewhere.

        Raises:
            CodeError: the code root cannot be taken as code.
            OSError: a file of it cannot be read.
        """
        found, _ = self._code(json.loads(step.config))
        return found.elsewhere if found else frozenset()

    def _code(self, config: Mapping[str, Any]) -> tuple[Reach | None, dict[str, str]]:
        if not _runs_code(config):
            return None, {}
        named, opaque = _named(config)
        if not (named or opaque):
            return None, {}
        if (named, opaque) not in self._reached:
            from clspec_local.reach import reach  # noqa: PLC0415  # Python's own parser, which few runs need

            found = reach(self._root, named, opaque, _beside(self._root), Path.read_bytes)
            digests = {name: self._stamps.of_file(str(path)) for name, path in sorted(found.files.items())}
            self._reached[named, opaque] = found, digests
        return self._reached[named, opaque]

    @property
    def program(self) -> str:
        """The digest of clspec itself, so that another version never passes for this one."""
        if not self._program:
            folder = str(Path(clspec.__file__).parent)
            self._program = self._stamps.of(folder, skip="__pycache__")  # Python may be writing there at this moment
        return self._program

    @property
    def libraries(self) -> str:
        """The digest of Python's version and of the name and version of every installed distribution."""
        if not self._libraries:
            self._libraries = _digest([sys.version, *sorted(_distributions())])
        return self._libraries


def _digest(value: object) -> str:
    return f"sha256:{hashlib.sha256(canonical(value).encode()).hexdigest()}"


def _distributions() -> set[str]:
    """The installed distributions as their folders are called, which holds their versions."""
    found: set[str] = set()
    for place in sys.path:
        with suppress(OSError):
            found.update(n for n in os.listdir(place or ".") if n.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    return found


def _runs_code(config: Mapping[str, Any]) -> bool:
    """Whether a configuration holds the digest of the whole code root, as that of a step which runs user code does."""
    call = config.get("call")
    return config.get("code") is not None or (isinstance(call, dict) and call.get("code") is not None)


def _without_root(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the digest of the whole code root, in whose place the files stand that count."""
    found = {name: value for name, value in config.items() if name != "code"}
    if isinstance(call := found.get("call"), dict):
        found["call"] = {name: value for name, value in call.items() if name != "code"}
    return found


def _named(config: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The names of modules that a configuration holds, entry points first, and why they are not enough, if so."""
    found: set[str] = set()
    opaque = ""
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(name := value.get("entrypoint"), str):
                found.add(name)
            if "entrypoint" in value and value.get("command"):
                opaque = "a command may run any file"
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and value.startswith(_CUSTOM):
            found.add(value.removeprefix(_CUSTOM))
    return tuple(sorted(found)), opaque


def _beside(root: Path) -> tuple[Path, ...]:
    """The folders, beside the code root, in which a step looks for modules that are no installed distribution's."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    named = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    there = [*named, *sys.path[0 if sys.flags.safe_path else 1 :]]
    found = []
    for place in dict.fromkeys(there):
        path = Path(place)
        if place in own or path.name in {"site-packages", "dist-packages", "lib-dynload"} or not path.is_dir():
            continue
        if path.resolve() != root.resolve():
            found.append(path)
    return tuple(found)
