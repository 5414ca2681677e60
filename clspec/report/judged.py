"""What was judged, scenario by scenario over all seeds, as a page or a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report import examples, intervals
from clspec.report.diagnostics import visible
from clspec.report.scenarios import rows, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.report.examples import Example, Flips
    from clspec.report.markup import Drawn

WORDS = {
    "pass": ("passed", "✓"),
    "fail": ("failed", "✗"),
    "inconclusive": ("inconclusive", "?"),
    "not_compared": ("not compared", "≠"),
    "not judged": ("not judged", "-"),
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario's own rows or its guard's: the predicate and the first wrong ones among the rows."""

    name: str
    select: str
    wrong: tuple[Example, ...]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A value on a named slice of a scenario, under each seed; told and not judged."""

    name: str
    rows: int
    nulls: int
    check: str
    values: tuple[str, ...]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A check of a scenario with its picture over all seeds."""

    title: str
    check: str
    demand: str
    verdict: str
    power: str
    picture: Drawn


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario over all seeds."""

    name: str
    must_pass: bool
    verdict: str
    reasons: tuple[tuple[int, str, str], ...]
    """Seed, verdict and reason; the seeds that passed say nothing where another did not."""
    parts: tuple[Part, ...]
    flips: Flips | None
    slices: tuple[Slice, ...]
    gates: tuple[Gate, ...]


def scenarios(content: Mapping[str, Any]) -> Iterator[Scenario]:
    """Every scenario of a report's content, in the order of the spec.

    Raises:
        LookupError, TypeError: the content has not the form that the report's step gives it.
    """
    seeds = content["seeds"]
    selects = {scenario["id"]: scenario for scenario in content["made_by"]["scenarios"]}
    for index, first in enumerate(seeds[0]["scenarios"] if seeds else []):
        judged = [(seed["seed"], seed["scenarios"][index]) for seed in seeds]
        verdict = worst(scenario["verdict"] for _, scenario in judged)
        told = [(seed, s["verdict"], s["reason"]) for seed, s in judged if verdict == "pass" or s["verdict"] != "pass"]
        wanted = selects.get(first["id"], {"select": "", "guard": None})
        texts = {"scenario": wanted["select"], "guard": wanted["guard"]}
        yield Scenario(
            name=first["id"],
            must_pass=first["must_pass"],
            verdict=verdict,
            reasons=tuple(told),
            parts=tuple(
                Part(name=name, select=text, wrong=examples.wrong(content.get("examples", {}), first["id"], name))
                for name, text in texts.items()
                if text
            ),
            flips=examples.flips(judged),
            slices=tuple(_slices([scenario for _, scenario in judged])),
            gates=tuple(_gates(judged)),
        )


def _gates(judged: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Gate]:
    name = judged[0][1]["id"]
    for check, gate in intervals.gates(judged):
        one = next(iter(rows({"seeds": [{"seed": judged[0][0], "scenarios": [{**judged[0][1], "checks": [check]}]}]})))
        about = f"{one.scenario}: {one.check} {one.threshold}"
        case = check["title"] if check["title"] != name else ""
        yield Gate(
            title=" ".join(filter(None, (case, "guard" if check["part"] == "guard" else ""))),
            check=one.check,
            demand=one.threshold,
            verdict=worst(of["verdict"] for _, of in gate.seeds),
            power=one.power,
            picture=intervals.drawn(gate, visible(intervals.described(gate, about))),
        )


def gate_rows(content: Mapping[str, Any]) -> Iterator[tuple[str, bool, Gate]]:
    """Each gate with the name of its scenario and whether that must pass."""
    for scenario in scenarios(content):
        yield from ((scenario.name, scenario.must_pass, gate) for gate in scenario.gates)


def signed(verdict: str) -> tuple[str, str, str]:
    """A verdict as a sign, a word and a class; what is none of the words is as bad as a fail."""
    word, sign = WORDS.get(verdict, (verdict, "✗"))
    kind = "none" if verdict == "not judged" else verdict if verdict in WORDS else "fail"
    return sign, word, kind


def _slices(judged: Sequence[Mapping[str, Any]]) -> Iterator[Slice]:
    for index, part in enumerate(judged[0]["slices"]):
        for number, check in enumerate(part["checks"]):
            values = (scenario["slices"][index]["checks"][number]["value"] for scenario in judged)
            yield Slice(
                name=part["name"],
                rows=part["rows"],
                nulls=part["nulls"],
                check=check["metric"] + (f" {check['class']}" if check["class"] else ""),
                values=tuple("-" if value is None else f"{value:.4f}" for value in values),
            )
