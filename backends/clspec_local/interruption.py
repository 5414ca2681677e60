"""Being asked to end: Ctrl-C, a polite signal, a terminal that is closed."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clspec_local.supervise import ASKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Note the signals that ask the run to end, instead of raising in the middle of what must be whole."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (*ASKING, signal.SIGCHLD)}
    for number in ASKING:
        if before[number] is not signal.SIG_IGN:  # as `nohup` and a shell's `&` set it
            signal.signal(number, lambda found, _: asked.append(found))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, children would be gone before anybody asks how they ended
    try:
        yield asked
    finally:
        for number, found in before.items():
            signal.signal(number, found or signal.SIG_DFL)
