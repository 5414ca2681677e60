"""User code as it is called: a function by keyword arguments, or a command with its placeholders filled.

This is the one place that runs it. Whatever it raises or prints is the user's, and named so.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clspec
from clspec import code
from clspec.data import caches
from clspec.diagnostic import Refused, StepFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CLSPEC = Path(clspec.__file__).parent


_NO_CACHE = f"{os.devnull}/no-cache"
"""A place where no cache of compiled code can be."""


class UserCodeFailed(StepFailed):
    """User code raised, or did not keep to its contract; the text holds its traceback where there is one."""


def verify(root: Path, digest: str) -> None:
    """Make sure that the code here is the code that the plan means.

    Raises:
        Refused: it is other code.
    """
    found = code.digest(root)
    if found != digest:
        message = (
            f"the code in {root} is {found}, the plan was made for {digest}: compile again, or build the image again"
        )
        raise Refused(message)


@contextlib.contextmanager
def _speaking_for(what: str) -> Iterator[None]:
    """Turn what user code raises into a failure of the step, its own part of the traceback kept."""
    try:
        yield
    except (KeyboardInterrupt, StepFailed, Refused, UsageError):
        raise
    except SystemExit as error:
        message = f"{what} ended the process with {error.code!r}"
        raise UserCodeFailed(message) from error
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not Path(frame.filename).is_relative_to(_CLSPEC)] or frames
        lines = [*traceback.format_list(own), *traceback.format_exception_only(error)]
        message = f"{what} raised {type(error).__name__}\nTraceback (most recent call last):\n{''.join(lines).rstrip()}"
        raise UserCodeFailed(message) from error


def _function(root: Path, entrypoint: str) -> Callable[..., Any]:
    module, _, name = entrypoint.partition(":")
    _refuse_pickles()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    caches.refuse_of(root)
    with _speaking_for(f"importing `{module}`"):
        loaded = importlib.import_module(module)
    if not Path(getattr(loaded, "__file__", None) or "").resolve().is_relative_to(root.resolve()):
        where = getattr(loaded, "__file__", None) or "a module of Python's own"
        message = f"`{module}` is {where}, not a module of {root}: give yours another name"
        raise UserCodeFailed(message)
    with _speaking_for(f"`{entrypoint}`"):
        found: Callable[..., Any] = getattr(loaded, name)
        return found


def _refuse_pickles() -> None:
    """Decide what torch loads in this process and its children, whatever the code asks for: no free pickles."""
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)


def call(root: Path, entrypoint: str, arguments: Mapping[str, Any]) -> Any:
    """What the function returns.

    Raises:
        UserCodeFailed: it cannot be imported, or raises.
    """
    function = _function(root, entrypoint)
    with _speaking_for(f"`{entrypoint}`"):
        return function(**arguments)


def rows(root: Path, entrypoint: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
    """What the function yields, one at a time.

    Raises:
        UserCodeFailed: it cannot be imported, raises, or does not yield.
    """
    found = call(root, entrypoint, arguments)
    if isinstance(found, dict | str | bytes) or not hasattr(found, "__iter__"):
        forgotten = ": is a `yield` missing?" if found is None else ""
        message = f"`{entrypoint}` must yield dicts, one for each row, not return a {type(found).__name__}{forgotten}"
        raise UserCodeFailed(message)
    iterator = iter(found)
    while True:
        with _speaking_for(f"`{entrypoint}`"):
            try:
                row = next(iterator)
            except StopIteration:
                return
        yield row


def command(root: Path, words: list[str], values: Mapping[str, str]) -> None:
    """Run a command in the code root, each `{name}` in its words replaced by its value.

    Raises:
        UserCodeFailed: it cannot be started, or does not end with 0.
    """
    _refuse_pickles()
    # No Python of a command takes compiled code from a cache, which may be of other sources than those reviewed.
    afresh = {**os.environ, "PYTHONPYCACHEPREFIX": _NO_CACHE, "PYTHONDONTWRITEBYTECODE": "1"}
    filled = [_filled(word, values) for word in words]
    try:
        done = subprocess.run(filled, cwd=root, env=afresh, check=False, stdin=subprocess.DEVNULL)  # noqa: S603  # the user's command
    except OSError as error:
        message = f"`{filled[0]}` cannot be started: {error.strerror}"
        raise UserCodeFailed(message) from error
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        message = f"`{' '.join(words)}` ended with {how}"
        raise UserCodeFailed(message)


def _filled(word: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{([^{}]*)\}", lambda match: values[match[1]], word)  # one pass: a value is never read again
