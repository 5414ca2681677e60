"""Numbered entries: each created once, none ever missing between others."""

import pytest

from clspec.data.sequence import Sequence
from clspec.data.storage import storage_at
from clspec.data.table import DataError


@pytest.fixture
def found(tmp_path):
    return Sequence(storage_at(str(tmp_path)), "spec/log")


def test_entries_come_in_their_order(found):
    assert (found.entries(), found.newest(), found.length()) == ((), None, 0)
    for number in range(12):
        assert found.add({"n": number}, after=number)
    assert [(entry.number, entry.content["n"]) for entry in found.entries()] == [(n + 1, n) for n in range(12)]
    assert (found.newest().number, found.newest().content, found.length()) == (12, {"n": 11}, 12)


def test_a_number_is_given_once(found):
    assert found.add({"by": "one"}, after=0)
    assert not found.add({"by": "two"}, after=0)
    assert not found.add({"by": "one"}, after=0)
    assert found.newest().content == {"by": "one"}


def test_a_gap_is_refused(found, tmp_path):
    for number in range(3):
        found.add({"n": number}, after=number)
    (tmp_path / "spec/log/00000002.json").unlink()
    for read in (found.entries, found.newest, found.length):
        with pytest.raises(DataError, match="has gaps: entry 2 was removed"):
            read()


def test_an_entry_that_a_listing_missed_is_no_gap(found, monkeypatch):
    """A folder that is written to while it is listed may show the newer of two entries and not the older."""
    for number in range(3):
        found.add({"n": number}, after=number)
    monkeypatch.setattr(
        type(found.storage), "keys", lambda *_: iter(["spec/log/00000001.json", "spec/log/00000003.json"])
    )
    assert [entry.content["n"] for entry in found.entries()] == [0, 1, 2]


@pytest.mark.parametrize("name", ["1.json", "00000001.txt", "notes", "0000000x.json", "deep/00000001.json"])
def test_what_is_no_entry_is_named(found, tmp_path, name):
    path = tmp_path / "spec/log" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(DataError, match=rf"spec/log/{name} is no entry of a sequence"):
        found.entries()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_an_entry_that_cannot_be_read_is_named(found, tmp_path, text):
    found.add({"n": 1}, after=0)
    (tmp_path / "spec/log/00000001.json").write_bytes(text.encode("latin-1"))
    for read in (found.entries, found.newest):
        with pytest.raises(DataError, match=r"spec/log/00000001\.json is no entry of a sequence"):
            read()
