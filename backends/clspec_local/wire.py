"""How the engine and its warm processes talk: JSON messages with a length before them, and sometimes a descriptor."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

_HEAD = 4


def send(channel: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> None:
    """Send a message, and a descriptor with it if one is given.

    Raises:
        OSError: nobody is there to take it.
    """
    body = json.dumps(message).encode()
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
            found, descriptors, _, _ = socket.recv_fds(channel, _HEAD - len(head), 1)
        except ConnectionError:
            return None
        for each in descriptors:
            os.set_inheritable(each, False)  # noqa: FBT003  # the system's own signature
            descriptor = each
        if not found:
            return None
        head += found
    body = _exactly(channel, int.from_bytes(head, "big"))
    return None if body is None else (json.loads(body), descriptor)


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
