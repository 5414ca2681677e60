"""How the engine and its warm processes talk: messages with a length before them, and sometimes a descriptor.

They are written by `marshal`, since both ends are the same Python and of one run: its two functions are all that a
forked process touches for it, where those of `json` are hundreds of objects on pages that it shares.
"""

from __future__ import annotations

import marshal
import os
import socket
import struct
from typing import Any

_HEAD = 4
_DESCRIPTOR = struct.Struct("i")
_ROOM = socket.CMSG_LEN(_DESCRIPTOR.size)


def send(channel: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> None:
    """Send a message, and a descriptor with it if one is given.

    Raises:
        OSError: nobody is there to take it.
    """
    body = marshal.dumps(message)
    head = len(body).to_bytes(_HEAD, "big")
    if descriptor is None:
        channel.sendall(head + body)
        return
    socket.send_fds(channel, [head], [descriptor])
    channel.sendall(body)


def receive(channel: socket.socket) -> tuple[dict[str, Any], int | None] | None:
    """The next message and the descriptor that came with it; None once the other side is gone.

    Raises:
        OSError: what came is no message of ours.
    """
    descriptor = None
    head = b""
    while len(head) < _HEAD:
        try:
            found, beside, _, _ = channel.recvmsg(_HEAD - len(head), _ROOM)
        except ConnectionError:
            return None
        if not found:
            return None
        if beside:
            (descriptor,) = _DESCRIPTOR.unpack(beside[0][2][: _DESCRIPTOR.size])
            os.set_inheritable(descriptor, False)  # noqa: FBT003  # the system's own signature
        head += found
    body = _exactly(channel, int.from_bytes(head, "big"))
    return None if body is None else (marshal.loads(body), descriptor)  # noqa: S302  # from our own process


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        try:
            part = channel.recv(count - len(found))
        except ConnectionError:
            return None
        if not part:
            return None
        found += part
    return bytes(found)
