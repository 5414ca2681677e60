"""The leakage guard: no row that is golden, by key, by group or by look, gets to where something is learned."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import perceptual
from clspec.data.table import DataError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.data.versions import Shape

_DROPPED = pa.schema([pa.field(name, pa.large_string()) for name in ("key", "cause", "dataset", "value")])
EXAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A dataset that nothing may leak from: its rows, what names one of them, and which belong together."""

    name: str
    rows: pa.Table
    key: str
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Which images look the same: those in column `media` whose hashes differ in at most `distance` bits."""

    media: str
    distance: int

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Near | None:
        """What a step's configuration states.

        Raises:
            UsageError: it asks for another method, or names no column.
        """
        if config is None:
            return None
        if config["method"] != "phash" or config["media"] is None:
            message = (
                f"near-duplicates are found by `phash` in a column of images, not by `{config['method']}` in "
                f"{config['media'] or 'no column'}: give the source `roles: {{media: COLUMN}}`"
            )
            raise UsageError(message)
        return cls(media=config["media"], distance=config["distance"])


class _Hit(NamedTuple):
    """Why a row is golden: the cause, of which dataset, and the golden value that it meets."""

    cause: str
    dataset: str
    value: str | None


def without_leaks(
    rows: pa.Table, shape: Shape, against: Sequence[Protected], near: Near | None
) -> tuple[pa.Table, pa.Table]:
    """The rows that are not golden, and of the others the key, the cause (key, group, near), the dataset and its value.

    Texts are compared as `folded` has them, so that another spelling of an id is the same id. A row that is golden for
    more than one reason is named once, by the first of the causes. A missing group is no group, a missing image none.

    Raises:
        DataError: what is to be compared is of two types or is missing on one side, so that nobody can say.
    """
    found: dict[int, _Hit] = {}
    for protected in against:
        _add(found, "key", protected, _same(rows, shape.key, protected, protected.key))
    for protected in against:
        if shape.group is not None and protected.group is not None:
            _add(found, "group", protected, _same(rows, shape.group, protected, protected.group))
    if near is not None:
        for protected in against:
            left = [number for number in range(len(rows)) if number not in found]
            _add(found, "near", protected, _alike(rows, shape.key, near, protected, left))
    numbers = sorted(found)
    keep = pa.array([number not in found for number in range(len(rows))], type=pa.bool_())
    keys = as_text(rows.column(shape.key).take(pa.array(numbers, type=pa.int64())))
    hits = [found[number] for number in numbers]
    columns = [keys, *(pa.array([hit[part] for hit in hits], type=pa.large_string()) for part in range(3))]
    return rows.filter(keep), pa.table(columns, schema=_DROPPED)


def counted(kept: pa.Table, dropped: pa.Table) -> dict[str, Any]:
    """How many rows were kept, how many dropped for each cause, and the first of those."""
    causes = dropped.column("cause").to_pylist()
    return {
        "kept": len(kept),
        "dropped": {cause: causes.count(cause) for cause in dict.fromkeys(sorted(causes))},
        "examples": dropped.slice(0, EXAMPLES).to_pylist(),
    }


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as texts that a person can read; bytes in hexadecimal."""
    if pa.types.is_large_binary(column.type):
        texts = [None if value is None else value.hex() for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, type=pa.large_string())])
    return column.cast(pa.large_string())


def folded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as they are compared: of a text its meaning, whatever its case, form, margins, dashes and unseen parts.

    Unicode's compatibility form (NFKC) and case folding; every dash is `-`; white space around and characters that show
    nothing (of control, of format, fillers, selectors of a variation) are left out.
    """
    if not pa.types.is_large_string(column.type):
        return column  # a number, a time or bytes have one spelling
    if pc.all(pc.string_is_ascii(column)).as_py() is False:
        return pc.utf8_trim_whitespace(_folded(column))
    seen = pc.replace_substring_regex(column, r"[\x00-\x08\x0e-\x1f\x7f]", "")
    return pc.utf8_trim_whitespace(pc.ascii_lower(seen))


def _folded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = [None if text is None else _meaning(text) for text in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, type=pa.large_string())])


def _meaning(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _seen(text)).casefold())
    return _seen(folded)  # some fillers are themselves a form of another


def _seen(text: str) -> str:
    kinds = ((character, unicodedata.category(character)) for character in text)
    return "".join("-" if kind == "Pd" or c == _MINUS else c for c, kind in kinds if not _unseen(c, kind))


_MINUS = "\N{MINUS SIGN}"
_SPACES = "\t\n\v\f\r"
"""Characters of control that show: white space."""
_FILLERS = (*range(0x115F, 0x1161), *range(0x17B4, 0x17B6), *range(0x180B, 0x1810), 0x034F, 0x3164, 0xFFA0)
_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_SHOW_NOTHING = frozenset(map(chr, (*_FILLERS, *_SELECTORS)))
"""What Unicode calls ignorable by default, beyond characters of format."""


def _unseen(character: str, kind: str) -> bool:
    return kind == "Cf" or (kind == "Cc" and character not in _SPACES) or character in _SHOW_NOTHING


def _add(found: dict[int, _Hit], cause: str, protected: Protected, hits: Iterator[tuple[int, str | None]]) -> None:
    for number, value in hits:
        found.setdefault(number, _Hit(cause, protected.name, value))


def _same(rows: pa.Table, column: str, protected: Protected, counterpart: str) -> Iterator[tuple[int, str | None]]:
    """The numbers of the rows whose value is protected, each with the protected one; NULL is no value."""
    mine, theirs = rows.column(column), protected.rows.column(counterpart)
    if mine.type != theirs.type:
        message = (
            f"`{column}` is {mine.type} and `{counterpart}` of dataset `{protected.name}` is {theirs.type}: "
            f"they cannot be compared"
        )
        raise DataError(message)
    places = pc.index_in(folded(mine), value_set=folded(theirs).combine_chunks(), skip_nulls=True).combine_chunks()
    numbers = pc.indices_nonzero(places.is_valid())
    values = as_text(theirs.take(places.take(numbers)))
    return zip(numbers.to_pylist(), values.to_pylist(), strict=True)


def _alike(
    rows: pa.Table, key: str, near: Near, protected: Protected, left: list[int]
) -> Iterator[tuple[int, str | None]]:
    """The numbers of the rows that look like a protected one, each with the key of the one that it looks like most.

    Only rows still `left` are looked at.
    """
    theirs, hashes = looks(protected.rows, near.media, protected.key, f"dataset `{protected.name}`")
    if not theirs:
        message = f"dataset `{protected.name}` has no image in `{near.media}` that anything could be compared with"
        raise DataError(message)
    mine, seen = looks(rows.take(pa.array(left, type=pa.int64())), near.media, key, "the rows to guard")
    places, bits = perceptual.nearest(seen, hashes)
    golden = pa.array([theirs[place] for place in places], type=pa.int64())
    keys = as_text(protected.rows.column(protected.key).take(golden)).to_pylist()
    hits = zip(mine, keys, (bits <= near.distance).tolist(), strict=True)
    return ((left[number], value) for number, value, hit in hits if hit)


def looks(rows: pa.Table, media: str, key: str, origin: str) -> tuple[list[int], perceptual.Hashes]:
    """The numbers of the rows that have an image, and the hashes of those.

    Raises:
        DataError: there is no such column of images.
    """
    if media not in rows.column_names or not pa.types.is_large_binary(rows.schema.field(media).type):
        message = f"{origin}: near-duplicates are looked for in `{media}`, which is no column of type binary there"
        raise DataError(message)
    numbers = pc.indices_nonzero(rows.column(media).is_valid())
    found = perceptual.hashes(rows.column(media).take(numbers), rows.column(key).take(numbers), origin)
    return numbers.to_pylist(), found
