"""A warm process: it has loaded what a step needs, never computes and never loads user code, and steps fork from it.

It does one of two things when the engine asks: fork another warm process, which loads more, or run a step below itself.
So there is a tree of them: one has the step program, below it one has the data libraries, below that one has torch.
Each has a channel of its own to the engine, and leaves when the engine does.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import shutil
import socket
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from clspec_local import wire
from clspec_local.supervise import become_subreaper, end_orphans, set_the_scene, supervise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def threads() -> int:
    """The threads of this process: a fork beside another one may copy a lock that nobody will open."""
    return os.stat("/proc/self/task").st_nlink - 2  # noqa: PTH116  # asked before every fork


def main() -> NoReturn:
    """Serve the engine on the descriptor that is the first argument."""
    set_the_scene()
    _serve(socket.socket(fileno=int(sys.argv[1])))


def _serve(channel: socket.socket) -> NoReturn:
    """Do what is asked until nobody is there to ask."""
    code = 1
    try:
        become_subreaper()
        scratch: list[str] = []
        try:
            _answer(channel, _Children(), scratch)
        finally:
            for folder in scratch:
                shutil.rmtree(folder, ignore_errors=True)
        code = 0
    except BaseException:  # noqa: BLE001  # nothing may unwind into the frames of what this was forked from
        traceback.print_exc()
    finally:
        os._exit(code)


def _answer(channel: socket.socket, children: _Children, scratch: list[str]) -> None:
    """Do what is asked; whoever runs steps puts the folder for their temporary files on the list."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while True:
        children.watched_by(poll)
        ready = [descriptor for descriptor, _ in poll.poll()]
        children.bury(poll, ready)
        if channel.fileno() not in ready:
            continue
        message = wire.receive(channel)
        if message is None:
            children.wait()
            return
        asked, descriptor = message
        if (count := threads()) > 1 and not asked.get("spawn"):
            wire.send(channel, {"unsafe": count})
            with suppress(OSError, TypeError):
                os.close(descriptor)  # type: ignore[arg-type]  # whoever waits at the other end sees that it is closed
        elif descriptor is not None:
            children.fork(asked, descriptor, channel)
        else:
            if not scratch:
                scratch.append(tempfile.mkdtemp(prefix="clspec-"))
            if not supervise(asked, scratch[0], channel):
                return


class _Children:
    """The warm processes that were forked from this one."""

    def __init__(self) -> None:
        self._pids: dict[int, int] = {}
        self._unwatched: list[int] = []

    def fork(self, asked: Mapping[str, Any], descriptor: int, channel: socket.socket) -> None:
        """Begin another one, which talks to the engine over the descriptor."""
        pid = os.fork()
        if pid == 0:
            channel.close()
            for each in self._pids:
                os.close(each)
            _begin(asked["load"], asked["variables"], socket.socket(fileno=descriptor))
        os.close(descriptor)
        found = os.pidfd_open(pid)
        self._pids[found] = pid
        self._unwatched.append(found)

    def watched_by(self, poll: select.poll) -> None:
        """Have a poll tell when one of them ends."""
        for each in self._unwatched:
            poll.register(each, select.POLLIN)
        self._unwatched.clear()

    def bury(self, poll: select.poll, ready: Sequence[int]) -> None:
        """Take leave of those that have ended; what a killed one had below itself is ours now, and ends."""
        for each in ready:
            if each in self._pids:
                poll.unregister(each)
                os.close(each)
                _, status = os.waitpid(self._pids.pop(each), 0)
                if status:
                    end_orphans({*self._pids.values()})

    def wait(self) -> None:
        """Wait for all, who leave as we do."""
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


def _begin(load: Sequence[str], variables: Mapping[str, str], channel: socket.socket) -> NoReturn:
    """Load more than what this process was forked with, and serve."""
    try:
        os.environ.update(variables)
        for name in load:
            importlib.import_module(name)
        if (program := sys.modules.get("clspec.step.program")) is not None:
            program.unsaid()
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page that it looks at
    except BaseException:  # noqa: BLE001  # a library may raise anything; the step is begun cold, and will say it again
        traceback.print_exc()
        os._exit(1)
    _serve(channel)


if __name__ == "__main__":
    main()
