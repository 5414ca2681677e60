"""The page of a run: one HTML file that needs no other."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clspec.report.loop import tables
from clspec.report.scenarios import rows, worst
from clspec.report.story import story

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EXAMPLES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Example:
    """A golden row that was answered wrongly: `said` tells each wrong answer and the seeds that gave it."""

    key: str
    label: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A scenario's own rows or its guard's: the predicate and the first wrong ones among the rows."""

    name: str
    select: str
    wrong: tuple[_Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flips:
    """The rows that the champion had right: how many under each seed, and the first of them with what was said."""

    counts: str
    rows: tuple[tuple[_Example, str], ...]
    """With what the champion said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """A value on a named slice of a scenario, under each seed; told and not judged."""

    name: str
    rows: int
    nulls: int
    check: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scenario:
    """A scenario over all seeds."""

    name: str
    must_pass: bool
    verdict: str
    reasons: tuple[tuple[int, str, str], ...]
    """Seed, verdict and reason; the seeds that passed say nothing where another did not."""
    parts: tuple[_Part, ...]
    flips: _Flips | None
    slices: tuple[_Slice, ...]


def page(content: Mapping[str, Any]) -> str:
    """The page for a report's content. Everything from a spec or from data is text there, never markup or template."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # 0.1 s that only a report needs

    source = files("clspec.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    scenarios = tuple(_scenarios(content))
    shown = list(rows(content))
    told = content.get("loop", {})
    return environment.from_string(source).render(
        content={key: content[key] for key in ("spec", "verdict", "reasons", "made_by", "training")},
        warnings=content.get("warnings", []),
        champion=content.get("champion"),
        story=story(told),
        loop_tables=tables(told),
        alarms=told.get("labels", {}).get("alarms", []),
        why_none=_why_none(told),
        seeds=[seed["seed"] for seed in content["seeds"]],
        rows=shown,
        compared=any(row.champion != "-" for row in shown),
        scenarios=scenarios,
        critical=[s for s in scenarios if s.must_pass],
        against=[s for s in scenarios if s.must_pass and s.verdict != "pass"],
        rest=[s for s in scenarios if not (s.must_pass and s.verdict != "pass")],
    )


def _scenarios(content: Mapping[str, Any]) -> Iterator[_Scenario]:
    seeds = content["seeds"]
    selects = {scenario["id"]: scenario for scenario in content["made_by"]["scenarios"]}
    for index, first in enumerate(seeds[0]["scenarios"] if seeds else []):
        judged = [(seed["seed"], seed["scenarios"][index]) for seed in seeds]
        verdict = worst(scenario["verdict"] for _, scenario in judged)
        told = [(seed, s["verdict"], s["reason"]) for seed, s in judged if verdict == "pass" or s["verdict"] != "pass"]
        wanted = selects.get(first["id"], {"select": "", "guard": None})
        texts = {"scenario": wanted["select"], "guard": wanted["guard"]}
        yield _Scenario(
            name=first["id"],
            must_pass=first["must_pass"],
            verdict=verdict,
            reasons=tuple(told),
            parts=tuple(
                _Part(name=name, select=text, wrong=_wrong(content.get("examples", {}), first["id"], name))
                for name, text in texts.items()
                if text
            ),
            flips=_flips(judged),
            slices=tuple(_slices([scenario for _, scenario in judged])),
        )


def _flips(judged: Sequence[tuple[int, Mapping[str, Any]]]) -> _Flips | None:
    found = {str(seed): scenario["flipped"] for seed, scenario in judged if scenario["flipped"]}
    champion = {row["key"]: str(row["champion"]) for flips in found.values() for row in flips["rows"]}
    if not champion:
        return None
    rows = _merged({seed: flips["rows"] for seed, flips in found.items()})
    return _Flips(
        counts=", ".join(f"{flips['count']} under seed {seed}" for seed, flips in found.items()),
        rows=tuple((example, champion[key]) for key, example in rows),
    )


def _slices(judged: Sequence[Mapping[str, Any]]) -> Iterator[_Slice]:
    for index, part in enumerate(judged[0]["slices"]):
        for number, check in enumerate(part["checks"]):
            values = (scenario["slices"][index]["checks"][number]["value"] for scenario in judged)
            yield _Slice(
                name=part["name"],
                rows=part["rows"],
                nulls=part["nulls"],
                check=check["metric"] + (f" {check['class']}" if check["class"] else ""),
                values=tuple("-" if value is None else f"{value:.4f}" for value in values),
            )


def _why_none(told: Mapping[str, Any]) -> str:
    """Why the loop trained nothing, where it decided so."""
    decision = told.get("decision", {"retrain": True})
    return "" if decision["retrain"] else str(decision["reason"])


def _wrong(examples: Mapping[str, Any], scenario: str, part: str) -> tuple[_Example, ...]:
    """The first wrong rows of all seeds, those that most seeds had wrong first."""
    found = {seed: of.get(scenario, {}).get(part, []) for seed, of in examples.items()}
    return tuple(example for _, example in _merged(found))


def _merged(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[Any, _Example]]:
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
            _Example(
                key=str(key),
                label=str(labels[key]),
                said="; ".join(f"{answer} (seed {', '.join(seeds)})" for answer, seeds in said[key].items()),
            ),
        )
        for key in often[:_EXAMPLES]
    ]
