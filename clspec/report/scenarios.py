"""A verdict as a table: each check of each case with its estimate, bound, threshold, samples and verdict."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.table import Table

_STYLES = {"fail": "bold red", "inconclusive": "yellow", "not_compared": "yellow", "pass": "green"}
"""How each verdict is shown, the worst first."""

_WIDEST = 1000


def worst(verdicts: Iterable[str]) -> str:
    """The worst of several verdicts; a word that is none is as bad as a fail, and so is none at all."""
    order = list(_STYLES)
    return order[min((order.index(v) if v in order else 0 for v in verdicts), default=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table, its numbers as texts."""

    scenario: str
    """With the slice or the group that was judged: `urban-day[weather=rain]`."""
    must_pass: bool
    seed: str
    check: str
    estimate: str
    """Of a margin the difference, and the challenger's own value."""
    champion: str
    bound: str
    threshold: str
    samples: str
    power: str
    verdict: str
    reason: str


def rows(verdict: Mapping[str, Any]) -> Iterator[Row]:
    """A line for each check of each case under each seed; the seeds of a check stand below each other."""
    seeds = verdict["seeds"]
    for index, scenario in enumerate(seeds[0]["scenarios"] if seeds else []):
        for number, _ in enumerate(scenario["checks"]):
            for seed in seeds:
                judged = seed["scenarios"][index]
                yield _row(judged, judged["checks"][number], seed["seed"])


def _row(scenario: Mapping[str, Any], check: Mapping[str, Any], seed: int) -> Row:
    about = f" {check['class']}" if check["class"] else ""
    clusters = f" / {check['clusters']} cl." if check["clusters"] is not None else ""
    return Row(
        scenario=check["title"] + (" (guard)" if check["part"] == "guard" else ""),
        must_pass=scenario["must_pass"],
        seed=str(seed),
        check=check["metric"] + about,
        estimate=_estimate(check),
        champion=_number(check["champion"]),
        bound="point" if check["gate"] == "point" else _number(check["bound"]),
        threshold=_threshold(check),
        samples=f"{check['rows']}{clusters}",
        power=_power(check["power"], check["kind"]),
        verdict=check["verdict"],
        reason=check["reason"],
    )


def _estimate(check: Mapping[str, Any]) -> str:
    if check["kind"] != "margin" or check["estimate"] is None:
        return _number(check["estimate"])
    return f"{check['estimate']:+.4f} ({_number(check['value'])})"


_SIGNS = {"min": ">= {:g}", "max": "<= {:g}", "margin": "> -{:g}", "max_gap": "gap <= {:g}"}


def _threshold(check: Mapping[str, Any]) -> str:
    return _SIGNS[check["kind"]].format(check["threshold"])


def _power(power: Mapping[str, Any] | None, kind: str) -> str:
    """How good a model must be for the gate to pass it 8 of 10 times, under one seed and under all of them."""
    if power is None:
        return "-"
    if power["when_equal"] is not None:
        return f"{power['when_equal']:.0%} if equal; {power['when_equal_all']:.0%} with all seeds"
    if power["passes_at"] is None:
        return "never"
    sign = "<=" if kind == "max" else ">="
    every = "never" if power["passes_at_all"] is None else f"{power['passes_at_all']:.4f}"
    return f"{power['chance']:.0%} at {sign} {power['passes_at']:.4f}; {every} with all seeds"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def table(verdict: Mapping[str, Any]) -> Table:
    """The table for a terminal, without the reasons: with them it would be wider than most."""
    from rich.table import Table  # noqa: PLC0415  # only a run needs it
    from rich.text import Text  # noqa: PLC0415

    shown = list(rows(verdict))
    compared = any(row.champion != "-" for row in shown)
    made = Table(title=None, show_lines=False, pad_edge=False, box=None, header_style="bold")
    for name in ("scenario", "seed", "check"):
        made.add_column(name, no_wrap=True)
    for name in ("estimate", *(("champion",) if compared else ()), "bound", "threshold", "samples"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("verdict", no_wrap=True)
    last = ""
    for row in shown:
        name = row.scenario + ("" if row.must_pass else " *")
        style = _STYLES[row.verdict] if row.must_pass or row.verdict == "pass" else "dim"
        made.add_row(
            Text(visible(name) if name != last else ""),
            row.seed,
            Text(visible(row.check)),
            row.estimate,
            *((row.champion,) if compared else ()),
            row.bound,
            row.threshold,
            row.samples,
            Text(row.verdict, style=style),
        )
        last = name
    return made


def as_text(verdict: Mapping[str, Any]) -> str:
    """The table as plain text, what the star means, what the verdict does not explain, and what it warns of.

    The table is as wide as it has to be, even where a terminal has fewer columns: a cut number is another number.
    """
    from rich.console import Console  # noqa: PLC0415

    stream = io.StringIO()
    Console(file=stream, width=_WIDEST, color_system=None, highlight=False).print(table(verdict))
    stars = any(not row.must_pass for row in rows(verdict))
    lines = [
        *(line.rstrip() for line in stream.getvalue().splitlines()),
        *(["* not must-pass: shown, refuses no model"] if stars else []),
        *_unexplained(verdict),
        *(f"warning: {visible(text)}" for text in verdict.get("warnings", [])),
    ]
    return "\n".join(lines) + "\n"


def _unexplained(verdict: Mapping[str, Any]) -> Iterator[str]:
    """Why a check is not passed, where the verdict's own reasons do not say so; once for all seeds with one reason."""
    told: dict[tuple[str, ...], list[str]] = {}
    for row in rows(verdict):
        if row.verdict != "pass" and not any(row.reason in reason for reason in verdict["reasons"]):
            told.setdefault((row.scenario, row.check, row.verdict, row.reason), []).append(row.seed)
    for (scenario, check, word, reason), seeds in told.items():
        yield visible(f"  {scenario}, {check} (seed {', '.join(seeds)}): {word}: {reason}")
