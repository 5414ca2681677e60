"""What a person would see of a row: its media as a small PNG that a page can hold.

Whatever the row holds is decoded here, made small and written anew as plain pixels, so that no browser is ever handed
bytes that somebody else has made. Square grey bytes are taken for what they are, as the near-duplicate guard does.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib

from clspec.data.perceptual import SIGNATURES, SMALLEST, decoded
from clspec.data.table import DataError

SIDE = 96
"""So many pixels a picture is wide and high at most."""


def data_uri(content: bytes | None, row: str) -> str:
    """A row's media as `data:image/png;base64,...`.

    Raises:
        DataError: it is missing, or neither a PNG, a JPEG nor square grey bytes; the text names the row.
    """
    return "data:image/png;base64," + base64.b64encode(_png(*_pixels(content, row))).decode("ascii")


def _pixels(content: bytes | None, row: str) -> tuple[int, int, int, bytes]:
    """Width, height, bytes for each pixel (1 grey, 3 colours), and the pixels row by row."""
    if content is None:
        message = f"{row} has no image"
        raise DataError(message)
    for signature, name in SIGNATURES.items():
        if content.startswith(signature):
            image = decoded(content, name, row, "RGB")
            image.thumbnail((SIDE, SIDE))
            return image.width, image.height, 3, image.tobytes()
    side = math.isqrt(len(content))
    if side * side != len(content) or len(content) < SMALLEST:
        message = f"{row}: {len(content)} bytes are no image: neither a PNG, a JPEG nor square grey bytes from 8 x 8 on"
        raise DataError(message)
    if side <= SIDE:
        return side, side, 1, content
    taken = [number * side // SIDE for number in range(SIDE)]
    return SIDE, SIDE, 1, bytes(content[y * side + x] for y in taken for x in taken)


def _png(width: int, height: int, depth: int, pixels: bytes) -> bytes:
    """A PNG of 8 bits a channel without any extra (PNG specification, third edition, sections 5 and 11.2)."""
    stride = width * depth
    lines = b"".join(b"\0" + pixels[start : start + stride] for start in range(0, stride * height, stride))
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[depth], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
