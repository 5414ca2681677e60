"""Being asked to end: Ctrl-C, a polite signal, a terminal that is closed."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to end."""


class Asked:
    """What has been asked. Ctrl-C once: finish the steps at work; twice, or any other signal: stop now."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """It has something to read when something new was asked."""
        self._signals: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._signals)

    @property
    def now(self) -> bool:
        """Whether the steps at work are to be stopped."""
        return len(self._signals) > 1 or any(number != signal.SIGINT for number in self._signals)

    def note(self, number: int) -> None:
        """Take down a signal."""
        self._signals.append(number)

    def read(self) -> None:
        """Take what is to be read away."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 64)


@contextmanager
def asked_to_end() -> Iterator[Asked]:
    """Note the signals that ask the run to end, instead of raising in the middle of what must be whole."""
    reads, writes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    asked = Asked(reads)

    def note(number: int, _: object) -> None:
        asked.note(number)
        with suppress(OSError):  # it is full: there is enough to be read
            os.write(writes, b"!")

    before = {number: signal.getsignal(number) for number in (*ASKING, signal.SIGCHLD)}
    for number in ASKING:
        if before[number] is not signal.SIG_IGN:  # as `nohup` and a shell's `&` set it
            signal.signal(number, note)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, children would be gone before anybody asks how they ended
    try:
        yield asked
    finally:
        for number, found in before.items():
            signal.signal(number, found or signal.SIG_DFL)
        os.close(reads)
        os.close(writes)
