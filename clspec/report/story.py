"""What the loop did in one run, a line for each of its steps, as one would tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Told = Mapping[str, Any]
"""What one step of the loop told."""


def story(told: Mapping[str, Told]) -> tuple[tuple[str, str], ...]:
    """What happened, in the order in which a person follows it: the part of the loop, and a sentence on it.

    A part of which nothing was told, since its step was skipped or did not come to its end, has no line.
    """
    return tuple((name, text) for word, (name, tell) in _PARTS.items() if word in told for text in tell(told[word]))


def _expectations(told: Told) -> Iterator[str]:
    checks = told["checks"]
    yield f"{sum(check['holds'] for check in checks)} of {len(checks)} data gates hold"


def _labels(told: Told) -> Iterator[str]:
    said = _counts(told["by_class"])
    yield f"{_number(told['new'], 'row')} with a label came in{f' ({said})' if said else ''}, {told['open']} still wait"
    if told["by_origin"]:
        yield f"labelled by {_counts(told['by_origin'])}"
    agreement = told["agreement"]
    if agreement["alpha"] is not None:
        yield f"people agree with alpha {agreement['alpha']:.3f} over {agreement['items']} rows with several votes"
    if told["disagreements"]:
        yield f"they disagree about {told['disagreements']}: clspec label review"
    for rule, audit in told["audits"].items():
        yield f"{rule}: {_rate(audit)}"
    audited = {audit["note"] for audit in told["audits"].values()}
    yield from (note for note in told["notes"] if note not in audited)
    yield from (f"ALARM: {text}" for text in told["alarms"])


def _rate(audit: Told) -> str:
    """The unbiased estimate of the error rate in production."""
    if audit["rate"] is None:
        return f"the error rate in production is unknown: 0 of {audit['sampled']} audited rows are labelled"
    bounds = f"{audit['lower']:.3f} to {audit['upper']:.3f}, each at 95 %"
    return (
        f"the error rate in production is {audit['rate']:.3f} ({bounds}) by {audit['errors']} errors in "
        f"{audit['labelled']} of {audit['sampled']} audited rows"
    )


def _guarded(told: Told) -> Iterator[str]:
    causes = _counts(told["dropped"])
    dropped = f"dropped as golden: {causes}" if causes else "none dropped as golden"
    yield f"{_number(told['kept'], 'row')} kept, {dropped}"
    for example in told["examples"][:3]:
        yield f"dropped {example['key']}: {example['cause']} of `{example['dataset']}`"


def _appended(told: Told) -> Iterator[str]:
    known = f", {told['known']} were there already" if told["known"] else ""
    yield f"`{told['dataset']}` version {told['version']}: {told['rows']} rows, {told['new']} new{known}"
    if told["conflicting"]:
        yield f"{told['conflicting']} rows contradict what is there and were not appended"


def _decision(told: Told) -> Iterator[str]:
    yield f"{'yes' if told['retrain'] else 'no'}: {told['reason']}"


def _mined(told: Told) -> Iterator[str]:
    rules = ", ".join(f"{rule} {found['matched']}" for rule, found in told["rules"].items())
    yield f"{_number(told['rows'], 'row')} of `{told['source']}`: {rules}"
    yield f"{_number(told['candidates'], 'candidate')}, {told['known']} were known already"
    lost = {name: told[name] for name in ("without_id", "without_key", "same_key", "repeated", "conflicting")}
    if any(lost.values()):
        yield "left out: " + _counts({name.replace("_", " "): count for name, count in lost.items() if count})
    unjudged = {rule: found["unjudged"] for rule, found in told["rules"].items() if found["unjudged"]}
    if unjudged:
        yield f"not judged, since a column that the rule needs is NULL: {_counts(unjudged)}"


def _sampled(told: Told) -> Iterator[str]:
    dropped = _counts({cause: count for cause, count in told["dropped"].items() if count})
    yield f"{told['out']} of {told['in']} chosen{f'; left out by {dropped}' if dropped else ''}"


def _teacher(told: Told) -> Iterator[str]:
    yield (
        f"asked about {_number(told['asked'], 'row')}, {told['accepted']} of its labels accepted, "
        f"of which people check {told['audited']}"
    )


def _queued(told: Told) -> Iterator[str]:
    yield f"{told['new']} new, {told['waiting']} wait for people; in all {_counts(told['states'])}"


def _promoted(told: Told) -> Iterator[str]:
    model = told["model"].removeprefix("sha256:")[:12]
    for alias in told["reached"]:
        yield f"model {model} is `{alias}`"
    if told["awaiting"]:
        yield (
            f"model {model} awaits approval by {told['approval'] or 'somebody'}: "
            f"clspec promote {model} --stage {told['awaiting']} --approved-by NAME"
        )


_PARTS: dict[str, tuple[str, Callable[[Told], Iterator[str]]]] = {
    "expectations": ("expect", _expectations),
    "labels": ("labels", _labels),
    "dropped-labels": ("guard", _guarded),
    "appended": ("append", _appended),
    "decision": ("retrain?", _decision),
    "promoted": ("promote", _promoted),
    "mined": ("mine", _mined),
    "dropped-mined": ("guard", _guarded),
    "sampled": ("sample", _sampled),
    "teacher": ("teacher", _teacher),
    "queued": ("queue", _queued),
}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
