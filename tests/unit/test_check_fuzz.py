"""Whatever a file holds: every command that reads it says something, soon, in little memory, without a traceback.

`python bench/fuzz.py` does the same for as long as it is told to.
"""

import contextlib
import json
import random
import shutil
import tracemalloc
import xml.etree.ElementTree as ET
from datetime import date

import pytest
from fuzzing import FULL, KINDS, odd_file
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec import api, diff, mending
from clspec.compile import InvalidSpec
from clspec.report import formats, resolved
from clspec.report.diagnostics import as_json, as_lines, as_text

DAY = date(2026, 11, 25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    (place / "robotaxi").symlink_to(FULL.parent / "robotaxi")
    for name in ("odd", "old"):
        shutil.copy(FULL.with_suffix(".lock"), place / f"{name}.lock")
    shutil.copy(FULL, place / "old.yaml")
    return place


def tried(data, folder):
    """All that reads a spec, on one of these bytes."""
    place = folder / "odd.yaml"
    place.write_bytes(data)
    path = str(place)
    checked = api.check(path, None, DAY)
    found = checked.diagnostics
    texts = {one.path: checked.text for one in found}
    for text in (as_text(found, texts, colours=False), as_lines(found), formats.as_github(found, {})):
        assert "\x1b" not in text
        assert "\u202e" not in text
        text.encode()
    json.loads(as_json(found))
    json.loads(formats.as_sarif(found, {}, "1"))
    ET.fromstring(formats.as_junit([path], found, {}))
    assert checked.facts is not None or any(one.is_error for one in found)
    made = api.mended(path, None, DAY)
    assert made.changed is (made.before.text != made.after.text)
    assert mending.with_fixes(made.before.text, []) == made.before.text
    with contextlib.suppress(InvalidSpec):
        resolved.as_yaml(api.config(path, None, DAY)).encode()
    with contextlib.suppress(diff.NotCompared):
        diff.compare(diff.read(str(folder / "old.yaml")), diff.read(path))


@settings(max_examples=120, deadline=8_000)
@given(st.integers(0, 2**32))
def test_whatever_a_file_holds_there_is_an_answer(folder, seed):
    tried(odd_file(seed), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_odd_file_is_made(kind):
    assert len({kind(random.Random(seed)) for seed in range(20)}) > 15


def test_memory_is_bounded(folder):
    tracemalloc.start()
    try:
        for seed in range(12):
            tried(odd_file(seed), folder)
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()
