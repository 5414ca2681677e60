"""Which mined rows people look at: a stable choice, the same for the same rows in whatever order they come."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import perceptual
from clspec.data.leakage import Near, as_text, looks
from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.data.versions import Shape

Stratum = tuple[str | None, ...]

_SALT = b"clspec.sample\x00"
"""So that a choice here says nothing of the choices that other parts make by hash, such as the split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many rows are wanted, None for all, and of what mixture."""

    budget: int | None
    stratify_by: tuple[str, ...]
    max_per_group: int | None
    dedupe: Near | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """What a step's configuration states."""
        return cls(
            budget=config["budget"],
            stratify_by=tuple(config["stratify_by"]),
            max_per_group=config["max_per_group"],
            dedupe=Near.of(config["dedupe"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The chosen rows, in the order of their hashes, and how many went for each cause and stayed in each stratum."""

    rows: pa.Table
    counts: dict[str, Any]


def sample(rows: pa.Table, shape: Shape, plan: Plan) -> Sampled:
    """Choose among candidates.

    Of rows with one key one stays. The rows of an audit come first and are cut by the budget alone, in the order of
    their hashes, so that they stay a fair sample of all rows. Of the others go those that look like one that stays,
    those beyond `max_per_group`, and those beyond their stratum's share of what the audit left of the budget.

    Raises:
        DataError: a row has no key, or an image cannot be read.
    """
    unique = _in_hash_order(_once(rows, shape.key), shape.key)
    drawn = pc.fill_null(unique.column("clspec.audit"), False).to_pylist()  # noqa: FBT003  # the value, not a switch
    audit = [number for number, is_drawn in enumerate(drawn) if is_drawn]
    others = [number for number, is_drawn in enumerate(drawn) if not is_drawn]
    kept = audit[: plan.budget]
    apart = _apart(unique, shape.key, plan.dedupe, kept, others)
    capped = _capped(unique, shape.group, plan.max_per_group, kept, apart)
    strata = _strata(unique, plan.stratify_by, capped)
    budget = None if plan.budget is None else plan.budget - len(kept)
    shares = shared(budget, {stratum: len(members) for stratum, members in strata.items()})
    chosen = [number for stratum, members in strata.items() for number in members[: shares[stratum]]]
    sampled = _taken(unique, sorted([*kept, *chosen]))
    dropped = {
        "key": len(rows) - len(unique),
        "near": len(others) - len(apart),
        "group": len(apart) - len(capped),
        "budget": len(audit) - len(kept) + len(capped) - len(chosen),
    }
    counts = {
        "in": len(rows),
        "out": len(sampled),
        "budget": plan.budget,
        "dropped": dropped,
        "audit": {"in": len(audit), "out": len(kept)},
        "labelled": len(sampled) - sampled.column("clspec.label").null_count,
        "strata": [
            {"stratum": dict(zip(plan.stratify_by, key, strict=True)), "in": len(strata[key]), "out": shares[key]}
            for key in sorted(strata, key=repr)
        ],
    }
    return Sampled(rows=sampled, counts=counts)


def shared(budget: int | None, sizes: Mapping[Stratum, int]) -> dict[Stratum, int]:
    """The budget divided among strata as evenly as their sizes allow; None is enough for all.

    What a small stratum cannot use, and what does not divide, goes to larger ones; of equal ones, to those that the
    hash of their name puts last.
    """
    left = sum(sizes.values()) if budget is None else budget
    shares = {}
    order = sorted(sizes, key=lambda stratum: (sizes[stratum], _hash(repr(stratum))))
    for number, stratum in enumerate(order):
        shares[stratum] = sizes[stratum] if budget is None else min(sizes[stratum], left // (len(order) - number))
        left -= shares[stratum]
    return shares


def _once(rows: pa.Table, key: str) -> pa.Table:
    """One row for each key: one that an audit drew before any other, then the one whose `clspec.id` is smallest."""
    if missing := rows.column(key).null_count:
        message = f"{missing} candidates have no `{key}`, so that nobody can say which rows they are"
        raise DataError(message)
    first = [(key, "ascending"), ("clspec.audit", "descending"), ("clspec.id", "ascending")]
    named = {name for name, _ in first}
    rest = [(name, "ascending") for name in sorted(rows.column_names) if name not in named]  # so that none is equal
    ordered = rows.take(pc.sort_indices(rows, sort_keys=first + rest)).combine_chunks()
    keys = ordered.column(key)
    again = pc.equal(keys.slice(1), keys.slice(0, max(0, len(keys) - 1)))
    return ordered.filter(
        pa.chunked_array([pa.array([True] * min(1, len(keys)), type=pa.bool_()), *pc.invert(again).chunks])
    )


def _in_hash_order(rows: pa.Table, key: str) -> pa.Table:
    hashes = [_hash(text) for text in as_text(rows.column(key)).to_pylist()]
    return _taken(rows, sorted(range(len(rows)), key=hashes.__getitem__))


def _hash(text: str) -> bytes:
    return hashlib.sha256(_SALT + text.encode()).digest()


def _taken(rows: pa.Table, numbers: list[int]) -> pa.Table:
    return rows.take(pa.array(numbers, type=pa.int64())).combine_chunks()


def _apart(rows: pa.Table, key: str, near: Near | None, kept: list[int], others: list[int]) -> list[int]:
    """Those of the others that look neither like a kept row nor like one before them; without an image, like none."""
    if near is None:
        return others
    both = [*kept, *others]
    seen, hashes = looks(_taken(rows, both), near.media, key, "the candidates")
    sure = sum(number < len(kept) for number in seen)
    stays = perceptual.distinct(hashes, near.distance, sure).tolist()
    gone = {both[number] for number, stay in zip(seen, stays, strict=True) if not stay}
    return [number for number in others if number not in gone]


def _capped(
    rows: pa.Table, group: str | None, most: int | None, kept: Sequence[int], others: Sequence[int]
) -> list[int]:
    """The first of each group, as many as it may have besides those kept of it; NULL is no group."""
    if group is None or most is None:
        return list(others)
    groups = rows.column(group).to_pylist()
    counts = Counter(groups[number] for number in kept)
    stay = []
    for number in others:
        counts[groups[number]] += 1
        if groups[number] is None or counts[groups[number]] <= most:
            stay.append(number)
    return stay


def _strata(rows: pa.Table, by: Sequence[str], numbers: Sequence[int]) -> dict[Stratum, list[int]]:
    """The numbered rows by what they are stratified by: the rule that mined them, or a value as text."""
    columns = [rows.column("clspec.rule" if name == "rule" else f"clspec.by.{name}").to_pylist() for name in by]
    strata: dict[Stratum, list[int]] = {}
    for number in numbers:
        strata.setdefault(tuple(column[number] for column in columns), []).append(number)
    return strata
