"""What an image looks like, as 64 bits: images that a person would call the same differ in few of them.

The perceptual hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section
3.2.1: the image in grey at 32 x 32, its discrete cosine transform, of that the 8 x 8 lowest frequencies, and for each a
bit that says whether it is above their median. Here the image is made smaller by the mean of the area that each pixel
covers, and the lowest frequency of all, the brightness, neither counts in the median nor sets its bit: so a change of
brightness or contrast alone changes no bit unless pixels are cut off at black or white. All images of one even colour
look the same.
"""

from __future__ import annotations

import importlib
import io
import math
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from clspec.data.table import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

_SIDE, _LOW = 32, 8
_ROWS = 256
"""So many images are held as numbers at once."""
_PIXELS = 1 << 22
_BLOCK = 512
SMALLEST = 64
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_EPSILON_DIGITS = 6
"""A frequency that is not there is zero only up to rounding: what is smaller than this many decimals is nothing."""


def hashes(images: pa.ChunkedArray, keys: pa.ChunkedArray, origin: str) -> Hashes:
    """The hash of each image: square grey bytes row by row, at least 8 x 8 of them, or a PNG or a JPEG.

    Raises:
        DataError: an image is missing or is none of these; the text names its key.
    """
    found = np.empty(len(images), dtype=np.uint64)
    for start in range(0, len(images), _ROWS):
        chunk = images.slice(start, _ROWS).to_pylist()
        sizes: dict[tuple[int, int], list[tuple[int, NDArray[np.uint8]]]] = {}
        for number, content in enumerate(chunk, start):
            pixels = _pixels(content, f"row {keys[number].as_py()!r} of {origin}")
            sizes.setdefault((pixels.shape[0], pixels.shape[1]), []).append((number, pixels))
        for (height, width), group in sizes.items():
            step = max(1, _PIXELS // (height * width))
            for first in range(0, len(group), step):
                part = group[first : first + step]
                found[[number for number, _ in part]] = _hashed(np.stack([pixels for _, pixels in part]))
    return found


def nearest(images: Hashes, others: Hashes) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """For each image the position of the other one that looks most like it, and in how many bits they differ.

    Raises:
        ValueError: there are no others.
    """
    positions = np.empty(len(images), dtype=np.intp)
    bits = np.empty(len(images), dtype=np.uint8)
    unique, first = np.unique(others, return_index=True)
    step = max(1, _PIXELS // max(1, len(unique)))
    for start in range(0, len(images), step):
        apart = np.bitwise_count(images[start : start + step, None] ^ unique[None, :])
        closest = apart.argmin(axis=1)
        positions[start : start + step] = first[closest]
        bits[start : start + step] = apart[np.arange(len(closest)), closest]
    return positions, bits


def distinct(images: Hashes, distance: int, sure: int) -> NDArray[np.bool_]:
    """Which images stay: the first `sure`, and each that differs in more than `distance` bits from all that do."""
    stay = np.ones(len(images), dtype=np.bool_)
    leaders = images[:sure]
    for start in range(sure, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        fresh = nearest(block, leaders)[1] > distance if len(leaders) else np.ones(len(block), dtype=np.bool_)
        for number in np.flatnonzero(fresh):
            if fresh[number]:
                fresh[number + 1 :] &= np.bitwise_count(block[number + 1 :] ^ block[number]) > distance
        stay[start : start + _BLOCK] = fresh
        leaders = np.concatenate([leaders, block[fresh]])
    return stay


def _hashed(images: NDArray[np.uint8]) -> Hashes:
    """The hashes of images of one size, of shape (images, height, width)."""
    _, height, width = images.shape
    low = _lowest(height) @ images.astype(np.float64) @ _lowest(width).T
    frequencies = np.round(low.reshape(len(images), _LOW * _LOW), _EPSILON_DIGITS)[:, 1:]
    middle = frequencies.shape[1] // 2
    median = np.partition(frequencies, middle, axis=1)[:, middle, None]
    bits = np.pad(frequencies > median, ((0, 0), (1, 0)))
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


@lru_cache(maxsize=64)
def _lowest(length: int) -> NDArray[np.float64]:
    """From `length` pixels to the 8 lowest frequencies of the 32 that they are made: shape (8, length)."""
    edges = np.linspace(0, length, _SIDE + 1)
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    smaller = np.clip(covered, 0, None) * (_SIDE / length)
    angles = np.outer(np.arange(_LOW), 2 * np.arange(_SIDE) + 1) * (math.pi / (2 * _SIDE))
    lowest: NDArray[np.float64] = (np.cos(angles) * math.sqrt(2 / _SIDE)) @ smaller
    return lowest


def _pixels(content: bytes | None, row: str) -> NDArray[np.uint8]:
    """An image as grey pixels; what begins as a PNG or a JPEG does is one."""
    if content is None:
        message = f"{row} has no image"
        raise DataError(message)
    for signature, name in SIGNATURES.items():
        if content.startswith(signature):
            return np.asarray(decoded(content, name, row), dtype=np.uint8)
    side = math.isqrt(len(content))
    if side * side != len(content) or len(content) < SMALLEST:
        message = f"{row}: {len(content)} bytes are no image: neither a PNG, a JPEG nor square grey bytes from 8 x 8 on"
        raise DataError(message)
    return np.frombuffer(content, dtype=np.uint8).reshape(side, side)


def decoded(content: bytes, name: str, row: str, mode: str = "L") -> Any:
    """A PNG or a JPEG as Pillow's image of that mode, grey at first; only the decoder of that name is tried.

    Raises:
        DataError: it is none, has too many pixels, or Pillow is missing; the text names the row.
    """
    pillow = _pillow(name, row)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an image of too many pixels is a warning first
            with pillow.open(io.BytesIO(content), formats=[name]) as image:
                return image.convert(mode)
    except Exception as error:  # a decoder of hostile bytes raises whatever it meets
        message = f"{row}: the image cannot be read as {name}: {error or type(error).__name__}"
        raise DataError(message) from error


def _pillow(name: str, row: str) -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ModuleNotFoundError as error:
        message = f"{row}: the image is a {name}, which takes Pillow to read: pip install 'clspec[images]'"
        raise DataError(message) from error
