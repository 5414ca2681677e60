"""The perceptual hash: what a person would call the same image differs in few bits, whatever was done to its file."""

import io
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from clspec.data import perceptual
from clspec.data.table import DataError


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, type=kind or pa.large_binary())])


def hashed(*images):
    keys = column([f"k{number}" for number in range(len(images))], pa.large_string())
    return perceptual.hashes(column(images), keys, "the test")


def scene(seed, side=64):
    """A scene with a few things in it, away from black and white."""
    draws = np.random.default_rng(seed)
    image = np.full((side, side), 110.0)
    for _ in range(12):
        top, left = draws.integers(0, side - side // 8, 2)
        image[
            top : top + draws.integers(side // 10, side // 2), left : left + draws.integers(side // 10, side // 2)
        ] += draws.uniform(-50, 50)
    return np.clip(image, 40, 210).astype(np.uint8)


def bits(left, right):
    return int(np.bitwise_count(hashed(left.tobytes())[0] ^ hashed(right.tobytes())[0]))


def test_the_hash_is_the_published_one():
    """Recomputed with SciPy's transform for an image that needs no scaling."""
    image = scene(5, 32)
    low = dctn(image.astype(float), norm="ortho")[:8, :8].ravel()[1:]
    wanted = int("0" + "".join("1" if value > np.median(low) else "0" for value in low), 2)
    assert hashed(image.tobytes()).tolist() == [wanted]


def test_the_same_scene_looks_the_same_and_another_does_not():
    draws = np.random.default_rng(1)
    for seed in range(20):
        image = scene(seed)
        assert bits(image, image + 25) == 0, "brightness"
        noisy = np.clip(image + draws.normal(0, 2, image.shape).round(), 0, 255).astype(np.uint8)
        assert bits(image, noisy) <= 4
        assert bits(image, image.repeat(2, 0).repeat(2, 1)) <= 2, "size"
        assert bits(image, scene(seed + 100)) > 8


@given(st.integers(0, 2**32), st.integers(-40, 40))
@settings(max_examples=50, deadline=None)
def test_brightness_alone_changes_no_bit(seed, shift):
    image = scene(seed, 48)
    assert bits(image, (image.astype(int) + shift).astype(np.uint8)) == 0


def test_images_of_one_colour_look_the_same_and_have_no_bit_of_rounding():
    assert hashed(*(bytes([colour]) * side**2 for colour in (0, 77, 255) for side in (8, 31, 100))).tolist() == [0] * 9


def test_many_images_hash_as_each_alone_and_sizes_may_mix():
    images = [scene(seed, side).tobytes() for seed in range(40) for side in (8, 20, 32, 33, 150)]
    together = hashed(*images * 3)
    assert together[:200].tolist() == [hashed(image)[0] for image in images]
    assert together[400:].tolist() == together[:200].tolist()
    assert hashed().tolist() == []


@pytest.mark.parametrize("image", [b"", b"x" * 49, b"x" * 65, None])
def test_what_is_no_image_is_named_by_its_key(image):
    with pytest.raises(DataError, match=r"row 'k1' of the test.* no image"):
        hashed(bytes(64), image)


def test_png_and_jpeg():
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is optional")
    image = scene(3)

    def saved(kind, **options):
        into = io.BytesIO()
        pillow.fromarray(image).save(into, kind, **options)
        return into.getvalue()

    raw = hashed(image.tobytes())[0]
    assert hashed(saved("PNG"))[0] == raw
    for quality in (95, 75, 50):
        assert int(np.bitwise_count(hashed(saved("JPEG", quality=quality))[0] ^ raw)) <= 4
    for broken in (saved("PNG")[:60], saved("JPEG")[:200], b"\xff\xd8\xff" + bytes(97)):
        with pytest.raises(DataError, match=r"row 'k0' of the test: the image cannot be read as (PNG|JPEG)"):
            hashed(broken)


def test_without_pillow_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"row 'k0' .* is a PNG, .*pip install 'clspec\[images\]'"):
        hashed(b"\x89PNG\r\n\x1a\n" + bytes(100))


some_hashes = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 63).map(lambda bit: 1 << bit), max_size=40)


@given(some_hashes, some_hashes.filter(bool))
def test_the_nearest_is_the_nearest(images, others):
    positions, apart = perceptual.nearest(np.array(images, np.uint64), np.array(others, np.uint64))
    distances = [[(image ^ other).bit_count() for other in others] for image in images]
    assert apart.tolist() == [min(row) for row in distances]
    assert [row[place] for row, place in zip(distances, positions, strict=True)] == apart.tolist()


@given(some_hashes, st.integers(0, 64), st.integers(0, 5), st.integers(1, 7))
def test_what_stays_is_apart_and_what_goes_is_near_something_that_stays(images, distance, sure, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perceptual, "_BLOCK", block)
        stays = perceptual.distinct(np.array(images, np.uint64), distance, sure).tolist()
    leaders = images[:sure]
    for image, stay in zip(images[sure:], stays[sure:], strict=True):
        assert stay == all((image ^ leader).bit_count() > distance for leader in leaders)
        leaders += [image] if stay else []
    assert all(stays[:sure])
