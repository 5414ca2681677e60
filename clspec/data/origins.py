"""Where the rows of a version came from, counted: by the rule that mined them, and by who said what they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clspec.data.versions import Erased

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from clspec.data.versions import Dataset, Version

_VERSIONS = 20
"""So many of the newest versions are told one by one."""


def counted(provenance: pa.Table, version: Version) -> tuple[dict[str, int], dict[str, int]]:
    """How many rows each rule mined, and how many each origin labelled; what was added otherwise is `added`."""
    rules = (rule for words in provenance.column("rules").to_pylist() for rule in (words or "").split(",") if rule)
    origins = (origin or "unknown" for origin in provenance.column("origin").to_pylist())
    others = version.rows - len(provenance)
    return _counts(rules), {**_counts(origins), **({"added": others} if others else {})}


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def told(dataset: Dataset, version: Version) -> dict[str, Any]:
    """A version and what it was made of, as JSON: `{number, digest, rows, versions, by_rule, by_origin, note}`.

    Raises:
        DataError: a manifest or a table of the dataset is gone or was changed.
    """
    before = [v for v in dataset.versions() if v.number <= version.number]
    found = {
        "number": version.number,
        "digest": version.digest,
        "rows": version.rows,
        "versions": [{"number": v.number, "rows": v.rows, "origin": v.origin} for v in before[-_VERSIONS:]],
    }
    try:
        by_rule, by_origin = counted(dataset.provenance(version), version)
    except Erased as error:
        return {**found, "by_rule": {}, "by_origin": {}, "note": str(error)}
    return {**found, "by_rule": by_rule, "by_origin": by_origin, "note": ""}
