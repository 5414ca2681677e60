"""The golden rows that speak against a model, those that most seeds had wrong first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EXAMPLES = 12


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A golden row that was answered wrongly: `said` tells each wrong answer and the seeds that gave it."""

    key: str
    label: str
    said: str


class Flips(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that the champion had right: how many under each seed, and the first of them with what was said."""

    counts: str
    rows: tuple[tuple[Example, str], ...]
    """With what the champion said."""


def wrong(examples: Mapping[str, Any], scenario: str, part: str) -> tuple[Example, ...]:
    """The first wrong rows of all seeds in a scenario, or in its guard."""
    found = {seed: of.get(scenario, {}).get(part, []) for seed, of in examples.items()}
    return tuple(example for _, example in _merged(found))


def flips(judged: Sequence[tuple[int, Mapping[str, Any]]]) -> Flips | None:
    """The rows that only the champion had right, from a scenario's judgement under each seed."""
    found = {str(seed): scenario["flipped"] for seed, scenario in judged if scenario["flipped"]}
    champion = {row["key"]: str(row["champion"]) for flips in found.values() for row in flips["rows"]}
    if not champion:
        return None
    rows = _merged({seed: flips["rows"] for seed, flips in found.items()})
    return Flips(
        counts=", ".join(f"{flips['count']} under seed {seed}" for seed, flips in found.items()),
        rows=tuple((example, champion[key]) for key, example in rows),
    )


def keys(content: Mapping[str, Any]) -> list[Any]:
    """The keys of all rows that a page names, once each; those of what must pass and did not come first."""
    seeds = content["seeds"]
    scenarios = (
        [[seed["scenarios"][index] for seed in seeds] for index in range(len(seeds[0]["scenarios"]))] if seeds else []
    )
    ordered = sorted(scenarios, key=lambda of: not (of[0]["must_pass"] and any(s["verdict"] != "pass" for s in of)))
    return list(dict.fromkeys(key for of in ordered for key in _keys_of(content, of, [s["seed"] for s in seeds])))


def _keys_of(content: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Iterator[Any]:
    for part in ("scenario", "guard"):
        found = {seed: of.get(judged[0]["id"], {}).get(part, []) for seed, of in content["examples"].items()}
        yield from (key for key, _ in _merged(found))
    flipped = {str(seed): s["flipped"]["rows"] for seed, s in zip(seeds, judged, strict=True) if s["flipped"]}
    yield from (key for key, _ in _merged(flipped))


def _merged(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[Any, Example]]:
    """Rows by seed as one list of keys and examples, those of most seeds first."""
    labels: dict[Any, Any] = {}
    said: dict[Any, dict[Any, list[str]]] = {}
    for seed, rows_of_seed in found.items():
        for row in rows_of_seed:
            labels[row["key"]] = row["label"]
            said.setdefault(row["key"], {}).setdefault(row["said"], []).append(seed)
    often = sorted(said, key=lambda key: -sum(map(len, said[key].values())))
    return [
        (
            key,
            Example(
                key=str(key),
                label=str(labels[key]),
                said="; ".join(f"{answer} (seed {', '.join(seeds)})" for answer, seeds in said[key].items()),
            ),
        )
        for key in often[:_EXAMPLES]
    ]
