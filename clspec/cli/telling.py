"""Runs, steps and comparisons as lines of text and as plain values for JSON."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from clspec.past.comparing import Compared, Pair, Scenario
    from clspec.past.finding import Told
    from clspec.past.status import Status
    from clspec.runs import Foreseen, Run, Stepped, Tree, Why

_DIGEST = 19
"""`sha256:` and twelve digits: enough to know one from another."""
_COMMIT = 10
_MINUTE, _HOUR = 60, 3600


def table(head: Sequence[str], found: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows below their head, each column as wide as it has to be."""
    every = [tuple(head), *(tuple(visible(cell) for cell in row) for row in found)]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    for row in every:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE):02} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE):02} min"


def _when(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, tz=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds")


def _commit(run: Run) -> str:
    """A run's commit, with a plus where that is not all."""
    if not run.commit:
        return "-"
    return run.commit[:_COMMIT] + ("" if run.is_clean or run.is_running else "+")


def _how(run: Run) -> str:
    return run.how + ("" if run.is_whole else " (partial)")


def _took(run: Run) -> str:
    return "-" if run.ended is None else duration(run.ended - run.started)


# -- text ------------------------------------------------------------------------------------------------------------


def runs(found: Sequence[Run]) -> Iterator[str]:
    """A line for each run."""
    head = ("run", "began", "spec", "pipeline", "commit", "ended", "verdict", "took")
    yield from table(
        head,
        (
            (
                run.id,
                _when(run.started),
                run.spec + (f" ({run.environment})" if run.environment else ""),
                run.pipeline,
                _commit(run),
                _how(run),
                run.verdict or "-",
                _took(run),
            )
            for run in found
        ),
    )
    if any(run.commit and not run.is_clean and not run.is_running for run in found):
        yield "+ not of that commit alone: files were changed, or it is not known whether"


def run(told: Told) -> Iterator[str]:
    """A run and its steps: how they ended, how long they took, why they ran and what they made."""
    about = told.run
    where = f" in environment {about.environment}" if about.environment else ""
    yield f"run {about.id}: {about.spec}, pipeline {about.pipeline}{where}"
    yield f"  began {_when(about.started)}, took {_took(about)}, ended: {_how(about)}"
    if str(about.selection):
        yield f"  with {visible(str(about.selection))}"
    if about.report is not None:
        yield f"  report: {_place(about.report)}"
    elif about.exit_code is None and not about.is_running:
        yield "  report: the next run on this machine makes it"
    yield from (f"  {line}" for line in _files(about))
    yield ""
    head = ("step", "state", "took", "why")
    yield from table(head, ((s.id, s.state, duration(s.seconds) if s.seconds else "-", _why(s)) for s in told.steps))
    made = [(step.id, name, output) for step in told.steps for name, output in step.outputs.items()]
    if made:
        yield ""
        rows = ((step, name, _place(o.place) if o.is_there else f"(gone) {o.digest}") for step, name, o in made)
        yield from table(("step", "output", "place"), rows)


def _place(path: Path) -> str:
    """A path as it is said from here, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def _files(about: Run) -> Iterator[str]:
    """Which files a run is a run of."""
    if about.tree is None:
        yield "which files it was a run of is not recorded"
        return
    yield f"commit {about.commit or '(none)'}{'' if about.is_clean else ', and not that alone' if about.commit else ''}"
    for line in dict.fromkeys((*about.tree.dirty, *(about.tree_at_end.dirty if about.tree_at_end else ()))):
        yield f"  {visible(line)}"
    for name in ("spec", "lock", "code"):
        yield f"{name} {getattr(about.tree, name)[:_DIGEST]}"


def _why(step: Stepped) -> str:
    told = [*step.reasons, *([step.note] if step.note else [])]
    if step.state == "up to date" and step.made_in:
        told.append(f"made in run {step.made_in}")
    return "; ".join(told)


def why(found: Why) -> Iterator[str]:
    """Why a step ran, or did not."""
    step, about = found.step, found.run
    took = f" in {duration(step.seconds)}" if step.seconds else ""
    yield visible(f"{step.id}: {step.state}{took} in run {about.id}{f': {step.note}' if step.note else ''}")
    if step.state == "up to date":
        yield f"  all that it is made from is what it was, and its outputs are whole (made in run {step.made_in})"
    yield from (f"  {visible(reason)}" for reason in step.reasons)
    if found.before is None:
        yield "no earlier run is known to compare it with"
        return
    if found.differences is None:
        yield f"what it was made from in run {found.before.id} is not recorded"
        return
    if not found.differences:
        yield f"it is made from the same as in run {found.before.id}"
        return
    yield f"made from, beside run {found.before.id}:"
    for each in found.differences:
        sides = [_value(text) for text in (each.before, each.after)]
        yield visible(f"  {each.part:<9} {each.path}: {sides[0]} -> {sides[1]}")


def _value(text: str | None) -> str:
    return "(nothing)" if text is None else text.strip('"')[:_DIGEST] if text.startswith('"sha256:') else text


def plan(found: Sequence[Foreseen]) -> Iterator[str]:
    """What would become of each step."""
    yield from table(("step", "would", "why"), ((one.step, one.will, "; ".join(one.reasons)) for one in found))
    assumed = list(dict.fromkeys(name for one in found for name in one.assumed))
    if assumed:
        yield f"as long as the store still has for {', '.join(assumed)} what it had the last time"
    counts = {will: sum(one.will == will for one in found) for will in dict.fromkeys(one.will for one in found)}
    yield ", ".join(f"{count} {will}" for will, count in counts.items())


def compared(found: Compared) -> Iterator[str]:
    """Two runs side by side; a star marks what differs."""
    one, other = found.one.run, found.other.run
    head = ("", one.id, other.id)
    general = [
        _row(name, *(str(value) for value in values))
        for name, values in (
            ("pipeline", (one.pipeline, other.pipeline)),
            ("ended", (_how(one), _how(other))),
            ("verdict", (one.verdict or "-", other.verdict or "-")),
            ("took", (_took(one), _took(other))),
        )
    ]
    yield from table(("", *head), (*general, *map(_pair, found.files), *map(_pair, found.data)))
    if found.metrics:
        yield ""
        yield from table(("", "metric", one.id, other.id), map(_pair, found.metrics))
    if found.scenarios:
        yield ""
        yield from table(
            ("", "scenario", "seed", "check", f"{one.id}", "verdict", f"{other.id}", "verdict"),
            map(_scenario, found.scenarios),
        )
    for side, told in ((one, found.one), (other, found.other)):
        if told.verdict is None:
            yield f"run {side.id} has no verdict{' that is still kept' if side.verdict not in {'', 'skipped'} else ''}"
    if found.made_from:
        yield ""
        yield "made from:"
        for each, steps in found.made_from:
            yield visible(f"  * {each.sentence}  ({', '.join(steps)})")
    if found.unknown:
        yield f"what these steps were made from is not recorded in both: {', '.join(found.unknown)}"


def _row(name: str, one: str, other: str) -> tuple[str, str, str, str]:
    return ("*" if one != other else "", name, one, other)


def _pair(pair: Pair) -> tuple[str, str, str, str]:
    return _row(pair.name, *(("-" if text is None else _short(text)) for text in (pair.one, pair.other)))


def _short(text: str) -> str:
    return text[:_DIGEST] if text.startswith("sha256:") else text


def _scenario(found: Scenario) -> tuple[str, ...]:
    cells = []
    for row in (found.one, found.other):
        cells += ["-", "-"] if row is None else [f"{row.estimate} [{row.bound}] {row.threshold}", row.verdict]
    return ("*" if found.differs else "", found.scenario, found.seed, found.check, *cells)


def status(found: Status) -> Iterator[str]:
    """Whether a commit is green, and what is missing, a line each with the command that mends it."""
    asked = found.asked
    where = f" (environment {asked.environment})" if asked.environment else ""
    yield f"{asked.spec} at {asked.commit[:12]}{where}: {'green' if found.is_green else 'red'}"
    for one in found.passed:
        yield f"  {one.pipeline}: passed in run {one.id}"
    for one in found.not_started:
        yield f"  {one.pipeline}: not started by this commit; passed on {one.commit[:12]} in run {one.id}"
    for each in found.missing:
        yield visible(f"  {each.pipeline + ': ' if each.pipeline else ''}{each.what}; mend it: {each.mend}")


# -- plain values ----------------------------------------------------------------------------------------------------


def plain_run(found: Run) -> dict[str, Any]:
    """A run in plain values."""
    return {
        "id": found.id,
        "report": str(found.report) if found.report is not None else None,
        "spec": found.spec,
        "file": found.file,
        "pipeline": found.pipeline,
        "environment": found.environment,
        "started": _iso(found.started),
        "ended": _iso(found.ended),
        "seconds": None if found.ended is None else round(found.ended - found.started, 3),
        "exit_code": found.exit_code,
        "how": found.how,
        "verdict": found.verdict,
        "selection": asdict(found.selection),
        "whole": found.is_whole,
        "commit": found.commit,
        "clean": found.is_clean,
        "tree": _plain_tree(found.tree),
        "tree_at_end": _plain_tree(found.tree_at_end),
        "folder": str(found.folder),
    }


def _plain_tree(tree: Tree | None) -> dict[str, Any] | None:
    return None if tree is None else asdict(tree)


def plain_step(step: Stepped) -> dict[str, Any]:
    """What became of a step, in plain values."""
    outputs = {n: {"digest": o.digest, "place": str(o.place), "there": o.is_there} for n, o in step.outputs.items()}
    return {
        "id": step.id,
        "kind": step.kind,
        "state": step.state,
        "seconds": step.seconds,
        "note": step.note,
        "reasons": list(step.reasons),
        "made_in": step.made_in,
        "key": step.key,
        "outputs": outputs,
        "parameters": dict(step.parameters),
    }


def plain_told(told: Told) -> dict[str, Any]:
    """A run with its steps and its verdict, in plain values."""
    steps = [plain_step(step) for step in told.steps]
    return {"run": plain_run(told.run), "steps": steps, "verdict": told.verdict}


def plain_why(found: Why) -> dict[str, Any]:
    """Why a step ran, in plain values."""
    return {
        "run": found.run.id,
        "step": plain_step(found.step),
        "before": found.before.id if found.before else None,
        "differences": None if found.differences is None else [each.as_plain() for each in found.differences],
    }


def plain_compared(found: Compared) -> dict[str, Any]:
    """Two runs side by side, in plain values."""
    pairs = {"metrics": found.metrics, "files": found.files, "data": found.data}
    return {
        "runs": [plain_run(found.one.run), plain_run(found.other.run)],
        **{
            name: [{"name": p.name, "one": p.one, "other": p.other, "differs": p.differs} for p in every]
            for name, every in pairs.items()
        },
        "scenarios": [
            {
                "scenario": s.scenario,
                "seed": s.seed,
                "check": s.check,
                "one": asdict(s.one) if s.one else None,
                "other": asdict(s.other) if s.other else None,
                "differs": s.differs,
            }
            for s in found.scenarios
        ],
        "made_from": [{**each.as_plain(), "steps": list(steps)} for each, steps in found.made_from],
        "unknown": list(found.unknown),
    }


def plain_status(found: Status) -> dict[str, Any]:
    """Whether a commit is green, in plain values."""
    return {
        "spec": found.asked.spec,
        "commit": found.asked.commit,
        "environment": found.asked.environment,
        "green": found.is_green,
        "passed": [{"pipeline": one.pipeline, "run": one.id} for one in found.passed],
        "not_started": [{"pipeline": one.pipeline, "run": one.id, "commit": one.commit} for one in found.not_started],
        "missing": [asdict(each) for each in found.missing],
    }
