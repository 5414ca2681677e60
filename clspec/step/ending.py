"""The signal that ends a pod, heard by whoever must take something away first."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clspec.diagnostic import ClspecError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _ToldToEnd(ClspecError):
    """The pod is to end; its job must end with it."""

    exit_code = 143


class Ending:
    """The signal that ends a pod: it raises where it meets the launcher, unless that must not be disturbed."""

    def __init__(self) -> None:
        self.is_held = False
        self._came = False

    def __call__(self, *_: object) -> None:
        """Hear the signal.

        Raises:
            ClspecError: now, unless it is held back.
        """
        self._came = True
        if not self.is_held:
            message = "told to end, and so is the TrainJob"
            raise _ToldToEnd(message)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing be disturbed inside; what came meanwhile is heard at the end."""
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
        if self._came:
            self()


@contextmanager
def asked_to_end() -> Iterator[Ending]:
    """Hear the signal that ends a pod, where this is the thread that hears signals."""
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = signal.signal(signal.SIGTERM, ending)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)
